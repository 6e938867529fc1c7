"""Large arrays: one record until their tasks are wanted; orders to one task, to all, and a restart in between."""

import json
import time

from factory_server import FactoryServer
from gw_command import SOURCE, GwTest

FLEET = f"{SOURCE}/scenarios/small-cluster.yaml"
TASKS = 100_000


class Arrays(GwTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", FLEET, "--engine", "twin", "--speed", "1")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    def submit(self, *words):
        answer = self.server.gw("run", "--detach", "-a", f"0-{TASKS - 1}", *words, "--gpus", "1", "--time",
                                "1h", "--", "true")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout.strip()

    def rows(self, *words):
        return json.loads(self.server.gw("ps", "--json", *words).stdout)["jobs"]

    def test_a_held_array_is_one_record(self):
        number = self.submit("--hold")
        rows = self.rows()
        self.assertEqual([row["id"] for row in rows], [f"{number}_[0-{TASKS - 1}]"])
        self.assertEqual(rows[0]["array"]["rest"], {"tasks": TASKS, "indices": f"0-{TASKS - 1}"})
        self.assertEqual(self.server.get("/v1/summary").json["jobs_by_state"]["held"], TASKS)
        self.assertRegex(self.server.gw("show", number).stdout, rf"status +{TASKS} held\n")
        # One task by itself; its neighbours stay as they are.
        self.assertEqual(self.server.gw("cancel", f"{number}_70000").returncode, 0)
        self.assertEqual([row["id"] for row in self.rows()],
                         [f"{number}_[70001-{TASKS - 1}]", f"{number}_[0-69999]"])
        self.assertEqual(self.server.get(f"/v1/jobs/{number}_70000").json["status"], "cancelled")
        one = self.server.get(f"/v1/jobs/{number}_70001").json
        self.assertEqual((one["id"], one["status"], one["number"]), (f"{number}_70001", "held", int(number) + 70001))
        self.assertEqual(self.server.get(f"/v1/jobs/{number}_{TASKS}").status, 404)
        self.server.restart()
        self.assertEqual(self.server.get("/v1/summary").json["jobs_by_state"]["held"], TASKS - 1)
        self.assertEqual(self.server.gw("cancel", number).returncode, 0)
        self.assertEqual(self.rows(), [])
        self.assertEqual(json.loads(self.server.gw("show", number, "--json").stdout)["statuses"],
                         {"cancelled": TASKS})
        self.assertNotEqual(self.server.gw("wait", number).returncode, 0)
        self.assertNotEqual(self.server.gw("wait", f"{number}_500").returncode, 0)

    def test_only_what_can_start_soon_has_records_of_its_own(self):
        number = self.submit()
        jobs = self.server.get("/v1/summary").json["jobs_by_state"]
        deadline = time.monotonic() + 30
        while jobs["running"] == 0 and time.monotonic() < deadline:
            jobs = self.server.get("/v1/summary").json["jobs_by_state"]
        self.assertGreater(jobs["running"], 0)
        self.assertEqual(sum(jobs.values()), TASKS)
        rows = self.rows("--limit", "100000")
        self.assertLess(len(rows), 5_000)
        rest = [row for row in rows if "rest" in row["array"]]
        self.assertEqual(len(rest), 1)
        self.assertEqual(rest[0]["reason"], "array-limit")
        self.assertEqual(len(rows) - 1 + rest[0]["array"]["rest"]["tasks"], TASKS)
        # Whoever comes after the array waits for all of it, not only for what is in the core.
        later = self.server.gw("run", "--detach", "--gpus", "1", "--time", "1h", "--", "true").stdout.strip()
        forecast = self.server.gw("eta", later)
        self.assertEqual(forecast.returncode, 0, forecast.stderr)
        # A limit that came later than the array ends no server: its tasks are left out of the forecast.
        self.server.gw("quota", "set", "default", "--limit", "0.5")
        dry = self.server.gw("submit", "--dry-run", "--wrap", "true")
        self.assertEqual(dry.returncode, 0, dry.stderr)
        self.server.gw("quota", "set", "default", "--limit", "none")
        self.server.restart()
        self.assertEqual(sum(json.loads(self.server.gw("show", number, "--json").stdout)["statuses"].values()), TASKS)
        answer = self.server.gw("cancel", number)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(sum(json.loads(self.server.gw("show", number, "--json").stdout)["statuses"].values()), TASKS)


if __name__ == "__main__":
    import unittest

    unittest.main()
