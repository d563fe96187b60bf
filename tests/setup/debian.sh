#!/usr/bin/env bash
# Debian packages, for programs that are missing. `debian.sh test` names what the tests run, `debian.sh browser` what looks at
# the status page, `debian.sh bench` what the benches add. Installs as root or through `sudo -n`; else it names the one command and skips.
. "$(dirname "$0")/lib.sh"

missing=()
program() { command -v "$1" > /dev/null || missing+=("$2"); }

case ${1:?test, browser or bench} in
test)
    program cc gcc
    # The fuzzer is C++.
    program c++ g++
    program make make
    # A model in C is compiled to WebAssembly by these.
    program clang clang
    program wasm-ld lld
    [ -f /usr/lib/wasm32-wasi/libc.a ] || missing+=(wasi-libc)
    program perl perl
    program java openjdk-17-jre-headless
    program mvn maven
    program python3 python3
    # Debian splits this module from its Python.
    python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
    program strace strace
    program mkfs.ext4 e2fsprogs
    program ip iproute2
    program prlimit util-linux
    program mount mount
    program faketime faketime
    program openssl openssl
    # Builds the image, without a daemon.
    program buildah buildah
    [ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
    # The broker's own script, which is on no PATH; and what gives it a session of its own.
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
    program setsid util-linux
    # Its programs are on no PATH either, in a folder a version.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || missing+=(postgresql)
    program setpriv util-linux
    ;;
browser)
    # Either will do; this one is smaller.
    command -v chromium > /dev/null || program chromium-headless-shell chromium-headless-shell
    ;;
bench)
    program wrk wrk
    ;;
esac

if [ ${#missing[@]} -eq 0 ]; then
    say "nothing is missing for $1"
    exit 0
fi

install="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get > /dev/null; then
    skip "programs for $1" "this is no Debian, and these packages (by Debian's names) are missing: ${missing[*]}" \
        "install them with this system's package manager"
elif [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2> /dev/null; then
    as_root=sudo
else
    skip "programs for $1" 'neither root nor sudo without a password' "sudo $install"
fi
say "installing ${missing[*]}"
DEBIAN_FRONTEND=noninteractive $as_root apt-get update -q
DEBIAN_FRONTEND=noninteractive $as_root $install
