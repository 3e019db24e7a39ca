"""The distributor's invoices beside what we billed: by point, component and day, so that different periods can be compared.

A distributor bills by its own months and in advance, a supplier by civil months: line by line nothing fits. So each amount is
spread evenly over its days, and what differs is summed up again over the days on which it differs alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

DAY = timedelta(days=1)
CENT = Decimal("0.01")
TOLERANCE = Fraction(1, 200)
"""Half a cent a day: what rounding a line to cents may make, spread over its days, and more."""
COMPONENTS = {
    "management": ("ASG", "FCGE", "turpe-cg", "turpe-sup-cg", "turpe-hta-cg"),
    "metering": ("ASCL", "ASCEL", "ASCP", "FCCO", "turpe-cc", "turpe-sup-cc", "turpe-hta-cc"),
    "fixed withdrawal": (
        "ASSF",
        "turpe-cs",
        "turpe-sup-cu-cs",
        "turpe-sup-lu-cs",
        "turpe-hta-cu-cs",
        "turpe-hta-lu-cs",
    ),
    "variable withdrawal": (
        "ASSV",
        "turpe-cv",
        "turpe-sup-cu-cv",
        "turpe-sup-lu-cv",
        "turpe-hta-cu-cv",
        "turpe-hta-lu-cv",
    ),
    "overrun": ("CMDPS", "turpe-sup-cmdps", "turpe-hta-cu-cmdps", "turpe-hta-lu-cmdps"),
}
"""By the beginnings of the distributor's elements and of charges; the longest one that fits counts."""


@dataclass(frozen=True, slots=True)
class Billed:
    """What one side billed: an amount for the days [first, after) of a point. `element`: of the distributor, or our charge."""

    point: str
    element: str
    first: date
    after: date
    amount: Decimal


def component_of(element: str) -> str:
    """Return the component of an element or charge: itself where no component has it."""
    fits = [(len(start), name) for name, starts in COMPONENTS.items() for start in starts if element.startswith(start)]
    return max(fits)[1] if fits else element


def reconcile(theirs: list[Billed], ours: list[Billed], *, first: date, after: date) -> list[dict[str, Any]]:
    """Return what differs in [first, after), by point, component and run of days, with a reason; what agrees is left out.

    Amounts are of the days of the run, rounded half up to cents. Reasons: `not billed by us`, `not invoiced by the distributor`
    and `another amount`.
    """
    left, right = _spread(theirs, first, after), _spread(ours, first, after)
    days = sorted(left.keys() | right.keys())
    found = []
    for (point, component), group in groupby(days, key=lambda key: key[:2]):
        for why, run in _runs([(key[2], left.get(key), right.get(key)) for key in group]):
            distributor = sum((row[1] or Fraction(0) for row in run), Fraction(0))
            supplier = sum((row[2] or Fraction(0) for row in run), Fraction(0))
            found.append(
                {
                    "point": point,
                    "component": component,
                    "first": run[0][0],
                    "after": run[-1][0] + DAY,
                    "distributor": _cents(distributor),
                    "ours": _cents(supplier),
                    "difference": _cents(supplier - distributor),
                    "why": why,
                }
            )
    return found


def _spread(billed: list[Billed], first: date, after: date) -> dict[tuple[str, str, date], Fraction]:
    """Return what each point and component costs on each day; an amount without days is of its first one."""
    found: dict[tuple[str, str, date], Fraction] = {}
    for each in billed:
        days = max(1, (each.after - each.first).days)
        share = Fraction(each.amount) / days
        day, end = max(each.first, first), min(each.first + days * DAY, after)
        while day < end:
            key = (each.point, component_of(each.element), day)
            found[key] = found.get(key, Fraction(0)) + share
            day += DAY
    return found


_Row = tuple[date, Fraction | None, Fraction | None]


def _runs(rows: list[_Row]) -> Iterator[tuple[str, list[_Row]]]:
    """Yield runs of days that follow each other and differ for one reason."""
    run: list[_Row] = []
    before = ""
    for row in rows:
        why = _why(row)
        if run and (why != before or row[0] != run[-1][0] + DAY):
            yield before, run
            run = []
        before = why
        if why:
            run.append(row)
    if run:
        yield before, run


def _why(row: _Row) -> str:
    _, theirs, ours = row
    if abs((theirs or Fraction(0)) - (ours or Fraction(0))) <= TOLERANCE:
        return ""
    if not ours:
        return "not billed by us"
    return "another amount" if theirs else "not invoiced by the distributor"


def _cents(amount: Fraction) -> Decimal:
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return exact.quantize(CENT, ROUND_HALF_UP)
