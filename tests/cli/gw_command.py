"""Runs gw for the tests of this folder. GW names the program; the build's tests set it."""

import os
import subprocess
import unittest

GW = os.environ.get("GW", "build/release/gw")
SOURCE = os.environ.get("GW_SOURCE_DIR", os.getcwd())


def gw(*words, env=None, stdin=None):
    """Runs `gw WORDS`; the result has returncode, stdout and stderr as text."""
    surroundings = {**os.environ, **(env or {})}
    return subprocess.run([GW, *words], capture_output=True, text=True, env=surroundings, input=stdin, timeout=120)


def commands(*path):
    """Every command below `path`, as lists of words, as gw's own help lists them."""
    found, inside = [], False
    for line in gw(*path, "--help").stdout.splitlines():
        if line and not line.startswith(" "):
            inside = not line.startswith(("Options", "Positionals", "Usage", "Try"))
        elif inside and line.strip():
            name = line.split()[0]
            if line.startswith("  ") and not line.startswith("   ") and not name.startswith("-"):
                found.append([*path, name])
                found.extend(commands(*path, name))
    return found


class GwTest(unittest.TestCase):
    """Checks that say what was printed when they fail."""

    def assert_exit(self, result, code):
        self.assertEqual(result.returncode, code, f"{result.args}\n{result.stdout}{result.stderr}")

    def assert_refused(self, result, code, text):
        """An error: this exit code, this text on standard error behind `gw: `, and nothing on standard output."""
        self.assert_exit(result, code)
        self.assertTrue(result.stderr.startswith("gw: "), result.stderr)
        self.assertIn(text, result.stderr)
        self.assertEqual(result.stdout, "")
