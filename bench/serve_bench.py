#!/usr/bin/env python3
"""How fast gw serve is on this machine: durable submissions, real processes, a large simulated factory, a long history,
many watchers. Prints one line a figure. wrk (Debian's) makes the load, on the same cores.

    bench/serve_bench.py build/release/gw [NAME...]     # submissions processes run simulated history watchers idle
"""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
GW = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/gw")
LARGE = str(ROOT / "tests/data/hundred-thousand-gpus.yaml")
SECONDS = int(os.environ.get("SECONDS_EACH", "10"))


class Serve:
    """One gw serve on a folder of its own."""

    def __init__(self, *options, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="gw-bench-")
        began = time.monotonic()
        self.process = subprocess.Popen([GW, "serve", "--data", self.folder + "/data", "--port", "0", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = self.process.stdout.readline().decode().split()[-1]
        self.ready_s = time.monotonic() - began
        with open(self.folder + "/data/admin.token", encoding="ascii") as file:
            self.token = file.read().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + self.token})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Authorization": "Bearer " + self.token})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def metric(self, name):
        found = re.findall(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").decode(), re.M)
        return float(found[0])

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def wrk(self, path, body, connections=16, seconds=SECONDS):
        """Requests a second and latencies in ms, by wrk's own account."""
        script = pathlib.Path(self.folder) / "load.lua"
        script.write_text(f'wrk.method = "POST"\nwrk.headers["Authorization"] = "Bearer {self.token}"\n'
                          f'wrk.body = [==[{body}]==]\n', encoding="utf-8")
        text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s",
                               str(script), self.url + path], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text:
            raise RuntimeError(text)
        unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
        latency = {int(percent): float(value) * unit[scale]
                   for percent, value, scale in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\n", text)}
        return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), latency

    def gw(self, *words):
        return subprocess.run([GW, *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "GIGAWERK_SERVER": self.url, "GIGAWERK_TOKEN": self.token})

    def milliseconds(self, *words, runs=9):
        """Median of whole runs of gw."""
        times = []
        for _ in range(runs):
            began = time.monotonic()
            self.gw(*words)
            times.append((time.monotonic() - began) * 1e3)
        return sorted(times)[len(times) // 2]


def say(name, value, note=""):
    print(f"{name:<52} {value:>14}  {note}", flush=True)


JOB = {"name": "train", "command": ["python", "train.py", "--epochs", "3"], "nodes": 4, "gpus": 4, "limit": "2h",
       "memory": "64 GiB", "environment": {"SEED": "1", "CONFIG": "large"}}


def submissions():
    """Durable submissions over the API, 16 connections, one job a request."""
    with Serve("--engine", "twin", "--fleet", LARGE) as serve:
        rate, latency = serve.wrk("/v1/jobs", json.dumps(JOB))
        jobs = serve.metric("gigawerk_jobs_submitted_total")
        syncs = serve.metric("gigawerk_store_syncs_total")
        say("submissions/s, 16 connections", f"{rate:,.0f}",
            f"p50 {latency[50]:.2f} ms, p99 {latency[99]:.2f} ms; {jobs:,.0f} jobs, {syncs:,.0f} fsyncs")


def simulated():
    """100,000 waiting jobs on 100,800 simulated GPUs."""
    with Serve("--engine", "twin", "--fleet", LARGE) as serve:
        for _ in range(11):
            serve.post("/v1/jobs/batch", {"jobs": [JOB] * 10_000})
        waiting = json.loads(serve.get("/v1/summary"))["jobs_by_state"]["waiting"]
        last = 109_000
        note = f"{waiting:,} jobs wait"
        say("gw ps, ms", f"{serve.milliseconds('ps'):.0f}", note)
        say("gw explain, ms", f"{serve.milliseconds('explain', str(last)):.0f}", note)
        serve.post("/v1/jobs", JOB)  # Something has been decided since: a forecast must be made anew.
        began = time.monotonic()
        answer = serve.gw("eta", str(last)).stdout.strip()
        say("gw eta, s", f"{time.monotonic() - began:.2f}", answer)
        say("memory, MiB", f"{serve.memory_mib():.0f}", note)


def processes():
    """Short real processes, from the submission to the end that was kept."""
    with Serve() as serve:
        jobs = {"jobs": [{"command": ["true"], "cpus": 0.02, "limit": "1min"}] * 5_000}
        began = time.monotonic()
        serve.post("/v1/jobs/batch", jobs)
        while json.loads(serve.get("/v1/summary"))["jobs"]["open"] > 0:
            time.sleep(0.02)
        say("real processes/s, submitted to ended", f"{5_000 / (time.monotonic() - began):,.0f}", "5,000 times true")


def run():
    """gw run true on an idle server, as a whole command."""
    with Serve() as serve:
        say("gw run true, ms", f"{serve.milliseconds('run', '--', 'true', runs=31):.1f}", "median of 31")


def idle():
    with Serve() as serve:
        time.sleep(1)
        say("ready after, ms", f"{serve.ready_s * 1e3:.0f}", "first start: folder, tables, token")
        say("memory when idle, MiB", f"{serve.memory_mib():.0f}")


def history():
    """A store with more than a million ended jobs."""
    with Serve("--engine", "twin", "--speed", "1000", "--fleet", LARGE) as serve:
        short = {"name": "short", "command": ["sleep", "30"], "gpus": 1, "limit": "1min"}
        body = json.dumps({"jobs": [short] * 500})
        began = time.monotonic()
        while serve.metric("gigawerk_jobs_submitted_total") < 1_000_000:
            serve.wrk("/v1/jobs/batch", body, connections=4, seconds=5)
        while json.loads(serve.get("/v1/summary"))["jobs"]["open"] > 0:
            time.sleep(0.1)
        count = serve.metric("gigawerk_jobs_submitted_total")
        say("simulated jobs/s, submitted to ended", f"{count / (time.monotonic() - began):,.0f}", f"{count:,.0f} jobs")
        note = f"{count:,.0f} ended jobs"
        say("gw ps --all, ms", f"{serve.milliseconds('ps', '--all'):.0f}", note)
        say("gw ps -s completed --user ..., ms",
            f"{serve.milliseconds('ps', '-s', 'completed', '--user', os.environ.get('USER', 'root')):.0f}", note)
        say("gw show, ms", f"{serve.milliseconds('show', '500000'):.0f}", note)
        began = time.monotonic()
        serve.gw("usage")
        say("gw usage of all time, s", f"{time.monotonic() - began:.2f}", note)
        began = time.monotonic()
        subprocess.run([GW, "journal", "verify", "--data", serve.folder + "/data"], check=True, capture_output=True)
        say("gw journal verify, s", f"{time.monotonic() - began:.2f}", note)
        size = os.path.getsize(serve.folder + "/data/gigawerk.db")
        say("store, bytes a job", f"{size / count:.0f}", note)


def watchers():
    """1,000 watchers of everything, while jobs run."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with Serve() as serve:
        before = serve.memory_mib()
        streams = [urllib.request.urlopen(urllib.request.Request(
            serve.url + "/v1/watch", headers={"Authorization": "Bearer " + serve.token}), timeout=60)
            for _ in range(1_000)]
        after = serve.memory_mib()
        heard = [0] * len(streams)

        def listen(first):
            for index in range(first, len(streams), 8):
                for line in streams[index]:
                    heard[index] += 1
                    if b'"name":"last"' in line and b'"ended":true' in line:
                        break

        threads = [threading.Thread(target=listen, args=(first,)) for first in range(8)]
        began = time.monotonic()
        serve.post("/v1/jobs/batch", {"jobs": [{"command": ["true"], "cpus": 0.02, "limit": "1min"}] * 20})
        serve.post("/v1/jobs", {"name": "last", "command": ["sleep", "0.3"], "limit": "1min"})
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("watchers that heard 21 jobs to the end", f"{sum(1 for lines in heard if lines > 0):,}",
            f"{time.monotonic() - began:.1f} s; {(after - before) * 1024 / len(streams):.0f} KiB each while idle")
        for stream in streams:
            stream.close()


if __name__ == "__main__":
    every = {each.__name__: each for each in (submissions, processes, run, simulated, history, watchers, idle)}
    for chosen in sys.argv[2:] or every:
        every[chosen]()
