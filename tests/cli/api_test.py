"""The API keeps to its own document: every route is in /openapi.json and answers as it says there."""

import base64
import csv
import json
import pathlib
import threading
import time
import unittest

import jsonschema
from factory_server import FactoryServer
from gw_command import SOURCE


def operations(document):
    """(method, path, operation) of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = FactoryServer()
        cls.server.start()
        cls.document = cls.server.get("/openapi.json").json
        cls.tried = set()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def schema(self, schema):
        """A schema of the document by itself, with the components that it refers to."""
        text = json.dumps(schema).replace("#/components/schemas/", "#/$defs/")
        whole = json.loads(text)
        whole["$defs"] = json.loads(
            json.dumps(self.document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/"))
        return whole

    def check(self, schema, value):
        jsonschema.Draft202012Validator(self.schema(schema)).validate(value)

    def call(self, method, template, status=None, body=None, headers=None, **names):
        """One request, its body and answer held against the document. Names fill the path; the rest is the query."""
        operation = self.document["paths"][template][method.lower()]
        self.tried.add((method, template))
        path = template
        for name in [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]:
            path = path.replace("{" + name + "}", str(names.pop(name)))
        known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        self.assertLessEqual(set(names), known)
        if names:
            path += "?" + "&".join(f"{name}={value}" for name, value in names.items())
        if body is not None:
            self.check(operation["requestBody"]["content"]["application/json"]["schema"], body)
        answer = self.server.request(method, path, None if body is None else json.dumps(body), headers=headers or {})
        good = [code for code in operation["responses"] if code != "default"]
        if status is None:
            self.assertEqual(str(answer.status), good[0], answer)
        else:
            self.assertEqual(answer.status, status, answer)
        if answer.status == 304:
            return answer
        response = operation["responses"].get(str(answer.status), operation["responses"]["default"])
        media = answer.headers["content-type"].split(";")[0]
        if answer.status == 200 and good[0] == "201":  # Said again: the same answer.
            response = operation["responses"]["201"]
        self.assertIn(media, response["content"], answer)
        if media == "application/json":
            self.check(response["content"][media]["schema"], answer.json)
        return answer

    def test_0_document(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        for schema in self.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(self.schema(schema))
        for method, path, operation in operations(self.document):
            self.assertTrue(operation["summary"], (method, path))
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]
            self.assertEqual(path.count("{"), len(names), (method, path))
            for each in operation.get("parameters", []):
                jsonschema.Draft202012Validator.check_schema(each["schema"])

    def test_0_every_route_is_in_the_docs(self):
        page = pathlib.Path(SOURCE, "docs", "api.md").read_text(encoding="utf-8")
        rows = [line for line in page.splitlines() if line.startswith("| ")]
        for method, path, _ in operations(self.document):
            self.assertTrue(any(row.startswith(f"| {method} |") and f"`{path}`" in row for row in rows), (method, path))

    def test_jobs(self):
        job = {"name": "first", "command": ["sh", "-c", "echo out; echo more"], "limit": "1min"}
        number = self.call("POST", "/v1/jobs", body=job).json["number"]
        self.server.wait(number)
        self.call("GET", "/v1/jobs", status=200, limit=1)
        page = self.call("GET", "/v1/jobs", tenant="default", limit=1000).json
        self.assertIn(number, [each["number"] for each in page["jobs"]])
        shown = self.call("GET", "/v1/jobs/{job}", job=number).json
        self.assertEqual((shown["status"], shown["exit_code"], len(shown["attempts"])), ("completed", 0, 1))
        output = self.call("GET", "/v1/jobs/{job}/output", job=number)
        self.assertEqual(output.body, b"out\nmore\n")
        self.assertEqual(self.call("GET", "/v1/jobs/{job}/output", job=number, offset=4, limit=2).body, b"mo")
        self.call("GET", "/v1/jobs/{job}/explain", job=number)
        decision = self.call("GET", "/v1/jobs/{job}/decision", job=number).json
        records = self.call("GET", "/v1/decisions").json
        self.assertIn(str(number), json.dumps(decision))
        self.assertTrue(records)
        self.call("GET", "/v1/jobs/{job}/eta", job=number)
        self.call("DELETE", "/v1/jobs/{job}", job=number)
        self.call("POST", "/v1/jobs/{job}/cancel", job=number)
        self.call("POST", "/v1/jobs/{job}/hold", status=409, job=number)
        self.call("GET", "/v1/jobs/{job}", status=404, job=999999)
        self.call("GET", "/v1/jobs/{job}", status=404, job="1_7")
        self.call("GET", "/v1/jobs/{job}", status=404, job="nonsense")
        refused = self.server.request("GET", "/v1/jobs?status=nonsense")
        self.assertEqual((refused.status, refused.code), (400, "bad_parameter"))

    def test_a_job_that_waits(self):
        big = {"name": "big", "command": ["sleep", "600"], "cpus": self.cores(), "limit": "10min"}
        running = self.call("POST", "/v1/jobs", body=big).json["number"]
        waiting = self.call("POST", "/v1/jobs", body=big).json["number"]
        explained = self.call("GET", "/v1/jobs/{job}/explain", job=waiting).json
        self.assertEqual(explained["reason"]["name"], "side-resources")
        forecast = self.call("GET", "/v1/jobs/{job}/eta", job=waiting).json
        self.assertTrue(forecast["p50"])
        changes = self.call("GET", "/v1/jobs/{job}/explain", job=waiting, changes=1).json
        self.assertTrue(changes["forecast"]["p50"])
        self.assertEqual(self.call("POST", "/v1/jobs/dry-run", body=big).json["answer"], "when")
        never = self.call("POST", "/v1/jobs/dry-run", body={**big, "cpus": 100_000}).json
        self.assertEqual((never["answer"], never["nearest"][0]["set"]), ("never", {"cpus": self.cores()}))
        compared = self.call("POST", "/v1/whatif", body={"horizon": "2h", "members": 2}).json
        self.assertEqual(compared["waiting_jobs"], 1)
        self.call("POST", "/v1/whatif", status=404, body={"policy": "nonsense"})
        self.call("POST", "/v1/jobs/{job}/hold", job=waiting)
        self.assertEqual(self.call("GET", "/v1/jobs/{job}/explain", job=waiting).json["reason"]["name"], "held")
        self.call("POST", "/v1/jobs/{job}/release", job=waiting)
        self.call("POST", "/v1/jobs/{job}/requeue", status=409, job=waiting)
        self.call("POST", "/v1/jobs/{job}/requeue", job=running)
        for number in (running, waiting):
            self.call("POST", "/v1/jobs/{job}/cancel", job=number)
        for number in (running, waiting):
            self.assertEqual(self.server.wait(number)["status"], "cancelled")
        self.assertEqual(self.call("GET", "/v1/jobs/{job}", job=running).json["attempts"][0]["end"], "stopped")

    def cores(self):
        return self.server.get("/v1/nodes").json["nodes"][0]["cpus"]

    def test_keys_make_submissions_once(self):
        job = {"command": ["true"], "limit": "1min"}
        key = {"Idempotency-Key": "only-once"}
        first = self.call("POST", "/v1/jobs", body=job, headers=key).json
        again = self.call("POST", "/v1/jobs", status=200, body=job, headers=key).json
        self.assertEqual((again["number"], again["repeated"]), (first["number"], True))
        other = {"command": ["false"], "limit": "1min"}
        refused = self.call("POST", "/v1/jobs", status=422, body=other, headers=key)
        self.assertEqual(refused.code, "key_reused")

    def test_batches(self):
        jobs = [{"command": ["true"], "limit": "1min"}] * 5
        answer = self.call("POST", "/v1/jobs/batch", body={"jobs": jobs}).json["results"]
        self.assertEqual(len({each["number"] for each in answer}), 5)
        mixed = self.server.request("POST", "/v1/jobs/batch", json.dumps({"jobs": [jobs[0], {"comand": ["x"]}]})).json
        self.assertIn("number", mixed["results"][0])
        self.assertIn('did you mean "command"?', mixed["results"][1]["error"]["message"])

    def test_pages_lead_through_all(self):
        self.server.request("POST", "/v1/jobs/batch", json.dumps(
            {"jobs": [{"name": "paged", "command": ["true"], "limit": "1min"}] * 25}))
        seen, before = [], ""
        while before is not None:
            page = self.server.get(f"/v1/jobs?name=paged&limit=7&before={before}").json
            seen += [job["number"] for job in page["jobs"]]
            before = page["next"]
        self.assertEqual(len(seen), 25)
        self.assertEqual(seen, sorted(seen, reverse=True))

    def test_etags_save_a_second_answer(self):
        nodes = self.call("GET", "/v1/nodes")
        self.call("GET", "/v1/nodes", status=304, headers={"If-None-Match": nodes.headers["etag"]})

    def test_etags_are_of_what_lasts(self):
        for target in ("/v1/jobs?name=nobody", "/v1/jobs?status=open&sort=queue", "/v1/summary"):
            first = self.server.get(target)
            time.sleep(1.5)  # The clock goes on, and so do turns.
            tag = {"If-None-Match": first.headers["etag"]}
            again = self.server.get(target, headers=tag)
            self.assertEqual(again.status, 304, target)
            self.assertEqual(first.headers["gigawerk-now"], first.json["now"])
            self.assertGreater(again.headers["gigawerk-now"], first.json["now"])
        number = self.server.submit(command=["true"], hold=True)
        self.assertEqual(self.server.get("/v1/summary", headers=tag).status, 200)
        self.server.delete(f"/v1/jobs/{number}")

    def test_states_and_outcomes_add_up(self):
        numbers = {"failed": self.server.submit(name="mixed", command=["false"]),
                   "completed": self.server.submit(name="mixed", command=["true"]),
                   "held": self.server.submit(name="mixed", command=["true"], hold=True)}
        for status in ("failed", "completed"):
            self.assertEqual(self.server.wait(numbers[status])["status"], status)
        for wanted in (["held", "failed"], ["failed"], ["held"], ["completed", "failed", "held"], ["open", "completed"]):
            page = self.server.get("/v1/jobs?name=mixed&status=" + ",".join(wanted)).json
            names = ["held" if each == "open" else each for each in wanted]
            self.assertEqual(sorted(job["number"] for job in page["jobs"]), sorted(numbers[name] for name in names))
        self.server.delete(f"/v1/jobs/{numbers['held']}")

    def test_keys_are_text(self):
        for key in (b"\xff\xfe", b"caf\xe9", b"a\tb", b"\xc2\x85", b"x" * 201):
            for path, body in (("/v1/jobs", b'{"command": ["true"]}'), ("/v1/jobs/batch", b'{"jobs": [{"command": ["true"]}]}')):
                head = (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n"
                        f"Content-Length: {len(body)}\r\nConnection: close\r\nIdempotency-Key: ").encode()
                heard = self.server.raw(head + key + b"\r\n\r\n" + body)
                self.assertTrue(heard.startswith(b"HTTP/1.1 400 "), (key, heard))
                if b"\t" not in key:  # The server itself may refuse that.
                    self.assertIn(b"bad_key", heard)
        good = "caf\u00e9".encode().decode("latin-1")
        self.server.submit(command=["true"], headers={"Idempotency-Key": good})

    def test_texts_that_are_kept_are_utf8(self):
        node = self.server.get("/v1/nodes").json["nodes"][0]["name"]
        for method, path, body in (("POST", "/v1/jobs", b'{"command": ["true"], "name": "a\xff"}'),
                                   ("POST", "/v1/jobs", b'{"command": ["true"], "comment": "a\xff"}'),
                                   ("POST", "/v1/jobs", b'{"command": ["a\xff"]}'),
                                   ("PATCH", f"/v1/nodes/{node}", b'{"drained": false, "reason": "\xff"}'),
                                   ("POST", "/v1/tokens", b'{"user": "ann", "label": "\xff"}'),
                                   ("POST", "/v1/tenants", b'{"path": "a", "kind": "\xff"}')):
            self.assertEqual(self.server.request(method, path, body).status, 422, body)
        batch = self.server.request("POST", "/v1/jobs/batch", b'{"jobs": [{"command": ["true"], "name": "\xff"}]}')
        self.assertIn(batch.status, (200, 400))
        if batch.status == 200:
            self.assertEqual(batch.json["results"][0]["error"]["status"], 422)

    def test_follow_and_watch(self):
        with self.server.events("/v1/watch") as watch:
            number = self.server.submit(command=["sh", "-c", "printf 'a\\303\\244'; sleep 0.3; printf '\\377b'"])
            events = watch.until(lambda event, data: data.get("number") == number and data["ended"])
            states = [data["status"] for _, data in events if data.get("number") == number]
            self.assertEqual(states[-1], "completed")
            for _, data in events:
                self.check(self.document["components"]["schemas"]["JobEvent"], data)
        with self.server.events(f"/v1/jobs/{number}/follow") as follow:
            events = follow.until(lambda event, data: event == "end")
        text = b""
        for event, data in events:
            if event == "out":
                text += data["text"].encode() if "text" in data else base64.b64decode(data["base64"])
        self.assertEqual(text, b"a\xc3\xa4\xffb")
        self.tried |= {("GET", "/v1/watch"), ("GET", "/v1/jobs/{job}/follow")}

    def test_watchers_come_back_where_they_were(self):
        with self.server.events("/v1/watch"):  # Somebody listens all the time: events are remembered.
            with self.server.events("/v1/watch") as watch:
                number = self.server.submit(command=["true"])
                last = None
                for event, data, identity in watch:
                    last = identity
                    if json.loads(data).get("number") == number:
                        break
            self.server.wait(number)
            with self.server.events("/v1/watch", headers={"Last-Event-ID": last}) as watch:
                events = watch.until(lambda event, data: data.get("number") == number and data["ended"])
            self.assertNotIn("reset", [event for event, _ in events])
            with self.server.events("/v1/watch", headers={"Last-Event-ID": "1"}) as watch:
                first = next(iter(watch))
                self.assertIn(first[0], ("reset", "job"))

    def test_nodes(self):
        name = self.call("GET", "/v1/nodes").json["nodes"][0]["name"]
        self.call("GET", "/v1/nodes/{node}", node=name)
        self.call("GET", "/v1/nodes/{node}", status=404, node="nobody")
        drained = self.call("PATCH", "/v1/nodes/{node}", node=name, body={"drained": True, "reason": "test"}).json
        self.assertIn(drained["state"], ("drained", "draining"))
        waiting = self.server.submit(command=["true"])
        time.sleep(0.2)
        self.assertEqual(self.server.get(f"/v1/jobs/{waiting}").json["status"], "waiting")
        self.call("PATCH", "/v1/nodes/{node}", node=name, body={"drained": False})
        self.assertEqual(self.server.wait(waiting)["status"], "completed")

    def test_reservations(self):
        """And plans of defragmentation, of which this factory has no need."""
        node = self.call("GET", "/v1/nodes").json["nodes"][0]["name"]
        wish = {"name": "patches", "maintenance": True, "named": [node], "from": "2099-01-01T08:00:00Z", "for": "2h"}
        nearest = self.call("POST", "/v1/reservations/nearest", body=wish).json
        self.assertEqual((nearest["possible"], nearest["nodes"]), (True, [node]))
        made = self.call("POST", "/v1/reservations", status=201, body=wish).json
        self.assertEqual((made["name"], made["tenant"], made["nodes"], made["active"]), ("patches", None, [node], False))
        self.assertEqual(made["to"], "2099-01-01T10:00:00.000Z")
        refused = self.call("POST", "/v1/reservations", status=409, body={**wish, "name": "again"})
        self.assertEqual(refused.code, "reserved")
        nearest = self.call("POST", "/v1/reservations/nearest", body=wish).json
        self.assertEqual((nearest["possible"], nearest["from"]), (False, "2099-01-01T10:00:00.000Z"))
        del made["leaving"]
        self.assertEqual(self.call("GET", "/v1/reservations").json["reservations"], [made])
        self.call("POST", "/v1/reservations", status=422, body={**wish, "name": "both", "tenant": "default"})
        self.call("DELETE", "/v1/reservations/{reservation}", reservation="patches")
        self.call("DELETE", "/v1/reservations/{reservation}", status=404, reservation="patches")
        self.assertEqual(self.call("GET", "/v1/defrag").json["moves"], [])

    def test_caps(self):
        """This machine has no feeds; those of others are in cap_test.py."""
        answer = self.call("GET", "/v1/caps").json
        self.assertEqual((answer["feeds"], answer["caps"]), ([], []))
        self.call("GET", "/v1/caps", status=404, level="hall")
        self.assertEqual(self.call("POST", "/v1/caps", status=409, body={"feed": "x", "cap": "1 kW"}).code, "no_power")
        self.call("DELETE", "/v1/caps/{cap}", status=404, cap="1")
        with FactoryServer("--fleet", f"{SOURCE}/scenarios/small-cluster.yaml", "--engine", "twin") as other:
            own, type(self).server = self.server, other
            try:
                feed = self.call("GET", "/v1/caps").json["feeds"][0]["feed"]
                made = self.call("POST", "/v1/caps", body={"feed": feed, "cap": "10 kW", "for": "1h"}).json
                self.call("GET", "/v1/caps")
                self.call("DELETE", "/v1/caps/{cap}", cap=made["cap"]["id"])
            finally:
                type(self).server = own

    def test_tenants_and_tokens(self):
        made = self.call("POST", "/v1/tenants", body={"path": "acme", "weight": 2}).json
        self.assertEqual((made["path"], made["weight"]), ("acme", 2))
        self.call("POST", "/v1/tenants", status=409, body={"path": "acme"})
        self.call("POST", "/v1/tenants", status=404, body={"path": "nobody/at/all"})
        self.call("POST", "/v1/tenants", body={"path": "acme/vision"})
        self.call("GET", "/v1/tenants")
        self.call("GET", "/v1/tenants/{tenant}", tenant="acme/vision")
        changed = self.call("PATCH", "/v1/tenants/{tenant}", tenant="acme", body={"gpus": 2.5, "jobs": 3}).json
        self.assertEqual(changed["limits"], {"gpus": 2.5, "jobs": 3})
        row = self.call("PATCH", "/v1/quota/{tenant}", tenant="acme", body={"borrow": 2}).json
        self.assertEqual((row["limit"], row["borrow"], row["lend"], row["budget"]), (2.5, 2, None, None))
        self.call("PATCH", "/v1/quota/{tenant}", status=422, tenant="acme", body={})
        refused = self.call("PATCH", "/v1/quota/{tenant}", status=422, tenant="acme", body={"guaranteed": 1000})
        self.assertEqual(refused.code, "quota_too_large")
        budget = self.call("PATCH", "/v1/quota/{tenant}", tenant="acme",
                           body={"budget": {"gpu_hours": 5, "action": "warn"}}).json["budget"]
        self.assertEqual((budget["gpu_hours"], budget["euros"], budget["state"]), (5, None, "open"))
        listed = self.call("GET", "/v1/quota", tenant="acme").json["tenants"]
        self.assertEqual([each["path"] for each in listed], ["acme", "acme/vision"])
        self.call("GET", "/v1/quota", status=404, gpu_type="nothing")
        token = self.call("POST", "/v1/tokens", body={"tenant": "acme", "user": "ann", "expires_in": "1h"}).json
        self.assertEqual(len([each for each in self.call("GET", "/v1/tokens").json["tokens"]
                              if each["id"] == token["id"]]), 1)
        me = self.server.request("GET", "/v1/whoami", token=token["token"]).json
        self.assertEqual((me["user"], me["tenant"], me["role"]), ("ann", "acme", "member"))
        held = {"tenant": "acme", "command": ["true"], "hold": True, "limit": "1min"}
        numbers = [self.call("POST", "/v1/jobs", body=held).json["number"] for _ in range(3)]
        refused = self.call("POST", "/v1/jobs", status=429, body=held)
        self.assertEqual(refused.code, "tenant_limit")
        for number in numbers:
            self.call("DELETE", "/v1/jobs/{job}", job=number)
        self.call("DELETE", "/v1/tokens/{token}", token=token["id"])
        self.assertEqual(self.server.request("GET", "/v1/whoami", token=token["token"]).status, 401)
        self.call("DELETE", "/v1/tokens/{token}", status=404, token="nobody")

    def test_usage_and_audit(self):
        number = self.server.submit(command=["sleep", "0.3"], cpus=1)
        self.server.wait(number)
        usage = self.call("GET", "/v1/usage", by="job").json
        line = [each for each in usage["lines"] if each["job"] == str(number)][0]
        attempt = self.server.get(f"/v1/jobs/{number}").json["attempts"][0]
        self.assertGreaterEqual(line["core_seconds"], 0.3)
        self.assertLess(line["core_seconds"], 5)
        self.assertEqual(line["attempts"], attempt["attempt"])
        for by in ("tenant", "user", "gpu_type"):
            self.call("GET", "/v1/usage", by=by)
        focus = self.server.get("/v1/usage?format=focus").text.splitlines()
        self.assertTrue(focus[0].startswith("BilledCost,BillingAccountId"), focus[0])
        rows = list(csv.DictReader(focus))
        self.assertTrue(rows)
        for row in rows:
            for column in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"):
                self.assertRegex(row[column], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertRegex(row["BillingPeriodStart"], "-01T00:00:00Z$")
            self.assertRegex(row["BillingPeriodEnd"], "-01T00:00:00Z$")
            self.assertLess(row["ChargePeriodStart"], row["ChargePeriodEnd"])
            self.assertEqual((row["ResourceId"], row["ResourceName"], row["ResourceType"]), ("", "", ""))
            self.assertEqual((row["BillingAccountId"], row["ServiceName"]), ("default", "CPU Compute"))
        rows = list(csv.DictReader(self.server.get("/v1/usage?format=focus&by=job").text.splitlines()))
        row = [row for row in rows if row["ResourceId"] == str(number)][0]
        self.assertEqual((row["ResourceType"], row["ResourceName"]), ("Job", self.server.job(number)["name"]))
        self.assertAlmostEqual(float(row["ConsumedQuantity"]), line["core_seconds"], places=6)
        refused = self.server.get("/v1/usage?format=focus&by=gpu_type")
        self.assertEqual((refused.status, refused.code), (400, "bad_parameter"))
        self.assertTrue(self.server.get("/v1/usage?format=csv").text.startswith("tenant,user,"))
        self.call("GET", "/v1/usage", status=400, **{"from": "yesterday"})
        audit = self.call("GET", "/v1/audit", limit=1000).json["audit"]
        self.assertIn(("job.submit", str(number)), [(each["action"], each["target"]) for each in audit])

    def test_parts_of_time_add_up(self):
        number = self.server.submit(command=["sleep", "0.5"], cpus=1)
        self.server.wait(number)
        attempt = self.server.get(f"/v1/jobs/{number}").json["attempts"][0]
        middle = attempt["started"][:-4] + "250Z" if attempt["started"][-4:-1] < "250" else attempt["ended_at"]
        def seconds(query):
            lines = self.server.get("/v1/usage?by=job" + query).json["lines"]
            return sum(each["core_seconds"] for each in lines if each["job"] == str(number))
        whole = seconds("")
        self.assertAlmostEqual(seconds(f"&to={middle}") + seconds(f"&from={middle}"), whole, places=6)

    def test_server(self):
        for path in ("/v1/summary", "/v1/whoami", "/healthz", "/readyz", "/openapi.json"):
            self.call("GET", path)
        metrics = self.call("GET", "/metrics").text
        self.assertIn("# TYPE gigawerk_jobs gauge", metrics)
        for line in metrics.splitlines():  # Names follow Prometheus' rules.
            if line.startswith("# TYPE"):
                _, _, name, kind = line.split()
                self.assertEqual(name.endswith("_total"), kind == "counter", line)
                self.assertRegex(name, r"^gigawerk_[a-z0-9_]+$")
        for path in ("/v1/summary", "/metrics"):
            self.assertEqual(self.server.request("GET", path, token=None).status, 401)
        self.assertEqual(self.server.request("GET", "/nothing", token=None).status, 404)
        self.assertEqual(self.server.request("PUT", "/v1/jobs").status, 405)

    def test_many_watchers(self):
        streams = [self.server.events("/v1/watch") for _ in range(200)]
        heard = []
        def listen(stream):
            events = stream.until(lambda event, data: data.get("name") == "heard-by-all" and data["ended"])
            heard.append(len(events))
        threads = [threading.Thread(target=listen, args=(stream,)) for stream in streams]
        for thread in threads:
            thread.start()
        self.server.submit(name="heard-by-all", command=["true"])
        for thread in threads:
            thread.join(30)
        for stream in streams:
            stream.close()
        self.assertEqual(len(heard), 200)

    def test_zz_every_route_was_tried(self):
        missing = {(method, path) for method, path, _ in operations(self.document)} - self.tried
        self.assertEqual(missing, set())


class ForecastsLearn(unittest.TestCase):
    def test_from_what_comes(self):
        """A job that waits is forecast unasked; its start is learned from."""
        server = FactoryServer()
        server.start()
        self.addCleanup(server.close)
        cores = server.get("/v1/nodes").json["nodes"][0]["cpus"]
        numbers = []

        def submit(length):
            numbers.append(server.submit(name="all", cpus=cores, limit="10min", command=["sleep", length]))

        def learned():
            return server.get(f"/v1/jobs/{numbers[-1]}/eta").json["learned_from"]

        submit("5")
        submit("600")
        time.sleep(1)  # It is the newest for a while, so that it is the one asked for.
        submit("600")
        self.assertEqual(learned(), 0)
        deadline = time.monotonic() + 60
        while learned() == 0:
            self.assertLess(time.monotonic(), deadline, "nothing was learned")
            time.sleep(0.2)
        self.assertEqual(learned(), 1)


if __name__ == "__main__":
    unittest.main()
