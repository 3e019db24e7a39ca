"""The twin of accumulators and notifications: one value by name for each thing, one item after another, no arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from rating_world import Use, World

from rating.reference import find_charge_version, period_at, to_datetime
from rating.reference_block import ReferenceItem
from schemas.catalog import Catalog
from schemas.price_plan import Counter, PriceVersion

BILLION = 10**9
PERIODS_KEPT = 4


@dataclass(frozen=True, order=True)
class Told:
    """One crossing: of which usage, of what (a counter with holder and period, or a wallet), and the values."""

    row: int
    thing: tuple[str, ...]
    level: int
    before: int
    after: int


@dataclass
class NotifyTwin:
    """Values of accumulators by (holder, counter, period mod 4), each with its period."""

    world: World
    accumulated: dict[tuple[str, str, int], tuple[int, int]] = field(default_factory=dict)

    def take(self, uses: Sequence[Use], items: Sequence[ReferenceItem]) -> list[Told]:
        """Return what a block tells, in order; accumulators grow."""
        return [
            told for row, (use, item) in enumerate(zip(uses, items, strict=True)) for told in self._one(row, use, item)
        ]

    def _one(self, row: int, use: Use, item: ReferenceItem) -> Iterator[Told]:
        if item.reason != 0 or item.charge_version is None:
            return
        catalog = self.world.catalog
        charge, version = find_charge_version(catalog, item.charge_version)
        if version.counter is not None:
            counter = catalog.counters[version.counter]
            after = item.counter_before + item.rated_quantity
            thing = self._thing(use, counter, counter.code)
            yield from _risen(row, thing, levels(catalog, counter), item.counter_before, after)
        offer = next(
            row["offer"] for row in catalog.subscriptions.to_dicts() if row["subscription"] == use.subscription
        )
        for code in (*charge.accumulate, *catalog.offers[offer].accumulate):
            counter = catalog.counters[code]
            name = self._name(use, counter)
            by = item.rated_quantity
            if counter.function == "amount":
                by = 0 if catalog.price_plans[charge.price_plan].in_units else item.amount
            grown = self._grow(use, counter, name, by)
            if grown is not None:
                yield from _risen(row, self._thing(use, counter, name), levels(catalog, counter), *grown)
        for movement in item.movements:
            before = movement.balance_after + movement.amount
            for level in sorted(balances_told(catalog, movement.wallet), reverse=True):
                if before > level >= movement.balance_after:
                    yield Told(row, ("wallet", movement.wallet), level, before, movement.balance_after)

    def _name(self, use: Use, counter: Counter) -> str:
        """Return the counter, and which value it counts this usage by. Lookups are by attributes that are there."""
        if counter.by is None:
            return counter.code
        catalog = self.world.catalog
        event_type = catalog.event_types[use.event_type]
        said = use.attributes.get(counter.by)
        if counter.by in event_type.lookups:
            lookup = event_type.lookups[counter.by]
            rows = catalog.lookup_tables[lookup.table].frame.to_dicts()
            said = next((row["code"] for row in rows if row["key"] == use.attributes.get(lookup.of)), None)
        return f"{counter.code}={said if said in counter.values else '*'}"

    def _thing(self, use: Use, counter: Counter, name: str) -> tuple[str, ...]:
        local = to_datetime(use.at).astimezone(ZoneInfo(counter.zone))
        form = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}.get(counter.period)
        holder = self.world.twin.holder(use.subscription, counter)
        return "counter", holder, name, local.strftime(form) if form else ""

    def _grow(self, use: Use, counter: Counter, name: str, by: int) -> tuple[int, int] | None:
        """Return the value before and after; None where the period is over."""
        period = period_at(counter.period, to_datetime(use.at).astimezone(ZoneInfo(counter.zone)))
        key = (self.world.twin.holder(use.subscription, counter), name, period % PERIODS_KEPT)
        kept, value = self.accumulated.get(key, (period, 0))
        if kept > period:
            return None
        before = value if kept == period else 0
        self.accumulated[key] = period, before + by
        return before, before + by


def _risen(row: int, thing: tuple[str, ...], some: list[int], before: int, after: int) -> Iterator[Told]:
    for level in some:
        if before < level <= after:
            yield Told(row, thing, level, before, after)


def levels(catalog: Catalog, counter: Counter) -> list[int]:
    """Return the levels of a counter in base steps or billionths, ascending."""
    found = []
    for text in counter.notify:
        number, unit = text.split(" ")
        if unit == "%":
            found.append(ceil(Fraction(number) * whole(catalog, counter) / 100))
        else:
            found.append(
                int(Decimal(number) * (BILLION if counter.function == "amount" else catalog.units[unit].step_count))
            )
    return sorted(found)


def whole(catalog: Catalog, counter: Counter) -> int:
    """Return what per cent of a counter are of."""
    text = counter.roll_over.of if counter.roll_over is not None else None
    for plan in catalog.price_plans.values():
        for version in plan.versions:
            text = text or (_first(version) if version.counter == counter.code else None)
    assert text is not None
    number, unit = text.split(" ")
    return int(Decimal(number) * catalog.units[unit].step_count)


def _first(version: PriceVersion) -> str | None:
    return version.tiers[0].up_to if version.tiers is not None else version.free


def balances_told(catalog: Catalog, wallet: str) -> list[int]:
    """Return the levels of "account/wallet" in billionths."""
    return [row["level"] for row in catalog.wallet_levels.to_dicts() if f"{row['account']}/{row['wallet']}" == wallet]


def told_in(batch: pa.RecordBatch | None, world: World) -> list[Told]:
    """Return what a batch of notifications says in the twin's words, in its order."""
    return [] if batch is None else [_told(row, world) for row in batch.to_pylist()]


def _told(row: dict[str, Any], world: World) -> Told:
    if row["wallet"] >= 0:
        thing: tuple[str, ...] = ("wallet", world.vocabulary.wallets.name(row["wallet"]))
    else:
        thing = ("counter", row["holder"], row["counter"], row["period"])
    return Told(row["record"], thing, int(row["level"]), int(row["before"]), int(row["after"]))
