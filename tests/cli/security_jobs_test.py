"""Attacks by what a job says: texts that would be commands, formulas or terminal codes somewhere."""

import csv
import glob
import io
import json
import os
import unittest

from factory_server import FactoryTest

# Shows its arguments and environment exactly, each ended by a zero byte, the two apart by BETWEEN.
BETWEEN = "---- environment ----"
SHOW_SCRIPT = fr'for word in "$@"; do printf "%s\0" "$word"; done; printf "%s\0" "{BETWEEN}"; env -0'
SHOW = ["sh", "-c", SHOW_SCRIPT, "show"]
MARK = "PWNED"


def injections(mark):
    """Texts that make `mark` a file wherever one of them reaches a shell."""
    touch = f"touch {mark}"
    return [f"$({touch})", f"`{touch}`", f"; {touch};", f"| {touch}", f"&& {touch} &&", f"|| {touch}", f"'; {touch}; '",
            f'"; {touch}; "', f"\n{touch}\n", f"$({touch}", f"${{IFS}}; {touch}", f"> {mark}", f"$'\\n{touch}\\n'", f"\\'; {touch} #",
            f"%s%n; {touch}", f"--help; {touch}", f"-c {touch}", f"{{{touch}}}", f"!{touch}", f"~; {touch}", f"\r\n{touch}\r\n", f"\t{touch}"]


class Shell(FactoryTest):
    """Every text of a job reaches its program as it is, and no shell on the way."""

    @classmethod
    def prepare(cls):
        cls.mark = os.path.join(cls.server.folder, MARK)

    def assert_nothing_ran(self):
        made = glob.glob(self.server.folder + f"/**/*{MARK}*", recursive=True)
        self.assertEqual([path for path in made if not path.endswith((".out", ".err"))], [])  # Those are named by jobs.
        self.assertFalse(os.path.exists(MARK))

    def show(self, **job):
        """Runs a job that shows itself: (record, its arguments, its environment)."""
        number = self.server.expect(self.server.post("/v1/jobs", {"command": SHOW, **job}))["number"]
        record = self.server.wait(number)
        self.assertEqual(record["status"], "completed", record)
        text = self.server.get(f"/v1/jobs/{number}/output").body.decode()
        words = text.split("\0")
        middle = words.index(BETWEEN)
        return record, words[:middle], dict(entry.split("=", 1) for entry in words[middle + 1:] if "=" in entry)

    def test_command_words(self):
        words = injections(self.mark) + ["", " ", "*", "?", "~", "$HOME", "$1", "-n", "--", "\\", "\"", "'"]
        _, arguments, _ = self.show(command=SHOW + words)
        self.assertEqual(arguments, words)
        for text in injections(self.mark):  # As the program itself.
            number = self.server.submit(command=[text])
            self.assertIn(self.server.wait(number)["status"], ("launch_failed", "failed"))
        self.assert_nothing_ran()

    def test_script_arguments(self):
        words = injections(self.mark)
        number = self.server.submit(script=f"#!/bin/sh\n{SHOW_SCRIPT}\n", arguments=words)
        self.assertEqual(self.server.wait(number)["status"], "completed")
        text = self.server.get(f"/v1/jobs/{number}/output").body.decode()
        self.assertEqual(text.split("\0")[:len(words) + 1], words + [BETWEEN])
        for line in (f"#!/bin/sh -c 'touch {self.mark}'\n", f"#!/bin/true; touch {self.mark}\n", f"#!$(touch {self.mark})\n",
                     f"#! /bin/echo `touch {self.mark}`\n"):
            self.server.wait(self.server.submit(script=line))
        self.assert_nothing_ran()

    def test_environment(self):
        values = {f"V{index}": text for index, text in enumerate(injections(self.mark))}
        values["BASH_FUNC_env%%" if False else "SHELLSHOCK"] = f"() {{ :; }}; touch {self.mark}"
        _, _, environment = self.show(environment=values)
        for name, value in values.items():
            self.assertEqual(environment[name], value)
        for name in injections(self.mark) + ["", "A=B", "A B", "1A", "A-B", "BASH_FUNC_x%%", "ä", "A\0"]:
            self.assert_status(self.server.post("/v1/jobs", {"command": ["true"], "environment": {name: "x"}}), 422)
        self.assert_nothing_ran()

    def test_reserved_variables(self):
        """What Gigawerk says of a job, its owner cannot say otherwise."""
        wrong = {"GIGAWERK_JOB_ID": "1", "GIGAWERK_TENANT": "other", "GIGAWERK_USER": "root", "GIGAWERK_MARK": "x", "SLURM_JOB_ID": "1"}
        answer = self.server.post("/v1/jobs", {"command": SHOW, "environment": wrong})
        if answer.status != 201:
            self.assert_status(answer, 422)
            return
        number = answer.json["number"]
        self.server.wait(number)
        text = self.server.output(number)
        for entry in ("GIGAWERK_TENANT=other", "GIGAWERK_USER=root\0", "GIGAWERK_MARK=x\0"):
            if entry == "GIGAWERK_USER=root\0" and self.server.job(number)["user"] == "root":
                continue
            self.assertNotIn(entry, text)
        self.assertIn(f"GIGAWERK_JOB_ID={number}\0", text)

    def test_names_comments_and_patterns(self):
        for text in injections(self.mark):
            line = "\n" not in text and "\r" not in text and "\t" not in text
            answer = self.server.post("/v1/jobs", {"command": SHOW, "name": text, "output": "%x-%j.out", "error": "%x.err"})
            self.assert_status(answer, 201 if line else 422)
            if line:
                record = self.server.wait(answer.json["number"])
                self.assertEqual(record["status"], "completed", (text, record))
                self.assertEqual(record["name"], text)
            answer = self.server.post("/v1/jobs", {"command": SHOW, "comment": text})
            self.assert_status(answer, 201, 422)
            if answer.status == 201:
                self.assertEqual(self.server.wait(answer.json["number"])["status"], "completed")
        # Of what the names made, no file is called as a command would have called it.
        made = {os.path.basename(path) for path in glob.glob(self.server.data + "/jobs/*/*.1/work/*")}
        self.assertTrue(made)
        self.assertNotIn(MARK, made)
        self.assertFalse(os.path.exists(self.mark))

    def test_output_patterns(self):
        for text in injections("x"):
            if "%s" in text or any(c in text for c in "\n\r\t"):
                self.assert_status(self.server.post("/v1/jobs", {"command": SHOW, "output": text}), 422)
                continue
            number = self.server.submit(command=SHOW, output=text.replace("/", "_"))
            self.assertEqual(self.server.wait(number)["status"], "completed", text)
            work = f"{self.server.data}/jobs/0/{number}.1/work"
            self.assertEqual(os.listdir(work), [text])

    def test_working_folders(self):
        for text in injections(self.mark):
            if any(c in text for c in "\n\r\t"):
                self.assert_status(self.server.post("/v1/jobs", {"command": SHOW, "working_folder": "/tmp/" + text}), 422)
                continue
            number = self.server.submit(command=SHOW, working_folder="/nonexistent/" + text)
            self.assertEqual(self.server.wait(number)["status"], "launch_failed")
            folder = os.path.join(self.server.folder, "work " + text.replace("/", "_").replace(MARK, "X"))
            os.mkdir(folder)
            number = self.server.submit(command=["pwd"], working_folder=folder)
            self.assertEqual(self.server.wait(number)["status"], "completed")
            self.assertEqual(self.server.output(number), folder + "\n")
        self.assert_nothing_ran()

    def test_container_images(self):
        """Whether there is podman here or not: an image's name is one word of its command line, and no option."""
        for text in injections(self.mark) + ["--privileged", "-v/:/host", "--volume=/:/host x", "x --privileged"]:
            answer = self.server.post("/v1/jobs", {"command": ["true"], "isolation": "container", "image": text})
            if answer.status != 422:
                self.assert_status(answer, 201)
                self.assertIn(self.server.wait(answer.json["number"])["status"], ("launch_failed", "failed"))
        self.assert_nothing_ran()

    def test_everything_else_is_refused(self):
        """Fields that take no free text."""
        for text in injections(self.mark):
            for field in ("tenant", "within", "begin", "array", "isolation", "launch"):
                answer = self.server.post("/v1/jobs", {"command": ["true"], field: text})
                self.assertIn(answer.status, (404, 422), (field, text))
            for field in ("gpu_types", "depends"):
                self.assert_status(self.server.post("/v1/jobs", {"command": ["true"], field: [text]}), 422)
            warning = {"signal": text, "before": "10s"}
            self.assert_status(self.server.post("/v1/jobs", {"command": ["true"], "warning": warning}), 422)
            self.assert_status(self.server.post("/v1/tokens", {"user": text}), 422)
            self.assert_status(self.server.post("/v1/tenants", {"path": text}), 404, 422)
            for field in ("kind", "home", "unix_user", "price_plan"):
                self.assert_status(self.server.patch("/v1/tenants/default", {field: text}), 422)
        self.assert_nothing_ran()


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1+1", "\r=1+1", '"=1+1', "=HYPERLINK(\"http://x\")"]


class Tables(FactoryTest):
    def test_formulas_in_usage_tables(self):
        for text in FORMULAS:
            self.assert_status(self.server.post("/v1/tokens", {"user": text}), 422)
            self.assert_status(self.server.post("/v1/tenants", {"path": text}), 404, 422)
            self.assert_status(self.server.patch("/v1/tenants/default", {"price_plan": text}), 422)
        for text in FORMULAS:
            answer = self.server.post("/v1/jobs", {"command": ["true"], "name": text, "comment": text})
            if answer.status == 201:
                self.server.wait(answer.json["number"])
        for form in ("csv", "focus"):
            for by in ("job", "user", "tenant", "gpu_type"):
                answer = self.server.get(f"/v1/usage?by={by}&format={form}")
                if (form, by) == ("focus", "gpu_type"):  # FOCUS wants an account in each row.
                    self.assert_status(answer, 400)
                    continue
                rows = list(csv.reader(io.StringIO(answer.text)))
                self.assertGreater(len(rows), 1)
                self.assertEqual({len(row) for row in rows}, {len(rows[0])})
                for row in rows[1:]:
                    for cell in row:
                        self.assertNotRegex(cell, r"^[=+@\t\r-]")


ESCAPES = ["\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "a\rb", "a\x08\x08b", "\x9b31m", "\u202eevil",
           "\u200bhidden", "a\nJOB 1 completed"]


class Terminals(FactoryTest):
    """What others see on their terminals of what somebody wrote."""

    def assert_plain(self, result):
        text = result.stdout + result.stderr
        for character in text:
            self.assertTrue(character == "\n" or 0x20 <= ord(character) < 0x7f or 0xa0 <= ord(character), repr(text))
            self.assertNotIn(character, "\u202e\u2066\u200b", repr(text))

    def test_escape_sequences_in_what_gw_shows(self):
        for text in ESCAPES:
            answer = self.server.post("/v1/jobs", {"command": ["true"], "name": text})
            if any(ord(c) < 0x20 or ord(c) == 0x7f for c in text):
                self.assert_status(answer, 422)
            number = self.server.submit(command=["echo", text], environment={"X": text}, hold=True, comment=text if "\n" not in text else "x")
            for words in (["ps", "-a"], ["ps", "-a", "--json"], ["show", str(number)], ["show", str(number), "--env"],
                          ["show", str(number), "--env", "--json"], ["explain", str(number)], ["audit"], ["usage", "--by", "job"],
                          ["tenants", "list"], ["token", "list"], ["nodes"], ["quota", "show"]):
                self.assert_plain(self.server.gw(*words))
            for words in (["show", text], ["cancel", text], ["logs", text], ["ps", "--tenant", text], ["ps", "--status", text],
                          ["drain", text, "--reason", text], ["token", "revoke", text], ["tenants", "add", text]):
                self.assert_plain(self.server.gw(*words))

    def test_escape_sequences_in_the_servers_log(self):
        for text in ESCAPES:
            self.server.get("/v1/jobs/" + "".join(f"%{byte:02x}" for byte in text.encode()))
            self.server.get("/v1/whoami", token=None, headers={"User-Agent": "x"})
        self.server.raw(b"GET /\x1b[2J HTTP/1.1\r\nHost: \x1b]0;x\x07\r\n\r\n")
        for character in self.server.log:
            self.assertTrue(character == "\n" or 0x20 <= ord(character) < 0x7f, repr(self.server.log))

    def test_output_is_bytes_for_nobody_to_run(self):
        """A job may print a page; a browser that is pointed at it must not take it for one."""
        job, _ = self.server.run("echo", "<script>alert(1)</script>")
        answer = self.server.get(f"/v1/jobs/{job['number']}/output")
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>"):
            answer = self.server.get("/v1/jobs/" + text.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20").replace("/", "%2F"))
            self.assertTrue(answer.headers["content-type"].startswith("application/json"), answer.headers)


class Accounts(FactoryTest):
    """Jobs of tenants with different Unix users, on one machine."""

    @classmethod
    def prepare(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root can run jobs under other accounts")
        cls.server.add_tenant("one", unix_user="daemon")
        cls.server.add_tenant("two", unix_user="games")

    def test_a_job_cannot_reach_what_is_not_its_own(self):
        theirs = self.server.submit(tenant="two", cpus=0.1, script="#!/bin/sh\necho two-printed; echo kept > kept; sleep 60\n",
                                    environment={"PASSWORD": "two-secret"})
        self.server.wait(theirs, "running")
        data, folder = self.server.data, f"{self.server.data}/jobs/0/{theirs}.1"
        probe = f"""#!/bin/sh
        id -un
        for file in {data}/gigawerk.db {data}/gigawerk.db-wal {data}/admin.token {data}/gigawerk.db.lock {folder}/launch {folder}/script \\
            {folder}/out.* {os.path.join(folder, "work", "kept")} {data}/jobs/lock /etc/shadow; do
          cat "$file" 2>/dev/null && echo "READ $file"
          echo x 2>/dev/null >> "$file" && echo "WROTE $file"
        done
        for folder in {data} {data}/jobs {data}/jobs/0 {folder} {folder}/work; do
          ls "$folder" 2>/dev/null && echo "LISTED $folder"
          touch "$folder/planted" 2>/dev/null && echo "PLANTED $folder"
        done
        for process in $(ls /proc | grep '^[0-9]*$'); do
          [ "$(stat -c %U /proc/$process 2>/dev/null)" = daemon ] && continue
          cat /proc/$process/environ 2>/dev/null | grep -q . && echo "ENVIRONMENT $process"
          kill -0 $process 2>/dev/null && echo "SIGNAL $process"
        done
        grep -q '^NoNewPrivs:[[:space:]]*1' /proc/self/status && echo confined
        ls /proc/self/fd
        """
        number = self.server.submit(tenant="one", cpus=0.1, script=probe)
        job = self.server.wait(number)
        printed = self.server.output(number)
        self.assertEqual(job["status"], "completed", printed)
        lines = printed.split()
        self.assertEqual(lines[:2], ["daemon", "confined"], printed)
        self.assertLessEqual(set(lines[2:]), {"0", "1", "2", "3", "10", "255"}, printed)  # No descriptor of the server's.

    def test_output_cannot_be_swapped_for_another_file(self):
        """The server reads what a job printed with its own rights: the job must not choose the file."""
        number = self.server.submit(tenant="one", script="""#!/bin/sh
        cd .. && for name in out.0 out.00000000000000000000 out; do ln -sf /etc/shadow "$name" 2>&1; done
        rm -f out.* 2>&1; mv work work2 2>&1; ls -la 2>&1
        """)
        self.server.wait(number)
        answer = self.server.get(f"/v1/jobs/{number}/output")
        self.assertNotIn("root:", answer.text)
        folder = f"{self.server.data}/jobs/0/{number}.1"
        self.assertEqual([name for name in os.listdir(folder) if os.path.islink(os.path.join(folder, name))], [])
        self.assertTrue(os.path.isdir(os.path.join(folder, "work")))

    def test_an_account_that_is_not_there_runs_nothing(self):
        self.server.add_tenant("three", unix_user="daemon")
        for answer in (self.server.post("/v1/tenants", {"path": "four", "unix_user": "nobody-of-that-name"}),
                       self.server.patch("/v1/tenants/three", {"unix_user": "nobody-of-that-name"})):
            self.assertEqual((answer.status, answer.code), (422, "unknown_account"))
        self.assertEqual(self.server.get("/v1/tenants/three").json["unix_user"], "daemon")
        self.server.expect(self.server.patch("/v1/tenants/three", {"unix_user": "", "kind": "", "home": ""}))
        self.assertEqual(self.server.get("/v1/tenants/three").json["unix_user"], "")


if __name__ == "__main__":
    unittest.main()
