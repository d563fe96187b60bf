#!/usr/bin/env bash
# The public monitoring agent: a Java program that lies inside a wheel of the public library, in target/parts/agent. It
# is a peer to test with; nothing of it becomes part of the project.
. "$(dirname "$0")/lib.sh"
wanted=$root/tests/setup/agent.txt
agent=$parts/agent
stamp=$agent/.ready

if ready "$stamp" "$wanted"; then
    say "the agent's jar is there"
    exit 0
fi
for program in java python3; do
    command -v $program > /dev/null || skip 'the monitoring agent' "$program is missing" 'install Java 17 and Python 3.11 or newer'
done
# Set-up of Python comes before and brings a pip of its own.
pip=$parts/python/bin/pip
[ -x "$pip" ] || skip 'the monitoring agent' 'Python is not set up' 'see above'
rm -rf "$agent"
mkdir -p "$agent"
"$pip" download --quiet --disable-pip-version-check --no-deps --dest "$agent" --requirement "$wanted"
# A wheel is a zip archive, which Python reads where unzip is missing.
python3 - "$agent" << 'PYTHON'
import glob, shutil, sys, zipfile
folder = sys.argv[1]
(wheel,) = glob.glob(f"{folder}/*.whl")
with zipfile.ZipFile(wheel) as archive:
    (jar,) = [name for name in archive.namelist() if "/mlops-agent-" in name and name.endswith(".jar")]
    with archive.open(jar) as source, open(f"{folder}/agent.jar", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
rm "$agent"/*.whl
done_with "$stamp" "$wanted"
say "$(du -m "$agent/agent.jar" | cut -f1) MiB of jar"
