"""Holds an OpenAPI document against the specification, and values against its schemas.

    openapi.py FILE

FILE is JSON: {"document": TEXT, "values": [[NAME OF A SCHEMA, VALUE], ...], "exchanges": [EXCHANGE, ...]}, where an exchange is
{"method", "path" as the document has it, "status", "answer", "sent" where there was a body}. What was said in an exchange may
have no field that the document does not name.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

faults = []
BRANCHES = ["allOf", "anyOf", "oneOf"]


def closed(schema, *, whole=True):
    """A schema with what it does not name forbidden; a branch of an object is closed with the whole."""
    if isinstance(schema, list):
        return [closed(one, whole=whole) for one in schema]
    if not isinstance(schema, dict):
        return schema
    is_object = "properties" in schema
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: closed(field) for name, field in value.items()}
        elif key in BRANCHES:
            result[key] = closed(value, whole=whole and not is_object)
        elif key in ["items", "additionalProperties"]:
            result[key] = closed(value)
        else:
            result[key] = value
    if is_object and whole and "additionalProperties" not in schema:
        result["unevaluatedProperties"] = False
    return result


def check(schema, value, components, what):
    validator = Draft202012Validator({**schema, "components": components}, format_checker=Draft202012Validator.FORMAT_CHECKER)
    faults.extend(f"{what} at {error.json_path}: {error.message[:500]}" for error in validator.iter_errors(value))


with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
document = json.loads(given["document"])
validate(document)
components = document["components"]
for name, value in given["values"]:
    check({"$ref": f"#/components/schemas/{name}"}, value, components, name)
exact = {"schemas": {name: closed(schema) for name, schema in components["schemas"].items()}}
for exchange in given.get("exchanges", []):
    method, path, status = exchange["method"], exchange["path"], str(exchange["status"])
    what = f"{method} {path}"
    operation = document["paths"][path][method]
    if status not in operation["responses"]:
        faults.append(f"{what} answered {status}, which the document does not have: {exchange['answer']}")
        continue
    content = operation["responses"][status].get("content", {})
    if "application/json" in content:
        check(closed(content["application/json"]["schema"]), exchange["answer"], exact, f"{what}: {status}")
    if "sent" in exchange:
        sent = operation["requestBody"]["content"]["application/json"]["schema"]
        check(closed(sent), exchange["sent"], exact, f"{what}: what was sent")
if faults:
    sys.exit("\n".join(faults))
