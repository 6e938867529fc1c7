"""A private gw serve for tests: started on a free port with a folder of its own, stopped with every job it ran.

    with FactoryServer() as server:
        number = server.submit(command=["echo", "hello"])
        server.wait(number)
        print(server.output(number), server.get("/v1/summary").json["nodes"], server.gw("ps").stdout)
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

from gw_command import GW, GwTest, gw

START_SECONDS = 60
STOP_SECONDS = 30


class Answer:
    """What a server said: status, headers (names in lower case, the last of each), body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable name of a refusal; empty where it is none."""
        try:
            return self.json["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return ""

    def __repr__(self):
        return f"{self.status} {self.text[:500]}"


class EventStream:
    """Server-sent events of one request, read as they come; close it, or use it in `with`."""

    def __init__(self, connection, seconds):
        self.connection = connection
        self.response = connection.getresponse()
        self.status = self.response.status
        self.seconds = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def read(self):
        """All of an answer that is no stream: a refusal."""
        return Answer(self.status, self.response.getheaders(), self.response.read())

    def __iter__(self):
        """Gives (event, data, id) until the server ends the stream; TimeoutError if no event comes for too long."""
        event, data, identity = "message", [], None
        end = time.monotonic() + self.seconds
        for line in self.response:
            if time.monotonic() > end:  # Comments still come.
                raise TimeoutError(f"no event for {self.seconds} s")
            line = line.decode().rstrip("\r\n")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield event, "\n".join(data), identity
                    end = time.monotonic() + self.seconds
                event, data = "message", []
            elif field == "event":
                event = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                identity = value

    def until(self, wanted):
        """The events up to the first for which wanted(event, data as JSON) holds, that one included."""
        seen = []
        for event, data, _ in self:
            seen.append((event, json.loads(data)))
            if wanted(*seen[-1]):
                break
        return seen


class FactoryServer:
    """One gw serve. `options` are words of its command line; `env` is added to its environment (None takes a variable
    away). Used in `with`, or by `start` and `stop`; a stopped server can be started again on the same data."""

    def __init__(self, *options, env=None, data=None):
        self.options = list(options)
        self.env = dict(env or {})
        self.process = None
        self.url = None
        self.token = None
        self.folder = tempfile.mkdtemp(prefix="gw-server-")
        os.chmod(self.folder, 0o711)  # Jobs under other accounts pass through it.
        self.data = data or os.path.join(self.folder, "data")
        self._out = os.path.join(self.folder, "serve.out")
        self._err = os.path.join(self.folder, "serve.err")

    # Starting and ending.

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, *options):
        """Starts it, with `options` beside those it was made with, and returns when it answers."""
        with open(self._out, "wb") as out, open(self._err, "ab") as err:
            self.process = subprocess.Popen(
                [os.path.abspath(GW), "serve", "--data", self.data, "--port", "0", *self.options, *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._surroundings(self.env), cwd=self.folder)
        end = time.monotonic() + START_SECONDS
        while True:
            printed = self._read(self._out)
            if "ready at " in printed and printed.endswith("\n"):
                self.url = printed.split("ready at ", 1)[1].split("\n", 1)[0].strip()
                break
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"gw serve did not start:\n{printed}{self.log}")
            time.sleep(0.02)
        if self.token is None:
            with open(os.path.join(self.data, "admin.token"), encoding="ascii") as file:
                self.token = file.read().strip()
        return self

    def stop(self):
        """Ends the server as an operator does; jobs go on. Gives its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self):
        """Ends the server without warning; jobs go on."""
        return self._end(signal.SIGKILL)

    def restart(self, *options):
        self.stop()
        return self.start(*options)

    def close(self):
        """Ends every job and the server, and removes its folder."""
        try:
            if self.alive:
                with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
                    self.cancel_all()
                self.stop()
        finally:
            self._end_processes()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def log(self):
        """What it has written to standard error so far, through all its starts."""
        return self._read(self._err)

    @property
    def printed(self):
        """What it has printed since it was last started."""
        return self._read(self._out)

    def _end(self, how):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"gw serve did not end within {STOP_SECONDS} s:\n{self.log}") from None
        return self.process.returncode

    def _surroundings(self, env):
        """An environment in which gw finds nothing of the user who runs the tests."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("GIGAWERK_") or name == "GIGAWERK_SHARE"}
        kept["XDG_STATE_HOME"] = os.path.join(self.folder, "state")
        kept["XDG_CONFIG_HOME"] = os.path.join(self.folder, "config")
        kept.pop("STATE_DIRECTORY", None)
        for name, value in env.items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value
        return kept

    def processes(self):
        """Supervisors and jobs of this server's folder, and all below them, by process id."""
        parents, ours = {}, set()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            process = int(entry)
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()
                if fields[0] == b"Z":
                    continue
                parents[process] = int(fields[1])
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                jobs = os.path.join(self.data, "jobs") + "/"
                if len(words) > 1 and words[1].startswith(jobs.encode()):
                    ours.add(process)
                elif (os.readlink(f"/proc/{entry}/cwd") + "/").startswith(jobs):
                    ours.add(process)
        grown = True
        while grown:
            below = {process for process, parent in parents.items() if parent in ours} - ours
            grown = bool(below)
            ours |= below
        return ours - {os.getpid()}

    def _end_processes(self):
        end = time.monotonic() + STOP_SECONDS
        while (left := self.processes()) and time.monotonic() < end:
            for process in left:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)

    @staticmethod
    def _read(path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # Asking it.

    def connection(self, seconds=60):
        """A connection of http.client to the server."""
        url = urllib.parse.urlsplit(self.url)
        if url.scheme == "unix":
            return UnixConnection(url.path, seconds)
        if url.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # Certificates of tests are their own.
            return http.client.HTTPSConnection(url.hostname, url.port, timeout=seconds, context=context)
        return http.client.HTTPConnection(url.hostname, url.port, timeout=seconds)

    def request(self, method, target, body=None, token="", headers=None, seconds=60):
        """One request. `body`: bytes or a text as they are, anything else as JSON; `token`: another than the admin's,
        None for no token at all."""
        connection = self.connection(seconds)
        try:
            self._send(connection, method, target, body, token, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def _send(self, connection, method, target, body, token, headers):
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token or self.token}")
        if isinstance(body, str):
            body = body.encode()
        elif body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, target, body=body, headers=sent)

    def get(self, target, **how):
        return self.request("GET", target, **how)

    def post(self, target, body=None, **how):
        return self.request("POST", target, body, **how)

    def patch(self, target, body=None, **how):
        return self.request("PATCH", target, body, **how)

    def delete(self, target, **how):
        return self.request("DELETE", target, **how)

    def events(self, target, token="", headers=None, seconds=30):
        """The stream of server-sent events at `target`."""
        connection = self.connection(seconds)
        try:
            self._send(connection, "GET", target, None, token, headers)
            return EventStream(connection, seconds)
        except BaseException:
            connection.close()
            raise

    def socket(self, seconds=30):
        """A plain socket to the server, for what no client would send."""
        url = urllib.parse.urlsplit(self.url)
        return socket.create_connection((url.hostname, url.port), timeout=seconds)

    def raw(self, sent, seconds=30):
        """Sends these bytes, and gives everything that comes back until the server closes."""
        with self.socket(seconds) as peer:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.sendall(sent)
                peer.shutdown(socket.SHUT_WR)
            heard = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := peer.recv(65536):
                    heard += piece
            return heard

    def gw(self, *words, token="", env=None, stdin=None):
        """Runs the command line against this server, as the admin or with another token (None: with none)."""
        surroundings = self._surroundings({"GIGAWERK_SERVER": self.url, **(env or {})})
        if token is not None:
            surroundings["GIGAWERK_TOKEN"] = token or self.token
        cleared = {name: None for name in os.environ if name not in surroundings}
        return gw(*words, env={**surroundings, **cleared}, stdin=stdin)

    # What tests often need.

    def expect(self, answer, *statuses):
        if answer.status not in (statuses or (200, 201)):
            raise AssertionError(f"answered {answer!r}")
        return answer.json

    def add_tenant(self, path, **settings):
        return self.expect(self.post("/v1/tenants", {"path": path, **settings}))

    def add_token(self, role="member", tenant="", user="user", **settings):
        """A new token's text; `id` of it is its second part."""
        body = {"role": role, "user": user, **settings}
        if tenant:
            body["tenant"] = tenant
        return self.expect(self.post("/v1/tokens", body))["token"]

    def submit(self, token="", headers=None, **job):
        """Submits a job of these fields (docs/formats-jobs.md) and gives its number."""
        return self.expect(self.post("/v1/jobs", job, token=token, headers=headers))["number"]

    def job(self, number, token=""):
        return self.expect(self.get(f"/v1/jobs/{number}", token=token))

    def wait(self, number, status=None, seconds=60):
        """Waits until the job has ended, or has this status; gives the job as the server shows it."""
        end = time.monotonic() + seconds
        while True:
            job = self.job(number)
            if job["status"] == status or (status is None and job["ended"]):
                return job
            if job["ended"] or time.monotonic() > end:
                raise AssertionError(f"job {number} is not {status or 'ended'}: {job}")
            time.sleep(0.02)

    def output(self, number, stream="out"):
        """What the job has printed, as text."""
        answer = self.get(f"/v1/jobs/{number}/output?stream={stream}")
        if answer.status != 200:
            raise AssertionError(f"answered {answer!r}")
        return answer.text

    def run(self, *command, **job):
        """Runs a command as a job to its end: (job, output)."""
        number = self.submit(command=list(command), **job)
        return self.wait(number), self.output(number)

    def cancel_all(self, seconds=STOP_SECONDS):
        """Cancels every job that has not ended, and waits until they have."""
        end = time.monotonic() + seconds
        while True:
            jobs = self.expect(self.get("/v1/jobs?status=open&limit=1000"))["jobs"]
            if not jobs or time.monotonic() > end:
                return
            for job in jobs:
                if not job.get("stopping"):
                    self.delete(f"/v1/jobs/{job['number']}")
            time.sleep(0.05)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path, seconds):
        super().__init__("localhost", timeout=seconds)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class FactoryTest(GwTest):
    """Tests that share one server, made with OPTIONS and ENV; each must leave the others undisturbed."""

    OPTIONS = ()
    ENV = {}

    @classmethod
    def setUpClass(cls):
        cls.server = FactoryServer(*cls.OPTIONS, env=cls.ENV)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.prepare()

    @classmethod
    def prepare(cls):
        """For tenants, tokens and jobs that all tests of the class use."""

    def assert_status(self, answer, *statuses):
        self.assertIn(answer.status, statuses, repr(answer))
