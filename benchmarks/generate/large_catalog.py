"""A catalog as large as they come: a million prefixes, ten thousand price plans, a million subscriptions; seeded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.random import Generator

from benchmarks.generate.rows import write_atomically
from schemas.arrays import Int64Array

CHARGES_PER_OFFER = 4
"""Of its own; every offer has international calls besides."""
TABLE_PLANS = 2
"""Plans that take their prices from the destination table: each holds a price for every prefix and band."""
START, CHANGE = "2026-01-01T00:00:00+01:00", "2026-07-01T00:00:00+02:00"
DOCUMENTS = """\
{kind: event_type, code: call, unit: s, attributes: [zone], values: {called: digits}}
---
{kind: event_type, code: data, unit: B}
---
kind: calendar
code: hours
zone: Europe/Paris
bands:
  - {name: peak, days: [mon, tue, wed, thu, fri], start: "08:00", end: "19:30"}
  - {name: offpeak}
---
{kind: counter, code: minutes, unit: min, period: month, zone: Europe/Paris}
---
{kind: counter, code: volume, unit: GB, period: month, zone: Europe/Paris}
---
{kind: destination_table, code: world, value: called, file: world.csv}
---
{kind: subscription_table, file: subscriptions.csv}
"""
MODELS = ("seconds", "minutes", "bands", "tiers", "reached", "blocks")
"""What the versions of plans are, in turn."""


def write_large_catalog(directory: Path, *, prefixes: int, plans: int, subscriptions: int, seed: int) -> None:
    """Write a catalog with so many prefixes, price plans and subscriptions; one plan in five has a second version."""
    draw = np.random.default_rng(seed)
    write_atomically(directory / "common.yaml", [DOCUMENTS.encode()])
    write_atomically(directory / "plans.yaml", [_document(text) for text in _plan_texts(draw, plans)])
    write_atomically(directory / "offers.yaml", [_document(text) for text in _offer_texts(plans)])
    write_atomically(directory / "world.csv", [destination_rows(draw, prefixes).write_csv().encode()])
    write_atomically(
        directory / "subscriptions.csv", [_subscription_rows(draw, plans, subscriptions).write_csv().encode()]
    )


def _document(text: str) -> bytes:
    return f"{text}\n---\n".encode()


def _plan_texts(draw: Generator, plans: int) -> Iterator[str]:
    for number in range(TABLE_PLANS):
        yield (
            f"kind: price_plan\ncode: world-{number}\ncurrency: EUR\nversions:\n"
            f'  - {{start: "{START}", model: flat, per: 1 min, prices: world, calendar: hours, '
            "increments: {first: 60 s, next: 1 s}}"
        )
    for number, cents in enumerate(draw.integers(1, 10_000, plans - TABLE_PLANS).tolist(), start=TABLE_PLANS):
        versions = [(START, CHANGE, cents), (CHANGE, None, cents + 1)] if number % 5 == 0 else [(START, None, cents)]
        rows = [f"  - {_version_text(number, *version)}" for version in versions]
        yield "\n".join([f"kind: price_plan\ncode: plan-{number}\ncurrency: EUR\nversions:", *rows])


def _version_text(number: int, start: str, end: str | None, cents: int) -> str:
    price, half = f"0.{cents:04d}", f"0.{cents * 5:05d}"
    until = "" if end is None else f'end: "{end}", '
    model = MODELS[number % len(MODELS)]
    own = {
        "seconds": f'model: flat, per: 1 s, price: "{price}", connection_fee: "0.02"',
        "minutes": f'model: flat, per: 1 min, price: "{price}", increments: {{first: 60 s, next: 30 s}}',
        "bands": f'model: flat, per: 1 min, price: {{peak: "{price}", offpeak: "{half}"}}, calendar: hours',
        "tiers": f'model: graduated, per: 1 min, counter: minutes, tiers: [{{up_to: 60 min, price: "0"}}, '
        f'{{up_to: 300 min, price: "{price}"}}, {{price: "{half}"}}]',
        "reached": f'model: volume, per: 1 GB, counter: volume, tiers: [{{up_to: 10 GB, price: "{price}"}}, '
        f'{{price: "{half}"}}]',
        "blocks": f'model: package, per: 100 MB, price: "{price}", free: 1 GB, counter: volume',
    }
    return f'{{start: "{start}", {until}{own[model]}}}'


def _offer_texts(plans: int) -> Iterator[str]:
    for number in range(TABLE_PLANS):
        yield f"{{kind: charge, code: world-{number}, event_type: call, priority: 200, price_plan: world-{number}}}"
    for number in range(TABLE_PLANS, plans):
        event_type = "data" if MODELS[number % len(MODELS)] in ("reached", "blocks") else "call"
        asks = f"filters: {{zone: zone-{number % 50}}}, " if event_type == "call" else ""
        yield f"{{kind: charge, code: charge-{number}, event_type: {event_type}, {asks}price_plan: plan-{number}}}"
    for number in range(offer_count(plans)):
        first = TABLE_PLANS + number * CHARGES_PER_OFFER
        own = [f"charge-{place}" for place in range(first, min(plans, first + CHARGES_PER_OFFER))]
        charges = ", ".join([*own, f"world-{number % TABLE_PLANS}"])
        yield f"{{kind: offer, code: offer-{number}, charges: [{charges}]}}"


def offer_count(plans: int) -> int:
    """Return how many offers a catalog with so many plans has."""
    return -(-(plans - TABLE_PLANS) // CHARGES_PER_OFFER)


def destination_rows(draw: Generator, prefixes: int) -> pl.DataFrame:
    """Return so many prefixes of 3 to 9 digits with a price for each band; one in ten changes its price at CHANGE."""
    number = _distinct(draw, prefixes)
    cents = draw.integers(1, 30_000, prefixes)
    rows = pl.DataFrame({"prefix": number, "cents": cents, "part": draw.integers(0, 10, prefixes)}).select(
        pl.col("prefix").cast(pl.String),
        destination=pl.lit("destination ") + (pl.col("prefix") % 1000).cast(pl.String),
        peak=_price(pl.col("cents") * 2),
        offpeak=_price(pl.col("cents")),
        changes=pl.col("part") == 0,
    )
    closed = pl.when("changes").then(pl.lit(CHANGE))
    later = rows.filter("changes").with_columns(peak="offpeak", start=pl.lit(CHANGE), end=pl.lit(None, pl.String))
    return (
        pl.concat([rows.with_columns(start=pl.lit(None, pl.String), end=closed), later])
        .drop("changes")
        .rename({"peak": "price.peak", "offpeak": "price.offpeak"})
    )


def _distinct(draw: Generator, count: int) -> Int64Array:
    """Return so many distinct numbers of 3 to 9 digits, most of them long, in random order."""
    found = np.empty(0, np.int64)
    while len(found) < count:
        digits = draw.choice(np.arange(3, 10), count, p=[0.001, 0.009, 0.03, 0.11, 0.25, 0.3, 0.3])
        low = 10 ** (digits - 1)
        found = np.unique(np.concatenate([found, low + draw.integers(0, 9 * low)]))
    return draw.permutation(found)[:count]


def _price(units: pl.Expr) -> pl.Expr:
    return pl.lit("0.") + units.cast(pl.String).str.zfill(5)


def _subscription_rows(draw: Generator, plans: int, subscriptions: int) -> pl.DataFrame:
    number = pl.DataFrame(
        {"number": np.arange(subscriptions), "offer": draw.integers(0, offer_count(plans), subscriptions)}
    )
    code = pl.col("number").cast(pl.String).str.zfill(8)
    return number.select(
        account=pl.lit("a") + code,
        currency=pl.lit("EUR"),
        subscription=pl.lit("s") + code,
        offer=pl.lit("offer-") + pl.col("offer").cast(pl.String),
        access_point=pl.lit("336") + code,
        start=pl.lit(START),
        prepaid_balance=pl.when(pl.col("number") % 10 == 0).then(pl.lit("20")),
    )
