"""gw workload: what is generated matches the studies, survives SWF, and is described as it is."""

import csv
import io
import json
import os
import tempfile
import unittest

from gw_command import SOURCE, GwTest, gw

STUDIES = os.path.join(SOURCE, "scenarios", "studies")
HELIOS = os.path.join(STUDIES, "helios.yaml")


class WorkloadTest(GwTest):
    def test_generated_jobs_match_every_study(self):
        result = gw("workload", "check", "--jobs", "300000", "--json")
        self.assert_exit(result, 0)
        studies = json.loads(result.stdout)
        self.assertEqual([study["study"] for study in studies], ["philly", "pai", "helios", "seren", "kalos"])
        for study in studies:
            for figure in study["figures"]:
                self.assertLessEqual(figure["error"], figure["bound"], (study["study"], figure))

    def test_few_jobs_have_wider_bounds(self):
        for seed in "123":
            self.assert_exit(gw("workload", "check", "helios", "--jobs", "10000", "--seed", seed), 0)

    def test_options_for_generated_jobs_are_refused_on_a_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "one.swf")
            with open(log, "w") as file:
                file.write("1 0 -1 9 1 -1 -1 1 9 -1 1 1 1 -1 1 -1 -1 -1\n")
            for option in ("--days", "--load", "--seed"):
                self.assert_refused(gw("workload", "describe", log, option, "1"), 1, "leave them out")
        self.assert_refused(gw("workload", "describe", HELIOS, "--format", "swf"), 1, "leave it out")

    def test_every_study_has_a_scenario_and_every_scenario_a_study(self):
        published = {study["name"] for study in json.loads(gw("workload", "studies", "--json").stdout)}
        self.assertEqual(published, {name[: -len(".yaml")] for name in os.listdir(STUDIES)})

    def test_a_log_of_generated_jobs_reads_back_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "helios.swf")
            self.assert_exit(gw("workload", "generate", HELIOS, "--days", "9", "--seed", "5", "-o", log), 0)
            written = json.loads(gw("workload", "describe", log, "--json").stdout)
        generated = json.loads(gw("workload", "describe", HELIOS, "--days", "9", "--seed", "5", "--json").stdout)
        for key in ("jobs", "gpu_hours", "offered_gpus", "first_submit_s", "last_submit_s", "run_s", "limit_s", "sizes",
                    "hour", "weekday", "limit_accuracy", "most_used_20_limits"):
            self.assertEqual(written[key], generated[key], key)
        self.assertGreater(written["jobs"], 50_000)

    def test_csv_has_every_column_and_the_same_jobs(self):
        result = gw("workload", "generate", HELIOS, "--days", "0.2", "--format", "csv")
        self.assert_exit(result, 0)
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        self.assertIn(f"{len(rows)} jobs", result.stderr)
        swf = [line.split() for line in gw("workload", "generate", HELIOS, "--days", "0.2").stdout.splitlines()
               if not line.startswith(";")]
        self.assertEqual(len(rows), len(swf))
        for row, line in zip(rows, swf):
            self.assertEqual([row["submit_s"], row["run_s"], row["total_gpus"], row["limit_s"]],
                             [line[1], line[3], line[7], line[8]])

    def test_load_is_what_was_asked_for(self):
        described = json.loads(gw("workload", "describe", HELIOS, "--days", "200", "--load", "0.5", "--json").stdout)
        self.assertAlmostEqual(described["offered_gpus"] / 6416, 0.5, delta=0.02)

    def test_the_same_seed_gives_the_same_bytes(self):
        once, again, other = (gw("workload", "generate", HELIOS, "--days", "1", "--seed", seed).stdout
                              for seed in ("1", "1", "2"))
        self.assertEqual(once, again)
        self.assertNotEqual(once, other)

    def test_what_cannot_be_generated_is_refused(self):
        self.assert_refused(gw("workload", "generate", HELIOS, "-o", "/no/such/folder/x.swf"), 1, "/no/such/folder")
        with tempfile.TemporaryDirectory() as folder:
            empty = os.path.join(folder, "fleet.yaml")
            with open(empty, "w", encoding="utf-8") as file:
                file.write("gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200, count: 4}}]}\n")
            self.assert_refused(gw("workload", "generate", empty), 1, "no tenant has a load")


if __name__ == "__main__":
    unittest.main()
