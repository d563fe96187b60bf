#!/usr/bin/env bash
# Python: the public reporting library, whose readers judge our records, and what the benches compare with. A virtual
# environment in target/parts/python.
. "$(dirname "$0")/lib.sh"
wanted=$root/tests/setup/python.txt
venv=$parts/python
stamp=$venv/.ready

if ready "$stamp" "$wanted"; then
    say 'the virtual environment is there'
    exit 0
fi
command -v python3 > /dev/null || skip 'Python' 'python3 is missing' 'install Python 3.11 or newer'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    skip 'Python' "$(python3 --version) is too old" 'install Python 3.11 or newer'
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
done_with "$stamp" "$wanted"
say "$("$venv/bin/python" --version), $(wc -l < "$wanted") requirements"
