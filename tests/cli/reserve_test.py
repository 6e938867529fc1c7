"""Reserved nodes, blocks and plans of defragmentation on a running factory, with the commands that ask for them."""

import datetime
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
SPEED = 600


class ReserveTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin", "--speed", str(SPEED))
        self.server.start()
        self.addCleanup(self.server.close)
        for tenant in ("a", "b"):
            self.server.gw("tenants", "add", tenant)
        nodes = self.server.get("/v1/nodes").json["nodes"]
        self.names = [node["name"] for node in nodes]

    def submit(self, tenant, nodes, **more):
        return self.server.submit(command=["sleep", "400h"], nodes=nodes, gpus=8, tenant=tenant,
                                  **{"limit": "500h", **more})

    def reserve(self, *words):
        return self.server.gw("reserve", *words)

    def test_what_a_reservation_could_never_hold_is_refused_at_once(self):
        self.assertEqual(self.reserve("create", "demo", "--tenant", "a", "--nodes", "3", "--from", "2099-01-01T08:00:00Z",
                                      "--for", "8h").returncode, 0)
        for words, said in ((("-N", "4", "-t", "1h"), "4 nodes are asked for; reservation demo has 3 of one kind"),
                            (("-N", "1", "-t", "10h"), "the job's limit is 10h; reservation demo lasts 8h"),
                            (("-N", "1", "-t", "1h", "--begin", "2100-01-01T08:00:00Z"), "is over before this job")):
            refused = self.server.gw("run", "--detach", "-g", "8", "--tenant", "a", "--reservation", "demo", *words, "--",
                                     "true")
            self.assert_refused(refused, 125, said)
        taken = self.server.gw("run", "--detach", "-g", "8", "--tenant", "a", "--reservation", "demo", "-N", "3", "-t",
                               "8h", "--", "true")
        self.assert_exit(taken, 0)

    def test_a_window_is_its_owners(self):
        made = self.reserve("create", "demo", "--tenant", "a", "--nodes", "8", "--from", "2099-01-01T08:00:00Z", "--for",
                            "8h", "--every", "7d", "--note", "for visitors")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("reservation demo: 8 nodes from", made.stdout)
        listed = self.reserve("list").stdout
        self.assertRegex(listed, r"demo +a +2099-01-01T08:00:00.*2099-01-01T16:00:00.* 168 h +8 +64 +for visitors")
        refused = self.reserve("create", "other", "--tenant", "b", "--nodes", "1", "--from", "2099-01-08T10:00:00Z",
                               "--for", "1h")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("demo", refused.stderr)
        self.assertIn("nearest time is 2099-01-08T16:00:00", refused.stderr)
        found = self.reserve("find", "--tenant", "b", "--nodes", "1", "--from", "2099-01-08T10:00:00Z", "--for", "1h")
        self.assertIn("2099-01-08T16:00:00", found.stdout)
        again = self.reserve("create", "demo", "--maintenance", "--nodes", "1", "--for", "1h")
        self.assertIn("exists", again.stderr)
        self.assertEqual(self.reserve("delete", "demo").returncode, 0)
        self.assertNotIn("demo", self.reserve("list").stdout)
        self.assertIn("there is no reservation demo", self.reserve("delete", "demo").stderr)

    def test_what_makes_no_sense_is_refused(self):
        for words, part in ((("--nodes", "1", "--for", "1h"), "give one of them"),
                            (("--tenant", "a", "--for", "1h"), "give one of them"),
                            (("--tenant", "x", "--nodes", "1", "--for", "1h"), "there is no tenant x"),
                            (("--tenant", "a", "--node", "nowhere", "--for", "1h"), "there is no node nowhere"),
                            (("--tenant", "a", "--nodes", "1"), "say how long"),
                            (("--tenant", "a", "--nodes", "9", "--for", "1h"), "ask for fewer"),
                            (("--tenant", "a", "--nodes", "1", "--for", "1h", "--level", "x"), "no fabric level x"),
                            (("--tenant", "a", "--nodes", "1", "--for", "1h", "--from", "soon"), "is no time"),
                            (("--job", "77"), "there is no waiting job 77")):
            with self.subTest(words=words):
                refused = self.reserve("create", "one", *words)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(part, refused.stderr)
        self.assertEqual(json.loads(self.reserve("list", "--json").stdout), {"reservations": []})

    def test_a_wrong_command_line_exits_with_2_and_what_is_not_there_with_5(self):
        good = {"--tenant": "a", "--nodes": "1", "--for": "1h"}
        for change, code, said in (({"--for": "60"}, 2, "60 is no span of time; write it with its unit"),
                                   ({"--for": None}, 2, "say how long it lasts: --for 4h"),
                                   ({"--from": "xx"}, 2, "xx is no time; write 2026-11-28T08:00:00Z"),
                                   ({"--until": "now+30d"}, 2, "--until makes sense with --every only"),
                                   ({"--nodes": None}, 2, "by --nodes, by --gpus, or by --node: give one of them"),
                                   ({"--tenant": None}, 2, "for a job (--job), or for nobody (--maintenance)"),
                                   ({"--job": "1"}, 2, "give only --job and --for"),
                                   ({"--from": "2020-01-01"}, 1, "its beginning, 2020-01-01, is over: it is 20"),
                                   ({"--type": "h1000"}, 5, "this factory has no GPU type h1000"),
                                   ({"--level": "lef"}, 5, "this factory has no fabric level lef"),
                                   ({"--tenant": "x"}, 5, "there is no tenant x")):
            words = [word for option in {**good, **change}.items() if option[1] for word in option]
            with self.subTest(words=words):
                self.assert_refused(self.reserve("create", "one", *words), code, said)

    def test_times_from_now_on(self):
        def now():
            return self.server.get("/v1/summary").json["now"]

        def later(text, hours):
            then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) + datetime.timedelta(hours=hours)
            return then.strftime("%Y-%m-%dT%H:%M:%S")

        for words, hours in (("now+1hour", 1), ("now+90min", 1.5), ("now+2d", 48)):
            first = now()
            made = json.loads(self.reserve("create", "soon", "--maintenance", "--nodes", "1", "--from", words, "--for", "1h",
                                           "--json").stdout)
            self.assertLessEqual(later(first, hours), made["from"])
            self.assertLessEqual(made["from"], later(now(), hours) + "Z")
            self.reserve("delete", "soon")

    def test_preempt_is_not_advised_where_it_has_been_asked_for(self):
        self.server.wait(self.submit("b", 8), "running")
        words = ("create", "all", "--maintenance", "--nodes", "8", "--from", "now+1h", "--for", "1h")
        self.assert_refused(self.reserve(*words), 1, "; --preempt tells those to go")
        refused = self.reserve(*words, "--preempt")
        self.assert_refused(refused, 1, "; they may not be preempted")
        self.assertNotIn("--preempt ", refused.stderr)

    def test_jobs_run_in_the_reservation_that_they_name(self):
        self.reserve("create", "now", "--tenant", "a", "--nodes", "4", "--level", "leaf", "--for", "1000h")
        inside = self.submit("a", 4, reservation="now")
        self.server.wait(inside, "running")
        own = self.server.job(inside)["nodes"]
        reserved = json.loads(self.reserve("list", "--json").stdout)["reservations"][0]
        self.assertTrue(reserved["active"])
        self.assertEqual(len(reserved["nodes"]), 4)
        outside = self.submit("b", 8)
        time.sleep(0.3)
        self.assertEqual(self.server.job(outside)["status"], "waiting")
        refused = self.server.post("/v1/jobs", {"command": ["true"], "tenant": "b", "reservation": "now"})
        self.assertEqual((refused.status, refused.code), (422, "unknown_reservation"))
        waits = self.submit("a", 4, reservation="now")
        self.reserve("delete", "now")
        self.server.wait(waits, "held")
        self.assertTrue(own)

    def explain(self, number):
        return self.server.get(f"/v1/jobs/{number}/explain").json

    def until(self, condition):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def figure(self, state):
        [line] = [line for line in self.server.get("/metrics").text.splitlines()
                  if line.startswith("gigawerk_gpus{") and f'state="{state}"' in line]
        return float(line.split()[-1])

    def test_reserved_nodes_are_neither_off_nor_free(self):
        self.server.gw("drain", self.names[0])
        self.assertEqual(self.reserve("create", "patches", "--maintenance", "--nodes", "7", "--for", "1000h").returncode,
                         0)
        waits = self.submit("a", 1)
        self.server.wait(waits, "waiting")
        found = self.explain(waits)
        self.assertEqual(found["reason"]["name"], "window")
        self.assertIn("reserved: patches (for maintenance, ", found["reason"]["text"])
        facts = found["facts"]
        self.assertEqual([one["name"] for one in facts["reservations"]], ["patches"])
        self.assertEqual([facts[f"gpus_{what}"] for what in ("free", "reserved", "off", "free_of_its_kind",
                                                             "reserved_of_its_kind")], [0, 56, 8, 0, 56])
        self.assertEqual((facts["nodes_of_its_kind"], facts["nodes_of_its_kind_off"],
                          facts["nodes_of_its_kind_reserved"]), (8, 1, 7))
        text = self.server.gw("explain", str(waits), "--reason-only").stdout
        self.assertIn("free now: 0 of its kind, 0 in all; 56 more of its kind are kept", text)
        self.assertNotIn("every node", text)
        self.assertEqual([self.figure(state) for state in ("used", "free", "reserved", "off")], [0, 0, 56, 8])
        [gpus] = self.server.get("/v1/summary").json["gpus"]
        self.assertEqual((gpus["all"], gpus["used"], gpus["free"], gpus["reserved"], gpus["off"]), (64, 0, 0, 56, 8))

    def test_of_others_reservations_a_job_hears_only_that_there_are_some(self):
        self.reserve("create", "secret", "--tenant", "b", "--nodes", "8", "--for", "1000h")
        waits = self.submit("a", 1)
        self.server.wait(waits, "waiting")
        token = json.loads(self.server.gw("token", "add", "ann", "--tenant", "a", "--json").stdout)["token"]
        for words in ((), ("--json",)):
            told = self.server.gw("explain", str(waits), "--reason-only", *words, token=token).stdout
            self.assertNotIn("secret", told)
            self.assertIn("reserved for another tenant", told)
        own = self.submit("b", 1)  # For whom the nodes are free.
        self.server.wait(own, "running")
        self.assertEqual([self.figure(state) for state in ("used", "reserved")], [8, 56])

    def test_a_job_names_its_reservation_and_waits_for_it(self):
        self.server.gw("tenants", "add", "a/x")
        self.reserve("create", "demo", "--tenant", "a", "--nodes", "2", "--from", "2099-01-01T08:00:00Z", "--for", "600h")
        waits = self.submit("a/x", 1, reservation="demo")
        self.server.wait(waits, "waiting")
        self.assertRegex(self.server.gw("show", str(waits)).stdout, r"\nreservation +demo\n")
        found = self.explain(waits)
        self.assertEqual(found["reason"]["text"],
                         "it waits for its own reservation demo, which begins at 2099-01-01T08:00:00.000Z")
        self.assertEqual(found["facts"]["own_reservation"],
                         {"name": "demo", "from": "2099-01-01T08:00:00.000Z", "to": "2099-01-26T08:00:00.000Z",
                          "active": False})
        self.reserve("delete", "demo")
        self.server.wait(waits, "held")
        note = "its reservation demo is over; once released it may run anywhere"
        self.assertEqual(self.server.job(waits)["note"], note)
        self.assertIn(f"note: {note}\n", self.server.gw("explain", str(waits)).stdout)
        self.server.gw("release", str(waits))
        self.server.wait(waits, "running")
        self.assertNotIn("note", self.server.job(waits))

    def test_what_bound_a_job_ends_when_it_is_held_and_when_it_runs(self):
        filler = self.submit("a", 8)
        self.server.wait(filler, "running")
        job = self.submit("b", 8, limit="400h")
        self.until(lambda: [row["reason"] for row in self.explain(job)["history"]] == ["capacity"])
        self.server.gw("hold", str(job))
        first = self.explain(job)
        self.assertEqual([row["reason"] for row in first["history"]], ["capacity", "held"])
        self.assertEqual(first["reason"]["since"], first["history"][1]["since"])
        time.sleep(0.3)
        second = self.explain(job)
        self.assertEqual(second["history"][0], first["history"][0])
        self.assertGreater(second["history"][1]["for_s"], first["history"][1]["for_s"])
        self.server.gw("release", str(job))
        self.until(lambda: len(self.explain(job)["history"]) == 3)
        rows = self.explain(job)["history"]
        self.assertEqual([row["reason"] for row in rows], ["capacity", "held", "capacity"])
        self.server.gw("cancel", str(filler))
        self.server.wait(job, "running")
        rows = self.explain(job)["history"]
        time.sleep(0.3)
        self.server.gw("requeue", str(job))  # It starts again at once: nothing has bound it anew.
        self.until(lambda: self.server.job(job)["attempt"] == 2)
        self.assertEqual(self.explain(job)["history"], rows)

    def test_a_waiting_job_gets_a_promise(self):
        self.server.wait(self.submit("b", 8, limit="600h"), "running")
        big = self.submit("a", 8)
        self.server.wait(big, "waiting")
        made = self.reserve("create", "big-run", "--job", str(big))
        self.assertEqual(made.returncode, 0, made.stderr)
        row = json.loads(self.reserve("list", "--json").stdout)["reservations"][0]
        self.assertEqual((row["job"], len(row["nodes"]), row["active"]), (str(big), 8, False))

    def test_what_is_promised_waits_for_quota(self):
        self.server.gw("quota", "set", "a", "--limit", "16")
        self.server.wait(self.submit("a", 2), "running")
        second = self.submit("a", 2, limit="1h")
        self.server.wait(second, "waiting")
        made = self.reserve("create", "later", "--job", str(second))
        self.assertEqual(made.returncode, 0, made.stderr)
        row = json.loads(self.reserve("list", "--json").stdout)["reservations"][0]
        self.assertFalse(row["active"])  # Six nodes are free, but not for this tenant.
        facts = self.explain(second)["facts"]
        self.assertEqual((facts["gpus_free_of_its_kind"], facts["gpus_free"]), (48, 48))
        large = self.submit("b", 2, limit="1h", preemptible=False)
        self.server.wait(large, "running")

    def test_who_may_use_a_reservation_sees_it(self):
        self.server.gw("tenants", "add", "a/team")
        made = self.reserve("create", "demo", "--tenant", "a", "--nodes", "2", "--from", "2040-12-01T00:00:00Z", "--for", "4h")
        self.assertEqual(made.returncode, 0, made.stderr)
        big = self.submit("a", 8)
        for tenant, seen in (("a/team", ["demo"]), ("a", ["demo"]), ("b", [])):
            token = self.server.add_token("member", tenant, "someone")
            listed = self.server.get("/v1/reservations", token=token).json["reservations"]
            self.assertEqual([row["name"] for row in listed], seen, tenant)
        self.server.delete(f"/v1/jobs/{big}")

    def test_defrag_proposes_what_frees_a_leaf(self):
        jobs = [self.submit("a", 1, preemptible=True) for _ in range(8)]
        for job in jobs:
            self.server.wait(job, "running")
        for job in (jobs[0], jobs[1], jobs[2], jobs[4], jobs[5], jobs[6]):
            self.server.gw("cancel", str(job))
            self.server.wait(job)
        plan = json.loads(self.server.gw("defrag", "--plan", "--level", "leaf", "--domains", "1", "--json").stdout)
        self.assertEqual(plan["free_now"], 0)
        self.assertEqual(len(plan["freed"]), 1)
        self.assertEqual(len(plan["moves"]), 1)
        self.assertTrue(plan["verified"])
        self.assertTrue(plan["moves"][0]["starts_at_once"])
        text = self.server.gw("defrag", "--plan", "--level", "leaf").stdout
        self.assertIn(plan["moves"][0]["job"], text)


if __name__ == "__main__":
    unittest.main()
