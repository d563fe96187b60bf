#!/usr/bin/env bash
# root.sh BINARY FOLDER: lays out the root folder of the image. The Dockerfile and tests/setup/image.sh both call it, so that
# what is tested is what is shipped.
#
# In it are the program, the shared libraries that it names (the C library brings its own resolver of names, so that
# services are found), the certificates of the public authorities, one user, and two folders that anybody may write to.
# No shell, no package manager, nothing else.
set -euo pipefail
binary=$1
root=$2
# Whoever runs it: a number that belongs to nobody on the host.
user=65532

certificates=/etc/ssl/certs/ca-certificates.crt
[ -s "$certificates" ] || {
    echo "!! $certificates is missing: install ca-certificates" >&2
    exit 1
}

rm -rf "$root"
mkdir -p "$root"/{etc/ssl/certs,proc,sys,dev}
install -m 755 "$binary" "$root/outpost"
# `NAME => PATH (ADDRESS)`, and the loader as `PATH (ADDRESS)`; what the kernel brings has no path.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$library" "$root$library"
done
install -m 644 "$certificates" "$root$certificates"
printf 'outpost:x:%d:%d::/data:/outpost\n' $user $user > "$root/etc/passwd"
printf 'outpost:x:%d:\n' $user > "$root/etc/group"
# Runtimes mount theirs over these, which a read-only root folder must have already.
touch "$root"/etc/{hosts,hostname,resolv.conf}
# Files first, then the network: how the C library looks for the name of a service.
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
# As /tmp is everywhere: a volume that is mounted there takes the mode over, whatever user runs the container.
for folder in data tmp; do
    install -d -m 1777 "$root/$folder"
done
