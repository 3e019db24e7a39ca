"""The twin's formulas: an expression read off its tree in exact fractions, step by step.

Each number has a unit besides its value, because every step is bound to 126 bits of it: a number of a usage counts in its last
decimal, a constant in itself, a product in the product of the units, a sum, a choice, a least and a greatest in the coarsest
unit that all sides are whole multiples of, a rounded number in its step, a quotient of two numbers in 10**-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, gcd

from rating.explanation import fraction_text
from rating.reference_clock import to_datetime
from rating.reference_shapes import round_fraction
from rating.reference_tables import Said, UnableToPrice
from schemas.expressions import Apply, Items, Name, Node, Number, Text, Truth, names_of, parse_expression
from schemas.money import AMOUNT_ONE, RoundingMode
from schemas.price_plan import EventType, PriceVersion, utc_microseconds
from schemas.quantity import QUANTITY_MAX, Unit
from schemas.rejection import Reason

BOUND = 2**126
QUOTIENT_DECIMALS = 12


@dataclass(frozen=True)
class Measure:
    """A number and the unit that it counts in; a constant is one that no usage changes."""

    value: Fraction
    unit: Fraction
    constant: bool = False


@dataclass(frozen=True)
class Refused:
    """What could not be computed: why, and in words."""

    reason: Reason
    words: str


Result = Measure | Refused | bool | str | int | date


@dataclass(frozen=True)
class Usage:
    """What a formula may read: of the event type, what the usage says by name, and quantities in the event type's unit."""

    event_type: EventType
    said: Mapping[str, Said]
    constants: Mapping[str, Fraction]
    unit: Unit
    rated: int
    before: int
    event_at: int
    charged: int = 0


def usage_of(
    version: PriceVersion,
    event_type: EventType,
    said: Mapping[str, Said],
    band: str | None,
    unit: Unit,
    rated: int,
    before: int,
    event_at: int,
) -> Usage:
    """Return what the formula of a version may read: `band` is the time band, quantities are base steps of `unit`."""
    constants = {
        name: Fraction(value[band or ""] if isinstance(value, dict) else value)
        for name, value in version.constants.items()
    }
    return Usage(event_type, said, constants, unit, rated, before, event_at)


def formula_amount(version: PriceVersion, usage: Usage) -> tuple[Fraction, str]:
    """Return what the formula of a version makes of a usage, and that in words.

    Raises:
        UnableToPrice: when it gives no amount, or one of its steps is too large.
    """
    if usage.rated > QUANTITY_MAX:
        raise UnableToPrice(Reason.AMOUNT_OVERFLOW, "the quantity is too large")
    tree = parse_expression(version.formula or "")
    found = _evaluate(tree, usage)
    if isinstance(found, Measure) and found.value >= 0:
        read = ((name, _evaluate(Name(0, name), usage)) for name in sorted(names_of(tree)))
        told = ", ".join(f"{name} {_words(value)}" for name, value in read)
        return found.value, f"formula {version.formula} with {told or 'constants only'} = {fraction_text(found.value)}"
    if isinstance(found, Measure):
        found = Refused(Reason.FORMULA_UNUSABLE, f"it gives {float(found.value):.6g}, which is below zero")
    assert isinstance(found, Refused)
    raise UnableToPrice(found.reason, f"formula {version.formula}: {found.words}")


def triggered_quantity(
    formula: str,
    event_type: EventType,
    unit: Unit,
    said: Mapping[str, Said],
    quantity: int,
    charged: int,
    event_at: int,
) -> Fraction:
    """Return what the quantity of triggered usage comes to, in the unit of its event type.

    Args:
        event_type, unit, said, event_at: of the usage that triggers it. quantity: base steps of it, charged: billionths,
            neither below zero.

    Raises:
        UnableToPrice: when it is no quantity.
    """
    found = _evaluate(parse_expression(formula), Usage(event_type, said, {}, unit, quantity, 0, event_at, charged))
    if isinstance(found, Measure) and found.value < 0:
        found = Refused(Reason.FORMULA_UNUSABLE, f"it gives {float(found.value):.6g}, which is below zero")
    if isinstance(found, Measure):
        return found.value
    assert isinstance(found, Refused)
    raise UnableToPrice(found.reason, f"formula {formula}: {found.words}")


def _evaluate(node: Node, usage: Usage) -> Result:
    if isinstance(node, Number):
        return Measure(Fraction(node.value), abs(Fraction(node.value)), constant=True)
    if isinstance(node, Truth | Text):
        return node.value
    if isinstance(node, Name):
        return _said(node, usage)
    assert isinstance(node, Apply)
    if node.operator == "has":
        name = node.arguments[0]
        assert isinstance(name, Name)
        return name.name in usage.said or name.name not in usage.event_type.values
    if node.operator == "timestamp":
        text = node.arguments[0]
        assert isinstance(text, Text)
        return utc_microseconds(datetime.fromisoformat(text.value))
    if node.operator == "in":
        needle, items = node.arguments
        assert isinstance(items, Items)
        return _among(_evaluate(needle, usage), [_evaluate(item, usage) for item in items.items])
    found = [_evaluate(argument, usage) for argument in node.arguments]
    if node.operator in ("&&", "||"):
        return _joined(found, decisive=node.operator == "||")
    if node.operator == "?:" and not isinstance(found[0], Refused):
        return _chosen(found)
    refused = next((each for each in found if isinstance(each, Refused)), None)
    return refused if refused is not None else _applied(node.operator, found)


def _words(value: Result) -> str:
    if isinstance(value, Refused):
        return "(absent)"
    if isinstance(value, Measure):
        return ("-" if value.value < 0 else "") + fraction_text(abs(value.value))
    return (
        to_datetime(value).replace(tzinfo=None).isoformat() + "Z"
        if isinstance(value, int)
        else str(value) or "(absent)"
    )


def _said(node: Name, usage: Usage) -> Result:
    name = node.name
    if name in usage.constants and not node.selected:
        return Measure(usage.constants[name], abs(usage.constants[name]), constant=True)
    if name in usage.event_type.attributes or name in usage.event_type.lookups:
        return str(usage.said.get(name, ""))
    if name in usage.event_type.values:
        value = usage.said.get(name)
        if value is None:
            return Refused(Reason.FORMULA_UNUSABLE, f"{name} is absent")
        decimals = usage.event_type.values[name].decimals
        return Measure(Fraction(value), Fraction(1, 10**decimals)) if isinstance(value, Decimal) else value
    if name == "at":
        return usage.event_at
    if name == "charged":
        return Measure(Fraction(usage.charged, AMOUNT_ONE), Fraction(1, AMOUNT_ONE))
    step = Fraction(1, usage.unit.step_count)
    return Measure((usage.rated if name == "quantity" else usage.before) * step, step)


def _among(needle: Result, items: list[Result]) -> Result:
    if isinstance(needle, Refused):
        return needle
    numbers = [item for item in [needle, *items] if isinstance(item, Measure)]
    if numbers and _too_large(numbers, _common(numbers)):
        return _overflow()
    return any(_equal(needle, item) for item in items)


def _joined(found: list[Result], *, decisive: bool) -> Result:
    if any(each is decisive for each in found):
        return decisive
    return next((each for each in found if isinstance(each, Refused)), not decisive)


def _chosen(found: list[Result]) -> Result:
    """Return one of two choices; both are computed, but only the chosen one may refuse."""
    chosen = found[1] if found[0] else found[2]
    numbers = [each for each in found[1:] if isinstance(each, Measure)]
    if isinstance(chosen, Measure) and len(numbers) == 2:
        unit = _common(numbers)
        return _overflow() if _too_large([chosen], unit) else Measure(chosen.value, unit)
    return chosen


def _applied(operator: str, found: list[Result]) -> Result:
    numbers = [each for each in found if isinstance(each, Measure)]
    if operator == "!":
        return not found[0]
    if operator == "startsWith":
        return str(found[0]).startswith(str(found[1]))
    if operator in ("==", "!=", "<", "<=", ">", ">="):
        if numbers and _too_large(numbers, _common(numbers)):
            return _overflow()
        return _compared(operator, found[0], found[1])
    if operator == "-" and len(numbers) == 1:
        return Measure(-numbers[0].value, numbers[0].unit, numbers[0].constant)
    if operator in ("floor", "ceil", "round"):
        return _stepped(operator, numbers)
    if operator in ("*", "/"):
        return _product(*numbers) if operator == "*" else _quotient(*numbers)
    values = [number.value for number in numbers]
    if operator in ("min", "max"):
        value = min(values) if operator == "min" else max(values)
    else:
        value = values[0] + values[1] if operator == "+" else values[0] - values[1]
    if all(number.constant for number in numbers):
        return Measure(value, abs(value), constant=True)
    unit = _common(numbers)
    found_now = Measure(value, unit)
    return _overflow() if _too_large([*numbers, found_now], unit) else found_now


def _product(one: Measure, other: Measure) -> Result:
    value = one.value * other.value
    if one.constant and other.constant:
        return Measure(value, abs(value), constant=True)
    if one.constant or other.constant:
        constant, number = (one, other) if one.constant else (other, one)
        return Measure(value, number.unit * (abs(constant.value) or 1))
    found = Measure(value, one.unit * other.unit)
    return _overflow() if _too_large([found], found.unit) else found


def _quotient(one: Measure, other: Measure) -> Result:
    if other.value == 0:
        return Refused(Reason.FORMULA_UNUSABLE, "it divides by zero")
    if other.constant:
        return _product(one, Measure(1 / other.value, abs(1 / other.value), constant=True))
    unit = Fraction(1, 10**QUOTIENT_DECIMALS)
    ratio = (one.unit or 1) / other.unit / unit
    dividend = one.value / (one.unit or 1) * ratio.numerator
    divisor = other.value / other.unit * ratio.denominator
    if abs(dividend) >= BOUND or abs(divisor) >= 2**63:
        return _overflow()
    rounded = round_fraction(one.value / other.value, QUOTIENT_DECIMALS, RoundingMode.HALF_EVEN)
    return Measure(rounded * unit, unit)


def _stepped(operator: str, numbers: list[Measure]) -> Result:
    number = numbers[0]
    step = numbers[1].value if len(numbers) > 1 else Fraction(1)
    ratio = (number.unit or 1) / step
    if abs(number.value / (number.unit or 1) * ratio.numerator) >= BOUND:
        return _overflow()
    steps = number.value / step
    whole = {"floor": floor, "ceil": ceil, "round": lambda value: round_fraction(value, 0, RoundingMode.HALF_UP)}
    return Measure(whole[operator](steps) * step, step)


def _compared(operator: str, one: Result, other: Result) -> bool:
    if operator in ("==", "!="):
        return _equal(one, other) is (operator == "==")
    low, high = (one, other) if operator in ("<", "<=") else (other, one)
    left, right = _ordered(low), _ordered(high)
    return bool(left < right or (operator in ("<=", ">=") and left == right))


def _equal(one: Result, other: Result) -> bool:
    if isinstance(one, date) or isinstance(other, date):
        return _ordered(one) == _ordered(other)
    return _plain(one) == _plain(other)


def _plain(value: Result) -> Fraction | str | int:
    if isinstance(value, Measure):
        return value.value
    assert isinstance(value, str | int)
    return value


def _ordered(value: Result) -> Fraction | int:
    if isinstance(value, Measure):
        return value.value
    if isinstance(value, str):
        return date.fromisoformat(value).toordinal()
    if isinstance(value, date):
        return value.toordinal()
    assert isinstance(value, int)
    return value


def _common(numbers: list[Measure]) -> Fraction:
    unit = Fraction(0)
    for number in numbers:
        whole = gcd(unit.numerator * number.unit.denominator, number.unit.numerator * unit.denominator)
        unit = Fraction(whole, unit.denominator * number.unit.denominator)
    return unit or Fraction(1)


def _too_large(numbers: list[Measure], unit: Fraction) -> bool:
    return any(abs(number.value / unit) >= BOUND for number in numbers)


def _overflow() -> Refused:
    return Refused(Reason.AMOUNT_OVERFLOW, "a step of it is too large")
