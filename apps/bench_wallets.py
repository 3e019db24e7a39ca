"""`octroi bench wallets`: online charging by single requests, and the account stage by blocks, durable and recounted."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from apps.cli.failures import say
from apps.cli.output import print_json
from apps.embedded.access import reach
from apps.embedded.charging_port import ChargingPort, charging_port
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.growing import ENTRIES, measure_growing
from benchmarks.report import Result, report, write_report
from benchmarks.wallet_snapshots import measure_snapshots
from benchmarks.wallets import LOADS, World, measure_conservation, measure_load
from schemas.charging import ChargingCode, ChargingKind

WALLET_SUITES = ("reserve_confirm", *LOADS, "conservation", "snapshot", "growing")
ACCOUNTS_OF_BLOCKS = 10_000_000
"""Accounts of all suites but reserve_confirm, or five for each record where records are given."""
ACCOUNTS = 100_000
REQUESTS = 200_000
IN_FLIGHT = 64
WARM_UP = 2_000
_DOCUMENTS = """
{kind: event_type, code: data, unit: MB}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "0.01"}]}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: offer, code: mobile, charges: [data]}
---
{kind: subscription_table, file: customers.csv}
"""
MEGABYTE, PRICE, OPENING = 1_000_000, Decimal("0.01"), 100_000
_TOTALS = """
SELECT count() AS items, sum(quantity_steps) AS quantity, sum(amount) AS amount,
(SELECT sum(balance) FROM account_balance) AS balances FROM rated_item
"""


@dataclass(slots=True)
class _Load:
    """Sessions one after another, so many at a time: each is reserved, then confirmed with what was used."""

    port: ChargingPort
    requests: int
    accounts: int
    prefix: str
    seed: int
    latency_s: list[float] = field(default_factory=list)
    used: int = 0
    items: int = 0
    refused: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    _account: list[int] = field(default_factory=list)
    _asked: list[int] = field(default_factory=list)
    _share: list[int] = field(default_factory=list)
    _next: int = 0
    _open: int = 0

    def run(self) -> float:
        """Return the seconds from the first request to the last answer."""
        chance = np.random.default_rng(self.seed)
        sessions = self.requests // 2
        self._account = chance.integers(0, self.accounts, sessions).tolist()
        self._asked = chance.integers(1, 20, sessions).tolist()
        self._share = chance.integers(0, 30, sessions).tolist()
        started = time.perf_counter()
        self._open = min(IN_FLIGHT, sessions)
        for _ in range(self._open):
            self._reserve()
        self.done.wait()
        return time.perf_counter() - started

    def _submit(self, request: ChargingRequest, then: Callable[[], None]) -> None:
        asked = time.perf_counter()

        def answered(future: Future[ChargingAnswer]) -> None:
            self.latency_s.append(time.perf_counter() - asked)
            answer = future.result()
            self.refused += answer.code is not ChargingCode.DONE
            then()

        self.port.submit(request).add_done_callback(answered)

    def _reserve(self) -> None:
        number, self._next = self._next, self._next + 1
        if number >= len(self._account):
            self._open -= 1
            if not self._open:
                self.done.set()
            return
        name, quantity = f"{self.prefix}{number}", self._asked[number] * MEGABYTE
        request = ChargingRequest(ChargingKind.RESERVE, name, "", str(self._account[number]), "data", quantity)
        self._submit(request, lambda: self._confirm(number))

    def _confirm(self, number: int) -> None:
        name, used = f"{self.prefix}{number}", self._share[number] * MEGABYTE
        self.used += used
        self.items += 1
        self._submit(ChargingRequest(ChargingKind.CONFIRM, name + "c", name, quantity=used), self._reserve)


def bench_wallets(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run suites, all unless told otherwise, and print them; return whether every recount agreed."""
    results: list[Result] = []
    for result in _measured(only or list(WALLET_SUITES), records, seed, runs):
        value = f"{result.value:,.0f}" if result.value >= 100 else f"{result.value:.2f}"
        say(f"{result.name}: {value} {result.unit}, recount {'ok' if result.recount_ok else 'DIFFERS'}")
        results.append(replace(result, peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    if json_file is None:
        print_json(report(results))
    else:
        write_report(json_file, results)
    return all(result.recount_ok for result in results)


def _measured(suites: list[str], records: int | None, seed: int, runs: int) -> Iterator[Result]:
    if "reserve_confirm" in suites:
        yield _measure_requests(records or REQUESTS, seed, runs)
    if "growing" in suites:
        yield from measure_growing(entries=ENTRIES if records is None else records, runs=runs)
    if set(suites) <= {"reserve_confirm", "growing"}:
        return
    world = World.of(ACCOUNTS_OF_BLOCKS if records is None else min(ACCOUNTS_OF_BLOCKS, 5 * records))
    for name in LOADS:
        if name in suites:
            yield measure_load(world, name, records=records, seed=seed, runs=runs)
    if "conservation" in suites:
        yield measure_conservation(world, records=records, seed=seed, runs=runs)
    if "snapshot" in suites:
        yield from measure_snapshots(world, seed=seed, runs=runs)


def _measure_requests(requests: int, seed: int, runs: int) -> Result:
    measured = [_run_once(requests, seed + number) for number in range(runs)]
    problems = [problem for run in measured for problem in run["problems"]]
    return Result(
        name="wallets.reserve_confirm",
        unit="requests/s",
        runs=[round(requests / run["wall_s"]) for run in measured],
        recount_ok=not problems,
        details={
            "requests": requests,
            "accounts": ACCOUNTS,
            "in_flight": IN_FLIGHT,
            "seed": seed,
            "measures": "single requests over the Python port, each answered once it is synced; half reserve, half confirm",
            "p50_ms": [round(float(np.percentile(run["latency_s"], 50)) * 1000, 3) for run in measured],
            "p99_ms": [round(float(np.percentile(run["latency_s"], 99)) * 1000, 3) for run in measured],
            "cpu_us_per_request": [round(run["cpu_s"] / requests * 1e6, 1) for run in measured],
            "problems": problems,
        },
    )


def _run_once(requests: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        directory = DataDirectory(Path(temporary))
        _write_catalog(directory.catalog)
        settings = Settings(data_dir=directory.root)
        with charging_port(directory, settings, say=say) as port:
            warm = _Load(port, WARM_UP, ACCOUNTS, "w", seed)
            warm.run()
            load = _Load(port, requests, ACCOUNTS, "s", seed + 1)
            before = time.process_time()
            wall_s = load.run()
            cpu_s = time.process_time() - before
        with reach(directory, settings, say) as access:
            (found,) = access.query(_TOTALS).to_pylist()
            differences = access.command({"op": "balance"})
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "latency_s": load.latency_s,
        "problems": _problems([warm, load], found, differences),
    }


def _problems(loads: Sequence[_Load], found: dict[str, Any], differences: list[dict[str, Any]]) -> list[str]:
    """Say where the store differs from what was used."""
    used = sum(load.used for load in loads)
    expected = {
        "items": sum(load.items for load in loads),
        "quantity": used,
        "amount": used // MEGABYTE * PRICE,
        "balances": ACCOUNTS * OPENING - used // MEGABYTE * PRICE,
    }
    told = [
        f"{name}: {found[name]} instead of {value}" for name, value in expected.items() if Decimal(found[name]) != value
    ]
    refused = sum(load.refused for load in loads)
    return told + ([f"{refused} requests were refused"] if refused else []) + [str(row) for row in differences]


def _write_catalog(catalog: Path) -> None:
    catalog.mkdir(parents=True)
    (catalog / "catalog.yaml").write_text(_DOCUMENTS)
    rows = "".join(f"a{number},EUR,s{number},mobile,{number},{OPENING},false\n" for number in range(ACCOUNTS))
    header = "account,currency,subscription,offer,access_point,prepaid_balance,postpaid\n"
    (catalog / "customers.csv").write_text(header + rows)
