"""Units of measure and the integer scale of quantities.

A quantity is an int64 in the *base step* of its dimension: a unit is worth `step_count` steps, so that one integer type
holds seconds, bytes, watt-hours and events without a float anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any

from schemas.money import EXACT

QUANTITY_MAX = 2**62
"""Largest magnitude of one scaled quantity; what exceeds it is rejected (QUANTITY_OVERFLOW)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of measure.

    Attributes:
        code: what catalogs and sources write ("min", "kWh", "GB").
        dimension: units of one dimension convert into each other.
        step_count: how many base steps one unit is worth (exact).
        of, factor: the unit that a catalog says it is so many of, as written there; None where it is nothing but itself.
    """

    code: str
    dimension: str
    step_count: int
    of: str | None = None
    factor: str | None = None


def _family(dimension: str, **steps: int) -> dict[str, Unit]:
    return {code: Unit(code, dimension, count) for code, count in steps.items()}


BUILT_IN_UNITS: dict[str, Unit] = {
    # time: base step 1 ms
    **_family("time", ms=1, s=1_000, min=60_000, h=3_600_000),
    # data: base step 1 byte; decimal and binary multiples are different units
    **_family("data", B=1, kB=10**3, MB=10**6, GB=10**9, TB=10**12, KiB=2**10, MiB=2**20, GiB=2**30, TiB=2**40),
    # active energy: base step 1 mWh
    **_family("energy", mWh=1, Wh=10**3, kWh=10**6, MWh=10**9),
    # apparent power: base step 1 VA
    **_family("apparent_power", VA=1, kVA=10**3),
    # countable things: base step 1
    **_family("count", event=1),
}
"""Units every installation has. A catalog may declare more (`kind: unit`), each its own dimension, with its decimals, or so
many of another one."""
STEPS_MAX = 10**15
"""Base steps that a declared unit is worth at most."""


def converted_units(said: Any, units: Mapping[str, Unit]) -> list[Unit]:
    """Return the units with a factor in which quantities ("3 therm") are written in JSON data, in order of code."""
    declared = {code for code, unit in units.items() if unit.of is not None}
    return (
        [units[code] for code in sorted(declared & {text.partition(" ")[2] for text in _texts(said)})]
        if declared
        else []
    )


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for value in said.values():
            yield from _texts(value)
    elif isinstance(said, (list, tuple)):
        for value in said:
            yield from _texts(value)


def describe_quantity(steps: int, unit: Unit) -> Decimal:
    """Return a scaled quantity in `unit` as an exact Decimal where it terminates, else to 18 significant digits."""
    return Decimal(int(steps)) / Decimal(unit.step_count)


def parse_quantity(text: str, units: Mapping[str, Unit]) -> tuple[int, Unit]:
    """Return the quantity written "NUMBER UNIT" as (base steps, unit).

    Raises:
        KeyError: when no unit has that code.
        ValueError: when the text has another form, is no whole number of base steps, or exceeds QUANTITY_MAX.
    """
    number, _, code = text.partition(" ")
    unit = units[code]
    try:
        steps = EXACT.multiply(Decimal(number), Decimal(unit.step_count))
        if steps != steps.to_integral_value() or abs(steps) > QUANTITY_MAX:
            raise ValueError(f"{text} is not a whole number of base steps, or is too large")
    except DecimalException as error:
        raise ValueError(f"{text} is not a quantity that can be held exactly") from error
    return int(steps), unit
