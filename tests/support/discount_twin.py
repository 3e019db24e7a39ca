"""What discounts take off, told plainly: fractions, one plan, item and line after the other, whole by whole."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction

from billing.invoicing.rules_discounts import Assigned, BillLine
from schemas.discount import DiscountItem
from schemas.price_plan import Rounding

_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN}


def taken_off(lines: list[BillLine], assigned: list[Assigned], rounding: Rounding) -> dict[tuple[str, str], Decimal]:
    """Return what each item of each assigned plan takes off a bill of lines above zero, in currency units, without limits.

    Items neither end a line nor negate, so that a total is what matters, and no share of it.
    """
    left = {line: Fraction(line.amount, 10**9) for line in lines}
    totals: dict[tuple[str, str], Decimal] = {}
    for each in sorted(assigned, key=lambda one: (one.plan.sequence, one.plan.code, one.name)):
        for item in sorted(each.plan.items, key=lambda item: item.sequence):
            matched = [line for line in lines if each.name in line.active and _applies(each, item, line)]
            whole = sum((left[line] for line in matched), Fraction(0))
            if item.type == "fixed":
                off = min(Fraction(item.value), whole)
            else:
                base = (
                    whole
                    if each.plan.cascading
                    else sum((Fraction(line.amount, 10**9) for line in matched), Fraction(0))
                )
                off = _rounded(base * Fraction(item.value) / 100, rounding)
            totals[each.name, item.code] = Decimal(off.numerator) / Decimal(off.denominator)
            for line in matched:
                left[line] -= off * left[line] / whole if whole else 0
    return totals


def _applies(each: Assigned, item: DiscountItem, line: BillLine) -> bool:
    matching = [one.priority for one in each.plan.items if not one.charges or line.charge in one.charges]
    return (not item.charges or line.charge in item.charges) and item.priority == min(matching)


def _rounded(value: Fraction, rounding: Rounding) -> Fraction:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return Fraction(exact.quantize(Decimal(1).scaleb(-rounding.decimals), _MODES[rounding.mode]))
