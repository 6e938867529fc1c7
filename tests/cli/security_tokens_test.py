"""Attacks on tokens: guessing, spent tokens, and places where a secret might be left lying about."""

import os
import stat
import statistics
import time
import unittest

from factory_server import FactoryServer, FactoryTest


class Guessing(unittest.TestCase):
    """Each with a server of its own: failures are counted by address."""

    def guess(self, server, token):
        return server.get("/v1/whoami", token=token)

    def test_wrong_tokens_are_all_alike(self):
        with FactoryServer() as server:
            known = server.add_token("viewer", user="x").split("_")[1]
            revoked = server.add_token("viewer", user="x")
            server.expect(server.delete("/v1/tokens/" + revoked.split("_")[1]))
            secret = server.token.split("_", 2)[2]
            wrong = [f"gw_{known}_{'A' * 43}", f"gw_000000000000_{'A' * 43}", f"gw_{known}_{secret}", revoked,
                     server.token[:-1], server.token + "A", server.token.upper(), server.token.replace("_", "-"), "gw_", "x",
                     secret, f"gw__{secret}", "e30.e30.e30", f"gw_{known}_", f"gw_%_{secret}", f"gw_' OR 1=1 --_{secret}"]
            answers = {(answer.status, answer.text, tuple(sorted(set(answer.headers) - {"date"})))
                       for answer in (self.guess(server, token) for token in wrong)}
            self.assertEqual(len(answers), 1, answers)
            self.assertEqual(answers.pop()[0], 401)
            for scheme in ("Basic " + server.token, "Bearer", "Bearer  " + server.token, server.token, "bearer\t" + server.token,
                           "Bearer " + server.token + ", Bearer x", "Token " + server.token, 'Bearer "' + server.token + '"'):
                self.assertEqual(server.get("/v1/whoami", token=None, headers={"Authorization": scheme}).status, 401, scheme)
            for target in (f"/v1/whoami?token={server.token}", f"/v1/whoami?access_token={server.token}"):
                self.assertEqual(server.get(target, token=None).status, 401)
            for headers in ({"Cookie": f"token={server.token}"}, {"X-Forwarded-User": "root"}, {"X-Remote-User": "root"}):
                self.assertEqual(server.get("/v1/whoami", token=None, headers=headers).status, 401)
            self.assertEqual(server.get("/v1/whoami", headers={"Authorization": "bEARER " + server.token}).status, 200)

    def test_guesses_are_limited(self):
        with FactoryServer() as server:
            token = server.add_token("viewer", user="x")
            statuses = [self.guess(server, f"gw_{number:012x}_{'A' * 43}").status for number in range(100)]
            self.assertEqual(statuses, sorted(statuses))
            self.assertEqual(set(statuses), {401, 429})
            self.assertGreaterEqual(statuses.count(429), 30)
            blocked = self.guess(server, f"gw_{token.split('_')[1]}_{'A' * 43}")
            self.assertEqual(blocked.status, 429)
            self.assertIn("retry-after", blocked.headers)
            # Whoever has a token is not locked out by a neighbour who guesses.
            self.assertEqual(server.get("/v1/whoami", token=token).status, 200)
            self.assertEqual(server.get("/healthz", token=None).status, 200)
            self.assertGreaterEqual(server.get("/metrics").text.count("gigawerk_http_unauthorised_total 1"), 1)

    def test_the_time_taken_does_not_tell_which_ids_there_are(self):
        with FactoryServer() as server:
            known = server.add_token("viewer", user="x").split("_")[1]
            unknown = f"{(int(known, 16) + 1) % (1 << 48):012x}"
            times = {known: [], unknown: []}
            connection = server.connection()
            for _ in range(600):
                for name, spent in times.items():
                    headers = {"Authorization": f"Bearer gw_{name}_{'A' * 43}"}
                    began = time.perf_counter()
                    connection.request("GET", "/v1/whoami", headers=headers)
                    connection.getresponse().read()
                    spent.append(time.perf_counter() - began)
            connection.close()
            first, second = (statistics.median(spent) for spent in times.values())
            self.assertLess(abs(first - second), 0.25 * max(first, second), (first, second))


class Spent(FactoryTest):
    def test_expired_tokens(self):
        token = self.server.add_token("viewer", user="brief", expires_in="1s")
        self.assert_status(self.server.get("/v1/whoami", token=token), 200)
        end = time.monotonic() + 20
        while self.server.get("/v1/whoami", token=token).status == 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assert_status(self.server.get("/v1/whoami", token=token), 401)
        for expires in ("0s", "-1s", "500ms", "1e300s", "300000y", "soon", ""):
            self.assert_status(self.server.post("/v1/tokens", {"user": "x", "expires_in": expires}), 422)

    def test_revoked_tokens_stay_revoked(self):
        token = self.server.add_token("admin", user="gone")
        identity = token.split("_")[1]
        with self.server.events("/v1/watch", token=token, seconds=10) as events:
            self.server.expect(self.server.delete("/v1/tokens/" + identity, token=token))  # By itself.
            self.assertEqual(list(events), [])
        for method, target in (("GET", "/v1/whoami"), ("DELETE", "/v1/tokens/" + identity), ("GET", "/v1/tokens"), ("POST", "/v1/tokens")):
            self.assert_status(self.server.request(method, target, token=token), 401)
        self.server.restart()
        self.assert_status(self.server.get("/v1/whoami", token=token), 401)
        listed = {entry["id"]: entry for entry in self.server.get("/v1/tokens").json["tokens"]}
        self.assertTrue(listed[identity]["revoked"])
        # No other token of that id comes back to life by a wish in the body.
        self.assert_status(self.server.post("/v1/tokens", {"user": "x", "id": identity}), 422)
        self.assert_status(self.server.post("/v1/tokens", {"user": "x", "revoked": False}), 422)


class Secrets(unittest.TestCase):
    """Where tokens and the environments of jobs must not stand."""

    def test_they_stand_in_no_log_figure_or_audit(self):
        secret, given, wrong = "hunter2-4711-secret", "given-by-nobody-8128", "wrong-token-496"
        with FactoryServer("--log", "json", env={"CANARY_OF_THE_SERVER": "canary-28"}) as server:
            token = server.add_token("admin", user="x", label="label")
            job = {"command": ["sh", "-c", "env; exit 3"], "environment": {"PASSWORD": secret}, "script": None}
            job.pop("script")
            number = server.submit(token=token, headers={"Idempotency-Key": "key-6"}, **job)
            server.wait(number)
            printed = server.output(number)
            self.assertIn(secret, printed)
            # Nor does a job get to know what the server knows.
            self.assertNotIn("canary-28", printed)
            self.assertNotIn("gw_", printed)
            # All kinds of requests that go wrong, the secret in each place.
            server.get("/v1/whoami", token=f"gw_000000000000_{wrong}{'A' * 28}")
            server.get(f"/v1/whoami?token={token}", token=None)
            server.get(f"/{token}/x")
            server.post("/v1/jobs", "{" + secret, token=token)
            server.post("/v1/jobs", {**job, "environment": {"1" + secret: secret}}, token=token)
            server.post("/v1/jobs", {**job, "tenant": "nowhere"}, token=token)
            server.post("/v1/tokens", {"user": given, "tokens": token}, token=token)
            server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token.encode() + b"\nX: y\r\n\r\n")
            server.raw(b"GET /v1/" + token.encode() + b"/../.. HTTP/1.1\r\nHost: x\r\n\r\n")
            failed = server.submit(token=token, command=["/nonexistent/" + "x"], environment={"PASSWORD": secret})
            server.wait(failed)
            server.gw("show", str(number), token=token)
            server.patch("/v1/tenants/default", {"weight": 2}, token=token)
            texts = {"/metrics": server.get("/metrics").text, "audit": server.get("/v1/audit?limit=1000").text,
                     "tokens": server.get("/v1/tokens").text, "openapi": server.get("/openapi.json").text,
                     "list": server.get("/v1/jobs").text, "show": server.get(f"/v1/jobs/{number}").text,
                     "usage": server.get("/v1/usage?by=job").text, "explain": server.get(f"/v1/jobs/{failed}/explain").text,
                     "gw token list": server.gw("token", "list").stdout, "gw audit": server.gw("audit").stdout}
            server.restart()
            texts["log"] = server.log
            texts["printed after a restart"] = server.printed
            self.assertIn("ready", texts["log"])
            for name, text in texts.items():
                for hidden in (secret, token, token.split("_", 2)[2], server.token, server.token.split("_", 2)[2], wrong):
                    self.assertNotIn(hidden, text, name)
            self.assertIn("job.submit", texts["audit"])

    def test_tokens_are_kept_as_hashes(self):
        with FactoryServer() as server:
            token = server.add_token("viewer", user="x")
            self.assertRegex(token, r"^gw_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$")
            secrets = {token.split("_", 2)[2].encode(): [], server.token.split("_", 2)[2].encode(): ["admin.token"]}
            server.stop()
            for folder, _, names in os.walk(server.data):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        text = file.read()
                    for secret, allowed in secrets.items():
                        if name not in allowed:
                            self.assertNotIn(secret, text, name)

    def test_files_are_their_owners_alone(self):
        """Jobs may run under other accounts on the same machine, and pass through the folder."""
        with FactoryServer() as server:
            number = server.submit(script="#!/bin/sh\nsleep 60\n", environment={"PASSWORD": "x"})
            server.wait(number, "running")
            for folder, folders, names in os.walk(server.data):
                for name in folders:
                    path = os.path.join(folder, name)
                    self.assertEqual(os.stat(path).st_mode & 0o066, 0, path)  # Passed through, not looked into.
                for name in names:
                    path = os.path.join(folder, name)
                    mode = os.stat(path).st_mode
                    if name in ("claim", "exit", "exit.new"):  # Times and codes.
                        self.assertEqual(mode & 0o022, 0, path)
                    else:
                        self.assertEqual(mode & 0o027, 0, (path, stat.filemode(mode)))
            os.chmod(os.path.join(server.data, "gigawerk.db"), 0o644)  # As an older server made it.
            server.restart()
            self.assertEqual(os.stat(os.path.join(server.data, "gigawerk.db")).st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
