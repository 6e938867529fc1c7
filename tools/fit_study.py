#!/usr/bin/env python3
"""Fits the two job classes that stand for a published cluster study, and prints them as YAML.

    gw workload studies --json > studies.json
    tools/fit_study.py studies.json helios

The model is that of docs/workload-generator.md: jobs are of two kinds, development and training; in each, intended
run times are a mixture of two log-normals that grows with GPUs^e, failed jobs end at duration x u^k, and users
cancel at a constant hazard. The published marginals (run times, sizes, GPU time by size, outcomes by jobs and by GPU
time, mean run time) are matched by least squares from several starts. Needs python3-numpy and python3-scipy.
"""
import argparse
import json

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit, ndtr

PARTS = 2  # Log-normal parts in each class.
CELLS = 200  # Of ln(duration) in the integrals.
SHORTEST_S = 1.0
CLASSES = ("development", "training")
FIELDS = 3 * PARTS - 1 + 4  # Parameters of one class.


class Study:
    """The published figures in the form that the fit needs."""

    def __init__(self, data):
        self.name = data["name"]
        self.run_s = np.array([point["run_s"] for point in data["run_time"]])
        self.run_share = np.array([point["share"] for point in data["run_time"]])
        self.longest_s = data["longest_run_s"]
        self.mean_run_s = data["mean_run_s"]
        jobs = np.array([point["jobs"] for point in data["sizes"]])
        self.gpus = np.array([float(point["gpus"]) for point in data["sizes"]])
        self.gpu_time = np.array([point["gpu_time"] for point in data["sizes"]])
        self.size_share = np.diff(np.concatenate([[0.0], jobs]))
        self.held = self.gpus.copy()  # GPUs held by a job of that size.
        self.held[0] = data["mean_gpus_up_to_one"]
        self.outcome_jobs = np.array(data["outcome_jobs"])  # Completed, cancelled, failed.
        self.outcome_gpu_time = np.array(data["outcome_gpu_time"])
        self.has_outcomes = self.outcome_jobs.sum() > 0  # Else nothing fails and nobody cancels.


def unpack(parameters):
    """The split of sizes between the classes, and each class's parameters."""
    classes = []
    for index in range(2):
        values = parameters[2 + index * FIELDS : 2 + (index + 1) * FIELDS]
        weights = np.exp(np.append(values[2 * PARTS : 3 * PARTS - 1], 0.0))
        exponent, early, failed, hazard = values[3 * PARTS - 1 :]
        classes.append(
            {
                "log_median": values[:PARTS],
                "sigma": np.exp(values[PARTS : 2 * PARTS]),
                "share": weights / weights.sum(),
                "exponent": exponent,
                "early": np.exp(np.clip(early, -1.5, 2.5)),
                "failed": expit(failed),
                "hazard": np.exp(np.clip(hazard, -25.0, -3.0)),
            }
        )
    return parameters[0], parameters[1], classes


def marginals(parameters, study):
    """What the model gives for the study's figures, and each class's share of jobs, GPU time and sizes."""
    split, slope, classes = unpack(parameters)
    grid = np.linspace(np.log(SHORTEST_S), np.log(study.longest_s), CELLS + 1)
    duration = np.exp((grid[1:] + grid[:-1]) / 2)
    training = expit(split + slope * np.log2(study.gpus))
    run_share = np.zeros(len(study.run_s))
    gpu_time = np.zeros(len(study.gpus))
    jobs = np.zeros(3)
    outcome_gpu_time = np.zeros(3)
    mean_run = 0.0
    for index, each in enumerate(classes):
        sizes = study.size_share * (training if index else 1 - training)
        shift = each["exponent"] * np.log(study.gpus)
        z = (grid - each["log_median"][:, None, None] - shift[None, :, None]) / each["sigma"][:, None, None]
        mass = np.diff((each["share"][:, None, None] * ndtr(z)).sum(0), axis=1) + 1e-15
        mass /= mass.sum(1)[:, None]
        density = sizes @ mass
        total = density.sum()
        if not study.has_outcomes:
            each["hazard"], each["failed"] = 1e-11, 0.0
        hazard, failed, early = each["hazard"], each["failed"], each["early"]
        survives = np.exp(-np.minimum(hazard * duration, 600))
        below = np.interp(np.log(study.run_s), grid, np.concatenate([[0.0], np.cumsum(density)]))
        ends = total - np.exp(-np.minimum(hazard * study.run_s, 600)) * (total - below)
        fails = (density * np.minimum(1, (study.run_s[:, None] / duration) ** (1 / early))).sum(1)
        run_share += failed * fails + (1 - failed) * ends
        failed_run = failed * duration / (early + 1)
        completed_run = (1 - failed) * duration * survives
        other_run = (1 - failed) * (1 - survives) / hazard
        held = sizes * study.held
        each["gpu_time"] = held * (mass @ (failed_run + other_run))
        each["cancelled"] = (1 - failed) * (density @ (1 - survives)) / max(total, 1e-12)
        each["jobs"] = total
        each["sizes"] = sizes / total
        gpu_time += each["gpu_time"]
        mean_run += (sizes * (mass @ (failed_run + other_run))).sum()
        jobs += [(1 - failed) * (density @ survives), (1 - failed) * (density @ (1 - survives)), failed * total]
        outcome_gpu_time += [
            held @ (mass @ completed_run),
            held @ (mass @ (other_run - completed_run)),
            held @ (mass @ failed_run),
        ]
    return {
        "run_share": run_share,
        "gpu_time": np.cumsum(gpu_time) / gpu_time.sum(),
        "jobs": jobs,
        "outcome_gpu_time": outcome_gpu_time / outcome_gpu_time.sum(),
        "mean_run": mean_run,
        "classes": classes,
        "gpu_time_total": gpu_time.sum(),
    }


def outside(value, low, high, weight):
    """A residual that is zero inside [low, high]: keeps parameters in a range that has a meaning."""
    return weight * (np.maximum(0, low - value) + np.maximum(0, value - high))


def residuals(parameters, study):
    model = marginals(parameters, study)
    parts = [
        20 * (model["run_share"] - study.run_share),
        12 * (model["gpu_time"] - study.gpu_time),
        [2 * np.log(model["mean_run"] / study.mean_run_s)],
    ]
    if study.has_outcomes:
        parts.append(20 * (model["jobs"] - study.outcome_jobs))
        parts.append(12 * (model["outcome_gpu_time"] - study.outcome_gpu_time))
    for index in range(2):
        values = parameters[2 + index * FIELDS : 2 + (index + 1) * FIELDS]
        exponent, early, failed, hazard = values[3 * PARTS - 1 :]
        parts.append(outside(values[:PARTS], 1, 13.2, 2))
        parts.append(outside(values[PARTS : 2 * PARTS], -1.6, 1.0, 3))
        # Development does not run longer on more GPUs; training does.
        parts.append([outside(exponent, 0, 1, 4) if index else outside(exponent, 0, 0.1, 6)])
        parts.append([outside(early, -0.3, 1.7, 2), outside(failed, -4, 4, 0.5), outside(hazard, -17, -5, 0.5)])
    parts.append([outside(parameters[0], -6, 6, 0.2), outside(parameters[1], -2, 2, 0.2)])
    return np.concatenate([np.atleast_1d(part) for part in parts])


def fit(study, starts):
    best = None
    for seed in range(starts):
        random = np.random.default_rng(seed)
        start = [-3 + random.normal(), 0.6 + 0.3 * random.normal()]
        for index in range(2):
            start += list(np.sort(random.uniform(3, 8, PARTS)) + 2 * index)
            start += list(random.normal(0, 0.2, PARTS)) + [0.0] * (PARTS - 1)
            start += [0.5 * index, 0.7, random.uniform(-3, 0), random.uniform(-14, -9)]
        found = least_squares(residuals, start, args=(study,), max_nfev=150, x_scale="jac")
        if best is None or found.cost < best.cost:
            best = found
    return best.x


def print_classes(study, model):
    total = model["gpu_time_total"]
    shares = [each["gpu_time"].sum() / total for each in model["classes"]]
    print(f"  # Share of GPU time: {', '.join(f'{kind} {share:.6f}' for kind, share in zip(CLASSES, shares))}")
    for kind, each in zip(CLASSES, model["classes"]):
        sizes = {int(gpus): share for gpus, share in zip(study.gpus, each["sizes"]) if share > 5e-7}
        fractions = (1 - study.held[0]) / (1 - 0.566) if study.held[0] < 1 else 0
        print(f"  - name: {study.name}-{kind}")
        print(f"    sizes: {{{', '.join(f'{gpus}: {share:.6f}' for gpus, share in sizes.items())}}}")
        print("    durations:")
        for median, sigma, share in zip(each["log_median"], each["sigma"], each["share"]):
            print(f"      - {{median: {np.exp(median):.1f}s, sigma: {sigma:.3f}, share: {share:.4f}}}")
        print(f"    duration_min: {SHORTEST_S:.0f}s")
        print(f"    duration_max: {study.longest_s:.0f}s")
        print(f"    duration_size_exponent: {each['exponent']:.4f}")
        print("    rhythm: researchers")
        print(f"    limit: {{default_share: 1, default: {study.longest_s:.0f}s, max: {study.longest_s:.0f}s}}")
        print(f"    failed_share: {each['failed']:.4f}")
        print(f"    failed_early: {each['early']:.3f}")
        print(f"    cancelled_share: {each['cancelled']:.4f}")
        if fractions > 0:
            print(f"    gpu_milli_share: {min(fractions, 1):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", help="output of `gw workload studies --json`")
    parser.add_argument("name", help="the study to fit")
    parser.add_argument("--starts", type=int, default=10, help="starting points to try")
    arguments = parser.parse_args()
    with open(arguments.studies, encoding="utf-8") as file:
        data = [each for each in json.load(file) if each["name"] == arguments.name]
    if not data:
        parser.error(f"no study `{arguments.name}` in {arguments.studies}")
    study = Study(data[0])
    model = marginals(fit(study, arguments.starts), study)
    print(f"  # Largest error of the run times' distribution: {np.abs(model['run_share'] - study.run_share).max():.4f};")
    print(f"  # of GPU time by size: {np.abs(model['gpu_time'] - study.gpu_time).max():.4f}")
    print_classes(study, model)


if __name__ == "__main__":
    main()
