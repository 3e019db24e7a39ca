"""The month in which generated usage happens, and how instants are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from numpy.typing import NDArray

from benchmarks.generate.rows import Rows, words
from schemas.arrays import Int64Array

ZONE = "Europe/Paris"
MONTH_START_S = int(datetime(2026, 9, 30, 22, tzinfo=UTC).timestamp())
"""2026-10-01 00:00 in Paris, seconds since 1970. October has the doubled hour of autumn (on the 25th)."""
MONTH_END_S = int(datetime(2026, 10, 31, 23, tzinfo=UTC).timestamp())
"""2026-11-01 00:00 in Paris, exclusive."""
MONTH_DAYS = 31
DAY_S = 86_400

INSTANT = ("2026-", ("month", 2), "-", ("day", 2), "T", ("clock", 8))
"""Parts of a Layout for an instant of the month, in UTC, without its zone."""


@cache
def _clock_table() -> NDArray[Any]:
    return words([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY_S)], 8)


@cache
def _day_tables() -> tuple[NDArray[Any], NDArray[Any]]:
    first = datetime(2026, 9, 30, tzinfo=UTC)
    days = [first + timedelta(days=offset) for offset in range(MONTH_DAYS + 2)]
    return words([f"{day.month:02d}" for day in days], 2), words([f"{day.day:02d}" for day in days], 2)


def put_instant(rows: Rows, at_s: Int64Array) -> None:
    """Write instants (n,) of the month, in seconds since 1970, into the fields of INSTANT."""
    since = at_s - (MONTH_START_S - MONTH_START_S % DAY_S)
    day = since // DAY_S
    months, days = _day_tables()
    rows["month"], rows["day"] = months[day], days[day]
    rows["clock"] = _clock_table()[since - day * DAY_S]
