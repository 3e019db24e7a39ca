"""Accounts with a wallet and a counter each, usage that draws on them, and the recount of what is left."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.bench_rating import frame_of
from benchmarks.durable import DurableLog, Passage, read_frames
from benchmarks.report import Result, median_of, percentile_ms
from billing.catalog.store import load_catalog
from pipelines.account.stage import ClaimContext, finish_edrs
from rating.rate import check_conservation, exact_sum, rate
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.arrays import Int64Array
from schemas.arrow_blocks import edrs_from_arrow, edrs_to_arrow, rated_to_arrow
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock

MONTH_START_US = 1_780_264_800_000_000
"""2026-06-01T00:00+02:00."""
DAY_US = 86_400_000_000
DOCUMENTS = """
{kind: event_type, code: data, unit: MB}
---
{kind: event_type, code: call, unit: s}
---
{kind: counter, code: month, unit: min, period: month, zone: Europe/Paris}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "0.01"}]}
---
kind: price_plan
code: call
currency: EUR
versions:
  - start: 2020-01-01T00:00:00Z
    model: graduated
    per: 1 min
    counter: month
    tiers: [{up_to: 60 min, price: "0"}, {price: "0.06"}]
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: offer, code: mobile, charges: [data, call]}
---
{kind: subscription_table, file: customers.csv}
"""
STEPS = {"data": 1_000_000, "call": 1_000}
"""Base steps of what usage is drawn in: megabytes and seconds."""
PER_MEGABYTE, PER_SECOND, FREE_S = 10_000_000, 1_000_000, 3600
"""Billionths of a euro, by the catalog; and the free seconds of a month."""
OPENING_EUR = 100_000_000
EURO = 1_000_000_000


@dataclass(slots=True)
class World:
    """An image in force over accounts, and what was used of each.

    Attributes:
        megabytes, seconds: (subscriptions,) used until now, by id of the subscription.
    """

    image: TariffImage
    vocabulary: Vocabulary
    state: AccountState
    megabytes: Int64Array
    seconds: Int64Array
    build_s: float
    _records: int = 0

    @classmethod
    def of(cls, accounts: int) -> World:
        """Return a world of accounts that have used nothing."""
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
            directory = Path(folder)
            (directory / "catalog.yaml").write_text(DOCUMENTS)
            number = pl.col("number").cast(pl.String)
            pl.DataFrame({"number": np.arange(accounts)}).select(
                account="a" + number, currency=pl.lit("EUR"), subscription="s" + number, offer=pl.lit("mobile"),
                access_point=number, prepaid_balance=pl.lit(OPENING_EUR), postpaid=pl.lit("false"),
            ).write_csv(directory / "customers.csv")  # fmt: skip
            catalog = load_catalog(directory)
        vocabulary, state = Vocabulary(), AccountState()
        image = compile_image(catalog, vocabulary)
        state.grow(vocabulary)
        state.credit(np.arange(accounts, dtype=np.int32), np.full(accounts, OPENING_EUR * EURO))
        used = np.zeros(accounts, np.int64)
        return cls(image, vocabulary, state, used, used.copy(), time.perf_counter() - started)

    def frames(self, kind: str, *, records: int, rows: int, seed: int, subscription: int | None = None) -> list[bytes]:
        """Return usage of one kind as Arrow frames of some rows each, and count it as used.

        Args:
            kind: data or call. subscription: all of it is this one's; drawn for each row otherwise.
        """
        chance = np.random.default_rng(seed)
        of = np.full(records, subscription or 0, np.int32)
        if subscription is None:
            of = chance.integers(0, len(self.megabytes), records).astype(np.int32)
        amount = chance.integers(1, 600, records)
        used = self.megabytes if kind == "data" else self.seconds
        used += np.bincount(of, weights=amount, minlength=len(used)).astype(np.int64)
        frames = []
        for first in range(0, records, rows):
            part = slice(first, min(first + rows, records))
            n = part.stop - first
            block = EdrBlock(
                position=BlockPosition(1, self._records // rows, self._records),
                record=np.arange(self._records, self._records + n, dtype=np.int64),
                branch=np.zeros(n, np.uint8),
                event_at=MONTH_START_US + chance.integers(0, 28 * DAY_US, n),
                span_s=np.zeros(n, np.int64),
                quantity=amount[part] * STEPS[kind],
                event_type=np.full(n, self.vocabulary.event_types.id(kind), np.uint16),
                attributes=np.zeros((n, ATTRIBUTE_SLOTS), np.int32),
                access_point=of[part],
                subscription=of[part],
            )
            frames.append(frame_of(edrs_to_arrow(block)).to_pybytes())
            self._records += n
        return frames

    def use_again(self, frames: list[bytes], times: int) -> None:
        """Count the megabytes of frames that are drawn so many times more than they were made."""
        if not frames:
            return
        blocks = [edrs_of(frame) for frame in frames]
        of, amount = (
            np.concatenate([getattr(block, name) for block in blocks]) for name in ("subscription", "quantity")
        )
        again = np.bincount(of, weights=amount // STEPS["data"], minlength=len(self.megabytes))
        self.megabytes += times * again.astype(np.int64)

    def recount(self) -> list[str]:
        """Say which balances are not what was put in less what was used, by other code than rating's."""
        paid_s = np.maximum(self.seconds - FREE_S, 0)
        left = OPENING_EUR * EURO - self.megabytes * PER_MEGABYTE - paid_s * PER_SECOND
        expected = np.empty(len(left), np.int64)
        expected[_numbers(self.vocabulary.subscriptions.names)] = left
        by_number = np.argsort(_numbers(self.vocabulary.wallets.names))
        found, upper = self.state.balance_lo.astype(np.int64)[by_number], self.state.balance_hi[by_number]
        wrong = np.flatnonzero((found != expected) | (upper != np.where(expected < 0, -1, 0)))
        return [f"account {number}: {found[number]} instead of {expected[number]}" for number in wrong[:3].tolist()]

    def bytes_per_account(self) -> dict[str, float]:
        """Return what is kept of each account: in the state, in the image and its access points, and as names."""
        image, names = self.image, self.vocabulary
        tariff, access = image.tariff, image.access
        arrays = (*tariff[:3], tariff.subscription_zone, image.account_currency, image.account_wallet_ptr)
        tables = (names.accounts, names.subscriptions, names.access_points, names.wallets, names.counters)
        counted = {
            "state": self.state.nbytes,
            "image": sum(array.nbytes for array in arrays) + access.slots.nbytes + access.windows.nbytes,
            "names": sum(table.names.estimated_size() for table in tables),
        }
        return {name: round(size / len(self.megabytes), 1) for name, size in counted.items()}

    def debit(self, frame: bytes) -> bytes:
        """Rate a frame: its usage is drawn from the wallets."""
        rate(edrs_of(frame), self.image, self.state)
        return b""

    def to_output(self, frame: bytes) -> bytes:
        """Take a frame through the account stage, to frames of rated items and of movements of wallets."""
        context = ClaimContext("bench", 0, MONTH_START_US)
        block = finish_edrs(edrs_of(frame), self.image, self.state, self.vocabulary, context)
        items, parts = rated_to_arrow(block.rated)
        return frame_of(items).to_pybytes() + frame_of(parts).to_pybytes()


def _numbers(names: pl.Series) -> Int64Array:
    return names.str.extract(r"^[as](\d+)").cast(pl.Int64).to_numpy()


def edrs_of(frame: bytes) -> EdrBlock:
    """Return the block that a frame is of."""
    with pa.ipc.open_stream(frame) as stream:
        return edrs_from_arrow(stream.read_next_batch())


@dataclass(frozen=True, slots=True)
class Load:
    """What one suite sends: `rows` of each block, `in_flight` blocks at once; `records` by default."""

    kind: str
    rows: int
    in_flight: int
    records: int
    measures: str
    hot: bool = False
    outputs: bool = False


_LOGGED = "blocks of EDRs as Arrow frames, synced to a log before they are acknowledged, drawn from wallets"
LOADS = {
    "debits": Load("data", 8_000, 16, 8_000_000, _LOGGED),
    "debits_small": Load("data", 100, 256, 1_000_000, _LOGGED),
    "hot_account": Load("data", 8_000, 16, 4_000_000, f"{_LOGGED}, all of one account", hot=True),
    "stage": Load(
        "call", 8_000, 32, 8_000_000, f"{_LOGGED} by counter, to frames of what came of them, also synced", outputs=True
    ),
}


def measure_load(world: World, name: str, *, records: int | None, seed: int, runs: int) -> Result:
    """Return records per second of one suite, of `runs` after one that is not counted, and whether the recount agrees."""
    load = LOADS[name]
    stage: Callable[[bytes], bytes] = world.to_output if load.outputs else world.debit
    rates, p50, p99, cpu, problems = [], [], [], [], list[str]()
    for run in range(runs + 1):
        count = records or load.records
        hot = len(world.megabytes) // 3 if load.hot else None
        frames = world.frames(load.kind, records=count, rows=load.rows, seed=seed + run, subscription=hot)
        gc.collect()
        with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
            paths = Path(folder) / "incoming", Path(folder) / "outgoing"
            logs = [DurableLog(path) for path in paths[: 1 + load.outputs]]
            passage = Passage(frames, stage, logs[0], logs[1] if load.outputs else None, load.in_flight)
            before = time.process_time()
            seconds = passage.run()
            cpu_s = time.process_time() - before
            for log in logs:
                log.close()
            if read_frames(paths[0]) != frames or (load.outputs and len(read_frames(paths[1])) != len(frames)):
                problems.append("the log is not what was sent")
        if run:
            rates.append(count / seconds)
            cpu.append(cpu_s / count * 1e6)
            p50.append(percentile_ms(passage.latency_s, 50))
            p99.append(percentile_ms(passage.latency_s, 99))
    problems += world.recount()
    details: dict[str, Any] = {
        "records": records or load.records,
        "accounts": len(world.megabytes),
        "block_rows": load.rows,
        "in_flight": load.in_flight,
        "seed": seed,
        "measures": load.measures,
        "block_latency_p50_ms": median_of(p50),
        "block_latency_p99_ms": median_of(p99),
        "cpu_us_per_record": median_of(cpu),
        "bytes_per_account": world.bytes_per_account(),
        "problems": problems,
    }
    return Result(f"wallets.{name}", "records/s", [round(value) for value in rates], None, not problems, details)


def measure_conservation(world: World, *, records: int | None, seed: int, runs: int) -> Result:
    """Return per cent of the CPU time of rating that it takes to check that wallets lost what items say."""
    count = records or 1_000_000
    shares, problems = [], list[str]()
    for run in range(runs):
        blocks = [edrs_of(frame) for frame in world.frames("data", records=count, rows=8_000, seed=seed + run)]
        started = time.thread_time()
        rated = [rate(block, world.image, world.state) for block in blocks]
        rated_s = time.thread_time() - started
        moved = [exact_sum(block.amount) for block in rated]
        started = time.thread_time()
        for block, amount in zip(rated, moved, strict=True):
            check_conservation(block, moved=amount)
        shares.append(round((time.thread_time() - started) / rated_s * 100, 2))
    problems += world.recount()
    details: dict[str, Any] = {"records": count, "clock": "CPU of the thread", "problems": problems}
    return Result("wallets.conservation", "%", shares, None, not problems, details)
