"""Streams as clients meet them: output at full speed, through requeues, and watchers that miss nothing unawares."""

import base64
import contextlib
import json
import threading
import time
import unittest

from factory_server import FactoryServer


def text_of(data):
    return data["text"].encode() if "text" in data else base64.b64decode(data["base64"])


class StreamsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = FactoryServer()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def shell(self, script, **job):
        return self.server.submit(command=["sh", "-c", script], **{"cpus": 0.1, "limit": "10min", **job})

    def printed(self, number, size, seconds=60):
        """Waits until the job has printed so many bytes."""
        end = time.monotonic() + seconds
        while int(self.server.get(f"/v1/jobs/{number}/output?limit=1").headers["gigawerk-end-offset"]) < size:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    # Output.

    def test_a_long_output_streams_without_a_stop(self):
        number = self.shell("yes 0123456789 | head -c 60000000")
        self.assertEqual(self.server.wait(number)["status"], "completed")
        kept = int(self.server.get(f"/v1/jobs/{number}/output?limit=1").headers["gigawerk-first-offset"])
        began = time.monotonic()
        size, at = 0, None
        with self.server.events(f"/v1/jobs/{number}/follow", seconds=10) as follow:
            for event, data, _ in follow:
                data = json.loads(data)
                if event == "out":
                    self.assertEqual(data["offset"], data["offset"] if at is None else at)
                    text = text_of(data)
                    at = data["offset"] + len(text)
                    size += len(text)
                if event == "end":
                    break
        self.assertEqual(size, 60_000_000 - kept)
        self.assertLess(time.monotonic() - began, 30)

    def test_output_comes_when_it_is_printed(self):
        number = self.shell("echo first; sleep 1; echo second; sleep 60")
        began, seen = None, b""
        with self.server.events(f"/v1/jobs/{number}/follow", seconds=30) as follow:
            for event, data, _ in follow:
                if event != "out":
                    continue
                seen += text_of(json.loads(data))
                if began is None:
                    began = time.monotonic()
                if seen.endswith(b"second\n"):
                    break
        self.assertEqual(seen, b"first\nsecond\n")
        self.assertLess(time.monotonic() - began, 8)
        self.server.delete(f"/v1/jobs/{number}")

    def test_a_requeue_drops_nothing_of_a_slow_reader(self):
        script = 'if [ "$SLURM_RESTART_COUNT" = 0 ] || [ -z "$SLURM_RESTART_COUNT" ]; then '
        script += "yes aaaaaaaaa | head -c 8000000; sleep 300; else echo again; fi"
        number = self.shell(script)
        self.printed(number, 8_000_000)
        with self.server.events(f"/v1/jobs/{number}/follow", seconds=30) as follow:
            time.sleep(0.3)  # The server has sent what the connection takes, and waits.
            self.server.expect(self.server.post(f"/v1/jobs/{number}/requeue"))
            self.server.wait(number)
            parts = {}
            for event, data, _ in follow:
                data = json.loads(data)
                if event == "out":
                    text = text_of(data)
                    self.assertEqual(data["offset"], len(parts.get(data["attempt"], b"")))
                    parts[data["attempt"]] = parts.get(data["attempt"], b"") + text
                if event == "status" and data["attempt"] == 2:
                    self.assertEqual(len(parts[1]), 8_000_000)
                if event == "end":
                    break
        self.assertEqual(sorted(parts), [1, 2])
        self.assertEqual(len(parts[1]), 8_000_000)
        self.assertEqual(parts[2], self.server.output(number).encode())

        # Who comes back says where it was, and in which attempt.
        with self.server.events(f"/v1/jobs/{number}/follow?attempt=1&offset=7999990") as follow:
            events = [(event, data) for event, data in follow.until(lambda event, _: event == "end") if event == "out"]
        self.assertEqual([(data["attempt"], data["offset"], text_of(data)) for _, data in events],
                         [(1, 7999990, b"aaaaaaaaa\n"), (2, 0, parts[2])])
        with self.server.events(f"/v1/jobs/{number}/follow?attempt=2&offset=2") as follow:
            events = [data for event, data in follow.until(lambda event, _: event == "end") if event == "out"]
        self.assertEqual([text_of(data) for data in events], [parts[2][2:]])
        with self.server.events(f"/v1/jobs/{number}/follow?attempt=3") as follow:
            self.assertEqual((follow.status, follow.read().code), (404, "unknown_attempt"))

    # Watching.

    def test_a_burst_reaches_a_slow_watcher(self):
        # Arrays that are small enough for each task to be told by itself.
        with self.server.events("/v1/watch") as watch:
            arrays = [self.server.submit(command=["true"], array="1-250", hold=True, name="x" * 200, limit="1min")
                      for _ in range(24)]
            first, last = arrays[0], arrays[-1] + 249
            time.sleep(1)  # 3 MB wait for it by now.
            seen = watch.until(lambda event, data: event == "reset" or data.get("number") == last)
        self.assertEqual([data["number"] for _, data in seen if data.get("number", 0) >= first],
                         list(range(first, last + 1)))
        self.assertEqual(last + 1 - first, 6000)
        with self.server.events("/v1/watch") as watch:
            for array in arrays:
                self.server.delete(f"/v1/jobs/{array}")
            seen = watch.until(lambda event, data: event == "reset" or data.get("number") == last)
        self.assertEqual(len([data for _, data in seen if data.get("status") == "cancelled"]), 6000)

    def test_what_nobody_watched_is_told(self):
        """A client that was away, with nobody else watching: it must look anew."""
        with self.server.events("/v1/watch") as watch:
            number = self.server.submit(command=["true"], hold=True)
            for _, data, identity in watch:
                if json.loads(data).get("number") == number:
                    break
        end = time.monotonic() + 30
        while "gigawerk_watchers 0\n" not in self.server.get("/metrics").text:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.server.delete(f"/v1/jobs/{number}")
        self.server.delete(f"/v1/jobs/{self.server.submit(command=['true'], hold=True)}")  # The former is past by now.
        with self.server.events("/v1/watch", headers={"Last-Event-ID": identity}) as watch:
            event, _, new = next(iter(watch))
        self.assertEqual(event, "reset")
        self.assertGreater(int(new), int(identity))

    def test_ids_of_another_server_are_not_believed(self):
        with FactoryServer() as server:
            with server.events("/v1/watch") as watch:
                number = server.submit(command=["true"], hold=True)
                _, _, identity = next(iter(watch))
            server.restart()
            with server.events("/v1/watch") as other:  # Some events, more than before.
                for _ in range(5):
                    server.delete(f"/v1/jobs/{server.submit(command=['true'], hold=True)}")
                other.until(lambda event, data: data.get("status") == "cancelled")
                for last in (identity, "0", "1", "none"):
                    with server.events("/v1/watch", headers={"Last-Event-ID": last}) as watch:
                        event, _, new = next(iter(watch))
                        self.assertEqual(event, "reset", last)
                        self.assertGreater(int(new), int(identity))
            server.delete(f"/v1/jobs/{number}")

    def test_a_watch_of_a_job_begins_with_what_it_is(self):
        number = self.server.submit(command=["false"])
        self.server.wait(number)
        with self.server.events(f"/v1/watch?job={number}", seconds=10) as watch:
            event, data, identity = next(iter(watch))
        self.assertEqual((event, json.loads(data)["status"]), ("job", "failed"))
        self.assertTrue(identity)
        held = self.server.submit(command=["true"], hold=True)
        with self.server.events(f"/v1/watch?job={held}", seconds=10) as watch:
            self.assertEqual(json.loads(next(iter(watch))[1])["status"], "held")
            self.server.post(f"/v1/jobs/{held}/release")
            seen = watch.until(lambda event, data: data["ended"])
        self.assertEqual(seen[-1][1]["status"], "completed")
        with self.server.events("/v1/watch?job=987654321") as watch:
            self.assertEqual((watch.status, watch.read().code), (404, "unknown_job"))

    def test_no_job_ends_between_two_looks(self):
        """Whenever the watch begins, the end is told."""
        for turn in range(30):
            number = self.shell(f"sleep 0.0{turn % 10}", limit="1min")
            with self.server.events(f"/v1/watch?job={number}", seconds=20) as watch:
                states = [data["status"] for _, data in watch.until(lambda event, data: data["ended"])]
            self.assertEqual(states[-1], "completed")

    def test_a_watch_of_an_array_begins_with_all_its_tasks(self):
        array = self.server.submit(command=["true"], array="1-5", hold=True)
        self.server.delete(f"/v1/jobs/{array}_2")
        self.server.wait(array + 1)
        with self.server.events(f"/v1/watch?job={array}", seconds=10) as watch:
            seen = []
            for event, data, identity in watch:
                seen.append((event, json.loads(data)["number"], json.loads(data)["status"], bool(identity)))
                if identity:
                    break
        self.assertEqual(seen, [("job", array + index, "cancelled" if index == 1 else "held", index == 4)
                                for index in range(5)])
        self.server.delete(f"/v1/jobs/{array}")
        big = self.server.submit(command=["true"], array="1-5000", hold=True)
        with self.server.events(f"/v1/watch?job={big}", seconds=10) as watch:
            self.assertEqual(next(iter(watch))[0], "reset")
        self.server.delete(f"/v1/jobs/{big}")

    # One peer and all others.

    def test_a_large_batch_does_not_stop_others(self):
        job = {"command": ["true"], "hold": True, "limit": "1min", "environment": {"FILL": "x" * 900}}
        body = json.dumps({"jobs": [job] * 10_000}).encode()
        self.assertGreater(len(body), 8_000_000)
        connections = [self.server.connection(300) for _ in range(3)]
        done = threading.Event()

        def hear():
            for connection in connections:
                self.assertEqual(connection.getresponse().status, 200)
            done.set()
        for connection in connections:
            connection.request("POST", "/v1/jobs/batch", body=body,
                               headers={"Authorization": f"Bearer {self.server.token}"})
        thread = threading.Thread(target=hear)
        thread.start()
        slowest, answers = 0, 0
        while not done.is_set():
            began = time.monotonic()
            self.server.expect(self.server.get("/healthz"))
            slowest = max(slowest, time.monotonic() - began)
            answers += 1
            time.sleep(0.01)
        thread.join()
        for connection in connections:
            connection.close()
        self.assertGreater(answers, 10)
        self.assertLess(slowest, 0.5)
        with contextlib.suppress(AssertionError):
            self.server.cancel_all(1)


if __name__ == "__main__":
    unittest.main()
