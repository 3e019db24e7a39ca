"""`octroi bench mediation`: formats from files through deduplication, and deduplication alone, each checked by a recount."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.bench import measured_process
from apps.bench_dedup import dedup_results
from apps.bench_results import hand_over
from apps.cli.failures import say
from apps.cli.output import print_table
from benchmarks.environment import describe_environment
from benchmarks.mediation import FEEDS, SMALL, SUBSCRIBERS, Feed
from benchmarks.recount.rules import read_rules
from benchmarks.recount.stages import count_intake
from benchmarks.report import Result

LARGE_BYTES = 5_000_000_000
LARGE_MEMORY_MIB = 1024
SNAPSHOT_RECORDS = 5_000_000
SMALL_VALUE = 1_000
"""Figures below it are shown with decimals."""
TRIAL_RECORDS = 100_000
"""Fewer records than this make do with fewer subscribers, so that a trial is quick."""


def bench_mediation(
    *, only: Sequence[str], records: int | None, large_bytes: int, seed: int, runs: int, json_file: Path | None
) -> bool:
    """Run the suites named by `only` (all but the large file when empty); return whether all recounts agreed."""
    results = [result for name in only or DEFAULT for result in SUITES[name](records, large_bytes, seed, runs)]
    if json_file is not None:
        _print(results)
    return hand_over(results, json_file)


def _print(results: Sequence[Result]) -> None:
    facts = describe_environment()
    say(f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_mib']:,} MiB, {facts['python']}")
    rows = [
        (
            result.name,
            f"{result.value:,.0f}" if result.value >= SMALL_VALUE else f"{result.value:.2f}",
            result.unit,
            f"{result.details['target']:,.0f}",
            f"{result.details.get('cpu_us_per_record', ''):}",
            f"{result.peak_memory_mib or 0:,.0f}",
            "ok" if result.recount_ok else "DIFFERS",
        )
        for result in results
    ]
    print_table("Mediation", ("suite", "median", "unit", "target", "CPU-µs", "peak MiB", "recount"), rows)


def _child(job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job of `apps.bench_feed` in a process of its own; return its figures."""
    return measured_process("apps.bench_feed", json.dumps(job))


# ---- formats


def _feed(feed: Feed, records: int | None, seed: int, runs: int) -> list[Result]:
    records = records or feed.records
    subscribers = SUBSCRIBERS if records >= TRIAL_RECORDS else SMALL
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        say(f"mediation.{feed.name}: generating {records:,} records")
        feed.write_catalog(root / "catalog", subscribers)
        files = feed.write(root / "input", records, subscribers, seed)
        job = {"what": "feed", "root": temporary, "source": feed.source, "files": [str(path) for path in files]}
        measured = [_child(job | {"snapshot_records": 0}) for _ in range(runs)]
        rules = read_rules(root / "catalog")
        expected = asdict(count_intake(feed.decode(files, rules, feed.source), rules))
    return [_feed_result(f"mediation.{feed.name}", measured, expected, target=feed.target, seed=seed)]


def _feed_result(
    name: str, measured: list[dict[str, Any]], expected: Mapping[str, Any], *, target: int, seed: int
) -> Result:
    problems = sorted(
        {
            f"{figure}: measured {run[figure]}, recounted {value}"
            for run in measured
            for figure, value in expected.items()
            if run[figure] != value
        }
    )
    for problem in problems:
        say(f"{name}: {problem}")
    records = measured[0]["records"]
    middle = sorted(measured, key=lambda run: run["seconds"])[len(measured) // 2]
    return Result(
        name=name,
        unit="records/s",
        runs=[round(run["records"] / run["seconds"]) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=not problems,
        details={
            "target": target,
            "records": records,
            "bytes": middle["bytes"],
            "seed": seed,
            "measures": "files on disk to EDRs: decode and resource stage, two threads, in memory that the process has",
            "first_runs": [round(run["records"] / run["first_s"]) if run["first_s"] else None for run in measured],
            "cpu_us_per_record": round(middle["cpu_s"] / records * 1e6, 3),
            "snapshot_s": middle["snapshot_s"],
            "counts": {figure: middle[figure] for figure in expected},
            "problems": problems,
        },
    )


def _large_file(records: int | None, large_bytes: int, seed: int, runs: int) -> list[Result]:
    """One CSV file of that many bytes, through decode and resource stage, with the snapshots that a run takes."""
    feed = FEEDS["csv_clean"]
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        [sample] = feed.write(root / "sample", TRIAL_RECORDS, SUBSCRIBERS, seed)
        header = sample.open("rb").readline()
        records = (large_bytes - len(header)) * TRIAL_RECORDS // (sample.stat().st_size - len(header))
        say(f"mediation.large_file: generating {records:,} records, {large_bytes:,} bytes")
        feed.write_catalog(root / "catalog", SUBSCRIBERS)
        [path] = feed.write(root / "input", records, SUBSCRIBERS, seed)
        job = {"what": "feed", "root": temporary, "source": feed.source, "files": [str(path)]}
        measured = [_child(job | {"snapshot_records": SNAPSHOT_RECORDS}) for _ in range(runs)]
        lines = _count_lines(path) - 1
    expected = {"records": lines, "rejected_by_reason": {}}
    result = _feed_result("mediation.large_file", measured, expected, target=0, seed=seed)
    outcomes = [run["accepted"] + run["duplicates"] + run["filtered"] for run in measured]
    whole = outcomes == [lines] * runs and result.recount_ok
    details = result.details | {"memory_target_mib": LARGE_MEMORY_MIB, "duplicates": measured[0]["duplicates"]}
    return [
        Result(result.name, result.unit, result.runs, result.peak_memory_mib, recount_ok=bool(whole), details=details)
    ]


def _count_lines(path: Path) -> int:
    lines = 0
    with path.open("rb") as handle:
        while block := handle.read(8 << 20):
            lines += block.count(b"\n")
    return lines


# ---- deduplication


def _dedup(records: int | None, large_bytes: int, seed: int, runs: int) -> list[Result]:
    return dedup_results(records, seed, runs, _child)


Suite = Callable[[int | None, int, int, int], list[Result]]


def _suite_of(feed: Feed) -> Suite:
    return lambda records, large_bytes, seed, runs: _feed(feed, records, seed, runs)


SUITES: dict[str, Suite] = {
    **{name: _suite_of(feed) for name, feed in FEEDS.items() if not feed.is_hidden},
    "dedup": _dedup,
    "large_file": _large_file,
}
DEFAULT = tuple(name for name in SUITES if name != "large_file")
