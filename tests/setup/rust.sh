#!/usr/bin/env bash
# The Rust side: the target that the guest is compiled for, and with `--tools` the formatter and the linter.
. "$(dirname "$0")/lib.sh"
cd "$root"

if ! command -v cargo > /dev/null; then
    echo '!! cargo is missing: install Rust with rustup (https://rustup.rs), then run this again.' >&2
    exit 1
fi

has_target() { [ -d "$(rustc --print target-libdir --target wasm32-wasip2 2> /dev/null)" ]; }

if ! has_target; then
    if ! command -v rustup > /dev/null; then
        echo '!! the target wasm32-wasip2 is missing, and there is no rustup to add it.' >&2
        exit 1
    fi
    say 'adding the target wasm32-wasip2'
    rustup target add wasm32-wasip2
fi

if [ "${1:-}" = --tools ]; then
    for tool in rustfmt clippy; do
        case $tool in rustfmt) check='cargo fmt --version' ;; clippy) check='cargo clippy --version' ;; esac
        $check > /dev/null 2>&1 || rustup component add "$tool"
    done
fi
say "$(cargo --version), wasm32-wasip2 is there"
