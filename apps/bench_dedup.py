"""`octroi bench mediation --only dedup`: each figure of deduplication with a check of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.cli.failures import say
from benchmarks.report import Result

DEDUP_KEYS = (10_000_000, 100_000_000)
DEDUP_TARGETS = (10_000_000, 8_000_000)
BYTES_PER_KEY_MAX = 44
RESTORE_S_MAX = 10
COUNTED_WITHIN = 0.05
"""How far the bytes that are counted may be from those that the system says, from COUNTED_KEYS on."""
COUNTED_KEYS = 1_000_000
Run = Mapping[str, Any]
Child = Callable[[Mapping[str, Any]], dict[str, Any]]


def dedup_results(records: int | None, seed: int, runs: int, child: Child) -> list[Result]:
    """Measure 10 and 100 million keys, or `records` of them.

    Args:
        child: does a job of `apps.bench_feed` in a process of its own and returns its figures.
    """
    pairs = zip(DEDUP_KEYS, DEDUP_TARGETS, strict=True) if records is None else [(records, DEDUP_TARGETS[0])]
    return [result for keys, target in pairs for result in _measure(keys, target, seed, runs, child)]


def _measure(keys: int, target: int, seed: int, runs: int, child: Child) -> list[Result]:
    name = f"mediation.dedup.{keys // 1_000_000}M" if keys >= 1_000_000 else "mediation.dedup"
    measured, restored, cold = [], [], []
    for number in range(runs):
        say(f"{name}: run {number + 1} of {runs}")
        with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
            job = {"root": temporary, "keys": keys, "seed": seed}
            measured.append(child(job | {"what": "dedup"}))
            restored.append(child(job | {"what": "restore", "cold": False}))
            cold.append(child(job | {"what": "restore", "cold": True}))
    return results_of(name, keys, target, seed, measured, restored, cold)


def results_of(
    name: str,
    keys: int,
    target: int,
    seed: int,
    measured: Sequence[Run],
    restored: Sequence[Run],
    cold: Sequence[Run],
) -> list[Result]:
    """Return the results of runs, each with its own check."""
    common = {"keys": keys, "seed": seed, "load_average": [run["load_average"] for run in measured]}
    peak = max(run["peak_memory_mib"] for run in measured)
    whole = [
        f"run {number + 1}: {run['keys']} keys are held" for number, run in enumerate(measured) if run["keys"] != keys
    ]
    results = []
    for kind, suffix, aim, told in (
        ("new", "", target, "new keys of one day: of every row it is said that it is new"),
        (
            "mixed",
            ".mixed",
            0,
            "every 100th row a key of before, half of them with another content: each row is checked",
        ),
        ("known", ".known", 0, "keys of before, all over the log: of every row it is said that it is a duplicate"),
    ):
        taken = [run[kind] for run in measured]
        if not all(run["rows"] for run in taken):
            continue
        problems = [
            f"run {number + 1}: {run['wrong']} of {run['rows']} rows are told wrongly"
            for number, run in enumerate(taken)
            if run["wrong"]
        ]
        details = {
            "target": aim,
            "measures": f"{told}; batches of 50,000, CPU time of `DedupWindow.decide` on memory that the machine has given",
            "cpu_us_per_record": round(min(run["cpu_s"] / run["rows"] for run in taken) * 1e6, 4),
            "rows": taken[0]["rows"],
            "worst_batch_ms": [run["worst_batch_ms"] for run in taken],
        }
        rates = [round(run["rows"] / run["cpu_s"]) for run in taken]
        results.append(_result(name + suffix, "keys/s per core", rates, peak, whole + problems, common | details))
    problems = [
        f"run {number + 1}: {run['bytes_per_key_counted']} bytes per key are counted, {run['bytes_per_key']} resident"
        for number, run in enumerate(measured)
        if keys >= COUNTED_KEYS and abs(run["bytes_per_key"] / run["bytes_per_key_counted"] - 1) > COUNTED_WITHIN
    ]
    details = {
        "target": BYTES_PER_KEY_MAX,
        "measures": "growth of the resident size; it is what the window counts",
        "counted": [run["bytes_per_key_counted"] for run in measured],
        "memory_cpu_s_per_gib": [run["memory_cpu_s_per_gib"] for run in measured],
        "snapshot_s": [run["snapshot_s"] for run in measured],
    }
    resident = [run["bytes_per_key"] for run in measured]
    results.append(_result(f"{name}.memory", "bytes/key", resident, peak, whole + problems, common | details))
    return [*results, *(_restore(name, keys, common, *pair) for pair in (("", restored), (".cold", cold)))]


def _restore(name: str, keys: int, common: dict[str, Any], suffix: str, restored: Sequence[Run]) -> Result:
    problems = [
        f"run {number + 1}: {run['keys']} keys; wrong are {run['known']['wrong']} known and {run['fresh']['wrong']} new ones"
        for number, run in enumerate(restored)
        if run["keys"] != keys or run["known"]["wrong"] or run["fresh"]["wrong"]
    ]
    details = {
        "target": RESTORE_S_MAX,
        "measures": "a snapshot read back, checksums verified, by the wall; then keys are looked up, from all over the log"
        + (": the system was asked to forget the files before" if suffix else ""),
        "cpu_s": [run["cpu_s"] for run in restored],
        "load_average": [run["load_average"] for run in restored],
        "looked_up": restored[0]["known"]["rows"] + restored[0]["fresh"]["rows"],
    }
    seconds = [run["restore_s"] for run in restored]
    peak = max(run["peak_memory_mib"] for run in restored)
    return _result(f"{name}.restore{suffix}", "s", seconds, peak, problems, common | details)


def _result(
    name: str, unit: str, runs: Sequence[float], peak: float, problems: list[str], details: dict[str, Any]
) -> Result:
    for problem in problems:
        say(f"{name}: {problem}")
    return Result(name, unit, runs, peak, recount_ok=not problems, details=details | {"problems": problems})
