"""gw validate, gw catalog, gw fleet show and gw schema: what they print, and what they tell the shell."""

import json
import pathlib
import tempfile
import unittest

from gw_command import GwTest, gw

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
FLEET = str(SOURCE / "scenarios/fleets/one-hundred-thousand-gpus.yaml")


class Validate(GwTest):
    def test_good_files(self):
        result = gw("validate", FLEET)
        self.assert_exit(result, 0)
        self.assertIn("valid fleet: 100,000 GPUs in 12,500 nodes", result.stdout)
        self.assert_exit(gw("validate", str(SOURCE / "catalog/gpus.yaml"), FLEET), 0)

    def test_every_mistake_is_named_with_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "bad.yaml"
            file.write_text(
                "gigawerk: 1\nfleet:\n  sites:\n    - name: lab\n      gird: {capacity: 1 MW}\n"
                "      nodes: {type: dgx-b20, count: none}\n"
            )
            result = gw("validate", str(file), FLEET)
            self.assert_exit(result, 1)
            self.assertIn(f'{file}:5:7: unknown key "gird"; did you mean "grid"?\n', result.stdout)
            self.assertIn(f'{file}:6:21: unknown node type "dgx-b20"; did you mean "dgx-b200"?\n', result.stdout)
            self.assertIn(f'{file}:6:37: "count" must be a whole number', result.stdout)
            self.assertIn("2 files, 1 valid: 3 errors, 0 warnings\n", result.stdout)

            report = json.loads(gw("validate", "--json", str(file), FLEET).stdout)
            self.assertEqual([file["valid"] for file in report["files"]], [False, True])
            self.assertEqual([finding["line"] for finding in report["files"][0]["findings"]], [5, 6, 6])

    def findings(self, text, *words):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "file.yaml"
            file.write_text(text)
            return gw("validate", str(file), *words)

    def test_price_files(self):
        good = "gigawerk: 1\nprices: [{plan: default, gpu_hour: {h100: 2}}, {plan: research, core_hour: 0.02}]\n"
        result = self.findings(good)
        self.assert_exit(result, 0)
        self.assertIn("valid price file: 2 price plans\n", result.stdout)
        for text, said in ((good.replace("core_hour", "cor_hour"), ':2:65: unknown key "cor_hour"; did you mean "core_hour"?'),
                           (good.replace("gigawerk: 1\n", ""), '"prices" lacks the key "gigawerk"'),
                           (good.replace("research", "default"), 'plan "default" stands here a second time')):
            result = self.findings(text)
            self.assert_exit(result, 1)
            self.assertIn(said, result.stdout)

    def test_names_of_a_job_against_a_factory(self):
        job = "gigawerk: 1\njob: {command: [a], nodes: 2, gpus: 8, gpu_types: [b20], within: rck}\n"
        result = self.findings(job, "--fleet", FLEET)
        self.assert_exit(result, 1)
        self.assertIn('"gpu_types": this factory has no GPU type "b20"', result.stdout)
        self.assertIn('"within": this factory has no fabric level "rck"', result.stdout)
        self.assert_exit(self.findings(job), 0)
        script = "#!/bin/sh\n#SBATCH --gpus=h1000:1 --partition=x --time=z\ntrue\n"
        result = self.findings(script)
        self.assert_exit(result, 1)
        self.assertIn("--time=z", result.stdout)
        self.assertRegex(result.stdout, r"--partition=x is not supported: .*--skip-unsupported")
        result = self.findings(script.replace(" --partition=x --time=z", ""), "--fleet", FLEET)
        self.assertIn('"gpu_types": this factory has no GPU type "h1000"', result.stdout)

    def test_what_simulate_refuses_is_an_error_here_too(self):
        factory = ("gigawerk: 1\nfleet:\n  sites: {name: lab, nodes: {type: dgx-b200, count: 2}}\n"
                   "classes: [{name: inference-replica, gpu_types: [h100]}]\n"
                   "tenants: [{name: a, load: 0.5, classes: {inference-replica: 1}}]\n")
        result = self.findings(factory)
        self.assert_exit(result, 1)
        self.assertIn('class "inference-replica" is demanded but takes none', result.stdout)
        self.assert_exit(self.findings(factory.replace("h100", "b200")), 0)

    def test_job_files(self):
        job = "gigawerk: 1\njob:\n  command: [python, train.py]\n  nodes: 2\n  gpus: 8\n  array: 0-9\n  limit: 4h\n"
        result = self.findings(job)
        self.assert_exit(result, 0)
        self.assertIn("valid job: 2 nodes with 8 GPUs each, 10 tasks, limit 4h\n", result.stdout)
        result = self.findings(job.replace("4h", "4"))
        self.assert_exit(result, 1)
        self.assertIn(':7:10: "limit" must be an amount with its unit, not "4"', result.stdout)

    def test_sbatch_scripts(self):
        result = self.findings("#!/bin/bash\n#SBATCH -N2 --gpus-per-node=8 -p gpu\nsrun train\n")
        self.assert_exit(result, 1)  # As gw submit.
        self.assertIn(":2:31: --partition=gpu is not supported: Gigawerk has no partitions", result.stdout)
        self.assertIn("--skip-unsupported", result.stdout)
        self.assertIn(":3:1: warning: jobs of Gigawerk have no srun", result.stdout)
        result = self.findings("#!/bin/bash\n#SBATCH -N2 --gpus-per-node=8\ntrain\n")
        self.assert_exit(result, 0)
        self.assertIn("valid sbatch script: 2 nodes with 8 GPUs each\n", result.stdout)
        self.assertIn("valid sbatch script", self.findings("#!/bin/bash\ntrain\n").stdout)
        self.assertIn("valid job", self.findings('{"command": ["true"], "gpus": 1}').stdout)
        result = self.findings("#!/bin/bash\n#SBATCH -N4 --gpus=6\nsrun train\n")
        self.assert_exit(result, 1)
        self.assertIn(":2:13: --gpus=6 does not spread evenly over 4 nodes", result.stdout)

    def test_names_are_shown_and_not_obeyed(self):
        result = self.findings('gigawerk: 1\n"\\e[31mred": 1\n')
        self.assertNotIn("\x1b", result.stdout)
        self.assertIn("\\x1b[31mred", result.stdout)


class FleetShow(GwTest):
    def test_totals(self):
        fleet = json.loads(gw("fleet", "show", "--json", FLEET).stdout)
        totals = fleet["totals"]
        self.assertEqual(totals["gpus"], 100_000)
        self.assertEqual(totals["racks"], 3125)
        self.assertAlmostEqual(totals["dense_bf16_pflops"], 225_000)
        self.assertAlmostEqual(totals["it_power_max_w"], 12_500 * 14_300)
        self.assertAlmostEqual(totals["facility_power_max_w"], 12_500 * 14_300 * 1.1)
        self.assertEqual([level["level"] for level in fleet["fabric"]], ["rack", "leaf", "spine", "site"])
        hall = fleet["tree"][0]["parts"][0]
        self.assertEqual((hall["level"], hall["count"], hall["each"]["gpus"]), ("hall", 25, 4000))

    def test_a_node_list(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "nodes.csv"
            file.write_text("sn,cpu_milli,memory_mib,gpu,model\na,96000,786432,8,V100M32\nb,96000,786432,8,V100M32\n")
            shown = gw("fleet", "show", str(file))
            self.assert_exit(shown, 0)
            self.assertIn("16 x V100M32", shown.stdout)
            self.assertEqual(json.loads(gw("fleet", "show", str(file), "--json").stdout)["totals"]["gpus"], 16)

    def test_depth_limits_the_tree(self):
        deep = gw("fleet", "show", FLEET).stdout
        flat = gw("fleet", "show", "--depth", "1", FLEET).stdout
        self.assertIn("25 x rack", deep)
        self.assertIn("site north", flat)
        self.assertNotIn("rack ", flat.split("EACH")[1])
        self.assert_exit(gw("fleet", "show", "--depth", "9", FLEET), 2)


class CatalogAndSchema(GwTest):
    def test_lists(self):
        for kind, name in (("gpus", "b200"), ("nodes", "dgx-b200"), ("models", "llama-3-405b")):
            self.assertIn(name, gw("catalog", kind).stdout)
            entries = json.loads(gw("catalog", kind, "--json").stdout)
            self.assertIn(name, [entry["name"] for entry in entries])
            for entry in entries:
                self.assertTrue(entry["source"], entry["name"])

    def test_schemas_are_json(self):
        for kind in ("scenario", "fleet", "catalog", "job"):
            schema = json.loads(gw("schema", kind).stdout)
            self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        self.assertIn("| `gigawerk` |", gw("schema", "--markdown").stdout)
        self.assert_exit(gw("schema", "novel"), 2)
        self.assertIn("| `-N`, `--nodes=N` |", gw("schema", "sbatch", "--markdown").stdout)
        self.assert_exit(gw("schema", "sbatch"), 1)


if __name__ == "__main__":
    unittest.main()
