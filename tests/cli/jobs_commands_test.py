"""The options of gw run and gw submit, what wins over what, and the exit codes of commands that talk to a server."""

import calendar
import json
import os
import signal
import subprocess
import time
import unittest

from factory_server import FactoryServer
from gw_command import GW, FolderTest, in_terminal


class JobsCommandsTest(FolderTest):
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

    def spec(self, *words, **how):
        """What `gw submit WORDS` would send."""
        return json.loads(self.gw("submit", *words, "--print", **how).stdout)

    def script(self, *options, command="true"):
        lines = "".join(f"#SBATCH {option}\n" for option in options)
        return self.path("job.sbatch", f"#!/bin/sh\n{lines}{command}\n")

    def environment(self, process):
        """The environment in which gw itself is started."""
        return {"GIGAWERK_SERVER": self.server.url, "GIGAWERK_TOKEN": self.server.token, **process}

    # Values.

    def test_values_are_read_as_slurm_users_write_them(self):
        script = self.script("--time=5")
        for words, key, value in ((["--time", "90"], "limit", "90min"), (["--time", "1-2:03"], "limit", "1563min"),
                                  (["--time", "2h"], "limit", "2h"), (["--time=UNLIMITED"], "limit", "36500d"),
                                  (["--mem=4G"], "memory", "4 GiB"), (["--mem=4GB"], "memory", "4 GiB"),
                                  (["--mem=4096"], "memory", "4 GiB"), (["--mem", "1.5 GiB"], "memory", "1536 MiB"),
                                  (["-d", "afterok:1:2,afterany:3"], "depends",
                                   ["afterok:1", "afterok:2", "afterany:3"])):
            with self.subTest(words):
                self.assertEqual(self.spec(script, *words)[key], value)
        self.assertEqual(self.spec(script, "--signal=USR1@90")["warning"], {"signal": "USR1", "before": "90s"})
        self.assertEqual(self.spec(script, "--signal=B:USR1@5min")["warning"],
                         {"signal": "USR1", "before": "5min", "to": "first"})
        begin = self.spec(script, "--begin", "now+1hour")["begin"]
        begin = calendar.timegm(time.strptime(begin, "%Y-%m-%dT%H:%M:%SZ"))
        self.assertLess(abs(begin - time.time() - 3600), 60)

    def test_malformed_values_are_refused(self):
        script = self.script()
        for option, bad in (("--time", "1-2-3"), ("--time", "-2"), ("--time", "2x"), ("--time", "1:2:3:4"),
                            ("--mem", "lots"), ("--mem", "4X"), ("--mem", "1.5GB"), ("--mem", "0"),
                            ("--signal", "USR1@soon"), ("--signal", "NONE"), ("--begin", "soon"),
                            ("--begin", "2026-13-01"), ("--depends", "afterok:x"), ("--depends", "singleton"),
                            ("--array", "5-1"), ("--gpus", "h100:"), ("--gpus", ":4"), ("--env", "NOTHING"),
                            ("--env", "1A=2"), ("--export", "ALL,1A=2")):
            for words in (["run", f"{option}={bad}", "--", "true"], ["submit", script, f"{option}={bad}"]):
                with self.subTest(words):
                    result = self.gw(*words, code=2)
                    self.assertTrue(result.stderr.startswith(f"gw: {option} {bad}: "), result.stderr)
                    self.assertEqual(result.stdout, "")

    def test_relative_folder(self):
        os.makedirs(self.path("sub/below"))
        here = os.path.realpath(self.folder)

        def run(*words):
            return subprocess.run([os.path.abspath(GW), *words], cwd=here, capture_output=True, text=True, check=False,
                                  env={**os.environ, **self.environment({})})

        found = run("run", "-D", "sub", "--", "pwd")
        self.assertEqual((found.returncode, found.stdout), (0, f"{here}/sub\n"), found.stderr)
        self.script("--chdir=/")
        found = run("submit", "job.sbatch", "-D", "sub/./below/..", "--print")
        self.assertEqual(json.loads(found.stdout)["working_folder"], f"{here}/sub")

    def test_dependencies_given_here_win(self):
        script = self.script("--dependency=afterok:1")
        self.assertEqual(self.spec(script, "-d", "afterany:2")["depends"], ["afterany:2"])

    # The environment.

    def test_export_of_the_command_line_wins_over_the_script(self):
        script = self.script("--export=ALL,EPOCHS=3,FROM=script", command='echo "$EPOCHS,$FROM,$MINE"')

        def printed(*words):
            result = self.gw("submit", script, "--wait", *words, env={"MINE": "mine", "EPOCHS": "1"})
            return result.stdout.splitlines()[1]

        self.assertEqual(printed(), "3,script,mine")
        self.assertEqual(printed("--export=ALL,EPOCHS=9"), "9,,mine")
        self.assertEqual(printed("--export=EPOCHS=9"), "9,,")
        self.assertEqual(printed("--export=MINE"), ",,mine")
        self.assertEqual(printed("--export=NONE"), ",,")
        self.assertEqual(printed("--export=ALL,EPOCHS=9", "-e", "EPOCHS=10"), "10,,mine")
        self.assertEqual(printed("-e", "EPOCHS=10"), "10,script,mine")
        self.assertEqual(printed("--export=ALL,EPOCHS='9,5'"), "9,5,,mine")

    def test_export_and_the_environment_of_a_job_file(self):
        file = self.path("job.yaml", "gigawerk: 1\njob:\n  command: [sh, -c, 'echo \"$EPOCHS,$FROM,$MINE\"']\n"
                                     "  environment: {EPOCHS: '3', FROM: file}\n")

        def printed(*words):
            result = self.gw("submit", file, "--wait", *words, env={"MINE": "mine", "EPOCHS": "1"})
            return result.stdout.splitlines()[1]

        self.assertEqual(printed(), "3,file,")
        self.assertEqual(printed("--export=ALL"), "3,file,mine")
        self.assertEqual(printed("--export=EPOCHS=9"), "9,file,")
        self.assertEqual(printed("--export=EPOCHS=9", "-e", "EPOCHS=10"), "10,file,")

    def test_run_exports(self):
        def printed(*words):
            return self.gw("run", *words, "--", "sh", "-c", 'echo "$EPOCHS,$MINE"', env={"MINE": "mine"}).stdout

        self.assertEqual(printed("--export=ALL,EPOCHS=9"), "9,mine\n")
        self.assertEqual(printed("--export=EPOCHS=9", "-e", "EPOCHS=10"), "10,\n")

    # Waiting.

    def test_submit_waits_for_all_tasks(self):
        script = self.script("--array=0-2", command="sleep 0.$SLURM_ARRAY_TASK_ID; exit $((SLURM_ARRAY_TASK_ID * 3))")
        result = self.gw("submit", script, "--wait", code=6)
        number = result.stdout.split()[3]
        self.assertEqual(result.stdout.splitlines()[1:],
                         [f"job {number}_0 completed", f"job {number}_1 failed (exit code 3)",
                          f"job {number}_2 failed (exit code 6)"])
        script = self.script("--array=0-2", "--wait", command="exit $((SLURM_ARRAY_TASK_ID * 3))")
        result = json.loads(self.gw("submit", script, "--json", code=6).stdout)
        self.assertEqual((result["count"], [each["code"] for each in result["jobs"]]), (3, [0, 3, 6]))
        result = json.loads(self.gw("submit", self.script(command="echo x; exit 3"), "--wait", "--json", code=3).stdout)
        self.assertEqual([each["code"] for each in result["jobs"]], [3])

    def test_wait_while_jobs_end(self):
        commands = [f"sleep 0.{wait}; exit {wait}" for wait in range(5)]
        numbers = [self.gw("run", "--detach", "-c", "0.1", "--", "sh", "-c", command).stdout.strip()
                   for command in commands]
        result = json.loads(self.gw("wait", "--json", *numbers, code=4).stdout)
        self.assertEqual([(each["id"], each["code"]) for each in result["jobs"]],
                         [(number, code) for code, number in enumerate(numbers)])
        missing = self.gw("wait", "999999", code=125)
        self.assertIn("999999", missing.stderr)

    def test_revoked_while_following(self):
        token = self.server.add_token(user="leaving")
        number = self.server.submit(command=["sh", "-c", "echo begun; sleep 60"], token=token)
        process = subprocess.Popen([GW, "logs", "-f", str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env={**os.environ, **self.environment({"GIGAWERK_TOKEN": token})})
        self.assertEqual(process.stdout.readline(), "begun\n")
        self.assertEqual(self.server.delete("/v1/tokens/" + token.split("_")[1]).status, 200)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 4, err)
        self.gw("cancel", str(number))

    def test_twice_interrupted(self):
        process = subprocess.Popen([GW, "run", "--name", "twice", "--", "sleep", "300"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, **self.environment({})})
        end = time.monotonic() + 20
        while not json.loads(self.gw("ps", "--name", "twice", "-s", "running", "--json").stdout)["jobs"]:
            self.assertLess(time.monotonic(), end)
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        # Where the job ends in these 5 ms, the second finds it on its way out: a shell says 130 then, too.
        self.assertIn(process.returncode, (130, -signal.SIGINT), err)
        number = json.loads(self.gw("ps", "-a", "--name", "twice", "--json").stdout)["jobs"][0]["number"]
        self.assertEqual(self.server.wait(number)["status"], "cancelled")

    def test_interrupted_at_any_moment_nothing_goes_on(self):
        # From before the first request to after the job has begun.
        for step in range(12):
            name = f"any-{step}"
            process = subprocess.Popen([GW, "run", "--name", name, "-c", "0.1", "--", "sleep", "300"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, **self.environment({})})
            time.sleep(0.004 * step)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=40)
            self.assertIn(process.returncode, (130, -signal.SIGINT), err)
            for job in json.loads(self.gw("ps", "-a", "--name", name, "--json").stdout)["jobs"]:
                self.assertEqual(self.server.wait(job["number"])["status"], "cancelled")

    # All of them.

    def test_who_sits_at_a_terminal_sees_what_was_done(self):
        number = self.gw("run", "--detach", "--hold", "--", "true").stdout.strip()
        many = self.gw("run", "--detach", "--hold", "-a", "0-4", "--", "true").stdout.strip()
        environment = {**self.environment({}), "NO_COLOR": "1"}
        self.assertEqual(in_terminal(["release", number, many], **environment),
                         f"job {number}: released\r\njob {many}: 5 tasks released\r\n")
        held = self.gw("run", "--detach", "--hold", "--", "sleep", "300").stdout.strip()
        self.assertEqual(self.gw("hold", held).stdout, f"job {held} does not wait, or is held already\n")
        for word in ("release", "cancel"):  # A script reads nothing of what went well.
            self.assertEqual(self.gw(word, held).stdout, "", word)
        self.server.wait(int(held))
        self.assertEqual(in_terminal(["cancel", held], **environment), f"job {held} has ended already\r\n")

    def test_json_has_an_entry_for_each(self):
        number = self.gw("run", "--detach", "--hold", "--", "true").stdout.strip()
        result = json.loads(self.gw("cancel", "999999", number, "--json", code=5).stdout)
        self.assertEqual([each["id"] for each in result["jobs"]], ["999999", number])
        self.assertEqual(result["jobs"][0]["error"]["code"], "unknown_job")
        self.assertEqual(result["jobs"][1]["count"], 1)
        node = self.server.get("/v1/nodes").json["nodes"][0]["name"]
        result = json.loads(self.gw("resume", "no-such-node", node, "--json", code=5).stdout)
        self.assertEqual([each["name"] for each in result["nodes"]], ["no-such-node", node])
        self.assertIn("error", result["nodes"][0])

    def test_readers_may_leave(self):
        number = self.gw("run", "--detach", "--", "sh", "-c", "seq 200000").stdout.strip()
        self.gw("wait", number)
        for words in (["ps", "-a"], ["logs", number], ["logs", "-f", number], ["nodes", "--json"], ["show", number]):
            reader, writer = os.pipe()
            process = subprocess.Popen([GW, *words], stdout=writer, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, **self.environment({})})
            os.close(writer)
            os.read(reader, 1)
            os.close(reader)
            _, err = process.communicate(timeout=30)
            self.assertEqual(err, "", words)
            self.assertIn(process.returncode, (0, -signal.SIGPIPE), words)

    def test_ps_knows_every_status_that_its_help_names(self):
        helped = self.gw("ps", "--help").stdout
        words = ["open", "held", "blocked", "waiting", "running", "ended", "completed", "failed", "cancelled",
                 "time_limit"]
        for word in words:
            self.assertIn(word, helped)
        self.gw("ps", "-s", ",".join(words))
        self.gw("ps", "-s", "pending", code=1)

    def test_examples_of_the_help_are_commands(self):
        """Those of gw run are held, and ask for no more than any machine has."""
        for name in ("train.yaml", "next.yaml"):
            self.path(name, "gigawerk: 1\njob: {command: ['true']}\n")
        self.script()
        seen = 0
        for words in (["run"], ["submit"], ["logs"], ["wait"], ["usage"]):
            helped = self.gw(*words, "--help").stdout
            for line in helped.split("Examples:\n")[1].splitlines():
                if not line.startswith("  gw "):
                    break
                seen += 1
                with self.subTest(line):
                    if words == ["run"]:
                        line = line.replace("gw run", "gw run --detach --hold").replace("-g 1", "").replace(
                            "-g 8", "").replace("-N 2", "").replace("--tasks-per-node 8", "--tasks-per-node 1")
                    if words == ["logs"]:
                        number = self.gw("run", "--detach", "-a", "3", "--", "true").stdout.strip()
                        line = line.replace("12", number)
                    if words == ["wait"]:
                        numbers = [self.gw("run", "--detach", "--", "true").stdout.strip() for _ in range(3)]
                        for old, new in zip(("12", "13", "20"), numbers):
                            line = line.replace(old, new)
                    path = os.path.dirname(os.path.abspath(GW)) + ":" + os.environ["PATH"]
                    done = subprocess.run(["sh", "-c", line], cwd=self.folder, capture_output=True, text=True,
                                          check=False, env={**os.environ, **self.environment({"PATH": path})})
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(seen, 12)


    # As sbatch.

    def test_the_command_line_of_sbatch(self):
        script = self.script("--output=" + self.path("script.out"), command='echo "$@"')
        number = self.gw("submit", "--parsable", script).stdout
        self.assertRegex(number, r"^\d+\n$")
        spec = self.spec(script, "--dependency", "afterany:" + number.strip(), "-o", "x-%j.out", "--error", "e.log",
                         "--gres=gpu:h100:2", "-n", "4", "-N", "2", "--comment=why")
        self.assertEqual((spec["depends"], spec["output"], spec["error"], spec["gpus"], spec["gpu_types"],
                          spec["tasks_per_node"], spec["nodes"], spec["comment"]),
                         (["afterany:" + number.strip()], "x-%j.out", "e.log", 2, ["h100"], 2, 2, "why"))
        self.assertEqual(self.spec(script, "-e", "A=1", "--export=NONE")["environment"], {"A": "1"})
        self.assertEqual(json.loads(self.gw("submit", "--print", script).stdout)["output"],
                         self.path("script.out"))
        refused = self.gw("submit", script, "-p", "gpu", code=1)
        self.assertIn("--partition=gpu is not supported", refused.stderr)
        self.assertIn("--skip-unsupported", refused.stderr)
        self.gw("submit", script, "-p", "gpu", "--exclusive", "--skip-unsupported")
        self.assertEqual(self.gw("submit", "--wrap", "echo wrapped; exit 3", "--wait", code=3).stdout.splitlines()[1],
                         "wrapped")
        self.assertIn("FILE is required", self.gw("submit", "--parsable", code=2).stderr)

    def test_arguments_behind_dashes(self):
        script = self.script(command='printf "%s|" "$@"')
        printed = self.gw("submit", script, "--wait", "x", "--", "--arg2", "", "--").stdout.splitlines()[1]
        self.assertEqual(printed, "x|--arg2||--|")
        printed = self.gw("submit", "--wait", "--", script, "-z").stdout.splitlines()[1]
        self.assertEqual(printed, "-z|")

    def test_other_files(self):
        self.assertIn("this is a folder", self.gw("submit", self.folder, code=1).stderr)
        job = self.path("job.json", self.gw("submit", self.script(command="echo json"), "--print").stdout)
        self.assertEqual(self.gw("submit", job, "--wait").stdout.splitlines()[1], "json")
        self.assertEqual(self.spec(job, "-o", "there.log", "--dependency=after:1")["output"], "there.log")
        self.assertIn("--ntasks=4 is for batch scripts", self.gw("submit", job, "-n", "4", code=1).stderr)
        broken = self.path("broken.json", '{"command": ["true"], "gpuss": 1}')
        self.assertIn("gpus", self.gw("submit", broken, code=1).stderr)

    def test_slurm_commands_in_scripts_are_named(self):
        script = self.script(command="echo a\nX=$(sbatch b.sh) && srun true | cat")
        result = self.gw("submit", script)
        self.assertIn(":3:5: warning: jobs of Gigawerk have no sbatch", result.stderr)
        self.assertIn(":3:21: warning: jobs of Gigawerk have no srun", result.stderr)

    # Why.

    def test_logs_as_json(self):
        number = self.server.submit(command=["sh", "-c", r"printf 'one\ntwo\377'"])
        self.server.wait(number)
        logs = json.loads(self.gw("logs", str(number), "--json").stdout)
        self.assertEqual(logs, {"id": str(number), "attempt": 1, "stream": "out", "offset": 0, "bytes": 8, "exact": False,
                                "text": "one\ntwo\ufffd"})
        self.gw("logs", str(number), "--json", "-f", code=2)

    def test_logs_say_why_there_is_nothing(self):
        number = self.gw("run", "--detach", "--hold", "--", "true").stdout.strip()
        self.assertIn("has not run yet: it is held", self.gw("logs", number, code=1).stderr)
        self.gw("cancel", number)
        self.assertIn("never ran: cancelled", self.gw("logs", number, code=1).stderr)
        number = self.gw("submit", "--wrap", "true", "--parsable").stdout.strip()
        self.gw("wait", number)
        self.assertIn("has printed nothing\n", self.gw("logs", number).stderr)
        number = self.gw("submit", "--wrap", "echo x", "-o", "o-%j", "-D", self.folder, "--parsable").stdout.strip()
        self.gw("wait", number)
        self.assertIn(f"{self.folder}/o-{number}\n", self.gw("logs", number).stderr)
        self.assertIn(f"{self.folder}/o-{number}\n", self.gw("logs", "-f", number).stderr)
        self.assertRegex(self.gw("show", number).stdout, rf"output +{self.folder}/o-{number}\n")

    def test_the_note_of_a_job_that_did_not_start(self):
        number = self.gw("run", "--detach", "-D", "/no/such/folder", "--name", "nowhere", "--", "true").stdout.strip()
        self.gw("wait", number, code=126)
        note = self.server.get(f"/v1/jobs/{number}").json["note"]
        self.assertIn(note, self.gw("ps", "-a", "--name", "nowhere").stdout)
        self.assertIn(note, self.gw("logs", number, code=1).stderr)
        shown = self.gw("show", number).stdout
        self.assertLess(shown.index(note), shown.index("tenant"))

    # Arrays.

    def test_an_array_is_not_its_first_task(self):
        number = self.gw("run", "--detach", "--hold", "--name", "many", "-a", "0-9%2", "--", "true").stdout.strip()
        shown = self.gw("show", number).stdout
        self.assertRegex(shown, r"tasks +10 \(0-9\), at most 2 at a time\n")
        self.assertRegex(shown, r"status +10 held\n")
        self.assertIn(f"gw show {number}_0", shown)
        self.assertEqual(json.loads(self.gw("show", number, "--json").stdout)["statuses"], {"held": 10})
        self.assertEqual(json.loads(self.gw("show", f"{number}_0", "--json").stdout)["id"], f"{number}_0")
        for word in ("logs", "explain", "eta"):
            self.assertIn(f"gw {word} {number}_0", self.gw(word, number, code=2).stderr)
        rows = self.gw("ps", "--name", "many").stdout.splitlines()
        self.assertEqual((len(rows), rows[1].split()[0]), (2, f"{number}_[0-9]"))
        for words in (["--name", "many", "--tasks"], ["--array", number]):
            self.assertEqual(len(self.gw("ps", *words).stdout.splitlines()), 11)
        self.assertEqual(len(json.loads(self.gw("ps", "--name", "many", "--json").stdout)["jobs"]), 10)
        self.gw("cancel", f"{number}_4")
        self.assertIn(f"{number}_[0-3,5-9]", self.gw("ps", "--name", "many").stdout)
        rows = self.gw("ps", "--array", f"{number}_4").stdout.splitlines()
        self.assertEqual([row.split()[0] for row in rows[1:]], [f"{number}_4"])
        self.assertIn("38_0", self.gw("ps", "--array", "x", code=2).stderr)
        self.gw("cancel", number)

    # Those who go away.

    def gone(self, how, command, code):
        name = f"gone-{code}"
        with open(os.devnull, "rb") as nothing:
            process = subprocess.Popen([GW, "run", "--name", name, "--", *command], stdin=nothing,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, **self.environment({})})
        end = time.monotonic() + 20
        while not json.loads(self.gw("ps", "--name", name, "-s", "running", "--json").stdout)["jobs"]:
            self.assertLess(time.monotonic(), end)
        how(process)
        self.assertEqual(process.wait(timeout=30), code, process.stderr.read())
        process.stderr.close()
        number = json.loads(self.gw("ps", "-a", "--name", name, "--json").stdout)["jobs"][0]["number"]
        self.assertEqual(self.server.wait(number)["status"], "cancelled")

    def test_the_job_ends_when_its_client_is_ended(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            self.gone(lambda process, number=number: process.send_signal(number), ["sleep", "300"], code)

    def test_the_job_ends_when_nobody_reads_it(self):
        self.gone(lambda process: process.stdout.close(), ["sh", "-c", "while sleep 0.1; do echo y; done"], 141)

    def test_standard_input_is_not_dropped_without_a_word(self):
        text = "jobs read no standard input"
        self.assertIn(text, self.gw("run", "--", "true", stdin="data").stderr)
        self.assertNotIn(text, self.gw("run", "-q", "--", "true", stdin="data").stderr)
        self.assertIn("Jobs read no standard input", self.gw("run", "--help").stdout)

    # The command line itself.

    def test_mistakes_are_named(self):
        for words, text in ((["--json", "ps"], "options of gw ps come behind it: gw ps --json"),
                            (["serve", "--port", "99999"], "from 0 to 65535"),
                            (["serve", "--tls-cert", "x.pem"], "--tls-key"),
                            (["serve", "--speed", "3"], "--engine twin"),
                            (["journal", "show"], "simulate or replay")):
            self.assertIn(text, self.gw(*words, code=2).stderr)

    # Tenants.

    def test_tenants(self):
        self.gw("tenants", "add", "acme")
        self.assertRegex(self.gw("quota", "set", "acme", "--limit", "16", "--jobs", "7").stdout,
                         r"LIMIT.*\nacme .* 16\s")
        self.assertRegex(self.gw("tenants", "list").stdout, r"MOST JOBS[^\n]*\n(.*\n)*acme .* 16 +7 ")
        self.gw("quota", "set", "acme", "--gpus", "none")
        self.assertRegex(self.gw("audit").stdout, r"limit: 16 -> none\b")
        self.assertIn("sum up to 1000 GPUs, and the factory has",
                      self.gw("quota", "set", "acme", "--guaranteed", "1000", code=1).stderr)
        self.gw("tenants", "set", "acme", "--gpus", "4")
        self.assertRegex(self.gw("audit").stdout, r"gpu limit: 0 -> 4\b")
        self.assertRegex(self.gw("quota", "budget", "acme", "--euros", "5", "--action", "warn").stdout,
                         r"0\.00 of 5 EUR")
        self.assertNotIn("EUR", self.gw("quota", "budget", "acme", "--none").stdout)
        self.gw("quota", "budget", "acme", code=2)
        self.gw("quota", "set", "acme", "--borrow", "some", code=2)


class SimulatedTest(FolderTest):
    """Jobs that print nothing are waited for all the same."""

    def test_run_on_a_simulated_factory(self):
        fleet = self.path("fleet.yaml", "gigawerk: 1\nfleet:\n  node_types:\n    - {name: box, gpu: h100, gpus: 2, "
                                        "cores: 4, memory: 8 GiB, power_max: 1 kW}\n  sites:\n    - name: here\n"
                                        "      nodes: [{type: box, count: 1}]\n")
        with FactoryServer("--engine", "twin", "--fleet", fleet, "--speed", "600") as server:
            def run(*words):
                return server.gw("run", *words, "--", "train")

            result = run("-g", "1", "-e", "GIGAWERK_SIM_RUN_TIME=10min")
            self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
            self.assertEqual(run("-e", "GIGAWERK_SIM_RUN_TIME=10min", "-e", "GIGAWERK_SIM_EXIT_CODE=9").returncode, 9)
            self.assertEqual(server.gw("logs", "-f", "1").returncode, 5)
            process = subprocess.Popen(
                [GW, "run", "--name", "long", "-e", "GIGAWERK_SIM_RUN_TIME=20h", "--", "train"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
                env={**os.environ, "GIGAWERK_SERVER": server.url, "GIGAWERK_TOKEN": server.token})
            end = time.monotonic() + 20
            while not server.get("/v1/jobs?name=long&status=running").json["jobs"]:
                self.assertLess(time.monotonic(), end)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 130, err)
            self.assertEqual(server.wait(3)["status"], "cancelled")


if __name__ == "__main__":
    unittest.main()
