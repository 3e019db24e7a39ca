"""`octroi bench store`: writing rated items and reading them back, at the size of a month, checked by a recount."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.bench import measured_process
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from benchmarks.report import Result
from benchmarks.store import INSERT_ROWS, ROWS_PER_ACCOUNT, Usage, recount

STORE_SUITES = ("insert", "month_end", "point", "keep", "trace")
ROWS = 50_000_000
TRACE_FACTOR = 2
"""Items are traced among so many times the rows."""
TIMEOUT_S = 3600
ALWAYS = (0, 1 << 62)


def bench_store(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run suites, all unless told otherwise, and print them; return whether every recount agreed."""
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as root:
        suites = only or list(STORE_SUITES)
        results = [tell(result) for result in _measured(Path(root), suites, _whole(records or ROWS), seed, runs)]
    return hand_over(results, json_file)


def _measured(root: Path, suites: list[str], rows: int, seed: int, runs: int) -> Iterator[Result]:
    job: dict[str, Any] = {
        "root": str(root),
        "rows": rows,
        "seed": seed,
        "accounts": max(rows // ROWS_PER_ACCOUNT, 100),
    }
    say(f"writing {rows:,} rows")
    written = _child(job | {"what": "insert", "before": 0})
    if "insert" in suites:
        yield from _written(written, job)
    if "month_end" in suites:
        yield _month_end(
            "store.month_end", job, runs, "a month of the facts by account and charge, all sums as Arrow; cold"
        )
    if "point" in suites:
        found = _child(job | {"what": "point"})
        yield _looked("store.point", found, job, "one account's month by charge, through the view; median of accounts")
    if "keep" in suites:
        found = _child(job | {"what": "keep"})
        details = _details(job, found, "all that was written summed up at once: what a session does as usage comes")
        yield Result("store.keep", "rows/s", [round(rows / found["seconds"])], found["peak_memory_mib"], found["agreed"],
                     details | {"cells": found["cells"], "cpu_us_per_record": found["cpu_us_per_record"]})  # fmt: skip
        yield _month_end("store.month_end_kept", job, runs, "the same with sums that are kept; cold")
    if "trace" in suites:
        more = job | {"rows": rows * TRACE_FACTOR}
        say(f"writing {rows * (TRACE_FACTOR - 1):,} rows more")
        again = _child(more | {"what": "insert", "before": Usage(rows, seed, more["accounts"]).inserts})
        found = _child(more | {"what": "trace"})
        found["agreed"] = found["agreed"] and again["stored"] == more["rows"]
        yield _looked(
            "store.trace", found, more, "an item from its file to its wallet; median of items, the store open"
        )


def _whole(rows: int) -> int:
    """Return so many rows, or a few more: as many writes as that makes."""
    return -(-rows // INSERT_ROWS) * INSERT_ROWS


def _written(found: dict[str, Any], job: dict[str, Any]) -> Iterator[Result]:
    usage = Usage(job["rows"], job["seed"], job["accounts"])
    agreed = found["stored"] == found["rows"] == usage.rows and tuple(found["totals"]) == recount(usage, *ALWAYS).totals
    measures = "rows by the time of writing them, merges meanwhile included; making them and merging after it apart"
    told = ("write_s", "make_s", "settle_s", "slowest_write_s", "cpu_us_per_record")
    yield Result(
        name="store.insert",
        unit="rows/s",
        runs=[round(found["rows"] / found["write_s"])],
        peak_memory_mib=found["peak_memory_mib"],
        recount_ok=agreed,
        details=_details(job, found, measures) | {name: found[name] for name in told},
    )
    yield Result(
        name="store.bytes_per_row",
        unit="bytes",
        runs=[found["bytes_per_row"]],
        recount_ok=agreed,
        details={"rows": job["rows"], "parts": found["parts"], "by_column": found["bytes_by_column"]},
    )


def _month_end(name: str, job: dict[str, Any], runs: int, measures: str) -> Result:
    found = [_child(job | {"what": "month_end", "cold": True}) for _ in range(runs)]
    return Result(
        name=name,
        unit="s",
        runs=[run["seconds"] for run in found],
        peak_memory_mib=max(run["peak_memory_mib"] for run in found),
        recount_ok=all(run["agreed"] for run in found),
        details=_details(job, found[-1], measures)
        | {"groups": found[-1]["groups"], "cpu_s": [run["cpu_s"] for run in found]},
    )


def _looked(name: str, found: dict[str, Any], job: dict[str, Any], measures: str) -> Result:
    details = _details(job, found, measures) | {"first_s": found["first_s"]}
    return Result(name, "s", found["seconds"], found["peak_memory_mib"], found["agreed"], details)


def _details(job: dict[str, Any], found: dict[str, Any], measures: str) -> dict[str, Any]:
    told = {"rows": job["rows"], "accounts": job["accounts"], "seed": job["seed"]}
    return {**told, "measures": measures, "load_average": found["load_average"]}


def _child(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a process of its own; return its figures."""
    return measured_process("apps.bench_store_job", json.dumps(job), timeout_s=TIMEOUT_S)
