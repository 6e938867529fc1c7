"""gw replay and gw journal, from the log to the files that they write."""

import csv
import json
import os
import subprocess
import sys
import unittest

from gw_command import GW, SOURCE, FolderTest, gw

# Three jobs on four processors. Under fifo the second waits for the first and the third behind it; EASY lets the third
# overtake, for it ends (by its request) before the second can start.
THREE_JOBS = """; Version: 2.2
; MaxProcs: 4
1 100 -1 100 3 -1 -1 3 100 -1 1 1 1 -1 1 -1 -1 -1
2 110 -1 50 4 -1 -1 4 60 -1 1 2 1 -1 1 -1 -1 -1
3 120 -1 30 1 -1 -1 1 40 -1 1 3 1 -1 1 -1 -1 -1
"""


class InFolder(FolderTest):
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
        out = self.path("out")
        self.assertIn("1 left out", gw("replay", log, "--out", out).stdout)
        with open(os.path.join(out, "report.json")) as file:
            self.assertEqual(json.load(file)["rows"], rows)
        refused = gw("replay", log, "--strict", "--json")
        self.assert_refused(refused, 1, "bad.swf:6")

    def test_what_cannot_be_read(self):
        self.assert_refused(gw("replay", self.path("none.swf")), 1, "none.swf")
        self.assert_refused(gw("replay", self.folder), 1, self.folder)
        self.assert_refused(gw("replay", self.path("empty.swf", "")), 1, "empty.swf")
        with open(self.path("noise.swf"), "wb") as file:
            file.write(bytes((i * 167 + 13) % 256 for i in range(4096)))
        self.assert_refused(gw("replay", self.path("noise.swf")), 1, "noise.swf")

    def test_a_scenario_is_no_log(self):
        self.assert_refused(gw("replay", self.path("factory.yaml", FACTORY)), 1, "gw simulate")

    def test_what_means_nothing_on_processors_is_left_out(self):
        shown = gw("replay", self.path("three.swf", THREE_JOBS), "--policy", "fifo").stdout
        self.assertIn("Why jobs waited", shown)
        self.assertNotIn("Spans of the fabric", shown)
        self.assertNotIn("of no use", shown)

    def test_what_cannot_be_written(self):
        log = self.path("three.swf", THREE_JOBS)
        self.assert_refused(gw("replay", log, "--out", log), 1, "three.swf")
        self.assert_refused(gw("replay", log, "--journal", os.path.join(self.folder, "no/such/journal")), 1, "no/such/journal")

    def test_wrong_usage(self):
        log = self.path("three.swf", THREE_JOBS)
        self.assert_refused(gw("replay"), 2, "TRACE")
        self.assert_refused(gw("replay", log, "--policy", "esay"), 2, "did you mean 'easy'?")
        self.assert_refused(gw("replay", log, "--procs", "0"), 2, "--procs")
        self.assert_refused(gw("replay", log, "--procs", "many"), 2, "--procs")
        self.assert_refused(gw("replay", log, "--polcy", "easy"), 2, "did you mean '--policy'?")
        self.assert_refused(gw("replay", log, "--procs", "4", "--fleet", log), 2, "--fleet")


FACTORY = """gigawerk: 1
fleet:
  sites: {name: here, nodes: {type: dgx-b200, count: 1}}
tenants:
  - {name: user-1, weight: 3}
  - {name: user-2, weight: 1}
"""


def sacct(*rows):
    """A log of sacct: rows of (id, submit second, run seconds, GPUs, GPU type, user)."""
    lines = ["JobID|Submit|Start|End|Timelimit|ReqTRES|State|User"]
    for job, submit, run, gpus, gpu_type, user in rows:
        at = [f"2026-01-05T00:{second // 60:02}:{second % 60:02}" for second in (submit, submit, submit + run)]
        wish = f":{gpu_type}" if gpu_type else ""
        lines.append(f"{job}|{at[0]}|{at[1]}|{at[2]}|01:00:00|cpu=1,gres/gpu{wish}={gpus},node=1|COMPLETED|{user}")
    return "\n".join(lines) + "\n"


class OnAFactory(InFolder):
    def replay(self, log, *options):
        result = gw("replay", "-", "--fleet", self.path("factory.yaml", FACTORY), "--out", self.path("out"), "--json",
                    *options, stdin=log)
        self.assert_exit(result, 0)
        with open(self.path("out/report.json")) as file:
            return json.load(file)

    def test_tenants_have_the_weights_of_the_file(self):
        jobs = [(index, 0, 3000, 8, "", f"user-{1 + index % 2}") for index in range(40)]
        report = self.replay(sacct(*jobs))
        self.assertEqual({tenant["path"]: tenant["weight"] for tenant in report["tenants"]}, {"user-1": 3, "user-2": 1})
        self.assertEqual(report["notes"], ["2 of the log's 2 tenants have their place and weight from factory.yaml."])
        # Of the first 20 starts user-1 has about three in four.
        with open(self.path("out/jobs.csv"), newline="") as file:
            first = sorted(csv.DictReader(file), key=lambda row: float(row["start_s"]))[:20]
        self.assertGreaterEqual(sum(row["tenant"] == "user-1" for row in first), 14)

    def test_rejected_jobs_are_named(self):
        log = sacct(("good", 0, 60, 1, "", "ann"), ("old", 1, 60, 1, "k80", "ann"), ("wide", 2, 60, 9, "", "ann"))
        report = self.replay(log)
        self.assertEqual(report["jobs"]["rejected"], 2)
        detail = {row["example"]: row["why"] for row in report["jobs"]["rejected_detail"]}
        self.assertEqual(detail["old"], "of GPU type k80, which the fleet does not have")
        self.assertIn("the largest has 8", detail["wide"])
        shown = gw("replay", "-", "--fleet", self.path("factory.yaml"), stdin=log).stdout
        self.assertIn("1 of GPU type k80", shown)
        self.assertIn("--gpu-type k80=any", shown)

    def test_gpu_types_can_be_renamed(self):
        log = sacct(("old", 1, 60, 1, "k80", "ann"))
        for to in ("any", "b200"):
            self.assertEqual(self.replay(log, "--gpu-type", f"k80={to}")["jobs"]["rejected"], 0)
        self.assertIn("No job asks for GPU type p100", self.replay(log, "--gpu-type", "p100=any")["notes"][-1])
        fleet = ("--fleet", self.path("factory.yaml"))
        self.assert_refused(gw("replay", "-", *fleet, "--gpu-type", "k80=x9", stdin=log), 1, "b200")
        self.assert_refused(gw("replay", "-", *fleet, "--gpu-type", "k80", stdin=log), 1, "FROM=TO")


class Names(InFolder):
    def test_of_a_log_are_shown_and_not_obeyed(self):
        log = self.path("log.txt", sacct((1, 0, 60, 1, "", "\x1b[31mred"), (2, 0, 60, 1, "", "b\x07")))
        factory = self.path("factory.yaml", FACTORY)
        shown = gw("replay", log, "--fleet", factory).stdout
        self.assertNotIn("\x1b[31mred", shown)
        self.assertIn("\\x1b[31mred", shown)
        self.assertIn("b\\x07", shown)


class Compare(InFolder):
    def run_to(self, name, log, *options):
        self.assert_exit(gw("replay", log, "--out", self.path(name), *options), 0)
        return self.path(name)

    def test_tells_runs_and_workloads_apart(self):
        log = self.path("three.swf", THREE_JOBS)
        a, b = self.run_to("a", log), self.run_to("b", log, "--policy", "fifo")
        other = self.run_to("c", self.path("d/three.swf", THREE_JOBS.replace("1 100 -1 100 3", "1 100 -1 99 3")))
        same = gw("compare", a, b).stdout
        self.assertNotIn("not the same workload", same)
        self.assertRegex(same, r"wait, mean .* A\n")
        self.assertNotIn("vary --seed", same)
        differs = gw("compare", a, other).stdout
        self.assertIn("in " + a, differs)
        self.assertIn("in " + other, differs)
        self.assertIn("not the same workload", differs)
        marks = json.loads(gw("compare", a, other, "--json").stdout)["figures"].values()
        self.assertEqual({figure["better"] for figure in marks}, {"neither"})

    def test_generated_runs_are_one_sample(self):
        scenario = os.path.join(SOURCE, "tests/data/small-factory.yaml")
        for seed in "12":
            self.assert_exit(gw("simulate", scenario, "--days", "0.08", "--seed", seed, "--out", self.path(seed)), 0)
        self.assertIn("vary --seed", gw("compare", self.path("1"), self.path("2")).stdout)

    def test_an_empty_file(self):
        self.assert_refused(gw("compare", self.path("e.json", ""), self.path("e.json")), 1, "the file is empty")


class Journal(InFolder):
    def setUp(self):
        super().setUp()
        self.journal = self.path("journal")
        self.assert_exit(gw("replay", self.path("three.swf", THREE_JOBS), "--journal", self.journal), 0)

    def test_verifies(self):
        result = gw("journal", "verify", self.journal, "--json")
        self.assert_exit(result, 0)
        self.assertEqual(json.loads(result.stdout)["starts"], 3)
        self.assertNotIn("snapshots", gw("journal", "verify", self.journal).stdout)

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
