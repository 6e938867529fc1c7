"""gw wait, logs -f and run where things happen at bad moments: between two requests, in the middle of a stream, under
an impatient hand. A scripted server makes the moments."""

import json
import signal
import time
import unittest

from gw_command import GwTest
from scripted_server import ScriptedServer


def job(number=7, ended=False, **more):
    """A job as the server shows it."""
    state = {"status": "completed", "ended": True, "exit_code": 0} if ended else {"status": "running", "ended": False}
    return {"id": str(number), "number": number, "attempt": 1, "place": "node-1", **state, **more}


def task(index, **more):
    """A task of array 20, which has three."""
    return job(20 + index, array={"job": 20, "index": index, "tasks": 3}, **{"id": f"20_{index}", **more})


class WaitTest(GwTest):
    def wait(self, answer, *words, code=0, **how):
        with ScriptedServer(lambda request: answer(request, server)) as server:
            got, out, err = server.gw("wait", *(words or ("7",)), **how)
            self.assertEqual(got, code, out + err)
            return out, err, server.asked

    def test_an_end_before_the_watch_began_is_not_missed(self):
        ended = []

        def answer(request, server):
            if request.path == "/v1/watch":
                ended.append(True)  # Before anybody watches: no event tells of it.
                request.stream("watching")
                server.over.wait()
            else:
                request.json(job(ended=bool(ended)))

        out, _, _ = self.wait(answer)
        self.assertEqual(out, "job 7 completed\n")

    def test_an_end_between_the_head_and_the_joining_is_not_missed(self):
        looks = []

        def answer(request, server):
            if request.path == "/v1/watch":
                request.stream("watching")
                while len(looks) < 2:
                    time.sleep(0.01)
                looks.append("ended")
                request.comment("alive")
                server.over.wait()
            else:
                looks.append("look")
                request.json(job(ended="ended" in looks))

        self.wait(answer)
        self.assertEqual(looks[:3], ["look", "look", "ended"])

    def test_the_present_state_as_first_event_is_enough(self):
        def answer(request, server):
            if request.path == "/v1/watch":
                request.stream()
                request.event("job", job(ended=True, status="failed", exit_code=9))
                server.over.wait()
            else:
                request.json(job())

        out, _, _ = self.wait(answer, code=9)
        self.assertEqual(out, "job 7 failed (exit code 9)\n")

    def test_reset_asks_again(self):
        ended = []

        def answer(request, server):
            if request.path == "/v1/watch":
                request.stream("watching")
                time.sleep(0.3)
                ended.append(True)
                request.event("reset", {})
                server.over.wait()
            else:
                request.json(job(ended=bool(ended)))

        self.wait(answer)

    def test_a_broken_stream_is_opened_again(self):
        watches = []

        def answer(request, server):
            if request.path == "/v1/watch":
                watches.append(True)
                if len(watches) == 2:
                    return request.refuse(503, "busy")
                request.stream("watching")
                if len(watches) > 2:
                    server.over.wait()
            else:
                request.json(job(ended=len(watches) >= 3))

        self.wait(answer)
        self.assertEqual(len(watches), 3)

    def test_an_array_needs_one_stream(self):
        def answer(request, server):
            if request.path == "/v1/watch":
                self.assertEqual(request.query["job"], "20")
                request.stream("watching")
                time.sleep(0.3)
                request.event("job", task(2, ended=True))
                request.event("job", task(0))  # Old news.
                request.event("job", task(1, ended=True, status="failed", exit_code=4))
                server.over.wait()
            elif request.path == "/v1/jobs/20":
                request.json(task(0))
            elif request.path == "/v1/jobs":
                self.assertEqual(request.query["array"], "20")
                if "before" in request.query:
                    request.json({"jobs": [task(0, ended=True)], "next": None})
                else:
                    request.json({"jobs": [task(2), task(1)], "next": "21"})
            else:
                request.refuse(500, "unexpected")

        out, _, asked = self.wait(answer, "20", code=4)
        self.assertEqual(out, "job 20_0 completed\njob 20_1 failed (exit code 4)\njob 20_2 completed\n")
        self.assertEqual(len([each for each in asked if "/v1/watch" in each]), 1)
        out, _, _ = self.wait(answer, "20", "--json", code=4)
        self.assertEqual(json.loads(out)["jobs"], [{"id": "20_0", "status": "completed", "code": 0},
                                                   {"id": "20_1", "status": "failed", "code": 4},
                                                   {"id": "20_2", "status": "completed", "code": 0}])

    def test_a_task_by_its_own_number_is_one_task(self):
        def answer(request, _):
            self.assertEqual(request.path, "/v1/jobs/21")
            request.json(task(1, ended=True))

        self.assertEqual(self.wait(answer, "21")[0], "job 20_1 completed\n")

    def test_refusals_and_silence_end_it(self):
        watches = []

        def revoked(request, _):
            if request.path == "/v1/watch":
                watches.append(True)
                return request.stream("watching")
            if watches:
                return request.refuse(401, "unauthorized", "this token is revoked")
            request.json(job())

        _, err, _ = self.wait(revoked, code=125)
        self.assertIn("revoked", err)

        def gone(request, server):
            if request.path != "/v1/watch":
                return request.json(job())
            request.stream("watching")
            server.server.shutdown()
            server.server.server_close()

        began = time.monotonic()
        _, err, _ = self.wait(gone, code=125, env={"GIGAWERK_PATIENCE": "1"})
        self.assertIn("cannot reach", err)
        self.assertLess(time.monotonic() - began, 10)
        _, err, _ = self.wait(gone, code=125, env={"GIGAWERK_PATIENCE": "soon"})
        self.assertIn("GIGAWERK_PATIENCE=soon", err)


class FollowTest(GwTest):
    def gw(self, follow, *words, code=0, **how):
        """Runs gw where `follow` answers /v1/jobs/7/follow."""
        def answer(request):
            if request.path == "/v1/jobs/7/follow":
                follow(request, server)
            elif request.method == "POST" and request.path == "/v1/jobs":
                request.json({"id": "7", "number": 7, "count": 1}, 201)
            else:
                request.json(job())

        with ScriptedServer(answer) as server:
            got, out, err = server.gw(*words, **how)
            self.assertEqual(got, code, out + err)
            return out, err

    def test_who_comes_back_says_how_far_of_which_attempt(self):
        queries = []

        def follow(request, _):
            queries.append(request.query)
            request.stream()
            if len(queries) == 1:
                request.event("status", job(attempt=1))
                request.event("out", {"offset": 0, "text": "first "})
            elif len(queries) == 2:  # Requeued meanwhile.
                request.event("out", {"offset": 6, "text": "rest "})
                request.event("status", job(attempt=2))
                request.event("out", {"offset": 0, "text": "second "})
            else:
                request.event("status", job(attempt=2))
                request.event("out", {"offset": 7, "text": "end\n"})
                request.event("end", job(ended=True, attempt=2))

        out, _ = self.gw(follow, "run", "--", "true")
        self.assertEqual(out, "first rest second end\n")
        self.assertEqual(queries, [{}, {"attempt": "1", "offset": "6"}, {"attempt": "2", "offset": "7"}])

    def test_standard_error_is_not_repeated(self):
        streams = []

        def follow(request, _):
            streams.append(True)
            request.stream()
            request.event("status", job())
            request.event("err", {"offset": 0, "text": "one "})
            request.event("out", {"offset": 0, "text": "output\n"})
            if len(streams) == 2:
                request.event("err", {"offset": 4, "text": "two\n"})
                request.event("end", job(ended=True))

        out, err = self.gw(follow, "logs", "-f", "7", "--stderr")
        self.assertEqual(out, "one two\n")
        self.assertEqual(len(streams), 2)

    def test_attempt_and_follow_exclude_each_other(self):
        _, err = self.gw(None, "logs", "-f", "7", "--attempt", "1", code=2)
        self.assertIn("leave one out", err)

    def test_how_the_job_ended_is_not_the_exit_code_of_logs(self):
        def follow(request, _):
            request.stream()
            request.event("out", {"offset": 0, "text": "all\n"})
            request.event("end", job(ended=True, status="failed", exit_code=9))

        self.assertEqual(self.gw(follow, "logs", "-f", "7")[0], "all\n")
        self.gw(follow, "run", "--", "true", code=9)

    def test_only_followed_to_the_end_is_success(self):
        streams = []

        def revoked(request, _):
            streams.append(True)
            if len(streams) % 2 == 0:
                return request.refuse(401, "unauthorized", "this token is revoked")
            request.stream()
            request.event("status", job())

        _, err = self.gw(revoked, "logs", "-f", "7", code=4)
        self.assertIn("revoked", err)
        self.gw(revoked, "run", "--", "true", code=125)

        def gone(request, server):
            request.stream()
            request.event("status", job())
            server.server.shutdown()
            server.server.server_close()

        _, err = self.gw(gone, "logs", "-f", "7", code=3, env={"GIGAWERK_PATIENCE": "1"})
        self.assertIn("given up after 1 s", err)

    def test_interrupt_ends_logs(self):
        def answer(request):
            if request.path != "/v1/jobs/7/follow":
                return request.json(job())
            request.stream()
            request.event("out", {"offset": 0, "text": "begun\n"})
            server.over.wait()

        with ScriptedServer(answer) as server:
            process = server.start("logs", "-f", "7")
            self.assertEqual(process.stdout.readline(), "begun\n")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
            self.assertEqual(process.returncode, 130, err)
            self.assertIn("job 7 goes on", err)
            self.assertFalse([each for each in server.asked if each.startswith("DELETE")])


class InterruptedRunTest(GwTest):
    def run_against(self, answer, act):
        """gw run against the script; `act` gets the process and the server. Gives exit code, errors and requests."""
        with ScriptedServer(lambda request: answer(request, server)) as server:
            process = server.start("run", "--", "true")
            try:
                act(process, server)
                _, err = process.communicate(timeout=30)
            finally:
                process.kill()
            return process.returncode, err, server.asked

    @staticmethod
    def when(server, text):
        """Waits until something was asked that has this text."""
        end = time.monotonic() + 20
        while not any(text in each for each in server.asked):
            if time.monotonic() > end:
                raise AssertionError(f"nobody asked {text}: {server.asked}")
            time.sleep(0.002)

    @staticmethod
    def has_seen_signals(process):
        """Waits until no signal is pending for the process."""
        end = time.monotonic() + 20
        while True:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                pending = [line.split()[1] for line in status if line.startswith(("SigPnd", "ShdPnd"))]
            if all(int(mask, 16) == 0 for mask in pending):
                return
            if time.monotonic() > end:
                raise AssertionError(f"signals stay pending: {pending}")
            time.sleep(0.001)

    def test_twice_in_a_moment_cancels_and_leaves(self):
        cancelled = []

        def answer(request, server):
            if request.path == "/v1/jobs/7/follow":
                request.stream()
                request.event("status", job())
                server.over.wait()
            elif request.method == "DELETE":
                time.sleep(0.5)
                cancelled.append(True)
                request.json({"count": 1})
            else:
                request.json({"id": "7", "number": 7, "count": 1}, 201)

        for pause in (0, 0.1):  # Before the DELETE, and in the middle of it.
            cancelled.clear()

            def twice(process, server, pause=pause):
                self.when(server, "/follow")
                process.send_signal(signal.SIGINT)
                self.has_seen_signals(process)  # Two that are pending at once are one.
                if pause:
                    self.when(server, "DELETE")
                    time.sleep(pause)
                process.send_signal(signal.SIGINT)

            code, err, _ = self.run_against(answer, twice)
            self.assertEqual(code, 130, err)
            self.assertEqual(cancelled, [True])
            self.assertIn("is being cancelled", err)
            self.assertNotIn("interrupted", err)

    def test_before_the_answer_to_the_submission(self):
        kept, held, gone = {}, [], []

        def answer(request, _):
            if request.method == "DELETE":
                gone.append(int(request.path.rsplit("/", 1)[1]))
                return request.json({"count": 1})
            key = request.headers["idempotency-key"]
            if request.body.get("hold"):
                held.append(True)
            first = key not in kept
            if first:
                kept[key] = request.body
                time.sleep(1)  # The answer comes when nobody waits for it any more.
            if kept[key] != request.body:
                return request.refuse(422, "key_reused")
            request.json({"id": "7", "number": 7, "count": 1}, 201 if first else 200)

        def once(process, server):
            self.when(server, "POST /v1/jobs")
            process.send_signal(signal.SIGINT)

        code, err, asked = self.run_against(answer, once)
        self.assertEqual(code, 130, err)
        self.assertEqual((gone, held, len(kept)), ([7], [True], 1))
        self.assertNotIn("follow", " ".join(asked))

    def test_a_submission_that_never_came_does_not_run(self):
        kept, gone = {}, []

        def answer(request, server):
            if request.method == "DELETE":
                gone.append(request.path)
                return request.json({"count": 1})
            if not request.body.get("hold"):
                return server.over.wait()  # Lost on its way.
            kept[request.headers["idempotency-key"]] = request.body
            request.json({"id": "8", "number": 8, "count": 1}, 201)

        def once(process, server):
            self.when(server, "POST /v1/jobs")
            process.send_signal(signal.SIGINT)

        code, err, _ = self.run_against(answer, once)
        self.assertEqual(code, 130, err)
        self.assertEqual(gone, ["/v1/jobs/8"])
        self.assertEqual(len(kept), 1)

    def test_waiting_for_the_server_is_said(self):
        follows = []

        def answer(request, _):
            if request.path == "/v1/jobs/7/follow":
                follows.append(True)
                if len(follows) == 1:
                    return request.refuse(503, "busy", "not now")
                request.stream()
                request.event("end", job(ended=True))
            else:
                request.json({"id": "7", "number": 7, "count": 1}, 201)

        code, err, _ = self.run_against(answer, lambda process, server: None)
        self.assertEqual((code, err), (0, "gw: not now\ngw: job 7 goes on without it; waiting for the server for 120 s "
                                          "(GIGAWERK_PATIENCE)\n"))

    def test_while_the_server_is_away(self):
        deletes = []

        def answer(request, server):
            if request.path == "/v1/jobs/7/follow":
                request.stream()
                request.event("status", job())
                if not deletes:
                    server.over.wait()
                request.event("end", job(ended=True, status="cancelled"))
            elif request.method == "DELETE":
                deletes.append(True)
                if len(deletes) < 3:
                    return request.refuse(503, "busy", "not now")
                request.json({"count": 1})
            else:
                request.json({"id": "7", "number": 7, "count": 1}, 201)

        def once(process, server):
            self.when(server, "/follow")
            process.send_signal(signal.SIGINT)

        code, err, _ = self.run_against(answer, once)
        self.assertEqual(code, 130, err)
        self.assertEqual(len(deletes), 3)
        self.assertIn("gw: not now\ngw: job 7 goes on; ", err)


if __name__ == "__main__":
    unittest.main()
