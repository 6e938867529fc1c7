"""gw physics failures: interruptions by cause, goodput, checkpoints, and the comparison with measurements."""

import json

from gw_command import FolderTest, gw

HEADER = ("id,group,system,gpus,gpu_type,period_days,category,component,metric,value,unit,ci95_low,ci95_high\n")


def failures(*words):
    return json.loads(gw("physics", "failures", *words, "--json").stdout)


class PhysicsFailuresTest(FolderTest):
    def test_interruptions_are_the_sum_of_their_causes(self):
        given = failures("--gpu", "h100", "--gpus", "16384", "--days", "54")
        self.assertAlmostEqual(given["interruptions"]["expected"], 419, places=3)
        self.assertAlmostEqual(sum(each["interruptions"]["expected"] for each in given["causes"]), 419, places=3)
        self.assertLess(given["mtbf_s"]["low"], given["mtbf_s"]["expected"])
        self.assertAlmostEqual(sum(given["lost"].values()) + given["goodput"]["expected"], 1, places=9)

    def test_checkpoints_cost_by_bandwidth(self):
        def goodput(*words):
            return failures("--gpus", "16384", "--model", "llama-3-405b", *words)["goodput"]["expected"]
        slow = goodput("--storage-gb-s", "20", "--synchronous")
        fast = goodput("--storage-gb-s", "2000", "--synchronous")
        behind = goodput("--storage-gb-s", "20")
        self.assertGreater(fast, slow)
        self.assertGreater(behind, slow)
        self.assertGreater(goodput("--storage-gb-s", "2000"), 0.9)
        self.assertGreater(fast, goodput("--storage-gb-s", "2000", "--synchronous", "--interval", "600"))
        self.assertGreater(fast, goodput("--storage-gb-s", "2000", "--synchronous", "--spares", "0"))

    def test_beyond_what_is_published_there_is_no_point(self):
        given = failures("--gpus", "200000")
        self.assertTrue(given["beyond_published"])
        self.assertIsNone(given["mtbf_s"]["expected"])
        self.assertIsNone(given["goodput"]["expected"])
        self.assertIn("intervals only", gw("physics", "failures", "--gpus", "200000").stdout)

    def test_without_checkpoints_there_is_no_interval(self):
        given = failures("--gpus", "16384")
        self.assertTrue(given["goodput_is_upper_bound"])
        self.assertIsNone(given["interval_s"])
        self.assertIsNone(given["young_interval_s"])
        text = gw("physics", "failures", "--gpus", "16384").stdout
        self.assertIn("goodput without what checkpoints cost, at most:", text)
        self.assertNotIn("interval 1 s", text)
        saved = failures("--gpus", "16384", "--model", "llama-3-405b", "--storage-gb-s", "2000")
        self.assertFalse(saved["goodput_is_upper_bound"])
        self.assertLess(saved["goodput"]["expected"], given["goodput"]["expected"])
        self.assertEqual(failures("--gpus", "16384", "--interval", "30")["interval_s"], 1800)

    def test_goodput_lies_in_its_own_interval(self):
        for words in ((), ("--gpus", "16384", "--days", "0.01"), ("--gpus", "1024", "--model", "llama-3-70b",
                      "--storage-gb-s", "100", "--days", "1")):
            goodput = failures(*words)["goodput"]
            self.assertLessEqual(goodput["low"], goodput["expected"])
            self.assertLessEqual(goodput["expected"], goodput["high"])

    def test_a_short_write_is_told_in_seconds(self):
        told = gw("physics", "failures", "--gpus", "16384", "--model", "llama-3-405b", "--storage-gb-s", "2000", "--interval",
                  "0.01")
        self.assert_refused(told, 1, "a checkpoint takes")
        self.assertRegex(told.stderr, r"takes [0-9.]+ s to write")

    def test_small_rates_are_not_rounded_away(self):
        text = gw("physics", "failures", "--gpus", "3").stdout
        self.assertNotRegex(text, r" 0\.0 ")
        self.assertNotIn("0 to 0", text)
        self.assertRegex(text, r"in all +0\.\d*[1-9]")

    def test_equal_seeds_give_equal_intervals(self):
        self.assertEqual(failures("--gpus", "1024", "--seed", "3"), failures("--gpus", "1024", "--seed", "3"))

    def test_wrong_words_are_refused(self):
        self.assert_refused(gw("physics", "failures", "--model", "llama-3-8b"), 1, "--storage-gb-s")
        self.assert_refused(gw("physics", "failures", "--checkpoint", "large", "--storage-gb-s", "1"), 1, "write a size")
        self.assert_refused(gw("physics", "failures", "--model", "llama-3-8b", "--checkpoint", "1 TB"), 1, "one of them")
        self.assert_refused(gw("physics", "failures", "--spares", "some"), 1, "write auto")
        self.assert_refused(gw("physics", "failures", "--interval", "often"), 1, "write auto")
        self.assert_refused(gw("physics", "failures", "--checkpoint", "100 TB", "--storage-gb-s", "1", "--interval", "5"),
                            1, "a longer interval")

    def test_counts_are_compared_by_intervals(self):
        self.path("failures.csv", HEADER +
                  "F1,mine,S,16384,H100,54,,,unexpected interruptions total,419,count,379.8,461.1\n"
                  "F2,mine,S,16384,H100,54,,,unexpected interruptions total,4190,count,4000,4300\n"
                  "F3,mine,S,16384,H100,54,,,weather,1,count,,\n")
        report = json.loads(gw("physics", "validate", "--data", self.folder, "--json").stdout)["failures"]
        self.assertEqual(report["totals"][0]["with_interval"], 2)
        self.assertEqual(report["totals"][0]["inside"], 1)
        self.assertEqual(report["left_out"][0]["rows"], 1)
        self.assertIn("1 of 2 predicted inside", gw("physics", "validate", "--data", self.folder).stdout)


if __name__ == "__main__":
    import unittest

    unittest.main()
