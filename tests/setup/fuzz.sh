#!/usr/bin/env bash
# make fuzz: each fuzz target for SECONDS_EACH seconds, beginning with what `tests/fuzz/seeds` and former runs found. Coverage
# comes from the compiler's own flags, so no other toolchain is needed; without sanitizers, for the code has no `unsafe`.
. "$(dirname "$0")/lib.sh"
cd "$root/tests/fuzz"
seconds=${SECONDS_EACH:-60}
export CARGO_TARGET_DIR=$root/target/fuzz
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
# With a target triple the flags are not for build scripts.
triple=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --target "$triple"
for target in segment record wire; do
    corpus=$CARGO_TARGET_DIR/corpus/$target
    mkdir -p "$corpus" "seeds/$target"
    "$CARGO_TARGET_DIR/$triple/release/$target" -max_total_time="$seconds" -max_len=4096 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$CARGO_TARGET_DIR/$target-" "$corpus" "seeds/$target" 2>&1 |
        sed -n "s/^stat::number_of_executed_units: */   $target: inputs tried: /p; /panicked\|ERROR\|SUMMARY/p"
    [ "${PIPESTATUS[0]}" = 0 ] || { echo "!! $target failed; the input is beside target/fuzz/$target-*" >&2; exit 1; }
done
