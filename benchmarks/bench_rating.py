"""How fast one core rates: each pricing shape over many subscriptions in random order, in CPU time.

Rating is pure, so a run needs no files: a catalog of one offer, its subscriptions as frames, and drawn usage.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.rating_tables import EVENT_TYPE, TABLES
from benchmarks.report import Result
from billing.catalog.store import load_catalog
from rating.rate import rate
from rating.reference_block import ReferenceRater, ReferenceState
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.arrow_blocks import edrs_from_arrow, edrs_to_arrow, rated_from_arrow, rated_to_arrow
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock

BLOCK_ROWS = 100_000
MONTH_START_US = 1_780_264_800_000_000
"""2026-06-01T00:00+02:00."""
DAY_US = 86_400_000_000
CALENDAR = """{kind: calendar, code: hours, zone: Europe/Paris, bands: [
  {name: peak, days: [mon, tue, wed, thu, fri], start: "08:00", end: "19:30"},
  {name: night, start: "22:00", end: "06:30"}, {name: offpeak}]}"""
COUNTER = "{kind: counter, code: month, unit: min, period: month, zone: Europe/Paris}"
PRICES = '{peak: "0.145", offpeak: "0.098", night: "0.049"}'
TIERS = f'tiers: [{{up_to: "60 min", price: "0"}}, {{up_to: "300 min", price: {PRICES}}}, {{price: {PRICES}}}]'
CROSSING = f'model: graduated, per: "1 min", counter: month, calendar: hours, connection_fee: "0.02", {TIERS}, '
ROUNDED = 'increments: {first: "60 s", next: "30 s"}'
SHAPES = {
    "flat": 'model: flat, per: "1 min", price: "0.12"',
    "graduated": 'model: graduated, per: "1 min", counter: month, '
    'tiers: [{up_to: "60 min", price: "0"}, {up_to: "300 min", price: "0.10"}, {price: "0.05"}]',
    "voice": 'model: flat, per: "1 min", prices: table, free: "60 min", counter: month, calendar: hours, '
    'connection_fee: "0.02", increments: {first: "60 s", next: "1 s"}',
    "matrix": 'model: flat, per: "1 min", prices: table',
    "bands": 'model: graduated, per: "1 min", counter: month, calendar: hours, connection_fee: "0.02", '
    f'increments: {{first: "60 s", next: "1 s"}}, {TIERS}',
    "volume": 'model: volume, per: "1 min", counter: month, '
    'tiers: [{up_to: "60 min", price: "0.15"}, {up_to: "300 min", price: "0.10"}, {price: "0.05"}]',
    "package": 'model: package, per: "10 min", price: "1", free: "60 min", counter: month',
    "stair_step": "model: stair_step, counter: month, "
    'tiers: [{up_to: "60 min", amount: "5"}, {up_to: "300 min", amount: "20"}, {amount: "50"}]',
    "event": 'model: event, price: "0.35"',
    "first_minute": 'model: graduated, per: "1 min", connection_fee: "0.02", cap: "3", '
    'tiers: [{up_to: "60 s", price: "0.4", increment: "60 s"}, {price: "0.2", increment: "1 s"}]',
    "split_then_round": f"{CROSSING}{ROUNDED}, crossing: split_then_round",
    "each_increment": f"{CROSSING}{ROUNDED}, crossing: each_increment",
    "per_second": f"{CROSSING}{ROUNDED}, crossing: per_second",
}
"""The version of the price plan of each measured shape."""
CURVE = ("voice", "split_then_round", "each_increment", "per_second")
BLOCKS = ("graduated", "voice")
"""Shapes that are also measured from Arrow to Arrow."""
DURATIONS_S = (1, 60, 3600, 86_400)
"""How long all calls are in the curves of the shapes of CURVE."""
CHECKED_RECORDS, CHECKED_SUBSCRIPTIONS = 400, 20
CHECKED_IN_TABLES = 60
"""Records of a shape with a price table that are checked: the twin reads the table for each."""


@dataclass(frozen=True)
class Bench:
    """An image in force over a state, and one block of usage after another."""

    image: TariffImage
    state: AccountState
    vocabulary: Vocabulary
    blocks: list[EdrBlock]

    def seconds(self, blocks: list[EdrBlock] | None = None) -> float:
        """Return the CPU seconds that rating blocks took this thread, its own ones unless others are given."""
        start = time.thread_time()
        for block in self.blocks if blocks is None else blocks:
            rate(block, self.image, self.state)
        return time.thread_time() - start

    def seconds_in_frames(self, frames: list[bytes]) -> float:
        """Return the CPU seconds that rating Arrow frames took this thread, until the frames of what came of it are written."""
        start = time.thread_time()
        for frame in frames:
            rate_frame(frame, self.image, self.state)
        return time.thread_time() - start

    def memory(self) -> dict[str, float]:
        """Return MiB of what is kept of accounts and subscriptions: in arrays, and as names."""
        image, names = self.image, self.vocabulary
        arrays = (*image.tariff[:3], image.tariff.subscription_zone, image.account_currency, image.account_wallet_ptr)
        access = (image.access.slots, image.access.windows)
        tables = (names.accounts, names.subscriptions, names.access_points, names.wallets, names.counters)
        counted = {
            "state": self.state.nbytes,
            "image": sum(array.nbytes for array in arrays),
            "access_points": sum(array.nbytes for array in access),
            "names": sum(table.names.estimated_size() for table in tables),
        }
        return {name: round(size / 2**20, 1) for name, size in counted.items()}


def rate_frame(frame: bytes, image: TariffImage, state: AccountState) -> tuple[pa.Buffer, pa.Buffer]:
    """Rate the EDRs of an Arrow IPC stream, and return rated items and movements of wallets as two of them."""
    with pa.ipc.open_stream(frame) as stream:
        block = edrs_from_arrow(stream.read_next_batch())
    items, parts = rated_to_arrow(rate(block, image, state))
    return frame_of(items), frame_of(parts)


def frame_of(batch: pa.RecordBatch) -> pa.Buffer:
    """Return a record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def prepare(shape: str, *, subscriptions: int, records: int, seed: int, duration_ms: int | None = None) -> Bench:
    """Return a bench of one shape; calls of 1 s to 10 min unless `duration_ms` says how long all of them are."""
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        catalog = write_catalog(Path(folder), shape, subscriptions)
    return _bench(catalog, shape, subscriptions, records, seed, duration_ms)


def _bench(catalog: Catalog, shape: str, subscriptions: int, records: int, seed: int, duration_ms: int | None) -> Bench:
    vocabulary = Vocabulary()
    image = compile_image(catalog, vocabulary)
    state = AccountState()
    state.grow(vocabulary)
    blocks = list(_blocks(vocabulary, shape, subscriptions, records, seed, duration_ms))
    return Bench(image, state, vocabulary, blocks)


def write_catalog(directory: Path, shape: str, subscriptions: int) -> Catalog:
    """Write the catalog of one shape, and return it."""
    documents = [
        EVENT_TYPE,
        *([TABLES[shape].document] if shape in TABLES else []),
        CALENDAR,
        COUNTER,
        "{kind: price_plan, code: plan, currency: EUR, versions: "
        f'[{{start: "2026-01-01T00:00:00+01:00", {SHAPES[shape]}}}]}}',
        "{kind: charge, code: call, event_type: call, price_plan: plan}",
        "{kind: offer, code: offer, charges: [call]}",
    ]
    (directory / "catalog.yaml").write_text("\n---\n".join(documents), encoding="utf-8")
    _write_parties(directory, subscriptions)
    if shape in TABLES:
        TABLES[shape].write(directory / "table.csv")
    return load_catalog(directory)


def _write_parties(directory: Path, subscriptions: int) -> None:
    number = pl.DataFrame({"number": np.arange(subscriptions)})
    code = pl.col("number").cast(pl.String).str.zfill(8)
    number.select(
        account=pl.lit("a") + code,
        currency=pl.lit("EUR"),
        subscription=pl.lit("s") + code,
        offer=pl.lit("offer"),
        access_point=pl.lit("336") + code,
    ).write_csv(directory / "parties.csv")
    document = {"kind": "subscription_table", "file": "parties.csv"}
    (directory / "parties.yaml").write_text(json.dumps(document), encoding="utf-8")


def _blocks(
    vocabulary: Vocabulary, shape: str, subscriptions: int, records: int, seed: int, duration_ms: int | None
) -> Iterator[EdrBlock]:
    draw = np.random.default_rng(seed)
    for first in range(0, records, BLOCK_ROWS):
        count = min(BLOCK_ROWS, records - first)
        quantity = draw.integers(1, 600, count) * 1000 if duration_ms is None else np.full(count, duration_ms)
        attributes, values = np.zeros((count, ATTRIBUTE_SLOTS), np.int32), None
        if shape in TABLES:
            attributes, values = TABLES[shape].draw(vocabulary, draw, count)
        yield EdrBlock(
            position=BlockPosition(1, first // BLOCK_ROWS, first),
            record=np.arange(first, first + count, dtype=np.int64),
            branch=np.zeros(count, np.uint8),
            event_at=MONTH_START_US + draw.integers(0, 28 * DAY_US, count),
            span_s=np.zeros(count, np.int64),
            quantity=quantity.astype(np.int64),
            event_type=np.full(count, vocabulary.event_types.id("call"), np.uint16),
            attributes=attributes,
            access_point=np.zeros(count, np.int32),
            subscription=draw.integers(0, subscriptions, count).astype(np.int32),
            values=values,
        )


def measure(
    shape: str, *, subscriptions: int, records: int, seed: int, runs: int, duration_s: int | None = None
) -> Result:
    """Return records per CPU second of one shape, over several runs, and whether the twin agrees on a sample.

    Each run rates usage that was not there before, of subscriptions that were: the first pass over them is told apart.
    """
    duration_ms = None if duration_s is None else duration_s * 1000
    bench = prepare(shape, subscriptions=subscriptions, records=records, seed=seed, duration_ms=duration_ms)
    _compile(shape, seed, duration_ms)
    first = records / bench.seconds()
    rates = []
    for run in range(1, runs + 1):
        more = list(_blocks(bench.vocabulary, shape, subscriptions, records, seed + run, duration_ms))
        rates.append(records / bench.seconds(more))
    name = f"rating.{shape}" if duration_s is None else f"rating.{shape}.{duration_s}s"
    details: dict[str, Any] = {
        "records": records,
        "subscriptions": subscriptions,
        "seed": seed,
        "clock": "CPU of the thread",
        "best": max(rates),
        "first_pass": first,
        "memory_mib": bench.memory(),
    }
    return Result(name, "records/s", rates, recount_ok=twin_agrees(shape, seed, duration_ms), details=details)


def measure_blocks(shape: str, *, subscriptions: int, records: int, seed: int, runs: int) -> Result:
    """Return records per CPU second from Arrow frames to Arrow frames, and whether the twin agrees on a sample."""
    bench = prepare(shape, subscriptions=subscriptions, records=records, seed=seed)
    rates = []
    for run in range(runs + 1):
        blocks = _blocks(bench.vocabulary, shape, subscriptions, records, seed + run, None)
        frames = [frame_of(edrs_to_arrow(block)).to_pybytes() for block in blocks]
        rates.append(records / bench.seconds_in_frames(frames))
    details: dict[str, Any] = {"records": records, "subscriptions": subscriptions, "seed": seed, "first_pass": rates[0]}
    agrees = twin_agrees(shape, seed, None, in_frames=True)
    return Result(f"rating.block.{shape}", "records/s", rates[1:], recount_ok=agrees, details=details)


def _compile(shape: str, seed: int, duration_ms: int | None) -> None:
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        catalog = write_catalog(Path(folder), shape, CHECKED_SUBSCRIPTIONS)
    _bench(catalog, shape, CHECKED_SUBSCRIPTIONS, CHECKED_SUBSCRIPTIONS, seed, duration_ms).seconds()


def twin_agrees(shape: str, seed: int, duration_ms: int | None, *, in_frames: bool = False) -> bool:
    """Return whether kernels and twin give each record of a small sample the same amount."""
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        catalog = write_catalog(Path(folder), shape, CHECKED_SUBSCRIPTIONS)
    records = CHECKED_IN_TABLES if shape in TABLES else CHECKED_RECORDS
    bench = _bench(catalog, shape, CHECKED_SUBSCRIPTIONS, records, seed, duration_ms)
    twin = ReferenceRater(catalog, bench.vocabulary, ReferenceState())
    for block in bench.blocks:
        if in_frames:
            frames = rate_frame(frame_of(edrs_to_arrow(block)).to_pybytes(), bench.image, bench.state)
            rated = rated_from_arrow(*(pa.ipc.open_stream(frame).read_next_batch() for frame in frames))
        else:
            rated = rate(block, bench.image, bench.state)
        told = twin.rate(block)
        if [(item.reason, item.amount) for item in told] != list(zip(rated.reason, rated.amount, strict=True)):
            return False
    return True


def measure_all(*, records: int, subscriptions: int, seed: int, runs: int) -> Iterator[Result]:
    """Measure every shape, then the curves over the length of calls."""
    common = {"records": records, "subscriptions": subscriptions, "seed": seed, "runs": runs}
    for shape in SHAPES:
        yield measure(shape, **common)
    for shape in BLOCKS:
        yield measure_blocks(shape, **common)
    for shape in CURVE:
        for duration_s in DURATIONS_S:
            yield measure(shape, **common, duration_s=duration_s)
