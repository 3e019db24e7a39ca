"""Minimums and commitments, told plainly: one scope after the other, from the bottom up, in decimals."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


@dataclass
class TwinScope:
    """One scope: what was billed for it itself in euros, and its minimum."""

    name: str
    level: str
    rated: Decimal = Decimal(0)
    items: int = 0
    minimum: Decimal | None = None
    share: Fraction = Fraction(1)
    factor: Decimal = Decimal(1)
    true_up: bool = True
    when_unused: bool = True
    below: list[TwinScope] = field(default_factory=list)


def twin_lines(scope: TwinScope) -> tuple[Decimal, int, list[tuple[str, str, Decimal]]]:
    """Return (what is billed for a scope, how many items and lines that is, the lines (scope, kind, amount) of it)."""
    told = [twin_lines(each) for each in scope.below]
    total = scope.rated + sum((each[0] for each in told), Decimal(0))
    items = scope.items + sum(each[1] for each in told)
    lines = [line for each in told for line in each[2]]
    if scope.minimum is None:
        return total, items, lines
    due = _cents(Fraction(scope.minimum) * scope.share)
    reached = max(total, Decimal(0))
    mine = []
    if reached < due and scope.true_up and (items or scope.when_unused):
        mine.append((scope.name, "true_up", due - reached))
    extra = _cents(Fraction(max(reached - due, Decimal(0))) * (Fraction(scope.factor) - 1))
    if extra:
        mine.append((scope.name, "overage", extra))
    added = sum((line[2] for line in mine), Decimal(0))
    return total + added, items + len(mine), [*lines, *mine]


def _cents(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
