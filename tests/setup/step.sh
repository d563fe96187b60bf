#!/usr/bin/env bash
# step.sh NAME COMMAND...: runs a command and says how long it took. No output is hidden.
set -uo pipefail
name=$1
shift
printf '==> %s\n' "$name"
start=$SECONDS
"$@"
code=$?
if [ $code = 0 ]; then verdict=ok; else verdict="FAILED with exit code $code"; fi
printf '<== %s: %s, %d s\n' "$name" "$verdict" $((SECONDS - start))
exit $code
