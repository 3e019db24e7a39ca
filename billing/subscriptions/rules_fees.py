"""Fees that are due: which shares of a fee a subscription owes until a day, piece by piece.

A piece is a part of a period in which the price does not change, so that each costs what the fee was then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from billing.subscriptions.rules_periods import Cycle, CycleUnit, Period, charged_days, first_instant
from billing.subscriptions.rules_proration import Basis, Terms, recurring_parts, share
from schemas.fees import PeriodicFee, RecurringCharge

CALENDAR: dict[str, date] = {
    "day": date(1970, 1, 1),
    "week": date(1970, 1, 5),
    "month": date(1970, 1, 1),
    "year": date(1970, 1, 1),
}
"""Where the calendar has periods begin: weeks on Mondays, years in January."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LONG = 3 * _DAY
"""Longer than any day: what lasts so long has a first day, whenever it ends."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is due of a fee for some days: `quantity` of its price."""

    days: Period
    quantity: Fraction


def days_in_force(fee: PeriodicFee, start_at: int, end_at: int | None) -> tuple[date, date | None]:
    """Return the first day on which a subscription pays a fee, and the day on which it pays it no more.

    Args:
        start_at, end_at: [start, end) in microseconds UTC; None for a subscription that goes on.
    """
    start = _moment(start_at)
    end = start + _LONG if end_at is None else _moment(end_at)
    days = charged_days(start, end, fee.zone, start_day=fee.start_day, end_day=fee.end_day)
    return days.start, None if end_at is None else days.end


def pieces(fee: PeriodicFee, first: date, after: date | None, until: date, changes: Sequence[int]) -> Iterator[Piece]:
    """Yield what is due for [first, after): in advance what begins before `until`, otherwise what has ended by then.

    Args:
        changes: instants at which the price may change, microseconds UTC. All of a day costs what its first instant does.
    """
    terms = terms_of(fee, first)
    of_price = (
        Fraction(terms.cycle.months or 12, 12)
        if isinstance(fee, RecurringCharge) and fee.priced_per == "year"
        else Fraction(1)
    )
    cuts = sorted({_day_from(at, fee.zone) for at in changes})
    for part in recurring_parts(terms, first, until if terms.in_advance else until + _DAY, end=after):
        number = terms.cycle.number_at(part.days.start)
        inner = [day for day in cuts if part.days.start < day < part.days.end]
        for low, high in pairwise((part.measured.start, *inner, part.measured.end)):
            days = Period(max(low, part.days.start), min(high, part.days.end))
            yield Piece(days, of_price * share(terms.cycle, number, Period(low, high), terms.basis))


def terms_of(fee: PeriodicFee, first: date) -> Terms:
    """Return how a fee recurs for a subscription whose first day is that."""
    count, unit = fee.every.split()
    named: CycleUnit = unit  # type: ignore[assignment]
    anchor = fee.anchor if isinstance(fee.anchor, date) else first if fee.anchor == "subscription" else CALENDAR[unit]
    return Terms(
        Cycle(anchor, named, int(count)),
        in_advance=isinstance(fee, RecurringCharge) and fee.in_advance,
        prorate_start=fee.prorate_start,
        prorate_end=fee.prorate_end,
        basis=Basis(fee.basis),
    )


def day_at(at: int, zone: str) -> date:
    """Return the day of an instant in a zone."""
    return _moment(at).astimezone(ZoneInfo(zone)).date()


def _day_from(at: int, zone: str) -> date:
    """Return the first day that is at an instant, or after it, all day long."""
    day = day_at(at, zone)
    return day if first_instant(day, zone) >= at else day + _DAY


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)
