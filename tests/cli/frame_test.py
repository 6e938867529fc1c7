"""What every command shares: help, version, exit codes, error texts, colour."""

import json
import os
import subprocess
import unittest

from gw_command import GW, GwTest, commands, gw, in_terminal


class Frame(GwTest):
    def test_version(self):
        result = gw("--version")
        self.assert_exit(result, 0)
        self.assertRegex(result.stdout, r"^gw \d+\.\d+\.\d+( \([0-9a-f]+\))?\n$")
        build = json.loads(gw("version", "--json").stdout)
        self.assertIn(build["version"], result.stdout)

    def test_every_command_has_help(self):
        every = commands()
        self.assertIn(["version"], every)
        for words in every:
            with self.subTest(words):
                direct = gw(*words, "--help")
                self.assert_exit(direct, 0)
                self.assertEqual(direct.stderr, "")
                self.assertIn("Usage: gw " + " ".join(words), direct.stdout)
                self.assertEqual(gw("help", *words).stdout, direct.stdout)

    def test_commands_that_ask_a_server_say_which(self):
        for words in commands():
            text = gw(*words, "--help").stdout
            if "--server URL" in text:
                self.assertIn("GIGAWERK_SERVER", text, words)
                self.assertIn("GIGAWERK_TOKEN", text, words)

    def test_no_command(self):
        result = gw()
        self.assert_exit(result, 2)
        self.assertIn("Usage: gw", result.stderr)

    def test_unknown_command(self):
        self.assert_refused(gw("verison"), 2, "did you mean 'version'?")
        self.assert_refused(gw("xqzzy"), 2, "'xqzzy' is not a command of gw")
        self.assert_refused(gw("help", "verison"), 2, "did you mean 'version'?")

    def test_unknown_option_in_every_command(self):
        for words in commands():
            with self.subTest(words):
                result = gw(*words, "--no-such-option")
                self.assert_refused(result, 2, "'--no-such-option' is not an option of gw " + " ".join(words))
                self.assertIn(f"Try 'gw {' '.join(words)} --help'.", result.stderr)

    def test_near_option(self):
        self.assert_refused(gw("version", "--jsno"), 2, "did you mean '--json'?")

    def test_full_disk(self):
        # Short and long: the buffer of standard output fills while printing or is written at the end.
        for words in (["version"], ["man"], ["schema"], ["completion", "bash"], ["catalog", "gpus", "--json"]):
            with self.subTest(words), open("/dev/full", "w") as full:
                result = subprocess.run([GW, *words], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn("cannot write to standard output", result.stderr)

    def test_help_does_not_hide_an_unknown_command(self):
        self.assert_refused(gw("verison", "--help"), 2, "did you mean 'version'?")

    def test_a_missing_file_is_bad_input_in_every_command(self):
        for words in (["replay", "FILE"], ["replay", "-", "--fleet", "FILE"], ["simulate", "FILE"], ["fleet", "show", "FILE"],
                      ["workload", "describe", "FILE"], ["workload", "generate", "FILE"], ["journal", "verify", "FILE"],
                      ["journal", "show", "FILE"], ["compare", "FILE", "FILE"], ["replay", "-", "--fleet", "FILE.csv"]):
            with self.subTest(words):
                words = [word.replace("FILE", "/nonexistent.yaml") for word in words]
                if words[1] == "/nonexistent.yaml" and words[0] == "replay":
                    words[1] = "/nonexistent.swf"
                self.assert_refused(gw(*words, stdin="; MaxProcs: 4\n1 0 -1 9 1 -1 -1 1 9 -1 1 1 1 -1 1 -1 -1 -1\n"), 1,
                                    "/nonexistent.")
        self.assertEqual(gw("validate", "/nonexistent.yaml").returncode, 1)

    def test_numbers_that_are_none_or_too_large(self):
        self.assert_refused(gw("replay", "-", "--procs", "1e3"), 2, "'1e3' is not a whole number")
        self.assert_refused(gw("replay", "-", "--procs", "0"), 2, "from 1 to 20000000")
        self.assert_refused(gw("simulate", "x.yaml", "--days", "0"), 2, "from 0.01 to 36500, not 0")
        self.assert_refused(gw("simulate", "x.yaml", "--seed", "-1"), 2, "'-1' is not a whole number")

    def test_colour_only_on_a_terminal(self):
        self.assertNotIn("\033", gw("--help", env={"TERM": "xterm"}).stdout)
        self.assertIn("\033", in_terminal(["--help"]))
        self.assertNotIn("\033", in_terminal(["--help"], NO_COLOR="1"))
        self.assertNotIn("\033", in_terminal(["--help"], TERM="dumb"))
        self.assertIn("\033", in_terminal(["xqzzy"]))


if __name__ == "__main__":
    unittest.main()
