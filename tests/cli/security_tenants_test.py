"""Attacks across tenants, on every route of /openapi.json: what is another's is not there."""

import contextlib
import json
import os
import re
import tempfile
import time
import unittest

from factory_server import FactoryServer, FactoryTest
from gw_command import SOURCE

ROLES = ["viewer", "member", "operator", "admin"]
SECRET = "beta-secret-3141592653"
NOWHERE = 987654321
POWERED_FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: box, gpu: h100, gpus: 8, cores: 64, memory: 256 GiB, power_max: 9 kW, power_idle: 1 kW}
  sites:
    - name: here
      pue: 1
      grid: {capacity: 18 kW}
      nodes: [{type: box, count: 2}]
"""


class TwoTenants(FactoryTest):
    """alpha and beta: each with a tenant below it, a token of each role, and jobs. The attacker is alpha's."""

    @classmethod
    def prepare(cls):
        server = cls.server
        for tenant in ("alpha", "alpha/team", "beta", "beta/team"):
            server.add_tenant(tenant)
        cls.tokens = {tenant: {role: server.add_token(role, tenant, f"{tenant}-{role}") for role in ROLES}
                      for tenant in ("alpha", "beta")}
        member = cls.tokens["beta"]["member"]
        cls.running = server.submit(token=member, name="beta-run", cpus=0.1, command=["sh", "-c", "echo beta-output; sleep 300"],
                                    environment={"PASSWORD": SECRET}, comment="beta-comment")
        cls.held = server.submit(token=member, name="beta-held", cpus=0.1, command=["true"], hold=True, tenant="beta/team")
        cls.array = server.submit(token=member, name="beta-array", command=["true"], hold=True, array="1-3")
        cls.ended = server.submit(token=member, name="beta-ended", cpus=0.1, command=["echo", "beta-output"])
        server.wait(cls.ended)
        server.wait(cls.running, "running")
        cls.own = server.submit(token=cls.tokens["alpha"]["member"], name="alpha-own", cpus=0.1, command=["sleep", "300"])
        server.wait(cls.own, "running")
        cls.node = server.get("/v1/nodes").json["nodes"][0]["name"]
        cls.beta_token_id = cls.tokens["beta"]["member"].split("_")[1]

    def theirs(self):
        return [str(self.running), str(self.held), str(self.array), f"{self.array}_2", str(self.ended)]

    def assert_clean(self, answer):
        """Nothing of beta's stands in it."""
        self.assertNotRegex(answer.text, r"beta|" + SECRET, answer)

    def assert_same(self, theirs, nothing, method, pattern, body=lambda name: None, token=None):
        """The answers for another's object and for one that there is not differ in nothing but the name given."""
        def ask(name):
            answer = self.server.request(method, pattern.replace("@", name), body(name), token=token)
            text = re.sub(rf"\b{re.escape(name)}\b", "@", answer.text)
            headers = {key: value for key, value in answer.headers.items()
                       if key not in ("date", "content-length", "etag")}
            return answer.status, text, headers
        first, second = ask(theirs), ask(nothing)
        self.assertEqual(first, second, f"{method} {pattern} for {theirs} and {nothing}")
        self.assertNotIn(SECRET, first[1])
        return first[0]


def cases():
    """How each route of the document is attacked: by (method, path of the document)."""
    table = {}

    def case(*routes):
        def add(attack):
            for route in routes:
                table[route] = attack
            return attack
        return add

    @case("GET /healthz", "GET /readyz", "GET /openapi.json")
    def public(test, role, token):
        for target in ("/healthz", "/readyz", "/openapi.json"):
            answer = test.server.get(target, token=None)
            test.assert_status(answer, 200)
            test.assert_clean(answer)

    @case("GET /metrics")
    def metrics(test, role, token):
        test.assert_status(test.server.get("/metrics", token=token), 403)

    @case("GET /v1/summary", "GET /v1/whoami")
    def own_part(test, role, token):
        for target in ("/v1/summary", "/v1/whoami"):
            answer = test.server.get(target, token=token)
            test.assert_status(answer, 200)
            test.assert_clean(answer)
        test.assertEqual(test.server.get("/v1/summary", token=token).json["jobs"], {"open": 1, "running": 1})

    @case("POST /v1/jobs")
    def submit(test, role, token):
        for tenant in ("beta", "beta/team"):
            status = test.assert_same(tenant, "gamma", "POST", "/v1/jobs",
                                      lambda name: {"command": ["true"], "tenant": name}, token)
            test.assertEqual(status, 403 if role == "viewer" else 404)
        for job in test.theirs()[:3]:  # Waiting for another's job would tell when it ends.
            status = test.assert_same(job, str(NOWHERE), "POST", "/v1/jobs",
                                      lambda name: {"command": ["true"], "depends": ["afterany:" + name]}, token)
            test.assertEqual(status, 403 if role == "viewer" else 422)

    @case("POST /v1/jobs/batch")
    def batch(test, role, token):
        status = test.assert_same("beta", "gamma", "POST", "/v1/jobs/batch",
                                  lambda name: {"jobs": [{"command": ["true"], "tenant": name}]}, token)
        test.assertEqual(status, 403 if role == "viewer" else 200)
        if role != "viewer":
            answer = test.server.post("/v1/jobs/batch", {"jobs": [{"command": ["true"], "tenant": "beta"}]}, token=token)
            test.assertEqual(answer.json["results"][0]["error"]["status"], 404)

    @case("POST /v1/jobs/dry-run")
    def dry_run(test, role, token):
        for tenant in ("beta", "beta/team"):
            status = test.assert_same(tenant, "gamma", "POST", "/v1/jobs/dry-run",
                                      lambda name: {"command": ["true"], "tenant": name}, token)
            test.assertEqual(status, 403 if role == "viewer" else 404)
        for job in test.theirs()[:3]:
            status = test.assert_same(job, str(NOWHERE), "POST", "/v1/jobs/dry-run",
                                      lambda name: {"command": ["true"], "depends": ["afterany:" + name]}, token)
            test.assertEqual(status, 403 if role == "viewer" else 200)

    @case("POST /v1/whatif")
    def what_if(test, role, token):
        status = test.assert_same("beta", "gamma", "POST", "/v1/whatif",
                                  lambda name: {"weights": [{"tenant": name, "weight": 2}]}, token)
        test.assertEqual(status, 403)

    @case("GET /v1/jobs")
    def jobs(test, role, token):
        for query in ("", "?status=open", "?status=open,completed,failed", "?user=beta-member", "?name=beta-run",
                      f"?array={test.array}", "?status=completed&limit=1000", f"?before={test.running + 1}",
                      f"?status=open&before={test.running + 1}", f"?status=open&array={test.array}"):
            answer = test.server.get("/v1/jobs" + query, token=token)
            test.assert_status(answer, 200)
            if "user=" not in query:
                test.assert_clean(answer)
            test.assertLessEqual({job["tenant"].split("/")[0] for job in answer.json["jobs"]}, {"alpha"}, query)
        for tenant in ("beta", "beta/team"):
            test.assertEqual(test.assert_same(tenant, "gamma", "GET", "/v1/jobs?tenant=@", token=token), 404)

    @case("GET /v1/jobs/{job}", "GET /v1/jobs/{job}/decision", "GET /v1/jobs/{job}/explain", "GET /v1/jobs/{job}/eta", "GET /v1/jobs/{job}/output",
          "GET /v1/jobs/{job}/follow")
    def read_job(test, role, token):
        for job in test.theirs():
            nothing = f"{NOWHERE}_2" if "_" in job else str(NOWHERE)
            for pattern in ("/v1/jobs/@", "/v1/jobs/@?environment=1", "/v1/jobs/@/decision",
                            "/v1/jobs/@/explain", "/v1/jobs/@/eta", "/v1/jobs/@/explain?changes=1",
                            "/v1/jobs/@/output", "/v1/jobs/@/output?stream=err&attempt=1", "/v1/jobs/@/follow"):
                for method in ("GET", "HEAD"):
                    test.assertEqual(test.assert_same(job, nothing, method, pattern, token=token), 404)

    @case("DELETE /v1/jobs/{job}", "POST /v1/jobs/{job}/cancel", "POST /v1/jobs/{job}/requeue",
          "POST /v1/jobs/{job}/hold", "POST /v1/jobs/{job}/release")
    def order_job(test, role, token):
        for job in test.theirs():
            nothing = f"{NOWHERE}_2" if "_" in job else str(NOWHERE)
            for method, pattern in (("DELETE", "/v1/jobs/@"), ("POST", "/v1/jobs/@/cancel"), ("POST", "/v1/jobs/@/requeue"),
                                    ("POST", "/v1/jobs/@/hold"), ("POST", "/v1/jobs/@/release")):
                status = test.assert_same(job, nothing, method, pattern, token=token)
                test.assertEqual(status, 403 if role == "viewer" else 404)

    @case("GET /v1/watch")
    def watch(test, role, token):
        test.assertEqual(test.assert_same("beta", "gamma", "GET", "/v1/watch?tenant=@", token=token), 404)
        test.assertEqual(test.assert_same("beta/team", "alpha/gamma", "GET", "/v1/watch?tenant=@", token=token), 404)
        for job in test.theirs():
            if "_" not in job:
                test.assertEqual(test.assert_same(job, str(NOWHERE), "GET", "/v1/watch?job=@", token=token), 404)

    @case("GET /v1/nodes", "GET /v1/nodes/{node}")
    def nodes(test, role, token):
        for target in ("/v1/nodes", f"/v1/nodes/{test.node}"):
            answer = test.server.get(target, token=token)
            test.assert_status(answer, 200)
            test.assert_clean(answer)
        jobs = test.server.get(f"/v1/nodes/{test.node}", token=token).json["jobs"]
        test.assertEqual(jobs, [str(test.own)])

    @case("PATCH /v1/nodes/{node}")
    def change_node(test, role, token):
        status = test.assert_same(test.node, "nothing", "PATCH", "/v1/nodes/@", lambda name: {"drained": True}, token)
        test.assertEqual(status, 403)

    @case("GET /v1/defrag")
    def defrag(test, role, token):
        test.assert_status(test.server.get("/v1/defrag", token=token), 403)

    @case("GET /v1/reservations", "POST /v1/reservations", "POST /v1/reservations/nearest",
          "DELETE /v1/reservations/{reservation}")
    def reservations(test, role, token):
        wish = {"nodes": 1, "from": "2099-01-01", "for": "1h"}
        made = test.server.post("/v1/reservations", {"name": "of-beta", "tenant": "beta", **wish})
        if made.status != 409:
            test.assert_status(made, 201)
        answer = test.server.get("/v1/reservations", token=token)
        test.assert_status(answer, 200)
        test.assertEqual(answer.json["reservations"], [])
        body = {"name": "mine", "tenant": "alpha", **wish}
        test.assert_status(test.server.post("/v1/reservations", body, token=token), 403)
        for tenant in ("beta", "beta/team"):
            status = test.assert_same(tenant, "gamma", "POST", "/v1/reservations/nearest",
                                      lambda name: {"name": "x", "tenant": name, **wish}, token)
            test.assertEqual(status, 404)
        status = test.assert_same("of-beta", "of-gamma", "DELETE", "/v1/reservations/@", token=token)
        test.assertEqual(status, 403)

    @case("GET /v1/caps", "POST /v1/caps", "DELETE /v1/caps/{cap}")
    def caps(test, role, token):
        test.assert_status(test.server.get("/v1/caps", token=token), 403)
        test.assert_status(test.server.post("/v1/caps", {"feed": "here", "cap": "1 kW"}, token=token), 403)
        test.assertEqual(test.assert_same("1", "2", "DELETE", "/v1/caps/@", token=token), 403)

    @case("GET /v1/tenants", "GET /v1/tenants/{tenant}")
    def tenants(test, role, token):
        answer = test.server.get("/v1/tenants", token=token)
        test.assert_status(answer, 200)
        test.assert_clean(answer)
        for tenant in ("beta", "beta/team", "default"):
            test.assertEqual(test.assert_same(tenant, "gamma", "GET", "/v1/tenants?tenant=@", token=token), 404)
            test.assertEqual(test.assert_same(tenant, "gamma", "GET", "/v1/tenants/@", token=token), 404)

    @case("POST /v1/tenants")
    def add_tenant(test, role, token):
        for path in ("beta/new", "beta/team/new", "beta/team", "beta"):
            answer = test.server.post("/v1/tenants", {"path": path}, token=token)
            test.assert_status(answer, 404 if role == "admin" else 403)
        status = test.assert_same("beta", "gamma", "POST", "/v1/tenants", lambda name: {"path": name + "/new"}, token)
        test.assertEqual(status, 404 if role == "admin" else 403)
        status = test.assert_same("beta", "gamma", "POST", "/v1/tenants", lambda name: {"path": name}, token)
        test.assertEqual(status, 404 if role == "admin" else 403)

    @case("PATCH /v1/tenants/{tenant}")
    def change_tenant(test, role, token):
        for tenant in ("beta", "beta/team", "default"):
            for body in ({"weight": 1000}, {"jobs": 1}, {"unix_user": "root"}, {}):
                status = test.assert_same(tenant, "gamma", "PATCH", "/v1/tenants/@", lambda name, body=body: body, token)
                test.assertEqual(status, 404 if role == "admin" else 403)

    @case("GET /v1/quota")
    def quotas(test, role, token):
        answer = test.server.get("/v1/quota", token=token)
        test.assert_status(answer, 200)
        test.assert_clean(answer)
        for tenant in ("beta", "beta/team", "default"):
            test.assertEqual(test.assert_same(tenant, "gamma", "GET", "/v1/quota?tenant=@", token=token), 404)

    @case("PATCH /v1/quota/{tenant}")
    def change_quota(test, role, token):
        for tenant in ("beta", "beta/team", "default"):
            for body in ({"limit": 1}, {"guaranteed": 0}, {"budget": {"euros": 0.01, "action": "stop-all"}}):
                status = test.assert_same(tenant, "gamma", "PATCH", "/v1/quota/@", lambda name, body=body: body, token)
                test.assertEqual(status, 404 if role == "admin" else 403)
        # Nor may it widen what holds for itself.
        answer = test.server.request("PATCH", "/v1/quota/alpha", {"limit": -1}, token=token)
        test.assert_status(answer, 403)

    @case("GET /v1/tokens")
    def tokens(test, role, token):
        answer = test.server.get("/v1/tokens", token=token)
        test.assert_status(answer, 200 if role == "admin" else 403)
        test.assert_clean(answer)

    @case("POST /v1/tokens")
    def add_token(test, role, token):
        status = test.assert_same("beta", "gamma", "POST", "/v1/tokens", lambda name: {"tenant": name, "user": "x"}, token)
        test.assertEqual(status, 404 if role == "admin" else 403)

    @case("DELETE /v1/tokens/{token}")
    def revoke(test, role, token):
        for theirs in (test.beta_token_id, test.server.token.split("_")[1]):
            status = test.assert_same(theirs, "000000000000", "DELETE", "/v1/tokens/@", token=token)
            test.assertEqual(status, 404 if role == "admin" else 403)

    @case("GET /v1/usage")
    def usage(test, role, token):
        for query in ("", "?by=user", "?by=job", "?by=gpu_type", "?by=job&format=csv", "?by=job&format=focus"):
            answer = test.server.get("/v1/usage" + query, token=token)
            test.assert_status(answer, 200)
            test.assert_clean(answer)
        test.assertEqual(test.assert_same("beta", "gamma", "GET", "/v1/usage?tenant=@", token=token), 404)

    @case("GET /v1/audit")
    def audit(test, role, token):
        answer = test.server.get("/v1/audit?limit=1000", token=token)
        test.assert_status(answer, 200 if role == "admin" else 403)
        test.assert_clean(answer)
        status = test.assert_same("beta", "gamma", "GET", "/v1/audit?tenant=@", token=token)
        test.assertEqual(status, 404 if role == "admin" else 403)

    @case("GET /v1/decisions")
    def decisions(test, role, token):
        may = role in ("operator", "admin")
        answer = test.server.get("/v1/decisions?limit=1000", token=token)
        test.assert_status(answer, 200 if may else 403)
        test.assert_clean(answer)
        status = test.assert_same("beta", "gamma", "GET", "/v1/decisions?tenant=@", token=token)
        test.assertEqual(status, 404 if may else 403)

    return table


def routes_of(document):
    """{`METHOD /path`: (operation's description, is it public)} of an OpenAPI document."""
    return {f"{method.upper()} {path}": (operation.get("description", ""), operation.get("security") == [])
            for path, operations in document["paths"].items() for method, operation in operations.items()}


class EveryRoute(TwoTenants):
    def test_no_role_reaches_into_another_tenant(self):
        attacks = cases()
        routes = routes_of(self.server.get("/openapi.json", token=None).json)
        self.assertEqual(set(attacks), set(routes), "each route needs its attack here")
        for attack in dict.fromkeys(attacks.values()):
            for role in ROLES:
                with self.subTest(attack.__name__, role=role):
                    attack(self, role, self.tokens["alpha"][role])
        # After all of that beta has what it had.
        for job, status in ((self.running, "running"), (self.held, "held"), (self.array, "held"), (self.ended, "completed")):
            self.assertEqual(self.server.job(job)["status"], status)
        self.assert_status(self.server.get("/v1/whoami", token=self.tokens["beta"]["member"]), 200)
        self.assertEqual(self.server.get("/v1/tenants/beta").json["weight"], 1)
        self.assertEqual(self.server.get(f"/v1/nodes/{self.node}").json["state"], "up")
        self.assertNotIn("beta/new", [tenant["path"] for tenant in self.server.get("/v1/tenants").json["tenants"]])

    def test_every_route_but_the_public_ones_needs_a_token(self):
        routes = routes_of(self.server.get("/openapi.json", token=None).json)
        refusals = set()
        for route, (_, public) in routes.items():
            method, path = route.split(" ")
            target = re.sub(r"\{\w+\}", "1", path)
            answer = self.server.request(method, target, {} if method in ("POST", "PATCH") else None, token=None)
            if public:
                self.assert_status(answer, 200)
            else:
                self.assert_status(answer, 401)
                refusals.add((answer.text, answer.headers.get("www-authenticate")))
        self.assertEqual(len(refusals), 1, refusals)


class Streams(TwoTenants):
    def test_watching_shows_ones_own_alone(self):
        token = self.tokens["alpha"]["viewer"]
        with self.server.events("/v1/watch", token=self.server.token) as all_events:
            for target in ("/v1/watch", "/v1/watch?tenant=alpha"):
                with self.server.events(target, token=token) as events:
                    self.assertEqual(events.status, 200)
                    theirs = self.server.submit(token=self.tokens["beta"]["member"], name="beta-watched", cpus=0.1, command=["true"])
                    self.server.wait(theirs)
                    own = self.server.submit(token=self.tokens["alpha"]["member"], name="alpha-watched", cpus=0.1, command=["true"])
                    self.server.wait(own)
                    seen = events.until(lambda event, job, own=own: job.get("number") == own and job["ended"])
                    self.assertEqual({job["tenant"] for _, job in seen}, {"alpha"})
            heard = all_events.until(lambda event, job: job["number"] == own and job["ended"])
            self.assertEqual({job["tenant"] for _, job in heard}, {"alpha", "beta"})  # It did go by.

    def test_coming_back_shows_nothing_of_others(self):
        """Last-Event-ID asks for what was missed: of all tenants it is kept in one place."""
        with self.server.events("/v1/watch", token=self.tokens["beta"]["viewer"]):
            theirs = self.server.submit(token=self.tokens["beta"]["member"], name="beta-missed", cpus=0.1, command=["true"])
            self.server.wait(theirs)
            for last in ("1", "2", "0", "18446744073709551615", "-1", "x"):
                with self.server.events("/v1/watch", token=self.tokens["alpha"]["viewer"], headers={"Last-Event-ID": last}) as events:
                    own = self.server.submit(token=self.tokens["alpha"]["member"], name="alpha-after", cpus=0.1, command=["true"])
                    seen = events.until(lambda event, job, own=own: job.get("number") == own)
                    self.assertLessEqual({job.get("tenant") for _, job in seen}, {"alpha", None})
                    self.server.wait(own)

    def test_budgets_and_caps_are_told_to_those_whose_they_are(self):
        """A budget to its own tenant and those above it, a cap to those who see the whole factory."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        files = {}
        for name, text in (("fleet", POWERED_FLEET), ("prices", "gigawerk: 1\nprices: [{plan: default, gpu_hour: {h100: 1}}]\n")):
            files[name] = os.path.join(folder.name, name + ".yaml")
            with open(files[name], "w", encoding="utf-8") as file:
                file.write(text)
        with FactoryServer("--fleet", files["fleet"], "--prices", files["prices"], "--engine", "twin", "--speed", "600") as server:
            for tenant in ("alpha", "alpha/team", "beta"):
                server.expect(server.post("/v1/tenants", {"path": tenant}))
            job = {"command": ["sleep", "400h"], "gpus": 8, "limit": "500h"}
            server.wait(server.submit(tenant="alpha/team", **job), "running")
            with contextlib.ExitStack() as stack:
                watchers = {name: stack.enter_context(server.events(target, token=token)) for name, target, token in (
                    ("all", "/v1/watch", server.token),
                    ("all of alpha", "/v1/watch?tenant=alpha", server.token),
                    ("alpha", "/v1/watch", server.add_token("member", "alpha", "ann")),
                    ("team", "/v1/watch", server.add_token("admin", "alpha/team", "tim")),
                    ("beta", "/v1/watch", server.add_token("admin", "beta", "bea")))}
                # 8 euros an hour are 1.3 a second here.
                server.expect(server.patch("/v1/quota/alpha/team", {"budget": {"euros": 2, "action": "warn"}}))
                server.expect(server.patch("/v1/quota/alpha", {"budget": {"euros": 4, "action": "stop-new"}}))
                server.expect(server.post("/v1/caps", {"feed": "here", "cap": "17 kW"}))
                told = watchers["all"].until(lambda event, data: (data.get("tenant"), data.get("state")) == ("alpha", "spent"))
                for tenant in ("alpha/team", "beta"):
                    server.submit(tenant=tenant, command=["true"], name="last", hold=True)
                seen = {name: watcher.until(lambda event, data: data.get("name") == "last")
                        for name, watcher in watchers.items() if name != "all"}
            seen["all"] = told
            budgets = {name: {(data["tenant"], data["state"], data["action"]) for event, data in events if event == "budget"}
                       for name, events in seen.items()}
            team = {("alpha/team", state, "warn") for state in ("warned", "spent")}
            alpha = team | {("alpha", state, "stop-new") for state in ("warned", "spent")}
            self.assertEqual(budgets, {"all": alpha, "all of alpha": alpha, "alpha": alpha, "team": team, "beta": set()})
            caps = {name: [(data["feed"], data["cap_w"], data["met"]) for event, data in events if event == "cap"]
                    for name, events in seen.items()}
            self.assertEqual(caps, {"all": [("here", 17000, True)], "all of alpha": [], "alpha": [], "team": [], "beta": []})

    def test_streams_end_with_their_token(self):
        token = self.server.add_token("member", "alpha", "leaver")
        with self.server.events("/v1/watch", token=token, seconds=10) as watching, \
                self.server.events(f"/v1/jobs/{self.own}/follow", token=token, seconds=10) as following:
            self.assertEqual((watching.status, following.status), (200, 200))
            following.until(lambda event, data: event == "status")
            self.server.expect(self.server.delete("/v1/tokens/" + token.split("_")[1]))
            self.assertEqual(list(watching), [])  # It ends, rather than waits.
            list(following)
        self.assert_status(self.server.get("/v1/whoami", token=token), 401)
        brief = self.server.add_token("viewer", "alpha", "brief", expires_in="2s")
        with self.server.events("/v1/watch", token=brief, seconds=30) as watching:
            self.assertEqual(list(watching), [])


class Rights(TwoTenants):
    """Tokens that try to become more than they are."""

    def admin(self):
        return self.tokens["alpha"]["admin"]

    def test_only_admins_make_tokens_and_tenants(self):
        for role in ("viewer", "member", "operator"):
            token = self.tokens["alpha"][role]
            for tenant in ("alpha", "alpha/team", ""):
                self.assert_status(self.server.post("/v1/tokens", {"user": "x", "role": "viewer", "tenant": tenant}, token=token), 403)
            self.assert_status(self.server.post("/v1/tenants", {"path": "alpha/x"}, token=token), 403)
            self.assert_status(self.server.patch("/v1/tenants/alpha/team", {"weight": 2}, token=token), 403)
            self.assert_status(self.server.delete("/v1/tokens/" + self.tokens["alpha"]["viewer"].split("_")[1], token=token), 403)

    def test_a_tenants_admin_makes_no_token_above_itself(self):
        answer = self.server.post("/v1/tokens", {"user": "x", "role": "admin"}, token=self.admin())
        self.assert_status(answer, 201)
        self.assertEqual(answer.json["tenant"], "alpha")  # Its own, where it names none.
        for body in ({"tenant": "/"}, {"tenant": "."}, {"tenant": ""}, {"tenant": None}, {"everywhere": True},
                     {"tenant": "alpha/.."}, {"tenant": "alpha", "token": "gw_x"}, {"tenant": ["beta"]}):
            answer = self.server.post("/v1/tokens", {"user": "x", "role": "admin", **body}, token=self.admin())
            if answer.status == 201:
                self.assertEqual(answer.json["tenant"], "alpha", body)
            else:
                self.assert_status(answer, 404, 422)
        for role in ("root", "Admin", "", 3):
            self.assert_status(self.server.post("/v1/tokens", {"user": "x", "role": role}, token=self.admin()), 422)
        for token in self.server.get("/v1/tokens", token=self.admin()).json["tokens"]:
            self.assertRegex(token["tenant"], "^alpha(/|$)")

    def test_a_tenants_admin_does_not_raise_its_own_limits(self):
        self.server.expect(self.server.patch("/v1/tenants/alpha", {"jobs": 50, "gpus": 8}))
        for body in ({"jobs": 0}, {"jobs": 1000}, {"gpus": 0}, {"weight": 1000}, {"price_plan": "free"}, {"unix_user": "root"},
                     {"home": "DE"}, {"kind": "x"}, {}):
            for path in ("alpha", "alpha%2F", "%61lpha", "/alpha", "alpha/../alpha", "alpha%2fteam/.."):
                answer = self.server.patch("/v1/tenants/" + path, body, token=self.admin())
                self.assertIn(answer.status, (400, 403, 404), (path, body))
        limits = self.server.get("/v1/tenants/alpha").json
        self.assertEqual((limits["limits"], limits["weight"]), ({"gpus": 8, "jobs": 50}, 1))
        # What is below may get more on paper; the limit above holds all the same.
        self.server.expect(self.server.patch("/v1/tenants/alpha/team", {"jobs": 1000}, token=self.admin()))
        job = {"command": ["true"], "hold": True, "array": "1-60", "tenant": "alpha/team"}
        answer = self.server.post("/v1/jobs", job, token=self.admin())
        self.assertEqual((answer.status, answer.code), (429, "tenant_limit"))

    def test_only_the_factorys_admin_sets_accounts_and_prices(self):
        for body in ({"unix_user": "root"}, {"unix_user": "daemon"}, {"price_plan": "free"}):
            self.assert_status(self.server.patch("/v1/tenants/alpha/team", body, token=self.admin()), 403)
            self.assert_status(self.server.post("/v1/tenants", {"path": "alpha/other", **body}, token=self.admin()), 403)
        team = self.server.get("/v1/tenants/alpha/team").json
        self.assertEqual((team["unix_user"], team["price_plan"]), ("", "default"))
        self.server.expect(self.server.patch("/v1/tenants/alpha/team", {"price_plan": "default"}))
        self.server.expect(self.server.patch("/v1/tenants/alpha/team", {"price_plan": "default"}))

    def test_priority_is_not_for_the_asking(self):
        """It stands above fair share, and above every other tenant's jobs."""
        for role in ("member", "operator", "admin"):
            for priority in (1, 100, 2147483647):
                job = {"command": ["true"], "hold": True, "priority": priority}
                answer = self.server.post("/v1/jobs", job, token=self.tokens["alpha"][role])
                self.assertEqual((answer.status, answer.code), (403, "forbidden"))
                batch = self.server.post("/v1/jobs/batch", {"jobs": [job]}, token=self.tokens["alpha"][role])
                self.assertEqual(batch.json["results"][0]["error"]["status"], 403)
        for priority in (-5, 0):
            self.server.submit(token=self.tokens["alpha"]["member"], command=["true"], hold=True, priority=priority)
        operator = self.server.add_token("operator", user="factory-operator")
        member = self.server.add_token("member", user="factory-member")
        job = {"command": ["true"], "hold": True, "priority": 5}
        self.assert_status(self.server.post("/v1/jobs", job, token=operator), 201)
        self.assert_status(self.server.post("/v1/jobs", job, token=member), 403)

    def test_nobody_drains_nodes_from_inside_of_a_tenant(self):
        for tenant in ("alpha", "beta"):
            for role in ROLES:
                answer = self.server.patch(f"/v1/nodes/{self.node}", {"drained": True}, token=self.tokens[tenant][role])
                self.assert_status(answer, 403)

    def test_idempotency_keys_of_others(self):
        """A key names a request of its own user in its own tenant; it neither finds nor blocks another's."""
        job = {"command": ["true"], "hold": True}
        headers = {"Idempotency-Key": "deploy-1"}
        theirs = self.server.submit(token=self.tokens["beta"]["member"], headers=headers, **job)
        for token in (self.tokens["alpha"]["member"], self.tokens["alpha"]["operator"], self.server.token):
            for body in (job, {**job, "name": "other"}):
                answer = self.server.post("/v1/jobs", body, token=token, headers={"Idempotency-Key": "deploy-1" + body.get("name", "")})
                self.assert_status(answer, 201)
                self.assertNotIn("repeated", answer.json)
                self.assertNotEqual(answer.json["number"], theirs)
        again = self.server.post("/v1/jobs", job, token=self.tokens["beta"]["member"], headers=headers)
        self.assertEqual((again.status, again.json["number"], again.json["repeated"]), (200, theirs, True))
        for key in ("x" * 201, "a" * 5000):
            answer = self.server.post("/v1/jobs", job, token=self.tokens["alpha"]["member"], headers={"Idempotency-Key": key})
            self.assert_status(answer, 400)


class RightsTable(TwoTenants):
    """The table of roles and routes in docs/security.md is what the server says and does."""

    def test_it_is_the_servers(self):
        with open(os.path.join(SOURCE, "docs/security.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `([A-Z]+ /[^`]*)` \| ([^|]*) \|([^|]*)\|", file.read(), re.MULTILINE)
        written = {route: (role.strip(), where.strip()) for route, role, where in rows}
        routes = routes_of(self.server.get("/openapi.json", token=None).json)
        self.assertEqual(set(written), set(routes))
        for route, (description, public) in routes.items():
            role, where = written[route]
            if public:
                self.assertEqual(role, "nobody's token", route)
                continue
            self.assertIn(f"Needs the role {role}", description, route)
            self.assertEqual(where == "whole factory", "a token for the whole factory" in description, route)
            method, path = route.split(" ")
            target = re.sub(r"\{\w+\}", "1", path)
            for least, token in self.tokens["alpha"].items():
                if ROLES.index(least) >= ROLES.index(role) and where != "whole factory":
                    continue
                answer = self.server.request(method, target, {} if method in ("POST", "PATCH") else None, token=token)
                self.assertEqual((answer.status, answer.code), (403, "forbidden"), (route, least))


class Shown(TwoTenants):
    """What a role may see of its own tenant's jobs."""

    def test_environments_are_hidden_from_viewers(self):
        viewer, member = self.tokens["beta"]["viewer"], self.tokens["beta"]["member"]
        for target in (f"/v1/jobs/{self.running}", "/v1/jobs", "/v1/jobs?status=open"):
            for query in ("environment=1", "environment=true", "environment=1&environment=1"):
                mark = "&" if "?" in target else "?"
                answer = self.server.get(target + mark + query, token=viewer)
                self.assert_status(answer, 200 if target.endswith(f"/{self.running}") else 400)  # Lists know no such wish.
                self.assertNotIn(SECRET, answer.text)
        with self.server.events(f"/v1/jobs/{self.running}/follow", token=viewer) as events:
            self.assertNotIn(SECRET, json.dumps(events.until(lambda event, data: event == "out")))
        for target in ("/explain", "/output", "/eta"):
            self.assertNotIn(SECRET, self.server.get(f"/v1/jobs/{self.running}{target}", token=viewer).text)
        self.assertNotIn(SECRET, self.server.get(f"/v1/jobs/{self.running}", token=member).text)
        shown = self.server.get(f"/v1/jobs/{self.running}?environment=1", token=member)
        self.assertEqual(shown.json["spec"]["environment"]["PASSWORD"], SECRET)
        for words in (["show", str(self.running), "--env"], ["show", str(self.running), "--env", "--json"], ["ps", "--json"]):
            self.assertNotIn(SECRET, self.server.gw(*words, token=viewer).stdout)


if __name__ == "__main__":
    unittest.main()
