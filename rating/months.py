"""Months later: always counted from where they begin, so that the 31st comes back after a short month."""

from __future__ import annotations

import calendar
from datetime import date
from typing import TypeVar

D = TypeVar("D", bound=date)


def months_later(start: D, months: int) -> D:
    """Return the same day, and time of day, so many months later (or before): the last day of a month that is too short.

    Raises:
        ValueError: when that is before year 1 or after year 9999.
    """
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError(f"{months} months from {start} is in the year {year}")
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)
