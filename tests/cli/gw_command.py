"""Runs gw for the tests of this folder. GW names the program; the build's tests set it."""

import os
import pty
import re
import subprocess
import tempfile
import unittest

GW = os.environ.get("GW", "build/release/gw")
SOURCE = os.environ.get("GW_SOURCE_DIR", os.getcwd())


def gw(*words, env=None, stdin=None, stdin_file=None):
    """Runs `gw WORDS` on a text or an open file; the result has returncode, stdout and stderr as text. A variable of
    `env` that is None is taken away."""
    surroundings = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
    given = {"stdin": stdin_file} if stdin_file else {"input": stdin}
    return subprocess.run([GW, *words], capture_output=True, text=True, env=surroundings, timeout=120, **given)


def in_terminal(words, **env):
    """What `gw WORDS` prints on a terminal."""
    controller, terminal = pty.openpty()
    surroundings = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | env
    process = subprocess.Popen([GW, *words], stdout=terminal, stderr=terminal, env=surroundings)
    os.close(terminal)
    output = b""
    while True:
        try:
            part = os.read(controller, 4096)
        except OSError:  # The other side has closed.
            break
        if not part:
            break
        output += part
    os.close(controller)
    process.wait()
    return output.decode()


def commands():
    """Every command of gw, as lists of words, as its own description of itself (the completion script) has them."""
    return [path.split() for path in re.findall(r"command='([^']+)' position=0", gw("completion", "bash").stdout)]


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


class FolderTest(GwTest):
    """Tests with a folder of their own, which goes when they end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        """The path of `name` in the folder, whose own folders are made; with `text`, the file too."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path
