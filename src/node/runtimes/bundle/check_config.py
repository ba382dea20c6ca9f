#!/usr/bin/env python3
"""Holds config.json files against the OCI runtime specification's JSON schema: prints what is wrong, exits 1 then."""

import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json")


def main():
    schema = json.loads(SCHEMA.read_text())
    resolver = jsonschema.RefResolver(SCHEMA.as_uri(), schema)
    validator = jsonschema.Draft4Validator(schema, resolver=resolver)
    wrong = 0
    for name in sys.argv[1:]:
        for error in validator.iter_errors(json.loads(pathlib.Path(name).read_text())):
            print(f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message}")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
