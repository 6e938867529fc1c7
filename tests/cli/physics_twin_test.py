"""gw simulate with physics: places matter, journals verify, and what cannot be is refused with its reason."""

import json
import os
import tempfile
import unittest

from gw_command import SOURCE, GwTest, gw

SCENARIO = os.path.join(SOURCE, "scenarios/placement-pays.yaml")


class PhysicsInTheTwin(GwTest):
    def simulate(self, *words, scenario=SCENARIO):
        result = gw("simulate", scenario, "--days", "4", "--json", *words)
        self.assert_exit(result, 0)
        return json.loads(result.stdout)

    def changed(self, folder, old, new):
        with open(SCENARIO) as file:
            text = file.read()
        self.assertIn(old, text)
        path = os.path.join(folder, "changed.yaml")
        with open(path, "w") as file:
            file.write(text.replace(old, new))
        return path

    def test_placement_with_regard_to_the_fabric_pays(self):
        packed = self.simulate("--placement", "smallest-span")["physics"]
        loose = self.simulate("--placement", "first-fit")["physics"]
        self.assertGreater(packed["speed"], loose["speed"] + 0.02)
        for run in (packed, loose):
            for row in run["classes"]:
                lost = row["lost_to_span"] + row["lost_to_contention"] + row["lost_to_caps"]
                self.assertAlmostEqual(row["speed"] * row["gpu_hours"] + lost, row["gpu_hours"], places=3)

    def test_off_it_is_as_drawn(self):
        off = self.simulate("--physics", "off")
        self.assertNotIn("physics", off)
        with tempfile.TemporaryDirectory() as folder:
            path = self.changed(folder, "policy: gigawerk", "policy: gigawerk\nphysics: false")
            self.assertEqual(self.simulate(scenario=path)["wait_s"], off["wait_s"])
            self.assertIn("physics", self.simulate("--physics", "on", scenario=path))

    def test_journal_and_files(self):
        with tempfile.TemporaryDirectory() as out:
            journal = os.path.join(out, "journal")
            self.simulate("--out", out, "--journal", journal, "--check", "10")
            self.assert_exit(gw("journal", "verify", journal), 0)
            with open(os.path.join(out, "report.json")) as file:
                self.assertIn("physics", json.load(file))
        result = gw("simulate", SCENARIO, "--days", "2")
        self.assertIn("Speed", result.stdout)
        self.assertIn("contention", result.stdout)

    def test_an_amount_of_tokens_gives_the_run_time(self):
        with tempfile.TemporaryDirectory() as folder:
            work = "work: {model: qwen3-30b-a3b, batch: 64, sequence: 4096"
            once = self.changed(folder, work, work + ", tokens: 1e10")
            hours = [row for row in self.simulate(scenario=once)["physics"]["classes"]
                     if row["class"] == "sparse-pretraining"][0]
            twice = self.changed(folder, work, work + ", tokens: 2e10")
            longer = [row for row in self.simulate(scenario=twice)["physics"]["classes"]
                      if row["class"] == "sparse-pretraining"][0]
            ratio = longer["gpu_hours"] / longer["jobs"] / (hours["gpu_hours"] / hours["jobs"])
            self.assertGreater(ratio, 1.4)
            self.assertLess(ratio, 2.8)

    def test_a_log_is_timed_by_physics_if_asked(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "jobs.swf")
            self.assert_exit(gw("workload", "generate", SCENARIO, "--days", "2", "--out", log), 0)
            words = ("replay", log, "--fleet", SCENARIO, "--json")
            plain = json.loads(gw(*words).stdout)
            self.assertNotIn("physics", plain)
            asked = gw(*words, "--physics")
            self.assert_exit(asked, 0)
            self.assertIn("physics", json.loads(asked.stdout))
            small = os.path.join(SOURCE, "scenarios/small-cluster.yaml")
            self.assert_refused(gw("replay", log, "--fleet", small, "--physics"), 1, "no class says")

    def test_refusals(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self.changed(folder, "model: llama-3-70b", "model: llama-3-405b")
            result = gw("simulate", path)
            self.assert_refused(result, 1, "short by")
            path = self.changed(folder, "model: llama-3-70b", "model: llama-3-71b")
            self.assert_refused(gw("simulate", path), 1, "unknown model \"llama-3-71b\"")

    def test_validate_says_what_does_not_fit_and_where(self):
        self.assert_exit(gw("validate", SCENARIO), 0)
        with tempfile.TemporaryDirectory() as folder:
            path = self.changed(folder, "model: llama-3-70b", "model: llama-3-405b")
            with open(path) as file:
                line = 1 + [index for index, text in enumerate(file) if "llama-3-405b" in text][0]
            result = gw("validate", path)
            self.assert_exit(result, 1)
            self.assertRegex(result.stdout, rf"changed.yaml:{line}:\d+: class \"full-fine-tuning\" on 32 GPUs of the type .*"
                                            r"short by .*; change its `work`, `sizes` or `gpu_types`")
            finding = json.loads(gw("validate", path, "--json").stdout)["files"][0]["findings"][0]
            self.assertEqual((finding["line"], finding["severity"]), (line, "error"))
            # What simulate refuses and what validate says are the same words.
            self.assertIn(finding["message"], gw("simulate", path).stderr)
            path = self.changed(folder, "work: {model: llama-3-70b, batch: 16, sequence: 4096}",
                                "work: {model: llama-3-70b, batch: 16, sequence: 4096, layout: {tensor: 3}}")
            result = gw("validate", path)
            self.assert_exit(result, 1)
            self.assertIn("class \"full-fine-tuning\" on 32 GPUs", result.stdout)
            path = self.changed(folder, "policy: gigawerk", "policy: gigawerk\nphysics: false")
            with open(path) as file:
                text = file.read().replace("model: llama-3-70b", "model: llama-3-405b")
            with open(path, "w") as file:
                file.write(text)
            result = gw("validate", path)
            self.assert_exit(result, 0)
            self.assertIn("warning: class \"full-fine-tuning\"", result.stdout)

    def test_what_has_no_work_is_not_timed(self):
        plain = os.path.join(SOURCE, "tests/data/small-factory.yaml")
        self.assert_refused(gw("simulate", plain, "--physics", "on"), 1, "no class says what its jobs compute")


if __name__ == "__main__":
    unittest.main()
