#!/usr/bin/env bash
# Says once more, after everything else, what set-up could not bring.
. "$(dirname "$0")/lib.sh"
if [ -s "$parts/skipped" ]; then
    cat "$parts/skipped" >&2
    say 'Stories that need these parts did not run.'
else
    say 'Nothing was skipped.'
fi
