"""Conditions and formulas as programs: names and types are checked, every number is a whole multiple of a unit known here.

A number counts in its last decimal, a product in the product of both units, a sum in the coarsest unit that both sides are
multiples of. Constants are folded exactly, so that a division by a constant costs nothing and loses nothing. A quotient of two
numbers of a usage is kept to `QUOTIENT_DECIMALS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from math import gcd

import numpy as np

from rating.image_scopes import CEL_DIGITS_MAX, INT64_MAX, KINDS, Instruction, Kind, Scope, Source, WrongExpression
from rating.kernels import operations as op
from schemas.arrays import Int32Array, Int64Array
from schemas.expressions import Apply, Items, Name, Node, Number, Text, Truth, parse_expression
from schemas.price_plan import utc_microseconds
from schemas.values import DIGITS_MAX, pack_digits, prefix_range

QUOTIENT_DECIMALS = 12
"""Decimals of a quotient of two numbers that a usage brings; halves go to the even neighbour."""
INSTRUCTIONS_MAX = 400
WIDE_MAX = 2**126
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
CHOICE = "?:"


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions, the unit that their result counts in, and the constants of lists, which OP_MEMBER refers to by place."""

    code: tuple[Instruction, ...]
    unit: Fraction
    members: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled part of an expression: `constant` is a number known here, which `code` does not push yet."""

    kind: Kind
    code: tuple[Instruction, ...] = ()
    unit: Fraction = Fraction(1)
    constant: Fraction | None = None


def compile_condition(text: str, scope: Scope) -> Program:
    """Return the program of a condition.

    Raises:
        UnableToParse, WrongExpression: when it is none.
    """
    return _compiled(text, scope, "truth", "a condition is true or false")


def compile_formula(text: str, scope: Scope) -> Program:
    """Return the program of a formula.

    Raises:
        UnableToParse, WrongExpression: when it is none.
    """
    return _compiled(text, scope, "number", "a formula is a number")


def _compiled(text: str, scope: Scope, kind: Kind, wanted: str) -> Program:
    compiler = _Compiler(scope)
    node = parse_expression(text)
    part = compiler.part(node)
    if part.kind != kind:
        raise WrongExpression(f"{wanted}, this is {KINDS[part.kind]}", node.column)
    if part.constant is not None:
        part = compiler.in_unit(part, _unit_of(part) or Fraction(1), node.column)
    if len(part.code) > INSTRUCTIONS_MAX:
        raise WrongExpression(f"it takes more than {INSTRUCTIONS_MAX} steps", node.column)
    return Program(part.code, part.unit, tuple(compiler.members))


class _Compiler:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.members: list[tuple[int, ...]] = []

    def part(self, node: Node) -> Part:
        """Return a part of an expression."""
        if isinstance(node, Number):
            value = Fraction(node.value)
            if (
                not self._scope.computes
                and "." in f"{node.value:f}"
                and len(node.value.as_tuple().digits) > CEL_DIGITS_MAX
            ):
                raise WrongExpression(f"a number with decimals has at most {CEL_DIGITS_MAX} digits here", node.column)
            return Part("number", constant=value)
        if isinstance(node, Truth):
            return Part("truth", ((op.OP_CONSTANT, 0, int(node.value), 0),))
        if isinstance(node, Name):
            return self._named(node)
        if isinstance(node, Apply):
            return self._applied(node)
        what = "a list goes behind `in`" if isinstance(node, Items) else "a text is compared with what a usage says"
        raise WrongExpression(f"{what}, and nowhere else", node.column)

    def _named(self, node: Name) -> Part:
        if node.name in self._scope.constants and not node.selected:
            return Part("number", constant=self._scope.constants[node.name])
        source = self._source(node)
        return Part(source.kind, (source.load,), source.unit)

    def _source(self, node: Name) -> Source:
        if node.name not in self._scope.names:
            known = ", ".join(sorted({*self._scope.names, *self._scope.constants}))
            raise WrongExpression(f'nothing has the name "{node.name}"; there are {known}', node.column)
        return self._scope.names[node.name]

    def _applied(self, node: Apply) -> Part:
        sign, arguments = node.operator, node.arguments
        if sign in COMPARISONS:
            return self._compared(node)
        if sign == "in":
            return self._listed(node)
        if sign in ("&&", "||"):
            left, right = (self._truth(argument) for argument in arguments)
            return Part("truth", (*left.code, *right.code, (op.OP_AND if sign == "&&" else op.OP_OR, 0, 0, 0)))
        if sign == "!":
            return Part("truth", (*self._truth(arguments[0]).code, (op.OP_NOT, 0, 0, 0)))
        if sign == CHOICE:
            return self._chosen(node)
        if sign == "has":
            return self._present(node)
        if sign == "startsWith":
            return self._prefixed(node)
        if sign == "timestamp":
            return self._instant(node)
        if sign == "-" and len(arguments) == 1:
            return self._negated(node)
        if sign not in ("+", "-", "*", "/", "min", "max", "floor", "ceil", "round"):
            raise WrongExpression(f'"{sign}" is not known here', node.column)
        if not self._scope.computes:
            raise WrongExpression(f'a condition compares, it does not compute: "{sign}"', node.column)
        numbers = [self._number(argument) for argument in arguments]
        if sign in ("floor", "ceil", "round"):
            return self._stepped(node, numbers)
        if sign in ("min", "max"):
            if len(numbers) < 2:
                raise WrongExpression(f"{sign} is of two numbers or more", node.column)
            return self._folded(op.OP_MIN if sign == "min" else op.OP_MAX, numbers, node.column)
        left, right = numbers
        if sign == "*":
            return self._product(left, right)
        return self._quotient(left, right, node) if sign == "/" else self._sum(left, right, node)

    def _truth(self, node: Node) -> Part:
        part = self.part(node)
        if part.kind != "truth":
            raise WrongExpression(f"this is {KINDS[part.kind]}, where true or false is needed", node.column)
        return part

    def _number(self, node: Node) -> Part:
        part = self.part(node)
        if part.kind != "number":
            raise WrongExpression(f"this is {KINDS[part.kind]}, where a number is needed", node.column)
        return part

    def in_unit(self, part: Part, unit: Fraction, column: int) -> Part:
        """Return a number in a unit of which its own is a multiple."""
        if part.constant is not None:
            number = int(part.constant / unit)
            if abs(number) >= WIDE_MAX:
                raise WrongExpression("a number is too large for the decimals of others", column)
            halves = (number >> 64, signed(number & (2**64 - 1)))
            return Part("number", ((op.OP_CONSTANT, *halves, 0),), unit)
        factor = int(part.unit / unit)
        return Part("number", (*part.code, *_scaled(factor, column)), unit)

    def _aligned(self, parts: list[Part], column: int) -> list[Part]:
        unit = Fraction(0)
        for part in parts:
            unit = common_unit(unit, _unit_of(part))
        return [self.in_unit(part, unit or Fraction(1), column) for part in parts]

    def _compared(self, node: Apply) -> Part:
        left, right = self._pair(node)
        sign = node.operator
        if left.kind in ("attribute", "digits", "truth") and sign not in ("==", "!="):
            raise WrongExpression(f"{KINDS[left.kind]} can be compared by == and != only", node.column)
        if left.kind == "number":
            left, right = self._aligned([left, right], node.column)
        operation = op.OP_EQUAL if sign in ("==", "!=") else op.OP_LESS if sign in ("<", ">=") else op.OP_LESS_EQUAL
        code = (*left.code, *right.code, (operation, 0, 0, 0))
        return Part("truth", (*code, (op.OP_NOT, 0, 0, 0)) if sign in ("!=", ">", ">=") else code)

    def _pair(self, node: Apply) -> tuple[Part, Part]:
        """Return both sides of a comparison, a text read as what stands on the other side."""
        first, second = node.arguments
        if isinstance(first, Text) and isinstance(second, Text):
            raise WrongExpression("two texts are compared", node.column)
        if isinstance(first, Text):
            right = self.part(second)
            return self._read(first, right.kind), right
        left = self.part(first)
        right = self._read(second, left.kind) if isinstance(second, Text) else self.part(second)
        if left.kind != right.kind:
            raise WrongExpression(f"{KINDS[left.kind]} is compared with {KINDS[right.kind]}", node.column)
        if left.kind == "attribute" and not isinstance(second, Text):
            raise WrongExpression("an attribute is compared with a text in quotes", node.column)
        return left, right

    def _read(self, node: Text, kind: Kind) -> Part:
        """Return a text as a constant of a kind."""
        return Part(kind, ((op.OP_CONSTANT, *_halves(self._constant(node, kind)), 0),))

    def _constant(self, node: Text, kind: Kind) -> int:
        if kind == "attribute":
            if not node.value:
                raise WrongExpression("a usage that lacks the attribute equals no text", node.column)
            return self._scope.code_of(node.value)
        if kind == "digits":
            return pack_digits(_digits(node, DIGITS_MAX - 1))
        if kind == "date" and DATE.fullmatch(node.value):
            try:
                return (date.fromisoformat(node.value) - date(1970, 1, 1)).days
            except ValueError as error:
                raise WrongExpression(str(error), node.column) from error
        wanted = {"date": 'write a date such as "2026-07-14"', "instant": 'write timestamp("2026-01-01T00:00:00Z")'}
        raise WrongExpression(wanted.get(kind, f"a text is compared with {KINDS[kind]}"), node.column)

    def _listed(self, node: Apply) -> Part:
        needle, items = node.arguments
        if not isinstance(items, Items) or not items.items:
            raise WrongExpression("behind `in` stands a list: [first, second]", items.column)
        part = self.part(needle)
        if part.kind == "number":
            numbers = [self._number(item) for item in items.items]
            for number, item in zip(numbers, items.items, strict=True):
                if number.constant is None:
                    raise WrongExpression("a list has numbers only, or texts only", item.column)
            part, *others = self._aligned([part, *numbers], node.column)
            # what is beyond 64 bits is no constant that a value could equal
            found = [(each.code[0][1] << 64) | (each.code[0][2] & (2**64 - 1)) for each in others]
        elif part.kind in ("attribute", "digits", "date"):
            found = []
            for item in items.items:
                if not isinstance(item, Text):
                    raise WrongExpression("a list has numbers only, or texts only", item.column)
                found.append(self._constant(item, part.kind))
        else:
            raise WrongExpression(f"{KINDS[part.kind]} is in no list", node.column)
        if any(abs(number) > INT64_MAX for number in found):
            raise WrongExpression("a number of the list is too large for the decimals of others", items.column)
        self.members.append(tuple(sorted(set(found))))
        return Part("truth", (*part.code, (op.OP_MEMBER, len(self.members) - 1, 0, 0)))

    def _prefixed(self, node: Apply) -> Part:
        if len(node.arguments) != 2 or not isinstance(node.arguments[1], Text):
            raise WrongExpression('write NAME.startsWith("DIGITS")', node.column)
        part = self.part(node.arguments[0])
        if part.kind != "digits":
            raise WrongExpression(f"only digits have prefixes; this is {KINDS[part.kind]}", node.arguments[0].column)
        return Part("truth", (*part.code, (op.OP_RANGE, *prefix_range(_digits(node.arguments[1], DIGITS_MAX)), 0)))

    def _present(self, node: Apply) -> Part:
        name = node.arguments[0] if len(node.arguments) == 1 else node
        if not isinstance(name, Name) or not name.selected:
            raise WrongExpression("write has(usage.NAME)", node.column)
        source = self._source(name)
        if source.kind == "attribute":
            raise WrongExpression("a usage that lacks an attribute equals no text; has() asks for values", name.column)
        return Part("truth", (source.load, (op.OP_PRESENT, 0, 0, 0)))

    def _instant(self, node: Apply) -> Part:
        text = node.arguments[0] if len(node.arguments) == 1 else node
        if not isinstance(text, Text) or not TIMESTAMP.fullmatch(text.value):
            raise WrongExpression('write timestamp("2026-01-01T00:00:00Z")', node.column)
        try:
            moment = utc_microseconds(datetime.fromisoformat(text.value))
        except ValueError as error:
            raise WrongExpression(str(error), text.column) from error
        return Part("instant", ((op.OP_CONSTANT, *_halves(moment), 0),))

    def _negated(self, node: Apply) -> Part:
        part = self._number(node.arguments[0])
        if part.constant is not None:
            return Part("number", constant=-part.constant)
        return replace(part, code=(*part.code, (op.OP_NEGATE, 0, 0, 0)))

    def _chosen(self, node: Apply) -> Part:
        condition, first, second = node.arguments
        truth = self._truth(condition)
        one, other = self.part(first), self.part(second)
        if one.kind != other.kind or one.kind not in ("number", "truth"):
            message = f"both choices are numbers, or true or false; here {KINDS[one.kind]} and {KINDS[other.kind]}"
            raise WrongExpression(message, node.column)
        if one.kind == "number":
            if not self._scope.computes:
                raise WrongExpression("a condition compares, it does not compute: a choice of numbers", node.column)
            one, other = self._aligned([one, other], node.column)
        return Part(one.kind, (*truth.code, *one.code, *other.code, (op.OP_SELECT, 0, 0, 0)), one.unit)

    def _folded(self, operation: int, numbers: list[Part], column: int) -> Part:
        constants = [number.constant for number in numbers if number.constant is not None]
        if len(constants) == len(numbers):
            return Part("number", constant=min(constants) if operation == op.OP_MIN else max(constants))
        first, *others = self._aligned(numbers, column)
        code = first.code
        for other in others:
            code = (*code, *other.code, (operation, 0, 0, 0))
        return Part("number", code, first.unit)

    def _sum(self, left: Part, right: Part, node: Apply) -> Part:
        plus = node.operator == "+"
        if left.constant is not None and right.constant is not None:
            return Part("number", constant=left.constant + right.constant if plus else left.constant - right.constant)
        left, right = self._aligned([left, right], node.column)
        return Part("number", (*left.code, *right.code, (op.OP_ADD if plus else op.OP_SUBTRACT, 0, 0, 0)), left.unit)

    def _product(self, left: Part, right: Part) -> Part:
        if left.constant is not None and right.constant is not None:
            return Part("number", constant=left.constant * right.constant)
        if left.constant is not None:
            left, right = right, left
        if right.constant is None:
            return Part("number", (*left.code, *right.code, (op.OP_MULTIPLY, 0, 0, 0)), left.unit * right.unit)
        if right.constant == 0:
            return replace(left, code=(*left.code, (op.OP_SCALE, 0, 0, 0)))
        negated = ((op.OP_NEGATE, 0, 0, 0),) if right.constant < 0 else ()
        return Part("number", (*left.code, *negated), left.unit * abs(right.constant))

    def _quotient(self, left: Part, right: Part, node: Apply) -> Part:
        if right.constant == 0:
            raise WrongExpression("this divides by zero", node.column)
        if right.constant is not None:
            return self._product(left, Part("number", constant=1 / right.constant))
        if left.constant is not None:
            left = self.in_unit(left, _unit_of(left) or Fraction(1), node.column)
        unit = Fraction(1, 10**QUOTIENT_DECIMALS)
        ratio = left.unit / right.unit / unit
        if max(ratio.numerator, ratio.denominator) > INT64_MAX:
            raise WrongExpression("the numbers have too many decimals to be divided", node.column)
        code = (*left.code, *right.code, (op.OP_DIVIDE, ratio.numerator, ratio.denominator, 0))
        return Part("number", code, unit)

    def _stepped(self, node: Apply, numbers: list[Part]) -> Part:
        mode = {"floor": op.STEP_DOWN, "ceil": op.STEP_UP, "round": op.STEP_NEAREST}[node.operator]
        part, step = (*numbers, Part("number", constant=Fraction(1)))[:2] if numbers else (None, None)
        if part is None or step is None or step.constant is None or step.constant <= 0 or len(numbers) > 2:
            raise WrongExpression(f"write {node.operator}(NUMBER, STEP), the step a constant above zero", node.column)
        if part.constant is not None:
            part = self.in_unit(part, _unit_of(part) or Fraction(1), node.column)
        ratio = part.unit / step.constant
        if max(ratio.numerator, ratio.denominator) > INT64_MAX:
            raise WrongExpression("the step is too fine or too coarse for the decimals of the number", node.column)
        code = (*part.code, (op.OP_STEP, ratio.numerator, ratio.denominator, mode))
        return Part("number", code, step.constant)


def _digits(node: Text, most: int) -> str:
    """Return digits; those beyond `DIGITS_MAX` are not kept, so whole numbers that are compared are shorter."""
    if not (node.value.isascii() and node.value.isdecimal() and len(node.value) <= most):
        raise WrongExpression(f"write 1 to {most} digits", node.column)
    return node.value


def _unit_of(part: Part) -> Fraction:
    """Return the coarsest unit that a number is a whole multiple of, 0 for the constant 0."""
    return part.unit if part.constant is None else abs(part.constant)


def common_unit(one: Fraction, other: Fraction) -> Fraction:
    """Return the coarsest unit that two units are whole multiples of; nothing is the unit of 0."""
    whole = gcd(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(whole, one.denominator * other.denominator)


def _scaled(factor: int, column: int) -> tuple[Instruction, ...]:
    if factor > INT64_MAX:
        raise WrongExpression("the numbers have too many decimals together", column)
    return ((op.OP_SCALE, factor, 0, 0),) if factor != 1 else ()


@dataclass(frozen=True, slots=True)
class ProgramTables:
    """The parts of `rating.kernels.layout.Tariff` that programs are."""

    program_ptr: Int32Array
    program: Int64Array
    program_set: Int64Array


def pack_programs(programs: Sequence[Program]) -> ProgramTables:
    """Return programs one after the other."""
    rows: list[Instruction] = []
    members: list[int] = []
    pointers = [0]
    for each in programs:
        starts = [len(members) + sum(map(len, each.members[:place])) for place in range(len(each.members))]
        for instruction in each.code:
            if instruction[0] == op.OP_MEMBER:
                place = instruction[1]
                instruction = (op.OP_MEMBER, starts[place], len(each.members[place]), 0)
            rows.append(instruction)
        members += [constant for constants in each.members for constant in constants]
        pointers.append(len(rows))
    code = np.array(rows, np.int64).reshape(-1, op.INSTRUCTION_COLUMNS)
    return ProgramTables(np.array(pointers, np.int32), code, np.array(members, np.int64))


def _halves(number: int) -> tuple[int, int]:
    return number >> 63, number


def signed(low: int) -> int:
    """Return 64 bits as a signed number."""
    return low - 2**64 if low >> 63 else low
