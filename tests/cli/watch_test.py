"""gw watch: events in the terminal, by tenant, job and kind; gone on with where a connection broke; ended by ^C."""

import json
import os
import signal
import subprocess
import time
import unittest

from factory_server import FactoryServer
from gw_command import GW, FolderTest, GwTest
from scripted_server import ScriptedServer

FLEET = """
gigawerk: 1
fleet:
  gpu_types:
    - {name: testgpu, title: Test GPU, vendor: none, source: a test, memory: 80 GB, power_max: 1 kW, power_idle: 100 W}
  node_types:
    - {name: box, gpu: testgpu, gpus: 8, cores: 64, memory: 256 GiB, power_max: 9 kW, power_idle: 1 kW}
  sites:
    - {name: here, grid: {capacity: 18 kW}, halls: [{name: hall, racks: {count: 1, nodes: {type: box, count: 2}}}]}
"""


class Watching:
    """A gw watch that runs; its lines are read one by one."""

    def __init__(self, server, *words, token=""):
        env = server._surroundings({"GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": token or server.token})
        self.process = subprocess.Popen([os.path.abspath(GW), "watch", *words], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline()

    def event(self):
        """With --json: (event, data)."""
        event = json.loads(self.line())
        return event["event"], event["data"]

    def end(self, how=None, seconds=30):
        """Its exit code and what it wrote to standard error."""
        if how is not None:
            self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=seconds)
        return self.process.returncode, errors


class WatchTest(FolderTest):
    def start(self, *options):
        server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), *options)
        server.start()
        self.addCleanup(server.close)
        return server

    @staticmethod
    def watches(server, count=1):
        """Waits until so many watch."""
        end = time.monotonic() + 30
        while f"gigawerk_watchers {count}" not in server.get("/metrics").text:
            assert time.monotonic() < end, "nobody watches"
            time.sleep(0.02)

    def test_jobs_and_caps_as_they_happen(self):
        server = self.start()
        server.add_tenant("acme")
        token = server.add_token("member", "acme", "ann")
        with Watching(server) as everything, Watching(server, "--json", token=token) as acme, \
                Watching(server, "--event", "cap", "--json", "-n", "1") as caps:
            self.watches(server, 3)
            job = server.submit(command=["true"], name="mine", token=token)
            other = server.submit(command=["true"], name="theirs", tenant="default")
            server.wait(job)
            server.wait(other)
            seen = []
            while not (seen and seen[-1][1]["ended"]):
                seen.append(acme.event())
            self.assertEqual({(event, data["number"]) for event, data in seen}, {("job", job)})
            for _, data in seen:
                self.assertRegex(data["at"], r"^20\d\d-\d\d-\d\dT.*Z$")
            server.gw("cap", "set", "here", "1kW")
            event, cap = caps.event()
            self.assertEqual((event, cap["feed"], cap["met"], cap["because"]), ("cap", "here", False, "idle"))
            self.assertEqual(caps.end(), (0, ""))
            lines = []
            while not (lines and "  cap " in lines[-1]):
                lines.append(everything.line())
            self.assertTrue(any(f"  job     {job} " in line and "completed  mine (acme, ann)" in line for line in lines),
                            lines)
            self.assertTrue(any("theirs (default" in line for line in lines), lines)
            self.assertRegex(lines[-1], r"^20\S+Z  cap     here      not met    draws 2 kW, may draw 1 kW: what idles")
            # ^C ends it without a word.
            self.assertEqual(everything.end(signal.SIGINT), (130, ""))
            self.assertEqual(acme.end(signal.SIGTERM), (143, ""))

    def test_one_job_from_now_to_its_end(self):
        server = self.start()
        job = server.submit(command=["sleep", "400h"])
        server.wait(job, "running")
        with Watching(server, "--job", str(job), "--json") as watch:
            event, data = watch.event()
            self.assertEqual((event, data["status"], "at" in data), ("job", "running", True))
            server.submit(command=["true"])
            server.post(f"/v1/jobs/{job}/cancel")
            while not data["ended"]:
                _, data = watch.event()
                self.assertEqual(data["number"], job)
            self.assertEqual(data["status"], "cancelled")
            self.assertEqual(watch.end(), (0, ""))
        ended = server.gw("watch", "--job", str(job))
        self.assertEqual((ended.returncode, ended.stdout.count("\n")), (0, 1))
        self.assertIn("cancelled", ended.stdout)
        self.assertEqual(server.gw("watch", "--job", "999").returncode, 5)
        self.assertEqual(server.gw("watch", "--tenant", "nobody").returncode, 5)
        self.assertEqual(server.gw("watch", token="gw_wrong_token").returncode, 4)

    def test_tasks_of_an_array(self):
        server = self.start()
        job = server.submit(command=["true"], array="0-2", hold=True)
        with Watching(server, "--job", str(job), "--json", "-n", "3") as watch:
            self.assertEqual([watch.event()[1]["array"]["index"] for _ in range(3)], [0, 1, 2])
            self.assertEqual(watch.end()[0], 0)
        with Watching(server, "--job", f"{job}_0", "--json") as watch:  # Its number is the array's.
            self.assertEqual(watch.event()[1]["id"], f"{job}_0")
            server.gw("cancel", f"{job}_1")
            server.gw("cancel", f"{job}_0")
            data = watch.event()[1]
            self.assertEqual((data["id"], data["status"]), (f"{job}_0", "cancelled"))
            self.assertEqual(watch.end()[0], 0)

    def test_a_restart_is_outlived(self):
        server = self.start("--engine", "twin", "--address", "unix:" + os.path.join(self.folder, "gw"))
        with Watching(server, "--event", "cap", "--json") as watch:
            self.watches(server)
            server.gw("cap", "set", "here", "1kW")
            self.assertEqual(watch.event()[1]["met"], False)
            server.restart()
            event, data = watch.event()  # It is told anew, as nobody knows what was heard.
            self.assertEqual((event, data["feed"], data["met"]), ("cap", "here", False))
            server.gw("cap", "clear", "here")
            self.assertEqual(watch.event()[1]["met"], True)
            code, errors = watch.end(signal.SIGINT)
            self.assertEqual(code, 130)
            # That it waits for the server is said only where that takes longer than one try.
            self.assertIn("events are missing here", errors)

    def test_what_makes_no_sense_is_a_usage_error(self):
        server = self.start("--engine", "twin")
        said = server.gw("watch", "--job", "1", "--event", "cap")
        self.assertEqual(said.returncode, 2)
        self.assertIn("of no job", said.stderr)
        self.assertEqual(server.gw("watch", "--event", "nothing").returncode, 2)
        self.assertEqual(server.gw("watch", "-n", "0").returncode, 2)


class ScriptedWatchTest(GwTest):
    """What a server does only by bad luck."""

    def test_it_goes_on_behind_the_last_event(self):
        asked = []

        def answer(request):
            asked.append(request.query)
            request.stream()
            if len(asked) == 1:  # It ends before anything has happened.
                request.handler.wfile.write(b"id: 70\n\n")
            elif len(asked) == 2:
                request.handler.wfile.write(b"event: job\nid: 71\ndata: {\"id\": \"1\", \"number\": 1}\n\n"
                                            b"event: job\nid: 72\ndata: {\"id\": \"2\", \"nu")  # And amid an event.
            else:
                request.handler.wfile.write(b"event: job\nid: 72\ndata: {\"id\": \"2\", \"number\": 2}\n\n")

        with ScriptedServer(answer) as server:
            code, out, errors = server.gw("watch", "--json", "-n", "2")
        self.assertEqual(code, 0, errors)
        self.assertEqual([json.loads(line)["data"]["number"] for line in out.splitlines()], [1, 2])
        self.assertEqual([query.get("after") for query in asked], [None, "70", "71"])

    def test_a_job_that_may_have_changed_unseen_is_asked_for_anew(self):
        asked = []

        def answer(request):
            if request.path == "/v1/jobs/5":
                return request.json({"id": "5", "number": 5})
            asked.append(request.query)
            request.stream()
            if len(asked) == 1:
                request.handler.wfile.write(b"event: job\nid: 10\ndata: {\"number\": 5, \"status\": \"running\"}\n\n")
            elif len(asked) == 2:
                request.handler.wfile.write(b"event: reset\nid: 90\ndata: {}\n\n")
            else:
                request.handler.wfile.write(
                    b"event: job\nid: 90\ndata: {\"number\": 5, \"status\": \"completed\", \"ended\": true}\n\n")
            return None

        with ScriptedServer(answer) as server:
            code, out, errors = server.gw("watch", "--json", "--job", "5")
        self.assertEqual(code, 0, errors)
        self.assertEqual([json.loads(line)["data"]["status"] for line in out.splitlines()],
                         ["running", "completed"])
        self.assertEqual([query.get("after") for query in asked], [None, "10", None])


if __name__ == "__main__":
    unittest.main()
