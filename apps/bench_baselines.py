"""`octroi bench baselines`: what users would write instead, on the same files and in the same run, equal to the millionth.

octroi does more in that time: it keeps every record, item and balance durably and exactly once, and each can be queried
afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.bench import generate, measured_process, prepare, read_back, run_once
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from benchmarks.broker.broker import start_broker
from benchmarks.recount.delimited import recount_telephony
from benchmarks.report import Result, median_of

RECORDS = 500_000
SCRIPTS = {
    "pandas_script": "a script with pandas, in memory",
    "clickhouse_sql": "one query of ClickHouse (chdb) over the files",
    "python_rater": "plain Python, a record at a time",
}
STREAM = "faust_agent"
STREAM_S = 600
BASELINE_SUITES = ("octroi", *SCRIPTS, STREAM)
MICROS = 1000
"""Billionths, as the store has amounts, in a millionth of the currency, as the catalog rounds."""

Figures = dict[str, Any]


def bench_baselines(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run octroi and the baselines, all unless told otherwise, and print them; return whether all have the same totals."""
    records = records or RECORDS
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        inputs = generate(root / "input", records, seed, bad=False)
        usage, catalog = inputs / "spool" / "telephony", inputs / "catalog"
        expected = recount_telephony(sorted(usage.iterdir()), catalog)
        wanted = {
            charge: (items, expected.amount_by_charge[charge] // MICROS)
            for charge, items in expected.rated_by_charge.items()
        }
        arguments = (str(usage), str(catalog / "telephony-subscriptions.csv"))
        results = []
        for name in only or BASELINE_SUITES:
            say(f"{name}: {records:,} records")
            if name == "octroi":
                directories = [prepare(root / f"run-{number}", inputs) for number in range(runs + 1)]
                measured = [_octroi(directory) for directory in directories][1:]  # the first compiles
                measures = "octroi: files to rows that can be queried, durable and exactly once"
            elif name == STREAM:
                measured = _stream(root, arguments)
                measures = "an agent of Faust, an event at a time, without the time to send them"
            else:
                measured = [measured_process("benchmarks.baselines", name, *arguments) for _ in range(runs)]
                measures = SCRIPTS[name]
            results.append(tell(_result(name, measured, wanted, records, seed, measures)))
    return hand_over(_compared(results), json_file)


def _octroi(directory: Any) -> Figures:
    run, found = run_once(directory), read_back(directory)
    totals = {charge: [items, found["amount"][charge] // MICROS] for charge, items in found["rated"].items()}
    return run | {"totals": totals, "seconds": run["seconds"]["process"], "cpu_s": run["process_cpu_s"]}


def _stream(root: Path, arguments: tuple[str, str]) -> list[Figures]:
    from benchmarks.baselines.faust_agent import send

    broker = start_broker(root / "broker")
    try:
        sent = send(Path(arguments[0]), broker.address)
        return [
            measured_process("benchmarks.baselines", STREAM, *arguments, broker.address, str(sent), timeout_s=STREAM_S)
        ]
    finally:
        broker.stop()


def _result(
    name: str, measured: list[Figures], wanted: dict[str, tuple[int, int]], records: int, seed: int, measures: str
) -> Result:
    told = [
        f"{charge}: {found} instead of {wanted.get(charge)}"
        for run in measured
        for charge in sorted({*wanted, *run["totals"]})
        if (found := tuple(run["totals"].get(charge, ()))) != wanted.get(charge, ())
    ]
    for problem in told:
        say(f"{name}: {problem}")
    return Result(
        name=f"baselines.{name}",
        unit="records/s",
        runs=[round(records / run["seconds"]) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=not told,
        details={
            "records": records,
            "seed": seed,
            "measures": measures,
            "cpu_us_per_record": median_of(run["cpu_s"] / records * 1e6 for run in measured),
            "problems": told,
        },
    )


def _compared(results: list[Result]) -> list[Result]:
    """Say of each how many times quicker octroi was, by the clock and in CPU time."""
    ours = next((result for result in results if result.name.endswith(".octroi")), None)
    if ours is None:
        return results
    cpu: Callable[[Result], float] = lambda result: result.details["cpu_us_per_record"]  # noqa: E731
    for result in results:
        result.details["octroi_times_quicker"] = round(ours.value / result.value, 2)
        result.details["octroi_times_less_cpu"] = round(cpu(result) / cpu(ours), 2)
    return results
