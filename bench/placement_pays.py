#!/usr/bin/env python3
"""The same jobs placed with and without regard to the fabric, timed by physics: what topology-aware placement is worth.

    bench/placement_pays.py build/release/gw [SCENARIO]

Prints a table of runs that differ only in `--placement`; equal inputs give equal rows."""
import json
import subprocess
import sys

PLACEMENTS = ("smallest-span", "first-fit")


def run(gw, scenario, placement):
    words = [gw, "simulate", scenario, "--placement", placement, "--physics", "on", "--json"]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True, timeout=600).stdout)


def main():
    gw = sys.argv[1]
    scenario = sys.argv[2] if len(sys.argv) > 2 else "scenarios/placement-pays.yaml"
    reports = {placement: run(gw, scenario, placement) for placement in PLACEMENTS}
    print("| placement | class | jobs | GPU-hours | speed | lost to span | to contention | to caps |")
    print("|---|---|---|---|---|---|---|---|")
    for placement, report in reports.items():
        physics = report["physics"]
        for row in physics["classes"] + [dict(physics, **{"class": "**all**"})]:
            hours = max(row["gpu_hours"], 1e-9)
            lost = [row[key] / hours for key in ("lost_to_span", "lost_to_contention", "lost_to_caps")]
            print(f"| {placement} | {row['class']} | {row['jobs']} | {row['gpu_hours']:,.0f} | {row['speed']:.1%} | "
                  + " | ".join(f"{share:.1%}" for share in lost) + " |")
    packed, loose = (reports[placement] for placement in PLACEMENTS)
    hours = [report["physics"]["gpu_hours"] for report in (packed, loose)]
    waits = [report["wait_s"]["mean"] / 60 for report in (packed, loose)]
    print(f"\nThe same work took {hours[0]:,.0f} GPU-hours packed and {hours[1]:,.0f} without regard to the fabric: "
          f"{hours[1] / hours[0] - 1:.1%} more. Mean wait {waits[0]:.0f} and {waits[1]:.0f} minutes; "
          f"all done after {packed['makespan_s'] / 86400:.1f} and {loose['makespan_s'] / 86400:.1f} days.")


if __name__ == "__main__":
    main()
