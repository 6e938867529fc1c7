"""Every command that talks to a server, where there is none, where it refuses, and where it is something else."""

import json
import os
import tempfile
import unittest

from gw_command import FolderTest, GwTest, gw
from scripted_server import ScriptedServer

JOB = "gigawerk: 1\njob: {command: ['true']}\n"

# What is done, and the exit code where gw itself fails if it is not the one that says why.
COMMANDS = [
    (["ps"], None), (["ps", "--json"], None), (["show", "1"], None), (["logs", "1"], None), (["logs", "-f", "1"], None),
    (["cancel", "1"], None), (["hold", "1", "--json"], None), (["release", "1"], None), (["requeue", "1"], None),
    (["wait", "1"], 125), (["wait", "1", "--json"], 125), (["explain", "1"], None), (["whatif"], None), (["eta", "1"], None),
    (["nodes"], None), (["drain", "n"], None), (["resume", "n", "--json"], None), (["tenants", "list"], None),
    (["tenants", "add", "a"], None), (["tenants", "set", "a", "--weight", "2"], None), (["quota", "show"], None),
    (["quota", "show", "a"], None), (["quota", "set", "a", "--jobs", "1"], None),
    (["quota", "set", "a", "--limit", "1"], None), (["quota", "budget", "a", "--euros", "1"], None), (["token", "list"], None),
    (["token", "add", "u"], None), (["token", "revoke", "t"], None), (["usage"], None), (["audit"], None),
    (["run", "--", "true"], 125), (["run", "--detach", "--", "true"], 125), (["submit", "JOB"], None),
    (["submit", "JOB", "--wait"], 125), (["submit", "JOB", "--wait", "--json"], 125),
]


class BadServersTest(GwTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.job = os.path.join(cls.folder.name, "job.yaml")
        with open(cls.job, "w", encoding="ascii") as file:
            file.write(JOB)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def each(self, ask):
        """Calls ask(words, exit code) for each command."""
        for words, code in COMMANDS:
            with self.subTest(words):
                ask([self.job if word == "JOB" else word for word in words], code)

    def check(self, got, out, err, code, text):
        self.assertEqual(got, code, out + err)
        self.assertTrue(err.startswith("gw: "), err)
        self.assertIn(text, err)
        self.assertNotIn("report it", err)
        if out.startswith("{"):  # --json of commands that do several things: an entry for what failed.
            self.assertIn('"error"', out)
        else:
            self.assertEqual(out, "")

    def test_none(self):
        def ask(words, code):
            result = gw(*words, env={"GIGAWERK_SERVER": "http://127.0.0.1:1", "GIGAWERK_PATIENCE": "0",
                                     "GIGAWERK_TOKEN": "gw_x"})
            self.check(result.returncode, result.stdout, result.stderr, code or 3, "is gw serve running there?")

        self.each(ask)

    def test_refusals(self):
        for status, own in ((401, 4), (404, 5), (409, 1), (503, 3)):
            with ScriptedServer(lambda request: request.refuse(status, "some_code", "some reason")) as server:
                self.each(lambda words, code: self.check(*server.gw(*words, env={"GIGAWERK_PATIENCE": "0"}),
                                                         code or own, "some reason"))

    def test_something_else(self):
        with ScriptedServer(lambda request: request.json([])) as server:
            self.each(lambda words, code: self.check(*server.gw(*words, env={"GIGAWERK_PATIENCE": "0"}), code or 3,
                                                     "is that a Gigawerk server?"))

    def test_another_version(self):
        answer = {"jobs": [7], "nodes": 7, "number": "x", "tenants": {}, "reason": []}

        def ask(words, code):
            got, out, err = server.gw(*words, env={"GIGAWERK_PATIENCE": "0"})
            self.assertIn(got, (0, 3, code), out + err)  # Some ask no more of an answer than that it is one.
            self.assertNotIn("report it", err)

        with ScriptedServer(lambda request: request.json(answer)) as server:
            self.each(ask)


class EmptyTextsTest(GwTest):
    def test_an_empty_text_is_something_to_change(self):
        bodies = []

        def answer(request):
            bodies.append(request.body)
            request.json({"path": "acme"})

        with ScriptedServer(answer) as server:
            self.assertEqual(server.gw("tenants", "set", "acme", "--unix-user", "")[0], 0)
            self.assertEqual(bodies, [{"unix_user": ""}])
            self.assertEqual(server.gw("tenants", "set", "acme")[0], 2)


class TokensTest(FolderTest):
    """A token that was only found goes where it was found for, and none crosses a network in the clear."""

    def ask(self, server, url, env=None):
        self.path("state/gigawerk/admin.token", "gw_admin\n")
        self.path("state/gigawerk/server.url", url + "\n")
        surroundings = {"XDG_STATE_HOME": self.path("state"), "XDG_CONFIG_HOME": self.path("config"),
                        "STATE_DIRECTORY": "", "GIGAWERK_TOKEN": "", "GIGAWERK_PATIENCE": "0", **(env or {})}
        return server.gw("ps", "--json", env=surroundings)

    def seen(self):
        tokens = []

        def answer(request):
            tokens.append(request.headers.get("authorization"))
            request.json({"jobs": [], "next": None, "now": "2026-11-01T00:00:00Z"})

        return tokens, answer

    def test_the_admin_token_goes_to_its_server(self):
        tokens, answer = self.seen()
        with ScriptedServer(answer) as server:
            code, _, err = self.ask(server, server.url)
            self.assertEqual((code, tokens), (0, ["Bearer gw_admin"]), err)
            code, _, err = self.ask(server, server.url + "/", {"GIGAWERK_SERVER": ""})
            self.assertEqual((code, tokens), (0, ["Bearer gw_admin"] * 2), err)

    def test_the_admin_token_goes_nowhere_else(self):
        tokens, answer = self.seen()
        with ScriptedServer(answer) as server:
            port = int(server.url.rsplit(":", 1)[1])
            for url in ("http://127.0.0.1:7411", f"https://127.0.0.1:{port}", f"http://localhost:{port}", ""):
                code, _, err = self.ask(server, url)
                self.assertEqual((code, tokens), (4, []), err)
                for word in (server.url, "GIGAWERK_TOKEN", "--token-file", "admin.token"):
                    self.assertIn(word, err)
            code, _, err = self.ask(server, "http://127.0.0.1:7411", {"GIGAWERK_TOKEN": "gw_mine"})
            self.assertEqual((code, tokens), (0, ["Bearer gw_mine"]), err)

    def test_the_token_of_the_client_file_goes_to_its_server(self):
        tokens, answer = self.seen()
        mine = self.path("mine.token", "gw_mine\n")
        with ScriptedServer(answer) as server:
            self.path("config/gigawerk/client.json", json.dumps({"server": server.url, "token_file": mine}))
            self.assertEqual(self.ask(server, "", {"GIGAWERK_SERVER": ""})[0], 0)
            self.assertEqual(self.ask(server, "")[0], 0)
            self.assertEqual(tokens, ["Bearer gw_mine"] * 2)
            self.path("config/gigawerk/client.json", json.dumps({"server": "http://127.0.0.1:1", "token_file": mine}))
            self.assertEqual(self.ask(server, "")[0], 4)
            self.assertEqual(len(tokens), 2)

    def test_no_token_in_the_clear(self):
        _, answer = self.seen()
        with ScriptedServer(answer) as server:
            url = "http://gigawerk.invalid:7699"
            for named in ({"GIGAWERK_SERVER": url}, {"GIGAWERK_SERVER": ""}):  # The second one by server.url.
                code, _, err = self.ask(server, url, {**named, "GIGAWERK_TOKEN": "gw_mine"})
                self.assertEqual(code, 4, err)
                self.assertIn("GIGAWERK_INSECURE=1", err)
                self.assertIn("https", err)
            code, _, err = self.ask(server, url, {"GIGAWERK_SERVER": url, "GIGAWERK_TOKEN": "gw_mine",
                                                  "GIGAWERK_INSECURE": "1"})
            self.assertEqual(code, 3, err)  # It was tried: there is no such host.
            code, _, err = self.ask(server, url, {"GIGAWERK_SERVER": "https://gigawerk.invalid",
                                                  "GIGAWERK_TOKEN": "gw_mine"})
            self.assertEqual(code, 3, err)


if __name__ == "__main__":
    unittest.main()
