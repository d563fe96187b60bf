#!/usr/bin/env bash
# Everything that `make test` needs and a machine may lack. Quick when it is all there.
. "$(dirname "$0")/lib.sh"
here=$root/tests/setup
: > "$parts/skipped"
"$here/step.sh" 'set-up: Rust' "$here/rust.sh" --tools
"$here/step.sh" 'set-up: Debian packages' "$here/debian.sh" test
"$here/step.sh" 'set-up: browser' "$here/debian.sh" browser
"$here/step.sh" 'set-up: Apache Kafka' "$here/kafka.sh"
"$here/step.sh" 'set-up: Python' "$here/python.sh"
"$here/step.sh" 'set-up: custom packages' "$here/custom.sh"
"$here/step.sh" 'set-up: monitoring agent' "$here/agent.sh"
