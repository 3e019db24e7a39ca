"""Levels of counters as numbers: what "80 %" is of, and how much "5 GB" or "50 EUR" is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import ceil

from schemas.money import AMOUNT_ONE
from schemas.price_plan import Counter, PriceVersion
from schemas.quantity import Unit, parse_quantity

PERCENT = " %"


def money_unit(currency: str) -> Unit:
    """Return a currency as the unit of a counter that counts amounts, a dimension of its own: its step is a billionth."""
    return Unit(currency, f"amount/{currency}", AMOUNT_ONE)


def unit_of(counter: Counter, units: Mapping[str, Unit]) -> Unit:
    """Return the unit of a counter.

    Raises:
        KeyError: when it counts quantities in a unit that is unknown.
    """
    return money_unit(counter.unit) if counter.function == "amount" else units[counter.unit]


def whole_of(counter: Counter, versions: Iterable[PriceVersion], units: Mapping[str, Unit]) -> int | None:
    """Return what per cent of a counter are of, in base steps; None where there is no such thing, or several.

    That is its ceiling, the allowance that rolls over, else the free part or first tier of the versions that run on it.

    Raises:
        KeyError, ValueError: when a quantity is none.
    """
    if counter.ceiling is not None:
        return parse_quantity(counter.ceiling, units)[0]
    if counter.roll_over is not None:
        return parse_quantity(counter.roll_over.of, units)[0]
    found = set()
    for version in versions:
        first = version.free if version.tiers is None else version.tiers[0].up_to
        if version.counter == counter.code and first is not None:
            found.add(parse_quantity(first, units)[0])
    return found.pop() if len(found) == 1 else None


def level_of(text: str, whole: int | None, unit: Unit, units: Mapping[str, Unit]) -> int:
    """Return a level in base steps of `unit`: the least whole number that is not below it.

    Args:
        whole: what per cent are of, in base steps.

    Raises:
        KeyError: when its unit is unknown.
        ValueError: when it has another form, measures something else, is of nothing, or exceeds what a counter holds.
    """
    if text.endswith(PERCENT):
        if whole is None:
            raise ValueError(f"{text} is of nothing")
        level = ceil(Fraction(text.removesuffix(PERCENT)) * whole / 100)
        if level >= 2**62:
            raise ValueError(f"{text} is too large")
        return level
    found, written = parse_quantity(text, {**units, unit.code: unit})
    if written.dimension != unit.dimension:
        raise ValueError(f"{text} measures {written.dimension}, not {unit.dimension}")
    return found
