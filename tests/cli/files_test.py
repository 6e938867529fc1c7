"""What gw does to the files it reads and writes: inputs survive, outputs are whole or not there."""

import json
import os
import resource
import signal
import subprocess
import unittest

from gw_command import GW, SOURCE, FolderTest, gw

SCENARIO = os.path.join(SOURCE, "tests/data/small-factory.yaml")
LOG = """; Version: 2.2
; MaxProcs: 4
1 100 -1 100 3 -1 -1 3 100 -1 1 1 1 -1 1 -1 -1 -1
2 110 -1 50 4 -1 -1 4 60 -1 1 2 1 -1 1 -1 -1 -1
"""


def contents(path):
    with open(path, "rb") as file:
        return file.read()


class FilesTest(FolderTest):
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


class OutputsAreWhole(FilesTest):
    def setUp(self):
        super().setUp()
        self.kept = [self.path(name, "old\n") for name in ("keep.swf", "keep.csv", "keep.journal")]

    def assert_as_before(self, *others):
        for path in self.kept:
            self.assertEqual(contents(path), b"old\n")
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(["keep.swf", "keep.csv", "keep.journal", *others]))

    def test_a_run_that_fails(self):
        log = self.path("log.swf", LOG + "3 120 -1 30 none\n")  # Found out when the run has begun.
        out = self.path("out")
        result = gw("replay", log, "--strict", "--journal", self.kept[2], "--out", out)
        self.assert_refused(result, 1, "log.swf:5")
        self.assertEqual(os.listdir(out), [])
        self.assert_as_before("log.swf", "out")

    def stopped(self, *words, files_at_most=None, send=None):
        """gw's end when it may write no more than so many bytes, or gets a signal once it writes."""
        def limit():
            if files_at_most is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (files_at_most, files_at_most))

        process = subprocess.Popen([GW, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=limit)
        try:
            while send is not None and process.poll() is None:
                if any(name.endswith(".partial") for name in os.listdir(self.folder)):
                    process.send_signal(send)
                    break
            return process.wait(timeout=120)
        finally:
            process.kill()
            process.wait()

    def test_a_disk_that_is_full(self):
        scenario = self.scenario()
        for words in (("workload", "generate", scenario, "-o", self.kept[0]),
                      ("workload", "generate", scenario, "-o", self.kept[1]),
                      ("simulate", scenario, "--journal", self.kept[2])):
            with self.subTest(words=words):
                self.assertNotEqual(self.stopped(*words, files_at_most=2000), 0)
                self.assert_as_before("factory.yaml")

    def test_a_run_that_is_stopped(self):
        scenario = self.scenario()
        for send in (signal.SIGINT, signal.SIGTERM):
            for words in (("workload", "generate", scenario, "--days", "36500", "-o", self.kept[0]),
                          ("workload", "generate", scenario, "--days", "36500", "-o", self.kept[1]),
                          ("simulate", scenario, "--days", "36500", "--journal", self.kept[2])):
                with self.subTest(words=words, send=send):
                    self.assertEqual(self.stopped(*words, send=send), -send)
                    self.assert_as_before("factory.yaml")

    def test_links_and_devices_stay(self):
        scenario = self.scenario()
        link = self.path("link.swf")
        os.symlink("keep.swf", link)
        self.assert_exit(gw("workload", "generate", scenario, "-o", link), 0)
        self.assertTrue(os.path.islink(link))
        self.assertIn(b"; MaxJobs: ", contents(self.kept[0]))
        self.assert_exit(gw("simulate", scenario, "--journal", "/dev/null"), 0)
        self.assertFalse(os.path.isfile("/dev/null"))
        os.mkfifo(self.path("pipe"))
        with open(self.path("copy"), "wb") as copy, subprocess.Popen(["cat", self.path("pipe")], stdout=copy):
            self.assert_exit(gw("workload", "generate", scenario, "--format", "csv", "-o", self.path("pipe")), 0)
        self.assertIn(b"job_id,", contents(self.path("copy")))
        through = gw("workload", "generate", scenario, "--format", "csv", "-o", "/dev/stdout").stdout
        self.assertEqual(through, gw("workload", "generate", scenario, "--format", "csv").stdout)


class FilesOfOneRun(FilesTest):
    def test_no_page_of_another_run_stays(self):
        out = self.path("out")
        log = self.path("log.swf", LOG)
        self.assert_exit(gw("replay", log, "--out", out), 0)
        self.path("out/report.html", "of an earlier run")
        # Without its template, gw writes no page.
        empty = self.path("share")
        os.mkdir(empty)
        self.assert_exit(gw("replay", log, "--out", out, env={"GIGAWERK_SHARE": empty}), 0)
        self.assertEqual(sorted(os.listdir(out)), ["jobs.csv", "report.json"])

    def test_a_run_that_cannot_write_one_file_replaces_none(self):
        out = self.path("out")
        log = self.path("log.swf", LOG)
        self.assert_exit(gw("replay", log, "--policy", "fifo", "--out", out), 0)
        before = {name: contents(os.path.join(out, name)) for name in os.listdir(out)}
        result = gw("replay", self.path("other.swf", LOG.replace(" 50 ", " 55 ")), "--out", out, "--journal", "/dev/full")
        self.assert_refused(result, 1, "/dev/full")
        self.assertEqual({name: contents(os.path.join(out, name)) for name in os.listdir(out)}, before)

    def test_two_runs_into_one_folder(self):
        out = self.path("out")
        runs = [subprocess.Popen([GW, "simulate", SCENARIO, "--seed", str(seed), "--out", out], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for seed in range(4)]
        for run in runs:
            self.assertEqual(run.wait(timeout=120), 0)
        self.assertFalse([name for name in os.listdir(out) if name.endswith(".partial")])
        with open(os.path.join(out, "report.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["jobs"]["started"], 0)
        with open(os.path.join(out, "jobs.csv"), encoding="utf-8") as file:
            widths = {line.count(",") for line in file}
        self.assertEqual(len(widths), 1)


class LogsWithoutJobs(FilesTest):
    def test_a_header_alone(self):
        for name, text in (("header.swf", "; MaxProcs: 4\n"), ("header.csv", "timestamp,duration,num_gpus\n")):
            log = self.path(name, text)
            self.assert_refused(gw("replay", log, "--procs", "4"), 1, f"{name}: holds no jobs")
            self.assert_refused(gw("workload", "describe", log), 1, f"{name}: holds no jobs")


if __name__ == "__main__":
    unittest.main()
