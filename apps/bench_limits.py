"""`octroi bench limits`: what this machine can do at most, and how much of it each stage of a run makes use of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from apps.bench import WARM_UP_RECORDS, compare, generate, measured_process, prepare, read_back, run_once
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from apps.embedded.access import reach
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.limits import INSERT_ROWS, MIB, UNITS
from benchmarks.recount.delimited import recount_telephony
from benchmarks.report import Result, median_of

RECORDS = 1_000_000
SIZE_MIN, SIZE_MAX = 16 * MIB, 256 * MIB


@dataclass(frozen=True, slots=True)
class Bound:
    """What bounds a stage: it cannot do more than `limit` over `each`.

    Attributes:
        stage: of a run's report. limit: a name of `benchmarks.limits`. each: bytes, loads or rows of a record; 0: its bytes.
        why: in words.
    """

    stage: str
    limit: str
    each: int
    why: str


BOUNDS = (
    Bound("decode", "memory_read", 0, "every byte is looked at once"),
    Bound("resource", "random_loads", 2, "two loads from anywhere: its access point, its identity"),
    Bound("account", "random_loads", 3, "three loads from anywhere: subscription, counter, wallet"),
    Bound("store", "clickhouse_insert", 1, "a row inserted in a table that has no order and knows no tenant"),
)


def bench_limits(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Measure the limits and the stages of a run beside them; return whether the run agrees with its recount."""
    records = records or RECORDS
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        inputs = generate(root / "input", records, seed, bad=False)  # Arrow reads no line that is cut
        usage = sorted((inputs / "spool" / "telephony").iterdir())
        if records > WARM_UP_RECORDS:
            run_once(prepare(root / "warm", generate(root / "warm-input", WARM_UP_RECORDS, seed)))
        directories = [prepare(root / f"run-{number}", inputs) for number in range(runs)]
        measured = [run_once(directory) for directory in directories]
        expected = recount_telephony(usage, inputs / "catalog")
        problems = [problem for directory in directories for problem in compare(read_back(directory), expected)]
        for problem in problems:
            say(problem)
        rows, types = _facts(directories[-1], root / "facts.arrow")
        size = max(SIZE_MIN, min(SIZE_MAX, sum(path.stat().st_size for path in usage)))
        job = (str(rows), json.dumps(types), str(usage[0]), str(size))
        limits = [measured_process("benchmarks.limits", *job) for _ in range(runs)]
    results = [Result(f"limits.{name}", unit, [each[name] for each in limits]) for name, unit in UNITS.items()]
    best = {result.name.removeprefix("limits."): max(result.runs) for result in results}
    results += [_share(bound, measured, best, records, problems) for bound in BOUNDS]
    return hand_over([tell(result) for result in results], json_file)


def _facts(directory: DataDirectory, path: Path) -> tuple[Path, dict[str, str]]:
    """Write the facts of a run, at most as many as one insert has, to an Arrow file; return it, and the columns' types."""
    with reach(directory, Settings(data_dir=directory.root), say) as access:
        told = access.query("DESCRIBE TABLE fact_usage").to_pylist()
        types = {row["name"]: row["type"] for row in told if row["default_type"] not in ("ALIAS", "MATERIALIZED")}
        names = ", ".join(f"`{name}`" for name in types)
        facts = access.query(f"SELECT {names} FROM fact_usage LIMIT {INSERT_ROWS}")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, facts.schema) as writer:
        writer.write_table(facts)
    return path, types


def _share(
    bound: Bound, measured: Sequence[dict[str, Any]], best: dict[str, float], records: int, problems: list[str]
) -> Result:
    """Return the share of its limit that a stage makes use of, by the time spent inside it."""
    size = sum(file["bytes"] for file in measured[0]["files"])
    each = bound.each or size / records
    rates = [records / max(run["seconds"][f"stage_{bound.stage}"], 0.001) for run in measured]
    return Result(
        name=f"limits.share.{bound.stage}",
        unit="of its limit",
        runs=[round(rate * each / best[bound.limit], 6) for rate in rates],
        recount_ok=not problems,
        details={
            "records": records,
            "limit": bound.limit,
            "why": bound.why,
            "records_per_s": median_of(rates),
            "limit_records_per_s": round(best[bound.limit] / each),
        },
    )
