"""What conditions and formulas may read of a usage: names, what they are, and the instructions that push them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from rating.kernels import operations as op
from rating.kernels.layout import VALUE_SLOTS
from schemas.money import AMOUNT_DECIMALS
from schemas.price_plan import EventType
from schemas.quantity import Unit

CEL_DIGITS_MAX = 15
"""Digits of a number with decimals in a condition: so many tell all of CEL's numbers apart."""
INT64_MAX = 2**63 - 1

Kind = Literal["number", "truth", "attribute", "digits", "date", "instant"]
Instruction = tuple[int, int, int, int]
KINDS: dict[Kind, str] = {
    "number": "a number",
    "truth": "true or false",
    "attribute": "a text",
    "digits": "digits",
    "date": "a date",
    "instant": "an instant",
}


class WrongExpression(ValueError):
    """An expression asks for what is not there, or mixes what does not go together; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        """Keep the column."""
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Source:
    """Where a name is read: an instruction that pushes it, what it is, and the unit of a number."""

    kind: Kind
    load: Instruction
    unit: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may use.

    Attributes:
        names: by name. constants: numbers with a name. code_of: the id of a text that attributes may have.
        computes: whether it may compute, as formulas do; conditions compare.
    """

    names: Mapping[str, Source]
    constants: Mapping[str, Fraction] = field(default_factory=dict)
    code_of: Callable[[str], int] = lambda text: 0
    computes: bool = False


def condition_scope(event_type: EventType, unit: Unit, code_of: Callable[[str], int] = lambda text: 0) -> Scope:
    """Return what conditions over usage of an event type may use.

    A number with decimals of more than 15 digits is absent for them: CEL's own numbers could not tell it from its neighbours.
    """
    decimals = decimals_of(unit)
    names: dict[str, Source] = {"at": Source("instant", (op.OP_AT, 0, 0, 0))}
    if decimals is not None:
        limit = 10**CEL_DIGITS_MAX - 1 if decimals else INT64_MAX
        names["quantity"] = Source("number", (op.OP_QUANTITY, limit, 0, 0), Fraction(1, 10**decimals))
    return Scope(names | _usage_names(event_type, 10**CEL_DIGITS_MAX - 1), code_of=code_of)


def formula_scope(
    event_type: EventType,
    unit: Unit,
    constants: Mapping[str, Fraction],
    code_of: Callable[[str], int] = lambda text: 0,
) -> Scope:
    """Return what formulas over usage of an event type may use."""
    step = Fraction(1, unit.step_count)
    names = {
        "at": Source("instant", (op.OP_AT, 0, 0, 0)),
        "quantity": Source("number", (op.OP_QUANTITY, INT64_MAX, 0, 0), step),
        "counted": Source("number", (op.OP_COUNTED, 0, 0, 0), step),
    }
    return Scope(names | _usage_names(event_type, INT64_MAX), constants, code_of, computes=True)


def trigger_scope(event_type: EventType, unit: Unit, code_of: Callable[[str], int] = lambda text: 0) -> Scope:
    """Return what the quantity of triggered usage may be computed of: the usage, and what it is `charged`, in the currency."""
    scope = formula_scope(event_type, unit, {}, code_of)
    charged = Source("number", (op.OP_COUNTED, 0, 0, 0), Fraction(1, 10**AMOUNT_DECIMALS))
    names = {name: source for name, source in scope.names.items() if name != "counted"}
    return Scope({"charged": charged} | names, {}, code_of, computes=True)


def decimals_of(unit: Unit) -> int | None:
    """Return how many decimals a quantity in a unit has, None where its steps are no decimal fractions."""
    return next((count for count in range(19) if 10**count == unit.step_count), None)


def _usage_names(event_type: EventType, limit: int) -> dict[str, Source]:
    names: dict[str, Source] = {}
    for slot, name in enumerate(event_type.attributes):
        names[name] = Source("attribute", (op.OP_ATTRIBUTE, slot, 0, 0))
    for slot, name in enumerate(event_type.lookups):
        names[name] = Source("attribute", (op.OP_VALUE, VALUE_SLOTS + slot, INT64_MAX, 0))
    for slot, (name, type_) in enumerate(event_type.values.items()):
        most = limit if type_.decimals else INT64_MAX
        unit = Fraction(1, 10**type_.decimals)
        names[name] = Source(type_.type, (op.OP_VALUE, slot, most, 0), unit)
    return names
