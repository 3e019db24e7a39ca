"""Cycles: the periods in which something recurs, as days of the zone in which it is billed.

Periods are half-open and meet: each begins where the one before ends. Months and years are counted from the anchor, so that
a cycle of the 31st is one of the 28th in February, and of the 31st again in March. A day begins at its first instant in the
zone, however long it is: clocks that change make no day cheaper or dearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from rating.months import months_later
from schemas.price_plan import utc_microseconds

CycleUnit = Literal["day", "week", "month", "year"]
DayRule = Literal["charged", "free"]
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` on, before `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Cycle:
    """Every `count` units from the day `anchor`, in both directions; period 0 begins with the anchor.

    The anchor is the day of the subscription for anniversaries, or the first of a month for calendar months.
    """

    anchor: date
    unit: CycleUnit = "month"
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a cycle that never ends."""
        if self.count < 1:
            raise ValueError(f"a cycle has at least 1 {self.unit}, not {self.count}")

    @property
    def months(self) -> int | None:
        """How many months a period has; None where it is days or weeks."""
        return self.count * _MONTHS[self.unit] if self.unit in _MONTHS else None

    def boundary(self, number: int) -> date:
        """Return where the period with this number begins."""
        if self.months is not None:
            return months_later(self.anchor, number * self.months)
        return self.anchor + timedelta(days=number * self.count * _DAYS[self.unit])

    def period(self, number: int) -> Period:
        """Return the period with this number."""
        return Period(self.boundary(number), self.boundary(number + 1))

    def number_at(self, day: date) -> int:
        """Return the number of the period in which a day lies."""
        if self.months is None:
            return (day - self.anchor).days // (self.count * _DAYS[self.unit])
        between = (day.year - self.anchor.year) * 12 + day.month - self.anchor.month
        number = between // self.months
        return number if self.boundary(number) <= day else number - 1


def first_instant(day: date, zone: str) -> int:
    """Return when a day begins in a zone, microseconds UTC, also where clocks skip midnight or say it twice."""
    return utc_microseconds(datetime.combine(day, time(), ZoneInfo(zone)))


def charged_days(
    start: datetime, end: datetime, zone: str, *, start_day: DayRule = "charged", end_day: DayRule = "free"
) -> Period:
    """Return the days of [start, end) that are charged, as days of the zone.

    A contract that begins or ends in the middle of a day shares that day with whoever comes before or after. Whose day it is
    is a rule: by default that of what begins. `end_day="charged"` gives it to what ends, and `start_day="free"` then takes it
    from what begins. An end at the first instant of a day does not touch that day.
    """
    clock = ZoneInfo(zone)
    first, last = start.astimezone(clock), (end - _MICROSECOND).astimezone(clock)
    begun = utc_microseconds(start) > first_instant(first.date(), zone)
    first_day = first.date() + timedelta(days=int(begun and start_day == "free"))
    ended = utc_microseconds(end) < first_instant(last.date() + timedelta(days=1), zone)
    after = last.date() + timedelta(days=int(not ended or end_day == "charged"))
    return Period(first_day, max(first_day, after))
