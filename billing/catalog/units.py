"""Units of measure that a catalog declares: dimensions of their own, and multiples of other units."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from billing.catalog.models import Documents, Entry, Fault, Problems
from billing.catalog.wording import choose
from schemas.money import CURRENCY_DECIMALS
from schemas.price_plan import UnitDocument
from schemas.quantity import BUILT_IN_UNITS, STEPS_MAX, Unit


def known_units(documents: Documents, problems: Problems) -> dict[str, Unit]:
    """Return built-in and declared units by code, having said what is wrong with those that are not among them.

    A declared unit is its own dimension, named "unit/CODE", unless it is so many `of` another one, which may be declared so
    too: then it is of that one's dimension.
    """
    units = dict(BUILT_IN_UNITS)
    waiting: dict[str, Entry[UnitDocument]] = {}
    for code, entry in sorted(documents.of(UnitDocument).items()):
        if code in BUILT_IN_UNITS:
            problems.at(entry, ("code",), f'the unit "{code}" is built in', "remove the document, or rename the unit")
        elif not _is_whole(entry, problems):
            documents.broken.add(("unit", code))
        elif entry.document.of is None:
            units[code] = Unit(code, f"unit/{code}", 10**entry.document.decimals)
        else:
            waiting[code] = entry
    while True:
        ready = [code for code, entry in waiting.items() if entry.document.of in units]
        for code in ready:
            entry = waiting.pop(code)
            found = _multiple(entry, units[str(entry.document.of)], problems)
            if found is not None:
                units[code] = found
            else:
                documents.broken.add(("unit", code))
        if not ready:
            break
    _tell_the_lost(waiting, units, documents, problems)
    return units


def _is_whole(entry: Entry[UnitDocument], problems: Problems) -> bool:
    """Return whether a document says all or nothing of another unit, having said what is missing or too much."""
    unit, before = entry.document, problems.count
    if unit.of is None and unit.factor is not None:
        problems.at(entry, ("factor",), "a factor needs a unit to be a multiple of", "add `of: UNIT`", key=True)
    if unit.of is not None and unit.factor is None:
        fix = f'add `factor: "N"`: how many {unit.of} make one {unit.code}'
        problems.at(entry, ("of",), f"it is not said how many {unit.of} it is worth", fix)
    if unit.of is not None and "decimals" in unit.model_fields_set:
        message = f"quantities in {unit.code} are as fine as those in {unit.of}"
        problems.at(entry, ("decimals",), message, "remove `decimals`", key=True)
    if unit.of is not None and unit.code in CURRENCY_DECIMALS:
        problems.at(entry, ("code",), f'"{unit.code}" is a currency, which has no fixed worth', "rename the unit")
    return problems.count == before


def _multiple(entry: Entry[UnitDocument], base: Unit, problems: Problems) -> Unit | None:
    """Return the unit that is so many of another one, None where it is no whole number of steps, having said so."""
    document = entry.document
    over, _, under = str(document.factor).partition("/")
    divisor = Fraction(under or 1)
    steps = Fraction(over) * base.step_count / divisor if divisor else Fraction(0)
    if steps == 0:
        problems.at(entry, ("factor",), f'"{document.factor}" is not above zero', "write a factor above zero")
    elif steps.denominator != 1:
        message = f"1 {document.code} would be {steps} steps of {base.dimension}, of which 1 {base.code} has {base.step_count}"
        fix = "write a coarser factor" + (
            f", or give the unit {base.dimension.removeprefix('unit/')} more `decimals`"
            if base.dimension.startswith("unit/")
            else ", or declare a unit of its own with more `decimals` to be `of`"
        )
        problems.at(entry, ("factor",), message, fix)
    elif steps > STEPS_MAX:
        message = f"1 {document.code} would be {steps} steps of {base.dimension}, {STEPS_MAX} at most"
        problems.at(entry, ("factor",), message, "write a smaller factor")
    else:
        return Unit(document.code, base.dimension, int(steps), document.of, document.factor)
    return None


def _tell_the_lost(
    waiting: Mapping[str, Entry[UnitDocument]], units: Mapping[str, Unit], documents: Documents, problems: Problems
) -> None:
    """Say of what is no unit that the others are multiples: what is unknown, and rings."""
    documents.broken |= {("unit", code) for code in waiting}
    for code, entry in waiting.items():
        of = str(entry.document.of)
        if of not in waiting:
            if not documents.may_be("unit", of):
                problems.at(entry, ("of",), f'the unit "{of}" is unknown', choose(of, units), Fault.UNKNOWN_NAME)
            continue
        ring = [code]
        while of in waiting and of not in ring:
            ring.append(of)
            of = str(waiting[of].document.of)
        if of == code and code == min(ring):
            message = f"a unit is no multiple of itself: {' → '.join([*ring, code])}"
            problems.at(entry, ("of",), message, "say of one of them what it is worth otherwise")
