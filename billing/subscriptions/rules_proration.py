"""Parts of periods: which share of a price a part costs, by a named basis; and what a recurring charge costs over time.

A basis says how far a day is into its period; a part costs the difference of two such places. Hence any way to divide a period
comes to the same, and a price that changes within one is two parts. Shares are exact; what they cost is rounded once.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.subscriptions.rules_periods import Cycle, Period
from rating.amounts import rounded
from schemas.money import AMOUNT_ONE
from schemas.price_plan import Rounding


class Basis(StrEnum):
    """How parts of a period are measured.

    * actual: days, over the days of the period of the cycle that they lie in.
    * thirty_360: every month has 30 days (30E/360); a whole period is exactly one.
    * actual_360, actual_365: days, over a year of 360 or 365: a twelfth of a year is a month's price, so that a whole period
      of 31 days may cost more than one.
    * actual_actual: days, over the 365 or 366 of the year that each lies in.
    * month_12: whole months are twelfths of a year, or parts of the period; days are parts of their month.
    """

    ACTUAL = "actual"
    THIRTY_360 = "thirty_360"
    ACTUAL_360 = "actual_360"
    ACTUAL_365 = "actual_365"
    ACTUAL_ACTUAL = "actual_actual"
    MONTH_12 = "month_12"


class UnableToProrate(ValueError):
    """The basis counts months, and the cycle has none."""


def share(cycle: Cycle, number: int, part: Period, basis: Basis) -> Fraction:
    """Return the share of the price of one period that a part of it costs.

    Args:
        number: of the period. part: days within it; what lies outside counts nothing.

    Raises:
        UnableToProrate: when a basis of months meets a cycle of days or weeks.
    """
    whole = cycle.period(number)
    start, end = (min(max(day, whole.start), whole.end) for day in (part.start, part.end))
    if end <= start:
        return Fraction(0)
    return _place(cycle, number, end, basis) - _place(cycle, number, start, basis)


def _place(cycle: Cycle, number: int, day: date, basis: Basis) -> Fraction:
    """Return how far a day is into its period: 0 at its start."""
    whole = cycle.period(number)
    days = (day - whole.start).days
    if basis is Basis.ACTUAL:
        return Fraction(days, whole.days)
    if cycle.months is None:
        raise UnableToProrate(f"{basis.value} counts months, and the cycle is {cycle.count} {cycle.unit}")
    if basis in (Basis.ACTUAL_360, Basis.ACTUAL_365):
        return Fraction(days * 12, cycle.months * (360 if basis is Basis.ACTUAL_360 else 365))
    if basis is Basis.ACTUAL_ACTUAL:
        return (_in_years(day) - _in_years(whole.start)) * 12 / cycle.months
    if basis is Basis.THIRTY_360:
        if day == whole.end:
            return Fraction(1)
        return Fraction(min(_days_30(day) - _days_30(whole.start), 30 * cycle.months), 30 * cycle.months)
    months = Cycle(cycle.anchor)
    first = number * cycle.months
    begun = months.number_at(day)
    within = months.period(begun)
    return (begun - first + Fraction((day - within.start).days, within.days)) / cycle.months


def _in_years(day: date) -> Fraction:
    first = date(day.year, 1, 1)
    return day.year + Fraction((day - first).days, 366 if isleap(day.year) else 365)


def _days_30(day: date) -> int:
    return day.year * 360 + day.month * 30 + min(day.day, 30)


def share_by_second(start_at: int, end_at: int, part_start_at: int, part_end_at: int) -> Fraction:
    """Return the share of a period that a part of it lasts, by the time that passes: an hour that clocks skip is not there.

    All are instants, microseconds UTC; what lies outside of the period counts nothing.
    """
    start, end = max(start_at, part_start_at), min(end_at, part_end_at)
    return Fraction(max(0, end - start), end_at - start_at)


@dataclass(frozen=True, slots=True)
class RecurringPart:
    """What a recurring charge asks for one period, or takes back: `quantity` of its price, for `days`, on a day.

    `measured` are the days that the quantity is the share of: more than `days` where a part costs all.
    """

    days: Period
    quantity: Fraction
    charged_on: date
    measured: Period


@dataclass(frozen=True, slots=True)
class Terms:
    """How a charge recurs.

    Attributes:
        in_advance: it is charged when a period begins, otherwise when it ends.
        prorate_start, prorate_end: whether a first or last period that is not whole costs its part, otherwise all of it.
    """

    cycle: Cycle
    in_advance: bool = False
    prorate_start: bool = True
    prorate_end: bool = True
    basis: Basis = Basis.ACTUAL


def recurring_parts(terms: Terms, start: date, until: date, *, end: date | None = None) -> Iterator[RecurringPart]:
    """Yield what is charged before the day `until`, from the day `start` on and before `end`, where there is one.

    For a contract that must be paid to the end of an agreement, that end is the end. What would be charged after the end is
    charged on it.
    """
    cycle = terms.cycle
    number = cycle.number_at(start)
    while end is None or cycle.boundary(number) < end:
        whole = cycle.period(number)
        first, last = max(start, whole.start), whole.end if end is None else min(end, whole.end)
        charged_on = first if terms.in_advance else last
        if charged_on >= until or last <= first:
            return
        measured = Period(first if terms.prorate_start else whole.start, last if terms.prorate_end else whole.end)
        yield RecurringPart(Period(first, last), share(cycle, number, measured, terms.basis), charged_on, measured)
        number += 1


def recurring_amount(price: Decimal, quantity: Fraction, rounding: Rounding) -> int:
    """Return what a quantity of a price costs, in billionths, rounded once; neither price nor share is rounded before."""
    exact = Fraction(price) * quantity * AMOUNT_ONE
    return rounded(exact.numerator, exact.denominator, rounding)
