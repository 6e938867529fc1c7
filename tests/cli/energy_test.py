"""Prices and carbon: flexible jobs wait for better hours, in simulations and on a running factory."""

import json
import os
import time
import unittest

from factory_server import FactoryServer
from gw_command import SOURCE, FolderTest, gw

SCENARIO = os.path.join(SOURCE, "scenarios/green-hours.yaml")
FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: box, gpu: h100, gpus: 8, cores: 64, memory: 256 GiB, power_max: 9 kW, power_idle: 1 kW}
  sites:
    - name: here
      nodes: [{type: box, count: 2}]
power:
  price:
    - {daily: [PRICES]}
"""


class Energy(FolderTest):
    def simulate(self, *words):
        result = gw("simulate", SCENARIO, "--days", "4", "--check", "1", "--json", *words)
        self.assert_exit(result, 0)
        return json.loads(result.stdout)

    def test_shifting_pays(self):
        energy = self.simulate()["energy"]
        self.assertGreater(energy["shifted_jobs"], 20)
        self.assertGreaterEqual(energy["flexible_jobs"], energy["shifted_jobs"])
        other = energy["without_shifting"]
        self.assertLess(energy["euros"] / energy["mwh"], other["euros"] / other["mwh"])
        self.assertLess(energy["co2_t"] / energy["mwh"], other["co2_t"] / other["mwh"])
        self.assertLessEqual(energy["late_jobs"], energy["flexible_jobs"] // 20)
        alone = self.simulate("--no-shift")["energy"]
        self.assertNotIn("without_shifting", alone)
        self.assertEqual((alone["shifted_jobs"], alone["euros"]), (0, other["euros"]))

    def test_the_terminal_tells_of_it_only_where_there_are_curves(self):
        said = gw("simulate", SCENARIO, "--days", "2").stdout
        self.assertIn("facility energy", said)
        self.assertRegex(said, r"without shifting +\d")
        self.assertRegex(said, r"\d+ of \d+ flexible jobs waited for a better hour")
        other = gw("simulate", os.path.join(SOURCE, "scenarios/small-cluster.yaml"), "--days", "0.5")
        self.assertNotIn("facility energy", other.stdout)

    def test_the_journal_verifies(self):
        journal = os.path.join(self.folder, "run.journal")
        self.assert_exit(gw("simulate", SCENARIO, "--days", "1", "--journal", journal), 0)
        self.assert_exit(gw("journal", "verify", journal), 0)
        self.assertIn("prices of feed 0", gw("journal", "show", journal, "--limit", "3").stdout)

    def test_mistakes_have_their_place(self):
        def told(power):
            path = self.path("bad.yaml", FLEET.split("power:", maxsplit=1)[0] + power)
            return gw("validate", path).stdout
        self.assertIn('either "daily" or "steps"', told("power: {price: [{site: here}]}\n"))
        self.assertIn("not in order of time",
                      told("power: {price: [{steps: [{at: 2h, value: 1}, {at: 1h, value: 2}]}]}\n"))
        self.assertIn('unknown site "her"', told("power: {carbon: [{site: her, daily: [1]}]}\n"))
        self.assertIn("such a curve already", told("power: {carbon: [{daily: [1]}, {daily: [2]}]}\n"))

    def test_a_running_factory(self):
        # Cheap from the fourth hour from now on, for six hours.
        hour = time.gmtime().tm_hour
        prices = ["100"] * 24
        for later in range(4, 10):
            prices[(hour + later) % 24] = "20"
        fleet = self.path("fleet.yaml", FLEET.replace("PRICES", ", ".join(prices)))
        with FactoryServer("--fleet", fleet, "--engine", "twin", "--speed", "2000") as server:
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 14 * 3600))
            job = {"command": ["sleep", "1h"], "gpus": 8, "limit": "2h"}
            flexible = server.submit(**job, flexible=True, deadline=until)
            fixed = server.submit(**job)
            answer = server.get(f"/v1/jobs/{flexible}/explain").json
            self.assertEqual(answer["reason"]["name"], "cheaper-later")
            self.assertLess(answer["facts"]["put_off_until"], answer["facts"]["deadline"])
            server.wait(fixed, "running")
            server.wait(flexible, "running")
            started = server.job(flexible)["started"]
            self.assertGreaterEqual(started, answer["facts"]["put_off_until"])
            self.assertIn(int(started[11:13]), [(hour + later) % 24 for later in range(4, 10)])
            refused = server.post("/v1/jobs", {**job, "flexible": True})
            self.assertEqual(refused.status, 422)
            self.assertIn("deadline", refused.text)


if __name__ == "__main__":
    unittest.main()
