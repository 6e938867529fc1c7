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
        given = answer("train", *STEP, "--gpu", "tpu-v5p")
        self.assertTrue(any("12.5 Gbit/s" in note for note in given["basis"]["notes"]))

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
        for gpu in ("mi455x", "vera-rubin", "tpu-v5p"):
            basis = answer("train", *STEP, "--gpu", gpu)["basis"]
            self.assertFalse(basis["published"])
            self.assertIn(f"no training on the generation of {gpu} has been published: constants of Hopper",
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
        self.assertRegex(gw("physics", "power", *words).stdout, r"does not fit: short by \d+\.\d GiB")
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

    def test_the_search_keeps_what_is_given(self):
        best = answer("train", *STEP, "--search", "--recompute", "full", "--shard", "full")["best"]
        self.assertEqual({each["layout"]["recompute"] for each in best}, {"full"})
        self.assertEqual({each["layout"]["sharding"] for each in best}, {"full"})


if __name__ == "__main__":
    import unittest

    unittest.main()
