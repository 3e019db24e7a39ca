"""Event times: ISO 8601 / RFC 3339 text, civil days and epoch counts to microseconds UTC."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import INVALID_TIMESTAMP, TIMESTAMP_OUT_OF_RANGE, TIMESTAMP_WITHOUT_ZONE
from pipelines.mediation.kernels.words import AHEAD, are_digits
from rating.kernels.hashing import load64, prefetch

MIN_US = 946_684_800_000_000
MAX_US = 4_102_444_800_000_000
SECOND_US = 1_000_000
DAY_S = 86_400
FRACTION_DIGITS_MAX = 9
U = np.uint64
COLON_BYTES = U(0x0000FF0000FF0000)
COLONS = U(0x00003A00003A0000)
"""Where the colons of `hh:mm:ss` are in a word."""
COLONS_TO_ZEROS = U(0x00000A00000A0000)
NIBBLE = U(0x0F)
COUNT_MAX = 2**63 // 10
"""A count below it can take another digit."""


@njit(cache=True, nogil=True)
def days_from_civil(year: Any, month: Any, day: Any) -> Any:
    """Return days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible date algorithms")."""
    if month <= 2:
        year -= 1
        month += 12
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True, nogil=True)
def two_digits(text: Any, at: Any) -> Any:
    """Return the number two digits make, or -1."""
    a = np.int64(text[at]) - 48
    b = np.int64(text[at + 1]) - 48
    if a < 0 or a > 9 or b < 0 or b > 9:
        return -1
    return 10 * a + b


@njit(cache=True, nogil=True)
def month_days(year: Any, month: Any) -> Any:
    """Return how many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@njit(cache=True, nogil=True)
def _civil_day(text: Any, at: Any) -> Any:
    """Return days since 1970 of `YYYY-MM-DD` at `at`, or -10**6 when it is no date."""
    century = two_digits(text, at)
    years = two_digits(text, at + 2)
    month = two_digits(text, at + 5)
    day = two_digits(text, at + 8)
    if century < 0 or years < 0 or month < 1 or month > 12 or day < 1 or text[at + 4] != 45 or text[at + 7] != 45:
        return -1_000_000
    year = 100 * century + years
    if day > 28 and day > month_days(year, month):
        return -1_000_000
    return days_from_civil(year, month, day)


@njit(cache=True, nogil=True)
def _compact_day(text: Any, at: Any) -> Any:
    """Return days since 1970 of `YYYYMMDD` at `at`, or -10**6 when it is no date."""
    century = two_digits(text, at)
    years = two_digits(text, at + 2)
    month = two_digits(text, at + 4)
    day = two_digits(text, at + 6)
    if century < 0 or years < 0 or month < 1 or month > 12 or day < 1:
        return -1_000_000
    year = 100 * century + years
    if day > 28 and day > month_days(year, month):
        return -1_000_000
    return days_from_civil(year, month, day)


@njit(cache=True, nogil=True)
def offset_seconds(text: Any, at: Any, end: Any) -> Any:
    """Return the offset `Z`, `+hh`, `+hhmm` or `+hh:mm` at the end of a time in seconds, or 10**6 when it is none."""
    byte = text[at]
    if byte == 90 or byte == 122:
        return 0 if end == at + 1 else 1_000_000
    length = end - at
    if (byte != 43 and byte != 45) or (length != 3 and length != 5 and length != 6):
        return 1_000_000
    hours = two_digits(text, at + 1)
    minutes = 0
    if length == 5:
        minutes = two_digits(text, at + 3)
    elif length == 6:
        minutes = two_digits(text, at + 4) if text[at + 3] == 58 else -1
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return 1_000_000
    seconds = hours * 3600 + minutes * 60
    return -seconds if byte == 45 else seconds


@njit(cache=True, nogil=True)
def segment(local: Any, thresholds: Any, near: Any) -> Any:
    """Return how many thresholds are <= local, trying `near` first: neighbouring records share it."""
    if (near == 0 or thresholds[near - 1] <= local) and (near == len(thresholds) or local < thresholds[near]):
        return near
    return np.searchsorted(thresholds, local, side="right")


@njit(cache=True, nogil=True)
def read_iso(
    text: Any,
    start: Any,
    end: Any,
    compact: Any,
    has_zone: Any,
    thresholds: Any,
    offsets: Any,
    event_at: Any,
    reason: Any,
) -> None:
    """Read ISO 8601 date-times; a finer fraction than a microsecond is truncated.

    Args:
        text: (b,) uint8, padded; start, end: (n,) int32.
        compact: bool; true: `YYYYMMDDhhmmss` stands where `YYYY-MM-DDThh:mm:ss` does otherwise.
        has_zone: bool; false: a time without offset is TIMESTAMP_WITHOUT_ZONE.
        thresholds: (k,) int64 local seconds from which the next offset holds; offsets: (k + 1,) int64 seconds east
            (see `pipelines.mediation.zones`).
        event_at: (n,) int64 microseconds UTC, written; 0 where it cannot be read.
        reason: (n,) uint16, changed where it was 0.
    """
    near = 0
    base = text.ctypes.data
    last = len(start) - 1
    known_first = U(0)  # the date before, which neighbouring records share
    known_second = U(0)
    known_day = np.int64(-1_000_000)
    length = 14 if compact else 19
    for i in range(len(start)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        event_at[i] = 0
        at = np.int64(start[i])
        stop = np.int64(end[i])
        found = INVALID_TIMESTAMP
        if stop - at >= length:
            if compact:
                day = _compact_day(text, at)
                hour = two_digits(text, at + 8)
                minute = two_digits(text, at + 10)
                second = two_digits(text, at + 12)
                well = True
            else:
                first_word = load64(base + at)
                second_word = load64(base + at + 8) & U(0xFFFF)
                if first_word != known_first or second_word != known_second:
                    known_day = _civil_day(text, at)
                    known_first = first_word
                    known_second = second_word
                day = known_day
                letter = text[at + 10]
                clock = load64(base + at + 11)
                digits = clock ^ COLONS_TO_ZEROS
                hour = np.int64((digits & NIBBLE) * U(10) + ((digits >> U(8)) & NIBBLE))
                minute = np.int64(((digits >> U(24)) & NIBBLE) * U(10) + ((digits >> U(32)) & NIBBLE))
                second = np.int64(((digits >> U(48)) & NIBBLE) * U(10) + ((digits >> U(56)) & NIBBLE))
                well = (letter == 84 or letter == 32 or letter == 116) and clock & COLON_BYTES == COLONS
                well = well and are_digits(digits)
            well = well and day > -1_000_000 and 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
            p = at + length
            micros = 0
            if well and p < stop and (text[p] == 46 or text[p] == 44):
                p += 1
                first = p
                scale = 100_000
                while p < stop and 48 <= text[p] <= 57:
                    micros += (np.int64(text[p]) - 48) * scale
                    scale //= 10
                    p += 1
                well = 0 < p - first <= FRACTION_DIGITS_MAX
            if well:
                seconds = day * DAY_S + hour * 3600 + minute * 60 + second
                found = 0
                if p < stop:
                    offset = offset_seconds(text, p, stop)
                    if offset == 1_000_000:
                        found = INVALID_TIMESTAMP
                    seconds -= offset
                elif has_zone:
                    near = segment(seconds, thresholds, near)
                    seconds -= offsets[near]
                else:
                    found = TIMESTAMP_WITHOUT_ZONE
                if found == 0:
                    instant = seconds * SECOND_US + micros
                    if MIN_US <= instant < MAX_US:
                        event_at[i] = instant
                    else:
                        found = TIMESTAMP_OUT_OF_RANGE
        if found != 0 and reason[i] == 0:
            reason[i] = found


@njit(cache=True, nogil=True)
def read_day_end(text: Any, start: Any, end: Any, thresholds: Any, offsets: Any, event_at: Any, reason: Any) -> None:
    """Read civil dates `YYYY-MM-DD` as the instant at which that day ends in the zone.

    Args:
        text, start, end, thresholds, offsets, event_at, reason: as for `read_iso`.
    """
    near = 0
    for i in range(len(start)):
        event_at[i] = 0
        found = INVALID_TIMESTAMP
        if end[i] - start[i] == 10:
            day = _civil_day(text, np.int64(start[i]))
            if day > -1_000_000:
                seconds = (day + 1) * DAY_S
                near = segment(seconds, thresholds, near)
                instant = (seconds - offsets[near]) * SECOND_US
                found = 0
                if MIN_US <= instant < MAX_US:
                    event_at[i] = instant
                else:
                    found = TIMESTAMP_OUT_OF_RANGE
        if found != 0 and reason[i] == 0:
            reason[i] = found


@njit(cache=True, nogil=True)
def read_epoch(text: Any, start: Any, end: Any, unit_us: Any, per_us: Any, event_at: Any, reason: Any) -> None:
    """Read counts since 1970-01-01T00:00:00Z, with an optional decimal fraction truncated to the microsecond.

    Args:
        text, start, end, event_at, reason: as for `read_iso`.
        unit_us: microseconds per count: 1 000 000, 1 000 or 1.
        per_us: counts per microsecond: 1, or 1 000 (with `unit_us` 1) where nanoseconds are counted.
    """
    base = text.ctypes.data
    last = len(start) - 1
    for i in range(len(start)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        event_at[i] = 0
        at = np.int64(start[i])
        stop = np.int64(end[i])
        negative = at < stop and text[at] == 45
        if negative:
            at += 1
        count = 0
        huge = False
        first = at
        while at < stop and 48 <= text[at] <= 57:
            if count < COUNT_MAX:
                count = 10 * count + (np.int64(text[at]) - 48)
            else:
                huge = True
            at += 1
        well = at > first
        micros = 0
        if well and at < stop and text[at] == 46:
            at += 1
            first = at
            scale = unit_us
            while at < stop and 48 <= text[at] <= 57:
                scale //= 10
                if per_us == 1:
                    micros += (np.int64(text[at]) - 48) * scale
                at += 1
            well = at > first
        found = 0
        if not well or at != stop:
            found = INVALID_TIMESTAMP
        elif negative or huge or count > MAX_US // unit_us * per_us:
            found = TIMESTAMP_OUT_OF_RANGE
        else:
            instant = count // per_us * unit_us + micros
            if MIN_US <= instant < MAX_US:
                event_at[i] = instant
            else:
                found = TIMESTAMP_OUT_OF_RANGE
        if found != 0 and reason[i] == 0:
            reason[i] = found
