"""The one price that an item has beside what is free, as far as arrays tell: whole columns from the version's document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from apps.embedded.virtual_texts import plain
from rating.reference_shapes import steps, tiers_of
from schemas.arrays import BoolArray, Int64Array
from schemas.catalog import Catalog
from schemas.price_plan import PriceVersion

SINGLE = ("package", "event", "value")
"""Models with one price for something else than the quantity."""
MODELS = ("flat", "graduated", "volume", "stair_step", *SINGLE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the items of one charge version cost, as far as arrays tell: all (n,).

    Attributes:
        price: place in `texts`. free: base steps that cost nothing, -1 where that is not known. fee: place in `texts`.
    """

    texts: list[str | None]
    price: Int64Array
    free: Int64Array
    fee: Int64Array


def parts_of(
    version: PriceVersion,
    catalog: Catalog,
    bands: list[str],
    *,
    rated: Int64Array,
    before: Int64Array,
    tier: Int64Array,
    band: Int64Array,
) -> Parts:
    """Return the one unit price of each item of a version, where it has one beside what is free, and the fee.

    Args:
        bands: the names of its calendar's bands. rated, before: (n,) base steps. tier, band: (n,) from 0.
    """
    n = len(rated)
    unknown = np.full(n, -1, np.int64)
    if (
        n and int(rated.min()) < 0
    ):  # usage taken back has the price of the same usage on the counter as it is afterwards
        back = rated < 0
        before = np.where(back, before + rated, before)
        found = parts_of(version, catalog, bands, rated=np.abs(rated), before=before, tier=tier, band=band)
        return replace(found, free=np.where(back, -1, found.free))
    rounds = version.rounding.unit_price is not None or version.rounding.increment is not None
    if version.model not in MODELS or version.prices is not None or rounds:
        return Parts([], unknown, unknown, unknown)
    fee_text = plain(version.connection_fee) if version.connection_fee is not None else None
    fee = np.where(rated > 0, 0, -1) if fee_text is not None else unknown
    texts: list[str | None] = [fee_text]
    if version.model == "stair_step":
        return Parts(texts, unknown, np.zeros(n, np.int64), fee)
    rows = [version.price] if version.model in SINGLE else [each.price for each in tiers_of(version)]
    columns = max(1, len(bands))
    prices = [[_of_band(row, bands, column) for column in range(columns)] for row in rows]
    texts += [plain(each) for row in prices for each in row]
    zero = np.array([[each == 0 for each in row] for row in prices], np.bool_)
    differs = version.crossing != "start" and any(len(set(row)) > 1 for row in prices)
    if version.model in SINGLE:
        first = steps(version.free, catalog) if version.free is not None else 0
        free = np.clip(first - before, 0, rated) if version.model == "package" else np.zeros(n, np.int64)
        return Parts(texts, np.where(rated > 0, 1 + band, -1), free, fee)
    if version.model == "volume":
        paid_tier, single, free = tier, rated > 0, np.where(zero[tier, band], rated, 0)
    else:
        paid_tier, single, free = _by_tier(version, catalog, zero, rated, before, band)
    if differs:
        return Parts(texts, unknown, unknown if zero.any() else np.zeros(n, np.int64), fee)
    return Parts(texts, np.where(single, 1 + paid_tier * columns + band, -1), free, fee)


def _by_tier(
    version: PriceVersion, catalog: Catalog, zero: BoolArray, rated: Int64Array, before: Int64Array, band: Int64Array
) -> tuple[Int64Array, BoolArray, Int64Array]:
    """Return (the tier that costs something, or one that costs nothing; whether there is just one; free base steps)."""
    paid_tier, paid, free = (np.zeros(len(rated), np.int64) for _ in range(3))
    low = 0
    for place, each in enumerate(tiers_of(version)):
        high = steps(each.up_to, catalog) if each.up_to is not None else 2**63 - 1
        # the first tier reaches below zero, where what was carried over lies
        part = np.clip(np.minimum(high, before + rated) - (np.maximum(low, before) if low else before), 0, None)
        is_zero = zero[place, band]
        free += np.where(is_zero, part, 0)
        costs = (part > 0) & ~is_zero
        paid += costs
        paid_tier = np.where(costs | ((part > 0) & (paid == 0)), place, paid_tier)
        low = high
    return paid_tier, (rated > 0) & (paid <= 1), free


def _of_band(row: Decimal | dict[str, Decimal] | None, bands: list[str], column: int) -> Decimal:
    return row[bands[column]] if isinstance(row, dict) else row or Decimal(0)
