"""`octroi bench scaling`: how the cost of a record changes with what there is of everything, and whether it stays flat.

A result is the cost per record (CPU time) of the largest measured size as a multiple of that of the smallest. Where there is
more to do at each size, it is the cost of a further record between the two largest sizes, as a multiple of that between the two
smallest: what every run costs once is in none of them. Of cores, it is the speed as a multiple of that of one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from apps.bench import PART_RECORDS, WARM_UP_RECORDS, compare, generate, prepare, read_back, run_once
from apps.bench_image import measure_images
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from benchmarks.bench_rating import DURATIONS_S, measure
from benchmarks.recount.delimited import recount_telephony
from benchmarks.report import Result, median_of

RECORDS = 4_000_000
"""Of the largest run."""
FLAT_MAX = 1.3
"""So many times the cost of the smallest is flat still: on a shared machine two equal runs differ by as much."""
ACCOUNTS = (0.001, 0.01, 0.1)
"""Accounts for each record."""
PREFIXES_PER_RECORD = 4
MORE_TO_DO = ("records", "catalog")
"""Curves at whose points there are so many records or entries: the others change what there is beside the same records."""
WHY = {
    "records": "what grows with records is the table of identities and the parts of the store that are merged",
    "accounts": "the state of an account is found by a load from memory; more accounts than the cache holds make it a slow one",
    "catalog": "a prefix, a plan and a subscription are read and compiled once each",
    "call_length": "a call that is split over time bands is walked band by band, at most so many as a week has",
    "cores": "decoding, rating and storing run beside each other: more cores than stages help only the store's merges",
}

Points = list[dict[str, Any]]


def bench_scaling(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Measure the curves, all unless told otherwise, and print them; return whether every point agrees with its recount."""
    results = []
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        run_once(prepare(root / "warm", generate(root / "warm-input", WARM_UP_RECORDS, seed)))
        for name in only or SCALING_SUITES:
            say(f"scaling.{name}")
            results.append(tell(_verdict(name, list(CURVES[name](root / name, records or RECORDS, seed, runs)))))
    return hand_over(results, json_file)


def _verdict(name: str, points: Points) -> Result:
    """Return what becomes of the cost from the first point to the last."""
    costs = [point["cost_us"] for point in points]
    if name == "cores":
        ratio, unit = points[-1]["per_s"] / points[0]["per_s"], "times the speed of one"
        details: dict[str, Any] = {}
    else:
        unit, details = "times the cost of the smallest", {}
        if name in MORE_TO_DO:
            unit, costs = "times the cost of a further one at first", _further(points)
            details["further_cost_us"] = costs
        ratio = costs[-1] / max(costs[0], 1e-6)
        details |= {"flat": ratio <= FLAT_MAX, "flat_max": FLAT_MAX}
    agreed = all(point.pop("agreed") for point in points)
    details |= {"points": points, "why": WHY[name]}
    return Result(f"scaling.{name}", unit, [round(ratio, 3)], recount_ok=agreed, details=details)


def _further(points: Points) -> list[float]:
    """Return, from each point to the next larger one, what each further record or entry costs; of one size, what each does."""
    spent = [(point["at"], point["at"] * point["cost_us"]) for point in points]
    steps = [(more - less, later - sooner) for (less, sooner), (more, later) in pairwise(spent) if more > less]
    return [round(cost / more, 4) for more, cost in steps] or [points[0]["cost_us"]]


def _records(root: Path, records: int, seed: int, runs: int) -> Iterator[dict[str, Any]]:
    for divisor in (16, 4, 1):
        count = records // divisor
        yield _end_to_end(root / str(count), count, seed, runs) | {"at": count}


def _accounts(root: Path, records: int, seed: int, runs: int) -> Iterator[dict[str, Any]]:
    for share in ACCOUNTS:
        accounts = max(int(records * share), 100)
        yield _end_to_end(root / str(accounts), records // 4, seed, runs, subscribers=accounts) | {"at": accounts}


def _cores(root: Path, records: int, seed: int, runs: int) -> Iterator[dict[str, Any]]:
    allowed = sorted(os.sched_getaffinity(0))
    try:
        for count in sorted({1, *(2**power for power in range(1, 6) if 2**power < len(allowed)), len(allowed)}):
            os.sched_setaffinity(0, allowed[:count])
            yield _end_to_end(root / str(count), records // 4, seed, runs) | {"at": count}
    finally:
        os.sched_setaffinity(0, allowed)


def _end_to_end(root: Path, records: int, seed: int, runs: int, subscribers: int | None = None) -> dict[str, Any]:
    """Return a point of files on disk to rows in the store."""
    inputs = generate(root / "input", records, seed, subscribers=subscribers)
    files = sorted((inputs / "spool" / "telephony").iterdir())
    expected = recount_telephony(files, inputs / "catalog", parts=-(-records // PART_RECORDS))
    measured, problems = [], []
    for number in range(runs):
        directory = prepare(root / f"run-{number}", inputs)
        measured.append(run_once(directory))
        problems += compare(read_back(directory), expected)
    for problem in problems:
        say(problem)
    return {
        "cost_us": median_of(run["process_cpu_s"] / records * 1e6 for run in measured),
        "per_s": median_of(records / run["seconds"]["process"] for run in measured),
        "peak_memory_mib": max(run["peak_memory_mib"] for run in measured),
        "agreed": not problems,
    }


def _catalog(root: Path, records: int, seed: int, runs: int) -> Iterator[dict[str, Any]]:
    """Entries of a catalog that is loaded and compiled: the cost of each."""
    for divisor in (64, 8, 1):
        size = max(records // PREFIXES_PER_RECORD // divisor, 1000)
        steps = {result.name: result for result in measure_images(size=size, seed=seed, runs=runs)}
        loaded, compiled = steps["image.load"], steps["image.compile"]
        cpu_s = median_of(map(sum, zip(loaded.details["cpu_s"], compiled.details["cpu_s"], strict=True)))
        yield {
            "at": size,
            "cost_us": round(cpu_s / size * 1e6, 3),
            "per_s": round(size / (loaded.value + compiled.value)),
            "peak_memory_mib": loaded.peak_memory_mib,
            "agreed": bool(loaded.recount_ok and compiled.recount_ok),
        }


def _call_length(root: Path, records: int, seed: int, runs: int) -> Iterator[dict[str, Any]]:
    for duration_s in DURATIONS_S:
        count = records // 8
        found = measure("voice", subscriptions=count, records=count, seed=seed, runs=runs, duration_s=duration_s)
        point = {"at": duration_s, "cost_us": round(1e6 / found.value, 4), "per_s": round(found.value)}
        yield point | {"agreed": bool(found.recount_ok)}


CURVES: dict[str, Callable[[Path, int, int, int], Iterator[dict[str, Any]]]] = {
    "records": _records,
    "accounts": _accounts,
    "catalog": _catalog,
    "call_length": _call_length,
    "cores": _cores,
}
SCALING_SUITES = tuple(CURVES)
