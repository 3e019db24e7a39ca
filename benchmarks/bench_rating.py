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

from benchmarks.report import Result
from billing.catalog.store import load_catalog
from rating.rate import rate
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
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
SHAPES = {
    "flat": 'model: flat, per: "1 min", price: "0.12"',
    "graduated": 'model: graduated, per: "1 min", counter: month, '
    'tiers: [{up_to: "60 min", price: "0"}, {up_to: "300 min", price: "0.10"}, {price: "0.05"}]',
    "voice": 'model: graduated, per: "1 min", counter: month, calendar: hours, connection_fee: "0.02", '
    f'increments: {{first: "60 s", next: "1 s"}}, {TIERS}',
}
"""The version of the price plan of each measured shape."""


@dataclass(frozen=True)
class Bench:
    """An image in force over a state, and one block of usage after another."""

    image: TariffImage
    state: AccountState
    blocks: list[EdrBlock]

    def seconds(self) -> float:
        """Return the CPU seconds that rating all blocks took."""
        start = time.process_time()
        for block in self.blocks:
            rate(block, self.image, self.state)
        return time.process_time() - start


def prepare(shape: str, *, subscriptions: int, records: int, seed: int, duration_ms: int | None = None) -> Bench:
    """Return a bench of one shape; calls of 1 s to 10 min unless `duration_ms` says how long all of them are."""
    documents = [
        "{kind: event_type, code: call, unit: s}",
        CALENDAR,
        COUNTER,
        "{kind: price_plan, code: plan, currency: EUR, versions: "
        f'[{{start: "2026-01-01T00:00:00+01:00", {SHAPES[shape]}}}]}}',
        "{kind: charge, code: call, event_type: call, price_plan: plan}",
        "{kind: offer, code: offer, charges: [call]}",
    ]
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        Path(folder, "catalog.yaml").write_text("\n---\n".join(documents), encoding="utf-8")
        _write_parties(Path(folder), subscriptions)
        catalog = load_catalog(Path(folder))
    vocabulary = Vocabulary()
    image = compile_image(catalog, vocabulary)
    state = AccountState()
    state.grow(vocabulary)
    blocks = list(_blocks(vocabulary, subscriptions, records, seed, duration_ms))
    return Bench(image, state, blocks)


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
    vocabulary: Vocabulary, subscriptions: int, records: int, seed: int, duration_ms: int | None
) -> Iterator[EdrBlock]:
    draw = np.random.default_rng(seed)
    for first in range(0, records, BLOCK_ROWS):
        count = min(BLOCK_ROWS, records - first)
        quantity = draw.integers(1, 600, count) * 1000 if duration_ms is None else np.full(count, duration_ms)
        yield EdrBlock(
            position=BlockPosition(1, first // BLOCK_ROWS, first),
            record=np.arange(first, first + count, dtype=np.int64),
            branch=np.zeros(count, np.uint8),
            event_at=MONTH_START_US + draw.integers(0, 28 * DAY_US, count),
            span_s=np.zeros(count, np.int64),
            quantity=quantity.astype(np.int64),
            event_type=np.full(count, vocabulary.event_types.id("call"), np.uint16),
            attributes=np.zeros((count, ATTRIBUTE_SLOTS), np.int32),
            access_point=np.zeros(count, np.int32),
            subscription=draw.integers(0, subscriptions, count).astype(np.int32),
        )


def measure(shape: str, *, subscriptions: int, records: int, seed: int, runs: int) -> Result:
    """Return records per CPU second of one shape, over several runs."""
    bench = prepare(shape, subscriptions=subscriptions, records=records, seed=seed)
    bench.seconds()  # compiles, and warms the caches
    rates = [records / bench.seconds() for _ in range(runs)]
    details: dict[str, Any] = {"records": records, "subscriptions": subscriptions, "seed": seed, "clock": "CPU"}
    return Result(f"rating.{shape}", "records/s", rates, details=details)
