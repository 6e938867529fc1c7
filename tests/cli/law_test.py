"""Rules on who may run where: in a simulation, on a server, and the proof that no decision record was changed."""

import json
import os
import sqlite3
import unittest

from factory_server import FactoryServer
from gw_command import SOURCE, FolderTest, GwTest, gw

SCENARIO = os.path.join(SOURCE, "scenarios/european-fleet.yaml")


class Simulation(FolderTest):
    @classmethod
    def setUpClass(cls):
        cls.lines = None

    def decisions(self):
        """The lines of a run's decisions file; the run is made once."""
        if Simulation.lines is None:
            path = self.path("made.jsonl")
            result = gw("simulate", SCENARIO, "--days", "1", "--check", "20", "--decisions", path, "--json")
            self.assert_exit(result, 0)
            with open(path, encoding="utf-8") as file:
                Simulation.lines = file.read().splitlines()
            self.assertEqual(len(Simulation.lines), json.loads(result.stdout)["jobs"]["submitted"])
        return list(Simulation.lines)

    def verify(self, lines, *words):
        path = self.path("decisions.jsonl", "".join(line + "\n" for line in lines))
        return gw("audit", "verify", path, *words)

    def test_each_job_has_its_record_and_keeps_to_the_rules(self):
        records = [json.loads(line)["record"] for line in self.decisions()]
        self.assertEqual([record["sequence"] for record in records], list(range(1, len(records) + 1)))
        for record in records:
            open_zones = {zone["name"].split(" ")[0] for zone in record["zones"] if zone["open"]}
            rules = {rule["name"] for rule in record["rules"]}
            self.assertEqual(record["day"], "2026-11-30")
            self.assertNotIn("german-health-data-c5-type-1", rules)  # It has ended.
            if record["tenant"]["path"] == "klinikum-verbund":
                self.assertEqual(open_zones, {"munich"})
            if record["tenant"]["path"] == "donau-robotik":  # Of Chinese owners.
                self.assertEqual({zone["name"] for zone in record["zones"] if zone["open"]}, {"jena (a10)"})
            if record["tenant"]["path"] == "laboratoire-langue" and record["job"]["data"]:
                self.assertNotIn("paris", open_zones)
            if record["tenant"]["kind"] != "research":
                for zone in record["zones"]:
                    self.assertFalse(zone["open"] and "research-share" in zone["covered_by"], zone)
        self.assertGreater(len({record["tenant"]["path"] for record in records}), 5)

    def test_the_chain_finds_what_was_changed(self):
        lines = self.decisions()
        good = self.verify(lines)
        self.assert_exit(good, 0)
        head = good.stdout.splitlines()[-1].removeprefix("head ")
        self.assertEqual(head.split(":")[0], str(len(lines)))
        path = self.path("decisions.jsonl")
        self.assertEqual(gw("audit", "head", path).stdout.strip(), head)
        self.assert_exit(gw("audit", "verify", path, "--head", head), 0)

        altered = list(lines)
        at = next(index for index in range(3, len(lines)) if '"outcome":"admitted"' in lines[index])
        altered[at] = altered[at].replace('"outcome":"admitted"', '"outcome":"refused"')
        self.assert_refused(self.verify(altered), 1, f"record {at + 1} is not what was written")
        self.assert_refused(self.verify(lines[:3] + lines[4:]), 1, "record 5 follows record 3")
        self.assert_refused(self.verify(lines[:3] + [lines[4], lines[3]] + lines[5:]), 1, "record 5 follows record 3")
        self.assert_refused(self.verify(lines[:2] + [lines[2][:-1]] + lines[3:]), 1, "line 3:")
        self.assert_exit(self.verify(lines[:-1]), 0)  # The chain itself cannot tell,
        self.assert_refused(self.verify(lines[:-1], "--head", head), 1, "its end is missing")  # a kept head can.
        self.assert_refused(self.verify(lines, "--head", "12"), 1, "no head")

    def test_the_law_of_a_file_is_checked(self):
        def validate(change):
            with open(SCENARIO, encoding="utf-8") as file:
                text = file.read()
            self.assertIn(change[0], text)
            return gw("validate", self.path("changed.yaml", text.replace(*change, 1)))
        self.assert_exit(validate(("seed: 1", "seed: 2")), 0)
        for change, said in ((("sites: [jena]", "sites: [gera]"), 'unknown site "gera"'),
                             (("  - name: eu-only-data\n", "  - {name: eu-only-data, since: 2018-13-01}\n"), '"since" must be a day'),
                             (("  - name: eu-only-data\n", "  - {name: eu-only-data, requires: {country: [EWR]}}\n"), '"EWR" is neither'),
                             (("  - name: eu-only-data\n", "  - {name: eu-only-dat}\n"), "neither requires nor forbids"),
                             (("data: [german-health]", "data: [german-helth]"), 'did you mean "german-health"?'),
                             (("kind: health", "kind: helth"), 'did you mean "health"?'),
                             (("tenants: [behoerden-cloud]", "tenants: [behorden-cloud]"), 'did you mean "behoerden-cloud"?')):
            result = validate(change)
            self.assert_exit(result, 1)
            self.assertIn(said, result.stdout + result.stderr)


    def test_the_data_of_a_job_is_checked(self):
        def validate(word, *words):
            job = self.path("job.yaml", f"gigawerk: 1\njob: {{command: [train], gpus: 8, data: [{word}]}}\n")
            script = self.path("job.sh", f"#!/bin/bash\n#GW data: {word}\n#SBATCH --gpus=8\ntrue\n")
            both = [gw("validate", path, *words) for path in (job, script)]
            self.assertEqual(both[0].returncode, both[1].returncode, both)
            return both[0].returncode, both[0].stdout + both[1].stdout
        self.assertEqual(validate("german-health")[0], 0)
        code, said = validate("german-helth")
        self.assertEqual((code, said.count('did you mean "german-health"?')), (1, 2), said)
        code, said = validate("trade-secret")  # Perhaps a factory's own.
        self.assertEqual((code, said.count("warning: ")), (0, 2), said)
        code, said = validate("trade-secret", "--fleet", SCENARIO)
        self.assertEqual((code, said.count("no rule of this factory names")), (1, 2), said)
        self.assertEqual(validate("german-health", "--fleet", SCENARIO)[0], 0)


class Server(GwTest):
    def setUp(self):
        self.server = FactoryServer("--engine", "twin", "--fleet", SCENARIO)
        self.addCleanup(self.server.close)
        self.server.start()
        self.assert_exit(self.server.gw("tenants", "set", "default", "--home", "DE", "--kind", "manufacturer"), 0)

    def decisions(self, job):
        return self.server.get(f"/v1/jobs/{job}/decision").json["decisions"]

    def test_wishes_and_rules_decide_where_a_job_runs(self):
        server = self.server
        number = server.submit(command=["true"], gpus=8, residency=["DE"], data=["german-health"])
        server.wait(number, "running")
        self.assertTrue(server.job(number)["place"].startswith("munich/"), server.job(number))
        decision, = self.decisions(number)
        self.assertEqual((decision["outcome"], decision["job"]), ("admitted", number))
        self.assertIn("german-health-data", [rule["name"] for rule in decision["record"]["rules"]])
        shown = server.gw("audit", "show", str(number))
        self.assert_exit(shown, 0)
        self.assertIn("zone paris (h100): closed", shown.stdout)
        self.assertIn("it is not certified to bsi-c5-type-2", shown.stdout)

        refused = server.post("/v1/jobs", {"command": ["true"], "gpus": 8, "residency": ["CH"]})
        self.assertEqual((refused.status, refused.code), (422, "rule"))
        self.assertIn("residency leaves no place", refused.text)
        refused = server.post("/v1/jobs", {"command": ["true"], "residency": ["EWR"]})
        self.assertEqual((refused.status, refused.code), (422, "unknown_place"))
        listed = server.get("/v1/decisions?limit=2").json
        self.assertEqual([each["outcome"] for each in listed["decisions"]], ["refused", "refused"])
        self.assertEqual(listed["next"], str(listed["decisions"][-1]["sequence"]))
        self.assertIn("refused", server.gw("audit", "list").stdout)

        # A tenant that nobody vouches for is one of a listed country, for all that is known.
        self.assert_exit(server.gw("tenants", "set", "default", "--home", "CN"), 0)
        self.assertEqual(server.job(number)["status"], "running")  # It may finish where it is.
        self.assertEqual([each["outcome"] for each in self.decisions(number)], ["reviewed", "admitted"])
        self.assertIn("job.forbidden", server.gw("audit").stdout)
        self.assertEqual(server.post("/v1/jobs", {"command": ["true"], "gpus": 8, "gpu_types": ["b200"]}).code, "rule")
        self.assert_exit(server.gw("audit", "verify", "--data", server.data), 0)

    def test_a_misspelt_class_of_data_or_kind_is_refused(self):
        server = self.server
        for wrong, meant in (("german-helth", "german-health"), ("persnal", "personal")):
            refused = server.gw("run", "--detach", "-g", "8", "-t", "1h", "--data-class", wrong, "--", "train")
            self.assert_refused(refused, 125, f'did you mean "{meant}"?')
        refused = server.post("/v1/jobs", {"command": ["true"], "gpus": 8, "data": ["private"]})
        self.assertEqual((refused.status, refused.code), (422, "unknown_data_class"))
        self.assertEqual(server.get("/v1/jobs").json["jobs"], [])
        refused = server.gw("tenants", "set", "default", "--kind", "reserch")
        self.assert_refused(refused, 1, 'did you mean "research"?')

    def test_what_is_no_country_is_refused(self):
        server = self.server
        for words in (("tenants", "add", "slip", "--home", "UK"), ("tenants", "set", "default", "--home", "XX")):
            self.assert_refused(server.gw(*words), 1, "two capital letters of ISO 3166-1 (such as DE; GB, not UK)")
        refused = server.gw("submit", "--dry-run", "-g", "8", "-t", "1h", "--exclude-jurisdiction", "UK", "--wrap", "train")
        self.assertEqual(refused.returncode, 1)
        self.assertIn('"UK" is neither a country', refused.stdout + refused.stderr)

    def test_a_refusal_names_the_rule_and_what_would_do(self):
        server = self.server
        words = ("run", "--detach", "-g", "8", "-t", "1h", "--data-class", "german-health", "--gpu-type", "h100", "--", "train")
        refused = server.gw(*words)
        self.assert_refused(refused, 125, "rule german-health-data")
        self.assertIn("has no node with a GPU of the types asked for (h100). Ask for GPUs of type b200", refused.stderr)
        self.assertRegex(server.gw("audit", "list").stdout, r"refused +1 of 7 +rule: [^\n]*german-health-data")
        entry = server.get("/v1/decisions?limit=1").json["decisions"][0]
        shown = server.gw("audit", "show", "--record", str(entry["sequence"]))
        self.assert_exit(shown, 0)
        self.assertIn("refused at", shown.stdout)
        self.assertIn("Ask for GPUs of type b200", shown.stdout)
        head = f"{entry['sequence']}:{entry['hash'][:12]}"
        self.assertEqual(server.gw("audit", "show", "--record", head).stdout, shown.stdout)
        self.assertEqual(json.loads(server.gw("audit", "show", "--record", head, "--json").stdout), entry)
        self.assert_refused(server.gw("audit", "show", "--record", f"{entry['sequence']}:00ff00"), 1, "not the one")
        self.assert_refused(server.gw("audit", "show", "--record", "99"), 5, "there is no record 99")
        self.assert_refused(server.gw("audit", "show", "--record", "x"), 2, "write the NO")
        self.assert_refused(server.gw("audit", "show"), 2, "needs a JOB, or --record NO")

    def test_what_if_adds_nodes_to_a_divided_fleet(self):
        answer = self.server.gw("whatif", "--add-nodes", "dgx-h200:4@narvik", "--members", "2", "--arrivals", "none",
                                "--horizon", "1h", "--json")
        self.assert_exit(answer, 0)
        up = json.loads(answer.stdout)["gpus_up"]
        self.assertEqual(up["changed"] - up["base"], 32)

    def test_explain_names_the_rules(self):
        server = self.server
        number = server.submit(command=["true"], nodes=64, gpus=8, data=["german-health"], gpu_types=["b200"])
        server.wait(number, "running")
        waiting = server.submit(command=["true"], gpus=8, data=["german-health"], gpu_types=["b200"])
        facts = server.get(f"/v1/jobs/{waiting}/explain").json["facts"]
        self.assertTrue(any(line.startswith("rule german-health-data: ") for line in facts["rules"]), facts)

    def test_a_changed_row_is_found(self):
        server = self.server
        for _ in range(4):
            server.submit(command=["true"])
        head = server.gw("audit", "head", "--data", server.data).stdout.strip()
        self.assertEqual(head.split(":")[0], "4")
        server.stop()
        path = os.path.join(server.data, "gigawerk.db")
        with open(path, "rb") as file:
            self.assertIn(b"SQLite", file.read(16))

        def broken_after(*statements, words=()):
            store = sqlite3.connect(path, isolation_level=None)
            store.execute("BEGIN")
            for statement in statements:
                store.execute(statement)
            store.execute("COMMIT")
            store.close()
            return gw("audit", "verify", "--data", server.data, *words)

        self.assert_exit(gw("audit", "verify", "--data", server.data, "--head", head), 0)
        store = sqlite3.connect(path)
        rows = store.execute("SELECT sequence, record FROM decisions ORDER BY sequence").fetchall()
        store.close()
        self.assert_refused(broken_after("UPDATE decisions SET record = replace(record, 'DE', 'FR') WHERE sequence = 2"),
                            1, "record 2 is not what was written")
        record = rows[1][1].replace("'", "''")
        self.assert_exit(broken_after(f"UPDATE decisions SET record = '{record}' WHERE sequence = 2"), 0)
        self.assert_refused(broken_after("UPDATE decisions SET job = 99 WHERE sequence = 2"), 1, "record 2: its columns")
        self.assert_exit(broken_after("UPDATE decisions SET job = 2 WHERE sequence = 2"), 0)
        self.assert_exit(broken_after("DELETE FROM decisions WHERE sequence = 4"), 0)
        self.assert_refused(broken_after(words=("--head", head)), 1, "its end is missing")
        self.assert_refused(broken_after("DELETE FROM decisions WHERE sequence = 2"), 1, "record 3 follows record 1")


if __name__ == "__main__":
    unittest.main()
