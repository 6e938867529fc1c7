"""gw serve --oidc as its users and its attackers meet it: tokens of an issuer, its keys from a file and from a server."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time
import unittest

from factory_server import FactoryServer
from gw_command import FolderTest, gw

ISSUER = "https://login.test/realm"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key of the openssl command's, which signs tokens."""

    def __init__(self, folder, identity):
        self.id = identity
        self.path = os.path.join(folder, f"{identity}.pem")
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path],
                       check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True, capture_output=True, text=True)
        self.modulus = bytes.fromhex(modulus.stdout.strip().split("=")[1])
        self.public = subprocess.run(["openssl", "rsa", "-in", self.path, "-pubout"], check=True, capture_output=True).stdout

    def jwk(self):
        return {"kty": "RSA", "kid": self.id, "use": "sig", "alg": "RS256", "n": base64url(self.modulus), "e": "AQAB"}

    def token(self, header=None, **claims):
        now = int(time.time())
        body = {"iss": ISSUER, "aud": "gigawerk", "sub": "0f3c", "iat": now, "exp": now + 300, "preferred_username": "ada",
                "gigawerk_tenant": "acme", "gigawerk_role": "member", **claims}
        body = {name: value for name, value in body.items() if value is not None}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.id, **(header or {})}
        text = base64url(json.dumps(head).encode()) + "." + base64url(json.dumps(body).encode())
        if head["alg"] == "none":
            return text + "."
        if head["alg"] == "HS256":
            return text + "." + base64url(hmac.new(self.public, text.encode(), hashlib.sha256).digest())
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text.encode(), check=True, capture_output=True)
        return text + "." + base64url(signed.stdout)


class Publisher:
    """Publishes a JWK Set on this machine."""

    def __init__(self):
        self.keys, self.asked, self.status = [], 0, 200
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked += 1
                body = json.dumps({"keys": [key.jwk() for key in publisher.keys]}).encode()
                self.send_response(publisher.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/certs"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it does not come to pass")
        time.sleep(0.1)


class Issuer(unittest.TestCase):
    """One server that reads its issuer's keys from a file."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.key, cls.stranger = Key(folder.name, "one"), Key(folder.name, "two")
        with open(os.path.join(folder.name, "keys.json"), "w", encoding="utf-8") as file:
            json.dump({"keys": [cls.key.jwk()]}, file)
        path = os.path.join(folder.name, "oidc.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""gigawerk: 1
oidc:
  issuer: {ISSUER}
  audience: gigawerk
  keys_file: keys.json
  groups:
    - {{group: operators, everywhere: true, role: operator}}
    - {{group: /ai/acme, tenant: acme, role: member}}
    - {{group: /ai/gone, tenant: gone, role: member}}
""")
        cls.server = FactoryServer("--oidc", path)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        for tenant in ("acme", "acme/vision", "other"):
            cls.server.add_tenant(tenant)

    def who(self, token):
        return self.server.get("/v1/whoami", token=token)

    def test_a_user_of_the_issuer_works_here(self):
        token = self.key.token()
        who = self.who(token).json
        self.assertEqual(who, {"user": "ada", "role": "member", "tenant": "acme", "token": "oidc:0f3c"})
        number = self.server.submit(token=token, command=["echo", "by ada"])
        self.assertEqual(self.server.wait(number)["user"], "ada")
        self.assertEqual(self.server.gw("logs", str(number), token=token).stdout, "by ada\n")
        entry = self.server.get("/v1/audit?tenant=acme").json["audit"][0]
        self.assertEqual((entry["token"], entry["user"], entry["action"]), ("oidc:0f3c", "ada", "job.submit"))
        # Its rights are those of any token: its tenant, its role, and no more.
        self.assertEqual(self.server.get("/v1/jobs?tenant=other", token=token).status, 404)
        self.assertEqual(self.server.post("/v1/tokens", {"user": "x"}, token=token).status, 403)
        self.assertEqual(self.server.get(f"/v1/jobs/{number}", token=self.key.token(gigawerk_tenant="other")).status, 404)
        # Own tokens go on working beside it.
        self.assertEqual(self.who("").status, 200)

    def test_forged_and_spent_tokens(self):
        now = int(time.time())
        good = self.key.token()
        head, body, signature = good.split(".")
        other = base64url(json.dumps({"iss": ISSUER, "aud": "gigawerk", "sub": "root", "exp": now + 300, "gigawerk_tenant": "acme"}).encode())
        self.assertEqual(self.who(good).status, 200)
        silent = [self.key.token({"alg": "none"}), self.key.token({"alg": "HS256"}), self.key.token({"alg": "ES256"}),
                  self.stranger.token(), self.stranger.token({"kid": "one"}), self.key.token({"kid": "two"}),
                  self.key.token({"crit": ["exp"]}), f"{head}.{other}.{signature}", f"{head}.{body}.", f"{head}.{body}",
                  good[:-2], good + "AA", self.key.token(pad="x" * 16_000)]
        answers = {(answer.status, answer.text) for answer in (self.who(token) for token in silent)}
        self.assertEqual(len(answers), 1, answers)
        self.assertEqual(answers.pop()[0], 401)
        for claims in ({"exp": now - 61}, {"exp": None}, {"nbf": now + 120}, {"iat": now + 120}, {"iss": ISSUER + "/"},
                       {"aud": "account"}, {"aud": None}, {"sub": None}, {"preferred_username": "a b"}, {"gigawerk_role": "root"}):
            self.assertEqual(self.who(self.key.token(**claims)).status, 401, claims)

    def test_tenants_that_there_are_not(self):
        """Whether a tenant exists is not for others to find out by claims."""
        answers = {(answer.status, answer.text) for answer in (self.who(self.key.token(**claims)) for claims in (
            {"gigawerk_tenant": "nowhere"}, {"gigawerk_tenant": None}, {"gigawerk_tenant": None, "groups": ["/ai/gone"]},
            {"gigawerk_tenant": "acme/nowhere"}, {"gigawerk_tenant": None, "groups": ["/ai/unknown"]}))}
        self.assertEqual(len(answers), 1, answers)
        self.assertEqual(answers.pop()[0], 403)

    def test_claims_give_no_more_than_the_file_allows(self):
        self.assertEqual(self.who(self.key.token(gigawerk_role="admin")).json["role"], "operator")
        self.assertEqual(self.server.post("/v1/tokens", {"user": "x"}, token=self.key.token(gigawerk_role="admin")).status, 403)
        for path in ("", "/", ".", "*"):
            self.assertEqual(self.who(self.key.token(gigawerk_tenant=path)).status, 401)
        groups = {"gigawerk_tenant": None, "gigawerk_role": None}
        self.assertEqual(self.who(self.key.token(**groups, groups=["/ai/acme"])).json["tenant"], "acme")
        everywhere = self.who(self.key.token(**groups, groups=["/ai/acme", "operators"])).json
        self.assertEqual((everywhere["tenant"], everywhere["role"]), ("", "operator"))
        self.assertEqual(self.who(self.key.token(**groups, groups=["Operators"])).status, 403)
        self.assertEqual(self.server.get("/metrics", token=self.key.token(**groups, groups=["operators"])).status, 200)


class Rotation(FolderTest):
    def test_new_keys_are_found_and_old_ones_forgotten(self):
        one, two = Key(self.folder, "one"), Key(self.folder, "two")
        publisher = Publisher()
        self.addCleanup(publisher.close)
        publisher.keys = [one]
        path = self.path("oidc.yaml", f"gigawerk: 1\noidc: {{issuer: '{ISSUER}', audience: gigawerk, keys_url: '{publisher.url}'}}\n")
        with FactoryServer("--oidc", path) as server:
            server.add_tenant("acme")

            def status(key):
                return server.get("/v1/whoami", token=key.token()).status

            until(lambda: status(one) == 200)
            first, second = status(one), status(two)
            self.assertEqual((first, second), (200, 401))  # Just read: not asked for again so soon.
            publisher.keys = [one, two]
            until(lambda: status(two) == 200)  # Within 30 s.
            asked = publisher.asked
            self.assertLessEqual(asked, 3)
            for _ in range(20):
                self.assertIn(server.get("/v1/whoami", token=one.token({"kid": "made-up"})).status, (401, 429))
            self.assertEqual(publisher.asked, asked)
            # The issuer falls away: what is known goes on.
            publisher.status = 500
            server.process.send_signal(1)
            self.assertEqual(status(two), 200)


class Files(FolderTest):
    def test_a_file_that_is_wrong_is_refused(self):
        for text, place in (("gigawerk: 1\noidc: {issuer: i, audience: a}\n", "oidc.yaml:2:7: "),
                            ("gigawerk: 1\noidc: {issuer: i, audience: a, keys_url: 'http://login.test/k'}\n", "oidc.yaml:2:42: "),
                            ("gigawerk: 1\noidc: {issuer: i, audience: a, keys_file: none.json}\n", "none.json: cannot be read")):
            path = self.path("oidc.yaml", text)
            result = gw("serve", "--data", self.path("data"), "--port", "0", "--oidc", path)
            self.assert_refused(result, 1, place)


if __name__ == "__main__":
    unittest.main()
