"""The twin's conditions: CEL evaluates them, over what one usage says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rating.reference_tables import Said, UnableToPrice
from schemas.catalog import Catalog
from schemas.expressions import USAGE, names_of, parse_expression
from schemas.price_plan import Charge, EventType
from schemas.quantity import Unit
from schemas.rejection import Reason

DIGITS_MAX = 15
"""A number with decimals and more digits is not said: CEL's numbers could not tell it from its neighbours."""


def matching_charges(
    catalog: Catalog, offer: str, event_type: str, *, said: Mapping[str, Said], quantity: int, event_at: int
) -> Iterator[Charge]:
    """Yield the charges of an offer that match a usage, the one that prices it first.

    Args:
        said: its attributes and values by name. quantity: base steps. event_at: microseconds UTC, start of the usage.

    Raises:
        UnableToPrice: when it cannot be told, because the usage lacks a value.
    """
    measured = catalog.event_types[event_type]
    unit = catalog.units[measured.unit]
    for charge in sorted(
        (catalog.charges[code] for code in catalog.offers[offer].charges), key=lambda one: one.priority
    ):
        filtered = all(said.get(name, "") == value for name, value in charge.filters.items())
        if charge.event_type == event_type and filtered:
            usage = {"quantity": quantity, "event_at": event_at}
            if charge.condition is None or holds(charge.condition, charge, measured, unit, said=said, **usage):
                yield charge


def follows(charge: Charge, catalog: Catalog, *, said: Mapping[str, Said], quantity: int, event_at: int) -> bool:
    """Return whether the next charge prices the same quantity after a charge did; arguments and errors as in `holds`."""
    if isinstance(charge.then_next, bool):
        return charge.then_next
    event_type = catalog.event_types[charge.event_type]
    asked: dict[str, Any] = {"said": said, "quantity": quantity, "event_at": event_at}
    return holds(charge.then_next, charge, event_type, catalog.units[event_type.unit], **asked)


def holds(
    condition: str,
    charge: Charge,
    event_type: EventType,
    unit: Unit,
    *,
    said: Mapping[str, Said],
    quantity: int,
    event_at: int,
) -> bool:
    """Return whether a condition of a charge holds for a usage.

    Args:
        unit: of the event type. said: its attributes and values by name. quantity: base steps.
        event_at: microseconds UTC, start of the usage.

    Raises:
        UnableToPrice: when it cannot be told, because the usage lacks a value.
    """
    words = _words(event_type, unit, said, quantity, event_at)
    # importing CEL takes a third of a second, which most never need
    import cel

    try:
        return bool(cel.evaluate(condition, {**words, USAGE: words}))
    except Exception as error:
        asked = names_of(parse_expression(condition))
        absent = ", ".join(sorted(asked - set(words))) or "a value"
        message = f"condition {condition} of the charge {charge.code}: {absent} is absent"
        raise UnableToPrice(Reason.CONDITION_UNDECIDED, message) from error


def cel_accepts(text: str) -> str | None:
    """Return what CEL finds wrong with an expression, None when nothing."""
    import cel

    try:
        cel.compile(text)
    except ValueError as error:
        return str(error).partition("\n")[0]
    return None


def _words(event_type: EventType, unit: Unit, said: Mapping[str, Said], quantity: int, event_at: int) -> dict[str, Any]:
    """Return what a usage says as CEL's own values; an attribute that it lacks is an empty text."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    words: dict[str, Any] = {"at": epoch + timedelta(microseconds=event_at)}
    words |= _number("quantity", quantity, unit.step_count)
    words |= dict.fromkeys((*event_type.attributes, *event_type.lookups), "")
    for name, value in said.items():
        type_ = event_type.values.get(name)
        if isinstance(value, Decimal):
            power: int = 10 ** (type_.decimals if type_ is not None else 0)
            words.pop(name, None)
            words |= _number(name, int(value * power), power)
        elif isinstance(value, int):
            words[name] = epoch + timedelta(microseconds=value)
        else:
            words[name] = value.isoformat() if isinstance(value, date) else value
    return words


def _number(name: str, steps: int, power: int) -> dict[str, Any]:
    """Return a number of so many steps, `power` of which are 1, by its name; nothing where CEL has no number like it."""
    if power == 1:
        return {name: steps}
    return {name: float(Fraction(steps, power))} if abs(steps) < 10**DIGITS_MAX else {}
