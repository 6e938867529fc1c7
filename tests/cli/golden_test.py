"""Whole runs whose schedules are kept in tests/golden: a change of any decision shows as a difference to read.

GW_UPDATE_GOLDEN=1 writes the files anew; see CONTRIBUTING.md.
"""

import os
import subprocess
import sys
import tempfile
import unittest

from gw_command import SOURCE, GwTest, gw

GOLDEN = os.path.join(SOURCE, "tests/golden")
UPDATE = os.environ.get("GW_UPDATE_GOLDEN", "") not in ("", "0")


class Golden(GwTest):
    maxDiff = 4000

    def compare(self, name, text):
        path = os.path.join(GOLDEN, name)
        if UPDATE:
            os.makedirs(GOLDEN, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        with open(path, encoding="utf-8") as file:
            self.assertMultiLineEqual(file.read(), text, f"{name}: if this change is meant, set GW_UPDATE_GOLDEN=1")

    def test_replay_under_each_policy(self):
        log = subprocess.run([sys.executable, os.path.join(SOURCE, "tests/make_swf.py"), "60", "32", "3"],
                             capture_output=True, text=True, check=True).stdout
        for policy in ["fifo", "easy", "conservative", "sjf", "gigawerk"]:
            with self.subTest(policy), tempfile.TemporaryDirectory() as out:
                self.assert_exit(gw("replay", "-", "--policy", policy, "--out", out, stdin=log), 0)
                with open(os.path.join(out, "jobs.csv"), encoding="utf-8") as file:
                    self.compare(f"replay-{policy}.csv", file.read())

    def test_a_small_factory_with_failures(self):
        with tempfile.TemporaryDirectory() as folder:
            journal = os.path.join(folder, "journal")
            scenario = os.path.join(SOURCE, "tests/data/small-factory.yaml")
            self.assert_exit(gw("simulate", scenario, "--days", "0.08", "--journal", journal), 0)
            shown = gw("journal", "show", journal)
            self.assert_exit(shown, 0)
            self.compare("small-factory.txt", shown.stdout)


if __name__ == "__main__":
    unittest.main()
