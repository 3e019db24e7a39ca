"""`octroi bench wallets`: online charging by single requests, and the account stage by blocks, durable and recounted."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from apps.embedded.access import reach
from apps.embedded.charging_port import ChargingPort, charging_port
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.growing import ENTRIES, measure_growing
from benchmarks.report import Result, median_of, percentile_ms
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
    results = [
        replace(tell(result), peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        for result in _measured(only or list(WALLET_SUITES), records, seed, runs)
    ]
    return hand_over(results, json_file)


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
            **{f"latency_p{q}_ms": median_of(percentile_ms(run["latency_s"], q) for run in measured) for q in (50, 99)},
            "cpu_us_per_record": median_of(run["cpu_s"] / requests * 1e6 for run in measured),
            "problems": problems,
        },
    )


def _run_once(requests: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        directory = DataDirectory(Path(temporary))
        write_charging_catalog(directory.catalog)
        settings = Settings(data_dir=directory.root)
        with charging_port(directory, settings, say=say) as port:
            warm = _Load(port, WARM_UP, ACCOUNTS, "w", seed)
            warm.run()
            load = _Load(port, requests, ACCOUNTS, "s", seed + 1)
            before = time.process_time()
            wall_s = load.run()
            cpu_s = time.process_time() - before
        problems = recounted(
            directory,
            settings,
            items=warm.items + load.items,
            used=warm.used + load.used,
            refused=warm.refused + load.refused,
        )
    return {"wall_s": wall_s, "cpu_s": cpu_s, "latency_s": load.latency_s, "problems": problems}


def recounted(
    directory: DataDirectory, settings: Settings, *, items: int, used: int, refused: int, accounts: int = ACCOUNTS
) -> list[str]:
    """Say where the store differs from what was used: items of `used` octets in all, of which none was to be refused."""
    with reach(directory, settings, say) as access:
        (found,) = access.query(_TOTALS).to_pylist()
        differences = access.command({"op": "balance"})
    amount = used // MEGABYTE * PRICE
    expected = {"items": items, "quantity": used, "amount": amount, "balances": accounts * OPENING - amount}
    told = [
        f"{name}: {found[name]} instead of {value}" for name, value in expected.items() if Decimal(found[name]) != value
    ]
    return told + ([f"{refused} requests were refused"] if refused else []) + [str(row) for row in differences]


def write_charging_catalog(catalog: Path, *, accounts: int = ACCOUNTS, more: str = "") -> None:
    """Write a catalog that sells data to accounts with a prepaid wallet; `more` documents follow."""
    catalog.mkdir(parents=True)
    (catalog / "catalog.yaml").write_text(_DOCUMENTS + more)
    rows = "".join(f"a{number},EUR,s{number},mobile,{number},{OPENING},false\n" for number in range(accounts))
    header = "account,currency,subscription,offer,access_point,prepaid_balance,postpaid\n"
    (catalog / "customers.csv").write_text(header + rows)
