#!/usr/bin/env python3
"""Takes out of the results in a folder what a run is allowed to differ in: the time and memory that it took.

    without_run.py FOLDER

In every JSON document (a *.json file, or a stdout that is JSON) the member "run" of the outermost object is removed;
nothing else is touched.
"""

import json
import pathlib
import sys


def main():
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
        if path.suffix != ".json" and path.name != "stdout":
            continue
        try:
            document = json.loads(path.read_text())
        except (UnicodeDecodeError, json.JSONDecodeError):
            continue
        if isinstance(document, dict) and document.pop("run", None) is not None:
            path.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
