# What every set-up script shares. Source it; it stops the script at the first command that fails.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Everything that set-up brings lies here, one folder a part; `rm -rf target/parts` forgets it all.
parts=$root/target/parts
mkdir -p "$parts"

say() { printf '   %s\n' "$*"; }

# skip PART WHY COMMAND: says loudly that PART is missing and what would fix it. In CI nothing may be missing.
skip() {
    {
        printf '!! SKIPPED: %s\n' "$1"
        printf '!!   why: %s\n' "$2"
        printf '!!   fix: %s\n' "$3"
    } | tee -a "$parts/skipped" >&2
    if [ "${CI:-}" = true ]; then
        echo '!! With CI=true a skip is a failure.' >&2
        exit 1
    fi
    exit 0
}

# ready STAMP FILE...: whether the part that wrote STAMP was made from FILEs as they are now.
ready() { [ -f "$1" ] && [ "$(cat "$1")" = "$(cat "${@:2}" | sha256sum)" ]; }

# done_with STAMP FILE...: writes what `ready` reads.
done_with() { cat "${@:2}" | sha256sum > "$1"; }
