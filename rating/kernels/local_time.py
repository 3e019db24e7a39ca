"""Local time for kernels: offset of a zone at an instant, time band of a day, calendar period.

Twins: `rating.reference` (zoneinfo and datetime).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.layout import (
    CALENDAR_DAYS,
    FIRST_DAY,
    PERIOD_DAY,
    PERIOD_EVER,
    PERIOD_MONTH,
    ZONE_BUCKET_BITS,
    ZONE_BUCKETS,
    ZONE_EPOCH_US,
)

I64 = np.int64
QUARTER_US = 900_000_000
DAY_US = 86_400_000_000
INT64_MAX = 2**63 - 1


@kernel
def transition(at: Any, zone: Any, zone_ptr: Any, zone_bucket: Any, zone_instant: Any) -> Any:
    """Return the index, into `zone_instant`, of the last change of the clock of `zone` at or before `at`.

    Args:
        at: int64 microseconds UTC.
        zone: zone index; zone_ptr .. zone_instant: `rating.kernels.layout.Tariff`.
    """
    bucket = (at - I64(ZONE_EPOCH_US)) >> I64(ZONE_BUCKET_BITS)
    bucket = min(max(bucket, I64(0)), I64(ZONE_BUCKETS - 1))
    index = I64(zone_bucket[zone, bucket])
    end = I64(zone_ptr[zone + 1])
    while index + 1 < end and zone_instant[index + 1] <= at:
        index += 1
    return index


@kernel
def local_instant(at: Any, zone: Any, zone_ptr: Any, zone_bucket: Any, zone_instant: Any, zone_offset: Any) -> Any:
    """Return `at` (int64 microseconds UTC) on the clock of `zone`: microseconds since 1970 local."""
    return at + zone_offset[transition(at, zone, zone_ptr, zone_bucket, zone_instant)]


@kernel
def day_row(calendar: Any, local: Any, calendar_day: Any) -> Any:
    """Return the row of `layout.Tariff.day_band` of the day of a local instant."""
    day = local // I64(DAY_US) - I64(FIRST_DAY)
    return I64(calendar_day[calendar, min(max(day, I64(0)), I64(CALENDAR_DAYS - 1))])


@kernel
def quarter_of_day(local: Any) -> Any:
    """Return 0 .. 95: the quarter of an hour within the local day."""
    return local // I64(QUARTER_US) % I64(96)


@kernel
def band_at(local: Any, calendar: Any, calendar_day: Any, day_band: Any) -> Any:
    """Return the band of a calendar that is in force at a local instant."""
    return I64(day_band[day_row(calendar, local, calendar_day), quarter_of_day(local)])


@kernel
def offset_around(at: Any, zone: Any, zone_ptr: Any, zone_bucket: Any, zone_instant: Any, zone_offset: Any) -> Any:
    """Return (offset, start, end): the offset of the clock of a zone, and between which instants it is that."""
    index = transition(at, zone, zone_ptr, zone_bucket, zone_instant)
    end = zone_instant[index + 1] if index + 1 < I64(zone_ptr[zone + 1]) else I64(INT64_MAX)
    return zone_offset[index], zone_instant[index], end


@kernel
def months_since_1970(day: Any) -> Any:
    """Return 12 * (year - 1970) + month - 1 of a day counted from 1970-01-01.

    Years are counted from 1 March in eras of 400 years, so that the leap day ends a year.
    """
    shifted = day + I64(719_468)
    era = shifted // I64(146_097)
    day_of_era = shifted - era * I64(146_097)
    year = (day_of_era - day_of_era // I64(1_460) + day_of_era // I64(36_524) - day_of_era // I64(146_096)) // I64(365)
    day_of_year = day_of_era - (I64(365) * year + year // I64(4) - year // I64(100))
    month_from_march = (I64(5) * day_of_year + I64(2)) // I64(153)
    return (era * I64(400) + year - I64(1970)) * I64(12) + month_from_march + I64(2)


@kernel
def period_number(kind: Any, local: Any) -> Any:
    """Return the number of the day, month or year since 1970 in which a local instant lies; 0 for `ever`."""
    if kind == PERIOD_EVER:
        return I64(0)
    day = local // I64(DAY_US)
    if kind == PERIOD_DAY:
        return day
    months = months_since_1970(day)
    return months if kind == PERIOD_MONTH else months // I64(12)


@kernel
def month_start(months: Any) -> Any:
    """Return the first day, counted from 1970-01-01, of a month counted from 1970-01: what `months_since_1970` turns back."""
    # years from 1 March, so that the leap day ends one; the era of 400 years is 1600 .. 1999 or a later one
    from_march = months - I64(2) + I64(12 * 370)
    year = from_march // I64(12)
    day_of_year = (I64(153) * (from_march - year * I64(12)) + I64(2)) // I64(5)
    return year * I64(365) + year // I64(4) - year // I64(100) + year // I64(400) + day_of_year - I64(135_080)


@kernel
def period_around(
    at: Any, kind: Any, zone: Any, zone_ptr: Any, zone_bucket: Any, zone_instant: Any, zone_offset: Any
) -> Any:
    """Return (number, start, end): the period of an instant, and microseconds UTC around it that all lie in that period.

    They end with the period, or where the clock of the zone changes.

    Args:
        at: int64 microseconds UTC. kind: PERIOD_ constant. zone: zone index; zone_ptr .. zone_offset: of `layout.Tariff`.
    """
    index = transition(at, zone, zone_ptr, zone_bucket, zone_instant)
    offset = zone_offset[index]
    number = period_number(kind, at + offset)
    if kind == PERIOD_EVER:
        return number, I64(-(2**62)), I64(2**62)
    if kind == PERIOD_DAY:
        first, last = number, number + I64(1)
    elif kind == PERIOD_MONTH:
        first, last = month_start(number), month_start(number + I64(1))
    else:
        first, last = month_start(number * I64(12)), month_start(number * I64(12) + I64(12))
    start, end = first * I64(DAY_US) - offset, last * I64(DAY_US) - offset
    start = max(start, zone_instant[index])
    if index + 1 < I64(zone_ptr[zone + 1]):
        end = min(end, zone_instant[index + 1])
    return number, start, end
