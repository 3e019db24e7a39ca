"""Rules of units that wallets hold and usage is priced in: decimal multiples of a base step, one price for a quantity."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS
from schemas.price_plan import PricePlan, PriceVersion

PRICED_BY = frozenset({"start", "end", "model", "per", "price", "increments", "minimum_quantity", "rounding", "state"})
"""What a version in units may say."""
STEPS = frozenset(10**decimals for decimals in range(AMOUNT_DECIMALS + 1))


def check_held_unit(ctx: Context, entry: Entry[Any], path: Path, code: str) -> bool:
    """Return whether wallets may hold a unit, having said why not: it is known, and so many decimals tell all of its steps."""
    unit, before = ctx.units.get(code), ctx.problems.count
    if unit is None and ctx.documents.may_be("unit", code):
        return False
    if unit is None or code in CURRENCY_DECIMALS:
        known = [*CURRENCY_DECIMALS, *(each for each, found in ctx.units.items() if found.step_count in STEPS)]
        message = f'octroi does not bill in the currency "{code}", and there is no such unit'
        ctx.problems.at(entry, path, message, choose(code, known))
    elif unit.step_count not in STEPS:
        alike = [each for each, found in ctx.units.items() if found.dimension == unit.dimension]
        fine = [each for each in alike if ctx.units[each].step_count in STEPS]
        message = f"1 {code} is {unit.step_count} steps: {AMOUNT_DECIMALS} decimals cannot tell them apart"
        ctx.problems.at(entry, path, message, f"use one of {', '.join(fine)}")
    return ctx.problems.count == before


def check_unit_plan(ctx: Context, entry: Entry[PricePlan]) -> None:
    """Check a plan that prices in units: each version has one price for a quantity, and nothing else that costs."""
    if check_held_unit(ctx, entry, ("currency",), entry.document.currency):
        for index, version in enumerate(entry.document.versions):
            _check_version(ctx, entry, ("versions", index), version)


def _check_version(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    if version.model != "flat":
        ctx.problems.at(entry, (*path, "model"), f"a {version.model} price is none in units", "write `model: flat`")
    for name in sorted(version.model_fields_set - PRICED_BY):
        message = f"a plan that prices in units has no `{name}`"
        ctx.problems.at(entry, (*path, name), message, "remove it", key=True)
    if version.rounding.unit_price is not None or version.rounding.increment is not None:
        fix = "write `mode` and `decimals` only"
        ctx.problems.at(entry, (*path, "rounding"), "what units cost is a quantity, and rounded as an amount", fix)
    if isinstance(version.price, dict):
        ctx.problems.at(entry, (*path, "price"), "units have one price, whatever the band", "write one price")
