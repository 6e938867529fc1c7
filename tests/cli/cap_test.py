"""Power caps of a running factory: set, scheduled, kept over a restart, met by clocks or stops, and a command that limits
real GPUs."""

import json
import os
import pathlib
import time
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  gpu_types:
    - {name: testgpu, title: Test GPU, vendor: none, source: a test, memory: 80 GB, power_max: 1 kW, power_idle: 100 W, power_floor: 0.5, floor_speed: 0.8}
  node_types:
    - {name: box, gpu: testgpu, gpus: 8, cores: 64, memory: 256 GiB, power_max: 9 kW, power_idle: 1 kW}
  sites:
    - name: here
      pue: 1.25
      grid: {capacity: 45 kW}
      halls:
        - {name: left, racks: {count: 1, nodes: {type: box, count: 2}}}
        - {name: right, racks: {count: 1, nodes: {type: box, count: 2}}}
"""
JOB = {"command": ["sleep", "400h"], "gpus": 8, "limit": "500h", "preemptible": True}


class CapTest(FolderTest):
    def start(self, *options):
        server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), *options)
        server.start()
        self.addCleanup(server.close)
        return server

    def until(self, what):
        end = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), end, "it does not come about")
            time.sleep(0.05)

    def feed(self, server, name):
        rows = json.loads(server.gw("cap", "list", "--json").stdout)["feeds"]
        return next(row for row in rows if row["feed"] == name)

    def run_jobs(self, server, count):
        jobs = [server.submit(**JOB) for _ in range(count)]
        for job in jobs:
            server.wait(job, "running")
        return jobs

    def test_when_a_cap_begins(self):
        server = self.start("--engine", "twin", "--speed", "60")
        for words, code, said in ((("--from", "2020-01-01"), 1, "its beginning, 2020-01-01, is over"),
                                  (("--from", "xx"), 2, "xx is no time; write 2026-11-28T08:00:00Z"),
                                  (("--for", "60"), 2, "60 is no span of time")):
            self.assert_refused(server.gw("cap", "set", "here", "40kW", *words), code, said)
        self.assert_exit(server.gw("cap", "set", "here", "40kW", "--from", "now+1hour", "--until", "now+3h"), 0)
        [cap] = json.loads(server.gw("cap", "list", "--json").stdout)["caps"]
        self.assertFalse(cap["active"])
        self.assertLess(server.get("/v1/summary").json["now"], cap["from"])
        self.assertLess(cap["from"], cap["until"])

    def test_caps_of_a_simulated_factory(self):
        server = self.start("--engine", "twin", "--speed", "60")
        self.run_jobs(server, 4)
        site = self.feed(server, "here")
        self.assertEqual((site["rating_w"], site["cap_w"], site["draw_w"], site["headroom_w"], site["pue"]),
                         (36000, 36000, 36000, 0, 1.25))
        said = server.gw("cap", "set", "here", "37.5kW", "--reason", "grid: amber").stdout
        self.assertIn("cap 1: here may carry 30 kW of IT power, now", said)
        site = self.feed(server, "here")
        self.assertEqual(site["cap_w"], 30000)
        self.assertLessEqual(site["draw_w"], 30000)
        self.assertEqual((site["jobs_slowed"], site["nodes_dark"] >= 0), (4, True))
        # Scheduled, and kept over a restart.
        begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400 * 365))
        answer = server.post("/v1/caps", {"feed": "here/left", "percent": 50})
        self.assertEqual((answer.status, answer.code), (422, "bad_cap"))
        server.gw("cap", "set", "left", "17 kW", "--from", begins, "--for", "2h")
        server.restart()
        caps = json.loads(server.gw("cap", "list", "--json").stdout)["caps"]
        self.assertEqual([(cap["id"], cap["feed"], cap["active"], cap["reason"]) for cap in caps],
                         [("1", "here", True, "grid: amber"), ("2", "here/left", False, "")])
        table = server.gw("cap", "list").stdout
        self.assertRegex(table, r"here\s+36 kW\s+30 kW")
        self.assertRegex(table, r"1 \*\s+here\s+30 kW")
        metrics = server.get("/metrics").text
        self.assertIn('gigawerk_feed_cap_watts{feed="here",level="site"} 30000', metrics)
        self.assertIn('gigawerk_feed_draw_watts{feed="here/left",level="hall"}', metrics)
        self.assertIn("cap 1 is cleared", server.gw("cap", "clear", "here").stdout)
        self.until(lambda: self.feed(server, "here")["jobs_slowed"] == 0)
        self.assertEqual(self.feed(server, "here")["draw_w"], 36000)
        actions = [row["action"] for row in server.get("/v1/audit").json["audit"]]
        self.assertEqual(actions.count("cap.set"), 2)
        self.assertEqual(actions.count("cap.clear"), 1)
        self.assertEqual(server.gw("cap", "clear", "here").returncode, 5)
        self.assertIn("there is no feed", server.gw("cap", "set", "nowhere", "1kW").stderr)
        self.assertIn("write 8MW", server.gw("cap", "set", "here", "much").stderr)

    def test_a_cap_begins_and_ends(self):
        server = self.start("--engine", "twin", "--speed", "60")
        self.run_jobs(server, 4)
        server.gw("cap", "set", "left", "12kW", "--for", "4min")
        self.assertEqual(self.feed(server, "here/left")["draw_w"], 12000)
        self.until(lambda: self.feed(server, "here/left")["cap_w"] is None)
        self.until(lambda: self.feed(server, "here/left")["draw_w"] == 18000)
        self.assertEqual(server.get("/v1/caps").json["caps"], [])

    def test_what_if(self):
        server = self.start("--engine", "twin", "--speed", "1")
        self.run_jobs(server, 4)
        words = ("whatif", "--arrivals", "none", "--members", "2", "--horizon", "2h")
        answer = json.loads(server.gw(*words, "--cap", "here=37.5kW", "--json").stdout)
        feed = answer["feeds"][0]
        self.assertEqual((feed["feed"], feed["cap_w"]), ("here", {"base": 36000, "changed": 30000}))
        self.assertEqual(round(feed["mean_w"]["base"]), 36000)
        self.assertLessEqual(feed["peak_w"]["changed"], 30000)
        self.assertLess(answer["figures"]["energy_j"]["changed"], answer["figures"]["energy_j"]["base"])
        begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1800))
        said = server.gw(*words, "--cap", f"left=12kW@{begins}..").stdout
        self.assertIn("here/left carries 12 kW of IT power from", said)
        self.assertRegex(said, r"here/left\s+18 kW\s+1[2-7]")
        self.assertIn("there is no feed", server.gw(*words, "--cap", "nowhere=1kW").stderr)
        self.assertIn("write FEED=8MW", server.gw(*words, "--cap", "here").stderr)
        refused = server.gw(*words, "--cap", "here=50kW").stderr
        self.assertIn("here is built for 36 kW of IT power; it cannot carry 40 kW", refused)
        self.assertIn("write a unit: 12min, 12h or 12d", server.gw("whatif", "--horizon", "12").stderr)
        self.assertEqual(server.get("/v1/caps").json["caps"], [])

    def test_what_if_a_cap_were_raised(self):
        server = self.start("--engine", "twin", "--speed", "1")
        self.run_jobs(server, 4)
        server.gw("cap", "set", "here/left", "12kW")
        words = ("whatif", "--arrivals", "none", "--members", "2", "--horizon", "2h")
        answer = json.loads(server.gw(*words, "--cap", "left=17kW", "--json").stdout)
        self.assertEqual(answer["feeds"][0]["cap_w"], {"base": 12000, "changed": 17000})
        self.assertGreater(answer["feeds"][0]["mean_w"]["changed"], answer["feeds"][0]["mean_w"]["base"] + 3000)
        self.assertEqual(answer["notes"], ["the cap of here/left stands in place of the one that is set: 12 kW (cap 1)"])
        server.gw("cap", "set", "here/right", "17kW")
        server.gw("cap", "set", "here", "37.5kW")  # 30 kW of IT power.
        said = server.gw(*words, "--cap", "here=45kW").stdout
        self.assertIn("the cap of here stands in place of the one that is set: 30 kW (cap 3)", said)
        self.assertIn("what is below it carries no more than 29 kW in all, with here/left 12 kW (cap 1), here/right 17 kW "
                      "(cap 2)", said)
        server.gw("cap", "set", "here", "20kW")  # 16 kW.
        said = server.gw(*words, "--cap", "left=17kW").stdout
        self.assertIn("here above it carries no more than 16 kW (cap 4)", said)
        self.assertEqual(len(server.get("/v1/caps").json["caps"]), 4)

    def test_rights(self):
        server = self.start("--engine", "twin")
        server.gw("tenants", "add", "acme")
        for role, tenant, status in (("viewer", None, 403), ("member", None, 403), ("operator", "acme", 403),
                                     ("operator", None, 201)):
            token = server.add_token(role, tenant, f"{role}-{tenant}")
            answer = server.post("/v1/caps", {"feed": "here", "cap": "20 kW"}, token=token)
            self.assertEqual(answer.status, status, (role, tenant, answer))
            self.assertEqual(server.get("/v1/caps", token=token).status, 200 if tenant is None else 403)

    def test_real_jobs_are_slowed_by_the_command(self):
        runs = os.path.join(self.folder, "runs")
        command = self.path("limit", '#!/bin/sh\necho "$GIGAWERK_JOB $GIGAWERK_NODE $GIGAWERK_GPUS '
                                     f'$GIGAWERK_POWER_PERMILLE $GIGAWERK_POWER_WATTS" >> {runs}\n')
        os.chmod(command, 0o755)
        server = self.start("--power-limit-command", command)
        (job,) = self.run_jobs(server, 1)
        # 4 kW idle, 8 kW of work: 8 kW are left for both, half of it for the work.
        server.gw("cap", "set", "here", "10kW")
        node = server.job(job)["place"]

        def lines():
            return pathlib.Path(runs).read_text(encoding="utf-8").splitlines() if os.path.exists(runs) else []

        self.until(lambda: len(lines()) == 1)
        self.assertEqual(lines(), [f"{job} {node} 0,1,2,3,4,5,6,7 500 550"])
        server.restart()
        self.until(lambda: len(lines()) == 2)
        server.delete(f"/v1/jobs/{job}")
        self.until(lambda: len(lines()) == 3)
        self.assertEqual(lines()[2], f"{job} {node} 0,1,2,3,4,5,6,7 1000 1000")
        self.assertIn("gigawerk_power_limit_failures_total 0", server.get("/metrics").text)

    def test_watchers_hear_of_caps_and_whether_they_are_met(self):
        server = self.start()
        # It may not be preempted, and takes two seconds to save its work.
        job = server.submit(**{**JOB, "preemptible": False, "command": [
            "bash", "-c", "trap 'sleep 2; exit 0' TERM; echo ready; sleep 400h & wait"]})
        server.wait(job, "running")
        self.until(lambda: server.output(job) == "ready\n")
        with server.events("/v1/watch") as watch, server.events(f"/v1/watch?job={job}") as of_job:

            def told():
                cap = watch.until(lambda event, data: event == "cap")[-1][1]
                self.assertEqual(cap["feed"], "here")
                self.assertEqual(cap["met"], "because" not in cap)
                return cap["cap_w"], cap["draw_w"], cap.get("because")

            server.gw("cap", "set", "here", "20kW")
            self.assertEqual(told(), (16000, 12000, None))
            said = server.gw("cap", "set", "here", "10kW").stdout
            self.assertEqual(told(), (8000, 12000, "ending"))  # A cap is physics: the job is stopped.
            self.assertIn("here draws 4 kW above its cap", said)
            self.assertIn("saving their work", said)
            feed = self.feed(server, "here")
            self.assertEqual((feed["met"], feed["ending_w"], feed["headroom_w"]), (False, 8000, -4000))
            self.assertIn('gigawerk_feed_unmet_watts{feed="here",level="site"} 4000', server.get("/metrics").text)
            self.assertEqual(told(), (8000, 4000, None))
            self.assertEqual(server.job(job)["status"], "waiting")
            feed = self.feed(server, "here")
            self.assertEqual((feed["met"], feed["ending_w"], feed["headroom_w"]), (True, 0, 4000))
            server.gw("cap", "set", "here", "4kW")
            self.assertEqual(told(), (3200, 4000, "idle"))  # What idles draws more.
            self.assertRegex(server.gw("cap", "list").stdout,
                             "here draws 800 W above its cap, since .*: what idles there draws more by itself")
            why = server.get(f"/v1/jobs/{job}/explain").json
            self.assertEqual((why["reason"]["name"], why["facts"]["feeds_unmet"][0]["feed"]), ("power", "here"))
            self.assertIn("here draws more than its cap", why["reason"]["text"])
            server.gw("cap", "clear", "here")
            self.assertEqual(told()[0::2], (36000, None))
            server.post(f"/v1/jobs/{job}/cancel")
            seen = of_job.until(lambda event, data: data["ended"])
            self.assertEqual({event for event, _ in seen}, {"job"})  # Who asked for a job hears of nothing else.
        actions = [row["action"] for row in server.get("/v1/audit").json["audit"]]
        self.assertEqual((actions.count("cap.unmet"), actions.count("cap.met")), (2, 2))

    def test_who_comes_back_hears_of_a_cap_that_is_not_met(self):
        server = self.start("--engine", "twin")
        with server.events("/v1/watch") as watch:
            server.gw("cap", "set", "left", "20kW")
            last = next(identity for event, _, identity in watch if event == "cap")
        self.until(lambda: "gigawerk_watchers 0" in server.get("/metrics").text)
        server.gw("cap", "set", "here", "4kW")
        server.gw("tenants", "add", "acme")  # The former is past by now.
        for _ in range(2):  # Of the same server, and of the next one.
            with server.events("/v1/watch", headers={"Last-Event-ID": last}) as watch:
                seen = watch.until(lambda event, data: event == "reset")
                self.assertEqual([event for event, _ in seen], ["cap", "reset"])
                self.assertEqual((seen[0][1]["feed"], seen[0][1]["met"], seen[0][1]["because"]),
                                 ("here", False, "idle"))
            server.restart()
        self.assertEqual(self.feed(server, "here")["because"], "idle")

    def test_a_simulated_job_that_was_stopped_draws_no_more(self):
        server = self.start("--engine", "twin", "--speed", "10")
        (job,) = self.run_jobs(server, 1)
        with server.events("/v1/watch") as watch:
            server.gw("cap", "set", "here", "7.5kW")  # Below what it draws at its slowest clock.
            met = watch.until(lambda event, data: event == "cap" and data["met"])[-1][1]
            self.assertEqual((met["cap_w"], met["draw_w"]), (6000, 4000))
        feed = self.feed(server, "here")
        self.assertEqual((feed["draw_w"], feed["ending_w"]), (4000, 0))
        server.gw("cap", "clear", "here")
        server.wait(job, "running")
        self.until(lambda: self.feed(server, "here")["draw_w"] == 12000)

    def test_without_a_command_jobs_are_stopped(self):
        server = self.start()
        (job,) = self.run_jobs(server, 1)
        server.gw("cap", "set", "here", "10kW")
        self.until(lambda: server.job(job)["status"] == "waiting")
        self.assertEqual(server.get(f"/v1/jobs/{job}/explain").json["reason"]["name"], "power")
        server.gw("cap", "clear", "here")
        server.wait(job, "running")


if __name__ == "__main__":
    unittest.main()
