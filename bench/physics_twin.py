#!/usr/bin/env python3
"""What physics costs the twin: jobs a second of the same scenario with and without it, and the ratio.

    bench/physics_twin.py build/release/gw [RUNS [SCENARIO [DAYS]]]

Processor time of whole processes, median of RUNS (5), which alternate; without journal and files."""
import json
import os
import statistics
import subprocess
import sys


def run(gw, scenario, days, physics):
    before = os.times()
    words = [gw, "simulate", scenario, "--physics", physics, "--json"] + (["--days", days] if days else [])
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=600)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout)["jobs"]["finished"], spent


def main():
    gw = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    scenario = sys.argv[3] if len(sys.argv) > 3 else "scenarios/placement-pays.yaml"
    days = sys.argv[4] if len(sys.argv) > 4 else ""
    seconds = {"off": [], "on": []}
    jobs = {}
    for _ in range(runs):
        for physics, spent in seconds.items():
            jobs[physics], took = run(gw, scenario, days, physics)
            spent.append(took)
    rates = {physics: jobs[physics] / statistics.median(spent) for physics, spent in seconds.items()}
    print(f"without physics {rates['off']:,.0f} jobs/s, with physics {rates['on']:,.0f} jobs/s "
          f"({jobs['on']} jobs, median of {runs}): {rates['off'] / rates['on']:.2f} times the time a job")


if __name__ == "__main__":
    main()
