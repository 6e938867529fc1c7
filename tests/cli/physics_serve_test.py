"""gw physics serve: steady states, latencies, replicas for a rate or a recorded trace; validate's inference.csv."""

import json
import re

from gw_command import FolderTest, gw

HEADER = "id,group,model,precision,gpus,gpu_type,engine,tp,ep,scenario,isl,osl,batch,tok_s_per_gpu\n"


def serve(*words):
    return json.loads(gw("physics", "serve", *words, "--json").stdout)


class PhysicsServeTest(FolderTest):
    def test_a_pass_is_the_sum_of_its_causes(self):
        given = serve("llama-3-70b", "--gpu", "h200", "--tp", "2", "--precision", "fp8", "--batch", "32")
        self.assertEqual(given["replica"]["gpus"], 2)
        steady = given["steady_state"]
        self.assertEqual(steady["sequences"], 32)
        self.assertAlmostEqual(sum(steady["parts"].values()), steady["decode_s"], places=9)
        self.assertGreater(steady["pass_s"], steady["decode_s"])
        self.assertAlmostEqual(steady["gpu_s_per_million_tokens"], 1e6 / steady["tokens_s_gpu"], places=3)
        text = gw("physics", "serve", "llama-3-70b", "--gpu", "h200", "--tp", "2", "--precision", "fp8")
        self.assert_exit(text, 0)
        for words in ("matrix products", "tokens/s per GPU", "GPU-seconds for a million tokens", "room for"):
            self.assertIn(words, text.stdout)

    def test_a_token_has_its_energy_and_carbon(self):
        words = ["llama-3-70b", "--gpu", "h100", "--tp", "4", "--batch", "64"]
        given = serve(*words, "--carbon", "300")["steady_state"]
        energy = given["energy"]
        self.assertLess(energy["gpus_w"], energy["it_w"])
        self.assertLess(energy["it_w"], energy["facility_w"])
        self.assertLessEqual(energy["gpus_w"], 4 * 700)
        self.assertAlmostEqual(energy["gpus_j_per_token"] * given["tokens_s"] / energy["gpus_w"], 1, places=6)
        kwh = energy["facility_kwh_per_million_tokens"]
        self.assertAlmostEqual(kwh * 3.6, energy["facility_j_per_token"], places=6)
        self.assertAlmostEqual(energy["carbon_g_per_million_tokens"], 300 * kwh, places=6)
        cooled = serve(*words, "--cooling", "direct-liquid")["steady_state"]["energy"]
        self.assertLess(cooled["facility_j_per_token"], energy["facility_j_per_token"])
        self.assertEqual(cooled["carbon_g_per_million_tokens"], 0)
        # Replicas that wait for requests draw less, but more for each token.
        busy = serve(*words, "--rate", "4", "--requests", "500", "--replicas", "2")["queue"]
        idle = serve(*words, "--rate", "4", "--requests", "500", "--replicas", "8")["queue"]
        self.assertGreater(idle["energy"]["gpus_j_per_token"], busy["energy"]["gpus_j_per_token"])
        text = gw("physics", "serve", *words, "--carbon", "300").stdout
        self.assertRegex(text, r"energy of an output token: GPUs [0-9.]+ J")
        self.assertRegex(text, r"kWh and [0-9.]+ g of CO2 a million")
        apart = serve("llama-3-8b", "--disaggregated")["steady_state"]["energy"]
        together = serve("llama-3-8b")["steady_state"]["energy"]
        self.assertGreater(apart["gpus_w"], together["gpus_w"])

    def test_the_fewest_gpus_are_taken_unless_said(self):
        self.assertEqual(serve("llama-3-8b")["replica"]["gpus"], 1)
        self.assertEqual(serve("llama-3-70b")["replica"]["gpus"], 4)
        deepseek = serve("deepseek-v3", "--gpu", "h200", "--dp", "8", "--precision", "fp8")["replica"]
        self.assertEqual((deepseek["tensor"], deepseek["data"], deepseek["expert"]), (1, 8, 8))

    def test_narrower_caches_hold_more(self):
        wide = serve("llama-3-8b", "--input", "8000")["sequences_fitting"]
        narrow = serve("llama-3-8b", "--input", "8000", "--kv-precision", "fp8")["sequences_fitting"]
        self.assertAlmostEqual(narrow / wide, 2, places=6)

    def test_a_rate_with_targets_gives_replicas_and_latencies(self):
        words = ["llama-3-8b", "--input", "500", "--output", "200", "--spread", "0.5", "--ttft", "400", "--tpot", "30",
                 "--percentile", "90", "--requests", "2000"]
        given = serve(*words, "--rate", "50")
        most = given["targets"]["highest_rate_of_a_replica"]
        self.assertEqual(given["replicas"], -(-50 // most))
        queue = given["queue"]
        self.assertLessEqual(queue["ttft"]["p90_s"], 0.4)
        self.assertLessEqual(queue["tpot"]["p90_s"], 0.03)
        self.assertLessEqual(queue["ttft"]["p50_s"], queue["ttft"]["p99_s"])
        self.assertEqual(given, serve(*words, "--rate", "50"))
        # Fewer replicas make users wait.
        slow = serve(*words, "--rate", "50", "--replicas", str(given["replicas"] // 2))["queue"]
        self.assertGreater(slow["ttft"]["p99_s"], queue["ttft"]["p99_s"])
        text = gw("physics", "serve", *words, "--rate", "50").stdout
        self.assertRegex(text, r"\d+ replicas needed")
        self.assertIn("time to first token", text)
        out_of_reach = gw("physics", "serve", "llama-3-8b", "--rate", "50", "--tpot", "0.001")
        self.assert_exit(out_of_reach, 1)
        self.assertIn("no number of such replicas keeps that", out_of_reach.stdout)

    def test_prompts_may_have_replicas_of_their_own(self):
        words = ["llama-3-70b", "--gpu", "h200", "--tp", "2", "--precision", "fp8", "--input", "4000", "--rate", "2"]
        mixed = serve(*words)["queue"]["tpot"]["p99_s"]
        apart = serve(*words, "--disaggregated", "--prompt-gpu", "h100", "--prompt-tp", "4", "--prompt-replicas", "0.5")
        self.assertEqual(apart["prompt_replica"]["gpu"], "h100")
        self.assertEqual(apart["steady_state"]["prompt_share"], 0)
        self.assertLess(apart["queue"]["tpot"]["p99_s"], mixed)

    def test_the_search_finds_no_less_than_any_layout_by_hand(self):
        words = ["llama-3-70b", "--gpu", "h200", "--precision", "fp8", "--input", "800", "--output", "150", "--ttft",
                 "1000", "--tpot", "40", "--percentile", "90"]
        found = serve(*words, "--search")
        best = found["best"]
        self.assertEqual(len(best), 5)
        served = [each["tokens_s_gpu"] for each in best]
        self.assertEqual(served, sorted(served, reverse=True))
        for each in best:
            self.assertLessEqual(each["ttft"]["at_percentile_s"], 1)
            self.assertLessEqual(each["tpot"]["at_percentile_s"], 0.04)
            self.assertGreater(each["replica"]["cache_bytes"], 0)
        for tensor in ("1", "2", "4", "8"):
            most = serve(*words, "--tp", tensor)["targets"]["highest_rate_of_a_replica"]
            self.assertGreaterEqual(served[0] * 1.005, most * 150 / int(tensor))
        self.assertTrue(all(each["replica"]["tensor"] == 4 for each in serve(*words, "--search", "--tp", "4")["best"]))
        apart = serve(*words, "--search", "--disaggregated", "--top", "2")["best"]
        self.assertTrue(all(each["prompt_replicas"] > 0 for each in apart))
        text = gw("physics", "serve", *words, "--search", "--rate", "20").stdout
        for word in ("TOKENS/S/GPU", "TTFT P90", "on the fewest GPUs"):
            self.assertIn(word, text)

    def test_the_search_takes_the_fewest_gpus_for_a_rate(self):
        words = ["mixtral-8x7b", "--gpu", "h200", "--precision", "fp8", "--ttft", "1000", "--tpot", "50", "--rate", "60",
                 "--search"]
        best = serve(*words)["best"]
        gpus = [each["gpus"] for each in best]
        self.assertEqual(gpus, sorted(gpus))
        for each in best:
            self.assertGreaterEqual(each["replicas"] * each["highest_rate_of_a_replica"], 60)
            prompts = each["prompt_replicas"] * each["prompt_replica"]["gpus"] if "prompt_replica" in each else 0
            self.assertEqual(each["gpus"], each["replicas"] * each["replica"]["gpus"] + prompts)

    def test_prompts_apart_bound_what_a_replica_yields(self):
        words = ["llama-3-70b", "--gpu", "h100", "--precision", "fp8", "--tp", "4", "--disaggregated"]
        given = serve(*words)
        state, fed = given["steady_state"], given["prompt_replicas_feed_requests_s"]
        self.assertTrue(given["held_back_by_prompts"])
        self.assertAlmostEqual(state["requests_s"], fed, delta=1e-6 * fed)
        self.assertAlmostEqual(state["tokens_s"], fed * 200, delta=1e-3 * fed)
        more = serve(*words, "--prompt-replicas", "8")
        self.assertFalse(more["held_back_by_prompts"])
        self.assertGreater(more["steady_state"]["requests_s"], 2 * state["requests_s"])
        # Energy is of the tokens that there are.
        energy = state["energy"]
        self.assertAlmostEqual(energy["gpus_j_per_token"] * state["tokens_s"], energy["gpus_w"], places=3)
        loaded = serve(*words, "--rate", "30", "--requests", "2000")
        self.assertGreaterEqual(loaded["replicas"] * fed, 30)
        self.assertFalse(loaded["overloaded"])
        self.assertLess(loaded["queue"]["ttft"]["p50_s"], 2)
        over = serve(*words, "--rate", "30", "--replicas", "1", "--requests", "2000")
        self.assertTrue(over["overloaded"])
        text = gw("physics", "serve", *words, "--rate", "30", "--replicas", "1").stdout
        self.assertIn("they hold it back", text)
        self.assertIn("more comes than these serve", text)

    def test_a_part_of_a_prompt_replica_is_no_less_than_its_whole_ones(self):
        words = ["llama-3-70b", "--gpu", "h100", "--precision", "fp8", "--tp", "2", "--disaggregated", "--prompt-tp", "2",
                 "--rate", "22", "--replicas", "1", "--prompt-replicas"]
        nearly, two = serve(*words, "1.99"), serve(*words, "2")
        self.assertFalse(nearly["overloaded"])
        self.assertLess(nearly["queue"]["ttft"]["mean_s"], 1.1 * two["queue"]["ttft"]["mean_s"])
        self.assertEqual((nearly["gpus"], nearly["prompt_replicas"]), (6, 2))
        self.assertEqual(serve(*words, "1.7")["gpus"], 6)
        self.assertIn("1 replica with 2 of prompts, 6 GPUs", gw("physics", "serve", *words, "1.7").stdout)

    def test_replicas_are_counted_however_many(self):
        words = ["llama-3-8b", "--gpu", "h100", "--ttft", "200", "--requests", "500", "--rate"]
        given = serve(*words, "2000000")
        needed = -(-2000000 // given["targets"]["highest_rate_of_a_replica"])
        self.assertGreater(needed, 100000)
        self.assertEqual(given["replicas"], needed)
        self.assertTrue(serve(*words, "2000000", "--replicas", str(int(needed)))["replicas"], needed)
        self.assert_refused(gw("physics", "serve", "llama-3-405b", "--gpu", "h200", "--input", "100000", "--rate", "1e9"), 1,
                            "more than 1000000000")

    def test_layouts_divide_the_model(self):
        def refused(words, *command):
            self.assert_refused(gw("physics", "serve", *command), 1, words)

        refused("do not divide its width of 2048", "deepseek-v3", "--gpu", "gb200", "--precision", "nvfp4", "--dp", "5",
                "--ep", "1")
        refused("do not divide its width of 2048", "deepseek-v3", "--gpu", "gb200", "--precision", "nvfp4", "--dp", "6",
                "--ep", "2")
        best = serve("deepseek-v3", "--gpu", "gb200", "--precision", "nvfp4", "--ttft", "1000", "--tpot", "40", "--search",
                     "--max-gpus", "8", "--top", "20")["best"]
        for each in best:
            for key in ("replica", "prompt_replica"):
                if key in each:
                    self.assertEqual(2048 % (each[key]["gpus"] // each[key]["expert"]), 0)
        self.assertTrue(best)

    def test_an_engine_that_gathers_tokens_is_named(self):
        words = ["deepseek-v3", "--gpu", "h800", "--dp", "128", "--precision", "fp8", "--batch", "16384"]
        slow, fast = serve(*words), serve(*words, "--engine", "mlperf-5.1")
        engine = slow["hint"].split("--engine ")[1]
        self.assertLess(2 * serve(*words, "--engine", engine)["steady_state"]["decode_s"], slow["steady_state"]["decode_s"])
        self.assertNotIn("hint", fast)
        self.assertIn(slow["hint"], gw("physics", "serve", *words).stdout)
        self.assertNotIn("hint", serve("llama-3-8b"))

    def test_the_search_says_why_nothing_serves(self):
        def refused(*words):
            return gw("physics", "serve", *words, "--search")

        self.assert_refused(refused("llama-3-405b", "--gpu", "h100"), 1, "does not fit on any of")
        self.assert_refused(refused("llama-3-8b", "--tpot", "0.01"), 1, "keeps the target")
        for target in (("--tpot", "3"), ("--tpot", "0.01"), ("--ttft", "1")):
            counts = [int(count) for count in re.findall(
                r"of (\d+) layouts (\d+) are too large, (\d+) too slow even for one request at a time and (\d+) with any",
                refused("llama-3-70b", "--gpu", "h100", *target).stderr)[0]]
            self.assertEqual(counts[0], sum(counts[1:]))
            self.assertEqual(counts[1], 2)  # In 16 bits on one GPU and on two.
        self.assert_refused(refused("llama-3-8b", "--tp", "3"), 1, "leave some of")
        self.assert_refused(refused("llama-3-8b", "--replicas", "2"), 2, "--replicas excludes --search")
        self.assert_refused(gw("physics", "serve", "llama-3-8b", "--top", "2"), 2, "--search")

    def test_recorded_requests_come_as_they_came(self):
        rows = "".join(f"{i / 4},m,{400 + i % 7},{20 + i % 5},0,API log\n" for i in range(400))
        trace = self.path("burst.csv", "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n" + rows)
        given = serve("llama-3-8b", "--trace", trace, "--ttft", "500", "--tpot", "50")
        self.assertEqual(given["replicas"], 1)
        self.assertEqual(given["queue"]["requests"], 400)
        faster = serve("llama-3-8b", "--trace", trace, "--ttft", "500", "--tpot", "50", "--scale", "200")
        self.assertGreater(faster["replicas"], 1)
        self.assertAlmostEqual(faster["rate"] / given["rate"], 200, places=6)
        self.assert_refused(gw("physics", "serve", "llama-3-8b", "--trace", trace, "--rate", "1"), 1, "give one")
        table = self.path("other.csv", "a,b\n1,2\n")
        self.assert_refused(gw("physics", "serve", "llama-3-8b", "--trace", table), 1, "BurstGPT")

    def test_what_does_not_go_together_is_refused(self):
        def refused(*words):
            return gw("physics", "serve", *words)

        self.assert_refused(refused("llama-3-70b", "--tp", "1"), 1, "short by")
        self.assert_refused(refused("llama-3-70b", "--tp", "3"), 1, "attention heads")
        self.assert_refused(refused("llama-3-70b", "--tp", "4", "--gpus", "8"), 1, "leave one of them out")
        self.assert_refused(refused("llama-3-70b", "--dp", "2"), 1, "count them as replicas")
        self.assert_refused(refused("mixtral-8x7b", "--tp", "4", "--ep", "3"), 1, "over expert 3")
        self.assert_refused(refused("llama-3-8b", "--batch", "100000"), 1, "at once")
        self.assert_refused(refused("llama-3-8b", "--gpus", "1", "--input", "900000"), 1, "GiB of cache")
        self.assert_refused(refused("llama-3-8b", "--engine", "none"), 1, "vllm-0.11")
        self.assert_refused(refused("llama-3-8b", "--precision", "mxfp4"), 1, "experts only")
        self.assert_refused(refused("llama-4"), 1, "did you mean")

    def test_measurements_are_compared(self):
        row = "{},mine,Llama-3.3-70B,fp8,2,H200,TensorRT-LLM,2,,offline,1000,1000,,{}\n"
        self.path("inference.csv", HEADER + row.format("a", 2500) + row.format("b", ""))
        report = json.loads(gw("physics", "validate", "--data", self.folder, "--json").stdout)["inference"]
        self.assertEqual(report["totals"][0]["points"], 1)
        self.assertEqual(report["worst"][0]["unit"], "tokens/s")
        self.assertEqual(report["left_out"], [{"reason": "no throughput", "rows": 1}])


if __name__ == "__main__":
    import unittest

    unittest.main()
