#!/usr/bin/env python3
"""report.py KIND FILE...: are these reports what their schema says? KIND: json, sarif."""
import json
import os
import re
import sys

import jsonschema

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCHEMAS = {
    "json": ("docs/schemas/report.json", jsonschema.Draft202012Validator),
    "sarif": ("tests/lib/schemas/sarif-2.1.0-rtm.5.json", jsonschema.Draft4Validator),
}


def unsorted(value, at="$"):
    """Where keys are not in the order of the alphabet."""
    if isinstance(value, dict):
        if list(value) != sorted(value):
            yield at
        for key, one in value.items():
            yield from unsorted(one, at + "." + key)
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from unsorted(one, f"{at}[{i}]")


def beyond_github(log):
    """What GitHub's code scanning would not take, or not show."""
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        if len(run["results"]) > 25000:
            yield "more than 25,000 results"
        for result in run["results"]:
            if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
                yield f"{result['ruleId']}: ruleIndex is another rule"
            if not 1 <= len(result["locations"]) <= 1000:
                yield f"{result['ruleId']}: no place, or too many"
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            if not re.fullmatch(r"[-._~/!$&'()*+,;=@:A-Za-z0-9%]+", uri):
                yield f"{uri} is no URI"
            if "partialFingerprints" not in result:
                yield f"{result['ruleId']}: no fingerprint"


def main():
    kind, files = sys.argv[1], sys.argv[2:]
    path, validator = SCHEMAS[kind]
    with open(os.path.join(ROOT, path)) as f:
        schema = json.load(f)
    wrong = []
    validator.check_schema(schema)
    for name in files:
        with open(name) as f:
            report = json.load(f)
        for error in validator(schema).iter_errors(report):
            wrong.append(f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
        wrong += [f"{name}: keys of {at} are not sorted" for at in unsorted(report)]
        if kind == "sarif":
            wrong += [f"{name}: {words}" for words in beyond_github(report)]
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
