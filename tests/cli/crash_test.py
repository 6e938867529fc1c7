"""gw serve is killed at random moments and at every labelled point of its path, under load, hundreds of times: no
acknowledged job is lost, none runs twice, the ledger is exact, the journal verifies.

GW_KILLS sets how often (300)."""

import collections
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from gw_command import GW, FolderTest, gw

KILLS = int(os.environ.get("GW_KILLS", "300"))
POINTS = ["turn.decided", "turn.kept", "turn.answered", "turn.started", "turn.done", "store.begun", "store.written",
          "store.committed"]


class Server:
    """A gw serve on one folder that is killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.port = 0
        self.log = open(os.path.join(folder, "serve.log"), "ab")

    def start(self, fault=None):
        environment = {**os.environ}
        environment.pop("GIGAWERK_FAULT", None)
        if fault:
            environment["GIGAWERK_FAULT"] = fault
        self.process = subprocess.Popen(
            [GW, "serve", "--data", os.path.join(self.folder, "data"), "--port", str(self.port), "--log", "json"],
            stdout=subprocess.PIPE, stderr=self.log, env=environment)
        line = self.process.stdout.readline().decode()
        if "ready at" not in line:
            return False  # It was killed before it was ready, as a fault may have it.
        self.port = int(line.rsplit(":", 1)[1])
        return True

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.ended()

    def ended(self):
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        self.ended()

    def token(self):
        with open(os.path.join(self.folder, "data", "admin.token"), encoding="utf-8") as file:
            return file.read().strip()


class Submitter(threading.Thread):
    """Submits jobs one after the other, each with a key, until it is acknowledged or the test is over."""

    def __init__(self, test, index):
        super().__init__()
        self.test = test
        self.index = index
        self.acknowledged = {}
        self.sent = 0

    def run(self):
        count = 0
        while not self.test.over:
            key = f"{self.index}-{count}"
            body = json.dumps({
                "name": f"job-{key}", "command": ["sh", "-c", f"echo {key} >>{self.test.ran}"], "limit": "1min",
                "cpus": 0.05})
            number = self.submit(key, body)
            if number is not None:
                self.acknowledged[key] = number
                count += 1
                time.sleep(0.02)  # About as fast as this machine also runs them.

    def submit(self, key, body):
        """The job's number, or none where the server died or was not there: then the same is sent again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.test.server.port, timeout=10)
        try:
            connection.request("POST", "/v1/jobs", body, {
                "Authorization": f"Bearer {self.test.token}", "Idempotency-Key": key})
            self.sent += 1
            answer = connection.getresponse()
            text = answer.read()
            if answer.status in (200, 201):
                return json.loads(text)["number"]
            assert answer.status == 503, text
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.01)
        return None


class CrashTest(FolderTest):
    def test_killed_again_and_again(self):
        self.over = False
        self.ran = self.path("ran.txt", "")
        self.server = Server(self.folder)
        self.addCleanup(self.server.log.close)
        self.assertTrue(self.server.start())
        self.token = self.server.token()
        submitters = [Submitter(self, index) for index in range(4)]
        for submitter in submitters:
            submitter.start()
        seed = int(os.environ.get("GW_CRASH_SEED", time.time_ns() % 1_000_000))
        print(f"seed {seed}; run it again with GW_CRASH_SEED={seed}")
        chance = random.Random(seed)
        reached = collections.Counter()
        try:
            for kill in range(KILLS):
                fault = None
                if kill % 2 == 1:
                    point = POINTS[(kill // 2) % len(POINTS)]
                    fault = f"{point}:{chance.randint(1, 40)}"
                if kill > 0 and not self.server.start(fault):
                    reached["before ready"] += 1
                    self.server.ended()
                    continue
                deadline = time.monotonic() + chance.uniform(0.05, 0.5)
                while time.monotonic() < deadline and self.server.process.poll() is None:
                    time.sleep(0.01)
                if fault and self.server.process.poll() is not None:
                    reached[point] += 1
                self.server.kill()
        finally:
            self.over = True
            for submitter in submitters:
                submitter.join()
        self.assertTrue(self.server.start())
        acknowledged = {}
        for submitter in submitters:
            acknowledged.update(submitter.acknowledged)
        jobs = self.all_ended()
        self.server.stop()
        self.judge(acknowledged, jobs)
        print(f"{KILLS} kills, {len(acknowledged)} jobs acknowledged; killed at labelled points: {dict(reached)}")
        for point in POINTS:
            self.assertGreater(reached[point], 0 if KILLS >= 100 else -1, point)

    def all_ended(self):
        """Every job, once none is open any more."""
        deadline = time.monotonic() + 120
        while True:
            open_jobs = json.loads(self.ask("ps", "--json", "--limit", "10").stdout)["jobs"]
            if not open_jobs:
                break
            self.assertLess(time.monotonic(), deadline, open_jobs)
            time.sleep(0.1)
        return json.loads(self.ask("ps", "--all", "--json", "--limit", "1000000").stdout)["jobs"]

    def ask(self, *words):
        result = gw(*words, env={"GIGAWERK_SERVER": f"http://127.0.0.1:{self.server.port}",
                                 "GIGAWERK_TOKEN": self.token})
        self.assert_exit(result, 0)
        return result

    def judge(self, acknowledged, jobs):
        by_number = {job["number"]: job for job in jobs}
        # No acknowledged job is lost, and each key gave one job.
        for key, number in acknowledged.items():
            self.assertIn(number, by_number, f"job {number} (key {key}) was acknowledged and is gone")
            self.assertEqual(by_number[number]["name"], f"job-{key}")
            self.assertEqual(by_number[number]["status"], "completed", by_number[number])
        names = collections.Counter(job["name"] for job in jobs)
        self.assertEqual([name for name, count in names.items() if count > 1], [])
        # None has run twice, none that is said to have run has not.
        with open(self.ran, encoding="utf-8") as file:
            ran = collections.Counter(file.read().split())
        self.assertEqual({key: count for key, count in ran.items() if count > 1}, {})
        self.assertEqual({job["name"][4:] for job in jobs if job["status"] == "completed"}, set(ran))
        self.assertTrue(all(job["attempt"] == 1 for job in jobs))
        data = os.path.join(self.folder, "data")
        verified = gw("journal", "verify", "--data", data)
        self.assert_exit(verified, 0)
        ledger = gw("ledger", "verify", "--data", data)
        self.assert_exit(ledger, 0)
        print(verified.stdout, ledger.stdout)
        # Nothing of it runs any more.
        left = subprocess.run(["pgrep", "-f", self.folder], capture_output=True, text=True, check=False).stdout
        self.assertEqual(left, "")


if __name__ == "__main__":
    unittest.main()
