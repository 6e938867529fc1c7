"""What operators read: amounts of power, reasons, names of tasks, as people write them and not as the program keeps
them."""

import json
import re
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: box, gpu: h100, gpus: 8, cores: 64, memory: 1 TiB, power_max: 10 kW, power_idle: 1 kW}
  sites:
    - name: here
      grid: {capacity: 12.5 MW}
      nodes: [{type: box, count: 2}]
"""


class WordsTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin", "--speed", "600")
        self.server.start()
        self.addCleanup(self.server.close)

    def test_power_is_in_the_unit_that_fits(self):
        refused = self.server.gw("cap", "set", "here", "13MW").stderr
        self.assertIn("here is built for 12.5 MW of IT power", refused)
        self.server.gw("cap", "set", "here", "1.25MW")
        self.server.gw("cap", "set", "here", "500W")
        audit = self.server.gw("audit").stdout
        self.assertIn(": 1.25 MW from", audit)
        self.assertNotIn("e+", audit)
        self.assertIn("draw 2 kW, more than the cap of 500 W", self.server.gw("cap", "set", "here", "500W").stdout)
        self.assertIn("here carries 700 W of IT power",
                      self.server.gw("whatif", "--cap", "here=700W", "--arrivals", "none", "--horizon", "1h").stdout)

    def test_explain_of_a_job_that_runs_or_has_ended(self):
        number = self.server.submit(command=["sleep", "400h"], gpus=8, nodes=2, limit="500h")
        self.server.wait(number, "running")
        self.assertRegex(self.server.gw("explain", str(number)).stdout, rf"^job {number} is running, since 20[^(]*\n")
        waiting = self.server.submit(command=["true"], gpus=8)
        self.assertIn("it asks for 8 GPU(s); free now: 0 of its kind, 0 in all",
                      self.server.gw("explain", str(waiting)).stdout)
        self.server.gw("cancel", str(waiting))
        self.assertRegex(self.server.gw("explain", str(waiting)).stdout, rf"^job {waiting} is cancelled, since 20[^(]*\n")

    def test_no_time_is_free_says_why(self):
        found = self.server.gw("reserve", "find", "--nodes", "3", "--for", "1h")
        self.assertIn("the factory has not so many nodes of that kind in service", found.stdout)
        self.assertNotIn("too_few_nodes", found.stdout)

    def test_usage_names_tasks_as_ps_does(self):
        alone = self.server.submit(command=["sleep", "1h"], gpus=1, limit="2h")
        array = self.server.gw("submit", "--array", "1-2", "--gpus", "1", "--time", "2h", "--wrap", "sleep 1h")
        self.assertEqual(array.returncode, 0, array.stderr)
        number = int(re.search(r"\d+", array.stdout).group())
        for each in (alone, number, number + 1):
            self.server.wait(each, "running")
        names = {str(alone), f"{number}_1", f"{number}_2"}
        self.assertEqual({each["id"] for each in self.server.get("/v1/jobs").json["jobs"]}, names)
        self.assertEqual({each["job"] for each in self.server.get("/v1/usage?by=job").json["lines"]}, names)
        self.server.gw("cancel", str(alone), str(number))
        for each in (alone, number, number + 1):
            self.server.wait(each)
        self.assertEqual({each["job"] for each in self.server.get("/v1/usage?by=job").json["lines"]}, names)
        table = self.server.gw("usage", "--by", "job").stdout
        self.assertRegex(table, rf" {number}_2 +h100 ")
        rows = self.server.get("/v1/usage?format=focus&by=job").text
        self.assertIn(f",{number}_1,", rows)


if __name__ == "__main__":
    unittest.main()
