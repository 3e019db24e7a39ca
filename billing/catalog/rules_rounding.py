"""Rules of prices that are rounded before they price anything: what has such prices, and that they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import product

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.rules_tables import PRICE_MAX
from rating.image_prices import effective_tiers
from rating.image_rounding import common_quantity, rounded_for, rounded_price
from schemas.price_plan import PricePlan, PriceVersion

ROUNDED = ("flat", "graduated", "volume")
"""Models whose prices are for a quantity."""


def check_price_rounding(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    """Check that what is rounded is a price for a quantity, for a unit or for increments that all of it has."""
    rounding, before = version.rounding, ctx.problems.count
    for name in ("unit_price", "increment"):
        here: Path = (*path, "rounding", name)
        if getattr(rounding, name) is not None and version.model not in ROUNDED:
            article = "an" if version.model == "event" else "a"
            message = f"{article} {version.model} version has no price for a quantity, which could be rounded"
            ctx.problems.at(entry, here, message, "remove it", key=True)
    if rounding.unit_price is not None:
        ctx.positive(entry, (*path, "rounding", "unit_price", "per"), rounding.unit_price.per, dimension)
    if rounding.increment is not None:
        _check_increments(ctx, entry, (*path, "rounding", "increment"), version)
    if ctx.problems.count == before and (rounding.unit_price or rounding.increment):
        _check_sizes(ctx, entry, path, version)


def _check_increments(ctx: Context, entry: Entry[PricePlan], here: Path, version: PriceVersion) -> None:
    if version.rounding.unit_price is not None:
        ctx.problems.at(entry, here, "a price is rounded once, of a unit or of an increment", "keep one", key=True)
    increments = version.increments
    stepped = any(tier.increment is not None for tier in version.tiers or ())
    if increments is None and not stepped:
        fix = 'add `increments: {first: "6 s", next: "6 s"}`, or an `increment` to every tier'
        ctx.problems.at(entry, here, "there are no increments whose price could be rounded", fix, key=True)
    elif increments is not None and ctx.steps(increments.first) != ctx.steps(increments.next):
        message = f'the first increment, "{increments.first}", has another price than the next, "{increments.next}"'
        fix = "write tiers, each with an `increment` of its own: the first up to the first increment"
        ctx.problems.at(entry, here, message, fix, key=True)
    table = ctx.price_tables.get(version.prices) if version.prices is not None else None
    if table is not None and any(table.frame[name].null_count() < len(table.frame) for name in ("first", "next")):
        message = f'rows of the price table "{version.prices}" have increments of their own'
        ctx.problems.at(
            entry, here, message, "write `unit_price` for all rows, or leave increments to the version", key=True
        )


def _check_sizes(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check that prices are no larger than prices may be once they are those of what they are rounded for."""
    if not may_be_rounded(ctx, version):
        message = (
            f"a price becomes larger than {PRICE_MAX} when it is the price of what it is rounded for, "
            "or no quantity is a whole number of all increments"
        )
        fix = "choose a smaller unit, or increments of which one measures the others"
        ctx.problems.at(entry, (*path, "rounding"), message, fix, key=True)


def may_be_rounded(ctx: Context, version: PriceVersion, negotiated: Iterable[Decimal] | None = None) -> bool:
    """Return whether the prices of a version, or others in their place, are none too large once they are rounded."""
    per = ctx.steps(version.per) if version.per is not None else None
    if per is None:
        return True
    try:
        sold = rounded_for(version, effective_tiers(version), lambda text: ctx.steps(text) or 1)
        if sold is None:
            return True
        common = common_quantity(sold)
        pairs = _prices(ctx, version, sold) if negotiated is None else product(negotiated, sold)
        for price, of in pairs:
            rounded_price(version, price, per, of, common)
    except ValueError:
        return False
    return True


def _prices(ctx: Context, version: PriceVersion, sold: list[int]) -> Iterator[tuple[Decimal, int]]:
    written = [tier.price for tier in effective_tiers(version)] or [version.price]
    for price, of in zip(written, sold, strict=True):
        for one in price.values() if isinstance(price, dict) else [price]:
            if one is not None:
                yield one, of
    table = ctx.price_tables.get(version.prices) if version.prices is not None else None
    if table is not None:
        for column in (name for name in table.frame.columns if name.startswith("price.")):
            most = table.frame[column].max()
            if isinstance(most, int):
                yield Decimal(most).scaleb(-12), sold[-1]
