"""SIGHUP: the fleet and the price plans are read anew while jobs run; a file that is no good changes nothing."""

import json
import signal
import time
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  gpu_types:
    - {{name: testgpu, title: Test GPU, vendor: none, source: a test, memory: 80 GB, power_max: 1 kW, power_idle: 100 W}}
  node_types:
    - {{name: box, gpu: testgpu, gpus: {gpus}, cores: 64, memory: 256 GiB, power_max: 9 kW, power_idle: 1 kW}}
  sites:
    - {{name: here, grid: {{capacity: {grid} kW}}, halls: [{{name: hall, racks: {{count: {racks}, nodes: {{type: box, count: 1}}}}}}]}}
{more}
"""
PRICES = "gigawerk: 1\nprices:\n  - {{plan: default, gpu_hour: {{testgpu: {price}}}}}\n"
JOB = {"command": ["sleep", "400h"], "gpus": 8, "limit": "500h"}


def fleet(racks=2, gpus=8, grid=900, more=""):
    return FLEET.format(racks=racks, gpus=gpus, grid=grid, more=more)


class ReloadTest(FolderTest):
    def start(self, *options, first=None, prices=None):
        words = ["--fleet", self.path("fleet.yaml", first or fleet())]
        if prices:
            words += ["--prices", self.path("prices.yaml", prices)]
        server = FactoryServer(*words, *options)
        server.start()
        self.addCleanup(server.close)
        return server

    def until(self, what, why="it does not come about"):
        end = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), end, why)
            time.sleep(0.02)

    def reload(self, server, word="read anew"):
        """Sends SIGHUP and waits for what the log says of it: the new lines."""
        before = len(server.log)
        server.process.send_signal(signal.SIGHUP)
        self.until(lambda: word in server.log[before:], f"the log does not say: {word}")
        return server.log[before:]

    @staticmethod
    def nodes(server):
        return [node["name"] for node in server.get("/v1/nodes?limit=1000").json["nodes"]]

    @staticmethod
    def price(server):
        """Of a GPU for an hour, in millionths of a euro."""
        job = {"command": ["true"], "gpus": 1, "limit": "1h"}
        return server.expect(server.post("/v1/jobs/dry-run", job))["cost"]["micro_eur_per_hour"]

    def test_added_nodes_take_what_waits(self):
        for engine in ("local", "twin"):
            with self.subTest(engine):
                server = self.start("--engine", engine)
                jobs = [server.submit(**JOB) for _ in range(3)]
                for job in jobs[:2]:
                    server.wait(job, "running")
                self.assertEqual(server.job(jobs[2])["status"], "waiting")
                self.assertEqual(len(self.nodes(server)), 2)
                with server.events("/v1/watch") as watch:
                    self.path("fleet.yaml", fleet(racks=3))
                    self.reload(server)
                    # Who watches hears of the start; nothing breaks off.
                    seen = watch.until(lambda event, data: event == "job" and data["number"] == jobs[2]
                                       and data["status"] == "running")
                    self.assertNotIn("reset", [event for event, _ in seen])
                self.assertEqual(len(self.nodes(server)), 3)
                for job in jobs[:2]:
                    self.assertEqual((server.job(job)["status"], server.job(job)["attempt"]), ("running", 1))
                feed = json.loads(server.gw("cap", "list", "--level", "site", "--json").stdout)["feeds"][0]
                self.assertEqual(feed["draw_w"], 27000)
                server.restart()  # It is what was kept.
                self.assertEqual([server.job(job)["attempt"] for job in jobs], [1, 1, 1])

    def test_a_bad_file_changes_nothing(self):
        server = self.start(prices=PRICES.format(price=2))
        job = server.submit(**JOB)
        server.wait(job, "running")
        self.path("prices.yaml", PRICES.format(price=3))
        for text, said in (("gigawerk: 1\nfleet: {nodes: 3", "fleet.yaml:"), (fleet(racks=0), "fleet.yaml:"),
                           ("gigawerk: 1\nfleet: {no_such_key: 1}\n", "no_such_key")):
            self.path("fleet.yaml", text)
            log = self.reload(server, "the factory goes on as it is")
            self.assertIn(said, log)
            self.assertNotIn("read anew", log)
            self.assertEqual(len(self.nodes(server)), 2)
            self.assertEqual(server.job(job)["status"], "running")
        self.path("fleet.yaml", fleet())
        self.path("prices.yaml", "gigawerk: 1\nprices: [{plan: 7 }")
        self.assertIn("prices.yaml:", self.reload(server, "the factory goes on as it is"))
        self.assertEqual(self.price(server), 2_000_000)
        self.path("prices.yaml", PRICES.format(price=3))
        self.reload(server)
        self.assertEqual(self.price(server), 3_000_000)

    def test_a_removed_node_with_a_running_job(self):
        server = self.start()
        jobs = [server.submit(**JOB) for _ in range(2)]
        for job in jobs:
            server.wait(job, "running")
        places = {server.job(job)["place"]: job for job in jobs}
        self.path("fleet.yaml", fleet(racks=1))
        log = self.reload(server, "the factory goes on as it is")
        self.assertIn("1 running job(s) would lose their nodes", log)
        self.assertEqual(len(self.nodes(server)), 2)
        self.assertEqual([server.job(job)["attempt"] for job in jobs], [1, 1])
        # Where it is meant, the job waits again, and its processes end.
        server.restart("--accept-losses")
        self.assertEqual(len(self.nodes(server)), 1)
        left = self.nodes(server)[0]
        lost = next(job for place, job in places.items() if place != left)
        self.path("fleet.yaml", fleet())
        self.reload(server)
        server.wait(lost, "running")
        self.assertEqual(server.job(places[left])["attempt"], 1)
        self.path("fleet.yaml", fleet(racks=1))
        self.reload(server)
        self.until(lambda: server.job(lost)["status"] == "waiting")
        self.assertEqual(server.job(places[left])["status"], "running")
        self.until(lambda: len(server.processes()) == 2, "its processes go on")  # A supervisor and a sleep.

    def test_a_node_that_runs_nothing_goes(self):
        server = self.start("--engine", "twin", "--speed", "10")
        job = server.submit(**JOB)
        place = server.wait(job, "running")["place"]
        self.assertEqual((len(self.nodes(server)), self.nodes(server)[0]), (2, place))
        self.path("fleet.yaml", fleet(racks=1))
        self.reload(server)
        self.assertEqual(self.nodes(server), [place])
        self.assertEqual(server.gw("eta", str(server.submit(**JOB))).returncode, 0)

    def test_changed_caps_rules_and_prices_of_energy(self):
        server = self.start("--engine", "twin")
        jobs = [server.submit(**JOB) for _ in range(2)]
        for job in jobs:
            server.wait(job, "running")
        with server.events("/v1/watch") as watch:
            self.path("fleet.yaml", fleet(grid=1))
            self.reload(server)
            cap = watch.until(lambda event, data: event == "cap")[-1][1]
            self.assertEqual((cap["feed"], cap["met"], cap["cap_w"] < 1001), ("here", False, True))
        for job in jobs:
            self.until(lambda job=job: server.job(job)["status"] == "waiting")
        self.path("fleet.yaml", fleet())
        self.reload(server)
        for job in jobs:
            server.wait(job, "running")

    def test_questions_while_it_reloads(self):
        server = self.start("--engine", "twin", "--speed", "100")
        jobs = [server.submit(**{**JOB, "limit": "2h", "command": ["sleep", "1h"]}) for _ in range(30)]
        server.wait(jobs[0], "running")
        for turn in range(8):
            self.path("fleet.yaml", fleet(racks=2 + turn % 3))
            server.process.send_signal(signal.SIGHUP)
            for job in jobs[-3:]:
                self.assertIn(server.get(f"/v1/jobs/{job}/eta").status, (200, 409))
                self.assertIn(server.get(f"/v1/jobs/{job}/explain?changes=1").status, (200, 409))
            self.assertEqual(server.get("/v1/defrag").status, 200)
            self.assertEqual(server.gw("whatif", "--cap", "here=9kW", "--members", "2", "--horizon", "1h",
                                       "--arrivals", "none").returncode, 0)
        self.assertTrue(server.alive)
        self.assertEqual(server.stop(), 0)

    def test_without_files_there_is_nothing_to_read(self):
        server = FactoryServer()
        server.start()
        self.addCleanup(server.close)
        server.process.send_signal(signal.SIGHUP)
        job, output = server.run("echo", "still here")
        self.assertEqual((job["status"], output), ("completed", "still here\n"))
        self.assertNotIn("anew", server.log)


if __name__ == "__main__":
    unittest.main()
