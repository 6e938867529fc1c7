"""gw physics power: parts that add up, caps, cooling, carbon; watts in gw physics train; power in validate."""

import json

from gw_command import FolderTest, gw

STEP = ["llama-3-70b", "--gpus", "64", "--tp", "4", "--pp", "8", "--vpp", "5", "--sequence", "8192", "--batch", "256",
        "--precision", "fp8"]


def power(*words):
    return json.loads(gw("physics", "power", *STEP, *words, "--json").stdout)


class PhysicsPowerTest(FolderTest):
    def test_parts_add_up_from_the_gpu_to_the_facility(self):
        given = power("--cooling", "direct-liquid", "--outside-c", "25", "--carbon", "300")
        node = given["node"]
        self.assertAlmostEqual(node["gpus_w"], 8 * given["gpu_power"]["mean_w"], places=3)
        self.assertAlmostEqual(sum(node[part] for part in ("gpus_w", "host_w", "fans_w", "supplies_w")),
                               node["total_w"], places=3)
        plant = given["facility"]
        self.assertAlmostEqual(plant["rejected_w"], plant["total_w"], places=3)
        self.assertAlmostEqual(plant["pue"], plant["total_w"] / plant["it_w"], places=9)
        self.assertAlmostEqual(given["feed"]["mean_w"], plant["it_w"], delta=1e-3 * plant["it_w"])
        self.assertGreater(given["feed"]["peak_to_mean"], 1)
        day = given["day_energy"]
        self.assertAlmostEqual(day["carbon_kg"], 0.3 * day["facility_kwh"], places=3)
        self.assertAlmostEqual(day["facility_kwh"], plant["total_w"] * 24 / 1000, places=3)

    def test_caps_cost_less_speed_than_they_save_power(self):
        free, capped = power(), power("--cap-w", "500")
        self.assertLess(capped["gpu_power"]["peak_w"], 500.001)
        share = capped["gpu_power"]["mean_w"] / free["gpu_power"]["mean_w"]
        self.assertLess(share, capped["speed"])
        self.assertLess(capped["speed"], 1)
        self.assertAlmostEqual(capped["step_s"] * capped["speed"], free["step_s"], places=9)
        self.assertLess(power("--clock-share", "0.6")["speed"], 0.95)
        self.assert_refused(gw("physics", "power", *STEP, "--cap-w", "500", "--clock-share", "0.6"), 2, "excludes")

    def test_a_cap_that_does_nothing_says_so(self):
        said = gw("physics", "power", *STEP, "--cap-w", "5000").stdout
        self.assertIn("a cap of 5.00 kW changes nothing: it is not below what the GPU allows itself; the TDP of the h100 is "
                      "700 W", said)
        self.assertNotIn("under the limit", said)
        self.assertIn("under the limit", gw("physics", "power", *STEP, "--cap-w", "400").stdout)
        told = gw("physics", "power")
        self.assert_refused(told, 1, "which model? Name it behind the command, such as llama-3-8b")
        self.assertNotIn("physics train", told.stderr)

    def test_warmer_air_costs_more(self):
        cold, warm = power("--outside-c", "5"), power("--outside-c", "35")
        self.assertLess(cold["facility"]["pue"], warm["facility"]["pue"])
        self.assertGreaterEqual(cold["facility"]["pue"], 1)
        self.assert_refused(gw("physics", "power", *STEP, "--checkpoint-s", "30"), 1, "belong together")

    def test_pauses_for_checkpoints_are_in_all_that_follows(self):
        words = ("--checkpoint-s", "600", "--checkpoint-every-s", "30")
        free, paused = power("--carbon", "300"), power("--carbon", "300", *words)
        self.assertAlmostEqual(paused["paused_share"], 600 / 630, places=9)
        self.assertAlmostEqual(paused["tokens_s"], free["tokens_s"] * 30 / 630, places=3)
        self.assertLess(paused["feed"]["mean_w"], 0.9 * free["feed"]["mean_w"])
        day = paused["day_energy"]
        self.assertAlmostEqual(day["it_kwh"] * 1000 / 24 / paused["feed"]["mean_w"], 1, places=3)
        self.assertAlmostEqual(day["facility_kwh"] * 1000 / 24 / paused["facility"]["total_w"], 1, places=9)
        self.assertAlmostEqual(day["carbon_kg"], 0.3 * day["facility_kwh"], places=3)
        self.assertLess(paused["rack"]["total_w"], free["rack"]["total_w"])
        # What a step takes is that of the whole day over its steps.
        steps = 86400 * (1 - paused["paused_share"]) / paused["step_s"]
        self.assertAlmostEqual(paused["step_energy"]["it_kwh"] * steps / day["it_kwh"], 1, places=6)
        self.assertIn("paused for checkpoints 95.2 % of the time", gw("physics", "power", *STEP, *words).stdout)

    def test_train_prints_watts(self):
        given = json.loads(gw("physics", "train", *STEP, "--json").stdout)["power"]
        self.assertAlmostEqual(given["gpu_w"], power()["gpu_power"]["mean_w"], places=6)
        self.assertAlmostEqual(given["all_nodes_w"], 8 * given["node_w"], places=3)
        self.assertIn("W per GPU", gw("physics", "train", *STEP).stdout)

    def test_measured_power_is_compared(self):
        self.path("power.csv", "id,group,kind,system,gpus,gpu_type,cooling,workload,utilisation_context,metric,value,unit\n"
                  "A,mine,measurement,x,8,H100,air,resnet,,mean node power,7000,W\n"
                  "B,mine,nameplate,x,8,H100,air,,,maximum,10200,W\n")
        report = json.loads(gw("physics", "validate", "--data", self.folder, "--json").stdout)["power"]
        self.assertEqual(report["totals"][0]["points"], 1)
        self.assertEqual(report["left_out"], [{"reason": "a nameplate, not what is drawn", "rows": 1}])


if __name__ == "__main__":
    import unittest

    unittest.main()
