"""Completion in real shells, and the manual page."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from factory_server import FactoryTest
from gw_command import GW, SOURCE, GwTest, commands, gw

# Where the scripts find gw: they call it by its name.
FOUND = {**os.environ, "PATH": os.path.dirname(os.path.abspath(GW)) + os.pathsep + os.environ.get("PATH", "")}


def complete_in_bash(line, folder=".", env=None):
    """What bash offers at the end of `line`."""
    script = f"""
        source <({GW} completion bash)
        read -r -a COMP_WORDS <<<"$1"
        [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _gw
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, cwd=folder, timeout=60,
                            env={**FOUND, **(env or {})})
    assert result.stderr == "", result.stderr
    return result.stdout.split()


def complete_in_fish(line, folder=".", env=None):
    script = f'{GW} completion fish | source; complete -C "$argv[1]"'
    with tempfile.TemporaryDirectory() as home:
        env = {**FOUND, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home, **(env or {})}
        result = subprocess.run(["fish", "--no-config", "-c", script, line], capture_output=True, text=True, cwd=folder,
                                env=env, timeout=60)
    assert result.stderr == "", result.stderr
    return [each.split("\t")[0] for each in result.stdout.splitlines()]


# zsh completes only in an interactive line editor: one is run on a pseudo-terminal, and its list read back.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "RPROMPT= LISTMAX=1000"
zpty -w shell "autoload -Uz compinit && compinit -u -D"
zpty -w shell "zstyle ':completion:*' list-separator '--' ; setopt no_always_last_prompt no_list_beep"
zpty -w shell "source =(${1} completion zsh); bindkey '^I' list-choices"
# Its prompt means that the line editor listens: what is typed earlier is lost. Quoted, so that its echo is not it.
zpty -w shell "PROMPT='RE''ADY>'"
zpty -r shell out '*READY>*'
zpty -n -w shell "$2"$'\t'
zpty -w shell $'\x15'"echo DO''NE"
zpty -r shell out '*DONE*'
print -r -- "$out"
"""


def complete_in_zsh(line, folder=".", env=None):
    env = {**FOUND, "TERM": "dumb", "COLUMNS": "300", "LINES": "200", **(env or {})}
    result = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", GW, line], capture_output=True, text=True, cwd=folder, env=env,
                            timeout=60)
    return result.stdout


class Completion(GwTest):
    def test_bash_commands(self):
        offered = complete_in_bash("gw ")
        self.assertEqual(sorted(offered), sorted(words[0] for words in commands() if len(words) == 1))
        self.assertEqual(complete_in_bash("gw vers"), ["version"])

    def test_bash_options(self):
        self.assertEqual(sorted(complete_in_bash("gw version -")), ["--help", "--json", "-h"])
        self.assertEqual(complete_in_bash("gw version --js"), ["--json"])

    def test_bash_words(self):
        self.assertEqual(complete_in_bash("gw completion "), ["bash", "zsh", "fish"])
        self.assertEqual(complete_in_bash("gw completion z"), ["zsh"])
        self.assertEqual(complete_in_bash("gw help vers"), ["version"])

    def test_bash_every_command_offers_its_options(self):
        for words in commands():
            with self.subTest(words):
                self.assertIn("--help", complete_in_bash(f"gw {' '.join(words)} --he"))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.assertEqual(sorted(complete_in_fish("gw ")), sorted(words[0] for words in commands() if len(words) == 1))
        self.assertEqual(complete_in_fish("gw version --js"), ["--json"])
        self.assertEqual(sorted(complete_in_fish("gw completion ")), ["bash", "fish", "zsh"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        offered = complete_in_zsh("gw ")
        for words in commands():
            if len(words) == 1:
                self.assertRegex(offered, rf"\b{words[0]} +--")
        self.assertIn("--json", complete_in_zsh("gw version --"))
        self.assertRegex(complete_in_zsh("gw completion "), r"bash +fish +zsh")


class FromServer(FactoryTest):
    """Numbers of jobs, names of nodes, paths of tenants, ids of tokens: asked of the server while one types."""

    OPTIONS = ("--fleet", os.path.join(SOURCE, "tests/data/small-factory.yaml"))

    @classmethod
    def prepare(cls):
        server = cls.server
        server.add_tenant("acme")
        server.add_tenant("acme/vision", kind="research")
        cls.token = server.add_token(user="anna", label="her laptop")
        cls.held = str(server.submit(name="large: $(touch /tmp/no)", command=["true"], gpus=1, hold=True))
        cls.ended = str(server.submit(name="short", command=["true"]))
        cls.array = str(server.submit(name="sweep", command=["true"], gpus=1, array="0-2", hold=True))
        server.wait(cls.ended)
        cls.node = server.get("/v1/nodes?limit=1").json["nodes"][0]["name"]
        server.expect(server.patch("/v1/nodes/" + cls.node, {"drained": True}))
        # As on a machine that is not the server's.
        cls.env = {"GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": server.token, "XDG_STATE_HOME": server.folder,
                   "XDG_CONFIG_HOME": server.folder, "GIGAWERK_COMPLETION_MS": "20000"}

    def check(self, offered):
        """`offered(line)`: the words that a shell offers."""
        tasks = [f"{self.array}_{index}" for index in range(3)]
        self.assertEqual(sorted(offered("gw cancel ")), sorted([self.held, self.array, *tasks]))
        self.assertIn(self.ended, offered("gw show "))
        self.assertEqual(sorted(offered(f"gw hold {self.array}_")), tasks)
        self.assertEqual(offered("gw resume "), [self.node])
        self.assertEqual(len(offered("gw drain ")), 23)
        self.assertEqual(sorted(offered("gw tenants set ")), ["acme", "acme/vision", "default"])
        self.assertEqual(offered("gw ps --tenant acme/"), ["acme/vision"])
        self.assertIn(self.token.split("_")[1], offered("gw token revoke "))

    def test_bash(self):
        self.check(lambda line: complete_in_bash(line, env=self.env))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.check(lambda line: complete_in_fish(line, env=self.env))
        script = f'{GW} completion fish | source; complete -C "gw cancel "'
        shown = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, env={**FOUND, **self.env})
        self.assertIn(f"{self.held}\tlarge: $(touch /tmp/no) (held, ", shown.stdout)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        shown = complete_in_zsh("gw cancel ", env=self.env)
        self.assertRegex(shown, rf"\b{self.held} +-- large: \$\(touch /tmp/no\) \(held, ")
        self.assertRegex(shown, rf"\b{self.array}_2 +-- sweep")
        self.assertNotIn("short", shown)
        self.assertIn("acme/vision", complete_in_zsh("gw ps --tenant ", env=self.env))
        self.assertRegex(complete_in_zsh("gw resume ", env=self.env), rf"{self.node}\b")
        self.assertIn("her laptop", complete_in_zsh("gw token revoke ", env=self.env))

    def test_the_line_may_name_the_server(self):
        env = {**self.env, "GIGAWERK_SERVER": "http://127.0.0.1:1"}
        self.assertEqual(complete_in_bash("gw cancel ", env=env), [])
        self.assertIn(self.held, complete_in_bash(f"gw cancel --server {self.server.url} ", env=env))

    def test_nothing_is_offered_and_nothing_said_without_a_server(self):
        for env in [{**self.env, "GIGAWERK_SERVER": "http://127.0.0.1:1"}, {**self.env, "GIGAWERK_TOKEN": "bad"},
                    {**self.env, "GIGAWERK_SERVER": "nonsense"}]:
            self.assertEqual(complete_in_bash("gw cancel ", env=env), [])

    def test_a_server_that_hangs_is_not_waited_for(self):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            begin = time.monotonic()
            result = gw("__complete", "jobs", "gw show ",
                        env={**self.env, "GIGAWERK_SERVER": f"http://127.0.0.1:{deaf.getsockname()[1]}",
                             "GIGAWERK_COMPLETION_MS": ""})
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.assertLess(time.monotonic() - begin, 20)  # 0.3 s, on a machine that has time.
            self.assertGreater(time.monotonic() - begin, 0.25)

    def test_what_a_shell_could_obey_is_not_offered(self):
        """Whoever names things on the server does not get to write on others' command lines."""
        jobs = [{"id": "$(touch x)"}, {"id": "`id`"}, {"id": "-rf"}, {"id": "a b"}, {"id": "a;b"}, {"id": "x\ny"}, {"id": 7},
                {"id": "7", "name": "a\tb\nc\x1b[2J", "status": "held", "user": "anna"}, None]

        class Hostile(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"jobs": jobs}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Hostile) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            env = {**self.env, "GIGAWERK_SERVER": f"http://127.0.0.1:{server.server_port}"}
            shown = gw("__complete", "jobs", "gw show ", env=env).stdout
            self.assertEqual(shown, "7\ta\\x09b\\x0ac\\x1b[2J (held, anna)\n")
            self.assertEqual(complete_in_bash("gw show ", env=env), ["7"])
            server.shutdown()


class Manual(GwTest):
    def test_names_every_command_and_option(self):
        page = gw("man").stdout.replace("\\-", "-")
        for words in commands():
            with self.subTest(words):
                self.assertIn(f'.SS "gw {" ".join(words)} ', page)
                offered = complete_in_bash(f"gw {' '.join(words)} -")
                for option in offered:
                    self.assertIn(option, page)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_is_valid_roff(self):
        result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=gw("man").stdout, capture_output=True,
                                text=True)
        self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()
