"""Prints what a compose file says for a profile, as JSON: its services with the variables filled in, and its volumes.

    compose.py FILE PROFILE
"""

import json
import re
import sys

import yaml


def main():
    file, profile = sys.argv[1:]
    with open(file) as source:
        text = source.read()
    known = {"COMPOSE_PROFILES": profile}
    text = re.sub(r"\$\{(\w+):-[^}]*\}", lambda match: known[match[1]], text)
    assert "${" not in text, "a variable without a default"
    document = yaml.safe_load(text)
    services = {
        name: service
        for name, service in document["services"].items()
        if profile in service.get("profiles", [profile])
    }
    print(json.dumps({"services": services, "volumes": document["volumes"]}))


main()
