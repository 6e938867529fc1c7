"""Quotas, budgets and preemption of a running factory: what is guaranteed is taken back, what leaves comes back and is
credited, and a spent budget stops."""

import csv
import json
import time
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest

FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: small-box, gpu: h100, gpus: 4, cores: 8, memory: 64 GiB, power_max: 1 kW}
  sites:
    - name: here
      nodes: [{type: small-box, count: 2}]
"""
PRICES = "gigawerk: 1\nprices: [{plan: default, gpu_hour: {h100: 2.00}}]\n"
SPEED = 600  # Ten minutes, for which a job is protected, are a second.


class QuotaTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.server = FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin", "--speed", str(SPEED),
                                    "--prices", self.path("prices.yaml", PRICES))
        self.server.start()
        self.addCleanup(self.server.close)
        for tenant in ("borrower", "owner", "owner/lab"):
            self.server.gw("tenants", "add", tenant)

    def submit(self, tenant, gpus=8, **more):
        body = {"command": ["sleep", "400h"], "gpus": gpus // 2, "nodes": 2, "limit": "500h", "tenant": tenant,
                "preemptible": True, **more}
        return self.server.submit(**body)

    def until(self, what):
        end = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), end, "it does not come about")
            time.sleep(0.05)

    def row(self, tenant, *words):
        rows = json.loads(self.server.gw("quota", "show", tenant, "--json", *words).stdout)["tenants"]
        return next(each for each in rows if each["path"] == tenant)

    def test_what_is_guaranteed_is_taken_back(self):
        self.server.gw("quota", "set", "owner", "--guaranteed", "8")
        guest = self.submit("borrower")
        self.server.wait(guest, "running")
        row = self.row("owner")
        self.assertEqual((row["deserved"], row["used"], row["lent"]), (8, 0, 8))
        self.assertEqual(self.row("borrower")["borrowed"], 8)
        # One that cannot be preempted may never use what is lent.
        refused = self.server.post("/v1/jobs", {"command": ["true"], "gpus": 4, "tenant": "borrower"})
        self.assertEqual((refused.status, refused.code), (422, "tenant_limit"))
        self.assertIn("--preemptible", refused.text)
        time.sleep(1.2)  # It is protected no more.
        mine = self.submit("owner/lab")
        self.server.wait(mine, "running")
        self.assertEqual(self.server.wait(guest, "waiting")["note"], "preempted for a job of another tenant")
        attempts = self.server.get(f"/v1/jobs/{guest}").json["attempts"]
        self.assertEqual([each["end"] for each in attempts], ["preempted"])
        self.assertIn("preempted", self.server.gw("show", str(guest)).stdout)
        # What it lost, it gets back: all that it ran, and five minutes.
        attempt = attempts[0]
        usage = self.server.get("/v1/usage?by=job").json
        line = next(each for each in usage["lines"] if each["job"] == str(guest))
        self.assertEqual(line["attempts"], 1)
        lost = line["gpu_seconds"] / 8 + 300
        self.assertAlmostEqual(line["credit_micro_eur"] / 1e6, -lost * 8 * 2 / 3600, places=4)
        self.assertLess(line["price_micro_eur"], 0)  # The restart is worth more than it has run for nothing.
        self.assertIn("OF IT CREDITS", self.server.gw("usage").stdout)
        rows = list(csv.DictReader(self.server.get("/v1/usage?format=focus&by=job").text.splitlines()))
        credit = next(each for each in rows if each["ChargeCategory"] == "Credit")
        self.assertEqual((credit["ResourceId"], credit["ConsumedQuantity"]), (str(guest), ""))
        self.assertAlmostEqual(float(credit["BilledCost"]), line["credit_micro_eur"] / 1e6, places=6)
        self.assertEqual(attempt["gpus"], 8)
        metrics = self.server.get("/metrics").text
        self.assertIn("gigawerk_preemptions_total 1", metrics)
        self.assertIn('gigawerk_tenant_quota_gpus{tenant="owner",kind="used"} 8', metrics)
        # All of that again after a crash, and proven.
        self.server.kill()
        self.server.start()
        self.assertEqual(self.row("owner")["guaranteed"], 8)
        self.server.gw("cancel", str(mine))
        self.server.wait(guest, "running")
        self.server.stop()
        self.assertEqual(self.server.gw("journal", "verify", "--data", self.server.data).returncode, 0)
        self.assertEqual(self.server.gw("ledger", "verify", "--data", self.server.data).returncode, 0)

    def test_a_higher_priority_goes_first_within_a_tenant(self):
        old = self.submit("owner")
        self.server.wait(old, "running")
        time.sleep(1.2)
        urgent = self.submit("owner", priority=5)
        self.server.wait(urgent, "running")
        self.assertEqual(self.server.wait(old, "waiting")["note"], f"preempted for job {urgent}")

    def test_what_is_used_without_a_guarantee_is_borrowed_from_nobody(self):
        said = "nothing is guaranteed to these tenants"
        self.assertNotIn(said, self.server.gw("quota").stdout)  # Nothing is used.
        self.server.wait(self.submit("owner"), "running")
        told = self.server.gw("quota").stdout
        self.assertNotIn("BORROWED", told)
        self.assertRegex(told, r"USED +BEYOND ")
        self.assertIn(said, told)
        self.server.gw("quota", "set", "owner", "--guaranteed", "4")
        self.assertNotIn(said, self.server.gw("quota").stdout)

    def test_nobody_lends_more_than_is_guaranteed(self):
        for words in (("--guaranteed", "4", "--lend", "8"), ("--lend", "1")):
            self.assert_refused(self.server.gw("quota", "set", "owner", *words), 1, "that are guaranteed to it")
        self.assert_exit(self.server.gw("quota", "set", "owner", "--guaranteed", "8", "--lend", "8"), 0)
        self.assert_refused(self.server.gw("quota", "set", "owner", "--guaranteed", "4"), 1,
                            "owner would lend up to 8 GPUs of the 4")
        self.assert_exit(self.server.gw("quota", "set", "owner", "--guaranteed", "4", "--lend", "none"), 0)

    def test_an_unknown_gpu_type_is_not_there(self):
        self.assert_refused(self.server.gw("quota", "set", "owner", "--type", "h1000", "--limit", "4"), 5,
                            'this factory has no GPU type "h1000"; it has: ')

    def test_tenants_alone_lists_them(self):
        self.assertIn("owner/lab", self.server.gw("tenants").stdout)
        self.assertEqual(self.server.gw("tenants", "--json").stdout, self.server.gw("tenants", "list", "--json").stdout)

    def test_a_limit_says_where_it_is_and_what_lifts_it(self):
        self.server.gw("quota", "set", "owner", "--type", "h100", "--limit", "4")
        self.assertEqual(self.server.gw("quota", "--json").stdout, self.server.gw("quota", "show", "--json").stdout)
        self.server.wait(self.submit("owner/lab", gpus=4), "running")
        second = self.submit("owner/lab", gpus=4)
        self.until(lambda: self.server.job(second).get("reason") == "quota")
        facts = json.loads(self.server.gw("explain", str(second), "--json").stdout)["facts"]["quota"]
        self.assertEqual((facts["tenant"], facts["gpu_type"], facts["used"], facts["most"]), ("owner", "h100", 4, 4))
        self.assertIn("tenant owner uses 4 of the 4 h100 GPUs", self.server.gw("explain", str(second)).stdout)
        self.assertEqual(self.row("owner", "--type", "h100")["used"], 4)
        # Whoever acts below it learns that it is so, not what others there have.
        token = json.loads(self.server.gw("token", "add", "ann", "--tenant", "owner/lab", "--json").stdout)["token"]
        facts = json.loads(self.server.gw("explain", str(second), "--json", token=token).stdout)["facts"]["quota"]
        self.assertIsNone(facts["tenant"])
        self.assertNotIn("most", facts)
        self.server.gw("quota", "set", "owner", "--type", "h100", "--limit", "none")
        self.server.wait(second, "running")

    def test_a_budget_keeps_what_is_not_named(self):
        def budget(*words):
            told = self.server.gw("quota", "budget", "owner", *words)
            self.assertEqual((told.returncode, told.stderr), (0, ""))
            row = self.row("owner")["budget"]
            return row and (row["gpu_hours"], row["euros"], row["action"], row["warn_percent"])

        refused = self.server.gw("quota", "budget", "owner", "--warn", "50")
        self.assertIn("owner has no budget of which that could change", refused.stderr)
        self.assertEqual(budget("--gpu-hours", "100"), (100, None, "stop-new", 80))
        self.assertEqual(budget("--euros", "5", "--warn", "60"), (100, 5, "stop-new", 60))
        self.assertEqual(budget("--action", "warn"), (100, 5, "warn", 60))
        self.assertEqual(budget("--gpu-hours", "none"), (None, 5, "warn", 60))
        self.assertIsNone(budget("--euros", "none"))
        budget("--euros", "5", "--gpu-hours", "7")
        self.assertIsNone(budget("--none"))
        self.assertEqual(self.server.gw("quota", "budget", "owner", "--none", "--euros", "5").returncode, 2)

    def test_euros_that_are_never_spent_are_said(self):
        with FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin") as server:
            server.gw("tenants", "add", "acme")
            self.assertEqual(server.gw("quota", "budget", "acme", "--gpu-hours", "5").stderr, "")
            said = server.gw("quota", "budget", "acme", "--euros", "5").stderr
            self.assertIn("nothing has a price on this server (gw serve --prices FILE): the euros of the budget of acme "
                          "are never spent", said)
            self.assertEqual(server.gw("quota").stderr, said)

    def test_a_refusal_says_what_to_do(self):
        self.server.gw("quota", "set", "owner", "--guaranteed", "8")
        refused = self.server.gw("quota", "set", "owner/lab", "--type", "h100", "--guaranteed", "4")
        self.assertNotEqual(refused.returncode, 0)
        advice = "gw quota set owner --type h100 --guaranteed 4"
        self.assertIn(f"would sum up to 4 h100 GPUs, more than the 0 of its own; guarantee them to owner first ({advice})",
                      refused.stderr)
        self.assertEqual(self.server.gw(*advice.split()[1:]).returncode, 0)
        self.assertEqual(self.server.gw("quota", "set", "owner/lab", "--type", "h100", "--guaranteed", "4").returncode, 0)

    def test_a_tenant_that_there_is_not_is_named(self):
        for name, hint in (("ownr", "did you mean owner?"), ("owner/lap", "did you mean owner/lab?"),
                           ("ownr/lab", "did you mean owner/lab?"), ("nobody", "gw tenants lists them")):
            for words in (("quota", "set", name, "--limit", "4"), ("quota", "show", name), ("tenants", "set", name, "--weight", "2"),
                          ("usage", "--tenant", name)):
                with self.subTest(words=words):
                    self.assertIn(f"there is no tenant {name}; {hint}", self.server.gw(*words).stderr)
        # Whoever acts below a tenant hears no names of others.
        token = json.loads(self.server.gw("token", "add", "ann", "--tenant", "owner", "--json").stdout)["token"]
        for name in ("borower", "borrower"):
            said = self.server.gw("quota", "show", name, token=token).stderr
            self.assertIn(f"there is no tenant {name}; gw tenants lists them", said)

    def test_a_spent_budget_stops_until_it_is_raised(self):
        job = self.submit("owner/lab", preemptible=False)
        self.server.wait(job, "running")
        # 8 GPUs at 2 euros: 4 euros are 900 seconds, one and a half of ours.
        self.server.gw("quota", "budget", "owner", "--euros", "4", "--action", "stop-all")
        self.assertEqual(self.server.wait(job, "waiting")["note"], "the budget of tenant owner is spent")
        self.until(lambda: self.server.job(job).get("reason") == "budget")
        told = self.server.gw("explain", str(job)).stdout
        self.assertIn("the budget of tenant owner for this month is spent", told)
        self.assertIn("when the next month begins", told)
        row = self.row("owner")["budget"]
        self.assertEqual(row["state"], "spent")
        self.assertGreaterEqual(row["spent_euros"], 4)
        actions = [each["action"] for each in self.server.get("/v1/audit?tenant=owner").json["audit"]]
        self.assertLess(actions.index("budget.spent"), actions.index("budget.warn"))  # Newest first.
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.job(job)["status"], "waiting")
        self.server.gw("quota", "budget", "owner", "--euros", "100000")
        self.server.wait(job, "running")


if __name__ == "__main__":
    unittest.main()
