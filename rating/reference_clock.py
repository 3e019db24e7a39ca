"""The twin's clock: time bands on local calendars, and usage laid on the clock, from the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.price_plan import Band, Calendar, DateList

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STEP_US = 1000
"""Microseconds of a base step of time."""


class Stay(NamedTuple):
    """Consecutive base steps of a usage in bands of one name: [first, end), and the band at the first of them."""

    first: int
    end: int
    band: int


def band_at(calendar: Calendar, lists: Mapping[str, DateList], local: datetime) -> int:
    """Return the index of the first band that matches a local time."""
    today = local.date()
    minute = local.hour * 60 + local.minute
    for index, band in enumerate(calendar.bands):
        start = _minutes(band.start) if band.start is not None else 0
        end = _minutes(band.end) if band.end is not None else 24 * 60
        if start < end:
            inside = start <= minute < end and _starts_on(band, calendar, lists, today)
        else:
            inside = (minute >= start and _starts_on(band, calendar, lists, today)) or (
                minute < end and _starts_on(band, calendar, lists, today - timedelta(days=1))
            )
        if inside:
            return index
    raise AssertionError(f"calendar {calendar.code} has no band for the rest")


def _starts_on(band: Band, calendar: Calendar, lists: Mapping[str, DateList], day: date) -> bool:
    if band.seasons is not None and season_of(calendar, day) not in band.seasons:
        return False
    return band.days is None or day_type(calendar, lists, day) in band.days


def day_type(calendar: Calendar, lists: Mapping[str, DateList], day: date) -> str:
    """Return the first day type that has a day, else its weekday."""
    for name, codes in calendar.day_types.items():
        if any(is_listed(lists[code], day) for code in codes):
            return name
    return WEEKDAYS[day.weekday()]


def is_listed(listed: DateList, day: date) -> bool:
    """Return whether a list has a day."""
    since_easter = [(day - easter).days for easter in map(easter_sunday, (day.year - 1, day.year, day.year + 1))]
    return day in listed.dates or f"{day:%m-%d}" in listed.yearly or any(n in listed.easter for n in since_easter)


def easter_sunday(year: int) -> date:
    """Return Easter Sunday: the Sunday after the Paschal full moon, found by Gauss's rule as Lichtenberg corrected it."""
    century = year // 100
    secular_moon = 15 + (3 * century + 3) // 4 - (8 * century + 13) // 25
    moon_parameter = year % 19
    seed = (19 * moon_parameter + secular_moon) % 30
    correction = seed // 29 + (seed // 28 - seed // 29) * (moon_parameter // 11)
    full_moon = 21 + seed - correction
    secular_sun = 2 - (3 * century + 3) // 4
    first_sunday = 7 - (year + year // 4 + secular_sun) % 7
    return date(year, 3, 1) + timedelta(days=full_moon + 7 - (full_moon - first_sunday) % 7 - 1)


def season_of(calendar: Calendar, day: date) -> str | None:
    """Return the first season that has a day of the year."""
    mark = f"{day:%m-%d}"
    for name, parts in calendar.seasons.items():
        for part in parts:
            if part.first <= part.last:
                inside = part.first <= mark <= part.last
            else:
                inside = mark >= part.first or mark <= part.last
            if inside:
                return name
    return None


def stays(
    calendar: Calendar, lists: Mapping[str, DateList], zone: str, *, event_at: int, length: int
) -> Iterator[Stay]:
    """Yield the stays of a usage of `length` base steps of time that starts at `event_at`, microseconds UTC."""
    clock = ZoneInfo(zone)
    names = [band.name for band in calendar.bands]
    first, band = 0, band_at(calendar, lists, to_datetime(event_at).astimezone(clock))
    for moment in _moments(clock, event_at, event_at + length * STEP_US):
        step = -((event_at - moment) // STEP_US)
        if step >= length:
            break
        here = band_at(calendar, lists, to_datetime(event_at + step * STEP_US).astimezone(clock))
        if names[here] != names[band]:
            yield Stay(first, step, band)
            first, band = step, here
    yield Stay(first, length, band)


def _moments(clock: ZoneInfo, start: int, end: int) -> Iterator[int]:
    """Yield where a band may change: every quarter of an hour UTC, and every second of one in which the offset changes."""
    quarter = to_datetime(start // 900_000_000 * 900_000_000)
    while quarter < to_datetime(end):
        following = quarter + QUARTER
        if quarter.astimezone(clock).utcoffset() != following.astimezone(clock).utcoffset():
            for second in range(1, 900):
                moment = utc_us(quarter + timedelta(seconds=second))
                if moment > start:
                    yield moment
        yield utc_us(following)
        quarter = following


def to_datetime(microseconds: int) -> datetime:
    """Return microseconds UTC as an aware datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def utc_us(instant: datetime) -> int:
    """Return an aware instant in microseconds UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
