"""gw serve and its commands as users meet them: real jobs on this machine, through restarts, and a simulated factory."""

import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import time
import unittest

from factory_server import FactoryServer
from gw_command import GW, FolderTest

FLEET = """
gigawerk: 1
fleet:
  node_types:
    - {name: small-box, gpu: h100, gpus: 2, cores: 4, memory: 8 GiB, power_max: 1 kW}
  sites:
    - name: here
      nodes: [{type: small-box, count: 3}]
"""


def running(text):
    """Processes that have `text` in their command line."""
    return subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False).stdout.split()


class ServeTest(FolderTest):
    @classmethod
    def setUpClass(cls):
        cls.server = FactoryServer()
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def gw(self, *words, code=0, **how):
        result = self.server.gw(*words, **how)
        self.assertEqual(result.returncode, code, f"{words}\n{result.stdout}{result.stderr}")
        return result

    def job(self, number):
        return json.loads(self.gw("show", str(number), "--json").stdout)

    def test_run_gives_output_and_exit_code(self):
        self.assertEqual(self.gw("run", "--", "echo", "hello  world").stdout, "hello  world\n")
        self.assertEqual(self.gw("run", "echo", "no dashes").stdout, "no dashes\n")
        self.gw("run", "--", "sh", "-c", "exit 7", code=7)
        self.gw("run", "--", "sh", "-c", "kill -TERM $$", code=128 + 15)
        missing = self.gw("run", "--", "/no/such/program", code=127)
        self.assertIn("No such file", missing.stderr)
        self.gw("run", "--", "/etc/passwd", code=126)
        self.gw("run", "-t", "1s", "--", "sleep", "60", code=124)
        self.gw("run", "--mem", "lots", "--", "true", code=2)
        impossible = self.gw("run", "-g", "64", "--", "true", code=125)
        self.assertIn("GPU", impossible.stderr)

    def test_run_sees_this_shell(self):
        result = self.gw("run", "--", "sh", "-c", "pwd; echo $MY_OWN; echo $RANK/$WORLD_SIZE; echo [$GIGAWERK_TOKEN]",
                         env={"MY_OWN": "value"})
        self.assertEqual(result.stdout.splitlines(), [os.getcwd(), "value", "0/1", "[]"])
        self.assertEqual(self.gw("run", "--export", "NONE", "--", "sh", "-c", "echo [$MY_OWN]",
                                 env={"MY_OWN": "value"}).stdout, "[]\n")
        self.assertEqual(self.gw("run", "-e", "A=b c", "--", "sh", "-c", "echo $A").stdout, "b c\n")

    def test_interrupt_cancels(self):
        client = subprocess.Popen(
            [GW, "run", "--name", "interrupted", "--", "sleep", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "GIGAWERK_SERVER": self.server.url, "GIGAWERK_TOKEN": self.server.token})
        deadline = time.monotonic() + 20
        while not json.loads(self.gw("ps", "--name", "interrupted", "-s", "running", "--json").stdout)["jobs"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        client.send_signal(signal.SIGINT)
        _, error = client.communicate(timeout=40)
        self.assertEqual(client.returncode, 130, error)
        # It may leave before the job has: where it had not heard of the job's start, it does not follow it.
        jobs = json.loads(self.gw("ps", "--all", "--name", "interrupted", "--json").stdout)["jobs"]
        self.assertEqual([self.server.wait(job["number"])["status"] for job in jobs], ["cancelled"])

    def test_job_files(self):
        file = self.path("job.yaml", "gigawerk: 1\njob:\n  name: from-file\n  command: [sh, -c, 'echo $WHO']\n"
                                     "  environment: {WHO: file}\n  limit: 1min\n")
        self.assertEqual(self.gw("submit", file, "--wait").stdout.splitlines()[1:], ["file"])
        bad = self.path("bad.yaml", "gigawerk: 1\njob:\n  comand: [true]\n")
        refused = self.gw("submit", bad, code=1)
        self.assertIn(f"{bad}:3:3", refused.stderr)
        self.assertIn('did you mean "command"?', refused.stderr)

    def test_batch_scripts(self):
        script = self.path("job.sbatch", "#!/bin/sh\n#SBATCH --job-name=batch\n#SBATCH --time=1\n#SBATCH --array=1-3\n"
                                         "echo task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_JOB_ID $1\n")
        number = self.gw("submit", script, "argument").stdout.split()[3]
        self.gw("wait", number)
        for index in (1, 2, 3):
            self.assertEqual(self.gw("logs", f"{number}_{index}").stdout, f"task {index} of {number} argument\n")
        self.assertEqual(len(json.loads(self.gw("ps", "-a", "--array", number, "--json").stdout)["jobs"]), 3)
        script = self.path("mail.sbatch", "#!/bin/sh\n#SBATCH --mail-type=END\ntrue\n")
        refused = self.gw("submit", script, code=1)
        self.assertIn("--mail-type", refused.stderr)
        self.gw("submit", script, "--skip-unsupported", "--wait")

    def test_dependencies(self):
        good = self.gw("run", "--detach", "--", "sleep", "2").stdout.strip()
        bad = self.gw("run", "--detach", "--", "sh", "-c", "sleep 2; false").stdout.strip()
        after_good = self.gw("run", "--detach", "-d", f"afterok:{good}", "--", "true").stdout.strip()
        after_bad = self.gw("run", "--detach", "-d", f"afterok:{bad}", "--", "true").stdout.strip()
        after_any = self.gw("run", "--detach", "-d", f"afterany:{bad}", "--", "true").stdout.strip()
        self.assertIn("depends on", self.gw("explain", after_good).stdout)
        self.gw("wait", after_good, after_any)
        self.gw("wait", after_bad, code=125)
        self.assertEqual(self.job(after_bad)["status"], "dependency")
        self.assertLessEqual(self.job(good)["ended_at"], self.job(after_good)["started"])
        unknown = self.gw("run", "-d", "afterok:999999", "--", "true", code=125)
        self.assertIn("no job 999999", unknown.stderr)

    def test_hold_release_requeue(self):
        number = self.gw("run", "--detach", "--hold", "--", "sh", "-c", "sleep 0.2").stdout.strip()
        self.assertEqual(self.job(number)["status"], "held")
        self.gw("release", number)
        self.gw("wait", number)
        number = self.gw("run", "--detach", "--", "sh", "-c", '[ "$SLURM_RESTART_COUNT" = 1 ] || sleep 60').stdout.strip()
        deadline = time.monotonic() + 20
        while self.job(number)["status"] != "running":
            self.assertLess(time.monotonic(), deadline)
        self.gw("requeue", number)
        self.gw("wait", number)
        self.assertEqual(self.job(number)["attempt"], 2)
        self.gw("hold", "999999", code=5)

    def test_begin_and_warning_signal(self):
        begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        number = self.gw("run", "--detach", "--begin", begin, "--", "true").stdout.strip()
        self.assertIn("(begin)", self.gw("ps").stdout)
        self.gw("wait", number)
        self.assertGreaterEqual(self.job(number)["started"], begin[:-1])
        result = self.gw("run", "-t", "3s", "--signal", "USR1@2s", "--", "sh", "-c",
                         "trap 'echo warned; exit 0' USR1; while :; do sleep 0.05; done")
        self.assertIn("warned\n", result.stdout)  # The shell may have a word on its child's end, too.

    def test_quota(self):
        self.gw("tenants", "add", "team", "--weight", "3")
        self.gw("quota", "set", "team", "--jobs", "1")
        held = self.gw("run", "--detach", "--hold", "--tenant", "team", "--", "true").stdout.strip()
        self.assertIn("at most 1 jobs", self.gw("run", "--tenant", "team", "--", "true", code=125).stderr)
        self.assertIn("team", self.gw("quota", "show", "team").stdout)
        self.gw("cancel", held)

    def test_errors_name_the_way_out(self):
        nowhere = self.gw("ps", env={"GIGAWERK_SERVER": "http://127.0.0.1:1"}, code=3)
        self.assertIn("is gw serve running there?", nowhere.stderr)
        wrong = self.gw("ps", token="gw_wrong", code=4)
        self.assertIn("GIGAWERK_TOKEN", wrong.stderr)
        self.gw("show", "999999", code=5)
        self.gw("show", "--token-file", "/no/such/file", "1", code=3)

    def test_first_start(self):
        mode = os.stat(os.path.join(self.server.data, "admin.token")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        for name in ("gigawerk.db", "gigawerk.db-wal"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.server.data, name)).st_mode), 0o600, name)
        self.assertIn(self.server.token, self.server.printed)
        # Without anything set, a user of this machine finds the server through its folder.
        state = os.path.dirname(self.server.data)
        os.symlink(self.server.data, os.path.join(state, "gigawerk"))
        found = subprocess.run([GW, "nodes"], capture_output=True, text=True, check=False,
                               env={"XDG_STATE_HOME": state, "HOME": self.folder})
        self.assertEqual(found.returncode, 0, found.stderr)


class RestartTest(FolderTest):
    """Jobs outlive the server, however it ends."""

    def test_jobs_go_on_while_nobody_serves(self):
        with FactoryServer() as server:
            began = time.monotonic()
            server.restart()
            self.assertLess(time.monotonic() - began, 5)
            numbers = [server.submit(command=["sh", "-c", f"echo begin; sleep {wait}; echo end; exit {code}"], cpus=0.1)
                       for wait, code in ((0.5, 0), (0.5, 9), (4, 3))]
            for number in numbers:
                server.wait(number, "running")
            server.kill()
            time.sleep(1.5)  # The first two end meanwhile.
            server.start()
            self.assertEqual([server.wait(number)["status"] for number in numbers], ["completed", "failed", "failed"])
            self.assertEqual([server.job(number)["exit_code"] for number in numbers], [0, 9, 3])
            for number in numbers:
                self.assertEqual(server.output(number), "begin\nend\n")
                self.assertEqual(server.job(number)["attempt"], 1)
            long = server.job(numbers[2])["attempts"][0]
            usage = [line for line in server.get("/v1/usage?by=job").json["lines"] if line["job"] == str(numbers[2])]
            self.assertAlmostEqual(usage[0]["core_seconds"], 0.4, delta=0.05)  # 4 s of a tenth of a core.
            self.assertEqual(long["end"], "exited")

    def test_a_stop_under_load(self):
        fleet = self.path("fleet.yaml", FLEET.replace("count: 3", "count: 40"))
        with FactoryServer("--fleet", fleet) as server:
            numbers = []
            for _ in range(3):
                answer = server.expect(server.post("/v1/jobs", {"command": ["true"], "cpus": 1,
                                                                "array": "1-200"}))
                numbers.append(answer["number"])
                self.assertEqual(server.stop(), 0)
                server.start()
            for number in numbers:
                for task in range(number, number + 200):
                    self.assertEqual(server.wait(task)["status"], "completed")

    def test_no_orphans(self):
        with FactoryServer() as server:
            mark = f"gw-orphan-{os.getpid()}"
            number = server.submit(command=[
                "sh", "-c", f"setsid sh -c 'exec -a {mark} sleep 300' & (exec -a {mark} sleep 301 &) ; sleep 300"])
            server.wait(number, "running")
            deadline = time.monotonic() + 10
            while len(running(mark)) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            server.delete(f"/v1/jobs/{number}")
            self.assertEqual(server.wait(number)["status"], "cancelled")
            self.assertEqual([each for each in running(mark) if each], [])

    def test_a_lost_supervisor_is_found_out(self):
        with FactoryServer() as server:
            number = server.submit(command=["sh", "-c", '[ "$SLURM_RESTART_COUNT" = 1 ] || sleep 300'], requeue=True)
            never = server.submit(command=["sleep", "300"], requeue=False, cpus=0.1)
            server.wait(number, "running")
            server.wait(never, "running")
            def supervisors():  # A job runs, for the factory, a moment before its supervisor does.
                found = []
                for pid in running("gw-supervise"):
                    with contextlib.suppress(OSError):
                        if server.data.encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                            found.append(int(pid))
                return found

            deadline = time.monotonic() + 20
            while len(supervisors()) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            for pid in supervisors():
                os.kill(pid, signal.SIGKILL)
            self.assertEqual(server.wait(number)["status"], "completed")
            self.assertEqual(server.job(number)["attempt"], 2)
            self.assertEqual(server.wait(never)["status"], "lost")


class TroubleTest(FolderTest):
    def test_tls(self):
        key, certificate = self.path("key.pem"), self.path("cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=gigawerk", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        os.chmod(key, 0o600)
        process = subprocess.Popen(
            [GW, "serve", "--data", self.path("data"), "--port", "0", "--tls-cert", certificate, "--tls-key", key],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        url = process.stdout.readline().decode().split()[-1]
        self.assertTrue(url.startswith("https://"), url)
        def ask(*options):
            return subprocess.run([GW, "run", "--server", url, "--token-file", self.path("data/admin.token"), *options,
                                   "--", "echo", "safe"], capture_output=True, text=True, check=False,
                                  env={"PATH": os.environ["PATH"], "HOME": self.folder})
        self.assertEqual(ask("--ca-file", certificate).stdout, "safe\n")
        untrusted = ask()
        self.assertEqual(untrusted.returncode, 125)
        self.assertIn("certificate", untrusted.stderr)

    @unittest.skipIf(os.geteuid() != 0, "needs root, for a small file system of its own")
    def test_a_full_disk_refuses_and_loses_nothing(self):
        small = self.path("small")
        os.makedirs(small)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=711", "tmpfs", small], check=False,
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("file systems cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        with FactoryServer(data=os.path.join(small, "data")) as server:
            first = server.submit(command=["echo", "before"])
            server.wait(first)
            running = server.submit(command=["sh", "-c", "sleep 15; echo after"])
            server.wait(running, "running")
            filler = os.open(os.path.join(small, "filler"), os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(filler, b"x" * 4096) > 0:
                    pass
            except OSError:
                pass
            os.close(filler)
            unready, said = False, ""
            for _ in range(200):
                refused = server.post("/v1/jobs", {"command": ["true"], "comment": "c" * 4000})
                if refused.status == 201:
                    continue
                self.assertEqual(refused.status, 503, refused)
                said += refused.text
                unready = server.get("/readyz").status == 503  # It may have tried again, and found room, by now.
                if unready:
                    break
            self.assertTrue(unready)
            self.assertIn("full", said)
            self.assertEqual(server.get("/healthz").status, 200)
            self.assertEqual(server.get(f"/v1/jobs/{first}").json["status"], "completed")
            os.remove(os.path.join(small, "filler"))
            self.assertEqual(server.wait(running)["status"], "completed")
            deadline = time.monotonic() + 20
            while server.get("/readyz").status != 200:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            self.assertEqual(server.wait(server.submit(command=["true"]))["status"], "completed")
            self.assertIn("the store works again", server.log)
            self.assertEqual(server.gw("journal", "verify", "--data", server.data).returncode, 0)
            self.assertEqual(server.gw("ledger", "verify", "--data", server.data).returncode, 0)


class FleetTest(FolderTest):
    def test_named_nodes_on_this_machine(self):
        fleet = self.path("fleet.yaml", FLEET)
        with FactoryServer("--fleet", fleet) as server:
            nodes = server.get("/v1/nodes").json["nodes"]
            self.assertEqual([node["gpus"] for node in nodes], [2, 2, 2])
            result = server.gw("run", "-N", "2", "-g", "2", "--tasks-per-node", "2", "--", "sh", "-c",
                               "echo $RANK $LOCAL_RANK $NODE_RANK $WORLD_SIZE $CUDA_VISIBLE_DEVICES $MASTER_ADDR")
            self.assertEqual(sorted(result.stdout.split("\n")[:-1]),
                             ["0 0 0 4 0,1 127.0.0.1", "1 1 0 4 0,1 127.0.0.1", "2 0 1 4 0,1 127.0.0.1",
                              "3 1 1 4 0,1 127.0.0.1"])
            number = server.submit(command=["sleep", "60"], gpus=2, nodes=3)
            server.wait(number, "running")
            second = server.submit(command=["true"], gpu_share=0.5)
            self.assertEqual(json.loads(server.gw("explain", str(second), "--json").stdout)["reason"]["name"],
                             "capacity")
            self.assertIn("probability", server.gw("eta", str(second)).stdout)
            # A changed fleet: what no longer has its nodes waits again, what can never run is told so.
            server.stop()
            self.path("fleet.yaml", FLEET.replace("count: 3", "count: 1"))
            with self.assertRaisesRegex(AssertionError, "1 job.*would end.*--accept-losses"):
                server.start()
            server.start("--accept-losses")
            self.assertEqual(server.wait(number)["status"], "never")
            self.assertEqual(server.wait(second)["status"], "completed")
            self.assertEqual(server.gw("journal", "verify", "--data", server.data).returncode, 0)

    def test_a_simulated_factory(self):
        fleet = self.path("fleet.yaml", FLEET + "faults: {node_failures_per_1000_node_days: 4000, repair: {median: 20min, sigma: 0.5}}\n")
        with FactoryServer("--fleet", fleet, "--engine", "twin", "--speed", "3600") as server:
            body = {"jobs": [{"command": ["train"], "gpus": 2, "limit": "4h"}] * 30}
            numbers = [each["number"] for each in server.post("/v1/jobs/batch", body).json["results"]]
            statuses = [server.wait(number)["status"] for number in numbers]
            self.assertGreater(statuses.count("completed"), 5)
            server.kill()
            server.start()
            self.assertEqual(server.gw("journal", "verify", "--data", server.data).returncode, 0)
            self.assertEqual(server.gw("ledger", "verify", "--data", server.data).returncode, 0)
            total = server.get("/v1/usage").json["total"]
            # What was simulated is never run for real by mistake.
            server.stop()
            mistaken = server.gw("serve", "--data", server.data, "--port", "0")
            self.assertEqual(mistaken.returncode, 1)
            self.assertIn("--engine twin", mistaken.stderr)
            server.start()
            self.assertGreater(total["gpu_seconds"], 3600)

    def test_small_when_idle(self):
        with FactoryServer() as server:
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
            resident = [line for line in status.splitlines() if line.startswith("VmRSS")][0]
            if "san" not in GW:
                self.assertLess(int(resident.split()[1]), 64 * 1024)


class SimulatedTimeTest(FolderTest):
    def test_goes_on_after_a_restart(self):
        with FactoryServer("--fleet", self.path("fleet.yaml", FLEET), "--engine", "twin", "--speed", "1000") as server:
            time.sleep(2.5)  # Nothing happens: no event keeps the time.

            def now():
                return server.get("/v1/usage").json["to"]

            for stop in (server.stop, server.kill):
                before = now()
                time.sleep(1.2)
                stop()
                server.start()
                self.assertGreater(now(), before)



if __name__ == "__main__":
    unittest.main()
