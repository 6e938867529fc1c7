"""gw bench eta: what it prints of a small log made here, and of recorded ones where they are at hand."""

import csv
import json
import os
import random
import unittest

from gw_command import SOURCE, FolderTest, gw

DATA = os.environ.get("GIGAWERK_DATA", os.path.join(SOURCE, "../shared/data"))


def busy_log(jobs=700, processors=32, seed=1, limits=True):
    """Three users of different habits keep a small machine about full."""
    chance = random.Random(seed)
    lines, at = [f"; Version: 2.2\n; MaxProcs: {processors}\n"], 0
    for number in range(1, jobs + 1):
        at += int(chance.expovariate(1 / 900)) + 1
        user, size, limit = chance.randrange(1, 4), chance.choice([1, 2, 4, 8, 16]), 1800 * chance.randrange(1, 9)
        run = max(1, int(limit * {1: 0.05 + 0.1 * chance.random(), 2: chance.random(), 3: 1}[user]))
        lines.append(f"{number} {at} -1 {run} {size} -1 -1 {size} {limit if limits else -1} -1 1 {user} 1 -1 1 -1 -1 -1\n")
    return "".join(lines)


class BenchEta(FolderTest):
    def report(self, *words):
        result = gw("bench", "eta", *words, "--json")
        self.assert_exit(result, 0)
        return json.loads(result.stdout)

    def test_counts_covers_and_beats_limits(self):
        log, rows = self.path("busy.swf", busy_log()), self.path("out/samples.csv")
        found = self.report(log, "--policy", "easy", "--sample", "150", "--members", "30", "-o", rows)
        self.assertEqual(found["policy"], "easy")
        self.assertEqual(found["limits"], "the log's")
        jobs = found["jobs"]
        self.assertEqual(jobs["submitted"], 700)
        self.assertEqual(jobs["started_at_once"] + jobs["waited"] + jobs["rejected"], 700)
        waiting = found["waiting"]
        self.assertEqual(waiting["samples"], 150)
        self.assertEqual(sum(band["samples"] for band in found["bands"]), 150)
        for name, share in (("p50", 0.5), ("p90", 0.9)):
            self.assertAlmostEqual(waiting[name]["share"], share, delta=0.12)
            self.assertLessEqual(waiting[name]["low"], waiting[name]["share"])
            self.assertGreaterEqual(waiting[name]["high"], waiting[name]["share"])
            self.assertGreaterEqual(found["all_jobs"][f"{name}_share"], waiting[name]["share"])
        self.assertLess(waiting["error_ratio"], 0.8)
        # The figures are those of the rows.
        with open(rows, newline="") as file:
            samples = list(csv.DictReader(file))
        self.assertEqual(len(samples), 150)
        self.assertEqual(sum(float(row["started_s"]) <= float(row["p50_s"]) for row in samples), waiting["p50"]["hits"])
        errors = sorted(abs(float(row["started_s"]) - float(row["by_limits_s"])) for row in samples)
        self.assertAlmostEqual((errors[74] + errors[75]) / 2, waiting["by_limits"]["median_absolute_s"], places=2)

    def test_same_seed_same_answer(self):
        log = self.path("busy.swf", busy_log(300))
        answers = [self.report(log, "--sample", "40", "--members", "20", "--seed", seed) for seed in ("1", "1", "2")]
        for answer in answers:
            del answer["run"]
        self.assertEqual(answers[0], answers[1])
        self.assertNotEqual(answers[0], answers[2])

    def test_limits_that_are_run_times_are_drawn(self):
        log = self.path("none.swf", busy_log(200, limits=False))
        self.assertIn("drawn", self.report(log, "--sample", "20", "--members", "5")["limits"])
        told = self.report(log, "--sample", "20", "--members", "5", "--limits", "log", "--policy", "easy")
        self.assertEqual(told["limits"], "the log's")
        # Whoever is told the run times needs no history: the estimate by limits sees the future.
        self.assertLess(told["waiting"]["by_limits"]["median_absolute_s"], 60)

    def test_text(self):
        log = self.path("busy.swf", busy_log(200))
        result = gw("bench", "eta", log, "--every", "6h", "--members", "10", "--faster", "1.2")
        self.assert_exit(result, 0)
        for words in ("arrivals 1.2 times as fast", "started at once", "P50", "P90", "EASY by limits", "foretold wait"):
            self.assertIn(words, result.stdout)

    def test_nothing_waits(self):
        log = self.path("quiet.swf", "; MaxProcs: 4\n1 0 -1 10 1 -1 -1 1 20 -1 1 1 1 -1 1 -1 -1 -1\n")
        result = gw("bench", "eta", log)
        self.assert_exit(result, 0)
        self.assertIn("No job waited", result.stdout)
        self.assertEqual(self.report(log)["waiting"]["samples"], 0)

    def test_refusals(self):
        log = self.path("busy.swf", busy_log(20))
        self.assert_refused(gw("bench", "eta", self.path("none.swf")), 1, "none.swf")
        self.assert_refused(gw("bench", "eta", "-", stdin=""), 1, "give it as a file")
        self.assert_refused(gw("bench", "eta", log, "--every", "soon"), 1, "--every")
        self.assert_refused(gw("bench", "eta", log, "-o", log), 1, log)
        for words in (["--sample", "0"], ["--policy", "best"], ["--sample", "5", "--every", "1h"], ["--faster", "0"]):
            self.assertEqual(gw("bench", "eta", log, *words).returncode, 2, words)
        self.assertEqual(gw("bench").returncode, 2)

    @unittest.skipUnless(os.path.exists(os.path.join(DATA, "theta_2022.swf")),
                         "no recorded workloads; set GIGAWERK_DATA")
    def test_recorded(self):
        found = self.report(os.path.join(DATA, "theta_2022.swf"), "--sample", "120", "--members", "25")
        waiting = found["waiting"]
        self.assertEqual(waiting["samples"], 120)
        self.assertAlmostEqual(waiting["p50"]["share"], 0.5, delta=0.1)
        self.assertAlmostEqual(waiting["p90"]["share"], 0.9, delta=0.07)
        self.assertLess(waiting["error_ratio"], 0.6)


class Policies(FolderTest):
    LOG = "; MaxProcs: 4\n" + "".join(f"{n} {n * 10} -1 {300 + n % 7 * 100} {1 + n % 4} -1 -1 {1 + n % 4} 3600 -1 1 "
                                      f"{1 + n % 3} -1 -1 0 -1 -1 -1\n" for n in range(1, 200))

    def test_one_table_for_logs_and_policies(self):
        log = self.path("small.swf", self.LOG)
        text = gw("bench", "policies", log, f"{log}@8")
        self.assert_exit(text, 0)
        self.assertEqual(text.stdout.count("small.swf, 4 "), 4)
        self.assertEqual(text.stdout.count("small.swf, 8 "), 4)
        self.assertIn("kept", text.stdout)
        found = json.loads(gw("bench", "policies", log, "--json").stdout)[0]
        self.assertEqual([row["policy"] for row in found["policies"]], ["easy", "priority-easy", "gigawerk", "gigawerk+reclaim"])
        replayed = json.loads(gw("replay", log, "--policy", "easy", "--json").stdout)
        self.assertEqual(found["policies"][0]["wait_p90_s"], replayed["wait_s"]["p90"])
        self.assertAlmostEqual(found["policies"][0]["utilization"], replayed["utilization"], places=12)
        one = gw("bench", "policies", log, "--policies", "fifo", "--markdown").stdout
        self.assertIn("| small.swf, 4 | fifo |", one)
        self.assertNotIn("promises", one)

    def test_reclaim_is_fair_and_says_what_it_costs(self):
        days = 10 * 86400
        log = self.path("long.swf", "; MaxProcs: 4\n" + "".join(
            f"{n} {3600 * (n > 8)} -1 {days} 1 -1 -1 1 {days} -1 1 {1 + (n > 8)} -1 -1 0 -1 -1 -1\n"
            for n in range(1, 17)))
        found = json.loads(gw("bench", "policies", log, "--json").stdout)[0]
        rows = {row["policy"]: row for row in found["policies"]}
        without, reclaim = rows["gigawerk"], rows["gigawerk+reclaim"]
        self.assertEqual((without["preemptions"], without["lost_gpu_hours"]), (0, 0))
        self.assertGreater(without["fair_share_error"], 0.2)
        self.assertLess(reclaim["fair_share_error"], 0.02)
        # Two at once; later a few for which a reservation had been made before their tenants had their shares.
        self.assertIn(reclaim["preemptions"], range(2, 9))
        # 30 s to save and 5 min to start again, of each, and at most what was done since a checkpoint.
        self.assertGreaterEqual(reclaim["lost_gpu_hours"], reclaim["preemptions"] * 330 / 3600 - 0.001)
        self.assertLess(reclaim["lost_gpu_hours"], reclaim["preemptions"] * (330 + 1800) / 3600)
        self.assertLess(reclaim["useful_utilization"], reclaim["utilization"])
        kept = {(each["policy"], each["promise"].split()[0]): each["kept"] for each in found["promises"]}
        self.assertFalse(kept["gigawerk", "fair-share"])
        self.assertTrue(kept["gigawerk+reclaim", "fair-share"])
        text = gw("bench", "policies", log).stdout
        self.assertIn("keeps checkpoints every 30 min", text)

    def test_what_makes_no_sense_is_refused(self):
        log = self.path("small.swf", self.LOG)
        self.assert_refused(gw("bench", "policies", f"{log}@none"), 1, "behind @")
        self.assert_refused(gw("bench", "policies", self.path("nolog.swf")), 1, "nolog.swf")
        bare = self.path("bare.swf", self.LOG.split("\n", 1)[1])
        self.assert_refused(gw("bench", "policies", bare), 1, "@N")
        self.assertEqual(gw("bench", "policies", log, "--policies", "best").returncode, 2)


if __name__ == "__main__":
    unittest.main()
