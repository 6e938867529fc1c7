"""gw serve on a real PostgreSQL: jobs run, the server is killed, a standby takes over, the one that lost the lease cannot
write, and everything can be verified, backed up and moved to SQLite and back."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from gw_command import GW, SOURCE, FolderTest, gw

sys.path.insert(0, os.path.join(SOURCE, "tests"))
import postgres_server  # pylint: disable=wrong-import-position


class Serve:
    """A gw serve on the shared database; its data folder holds the local engine."""

    def __init__(self, test, url, data):
        self.data = data
        self.log_path = test.path(f"serve-{time.monotonic_ns()}.log", "")
        self.log = open(self.log_path, "ab")
        test.addCleanup(self.log.close)
        self.process = subprocess.Popen([GW, "serve", "--data", data, "--store", url, "--port", "0", "--log", "json"],
                                        stdout=subprocess.PIPE, stderr=self.log)
        test.addCleanup(self.end)
        self.url = ""

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait_ready(self):
        line = self.process.stdout.readline().decode()
        assert "ready at" in line, line + pathlib.Path(self.log_path).read_text(encoding="utf-8")
        self.url = line.split()[-1]

    def says(self, text, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in pathlib.Path(self.log_path).read_text(encoding="utf-8"):
                return True
            time.sleep(0.05)
        return False


def runs(process):
    return os.path.exists(f"/proc/{process}")


def ends(process, seconds=20):
    deadline = time.monotonic() + seconds
    while runs(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not runs(process)


def end_process(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@postgres_server.needed
class PostgresTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.database = postgres_server.PostgresServer()
        self.database.__enter__()
        self.addCleanup(self.database.__exit__, None, None, None)

    def ask(self, server, *words, code=0):
        result = gw(*words, env={"GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": self.token})
        self.assert_exit(result, code)
        return result.stdout

    def process_of(self, server, number, attempt=1):
        """Of a job that prints its process first."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            result = gw("logs", number, "--attempt", str(attempt),
                        env={"GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": self.token})
            if result.stdout.strip():
                process = int(result.stdout)
                self.addCleanup(end_process, process)
                return process
            time.sleep(0.05)
        self.fail("it printed nothing: " + result.stderr)

    def begin(self):
        data = self.path("data")
        first = Serve(self, self.database.url, data)
        first.wait_ready()
        with open(os.path.join(data, "admin.token"), encoding="utf-8") as file:
            self.token = file.read().strip()
        return data, first

    def test_a_standby_takes_over(self):
        data, first = self.begin()
        self.assertEqual(self.ask(first, "run", "--", "echo", "hello"), "hello\n")
        number = self.ask(first, "run", "--detach", "--", "sh", "-c", "sleep 4; echo done").strip()
        second = Serve(self, self.database.url, data)
        self.assertTrue(second.says("standing by"))
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        second.wait_ready()
        self.assertTrue(second.says("taking over"))
        # The job went on meanwhile and is found again.
        self.ask(second, "wait", number)
        self.assertEqual(self.ask(second, "logs", number), "done\n")
        job = json.loads(self.ask(second, "show", number, "--json"))
        self.assertEqual((job["status"], job["attempt"]), ("completed", 1))
        self.assert_exit(gw("journal", "verify", "--store", self.database.url), 0)
        self.assert_exit(gw("ledger", "verify", "--store", self.database.url), 0)

    def test_one_that_slept_too_long_cannot_write_any_more(self):
        data, first = self.begin()
        number = self.ask(first, "run", "--detach", "--", "sh", "-c", "echo $$; exec sleep 1000").strip()
        process = self.process_of(first, number)
        first.process.send_signal(signal.SIGSTOP)
        other = self.path("other")
        second = Serve(self, self.database.url, other)
        second.wait_ready()
        # The new one cannot ask what became of the job: nothing starts it again unasked.
        job = json.loads(self.ask(second, "show", number, "--json"))
        self.assertEqual((job["status"], job["attempt"]), ("held", 1), job)
        self.assertIn("release it", job["note"])
        self.assertTrue(runs(process))
        first.process.send_signal(signal.SIGCONT)
        result = gw("run", "--detach", "--", "true",
                    env={"GIGAWERK_SERVER": first.url, "GIGAWERK_TOKEN": self.token})
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertEqual(first.process.wait(timeout=30), 1)
        self.assertTrue(first.says("another server has taken over"))
        self.assertTrue(ends(process))  # Its jobs go with it.
        self.ask(second, "release", number)
        self.assertNotEqual(self.process_of(second, number, attempt=2), process)
        self.assertEqual(self.ask(second, "run", "--", "echo", "here"), "here\n")
        self.assert_exit(gw("journal", "verify", "--store", self.database.url), 0)

    def test_a_server_that_comes_back_ends_what_another_has_taken_over(self):
        data, first = self.begin()
        number = self.ask(first, "run", "--detach", "--", "sh", "-c", "echo $$; exec sleep 1000").strip()
        process = self.process_of(first, number)
        first.process.kill()
        first.process.wait()
        second = Serve(self, self.database.url, self.path("other"))
        second.wait_ready()
        self.assertTrue(runs(process))
        third = Serve(self, self.database.url, data)
        self.assertTrue(third.says("standing by"))
        self.assertTrue(ends(process))
        self.assertEqual(json.loads(self.ask(second, "show", number, "--json"))["status"], "held")
        second.process.kill()
        second.process.wait()
        third.wait_ready()
        self.assertEqual(self.ask(third, "run", "--", "echo", "here again"), "here again\n")
        self.assert_exit(gw("journal", "verify", "--store", self.database.url), 0)

    def test_a_database_that_is_away_is_no_wrong_token(self):
        _, first = self.begin()
        self.ask(first, "run", "--", "true")
        self.database.stop()
        environment = {"GIGAWERK_SERVER": first.url, "GIGAWERK_TOKEN": self.token}
        for _ in range(3):
            result = gw("run", "--detach", "--", "true", env=environment)
            self.assertNotEqual(result.returncode, 0)
            self.assertNotIn("token", result.stderr)
            # What is not kept is not shown either.
            result = gw("ps", env=environment)
            self.assertTrue("no open jobs" in result.stdout or "store" in result.stderr, result)
        self.database.start()
        deadline = time.monotonic() + 30
        while gw("run", "--", "true", env=environment).returncode != 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertIsNone(first.process.poll())

    def test_numbers_that_come_again_lead_to_no_old_run(self):
        data, first = self.begin()
        self.ask(first, "run", "--", "echo", "one")
        file = self.path("backup.db")
        self.assert_exit(gw("backup", file, "--store", self.database.url), 0)
        self.assertEqual(self.ask(first, "run", "--", "sh", "-c", "echo old secret; exit 3", code=3), "old secret\n")
        first.end()
        with postgres_server.PostgresServer() as fresh:
            self.assert_exit(gw("restore", file, "--store", fresh.url), 0)
            server = Serve(self, fresh.url, data)  # On the folder that knows a job 2.
            server.wait_ready()
            self.assertEqual(self.ask(server, "run", "--", "sh", "-c", "sleep 0.2; echo new"), "new\n")
            self.assertEqual(self.ask(server, "logs", "2"), "new\n")
            self.assertEqual(json.loads(self.ask(server, "show", "2", "--json"))["status"], "completed")

    def test_backup_moves_a_factory_to_sqlite_and_back(self):
        _, first = self.begin()
        for word in ("one", "two"):
            self.ask(first, "run", "--", "echo", word)
        file = self.path("backup.db")
        self.assert_exit(gw("backup", file, "--store", self.database.url), 0)
        moved = self.path("moved")
        self.assert_exit(gw("restore", file, "--data", moved), 0)
        self.assert_exit(gw("journal", "verify", "--data", moved), 0)
        self.assert_exit(gw("ledger", "verify", "--data", moved), 0)
        self.assert_refused(gw("restore", file, "--store", self.database.url), 1, "holds a factory already")
        again = self.path("again.db")
        self.assert_exit(gw("backup", again, "--data", moved), 0)
        first.end()
        with postgres_server.PostgresServer() as fresh:
            self.assert_exit(gw("restore", again, "--store", fresh.url), 0)
            self.assert_exit(gw("journal", "verify", "--store", fresh.url), 0)
            server = Serve(self, fresh.url, self.path("third"))
            server.wait_ready()
            jobs = json.loads(self.ask(server, "ps", "--all", "--json"))["jobs"]
            self.assertEqual([job["status"] for job in jobs], ["completed", "completed"])
            self.assertEqual(self.ask(server, "run", "--", "echo", "three"), "three\n")


if __name__ == "__main__":
    unittest.main()
