"""Nodes by name on a running factory: one, or all of a rack, a row, a site; what is said where a name is none."""

import json
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: box, gpu: h100, gpus: 8, cores: 64, memory: 1 TiB, power_max: 10 kW}
  sites:
    - name: here
      halls:
        - name: left
          rows: {count: 2, racks: {count: 2, nodes: {type: box, count: 3}}}
        - name: right
          rows: {racks: {nodes: {type: box, count: 3}}}
"""
RACK = "here/left/row-02/rack-01"


class NodeNamesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin")
        self.server.start()
        self.addCleanup(self.server.close)

    def drained(self):
        listed = json.loads(self.server.gw("nodes", "--state", "drained", "--json").stdout)["nodes"]
        return [each["name"] for each in listed]

    def test_a_rack_is_drained_and_taken_back(self):
        rack = [f"{RACK}/node-{node}" for node in (1, 2, 3)]
        told = self.server.gw("drain", RACK, "--reason", "fan")
        self.assertEqual((told.returncode, told.stdout), (0, f"{RACK}: 3 nodes, 3 drained\n"), told.stderr)
        self.assertEqual(self.drained(), rack)
        audit = self.server.get("/v1/audit").json["audit"][0]
        self.assertEqual((audit["action"], audit["target"], audit["detail"]), ("node.drain", RACK, "3 nodes: fan"))
        self.assertEqual(self.server.gw("resume", "row-02/rack-01/node-2").stdout, f"{RACK}/node-2 is up\n")
        self.assertEqual(self.drained(), [rack[0], rack[2]])
        self.server.restart()  # It is kept.
        self.assertEqual(self.drained(), [rack[0], rack[2]])
        answer = json.loads(self.server.gw("resume", "row-02", "--json").stdout)["nodes"][0]
        self.assertEqual(answer, {"name": "here/left/row-02", "count": 6,
                                  "states": {"up": 6, "down": 0, "draining": 0, "drained": 0}})
        self.assertEqual(self.drained(), [])

    def test_lists_are_of_what_is_named(self):
        def names(*words):
            return [each["name"] for each in json.loads(self.server.gw("nodes", *words, "--json").stdout)["nodes"]]

        self.assertEqual(len(names()), 15)
        self.assertEqual(names("right"), [f"here/right/row-01/rack-01/node-{node}" for node in (1, 2, 3)])
        self.assertEqual(len(names("left", "row-02", "right")), 15)  # None twice.
        self.server.gw("drain", "right")
        self.assertEqual(names("left/row-01", "--state", "drained"), [])
        page = self.server.get("/v1/nodes?node=left&limit=5&after=10").json
        self.assertEqual((len(page["nodes"]), page["found"], page["total"], page["next"]), (2, 12, 15, None))
        found = self.server.get("/v1/nodes?node=right&sort=-name&limit=1").json
        self.assertEqual((found["nodes"][0]["name"], found["found"]), ("here/right/row-01/rack-01/node-3", 3))
        shown = self.server.get("/v1/nodes/right")
        self.assertEqual((shown.status, shown.code), (404, "unknown_node"))
        self.assertIn("node=right", shown.text)

    def test_a_rack_is_reserved(self):
        made = self.server.gw("reserve", "create", "patches", "--maintenance", "--node", RACK, "--node", f"{RACK}/node-1",
                              "--from", "2099-01-01", "--for", "2h")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn(f"reservation patches: 3 nodes from {RACK}/node-1 to {RACK}/node-3", made.stdout)

    def test_what_is_no_name_says_what_may_be_meant(self):
        for words, part in ((("drain", "row-01"), "row-01 is called so more than once: here/left/row-01, here/right/row-01"),
                            (("resume", "here/lft/row-01"), "did you mean here/left/row-01?"),
                            (("nodes", "here/left/row-01/rack-07"), "here/left/row-01 holds rack-01 and rack-02"),
                            (("nodes", "elsewhere"), "gw nodes lists them"),
                            (("reserve", "create", "one", "--maintenance", "--node", "hre", "--for", "1h"),
                             "did you mean here?"),
                            (("whatif", "--drain", "here/left/shelf"), "here/left holds row-01 and row-02")):
            with self.subTest(words=words):
                refused = self.server.gw(*words)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(part, refused.stderr)
        self.assertEqual(self.drained(), [])


if __name__ == "__main__":
    unittest.main()
