"""gw replay and gw journal, from the log to the files that they write."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

from gw_command import GW, SOURCE, GwTest, gw

# Three jobs on four processors. Under fifo the second waits for the first and the third behind it; EASY lets the third
# overtake, for it ends (by its request) before the second can start.
THREE_JOBS = """; Version: 2.2
; MaxProcs: 4
1 100 -1 100 3 -1 -1 3 100 -1 1 1 1 -1 1 -1 -1 -1
2 110 -1 50 4 -1 -1 4 60 -1 1 2 1 -1 1 -1 -1 -1
3 120 -1 30 1 -1 -1 1 40 -1 1 3 1 -1 1 -1 -1 -1
"""


class InFolder(GwTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        return path

    def starts(self, out):
        """job_id -> (submit, start, end, wait) of jobs.csv, in seconds."""
        with open(os.path.join(out, "jobs.csv"), newline="") as file:
            return {row["job_id"]: tuple(float(row[f"{name}_s"]) for name in ("submit", "start", "end", "wait"))
                    for row in csv.DictReader(file)}


class Replay(InFolder):
    def test_fifo_and_easy_by_hand(self):
        log, out = self.path("three.swf", THREE_JOBS), self.path("out")
        self.assert_exit(gw("replay", log, "--policy", "fifo", "--out", out), 0)
        self.assertEqual(self.starts(out), {"1": (100, 100, 200, 0), "2": (110, 200, 250, 90), "3": (120, 250, 280, 130)})
        self.assert_exit(gw("replay", log, "--policy", "easy", "--out", out), 0)
        self.assertEqual(self.starts(out), {"1": (100, 100, 200, 0), "2": (110, 200, 250, 90), "3": (120, 120, 150, 0)})

    def test_summary_agrees_with_jobs_csv(self):
        text = subprocess.run([sys.executable, os.path.join(SOURCE, "tests/make_swf.py"), "500", "64"],
                              capture_output=True, text=True, check=True).stdout
        out = self.path("out")
        result = gw("replay", self.path("bursts.swf", text), "--policy", "easy", "--out", out, "--json")
        self.assert_exit(result, 0)
        summary = json.loads(result.stdout)
        rows = self.starts(out)
        waits = sorted(row[3] for row in rows.values())
        self.assertGreater(waits[-1], 0)
        self.assertEqual(summary["jobs"]["submitted"], summary["jobs"]["started"] + summary["jobs"]["rejected"])
        self.assertEqual(summary["jobs"]["started"], len(rows))
        self.assertAlmostEqual(summary["wait_s"]["mean"], sum(waits) / len(waits), places=3)
        self.assertEqual(summary["wait_s"]["max"], waits[-1])
        self.assertLessEqual(summary["wait_s"]["p50"], summary["wait_s"]["p90"])
        self.assertLessEqual(summary["wait_s"]["p90"], summary["wait_s"]["p99"])
        self.assertEqual(summary["makespan_s"], max(row[2] for row in rows.values()) - min(row[0] for row in rows.values()))
        self.assertGreater(summary["utilization"], 0)
        self.assertLessEqual(summary["utilization"], 1)
        for member in ("wall_s", "jobs_per_s", "peak_rss_bytes"):
            self.assertGreater(summary["run"][member], 0)
        for submit, start, end, wait in rows.values():
            self.assertGreaterEqual(start, submit)
            self.assertGreaterEqual(end, start)
            self.assertAlmostEqual(wait, start - submit, places=6)
        with open(os.path.join(out, "report.json")) as file:
            self.assertEqual(json.load(file)["wait_s"]["mean"], summary["wait_s"]["mean"])

    def test_standard_input(self):
        result = gw("replay", "-", "--policy", "fifo", "--json", stdin=THREE_JOBS)
        self.assert_exit(result, 0)
        self.assertEqual(json.loads(result.stdout)["wait_s"]["max"], 130)

    def test_rows_that_make_no_sense_are_counted(self):
        log = self.path("bad.swf", THREE_JOBS + "4 130 -1 ten 1 -1 -1 1 40 -1 1 3 1 -1 1 -1 -1 -1\n")
        result = gw("replay", log, "--json")
        self.assert_exit(result, 0)
        rows = json.loads(result.stdout)["rows"]
        self.assertEqual(rows["accepted"], 3)
        self.assertEqual(sum(each["count"] for each in rows["skipped"].values()), 1)
        self.assertIn("left out", gw("replay", log).stderr)
        refused = gw("replay", log, "--strict", "--json")
        self.assert_refused(refused, 1, "bad.swf:6")

    def test_what_cannot_be_read(self):
        self.assert_refused(gw("replay", self.path("none.swf")), 1, "none.swf")
        self.assert_refused(gw("replay", self.folder), 1, self.folder)
        self.assert_refused(gw("replay", self.path("empty.swf", "")), 1, "empty.swf")
        with open(self.path("noise.swf"), "wb") as file:
            file.write(bytes((i * 167 + 13) % 256 for i in range(4096)))
        self.assert_refused(gw("replay", self.path("noise.swf")), 1, "noise.swf")

    def test_what_cannot_be_written(self):
        log = self.path("three.swf", THREE_JOBS)
        self.assert_refused(gw("replay", log, "--out", log), 1, "three.swf")
        self.assert_refused(gw("replay", log, "--journal", self.path("no/such/journal")), 1, "no/such/journal")

    def test_wrong_usage(self):
        log = self.path("three.swf", THREE_JOBS)
        self.assert_refused(gw("replay"), 2, "TRACE")
        self.assert_refused(gw("replay", log, "--policy", "esay"), 2, "did you mean 'easy'?")
        self.assert_refused(gw("replay", log, "--procs", "0"), 2, "--procs")
        self.assert_refused(gw("replay", log, "--procs", "many"), 2, "--procs")
        self.assert_refused(gw("replay", log, "--polcy", "easy"), 2, "did you mean '--policy'?")
        self.assert_refused(gw("replay", log, "--procs", "4", "--fleet", log), 2, "--fleet")


class Journal(InFolder):
    def setUp(self):
        super().setUp()
        self.journal = self.path("journal")
        self.assert_exit(gw("replay", self.path("three.swf", THREE_JOBS), "--journal", self.journal), 0)

    def test_verifies(self):
        result = gw("journal", "verify", self.journal, "--json")
        self.assert_exit(result, 0)
        self.assertEqual(json.loads(result.stdout)["starts"], 3)

    def test_shows(self):
        lines = [json.loads(line) for line in gw("journal", "show", self.journal, "--json").stdout.splitlines()]
        self.assertEqual(sum(line["text"].startswith("start job") for line in lines), 3)

    def test_every_changed_byte_is_found(self):
        with open(self.journal, "rb") as file:
            good = file.read()
        for position in range(0, len(good), max(1, len(good) // 40)):
            bad = bytearray(good)
            bad[position] ^= 0x10
            with open(self.path("bad"), "wb") as file:
                file.write(bad)
            with self.subTest(position):
                self.assert_refused(gw("journal", "verify", self.path("bad")), 1, "bad")

    def test_a_cut_journal_is_found(self):
        with open(self.journal, "rb") as file:
            good = file.read()
        with open(self.path("cut"), "wb") as file:
            file.write(good[: len(good) // 2])
        self.assert_refused(gw("journal", "verify", self.path("cut")), 1, "cut")


if __name__ == "__main__":
    unittest.main()
