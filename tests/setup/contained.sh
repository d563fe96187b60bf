#!/usr/bin/env bash
# contained.sh IMAGE DATA WORD ARGUMENT...: runs the program of an unpacked image as a container's runtime would, so far as a story needs it: in its
# root folder, which is read-only, as its user, with /data, /tmp, /proc, /dev and the names of services. WORD is dropped: it is
# the program as it is called outside. Needs root; becomes the program in the end.
set -euo pipefail
image=$1
data=$2
shift 3
exec unshare --mount bash -euc '
    image=$1 data=$2
    shift 2
    mount --bind "$image" "$image"
    mount --rbind /dev "$image/dev"
    mount -t proc proc "$image/proc"
    mount -t tmpfs tmpfs "$image/tmp"
    mount --bind "$data" "$image/data"
    mount --bind "$data/hosts" "$image/etc/hosts"
    mount -o remount,bind,ro "$image"
    exec chroot --userspec=65532:65532 "$image" /outpost "$@"
' _ "$image" "$data" "$@"
