"""gw physics: what is not known is said or refused, and options that would do nothing are refused."""

import json

from gw_command import FolderTest, gw

STEP = ["llama-3-8b", "--gpus", "8", "--tp", "8", "--batch", "64"]


def answer(*words):
    return json.loads(gw("physics", *words, "--json").stdout)


class PhysicsUnknownTest(FolderTest):
    def test_a_gpu_without_a_16_bit_rate_has_no_step(self):
        words = ["llama-3-70b", "--gpu", "rubin-ultra", "--gpus", "576", "--precision", "nvfp4", "--tp", "8", "--pp", "9",
                 "--batch", "1024"]
        for command in (["train", *words], ["train", *words, "--search"], ["train", *words, "--json"], ["power", *words]):
            self.assert_refused(gw("physics", *command), 1, "dense_bf16")
        self.assert_refused(gw("physics", "serve", "llama-3-70b", "--gpu", "rubin-ultra", "--precision", "nvfp4"), 1,
                            "dense_bf16")

    def test_links_whose_rate_is_not_known_carry_nothing(self):
        self.assert_refused(gw("physics", "train", *STEP, "--gpu", "tpu-v6e"), 1, "scaleup_bandwidth")
        self.assert_refused(gw("physics", "power", *STEP, "--gpu", "tpu-v6e"), 1, "scaleup_bandwidth")
        self.assert_refused(gw("physics", "serve", "llama-3-8b", "--tp", "8", "--gpu", "tpu-v6e"), 1, "scaleup_bandwidth")
        self.assert_refused(gw("physics", "collective", "all-reduce", "--gpu", "tpu-v6e"), 1, "scaleup_bandwidth")
        self.assert_refused(gw("physics", "collective", "all-reduce", "--gpu", "l40s", "--domain", "4"), 1, "no scale-up")
        self.assert_exit(gw("physics", "serve", "llama-3-8b", "--tp", "1", "--gpu", "tpu-v6e"), 0)

    def test_an_assumed_network_is_said_where_it_is_used(self):
        def assumed(*words):
            return any("12.5 Gbit/s" in note for note in answer(*words)["basis"]["notes"])
        self.assertTrue(assumed("train", *STEP, "--gpu", "l40s"))
        self.assertFalse(assumed("train", *STEP, "--gpu", "v100"))  # All in one server.
        self.assertTrue(assumed("train", "llama-3-8b", "--gpu", "v100", "--gpus", "16", "--tp", "8", "--batch", "64"))
        self.assertTrue(assumed("collective", "all-reduce", "--gpu", "l40s"))
        self.assertFalse(assumed("collective", "all-reduce", "--gpu", "v100"))
        self.assertTrue(assumed("serve", "llama-3-8b", "--gpu", "l40s", "--disaggregated"))
        self.assertFalse(assumed("serve", "llama-3-8b", "--gpu", "l40s"))
        saved = ("failures", "--gpu", "l40s", "--model", "llama-3-8b", "--storage-gb-s", "10")
        self.assertTrue(assumed(*saved))
        self.assertFalse(assumed(*saved, "--node-gb-s", "1"))

    def test_power_that_is_not_known_is_no_zero(self):
        text = gw("physics", "train", *STEP, "--gpu", "mi455x")
        self.assert_exit(text, 0)
        self.assertIn("does not know the power of mi455x", text.stdout)
        self.assertNotIn("W per GPU", text.stdout)
        self.assertEqual(set(answer("train", *STEP, "--gpu", "mi455x")["power"].values()), {None})
        self.assert_refused(gw("physics", "power", *STEP, "--gpu", "mi455x"), 1, "does not know the power")
        self.assertIn("does not know the power of mi455x", gw("physics", "serve", "llama-3-8b", "--gpu", "mi455x").stdout)
        self.assertIsNone(answer("serve", "llama-3-8b", "--gpu", "mi455x")["steady_state"]["energy"])

    def test_what_an_answer_rests_on_is_said(self):
        self.assertEqual(answer("train", *STEP)["basis"], {"published": True, "notes": []})
        for gpu, whose in (("mi455x", "Hopper"), ("vera-rubin", "Blackwell Ultra"), ("tpu-v5p", "Hopper"),
                           ("a10", "Ampere")):
            basis = answer("train", *STEP, "--gpu", gpu)["basis"]
            self.assertFalse(basis["published"])
            self.assertIn(f"no training on the generation of {gpu} has been published: constants of {whose}",
                          basis["notes"][0])
            for note in basis["notes"]:
                self.assertIn(note, gw("physics", "train", *STEP, "--gpu", gpu).stdout)
        large = ["llama-3-8b", "--gpus", "131072", "--batch", "131072"]
        for command in ("train", "power"):
            self.assertIn("more than 16384 GPUs", answer(command, *large)["basis"]["notes"][0])
        search = answer("train", *STEP, "--gpu", "vera-rubin", "--search")
        self.assertFalse(search["basis"]["published"])
        self.assertIn("no power of the generation of a100", answer("power", *STEP, "--gpu", "a100")["basis"]["notes"][0])
        self.assertIn("of a100 was measured: constants of Hopper",
                      answer("serve", "llama-3-8b", "--gpu", "a100")["basis"]["notes"][0])
        self.assertEqual(answer("serve", "llama-3-8b", "--gpu", "h100")["basis"], {"published": True, "notes": []})

    def test_constants_are_those_of_the_vendors_nearest_generation(self):
        for gpu, whose in (("a10", "Hopper"), ("vera-rubin", "Blackwell"),
                           ("mi455x", "AMD Instinct"), ("tpu-v5p", "Hopper")):
            self.assertIn(f"no serving on the generation of {gpu} was measured: constants of {whose} are used",
                          answer("serve", "llama-3-8b", "--gpu", gpu)["basis"]["notes"][0])
        for gpu in ("mi300x", "l40s", "rtx-pro-6000"):  # Types without a generation that were measured.
            self.assertTrue(answer("serve", "llama-3-8b", "--gpu", gpu)["basis"]["notes"][0].startswith("no power"))
        watts = answer("power", *STEP, "--gpu", "vera-rubin")["basis"]["notes"]
        self.assertTrue(any("shares of the TDP are those of Blackwell" in note for note in watts), watts)

    def test_collectives_and_failures_say_what_they_rest_on(self):
        self.assertEqual(answer("collective", "all-reduce")["basis"], {"published": True, "notes": []})
        rubin = answer("collective", "all-reduce", "--gpu", "vera-rubin")["basis"]
        self.assertEqual((rubin["published"], rubin["notes"]),
                         (False, ["no collective over the links of vera-rubin was measured: constants of Blackwell are used"]))
        self.assertIn(rubin["notes"][0], gw("physics", "collective", "all-reduce", "--gpu", "vera-rubin").stdout)
        self.assertIn("more than 256 GPUs", answer("collective", "all-reduce", "--gpus", "512")["basis"]["notes"][0])
        self.assertEqual(answer("failures")["basis"], {"published": True, "notes": []})
        for gpu, whose in (("tpu-v5p", "Hopper"), ("b200", "Hopper"), ("a10", "Ampere")):
            note = answer("failures", "--gpu", gpu)["basis"]["notes"][0]
            self.assertIn(f"no interruptions of the generation of {gpu} have been published: rates of {whose}", note)
            self.assertIn(note, gw("physics", "failures", "--gpu", gpu).stdout)
        # Less is known of an A10 than of an A100, whose rates it takes.
        def spread(gpu):
            mtbf = answer("failures", "--gpu", gpu)["mtbf_s"]
            return mtbf["high"] / mtbf["low"]
        self.assertGreater(spread("a10"), 1.2 * spread("a100"))

    def test_gpus_without_bf16_have_none(self):
        self.assert_refused(gw("physics", "train", *STEP, "--gpu", "v100", "--precision", "bf16"), 1, "take --precision fp16")
        self.assert_refused(gw("physics", "power", *STEP, "--gpu", "v100", "--precision", "bf16"), 1, "no units for bf16")
        self.assert_refused(gw("physics", "serve", "llama-3-8b", "--gpu", "v100", "--precision", "bf16"), 1, "no units for bf16")
        given = answer("train", *STEP, "--gpu", "v100")
        self.assertEqual(given["precision"], "fp16")
        self.assertEqual(given["time"], answer("train", *STEP, "--gpu", "v100", "--precision", "fp16")["time"])
        self.assertEqual(answer("train", *STEP)["precision"], "bf16")
        self.assertEqual(answer("serve", "llama-3-8b", "--gpu", "v100")["replica"]["precision"], "fp16")
        self.assertEqual(answer("serve", "llama-3-8b")["replica"]["precision"], "bf16")
        self.assertIn("llama-3-8b: a replica is 1 x v100, fp16", gw("physics", "serve", "llama-3-8b", "--gpu", "v100").stdout)

    def test_scaled_blocks_need_their_units(self):
        self.assert_refused(gw("physics", "train", *STEP, "--precision", "mxfp8"), 1, "no units for mxfp8")
        self.assert_refused(gw("physics", "train", *STEP, "--gpu", "mi300x", "--precision", "mxfp8"), 1, "no units")
        self.assert_exit(gw("physics", "train", *STEP, "--gpu", "b200", "--precision", "mxfp8"), 0)

    def test_cooling_is_that_of_the_type(self):
        def cooling(*words):
            return answer("power", *STEP, *words)["cooling"]
        self.assertEqual(cooling("--gpu", "gb200"), {"of": "direct-liquid", "given": False})
        self.assertEqual(cooling("--gpu", "h100"), {"of": "air", "given": False})
        self.assertEqual(cooling("--gpu", "gb200", "--cooling", "air"), {"of": "air", "given": True})
        self.assertEqual(answer("train", *STEP, "--gpu", "gb300")["power"]["cooling"], "direct-liquid")
        self.assertEqual(answer("serve", "llama-3-8b", "--gpu", "gb200")["steady_state"]["energy"]["cooling"],
                         "direct-liquid")
        self.assertIn("cooled by liquid (usual for the type", gw("physics", "power", *STEP, "--gpu", "gb200").stdout)

    def test_power_of_what_does_not_fit_is_said_to_be_so(self):
        words = ["llama-3-405b", "--gpus", "8"]
        said = gw("physics", "power", *words)
        self.assert_exit(said, 1)
        self.assertRegex(said.stdout, r"does not fit: short by \d+\.\d GiB")
        self.assertFalse(answer("power", *words)["memory_fits"])
        self.assertTrue(answer("power", *STEP)["memory_fits"])

    def test_options_that_would_do_nothing_are_refused(self):
        def refused(code, words, *command):
            self.assert_refused(gw("physics", *command), code, words)
        refused(1, "is dense", "train", *STEP, "--overlap-experts")
        refused(1, "is dense", "power", *STEP, "--plain-all-to-all")
        refused(2, "--search", "train", *STEP, "--top", "3")
        refused(2, "--sites", "train", *STEP, "--inner-steps", "100")
        refused(2, "--sites", "train", *STEP, "--link-km", "100")
        refused(2, "excludes", "cost", "--tranche", "1,0.08,5", "--rate", "0.2")
        refused(2, "--trace", "serve", "llama-3-8b", "--scale", "2")
        refused(1, "--rate or --trace", "serve", "llama-3-8b", "--replicas", "2")

        refused(2, "--edge-gpus", "link", "--km", "5", "--edge-peak", "3")
        refused(2, "--bytes", "link", "--km", "5", "--read", "1 GB/s")
        refused(2, "--bytes", "link", "--km", "5", "--write", "1 GB/s")
        refused(2, "--checkpoint", "link", "--km", "5", "--interval", "30min")
        refused(2, "--checkpoint", "link", "--km", "5", "--copies", "2")
        refused(1, "--link-km needs --sites above 1", "train", *STEP, "--sites", "1", "--link-km", "100")
        refused(1, "--percentile needs --ttft or --tpot", "serve", "llama-3-8b", "--percentile", "90")

    def test_nothing_is_not_the_same_as_not_given(self):
        self.assertEqual(answer("link", "--km", "0")["distance_km"], 0)
        self.assert_refused(gw("physics", "link", "--km", "0", "--from", "1,2", "--to", "3,4"), 1, "give one")
        cold, usual = answer("power", *STEP, "--supply-c", "0"), answer("power", *STEP)
        self.assertGreater(cold["facility"]["total_w"], usual["facility"]["total_w"])
        self.assertIn("with 0 degrees to the nodes", gw("physics", "power", *STEP, "--supply-c", "0").stdout)
        self.assertNotIn("[0]", [line for line in gw("physics", "power", "--help").stdout.splitlines() if "--cap-w" in line][0])

    def test_what_cannot_be_ends_with_1_and_its_answer(self):
        def said(words, *command):
            for form in ((), ("--json",)):
                result = gw("physics", *command, *form)
                self.assert_exit(result, 1)
                self.assertIn(words, result.stderr)
                self.assertTrue(result.stdout)
            return json.loads(result.stdout)
        self.assertFalse(said("does not fit", "train", "llama-3-405b", "--gpus", "8")["memory"]["fits"])
        self.assertFalse(said("does not fit", "power", "llama-3-405b", "--gpus", "8")["memory_fits"])
        self.assertFalse(said("higher cap", "power", *STEP, "--cap-w", "100")["cap_met"])
        serve = ("serve", "llama-3-8b", "--requests", "500", "--rate")
        self.assertFalse(said("keeps the target", *serve, "50", "--ttft", "1")["targets"]["reachable"])
        self.assertTrue(said("--replicas 1 serves", *serve, "500", "--replicas", "1")["overloaded"])
        late = said("does not keep the target", *serve, "12", "--replicas", "1", "--ttft", "100")["targets"]
        self.assertEqual((late["reachable"], late["kept"]), (True, False))
        self.assertGreater(said("fall behind", "link", "--km", "600", "--checkpoint", "100 TB", "--interval", "1min")
                           ["replication_busy"], 1)
        self.assertGreater(said("the radio lacks", "link", "--km", "600", "--edge-gpus", "100", "--edge-peak", "600")
                           ["edge_gpu_hours_unserved"], 0)
        self.assertIn("GPU-hours that the radio itself lacks",
                      gw("physics", "link", "--km", "600", "--edge-gpus", "100", "--edge-peak", "600").stdout)

    def test_the_search_keeps_what_is_given(self):
        best = answer("train", *STEP, "--search", "--recompute", "full", "--shard", "full")["best"]
        self.assertEqual({each["layout"]["recompute"] for each in best}, {"full"})
        self.assertEqual({each["layout"]["sharding"] for each in best}, {"full"})


if __name__ == "__main__":
    import unittest

    unittest.main()
