"""gw explain, submit --dry-run and whatif on a simulated factory: what they say, that it comes true, and that nothing
is kept of it."""

import datetime
import json
import os
import sqlite3
import time
import unittest

from factory_server import FactoryServer

FLEET = """
gigawerk: 1
name: two-racks
fleet:
  sites:
    - name: oslo
      country: NO
      halls:
        - rows:
            - racks: {count: 2, nodes: {type: dgx-h100, count: 4}}
"""

PRICES = """
gigawerk: 1
prices:
  - plan: default
    gpu_hour: {h100: 2}
    other_gpu_hour: 1
"""


class WhatIf(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = FactoryServer()
        cls.fleet = os.path.join(cls.server.folder, "fleet.yaml")
        prices = os.path.join(cls.server.folder, "prices.yaml")
        with open(cls.fleet, "w", encoding="utf-8") as file:
            file.write(FLEET)
        with open(prices, "w", encoding="utf-8") as file:
            file.write(PRICES)
        cls.server.options += ["--engine", "twin", "--fleet", cls.fleet, "--prices", prices]
        cls.server.start()
        cls.nodes = [node["name"] for node in cls.server.get("/v1/nodes").json["nodes"]]
        cls.used = cls.submit(nodes=5, gpus=8, limit="3h")
        cls.large = cls.submit(nodes=8, gpus=8, limit="10h")
        cls.behind = cls.submit(nodes=2, gpus=8, limit="20h", name="behind")
        while not cls.started():  # A simulated job takes seconds to start; nothing more happens after that.
            time.sleep(0.2)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    @classmethod
    def submit(cls, **job):
        answer = cls.server.post("/v1/jobs", {"command": ["sleep", "100000"], **job})
        assert answer.status == 201, answer
        return answer.json["number"]

    @classmethod
    def started(cls):
        attempt = cls.server.get(f"/v1/jobs/{cls.used}").json["attempts"][0]
        return attempt["started"] != attempt["decided"]

    def gw(self, *words, code=0):
        result = self.server.gw(*words)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout

    def kept(self):
        """All that is in the store, but for the reasons, which are sampled as time goes by."""
        database = sqlite3.connect(f"file:{self.server.data}/gigawerk.db?mode=ro", uri=True)
        try:
            return {table: database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
                    for table in ("jobs", "attempts", "tenants", "nodes", "tokens", "audit", "transfers", "accounts",
                                  "idempotency", "journal", "snapshots")}
        finally:
            database.close()

    def test_explain_says_what_starts_it_sooner(self):
        answer = json.loads(self.gw("explain", str(self.large), "--json"))
        self.assertEqual(answer["reason"]["name"], "capacity")
        self.assertGreater(answer["forecast"]["p50_s"], 0)
        self.assertGreater(answer["tried"], 3)
        text = self.gw("explain", str(self.large))
        self.assertIn("as it is, it starts in ", text)
        self.assertRegex(text, r"SINCE +FOR +BOUND BY")
        self.assertEqual(answer["history"][0]["reason"], "capacity")
        self.assertGreaterEqual(answer["history"][0]["for_s"], 0)
        alone = json.loads(self.gw("explain", str(self.large), "--reason-only", "--json"))
        self.assertNotIn("changes", alone)
        self.assertEqual(alone["reason"], answer["reason"])
        refused = self.server.get(f"/v1/jobs/{self.large}/explain?changes=2")
        self.assertEqual((refused.status, refused.code), (400, "bad_parameter"))
        self.assertNotIn("changes", self.server.get(f"/v1/jobs/{self.used}/explain?changes=1").json)

    def test_explain_and_eta_say_the_same_start(self):
        eta = self.server.get(f"/v1/jobs/{self.large}/eta").json
        answer = self.server.get(f"/v1/jobs/{self.large}/explain?changes=1").json
        self.assertEqual({key: answer["forecast"][key] for key in ("p50", "p90")}, {key: eta[key] for key in ("p50", "p90")})
        self.assertTrue(answer["changes"])
        for change in answer["changes"]:
            self.assertLess(change["start"]["p50_s"], answer["forecast"]["p50_s"], change)
            self.assertLessEqual(change["start"]["p50_s"], change["start"]["p90_s"], change)

    def test_a_change_that_is_made_comes_true(self):
        """The job behind the reservation: the change that starts it now does, once it is made."""
        with FactoryServer("--engine", "twin", "--fleet", self.fleet) as server:
            for job in ({"nodes": 5, "gpus": 8, "limit": "3h"}, {"nodes": 8, "gpus": 8, "limit": "10h"},
                        {"nodes": 2, "gpus": 8, "limit": "20h"}):
                number = server.post("/v1/jobs", {"command": ["sleep", "100000"], **job}).json["number"]
            answer = server.get(f"/v1/jobs/{number}/explain?changes=1").json
            self.assertEqual(answer["reason"]["name"], "reservation")
            now = [change for change in answer["changes"] if change["start"]["text"] == "now"]
            self.assertEqual([change["change"] for change in now], ["limit"], answer)
            self.assertEqual(server.get(f"/v1/jobs/{number}").json["status"], "waiting")
            server.post(f"/v1/jobs/{number}/cancel")
            result = server.gw("run", "--detach", "--nodes", "2", "--gpus", "8", *now[0]["options"].split(), "--", "true")
            self.assertEqual(result.returncode, 0, result.stderr)
            again = int(result.stdout)
            shown = server.get(f"/v1/jobs/{again}").json
            self.assertGreaterEqual(shown["attempt"], 1, (now, shown))

    def test_a_dry_run_keeps_nothing(self):
        before = self.kept()
        number = self.server.get("/v1/jobs?limit=1").json["jobs"][0]["number"]
        job = {"command": ["true"], "nodes": 1, "gpus": 8, "limit": "1h"}
        now = self.server.post("/v1/jobs/dry-run", job).json
        self.assertEqual((now["answer"], now["start"]["text"]), ("when", "now"))
        self.assertEqual(now["cost"], {"price_plan": "default", "micro_eur_per_hour": 16_000_000,
                                       "at_most_micro_eur": 16_000_000})
        later = self.server.post("/v1/jobs/dry-run", {**job, "nodes": 8}).json
        self.assertEqual(later["answer"], "when")
        self.assertGreater(later["start"]["p50_s"], 0)
        self.assertGreaterEqual(later["start"]["p90_s"], later["start"]["p50_s"])
        array = self.server.post("/v1/jobs/dry-run", {**job, "array": "0-9"}).json
        self.assertEqual(array["count"], 10)
        self.assertGreaterEqual(array["last_start"]["p50_s"], array["start"]["p50_s"])
        self.assertEqual(array["cost"]["at_most_micro_eur"], 160_000_000)
        never = self.server.post("/v1/jobs/dry-run", {**job, "nodes": 9}).json
        self.assertEqual((never["answer"], never["refusal"]["code"]), ("never", "impossible"))
        self.assertEqual(never["nearest"][0]["set"], {"nodes": 8})
        held = self.server.post("/v1/jobs/dry-run", {**job, "hold": True}).json
        self.assertEqual((held["answer"], held["kept_back"]["name"]), ("kept-back", "held"))
        waits = self.server.post("/v1/jobs/dry-run", {**job, "depends": [f"afterok:{self.large}"]}).json
        self.assertEqual((waits["answer"], waits["kept_back"]["name"]), ("kept-back", "dependency"))
        bad = self.server.post("/v1/jobs/dry-run", {"nodes": -1})
        self.assertEqual((bad.status, bad.code), (422, "bad_job"))
        nobody = self.server.post("/v1/jobs/dry-run", {**job, "tenant": "nobody"})
        self.assertEqual((nobody.status, nobody.code), (404, "unknown_tenant"))
        self.assertEqual(self.kept(), before)
        self.assertEqual(self.server.get("/v1/jobs?limit=1").json["jobs"][0]["number"], number)

    def test_a_dry_run_knows_limits(self):
        self.gw("tenants", "add", "small", "--gpus", "8", "--jobs", "1")
        job = {"command": ["true"], "nodes": 2, "gpus": 8, "tenant": "small", "limit": "1h"}
        large = self.server.post("/v1/jobs/dry-run", job).json
        self.assertEqual((large["answer"], large["refusal"]["code"]), ("never", "tenant_limit"))
        full = self.server.post("/v1/jobs/dry-run", {**job, "nodes": 1, "array": "0-1"}).json
        self.assertEqual((full["answer"], full["refusal"]["code"]), ("not-now", "tenant_limit"))

    def test_submit_dry_run(self):
        text = self.gw("submit", "--wrap", "true", "--nodes", "8", "--gpus", "8", "--time", "1h", "--dry-run")
        self.assertRegex(text, r"^it would start in .*; with 90 % probability ")
        self.assertIn("it would cost 128.00 EUR an hour, at most 128.00 EUR", text)
        self.assertIn("nothing has been submitted", text)
        text = self.gw("submit", "--wrap", "true", "--nodes", "9", "--gpus", "8", "--dry-run", code=1)
        self.assertIn("never: 9 nodes are asked for", text)
        self.assertIn("--nodes 8", text)
        answer = json.loads(self.gw("submit", "--wrap", "true", "--test-only", "--json"))
        self.assertEqual(answer["answer"], "when")

    def test_what_a_dry_run_advises_would_be_admitted(self):
        self.gw("tenants", "add", "few")
        self.gw("quota", "set", "few", "--limit", "24")
        job = {"command": ["true"], "nodes": 9, "gpus": 8, "tenant": "few", "limit": "1h"}
        never = self.server.post("/v1/jobs/dry-run", job).json
        self.assertEqual((never["answer"], never["refusal"]["code"]), ("never", "impossible"))
        self.assertEqual([each["set"] for each in never["nearest"]], [{"nodes": 3}])
        self.assertNotEqual(self.server.post("/v1/jobs/dry-run", {**job, "nodes": 3}).json["answer"], "never")
        never = self.server.post("/v1/jobs/dry-run", {**job, "nodes": 4, "cpus": 1000}).json
        self.assertEqual(never["nearest"], [])

    def test_what_if_nothing_is_changed(self):
        before = self.kept()
        answer = json.loads(self.gw("whatif", "--horizon", "6h", "--members", "4", "--json"))
        self.assertEqual((answer["changes"], answer["members"], answer["horizon_s"]), ([], 4, 21600))
        for name, figure in answer["figures"].items():
            self.assertEqual((figure["difference"], figure["low"], figure["high"]), (0, 0, 0), name)
            self.assertEqual(figure["base"], figure["changed"], name)
        self.assertEqual(answer["series"]["gpus_base"], answer["series"]["gpus_changed"])
        self.assertEqual(len(answer["series"]["gpus_base"]), 6)
        self.assertEqual((answer["sooner"], answer["later"]), ([], []))
        self.assertEqual(answer["waiting_jobs"], 2)
        self.assertEqual(self.kept(), before)

    def test_what_if_nodes_are_drained_or_added(self):
        rack = self.nodes[0].rsplit("/", 1)[0]
        drained = json.loads(self.gw("whatif", "--drain", rack, "--arrivals", "none", "--horizon", "2d", "--json"))
        self.assertEqual(drained["changes"], [f"{rack} drained (4 nodes)"])
        self.assertGreater(drained["figures"]["wait_waiting_mean_s"]["difference"], 0)
        self.assertIn(str(self.large), [shift["job"] for shift in drained["later"]])
        self.assertEqual(drained["gpus_up"], {"base": 64, "changed": 64})
        more = json.loads(self.gw("whatif", "--add-nodes", "dgx-h100:8@oslo", "--arrivals", "none", "--json"))
        self.assertEqual(more["gpus_up"], {"base": 64, "changed": 128})
        self.assertLess(more["figures"]["wait_waiting_mean_s"]["difference"], 0)
        self.assertIn(str(self.large), [shift["job"] for shift in more["sooner"]])
        self.assertGreater(more["figures"]["power_peak_w"]["difference"], 0)
        both = json.loads(self.gw("whatif", "--add-nodes", "dgx-h100:8", "--drain", self.nodes[-1], "--json"))
        self.assertEqual(both["changes"], [f"{self.nodes[-1]} drained", "8 more dgx-h100 nodes"])

    def test_what_if_marks_what_the_horizon_cuts(self):
        """Drained nodes: the large job, which needs them all, cannot start; and within an hour hardly anything can."""
        rack = self.nodes[0].rsplit("/", 1)[0]
        words = ["whatif", "--drain", rack, "--arrivals", "none", "--horizon", "2d"]
        answer = json.loads(self.gw(*words, "--json"))
        wait = answer["figures"]["wait_waiting_mean_s"]
        self.assertEqual(wait["at_least"], {"base": False, "changed": True})
        self.assertEqual(answer["figures"]["wait_new_mean_s"]["at_least"], {"base": False, "changed": False})
        large = next(shift for shift in answer["later"] if shift["job"] == str(self.large))
        self.assertEqual((large["base_unstarted"], large["changed_unstarted"]), (0, answer["members"]))
        self.assertGreaterEqual(answer["figures"]["waiting_at_end"]["changed"], 1)
        text = self.gw(*words)
        self.assertRegex(text, r"wait of waiting jobs, mean +[\d.]+ \w+ +>= ")
        self.assertIn(">= : jobs that have not started within ", text)
        self.assertRegex(text, rf"  {self.large} \[sleep\] of default: after [\d.]+ \w+ instead of in ")
        soon = json.loads(self.gw("whatif", "--arrivals", "none", "--horizon", "1min", "--json"))
        self.assertEqual(soon["figures"]["running_at_end"]["base"], 1)
        self.assertTrue(soon["figures"]["wait_waiting_median_s"]["at_least"]["base"])
        far = self.gw("whatif", "--add-nodes", "dgx-h100:32", "--arrivals", "none", "--horizon", "4d")
        self.assertNotIn(">=", far)

    def test_a_deadline_before_the_limit_is_warned_of(self):
        file = os.path.join(self.server.folder, "urgent.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write("gigawerk: 1\njob: {command: [sleep, 1h], gpus: 8}\n")
        words = ("submit", file, "--flexible", "--time", "3h", "--hold", "--deadline")
        for end in ((), ("--dry-run",)):
            warned = self.server.gw(*words, "now+1hour", *end)
            self.assertEqual(warned.returncode, 0, warned.stderr)
            self.assertRegex(warned.stderr, r"^gw: warning: the deadline \S+Z is too soon for the job's limit: begun at "
                                            r"once, it may run until \S+Z; give it a limit of at most ")
            self.assertEqual(self.server.gw(*words, "now+4hours", *end).stderr, "")
        batch = self.server.post("/v1/jobs/batch", {"jobs": [{"command": ["true"], "limit": "3h", "hold": True,
                                                              "deadline": "2020-01-01T00:00:00Z"}]})
        self.assertIn("is over before the job can begin", batch.json["results"][0]["warnings"][0])
        for job in self.server.get("/v1/jobs?status=held").json["jobs"]:
            self.server.gw("cancel", job["id"])

    def test_what_if_policy_and_weight(self):
        self.gw("tenants", "add", "heavy")
        answer = json.loads(self.gw("whatif", "--policy", "fifo", "--weight", "heavy=7", "--quota", "heavy=16",
                                    "--members", "2", "--json"))
        self.assertEqual(answer["changes"], ["policy fifo", "weight 7 of heavy", "16 GPUs guaranteed to heavy"])
        self.assertEqual(answer["interrupted"], [])

    def test_what_if_in_words_and_as_a_page(self):
        page = os.path.join(self.server.folder, "more.html")
        text = self.gw("whatif", "--add-nodes", "dgx-h100:8", "--arrivals", "none", "--html", page)
        self.assertRegex(text, r"^what if 8 more dgx-h100 nodes: the next [\d.]+ [hd], 10 pairs of futures")
        self.assertRegex(text, r"GPUs in use, mean +[\d.,]+ ")
        self.assertRegex(text, rf"\nsooner\n(.*\n)*  {self.large} \[sleep\] of default: now instead of ")
        with open(page, encoding="utf-8") as file:
            html = file.read()
        self.assertIn("<title>What if: 8 more dgx-h100 nodes</title>", html)
        self.assertEqual(html.count("<svg"), 2)
        self.assertNotRegex(html, r"(?:src|href)=")

    def test_what_if_refuses_what_is_not_there(self):
        for words, said in ((["--drain", "nowhere"], "there is no node nowhere"),
                            (["--add-nodes", "abacus:2"], "there is no node type abacus; there are: dgx-h100"),
                            (["--add-nodes", "dgx-h100:2@rome"], "there is no site rome; there are: oslo"),
                            (["--weight", "nobody=2"], "there is no tenant nobody"),
                            (["--quota", "nobody=2"], "there is no tenant nobody"),
                            (["--quota", "default=99999"], "the guarantees of all tenants would sum up to 99999 GPUs, and "
                                                           "the factory has 64"),
                            (["--horizon", "40d"], "horizon")):
            with self.subTest(words):
                result = self.server.gw("whatif", *words)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(said, result.stderr)
        for words in (["--add-nodes", "dgx-h100"], ["--add-nodes", "dgx-h100:0"], ["--weight", "x"], ["--quota", "heavy=many"],
                      ["--policy", "nonsense"], ["--members", "1"], ["--horizon", "soon"]):
            with self.subTest(words):
                self.assertEqual(self.server.gw("whatif", *words).returncode, 2, words)

    def test_what_if_of_a_cap_after_the_horizon_is_refused(self):
        later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        refused = self.server.gw("whatif", "--cap", f"oslo=50kW@{later}..", "--horizon", "2d")
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertRegex(refused.stderr, r"begins after .*, where the look ahead ends: ask for more \(--horizon 9\dh\)")

    def test_a_client_that_goes_is_not_waited_for(self):
        body = json.dumps({"members": 100, "horizon": "31d"}).encode()
        head = (f"POST /v1/whatif HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        peers = [self.server.socket() for _ in range(3)]
        for peer in peers:
            peer.sendall(head + body)
        for peer in peers:
            peer.close()
        began = time.monotonic()
        answer = json.loads(self.gw("whatif", "--members", "2", "--horizon", "1h", "--json"))
        self.assertEqual(answer["members"], 2)
        self.assertLess(time.monotonic() - began, 60)


if __name__ == "__main__":
    unittest.main()
