"""Formulas of price versions: a program for each time band, on the scale on which the version's fee and limits are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import ceil

from rating.image_prices import INT64_MAX, WIDE_MAX, CompiledVersion, UnableToCompileImage
from rating.image_programs import Program, common_unit, compile_formula, signed
from rating.image_scopes import WrongExpression, formula_scope
from rating.kernels import operations as op
from schemas.expressions import UnableToParse
from schemas.price_plan import Calendar, EventType, PriceVersion
from schemas.quantity import Unit

BEYOND = 10**10
"""Currency units that no item can hold."""
FACTORS = (2, 5, 3, 7)
"""What a divisor above 64 bits is taken apart by."""


def constants_in(version: PriceVersion, band: str | None) -> dict[str, Fraction]:
    """Return the constants of a formula as they are in a band; None where the version has no bands."""
    return {
        name: Fraction(value[band or ""] if isinstance(value, dict) else value)
        for name, value in version.constants.items()
    }


def bands_of(calendar: Calendar | None) -> list[str | None]:
    """Return the names of the bands in which a version may have other constants."""
    return [band.name for band in calendar.bands] if calendar is not None else [None]


def compile_formulas(
    version: PriceVersion, event_type: EventType, unit: Unit, calendar: Calendar | None, code_of: Callable[[str], int]
) -> tuple[Program, ...]:
    """Return the programs of a formula, one for each band of its calendar.

    Raises:
        UnableToParse, WrongExpression: when it is none. KeyError: when a constant lacks a band.
    """
    return tuple(
        compile_formula(version.formula or "", formula_scope(event_type, unit, constants_in(version, band), code_of))
        for band in bands_of(calendar)
    )


def with_formula(
    compiled: CompiledVersion,
    version: PriceVersion,
    event_type: EventType,
    unit: Unit,
    calendar: Calendar | None,
    code_of: Callable[[str], int],
    *,
    where: str,
) -> CompiledVersion:
    """Return a compiled version with the programs of its formula, and fee, limits and divisor on their scale.

    Raises:
        UnableToCompileImage: when the formula is none, or counts in units that 64 bits cannot divide.
    """
    try:
        programs = compile_formulas(version, event_type, unit, calendar, code_of)
    except (UnableToParse, WrongExpression, KeyError) as error:
        raise UnableToCompileImage(f"{where}: {error}") from error
    fee, floor, cap = (
        Fraction(amount or Decimal(0)) for amount in (version.connection_fee, version.floor, version.cap)
    )
    scale = Fraction(1, 10**version.rounding.decimals)
    for part in (fee, floor, cap, *(program.unit for program in programs)):
        scale = common_unit(scale, part)
    divisor, extra = _two_factors(int(Fraction(1, 10**version.rounding.decimals) / scale), where)
    if max(fee, floor, cap) / scale >= 2**126:
        raise UnableToCompileImage(f"{where}: the formula counts in units too fine for the fee or the limits")
    return replace(
        compiled,
        divisor=divisor,
        extra=extra,
        fee=int(fee / scale),
        floor=int(floor / scale),
        cap=WIDE_MAX if version.cap is None else int(cap / scale),
        programs=tuple(_on_scale(program, scale, where) for program in programs),
    )


def _on_scale(program: Program, scale: Fraction, where: str) -> Program:
    """Return a program whose result counts in `scale`, so that scaling never overflows: `BEYOND` where it is more.

    Below zero, where it is no amount, it is one unit below.
    """
    factor, most = int(program.unit / scale), ceil(BEYOND / program.unit)
    if factor > INT64_MAX or most * factor >= 2**126:
        message = (
            "the formula counts in units too fine, such as millionths of millionths times others: round() a part of it"
        )
        raise UnableToCompileImage(f"{where}: {message}")
    bounded = ((op.OP_CONSTANT, most >> 64, signed(most & (2**64 - 1)), 0), (op.OP_MIN, 0, 0, 0))
    scaling = ((op.OP_CONSTANT, -1, -1, 0), (op.OP_MAX, 0, 0, 0), (op.OP_SCALE, factor, 0, 0)) if factor != 1 else ()
    return replace(program, code=(*program.code, *bounded, *scaling), unit=scale)


def _two_factors(whole: int, where: str) -> tuple[int, int]:
    """Return two factors of a number, each below 2**63, the second 1 if that will do."""
    divisor, extra = whole, 1
    for factor in FACTORS:
        while divisor > INT64_MAX and divisor % factor == 0:
            divisor //= factor
            extra *= factor
    if max(divisor, extra) > INT64_MAX:
        raise UnableToCompileImage(f"{where}: the formula counts in units too fine to be divided")
    return divisor, extra
