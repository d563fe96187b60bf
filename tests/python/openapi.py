"""Holds an OpenAPI document against the specification, and values against its schemas.

    openapi.py FILE

FILE is JSON: {"document": TEXT, "values": [[NAME OF A SCHEMA, VALUE], ...]}.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
document = json.loads(given["document"])
validate(document)
for name, value in given["values"]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
