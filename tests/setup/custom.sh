#!/usr/bin/env bash
# Hand-written models and the guests of the tests, as components in target/parts/custom: each is built again when what it
# is made of has changed. Quick when nothing has; tests call it too.
. "$(dirname "$0")/lib.sh"
out=$parts/custom
mkdir -p "$out"
# Several test processes may come at once.
exec 9> "$out/.lock"
flock 9

# fresh NAME FOLDER: whether NAME was made of what FOLDER and the contract hold now.
fresh() {
    mapfile -t inputs < <(find "$2" "$root/wit" -type f ! -name '*.wasm' ! -path '*/target/*' ! -path '*/.venv/*' \
        ! -path '*/__pycache__/*' | LC_ALL=C sort)
    [ -f "$out/$1.wasm" ] && ready "$out/.$1" "${inputs[@]}"
}

# built NAME MAKE-ARGUMENT...: runs the Makefile of a hand-written model.
built() {
    local name=$1
    rm -f "$out/$name.wasm"
    make --quiet -C "$root/models/custom/$name" OUT="$out/$name.wasm" "${@:2}"
    done_with "$out/.$name" "${inputs[@]}"
    say "$name: $(($(stat -c %s "$out/$name.wasm") / 1024)) KiB"
}

fresh rust "$root/models/custom/rust" || built rust TARGET="$out/rust"
if ! fresh nothing "$root/tests/guests/nothing"; then
    rm -f "$out/nothing.wasm"
    (cd "$root/tests/guests/nothing" &&
        CARGO_TARGET_DIR=$out/rust cargo build --quiet --release --locked --target wasm32-wasip2)
    cp "$out/rust/wasm32-wasip2/release/nothing.wasm" "$out/nothing.wasm"
    done_with "$out/.nothing" "${inputs[@]}"
    say 'nothing: a guest of the tests'
fi
# In a shell each, because a skip ends it.
(
    fresh python "$root/models/custom/python" && exit
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        skip 'a model in Python' 'python3 is missing or older than 3.10' 'install Python 3.10 or newer'
    built python VENV="$out/venv"
)
(
    fresh c "$root/models/custom/c" && exit
    for program in clang wasm-ld; do
        command -v $program > /dev/null || skip 'a model in C' "$program is missing" 'install clang, lld and wasi-libc'
    done
    built c
)
