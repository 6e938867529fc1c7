"""Elastic jobs on a running factory: they start on what is free, give nodes up, and grow again."""

import json
import time
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: box, gpu: h100, gpus: 8, cores: 64, memory: 1 TiB, power_max: 10 kW}
  fabric: [{level: leaf, nodes: 4}]
  sites:
    - name: here
      nodes: [{type: box, count: 8}]
"""
SPEED = 6000


class ElasticTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin", "--speed", str(SPEED))
        self.server.start()
        self.addCleanup(self.server.close)

    def submit(self, *words):
        done = self.server.gw("run", "--detach", "-g", "8", "-t", "500h", *words, "--", "sleep", "400h")
        self.assertEqual(done.returncode, 0, done.stderr)
        return int("".join(c for c in done.stdout.split()[-1] if c.isdigit()))

    def wait_for_nodes(self, job, count):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            seen = self.server.job(job)
            if seen["status"] == "running" and seen["nodes"] == count:
                return
            time.sleep(0.05)
        self.fail(f"job {job} is not on {count} nodes: {seen}")

    def test_a_range_of_nodes_shrinks_and_grows(self):
        job = self.submit("-N", "2-8", "--checkpoint-interval", "10min")
        self.wait_for_nodes(job, 8)
        other = self.submit("-N", "4")
        self.wait_for_nodes(other, 4)
        self.wait_for_nodes(job, 4)
        self.server.gw("cancel", str(other))
        self.wait_for_nodes(job, 8)
        attempts = sorted(self.server.job(job)["attempts"], key=lambda attempt: attempt["attempt"])
        self.assertEqual([attempt["gpus"] for attempt in attempts], [64, 32, 64])
        self.assertEqual([attempt["end"] for attempt in attempts[:2]], ["preempted", "preempted"])
        self.assertIn(f"for job {other}", attempts[0]["note"])
        self.assertEqual(attempts[1]["note"], "goes on with 8 nodes")

    def test_one_number_of_nodes_leaves_the_most_of_a_job_file(self):
        file = self.path("el.yaml", "gigawerk: 1\njob: {command: [sleep, 400h], nodes: 2, nodes_max: 8, gpus: 8, limit: 500h, "
                                    "gpu_types: [h100], preemptible: true}\n")
        self.assert_refused(self.server.gw("submit", file, "--nodes", "10"), 2, "the file says nodes_max: 8")
        for words, said in (((), (2, 8)), (("--nodes", "3"), (3, 8)), (("--nodes", "3-4"), (3, 4)),
                            (("--nodes", "3-3"), (3, None)), (("--nodes", "8"), (8, None))):
            printed = self.server.gw("submit", file, *words, "--print")
            self.assert_exit(printed, 0)
            spec = json.loads(printed.stdout)
            self.assertEqual((spec["nodes"], spec.get("nodes_max")), said, words)
        script = self.path("el.sh", "#!/bin/sh\n#SBATCH --nodes=2-8 --time=1:00:00\ntrue\n")
        spec = json.loads(self.server.gw("submit", script, "--nodes", "3", "--print").stdout)
        self.assertEqual((spec["nodes"], spec.get("nodes_max")), (3, None))  # As sbatch does.
        done = self.server.gw("submit", file)
        self.assert_exit(done, 0)
        shown = self.server.gw("show", done.stdout.split()[-1]).stdout
        for line in (r"asks for +\d of 2 to 8 node\(s\), ", r"GPU types +h100\n", r"preemptible +yes\n"):
            self.assertRegex(shown, line)

    def test_without_checkpoints_it_keeps_its_size(self):
        script = self.path("job.sh", "#!/bin/sh\n#SBATCH --nodes=2-6 --gpus-per-node=8 --time=500:00:00\nsleep 1000000\n")
        done = self.server.gw("submit", script)
        self.assertEqual(done.returncode, 0, done.stderr)
        job = int("".join(c for c in done.stdout.split()[-1] if c.isdigit()))
        self.wait_for_nodes(job, 6)
        other = self.submit("-N", "4")
        self.server.wait(other, "waiting")
        self.assertEqual(self.server.job(job)["nodes"], 6)

    def test_what_makes_no_sense_is_refused(self):
        for words, part in ((("-N", "4-2"), "begins with more nodes than it ends with"),
                            (("-N", "x"), "is no number of nodes"),
                            (("-N", "2-4", "--spread", "leaf"), "\"nodes_max\" excludes")):
            with self.subTest(words=words):
                done = self.server.gw("run", "--detach", *words, "--", "true")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main()
