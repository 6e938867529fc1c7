"""gw simulate: a scenario through the twin."""

import json
import os
import tempfile
import unittest

from gw_command import SOURCE, GwTest, gw

SCENARIO = os.path.join(SOURCE, "tests/data/small-factory.yaml")


class Simulate(GwTest):
    def test_files_and_summary(self):
        with tempfile.TemporaryDirectory() as out:
            result = gw("simulate", SCENARIO, "--out", out, "--check", "1", "--json")
            self.assert_exit(result, 0)
            summary = json.loads(result.stdout)
            self.assertGreater(summary["jobs"]["started"], 100)
            with open(os.path.join(out, "report.json")) as file:
                self.assertEqual(json.load(file)["jobs"], summary["jobs"])
            with open(os.path.join(out, "jobs.csv")) as file:
                self.assertEqual(len(file.readlines()) - 1, summary["jobs"]["submitted"])

    def test_the_seed_decides(self):
        def wait(*words):
            return json.loads(gw("simulate", SCENARIO, "--json", *words).stdout)["wait_s"]

        self.assertEqual(wait("--seed", "5"), wait("--seed", "5"))
        self.assertNotEqual(wait("--seed", "5"), wait("--seed", "6"))

    def test_errors_name_the_place(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "wrong.yaml")
            with open(SCENARIO) as file:
                text = file.read().replace("country: DE", "contry: DE")
            with open(path, "w") as file:
                file.write(text)
            line = text[: text.index("contry")].count("\n") + 1
            result = gw("simulate", path)
            self.assert_refused(result, 1, f"wrong.yaml:{line}:")
            self.assertIn("country", result.stderr)


if __name__ == "__main__":
    unittest.main()
