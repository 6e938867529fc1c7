"""gw physics cost: items, debt, prices of the user, rents, and the comparison with published ones."""

import json

from gw_command import FolderTest, gw


def cost(*words):
    return json.loads(gw("physics", "cost", *words, "--json").stdout)


class PhysicsCostTest(FolderTest):
    def test_items_sum_to_the_total(self):
        given = cost("--gpu", "h100", "--gpus", "1024", "--run-gpu-hours", "1000", "--tokens-per-gpu-s", "1000")
        hour = given["eur_per_gpu_hour"]["value"]
        self.assertAlmostEqual(sum(each["eur_per_gpu_hour"]["value"] for each in given["items"]), hour, places=9)
        self.assertAlmostEqual(sum(each["share"] for each in given["items"]), 1, places=9)
        self.assertAlmostEqual(given["eur_per_run"]["value"], 1000 * hour, places=6)
        self.assertAlmostEqual(given["eur_per_million_tokens"]["value"], hour / 3.6, places=9)
        self.assertLess(given["eur_per_gpu_hour"]["low"], hour)
        self.assertGreater(given["eur_per_gpu_hour"]["high"], hour)

    def test_interest_follows_the_debt(self):
        def interest(*words):
            return cost(*words)["items"][-1]["eur_per_gpu_hour"]["value"]
        self.assertEqual(interest("--rate", "0"), 0)
        self.assertGreater(interest("--rate", "0.1"), interest("--rate", "0.05"))
        self.assertGreater(interest("--tranche", "1,0.08,5,-1"), interest("--tranche", "1,0.08,5,0"))
        self.assertGreater(interest("--tranche", "1,0.08,5,0,bullet"), interest("--tranche", "1,0.08,5,0,annuity"))
        self.assertAlmostEqual(interest("--tranche", "0.5,0.08,5", "--tranche", "0.5,0.08,5"),
                               interest("--tranche", "1,0.08,5"), places=9)

    def test_prices_of_the_user_take_their_place(self):
        own = self.path("own.yaml", "prices:\n  - {item: energy, value: 8000, unit: EUR/MWh, date: 2026-01-01}\n")
        self.assertGreater(cost("--prices", own)["eur_per_gpu_hour"]["value"], 5)
        self.assertEqual(cost("--energy-price", "8000 EUR/MWh")["items"], cost("--prices", own, "--energy-price",
                                                                               "8000 EUR/MWh")["items"])
        self.assert_exit(gw("validate", own), 0)

    def test_wrong_prices_name_their_place(self):
        def refused(row, words):
            path = self.path("own.yaml", "prices:\n  - {" + row + "}\n")
            self.assert_refused(gw("physics", "cost", "--prices", path), 1, words)
        refused("item: energi, value: 8, unit: EUR/MWh, date: 2026-01-01", "energy")
        refused("item: energy, value: 8, unit: EUR/GPU, date: 2026-01-01", "must be USD/MWh or EUR/MWh")
        refused("item: energy, value: 8, unit: EUR/MWh, date: 2026-13-01", "must be a day")
        refused("item: gpu, gpu: h101, value: 8, unit: EUR/GPU, date: 2026-01-01", "unknown GPU type")
        refused("item: gpu, value: 8, low: 9, unit: EUR/GPU, date: 2026-01-01", "must not be above")

    def test_rents_return(self):
        rich = cost("--rental", "5")["rental"]
        poor = cost("--rental", "0.3")["rental"]
        self.assertGreater(rich["internal_rate"], 0.2)
        self.assertLess(rich["payback_years"], 3)
        self.assertIsNone(poor["payback_years"])

    def test_returns_without_a_number_say_which_way(self):
        rich, poor = (cost("--rental", rent)["rental"] for rent in ("500", "0.05"))
        self.assertEqual((rich["internal_rate"], rich["internal_rate_above"], rich["earns_running_costs"]), (None, 100, True))
        self.assertEqual((poor["internal_rate"], poor["internal_rate_above"], poor["earns_running_costs"]), (None, None, False))
        self.assertIn("internal rate of return above 10,000 %", gw("physics", "cost", "--rental", "500").stdout)
        self.assertIn("none: it never earns its running costs", gw("physics", "cost", "--rental", "0.05").stdout)
        # Where all costs but interest are just covered the rate is nothing, without a sign.
        given = cost("--rate", "0")
        even = given["eur_per_gpu_hour"]["value"]
        for rent in (even, even - 1e-5, even + 1e-5):
            self.assertIn("internal rate of return 0.0 %", gw("physics", "cost", "--rental", f"{rent:.9f}").stdout)

    def test_a_rent_of_another_year_says_so(self):
        text = gw("physics", "cost", "--gpu", "h100", "--year", "2030").stdout
        self.assertIn("that is the rent of 2026.2, not of 2030", text)
        self.assertNotIn("that is the rent", gw("physics", "cost", "--gpu", "h100", "--year", "2026").stdout)
        self.assertNotIn("that is the rent", gw("physics", "cost", "--gpu", "h100", "--year", "2030", "--rental", "1").stdout)
        self.assertAlmostEqual(cost("--year", "2030")["rental"]["of_year"], 2026.16, places=1)
        own = self.path("own.yaml", "prices:\n  - {item: rental, gpu: h100, value: 2, yearly: -0.2, unit: EUR/GPU-h, "
                        "date: 2026-01-01}\n")
        rent = cost("--year", "2030", "--prices", own)["rental"]
        self.assertAlmostEqual(rent["eur_per_gpu_hour"], 2 * 0.8 ** 4, places=2)
        self.assertNotIn("that is the rent", gw("physics", "cost", "--year", "2030", "--prices", own).stdout)
        self.assertEqual(cost("--rental", "0")["rental"]["eur_per_gpu_hour"], 0)

    def test_small_factories_are_told_in_thousands(self):
        self.assertRegex(gw("physics", "cost", "--gpus", "1").stdout, r"capital \d\d\.\d \(.*\) thousand EUR")
        self.assertIn("million EUR", gw("physics", "cost", "--gpus", "1024").stdout)

    def test_wrong_words_are_refused(self):
        self.assert_refused(gw("physics", "cost", "--gpu", "vera-rubin"), 1, "no gpu for vera-rubin")
        self.assert_refused(gw("physics", "cost", "--tranche", "1,2"), 1, "three to five")
        self.assert_refused(gw("physics", "cost", "--tranche", "0.6,0.1,5", "--tranche", "0.6,0.1,5"), 1, "more than all")
        self.assert_refused(gw("physics", "cost", "--energy-price", "cheap"), 1, "80 EUR/MWh")
        self.assert_refused(gw("physics", "cost", "--tranche", "1,8,5"), 1, "the rate a year is between 0 and 1")
        self.assert_refused(gw("physics", "cost", "--run-gpu-hours", "0"), 2, "--run-gpu-hours")
        self.assert_refused(gw("physics", "cost", "--tokens-per-gpu-s", "0"), 2, "--tokens-per-gpu-s")

    def test_shares_may_begin_with_their_point(self):
        self.assertEqual(cost("--tranche", "1,.08,5,-.5"), cost("--tranche", "1,0.08,5,-0.5"))

    def test_published_prices_are_compared(self):
        self.path("cost.csv", "id,group,item,value,unit,low,high,date\n"
                              "K1,rental,H100,2.1,USD per GPU-h,1.8,2.3,2026-03\n"
                              "K2,energy,wind,25,EUR per MWh,,,2026-04\n")
        report = json.loads(gw("physics", "validate", "--data", self.folder, "--json").stdout)["cost"]
        self.assertEqual(report["totals"][0]["points"], 1)
        self.assertEqual(report["left_out"], [{"reason": "an input of the model", "rows": 1}])


if __name__ == "__main__":
    import unittest

    unittest.main()
