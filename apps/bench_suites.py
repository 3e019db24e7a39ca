"""What `octroi bench` can measure, at which size, and how each is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from apps.cli.failures import WrongUsage

ALL = "all"


class Size(StrEnum):
    """How much is measured unless a number of records is given."""

    SMOKE = "smoke"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for.

    Attributes:
        only: parts of the benchmark; empty: its own choice. records: None: as many as `size` has. large_bytes: size of the
            file of part large_file. runs: measured runs. json_file: None: to stdout.
    """

    only: list[str]
    records: int | None
    large_bytes: int
    seed: int
    runs: int
    size: Size
    json_file: Path | None


@dataclass(frozen=True, slots=True)
class Suite:
    """One benchmark.

    Attributes:
        measure: "module:function" that measures it. smoke_records: of size smoke. parts: "module:name" of the names of its
            parts, None for none. smoke_parts: the parts of size smoke; empty: its own choice.
        has_bytes: whether it takes the size of a large file. is_of_others: whether it measures what others do already: `all`
            leaves it out.
    """

    measure: str
    smoke_records: int
    parts: str | None = None
    smoke_parts: tuple[str, ...] = ()
    has_bytes: bool = False
    is_of_others: bool = False


SUITES = {
    "end_to_end": Suite("apps.bench:bench_end_to_end", 20_000),
    "mediation": Suite(
        "apps.bench_mediation:bench_mediation",
        20_000,
        "apps.bench_mediation:SUITES",
        ("csv", "fixed_width", "ndjson"),
        True,
    ),
    "rating": Suite("apps.bench_rating:bench_rating", 2_000, "apps.bench_rating:RATING_SUITES"),
    "wallets": Suite("apps.bench_wallets:bench_wallets", 2_000, "apps.bench_wallets:WALLET_SUITES"),
    "store": Suite("apps.bench_store:bench_store", 10_000, "apps.bench_store:STORE_SUITES"),
    "energy": Suite(
        "apps.bench_energy:bench_energy", 2_000, "apps.bench_energy:ENERGY_SUITES", ("r151", "r63"), has_bytes=True
    ),
    "billing": Suite("apps.bench_billing:bench_billing", 5_000),
    "invoices": Suite(
        "apps.bench_invoices:bench_invoices", 20, "apps.bench_invoices:INVOICE_SUITES", ("einvoice", "pdf")
    ),
    "limits": Suite("apps.bench_limits:bench_limits", 20_000),
    "scaling": Suite(
        "apps.bench_scaling:bench_scaling", 16_000, "apps.bench_scaling:SCALING_SUITES", ("accounts", "call_length")
    ),
    "baselines": Suite(
        "apps.bench_baselines:bench_baselines",
        10_000,
        "apps.bench_baselines:BASELINE_SUITES",
        ("octroi", "pandas_script", "clickhouse_sql", "python_rater"),
    ),
    "diameter": Suite("apps.bench_diameter:bench_diameter", 1_000),
    "stream": Suite("apps.bench_stream:bench_stream", 40_000, "apps.bench_stream:STREAM_SUITES", ("blocks",)),
    "guard": Suite("apps.bench_guard:bench_guard", 20_000, is_of_others=True),
}
"""By name, in the order in which `octroi bench all` measures them."""


def run_suite(name: str, ask: Ask) -> bool:
    """Measure one benchmark and hand its results over; return whether no recount differs.

    Raises:
        WrongUsage: when it has no such part.
    """
    suite = SUITES[name]
    given: dict[str, Any] = {"records": ask.records, "seed": ask.seed, "runs": ask.runs, "json_file": ask.json_file}
    is_smoke = ask.size is Size.SMOKE
    if is_smoke and ask.records is None:
        given["records"] = suite.smoke_records
    if suite.parts is None:
        if ask.only:
            raise WrongUsage(f"{name} has no suites to choose from")
    else:
        expect_parts(ask.only, resolve_name(suite.parts))
        given["only"] = ask.only or list(suite.smoke_parts if is_smoke else ())
    if suite.has_bytes:
        given["large_bytes"] = ask.large_bytes
    return bool(resolve_name(suite.measure)(**given))


def expect_parts(parts: list[str], known: Iterable[str]) -> None:
    """Check that there are such parts.

    Raises:
        WrongUsage: with those that there are not.
    """
    if unknown := [part for part in parts if part not in known]:
        raise WrongUsage(f"there is no suite {', '.join(unknown)}; there are {', '.join(known)}")


def keep_to(cores: int) -> None:
    """Keep this process, and those that it starts, to so many of the cores that it may use.

    Raises:
        WrongUsage: when it may not use so many.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed):
        raise WrongUsage(f"this process may use {len(allowed)} cores, not {cores}")
    os.sched_setaffinity(0, allowed[:cores])
