"""What gw does to the files it reads and writes: inputs survive, outputs are whole or not there."""

import os
import tempfile
import unittest

from gw_command import SOURCE, GwTest, gw

SCENARIO = os.path.join(SOURCE, "tests/data/small-factory.yaml")
LOG = """; Version: 2.2
; MaxProcs: 4
1 100 -1 100 3 -1 -1 3 100 -1 1 1 1 -1 1 -1 -1 -1
2 110 -1 50 4 -1 -1 4 60 -1 1 2 1 -1 1 -1 -1 -1
"""


def contents(path):
    with open(path, "rb") as file:
        return file.read()


class FilesTest(GwTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def scenario(self, name="factory.yaml"):
        with open(SCENARIO, encoding="utf-8") as file:
            return self.path(name, file.read())


class InputsSurvive(FilesTest):
    def refused(self, kept, *words):
        before = contents(kept)
        self.assert_refused(gw(*words), 1, os.path.basename(kept))
        self.assertEqual(contents(kept), before)

    def test_a_log(self):
        log = self.path("log.swf", LOG)
        self.refused(log, "replay", log, "--journal", log)
        os.symlink(log, self.path("symbolic"))
        os.link(log, self.path("hard"))
        for name in ("symbolic", "hard"):
            self.refused(log, "replay", log, "--journal", self.path(name))
            self.refused(log, "replay", self.path(name), "--journal", log)
        os.mkdir(self.path("out"))
        os.link(log, self.path("out/jobs.csv"))
        self.refused(log, "replay", log, "--out", self.path("out"))

    def test_standard_input(self):
        log = self.path("log.swf", LOG)
        with open(log, encoding="utf-8") as file:
            result = gw("replay", "-", "--journal", log, stdin_file=file)
        self.assert_refused(result, 1, "standard input")
        self.assertEqual(contents(log), LOG.encode())

    def test_a_scenario(self):
        scenario = self.scenario()
        self.refused(scenario, "simulate", scenario, "--journal", scenario)
        self.refused(scenario, "workload", "generate", scenario, "-o", scenario)
        self.refused(scenario, "replay", self.path("log.swf", LOG), "--fleet", scenario, "--journal", scenario)

    def test_a_report(self):
        runs = []
        for name in ("a", "b"):
            runs.append(self.path(name))
            self.assert_exit(gw("replay", self.path("log.swf", LOG), "--out", runs[-1]), 0)
        for run in runs:
            self.refused(os.path.join(run, "report.json"), "compare", *runs, "--html", os.path.join(run, "report.json"))

    def test_two_outputs_are_two_files(self):
        result = gw("replay", self.path("log.swf", LOG), "--out", self.folder, "--journal", self.path("jobs.csv"))
        self.assert_refused(result, 1, "two outputs")
        self.assertFalse(os.path.exists(self.path("jobs.csv")))

    def test_devices_are_no_files(self):
        self.assert_exit(gw("replay", self.path("log.swf", LOG), "--journal", "/dev/null"), 0)


if __name__ == "__main__":
    unittest.main()
