"""`octroi bench end_to_end`: from CSV files on disk to rows readable in the store, checked by an independent recount."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from apps.cli.progress import records_bar
from apps.embedded.access import reach
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.catalogs.write import write_telephony_catalog
from benchmarks.generate.telephony import write_telephony
from benchmarks.recount.delimited import recount_telephony
from benchmarks.recount.result import Recount
from benchmarks.report import Result, median_of, percentile_ms

RECORDS = 2_000_000
FILES_MIN, RECORDS_PER_FILE = 4, 2_500_000
PART_RECORDS = 10_000_000
"""The recount holds so many records at a time."""
SUBSCRIBERS_PER_RECORD = 10
SUBSCRIBERS_MAX = 1_000_000
WARM_UP_RECORDS = 20_000
RUN_TIMEOUT_S = 7200

_TOTALS = """
SELECT charge, count() AS rated, sum(quantity_steps) AS quantity, toString(toInt128(sum(amount) * 1000000000)) AS amount
FROM rated_item GROUP BY charge ORDER BY charge
"""
_CHECKSUM = """
SELECT toString(sum(cityHash64(claim, record, charge_version, quantity, rated_quantity, amount, balance_after))) AS checksum
FROM fact_usage
"""
_SHEET = """
SELECT sum(received) AS records, sum(accepted) AS accepted, sum(duplicate) AS duplicates, sum(filtered) AS filtered,
  sum(rejected) AS rejected, sum(parked) AS parked FROM record_sheet
"""


class UnableToMeasure(Exception):
    """A measured run failed or took too long."""


def bench_end_to_end(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the benchmark and print it; return whether every run agreed with the recount."""
    records = records or RECORDS
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        inputs = generate(root / "input", records, seed)
        run_once(prepare(root / "warm", generate(root / "warm-input", WARM_UP_RECORDS, seed)))
        measured, outcomes = [], []
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            # a run's directory stays until the end: ext4 is slow to give out the inodes of files deleted just before
            directory = prepare(root / f"run-{number + 1}", inputs)
            measured.append(run_once(directory))
            outcomes.append(read_back(directory))
        say("recounting with polars, independently")
        files = sorted((inputs / "spool" / "telephony").iterdir())
        expected = recount_telephony(files, inputs / "catalog", parts=-(-records // PART_RECORDS))
        problems = [problem for outcome in outcomes for problem in compare(outcome, expected)]
    result = _result(records, seed, measured, outcomes, problems)
    for problem in problems:
        say(problem)
    return hand_over([tell(result)], json_file)


def generate(directory: Path, records: int, seed: int, *, subscribers: int | None = None, bad: bool = True) -> Path:
    """Write a catalog and usage for it, a record of a thousand spoilt if `bad`; return the directory of both."""
    subscribers = subscribers or subscribers_of(records)
    write_telephony_catalog(directory / "catalog", subscribers=subscribers)
    with records_bar("generating", total=records) as progress:
        write_telephony(
            directory / "spool" / "telephony",
            records=records,
            subscribers=subscribers,
            seed=seed,
            files=max(FILES_MIN, records // RECORDS_PER_FILE),
            bad=bad,
            on_records=progress,
        )
    return directory


def subscribers_of(records: int) -> int:
    """Return how many subscribers so many records are of."""
    return min(max(records // SUBSCRIBERS_PER_RECORD, 100), SUBSCRIBERS_MAX)


def prepare(directory: Path, inputs: Path) -> DataDirectory:
    """Return a fresh data directory with the inputs in its spool, as hard links, and the page cache warm."""
    for source in ("catalog", "spool/telephony"):
        (directory / source).mkdir(parents=True)
        for path in (inputs / source).iterdir():
            os.link(path, directory / source / path.name)
    return DataDirectory(directory)


def run_once(directory: DataDirectory) -> dict[str, Any]:
    """Run `octroi run` in a process of its own; return its report and its peak memory."""
    return measured_process("apps.bench_run", str(directory.root))


def measured_process(module: str, *arguments: str, timeout_s: int = RUN_TIMEOUT_S) -> dict[str, Any]:
    """Run a module in a process of its own; return the figures that it prints as JSON.

    Raises:
        UnableToMeasure: when it fails, or does not end in time.
    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnableToMeasure(f"a measured run did not end in {timeout_s} s") from error
    if done.returncode:
        raise UnableToMeasure(f"a measured run failed with {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def read_back(directory: DataDirectory) -> dict[str, Any]:
    """Return what the store of a run says, for `compare`."""
    with reach(directory, Settings(data_dir=directory.root), say) as access:
        charges = access.query(_TOTALS).to_pylist()
        sheet = access.query(_SHEET).to_pylist()[0]
        reasons = access.query("SELECT reason, stage, count() AS n FROM rejection GROUP BY reason, stage").to_pylist()
        checksum = access.query(_CHECKSUM).to_pylist()[0]["checksum"]
        differences = access.command({"op": "balance"})
    return {
        "sheet": sheet,
        "rated": {row["charge"]: row["rated"] for row in charges},
        "quantity": {row["charge"]: int(row["quantity"]) for row in charges},
        "amount": {row["charge"]: int(row["amount"]) for row in charges},
        "reasons": {row["reason"]: row["n"] for row in reasons},
        "checksum": checksum,
        "differences": differences,
    }


def compare(outcome: dict[str, Any], expected: Recount) -> list[str]:
    """Return, in words, every figure of the store that is not the recount's."""
    sheet = outcome["sheet"]
    wanted: dict[str, Any] = {
        "records": expected.records,
        "accepted": expected.accepted,
        "duplicates": expected.duplicates,
        "filtered": expected.filtered,
        "rejected": expected.rejected,
        "parked": expected.parked,
    }
    pairs: list[tuple[str, Any, Any]] = [(name, int(sheet[name]), value) for name, value in wanted.items()]
    pairs += [
        ("rated items by charge", outcome["rated"], expected.rated_by_charge),
        ("quantity by charge", outcome["quantity"], expected.quantity_by_charge),
        ("amount by charge", outcome["amount"], expected.amount_by_charge),
        (
            "refusals by reason",
            dict(sorted(outcome["reasons"].items())),
            dict(
                sorted((expected.rejected_by_reason | expected.parked_by_reason | expected.unrated_by_reason).items())
            ),
        ),
        ("balance differences", outcome["differences"], []),
    ]
    return [f"{name}: the store has {found}, the recount {value}" for name, found, value in pairs if found != value]


def _result(
    records: int, seed: int, measured: list[dict[str, Any]], outcomes: list[dict[str, Any]], problems: list[str]
) -> Result:
    middle = sorted(measured, key=lambda run: run["seconds"]["process"])[len(measured) // 2]
    return Result(
        name="end_to_end.csv",
        unit="records/s",
        runs=[round(run["totals"]["received"] / run["seconds"]["process"]) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=not problems,
        details={
            "records": records,
            "seed": seed,
            "measures": "claim of the first file to the last row readable; median run below",
            "seconds": middle["seconds"],
            "cpu_s": middle["cpu_s"],
            "cpu_us_per_record": median_of(run["process_cpu_s"] / records * 1e6 for run in measured),
            **{
                f"block_latency_p{q}_ms": median_of(percentile_ms(run["latency_s"], q) for run in measured)
                for q in (50, 99)
            },
            "bytes_per_record": round(sum(file["bytes"] for file in middle["files"]) / records, 1),
            "process_wall_s": [run["wall_s"] for run in measured],
            "checksums": sorted({outcome["checksum"] for outcome in outcomes}),
            "amount_digest": hashlib.sha256(json.dumps(outcomes[0]["amount"], sort_keys=True).encode()).hexdigest(),
            "problems": problems,
        },
    )
