#!/usr/bin/env python3
"""Takes out of the results in a folder what a run is allowed to differ in: the time and memory that it took.

    without_run.py FOLDER

In every JSON document, HTML page and standard output the flat object `"run": {...}` is emptied; nothing else is
touched.
"""

import pathlib
import re
import sys

RUN = re.compile(r'("run"\s*:\s*)\{[^{}]*\}')


def main():
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
        if path.suffix in (".json", ".html") or path.name == "stdout":
            text = path.read_text()
            emptied = RUN.sub(r"\1{}", text)
            if emptied != text:
                path.write_text(emptied)


if __name__ == "__main__":
    main()
