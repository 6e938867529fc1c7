"""gw top in real terminals, before a real gw serve: what it shows, its keys, and what it leaves behind."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from factory_server import FactoryServer, FactoryTest
from gw_command import GW, SOURCE

FLEET = os.path.join(SOURCE, "tests/data/small-factory.yaml")
SECONDS = 60


def environment(server, **more):
    """The surroundings of a user of this server, as names and values."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("GIGAWERK_") and name not in ("COLUMNS", "LINES", "NO_COLOR", "LC_CTYPE", "LANG")}
    return {**kept, "GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": server.token, "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": server.folder, "XDG_CONFIG_HOME": server.folder, **more}


class Tmux:
    """A terminal in which a command runs; its screen can be read, its keys pressed, its size changed."""

    def __init__(self, command, env, columns=80, rows=24):
        self.folder = tempfile.mkdtemp(prefix="gw-tmux-")
        self.socket = os.path.join(self.folder, "socket")
        self.env = env
        with open(os.path.join(self.folder, "conf"), "w", encoding="ascii") as file:
            file.write("set -g status off\nset -g default-terminal screen-256color\nset -sg escape-time 0\n")
        # The shell that stays shows the exit code, and that the terminal is itself again.
        script = f"{command}; echo \"left with $?\"; stty -a | grep icanon; exec sleep 1000"
        self.tmux("-f", os.path.join(self.folder, "conf"), "new-session", "-d", "-x", str(columns), "-y", str(rows), script)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *words], env=self.env, capture_output=True, text=True,
                              timeout=SECONDS, check=True).stdout

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "0")

    def press(self, *keys):
        self.tmux("send-keys", "-t", "0", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "0", "-l", text)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "0", "-x", str(columns), "-y", str(rows))

    def until(self, wanted, what=None):
        """The screen as soon as wanted(screen) holds, or the text `wanted` is there."""
        end = time.monotonic() + SECONDS
        while True:
            screen = self.screen()
            if wanted(screen) if callable(wanted) else re.search(wanted, screen):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"not seen: {what or wanted}\n{screen}")
            time.sleep(0.05)


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Top(FactoryTest):
    OPTIONS = ("--fleet", FLEET)

    @classmethod
    def prepare(cls):
        server = cls.server
        server.add_tenant("acme")
        server.add_tenant("acme/vision", weight=2, gpus=100)
        cls.running = server.submit(name="train", command=["sh", "-c", "echo epoch 1; exec sleep 1000"], gpus=8, nodes=4,
                                    tenant="acme/vision")
        cls.waiting = server.submit(name="large", command=["true"], gpus=8, nodes=10, tenant="acme/vision", hold=True)
        server.submit(name="日本語\u202e", command=["true"], gpus=1, hold=True)
        node = server.get("/v1/nodes").json["nodes"][10]["name"]
        server.expect(server.patch("/v1/nodes/" + node, {"drained": True, "reason": "a\u202eb"}))
        server.wait(cls.running, "running")

    def top(self, *words, columns=80, rows=24, **more):
        words = " ".join(["exec" if more.pop("alone", False) else "", GW, "top", *words])
        terminal = Tmux(words, environment(self.server, **more), columns, rows)
        self.addCleanup(terminal.close)
        return terminal

    def test_what_is_there_and_the_way_out(self):
        terminal = self.top()
        screen = terminal.until("healthy")
        screen = terminal.until("train")
        self.assertRegex(screen, r"small-factory +policy gigawerk")
        self.assertRegex(screen, r"b200 +█.* 32 used +152 free +8 off")
        self.assertRegex(screen, rf"{self.running} train +acme/vision +running +32")
        self.assertIn("日本語\uFFFD", screen)
        terminal.press("q")
        screen = terminal.until(r"left with 0\s[^$]*\bicanon .*\becho ")
        self.assertNotIn("healthy", screen)  # The screen as it was before.
        self.assertNotRegex(screen, "-(echo|icanon) ")

    def test_panes_details_output_and_filter(self):
        terminal = self.top()
        terminal.until("train")
        terminal.press("2")
        terminal.until(r"(?s)rack-01/node-1.* 1/24")
        terminal.press("End")
        terminal.until("24/24")
        terminal.press("Tab")
        screen = terminal.until("acme")
        self.assertRegex(screen, r"(?m)^   vision +32 ")
        terminal.press("1", "Enter")
        screen = terminal.until("asks for")
        self.assertIn(f"Job {self.running}  train", screen)
        terminal.press("o")
        terminal.until("epoch 1")
        terminal.press("q", "q")
        terminal.until(f"{self.waiting} large")
        terminal.press("/")
        terminal.type("larg")
        terminal.until(lambda screen: "large" in screen and "train" not in screen, "only what matches")
        terminal.press("Escape")
        terminal.until("train")
        terminal.press("?")
        terminal.until("Everywhere")
        terminal.press("Escape", "s")
        terminal.until("by time")

    def test_what_others_wrote_is_shown_not_obeyed(self):
        terminal = self.top("--pane", "nodes", "--sort", "state", columns=160)
        terminal.until("drained .* a\uFFFDb")
        terminal.press("Enter")
        terminal.until("reason +a\uFFFDb")

    def test_orders(self):
        number = self.server.submit(name="victim", command=["true"], gpus=1, hold=True)
        terminal = self.top("--filter", "victim")
        terminal.until(f"{number} victim")
        terminal.press("c")
        terminal.until(f"Cancel job {number} \\(victim\\)")
        terminal.press("n")
        terminal.until("filter")
        self.assertEqual(self.server.job(number)["status"], "held")
        terminal.press("c", "y")
        terminal.until("is cancelled")
        self.server.wait(number, "cancelled")
        terminal.until("nothing matches")  # At once, by its event.
        terminal.press("2", "End")
        screen = terminal.until("24/24")
        terminal.press("d")
        name = re.search(r"Drain node (\S+)\?", terminal.until("Drain node")).group(1)
        terminal.press("y")
        terminal.until("Why")
        terminal.type("a loud fan")
        terminal.press("Enter")
        terminal.until("starts nothing new")
        node = self.server.get(f"/v1/nodes/{name}").json
        self.assertEqual((node["state"], node["reason"]), ("drained", "a loud fan"))
        terminal.until("drained")
        terminal.press("r")
        terminal.until("back in service")
        self.assertEqual(self.server.get(f"/v1/nodes/{name}").json["state"], "up")

    def test_a_change_shows_long_before_the_interval(self):
        terminal = self.top("--interval", "600")
        terminal.until("train")
        number = self.server.submit(name="sudden", command=["true"], gpus=1, hold=True)
        terminal.until("sudden")
        self.server.post(f"/v1/jobs/{number}/cancel")
        terminal.until(lambda screen: "sudden" not in screen, "that it is gone")

    def test_sizes(self):
        terminal = self.top()
        terminal.until("train")
        for columns, rows in [(200, 60), (40, 10), (120, 40), (20, 5), (10, 3), (80, 24)]:
            terminal.resize(columns, rows)
            if columns < 20:
                terminal.until("the termin")
                continue
            screen = terminal.until(lambda screen: "small-f" in screen and len(screen.splitlines()) == rows and
                                    (columns < 40 or f"{self.running} " in screen), f"{columns}x{rows}")
            lines = screen.rstrip("\n").split("\n")
            self.assertLessEqual(max(map(len, lines)), columns)
        terminal.until("train")

    def test_no_colour_and_ascii(self):
        terminal = self.top(NO_COLOR="1", LC_ALL="C")
        screen = terminal.until("train")
        self.assertTrue(screen.isascii(), screen)
        self.assertRegex(screen, r"b200 +#+\.+x+ ")
        coloured = terminal.tmux("capture-pane", "-p", "-e", "-t", "0")
        self.assertNotRegex(coloured, "\x1b\\[[0-9;]*3[0-7]")

    def test_a_terminal_that_nobody_knows(self):
        terminal = self.top(TERM="xterm-256color")
        terminal.until("train")
        unknown = Tmux(f"TERM=no-such-terminal {GW} top", environment(self.server))
        self.addCleanup(unknown.close)
        screen = unknown.until("left with 1")
        self.assertIn("no-such-terminal", screen)
        self.assertIn("gw top --once", screen)


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Restart(unittest.TestCase):
    def test_the_server_goes_and_comes_back_elsewhere(self):
        with FactoryServer("--fleet", FLEET) as server:
            server.submit(name="sleeper", command=["sleep", "1000"], gpus=8, hold=True)
            # Found by the file that the server writes, as on the machine where it runs: its port will be another.
            env = environment(server, XDG_STATE_HOME=os.path.dirname(server.data))
            del env["GIGAWERK_SERVER"], env["GIGAWERK_TOKEN"]
            os.symlink(server.data, os.path.join(os.path.dirname(server.data), "gigawerk"))
            terminal = Tmux(f"{GW} top", env, 100, 24)
            try:
                terminal.until("sleeper")
                server.stop()
                screen = terminal.until("no answer since")
                self.assertIn("sleeper", screen)
                terminal.until("cannot reach")
                server.start()
                screen = terminal.until("healthy")
                self.assertNotIn("no answer", screen)
                number = server.submit(name="after", command=["true"], gpus=1, hold=True)
                terminal.until(f"{number} after")
            finally:
                terminal.close()


class Pty(FactoryTest):
    """Without a terminal emulator: what is written to the terminal, and how it is left."""

    def start(self, **more):
        """Starts gw top as the leader of a new terminal; gives (process, terminal)."""
        process, terminal = pty.fork()
        if process == 0:
            os.execve(GW, [GW, "top"], environment(self.server, **more))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.addCleanup(os.close, terminal)
        return process, terminal

    @staticmethod
    def read(terminal, until=None):
        """Everything that is written until `until` is, or until the terminal is left."""
        seen = b""
        end = time.monotonic() + SECONDS
        while (until is None or until not in seen) and time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # It has no other end any more.
                break
            if not piece:
                break
            seen += piece
        return seen

    def leave(self, how):
        process, terminal = self.start()
        modes = termios.tcgetattr(terminal)
        seen = self.read(terminal, b"healthy")
        self.assertIn(b"\x1b[?1049h", seen)
        self.assertFalse(termios.tcgetattr(terminal)[3] & termios.ECHO)
        if isinstance(how, bytes):
            os.write(terminal, how)
        else:
            os.kill(process, how)
        # The other end is kept open by nobody but gw: what it writes last is read before its end shows.
        last = b""
        while b"\x1b[?1049l" not in last:
            piece = self.read(terminal, b"\x1b[?1049l")
            self.assertTrue(piece, last)
            last += piece
        status = os.waitpid(process, 0)[1]
        after = termios.tcgetattr(terminal)
        self.assertEqual(after[3] & (termios.ECHO | termios.ICANON), modes[3] & (termios.ECHO | termios.ICANON))
        self.assertIn(b"\x1b[?12l\x1b[?25h", last)  # The cursor is back.
        return os.waitstatus_to_exitcode(status), last

    def test_the_terminal_is_given_back(self):
        self.assertEqual(self.leave(b"q")[0], 0)
        self.assertEqual(self.leave(b"\x03")[0], 128 + signal.SIGINT)
        self.assertEqual(self.leave(signal.SIGTERM)[0], 128 + signal.SIGTERM)
        self.assertEqual(self.leave(signal.SIGABRT)[0], 70)  # As when a check fails.

    def test_the_terminal_goes_away(self):
        process, terminal = self.start()
        self.read(terminal, b"healthy")
        os.kill(process, signal.SIGHUP)
        self.read(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), 128 + signal.SIGHUP)


class Once(FactoryTest):
    OPTIONS = ("--fleet", FLEET)

    @classmethod
    def prepare(cls):
        for number in range(30):
            cls.server.submit(name=f"job-{number}", command=["true"], gpus=number % 8 + 1, hold=True)

    def once(self, *words, **env):
        return self.server.gw("top", *words, env={"LC_ALL": "C.UTF-8", "COLUMNS": "80", "LINES": "24", **env})

    def test_a_frame_as_text(self):
        result = self.once("--once")
        self.assert_exit(result, 0)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertIn("small-factory", lines[0])
        self.assertNotIn("\x1b", result.stdout)
        self.assertIn("job-0", result.stdout)
        self.assertIn("24 nodes", result.stdout)

    def test_sorted_and_filtered(self):
        def first(*words):
            rows = json.loads(self.once("--json", *words).stdout)["jobs"]
            return [row["name"] for row in rows][:3]
        self.assertEqual(first("--sort", "gpus"), ["job-7", "job-15", "job-23"])
        self.assertEqual(first("--sort", "-gpus"), ["job-0", "job-8", "job-16"])
        self.assertEqual(first("--sort", "newest"), ["job-29", "job-28", "job-27"])
        self.assertEqual(first("--filter", "JOB-2", "--sort", "name"), ["job-2", "job-20", "job-21"])

    def test_json(self):
        document = json.loads(self.once("--json", LINES="12").stdout)
        self.assertEqual(document["found"], 30)
        self.assertEqual(len(document["jobs"]), 7)
        self.assertEqual(document["summary"]["jobs_by_state"]["held"], 30)
        document = json.loads(self.once("--json", "--pane", "tenants").stdout)
        self.assertEqual([tenant["path"] for tenant in document["tenants"]], ["default"])
        document = json.loads(self.once("--json", "--pane", "nodes", "--filter", "up").stdout)
        self.assertEqual(document["found"], 24)

    def test_what_is_wrong(self):
        self.assert_refused(self.once("--once", "--sort", "colour"), 2, "line, time, gpus")
        self.assert_refused(self.once(), 2, "needs a terminal")
        self.assert_refused(self.once("--once", "--server", "http://127.0.0.1:1"), 3, "cannot reach")
        self.assert_refused(self.server.gw("top", "--once", token="gw_bad_token"), 4, "token")


class Pages(FactoryTest):
    """What the server gives to screens: pages in any order."""

    OPTIONS = ("--fleet", FLEET)

    @classmethod
    def prepare(cls):
        cls.server.add_tenant("acme")
        for number in range(25):
            cls.server.submit(name=f"n{number % 7}", command=["true"], gpus=number % 3 + 1, hold=True, priority=number % 2,
                              tenant="acme" if number % 5 == 0 else "default")

    def jobs(self, query, status=200):
        answer = self.server.get("/v1/jobs?status=open&" + query)
        self.assert_status(answer, status)
        return answer.json

    def test_pages_of_any_order_are_the_whole_once(self):
        for sort in ["queue", "-queue", "time", "-gpus", "cpus", "limit", "number", "-tenant", "user", "name"]:
            with self.subTest(sort):
                whole = self.jobs(f"sort={sort}&limit=1000")
                self.assertEqual((len(whole["jobs"]), whole["found"], whole["next"]), (25, 25, None))
                paged, offset = [], "0"
                while offset is not None:
                    page = self.jobs(f"sort={sort}&limit=4&offset={offset}")
                    paged += page["jobs"]
                    offset = page["next"]
                self.assertEqual([job["id"] for job in paged], [job["id"] for job in whole["jobs"]])

    def test_orders(self):
        names = [job["name"] for job in self.jobs("sort=name&limit=1000")["jobs"]]
        self.assertEqual(names, sorted(names))
        gpus = [job["gpus"] for job in self.jobs("sort=-gpus&limit=1000")["jobs"]]
        self.assertEqual(gpus, sorted(gpus, reverse=True))
        numbers = [job["number"] for job in self.jobs("text=n&limit=1000")["jobs"]]
        self.assertEqual(numbers, sorted(numbers, reverse=True))

    def test_search(self):
        self.assertEqual(self.jobs("text=ACME")["found"], 5)
        self.assertEqual(self.jobs("text=held")["found"], 25)
        self.assertEqual(self.jobs("text=n3&tenant=acme")["found"], 1)
        none = self.jobs("text=nobody")
        self.assertEqual((none["jobs"], none["next"], none["found"]), ([], None, 0))

    def test_refused(self):
        self.assertIn("queue, time", self.jobs("sort=colour", 400)["error"]["message"])
        answer = self.server.get("/v1/jobs?sort=name")
        self.assert_status(answer, 400)

    def test_nodes(self):
        name = self.server.get("/v1/nodes?sort=-name&limit=1").json["nodes"][0]["name"]
        self.server.expect(self.server.patch("/v1/nodes/" + name, {"drained": True, "reason": "Fan"}))
        answer = self.server.get("/v1/nodes?sort=state&limit=2").json
        self.assertEqual((answer["nodes"][0]["name"], answer["found"], answer["next"]), (name, 24, "2"))
        self.assertEqual(self.server.get("/v1/nodes?text=fan").json["found"], 1)
        self.assertEqual(self.server.get("/v1/nodes?text=b200&state=up").json["found"], 23)
        paged, after = [], "0"
        while after is not None:
            page = self.server.get(f"/v1/nodes?sort=gpus_free&limit=7&after={after}").json
            paged += [node["name"] for node in page["nodes"]]
            after = page["next"]
        self.assertEqual(len(set(paged)), 24)


if __name__ == "__main__":
    unittest.main()
