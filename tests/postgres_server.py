"""A private PostgreSQL server for tests, in a temporary folder. As a program it runs one until it is interrupted.

    with postgres_server.PostgresServer() as server:
        gw("serve", "--database", server.url)

The same in C++ is src/sql/testing/postgres_server.h.
"""

import ctypes
import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

USER = "gigawerk"
PASSWORD = "p@ss:w/rd"
READY_SECONDS = 60
PR_SET_PDEATHSIG = 1


def programs():
    """The folder of the newest installed version's programs (or $GIGAWERK_POSTGRES_BIN), or None."""
    if named := os.environ.get("GIGAWERK_POSTGRES_BIN"):
        return pathlib.Path(named)
    found = [pathlib.Path(each).parent for each in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    return max(found, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), default=None)


def missing():
    """Why no server can be started here, or an empty string."""
    if programs() is None:
        return "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb): apt-get install postgresql"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL refuses to run as root, and there is no user postgres to run it as"
    return ""


#: Decorates tests and their classes.
needed = unittest.skipIf(missing(), missing())


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PostgresServer:
    """Listens on a free port of 127.0.0.1 (`url`, with a password) and on a socket (`socket_url`, without).

    It runs as the user of this process, or as `postgres` where that is root, and dies with the thread that made it.
    """

    def __init__(self, *, fsync=False, settings=()):
        if problem := missing():
            raise unittest.SkipTest(problem)
        self._settings = ["shared_buffers=16MB", "max_connections=40", *([] if fsync else ["fsync=off"]), *settings]
        self._process = None
        # Not $TMPDIR: the name of a socket has at most 107 bytes, and another user must get there.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gigawerk-postgres-", dir="/tmp"))
        try:
            self._user = {}
            if os.geteuid() == 0:
                entry = pwd.getpwnam("postgres")
                os.chown(self.folder, entry.pw_uid, entry.pw_gid)
                self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            password = self.folder / "password"
            password.write_text(PASSWORD + "\n")
            with open(self.folder / "log", "ab") as log:
                made = subprocess.run(
                    [programs() / "initdb", f"--pgdata={self.folder / 'data'}", f"--username={USER}", f"--pwfile={password}",
                     "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
                     "--no-instructions"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self._user)
            if made.returncode != 0:
                raise RuntimeError(f"initdb failed: {self.log()}")
            for _ in range(5):  # Another test may take the port between our look and the server's.
                self.port = free_port()
                if self.start():
                    return
            raise RuntimeError(f"PostgreSQL did not start: {self.log()}")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return self.url_of("postgres")

    def url_of(self, database, port=None):
        """Over TCP, with the password; `port` for a proxy in between."""
        password = urllib.parse.quote(PASSWORD, safe="")
        return f"postgres://{USER}:{password}@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    @property
    def socket_url(self):
        return f"postgres://{USER}@/postgres?host={urllib.parse.quote(str(self.folder), safe='')}&port={self.port}"

    def psql(self, sql):
        """What psql prints for `sql`: a line for each row, `|` between columns."""
        return subprocess.run([programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.socket_url],
                              input=sql, capture_output=True, text=True, check=True, timeout=60).stdout

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def start(self):
        """On the same port and data as before. False if it ends at once."""
        command = [programs() / "postgres", "-D", self.folder / "data"]
        for setting in ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}",
                        *self._settings]:
            command += ["-c", setting]
        prctl = ctypes.CDLL(None).prctl
        with open(self.folder / "log", "ab") as log:
                        # preexec_fn runs after the change of user, which would clear it.
            
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                             preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGQUIT), **self._user)
        deadline = time.monotonic() + READY_SECONDS
        ready = [programs() / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        while subprocess.run(ready).returncode != 0:
            if self._process.poll() is not None:
                self._process = None
                return False
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start in {READY_SECONDS} s: {self.log()}")
            time.sleep(0.01)
        return True

    def stop(self, *, immediate=False):
        """Ends sessions and writes everything, or stops as if it had crashed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        self._process.wait(READY_SECONDS)
        self._process = None

    def close(self):
        self.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class SelfTest(unittest.TestCase):
    @needed
    def test_it_starts_restarts_and_leaves_nothing(self):
        with PostgresServer() as server:
            server.psql("CREATE TABLE t(id BIGINT); INSERT INTO t VALUES (1)")
            for immediate in (False, True):
                server.stop(immediate=immediate)
                self.assertTrue(server.start())
                self.assertEqual(server.psql("SELECT id FROM t"), "1\n")
            # The way of a client over TCP, with the password.
            psql = [programs() / "psql", "-X", "-A", "-t", "-c", "SELECT id FROM t", server.url]
            self.assertEqual(subprocess.run(psql, capture_output=True, text=True, timeout=60).stdout, "1\n")
            folder = server.folder
        self.assertFalse(folder.exists())

    @needed
    def test_it_dies_with_its_maker(self):
        script = "import os, postgres_server as p; s = p.PostgresServer(); print(s._process.pid, s.folder, flush=True); os._exit(1)"
        made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120,
                              cwd=pathlib.Path(__file__).parent)
        process, folder = made.stdout.split()
        try:
            deadline = time.monotonic() + 30
            while pathlib.Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertFalse(pathlib.Path(f"/proc/{process}").exists())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if "--test" in sys.argv:
        unittest.main(argv=[sys.argv[0]])
    with PostgresServer(fsync=True) as private:
        print(private.url)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
