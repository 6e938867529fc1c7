"""gw physics: a step by cause, the search of layouts, collectives, and the comparison with measurements."""

import json
import os

from gw_command import FolderTest, gw

HEADER = ("id,group,model,layers,hidden,ffn,heads,kv_heads,seq,vocab,gpus,gpu_type,tp,pp,vpp,cp,ep,micro_batch,"
          "global_batch,precision,recompute,step_time_s,notes\n")
ROW = "A1,mine,Llama,80,8192,28672,64,8,8192,128256,64,H100 SXM,4,8,5,1,1,1,256,fp8,none,{},\n"


def step(*words):
    return json.loads(gw("physics", "train", *words, "--json").stdout)


class PhysicsTest(FolderTest):
    def test_a_step_is_the_sum_of_its_causes(self):
        given = step("llama-3-70b", "--gpus", "64", "--tp", "4", "--pp", "8", "--vpp", "5", "--sequence", "8192",
                     "--batch", "256", "--precision", "fp8")
        self.assertEqual(given["layout"]["data"], 2)
        self.assertAlmostEqual(sum(given["time"]["parts"].values()), given["time"]["step_s"], places=6)
        self.assertTrue(given["memory"]["fits"])
        self.assertGreater(given["time"]["mfu"], 0.2)

    def test_what_does_not_fit_says_by_how_much(self):
        result = gw("physics", "train", "llama-3-70b", "--gpus", "8", "--batch", "64")
        self.assert_exit(result, 1)
        self.assertRegex(result.stdout, r"does not fit: short by \d+\.\d GiB")

    def test_the_search_gives_layouts_that_fit_fastest_first(self):
        found = step("llama-3-405b", "--gpus", "16384", "--search", "--sequence", "8192", "--batch", "2048",
                     "--top", "5")["best"]
        self.assertEqual(len(found), 5)
        times = [each["time"]["step_s"] for each in found]
        self.assertEqual(times, sorted(times))
        self.assertTrue(all(each["memory"]["fits"] for each in found))
        self.assert_refused(gw("physics", "train", "llama-3-405b", "--gpus", "8", "--search"), 1, "short by")

    def test_how_tokens_reach_experts_counts(self):
        words = ("deepseek-v3", "--gpus", "1024", "--pp", "16", "--ep", "64", "--batch", "1024")
        once, plain, beside = (step(*words, *how)["time"]["parts"]["expert_s"]
                               for how in ((), ("--plain-all-to-all",), ("--overlap-experts",)))
        self.assertGreater(plain, 1.2 * once)
        self.assertLess(beside, 0.9 * once)

    def test_wrong_names_and_layouts_are_refused(self):
        self.assert_refused(gw("physics", "train", "llama-405b"), 1, "did you mean")
        self.assert_refused(gw("physics", "train", "llama-3-8b", "--gpu", "h1000"), 1, "gw catalog gpus")
        self.assert_refused(gw("physics", "train", "llama-3-8b", "--tp", "3", "--gpus", "9"), 1, "attention heads")
        self.assert_refused(gw("physics", "train", "llama-3-8b", "--gpu", "a100", "--precision", "fp8"), 1, "no peak")
        self.assert_refused(gw("physics", "train", "llama-3-8b", "--stack", "none"), 1, "bridge-26.04")

    def test_collectives(self):
        def seconds(*words):
            return json.loads(gw("physics", "collective", *words, "--json").stdout)["seconds"]
        inside = seconds("all-reduce", "--gpus", "8", "--bytes", "1 GiB")
        across = seconds("all-reduce", "--gpus", "512", "--bytes", "1 GiB")
        self.assertGreater(across, inside)
        self.assertGreater(seconds("all-reduce", "--gpus", "512", "--bytes", "1 GiB", "--oversubscription", "2"), across)
        self.assert_refused(gw("physics", "collective", "all-reduce", "--bytes", "many"), 1, "write a size, such as 8 B, 64 KiB")
        tiny = [seconds("all-reduce", "--bytes", size) for size in ("8 B", "1 kB", "64 KiB", "64 MiB")]
        self.assertEqual(tiny, sorted(tiny))
        self.assertIn("all-reduce of 64 KiB between", gw("physics", "collective", "all-reduce", "--bytes", "64 KiB").stdout)

    def test_groups_that_do_not_divide_stay_in_their_domains(self):
        def answer(gpus, gpu):
            return json.loads(gw("physics", "collective", "all-reduce", "--gpu", gpu, "--gpus", gpus, "--bytes", "1 GiB",
                                 "--json").stdout)
        self.assertEqual(answer("73", "gb200")["domains"], 2)
        self.assertLess(answer("73", "gb200")["seconds"], 1.1 * answer("74", "gb200")["seconds"])
        self.assertLess(answer("31", "h100")["seconds"], 1.1 * answer("32", "h100")["seconds"])
        odd, even = (step("llama-3-8b", "--gpus", gpus, "--batch", gpus)["time"] for gpus in ("127", "128"))
        self.assertLess(odd["step_s"], 1.05 * even["step_s"])
        eleven, twelve = (step("llama-3-8b", "--gpus", str(gpus), "--batch", str(32 * gpus))["time"]["parts"]["data_s"]
                          for gpus in (11, 12))
        self.assertAlmostEqual(eleven / twelve, 1, delta=0.2)

    def test_measurements_are_compared(self):
        predicted = step("llama-3-70b", "--gpus", "64", "--tp", "4", "--pp", "8", "--vpp", "5", "--sequence", "8192",
                         "--batch", "256", "--precision", "fp8")["time"]["step_s"]
        self.path("training.csv", HEADER + ROW.format(predicted / 1.25) + ROW.format(""))
        report = json.loads(gw("physics", "validate", "--data", self.folder, "--json").stdout)["training"]
        self.assertEqual(report["totals"][0]["points"], 1)
        self.assertAlmostEqual(report["totals"][0]["mean"], 0.25, places=4)
        self.assertEqual(report["left_out"], [{"reason": "no step time and no tokens per second", "rows": 1}])
        text = gw("physics", "validate", "--data", self.folder)
        self.assert_exit(text, 0)
        self.assertIn("+25.0 %", text.stdout)

    def test_without_measurements_it_says_where_they_may_come_from(self):
        self.assert_refused(gw("physics", "validate"), 1, "MLPerf")
        self.assert_refused(gw("physics", "validate", "--data", self.folder), 1, "none of training.csv")
        self.path("training.csv", "id,group\n")
        self.assert_refused(gw("physics", "validate", "--data", self.folder), 1, "does not name model")
        self.assertTrue(os.path.exists(os.path.join(self.folder, "training.csv")))


if __name__ == "__main__":
    import unittest

    unittest.main()
