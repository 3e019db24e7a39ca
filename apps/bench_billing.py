"""`octroi bench billing`: from rated usage to draft invoices, each of them recounted from the files of usage and accounts.

Usage and fees are taken in as always (`octroi run`, `octroi fees`). Each measured run is a plan of its own over the same
usage, made and drafted in a fresh process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import polars as pl

from apps.bench import measured_process
from apps.bench_keys import peak_mib
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.billing import UNTIL, accounts_of, write_billing
from benchmarks.recount.billing import recount_billing
from benchmarks.report import Result

RECORDS = 2_000_000
TIMEOUT_S = 3600
MONEY = ("discount", "net", "tax", "gross", "paid", "to_pay")
PHASES = {
    "read": ("apps.embedded.billing_items.RunItems.read",),
    "sum_up": ("apps.embedded.billing_items.RunItems.part",),
    "discounts": ("apps.embedded.billing_run.discounts_of_kept",),
    "lines_and_totals": ("apps.embedded.billing_run.with_invoices", "apps.embedded.billing_run.draft"),
    "columns": ("apps.embedded.billing_run._tables",),
    "write": ("apps.embedded.billing_files.RunFiles.keep_part",),
}
"""What time of a run is told apart: calls of these, without those of others within."""


def bench_billing(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the benchmark and print it; return whether all drafts are what the recount says."""
    records = records or RECORDS
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        say(f"usage of {accounts_of(records):,} accounts")
        write_billing(root / "input", records=records, seed=seed)
        directory = prepare(root)
        taken = measured_process("apps.bench_run", str(directory.root), timeout_s=TIMEOUT_S)
        charged = _child({"what": "fees", "root": str(directory.root)})
        measured = []
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            measured.append(_child({"what": "draft", "root": str(directory.root), "run": f"run-{number + 1}"}))
        say("recounting with polars, independently")
        expected = recount_billing(root / "input")
        problems = [
            problem
            for number in range(runs)
            for problem in compare(drafted(directory, f"run-{number + 1}"), measured[number], expected)
        ]
    result = _result(records, seed, {"run": taken["wall_s"], "fees": charged["seconds"]}, measured, expected, problems)
    for problem in problems:
        say(problem)
    return hand_over([tell(result)], json_file)


def prepare(root: Path) -> DataDirectory:
    """Return a data directory with the input in its place, as hard links: what is taken in goes away from the spool."""
    for path in (path for path in (root / "input").rglob("*") if path.is_file()):
        to = root / "data" / path.relative_to(root / "input")
        to.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, to)
    return DataDirectory(root / "data")


def drafted(directory: DataDirectory, run: str) -> pl.DataFrame:
    """Return the drafts of a run: `account`, `items`, MONEY in billionths, and the sums of `lines`, `bases` and `taxes`."""
    from apps.embedded.billing_files import RunFiles, frame_of

    files = RunFiles.of(directory.billing, run)
    found = []
    for _, tables in files.parts(files.plan()):
        lines, taxes = (frame_of(tables[name].select([*columns])) for name, columns in _SUMMED.items())
        invoices = frame_of(tables["invoices"].select(["invoice", "account", "items", *MONEY]))
        lines = lines.group_by("invoice").agg(lines=pl.col("net").sum())
        taxes = taxes.group_by("invoice").agg(bases=pl.col("base").sum(), taxes=pl.col("tax_amount").sum())
        found.append(invoices.join(lines, on="invoice", how="left").join(taxes, on="invoice", how="left"))
    return pl.concat(found).drop("invoice")


_SUMMED = {"lines": ("invoice", "net"), "taxes": ("invoice", "base", "tax_amount")}


def compare(found: pl.DataFrame, told: dict[str, Any], expected: pl.DataFrame) -> list[str]:
    """Return, in words, what of drafts is not what the recount says: account by account, and what was left out."""
    numbers = ("items", *MONEY)
    wanted = expected.filter("invoiced").select("account", *numbers)
    both = wanted.join(found, on="account", how="full", coalesce=True, suffix=" found").sort("account")
    wrong = [pl.col(name).cast(pl.Int128).ne_missing(pl.col(f"{name} found").cast(pl.Int128)) for name in numbers]
    parts = [pl.col("lines").ne_missing(pl.col("net found")), pl.col("bases").ne_missing(pl.col("net found"))]
    parts += [pl.col("taxes").ne_missing(pl.col("tax found"))]
    odd = both.filter(pl.any_horizontal(*wrong, *parts))
    problems = [f"{len(odd):,} drafts differ, the first of {row}" for row in odd.head(1).to_dicts()]
    waiting = expected.filter(~pl.col("invoiced"))
    left = {row["why"]: (row["accounts"], row["items"]) for row in told["left"]}
    counted = {"below_threshold": (len(waiting), waiting["items"].sum())} if len(waiting) else {}
    return problems + ([f"left out: {left} is drafted, {counted} recounted"] if left != counted else [])


def _result(
    records: int,
    seed: int,
    before: dict[str, float],
    measured: list[dict[str, Any]],
    expected: pl.DataFrame,
    problems: list[str],
) -> Result:
    middle = sorted(measured, key=lambda run: run["seconds"])[len(measured) // 2]
    invoiced = int(expected["invoiced"].sum())
    return Result(
        name="billing.invoices",
        unit="drafts/s",
        runs=[round(invoiced / run["seconds"], 1) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=not problems,
        details={
            "measures": "executing a plan, from the store to synced drafts; seconds of the median run below",
            "records": records,
            "accounts": len(expected),
            "invoices": invoiced,
            "items": int(expected["items"].sum()),
            "seed": seed,
            "before_s": before,
            "plan_s": middle["plan_s"],
            "execute_s": middle["seconds"],
            "phases_s": middle["phases"],
            "cpu_s": middle["cpu_s"],
            "parts": middle["parts"],
            "load_average": middle["load_average"],
            "problems": problems,
        },
    )


def _child(job: dict[str, Any]) -> dict[str, Any]:
    return measured_process("apps.bench_billing", json.dumps(job), timeout_s=TIMEOUT_S)


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: charge the fees, or plan a run and draft it."""
    load = round(os.getloadavg()[0], 2)
    with opened(DataDirectory(Path(job["root"]))) as engine:
        found = fees(engine) if job["what"] == "fees" else execute(engine, job["run"])
    return found | {"load_average": load, "peak_memory_mib": peak_mib()}


@contextmanager
def opened(directory: DataDirectory) -> Iterator[Any]:
    """Own a data directory and its engine."""
    from apps.embedded.access import open_owned
    from apps.embedded.lock import OwnerLock

    settings = Settings(data_dir=directory.root, dedup_window_days="unlimited")  # the usage is always of the same days
    with OwnerLock(directory.lock):
        engine, _ = open_owned(directory, settings, say)
        try:
            engine.recover()
            yield engine
        finally:
            engine.close()


def fees(engine: Any) -> dict[str, Any]:
    """Charge the fees and minimums of the month."""
    from apps.embedded.fees import charge_fees

    started = time.monotonic()
    told = charge_fees(engine, UNTIL, preview=False)
    return {"charged": told["charged"], "refused": told["refused"], "seconds": round(time.monotonic() - started, 3)}


def execute(engine: Any, run: str, part_rows: int | None = None) -> dict[str, Any]:
    """Plan a run of the month, and draft it; return what it comes to, and where the time went."""
    from apps.embedded.billing_run import bill_run

    asked = {"until": UNTIL, "accounts": [], "ahead": True, "part_rows": part_rows}
    started = time.monotonic()
    bill_run(engine, {"step": "plan", "run": run, **asked})
    plan_s = time.monotonic() - started
    clock = PhaseClock()
    with clock.counting():
        cpu, started = time.process_time(), time.monotonic()
        told = bill_run(engine, {"step": "execute", "run": run})
        while told["done"] < told["parts"]:
            told = bill_run(engine, {"step": "execute", "run": run})
        seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    return {
        "seconds": round(seconds, 3),
        "plan_s": round(plan_s, 3),
        "cpu_s": round(cpu, 3),
        "phases": {name: round(value, 3) for name, value in clock.seconds.items()},
        "parts": told["parts"],
        "totals": told["totals"],
        "left": told["left"],
    }


class PhaseClock:
    """Seconds of each of PHASES by the wall, without those of phases within; threads add up."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._inner = threading.local()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count calls within."""
        held = []
        for phase, names in PHASES.items():
            for name in names:
                owner, _, function = name.rpartition(".")
                at = resolve_name(owner)
                held.append((at, function, getattr(at, function)))
                setattr(at, function, self._counted(phase, getattr(at, function)))
        try:
            yield
        finally:
            for at, function, called in held:
                setattr(at, function, called)

    def _counted(self, phase: str, called: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **named: Any) -> Any:
            before, self._inner.seconds = getattr(self._inner, "seconds", 0.0), 0.0
            started = time.perf_counter()
            try:
                return called(*arguments, **named)
            finally:
                took = time.perf_counter() - started
                self.seconds[phase] += took - self._inner.seconds
                self._inner.seconds = before + took

        return count


def main() -> None:
    """Do the job that the command line names, and print its figures."""
    from apps.jit import prepare_cache
    from apps.memory import keep_freed_memory

    keep_freed_memory()
    prepare_cache()
    print(json.dumps(measure(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
