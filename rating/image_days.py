"""Days of a calendar: which pattern of bands each local day has, and what the patterns are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from rating.kernels.layout import CALENDAR_DAYS, FIRST_DAY, QUARTERS_PER_DAY
from schemas.arrays import BoolArray, Int64Array, UInt8Array
from schemas.price_plan import Band, Calendar, DateList

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = date(1970, 1, 1).toordinal()
YEARS = range(1999, 2102)


def calendar_rows(calendar: Calendar, lists: Mapping[str, DateList]) -> tuple[Int64Array, UInt8Array]:
    """Return (CALENDAR_DAYS,) the pattern of each local day from FIRST_DAY, and (p, QUARTERS_PER_DAY) bands by pattern.

    A day's pattern depends on which bands may start on it, and on which of those of the day before cross midnight.
    """
    starts = _starts(calendar, lists)
    before = np.roll(starts, 1, axis=1)
    bits = 1 << np.arange(len(calendar.bands), dtype=np.int64)
    keys = (bits @ starts) << 16 | bits @ before
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    patterns = [_pattern(calendar, starts[:, day], before[:, day]) for day in first]
    return which.reshape(-1), np.array(patterns, np.uint8)


def _starts(calendar: Calendar, lists: Mapping[str, DateList]) -> BoolArray:
    """Return (bands, CALENDAR_DAYS) whether each band's day type and season are those of each day."""
    days = np.arange(FIRST_DAY, FIRST_DAY + CALENDAR_DAYS)
    kind = (days + date(1970, 1, 1).weekday()) % 7
    names = [*WEEKDAYS, *calendar.day_types]
    for index in reversed(range(len(calendar.day_types))):
        for code in calendar.day_types[names[7 + index]]:
            listed = days_of(lists[code])
            kind[np.isin(days, listed)] = 7 + index
    season = _season_of(calendar, days)
    seasons = list(calendar.seasons)
    masks = np.ones((len(calendar.bands), CALENDAR_DAYS), np.bool_)
    for mask, band in zip(masks, calendar.bands, strict=True):
        if band.days is not None:
            mask &= np.isin(kind, [names.index(name) for name in band.days])
        if band.seasons is not None:
            mask &= np.isin(season, [seasons.index(name) for name in band.seasons])
    return masks


def _season_of(calendar: Calendar, days: Int64Array) -> Int64Array:
    """Return the first season that has each day, -1 for none."""
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    # MMDD as a number: 1225 is Christmas Day
    number = (month.astype(np.int64) % 12 + 1) * 100 + (dates - month.astype("datetime64[D]")).astype(np.int64) + 1
    season = np.full(len(days), -1, np.int64)
    for index, parts in reversed(list(enumerate(calendar.seasons.values()))):
        for part in parts:
            first, last = int(part.first.replace("-", "")), int(part.last.replace("-", ""))
            inside = (number >= first) & (number <= last) if first <= last else (number >= first) | (number <= last)
            season[inside] = index
    return season


def days_of(listed: DateList) -> Int64Array:
    """Return the days of a list, since 1970, within the years that calendars have."""
    days = [day.toordinal() - EPOCH for day in listed.dates]
    for year in YEARS:
        days += [easter_sunday(year) + offset for offset in listed.easter]
        days += [date(year, *_month_day(text)).toordinal() - EPOCH for text in listed.yearly if _exists(year, text)]
    return np.array(sorted(days), np.int64)


def easter_sunday(year: int) -> int:
    """Return Easter Sunday of the Gregorian calendar, in days since 1970.

    Source: the anonymous Gregorian computus, J. Meeus, Astronomical Algorithms, chapter 8.
    """
    golden, century, of_century = year % 19, year // 100, year % 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    place = moon + weekday - 7 * late + 114
    return date(year, place // 31, place % 31 + 1).toordinal() - EPOCH


def _month_day(text: str) -> tuple[int, int]:
    return int(text[:2]), int(text[3:])


def _exists(year: int, text: str) -> bool:
    """Return whether a year has the day: 02-29 is in leap years only."""
    month, day = _month_day(text)
    following = date(year + month // 12, month % 12 + 1, 1)
    return day <= (following - date(year, month, 1)).days


def _pattern(calendar: Calendar, today: BoolArray, yesterday: BoolArray) -> UInt8Array:
    """Return (QUARTERS_PER_DAY,) the first band that matches each quarter of an hour."""
    pattern = np.zeros(QUARTERS_PER_DAY, np.uint8)
    for index in reversed(range(len(calendar.bands))):
        start, end = _quarters_of(calendar.bands[index])
        if today[index]:
            pattern[start : min(end, QUARTERS_PER_DAY)] = index
        if yesterday[index] and end > QUARTERS_PER_DAY:
            pattern[: end - QUARTERS_PER_DAY] = index
    return pattern


def _quarters_of(band: Band) -> tuple[int, int]:
    """Return the quarters [start, end) of a band, counted from midnight of the day on which it starts."""
    start = _quarter(band.start) if band.start is not None else 0
    end = _quarter(band.end) if band.end is not None else QUARTERS_PER_DAY
    return start, end if end > start else end + QUARTERS_PER_DAY


def _quarter(clock: str) -> int:
    return int(clock[:2]) * 4 + int(clock[3:]) // 15
