"""Checks YAML files against a JSON Schema with an independent validator: one line per file, `good` or the error.

Usage: check_schema.py SCHEMA LIST, where LIST names one file a line. YAML is read as YAML 1.2 does: `NO` is text.
"""
import json
import re
import sys

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """YAML 1.2 core schema: no sexagesimals, dates or yes/no booleans."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$", "-0123456789"),
    ("merge", r"^<<$", "<"),
):
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    with open(sys.argv[2], encoding="utf-8") as file:
        names = file.read().splitlines()
    for name in names:
        with open(name, encoding="utf-8") as file:
            document = yaml.load(file, Loader)
        # Through JSON, as an editor sees it: keys are texts.
        document = json.loads(json.dumps(document))
        error = jsonschema.exceptions.best_match(validator.iter_errors(document))
        print("good" if error is None else f"{error.json_path}: {error.message}".replace("\n", " ")[:300])


main()
