"""Calendars, counters and their zones as tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rating.kernels.layout import (
    PERIOD_DAY,
    PERIOD_EVER,
    PERIOD_MONTH,
    PERIOD_YEAR,
    QUARTERS_PER_WEEK,
    ZONE_BUCKETS,
)
from rating.zones import zone_buckets, zone_transitions
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.catalog import Catalog
from schemas.price_plan import Band, Calendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PERIOD_KINDS = {"day": PERIOD_DAY, "month": PERIOD_MONTH, "year": PERIOD_YEAR, "ever": PERIOD_EVER}
QUARTERS_PER_DAY = QUARTERS_PER_WEEK // 7


@dataclass(frozen=True, slots=True)
class CalendarTables:
    """The parts of `rating.kernels.layout.Tariff` that tell the time; codes in the order of their index."""

    calendars: tuple[str, ...]
    counters: tuple[str, ...]
    zones: tuple[str, ...]
    calendar_zone: Int32Array
    calendar_band: UInt8Array
    counter_kind: Int32Array
    counter_zone: Int32Array
    zone_ptr: Int32Array
    zone_bucket: Int32Array
    zone_instant: Int64Array
    zone_offset: Int64Array


def compile_calendars(catalog: Catalog) -> CalendarTables:
    """Return the tables of all calendars and counters of a catalog.

    Raises:
        rating.zones.UnableToReadZone: when a zone is unknown.
    """
    calendars, counters = tuple(sorted(catalog.calendars)), tuple(sorted(catalog.counters))
    used = {catalog.calendars[code].zone for code in calendars} | {catalog.counters[code].zone for code in counters}
    zones = tuple(sorted(used))
    transitions = [zone_transitions(zone) for zone in zones]
    sizes = [len(instants) for instants, _ in transitions]
    ptr = _int32(np.cumsum([0, *sizes]))
    bucket = np.zeros((len(zones), ZONE_BUCKETS), np.int32)
    for index, (instants, _) in enumerate(transitions):
        bucket[index] = ptr[index] + zone_buckets(instants)
    band = np.zeros((len(calendars), QUARTERS_PER_WEEK), np.uint8)
    for index, code in enumerate(calendars):
        band[index] = week_of_bands(catalog.calendars[code])
    return CalendarTables(
        calendars=calendars,
        counters=counters,
        zones=zones,
        calendar_zone=_int32(zones.index(catalog.calendars[code].zone) for code in calendars),
        calendar_band=band,
        counter_kind=_int32(PERIOD_KINDS[catalog.counters[code].period] for code in counters),
        counter_zone=_int32(zones.index(catalog.counters[code].zone) for code in counters),
        zone_ptr=ptr,
        zone_bucket=bucket,
        zone_instant=np.concatenate([np.zeros(0, np.int64), *(instants for instants, _ in transitions)]),
        zone_offset=np.concatenate([np.zeros(0, np.int64), *(offsets for _, offsets in transitions)]),
    )


def week_of_bands(calendar: Calendar) -> UInt8Array:
    """Return (QUARTERS_PER_WEEK,) the band in force in each quarter of an hour from Monday 00:00."""
    week = np.full(QUARTERS_PER_WEEK, len(calendar.bands) - 1, np.uint8)
    for index in reversed(range(len(calendar.bands))):
        week[_quarters_of(calendar.bands[index])] = index
    return week


def _quarters_of(band: Band) -> Int64Array:
    start = _quarter(band.start) if band.start is not None else 0
    end = _quarter(band.end) if band.end is not None else QUARTERS_PER_DAY
    if end <= start:
        end += QUARTERS_PER_DAY
    days = [WEEKDAYS.index(day) for day in band.days or WEEKDAYS]
    quarters = np.arange(start, end, dtype=np.int64)
    return np.concatenate([day * QUARTERS_PER_DAY + quarters for day in days]) % QUARTERS_PER_WEEK


def _quarter(clock: str) -> int:
    return int(clock[:2]) * 4 + int(clock[3:]) // 15


def _int32(values: Iterable[int]) -> Int32Array:
    return np.array(list(values), np.int32)
