"""gw physics link: fibre between sites; gw physics train over several sites, and names as people write them."""

import json

from gw_command import FolderTest, gw


def link(*words):
    return json.loads(gw("physics", "link", *words, "--json").stdout)


def train(*words):
    return json.loads(gw("physics", "train", *words, "--json").stdout)


class PhysicsLinkTest(FolderTest):
    def test_a_link_by_distance_and_by_places(self):
        given = link("--km", "600", "--gbit-s", "100", "--bytes", "1000 TB", "--checkpoint", "5 TB", "--interval", "30min")
        self.assertEqual(given["fibre_km"], 900)
        self.assertAlmostEqual(given["round_trip_s"], 2 * (900 * 4.9e-6 + 1e-4), places=9)
        self.assertGreater(given["staging_s"], 1e15 * 8 / 100e9)
        self.assertLess(given["replication_busy"], 1)
        self.assertAlmostEqual(given["first_token_fresh_s"] - given["first_token_s"], 2 * given["round_trip_s"], places=9)
        munich_paris = link("--from", "48.137,11.575", "--to", "48.857,2.352")
        self.assertAlmostEqual(munich_paris["distance_km"], 685, delta=5)
        text = gw("physics", "link", "--km", "600", "--edge-gpus", "100", "--edge-peak", "80")
        self.assert_exit(text, 0)
        self.assertIn("GPU-hours left in a day", text.stdout)
        self.assertEqual(len(link("--km", "600", "--edge-gpus", "100", "--edge-peak", "80")["edge_hours"]), 24)

    def test_sizes_may_be_small(self):
        small = link("--km", "600", "--window", "64 KiB")
        self.assertLess(small["throughput_gbit_s"], 0.1 * link("--km", "600")["throughput_gbit_s"])
        self.assertEqual(small, link("--km", "600", "--window", "65536 B"))
        self.assertGreater(link("--km", "600", "--bytes", "1 kB")["staging_s"], 0)

    def test_wrong_words_are_refused(self):
        self.assert_refused(gw("physics", "link"), 1, "how far")
        self.assert_refused(gw("physics", "link", "--from", "1,2"), 1, "belong together")
        self.assert_refused(gw("physics", "link", "--from", "99,2", "--to", "1,2"), 1, "48.14,11.58")
        self.assert_refused(gw("physics", "link", "--km", "5", "--bytes", "much"), 1, "write a size")

    def test_training_over_sites(self):
        words = ["llama-3-8b", "--gpus", "512", "--tp", "2", "--batch", "1024", "--sequence", "4096"]
        over = ["--sites", "2", "--link-gbit-s", "100", "--link-km", "800", "--inner-steps", "100"]
        one = train(*words)
        two = train(*words, *over)
        self.assertNotIn("multi_site", one)
        sites = two["multi_site"]
        self.assertGreater(sites["lost_share"], 0)
        self.assertAlmostEqual(sites["round_s"], 100 * two["time"]["step_s"] + sites["exposed_s"], places=6)
        enough = str(sites["least_gbit_s_for_1_percent"])
        better = train(*words, *over[:2], "--link-gbit-s", enough, *over[4:])["multi_site"]
        self.assertAlmostEqual(better["lost_share"], 0.01, delta=1e-4)
        hidden = train(*words, *over, "--overlap-steps", "50")["multi_site"]
        self.assertLess(hidden["exposed_s"], sites["exposed_s"])
        self.assert_refused(gw("physics", "train", *words, "--sites", "3"), 1, "do not divide over 3 sites")
        self.assert_refused(gw("physics", "train", *words, "--sites", "2", "--search"), 1, "one site")

    def test_models_are_found_as_people_write_them(self):
        self.assertEqual(train("--model", "llama3-405b", "--gpu", "h100", "--gpus", "16384", "--tp", "8", "--pp", "16",
                               "--batch", "2048", "--sequence", "8192")["model"], "llama-3-405b")
        self.assertEqual(train("Llama_3.8B", "--gpus", "8")["model"], "llama-3-8b")
        self.assert_refused(gw("physics", "train"), 1, "which model")
        self.assert_refused(gw("physics", "train", "llama-3-8b", "--model", "llama-3-70b"), 1, "give one")


if __name__ == "__main__":
    import unittest

    unittest.main()
