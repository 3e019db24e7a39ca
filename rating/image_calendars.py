"""Calendars, counters and their zones as tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_days import calendar_rows
from rating.image_prices import UnableToCompileImage
from rating.image_runs import Runs, crossed_calendars, day_turns
from rating.kernels.layout import (
    BANDS_MAX,
    CALENDAR_DAYS,
    PERIOD_DAY,
    PERIOD_EVER,
    PERIOD_MONTH,
    PERIOD_YEAR,
    QUARTERS_PER_DAY,
    ROLL_COLUMNS,
    ROLL_LIMIT,
    ROLL_NEWEST,
    ROLL_OF,
    ROLL_PERIODS,
    ZONE_BUCKETS,
)
from rating.kernels.local_time import DAY_US
from rating.vocabulary import Vocabulary
from rating.zones import zone_buckets, zone_transitions
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.catalog import Catalog
from schemas.price_plan import Calendar, Counter
from schemas.quantity import parse_quantity

PERIOD_KINDS = {"day": PERIOD_DAY, "month": PERIOD_MONTH, "year": PERIOD_YEAR, "ever": PERIOD_EVER}
ROWS_MAX = 2**16
SUBSCRIPTION_ZONE = "subscription"
"""Instead of a zone: that of the subscription."""
NO_ZONE = "UTC"
BEHIND = "#"
"""Between a zone and days in the name of a clock; no zone has it."""


@dataclass(frozen=True, slots=True)
class CalendarTables:
    """The parts of `rating.kernels.layout.Tariff` that tell the time; codes in the order of their index."""

    calendars: tuple[str, ...]
    counters: tuple[str, ...]
    zones: tuple[str, ...]
    calendar_zone: Int32Array
    calendar_day: UInt16Array
    day_band: UInt8Array
    day_turn: UInt8Array
    calendar_run: Int32Array
    run: Int32Array
    run_before: Int32Array
    counter_kind: Int32Array
    counter_zone: Int32Array
    zone_ptr: Int32Array
    zone_bucket: Int32Array
    zone_instant: Int64Array
    zone_offset: Int64Array
    rolls: Int64Array | None


def compile_calendars(catalog: Catalog) -> CalendarTables:
    """Return the tables of all calendars and counters of a catalog.

    Raises:
        rating.zones.UnableToReadZone: when a zone is unknown.
    """
    calendars, counters = tuple(sorted(catalog.calendars)), tuple(sorted(catalog.counters))
    used = {_clock_of(catalog.counters[code]) for code in counters}
    for code in calendars:
        if catalog.calendars[code].zone != SUBSCRIPTION_ZONE:
            used.add(catalog.calendars[code].zone)
        else:
            used |= {NO_ZONE, *catalog.subscription_zones["zone"].unique().to_list()}
    zones = tuple(sorted(used))
    transitions = [_transitions(zone) for zone in zones]
    sizes = [len(instants) for instants, _ in transitions]
    ptr = _int32(np.cumsum([0, *sizes]))
    bucket = np.zeros((len(zones), ZONE_BUCKETS), np.int32)
    for index, (instants, _) in enumerate(transitions):
        bucket[index] = ptr[index] + zone_buckets(instants)
    day = np.zeros((len(calendars), CALENDAR_DAYS), np.uint16)
    bands, turns, rows = [np.zeros((0, QUARTERS_PER_DAY), np.uint8)], [np.zeros((0, QUARTERS_PER_DAY), np.uint8)], 0
    calendar_run, runs, crossed = (
        np.zeros((len(calendars), CALENDAR_DAYS), np.int32),
        Runs(),
        crossed_calendars(catalog),
    )
    for index, code in enumerate(calendars):
        which, patterns = calendar_rows(catalog.calendars[code], catalog.date_lists)
        if rows + len(patterns) > ROWS_MAX:
            raise UnableToCompileImage(f"calendar {code}: more than {ROWS_MAX} different days in all calendars")
        day[index] = rows + which
        bands.append(patterns)
        named = band_names(catalog.calendars[code])[patterns]
        turns.append(day_turns(named))
        if code in crossed:
            calendar_run[index] = runs.add(which, named, len(catalog.calendars[code].bands))
        rows += len(patterns)
    run, run_before = runs.joined()
    return CalendarTables(
        calendars=calendars,
        counters=counters,
        zones=zones,
        calendar_zone=_int32(_zone_index(catalog.calendars[code].zone, zones) for code in calendars),
        calendar_day=day,
        day_band=np.concatenate(bands),
        day_turn=np.concatenate(turns),
        calendar_run=calendar_run,
        run=run,
        run_before=run_before,
        counter_kind=_int32(PERIOD_KINDS[catalog.counters[code].period] for code in counters),
        counter_zone=_int32(zones.index(_clock_of(catalog.counters[code])) for code in counters),
        zone_ptr=ptr,
        zone_bucket=bucket,
        zone_instant=np.concatenate([np.zeros(0, np.int64), *(instants for instants, _ in transitions)]),
        zone_offset=np.concatenate([np.zeros(0, np.int64), *(offsets for _, offsets in transitions)]),
        rolls=_rolls(catalog, counters),
    )


def _rolls(catalog: Catalog, counters: tuple[str, ...]) -> Int64Array | None:
    """Return (counters, ROLL_COLUMNS), see `layout`; None where nothing rolls over."""
    rows = np.zeros((len(counters), ROLL_COLUMNS), np.int64)
    for row, rule in zip(rows, (catalog.counters[code].roll_over for code in counters), strict=True):
        if rule is not None:
            of = parse_quantity(rule.of, catalog.units)[0]
            row[ROLL_PERIODS], row[ROLL_OF] = rule.periods, of
            row[ROLL_LIMIT] = parse_quantity(rule.limit, catalog.units)[0] if rule.limit is not None else of
            row[ROLL_NEWEST] = rule.order == "newest_first"
    return rows if rows.any() else None


def _clock_of(counter: Counter) -> str:
    """Return the name of the clock by which a counter has its periods: its zone, or one that is days behind it.

    Where months begin on the 15th, 14 days earlier it is the month of the calendar.
    """
    return counter.zone if counter.first_day == 1 else f"{counter.zone}{BEHIND}{counter.first_day - 1}"


def _transitions(clock: str) -> tuple[Int64Array, Int64Array]:
    """Return instants and offsets of a clock, as `zone_transitions` does of a zone."""
    zone, _, days = clock.partition(BEHIND)
    instants, offsets = zone_transitions(zone)
    return (instants, offsets - int(days) * DAY_US) if days else (instants, offsets)


def _zone_index(zone: str, zones: tuple[str, ...]) -> int:
    return -1 if zone == SUBSCRIPTION_ZONE else zones.index(zone)


def subscription_zones(catalog: Catalog, vocabulary: Vocabulary, zones: tuple[str, ...]) -> Int32Array:
    """Return (subscriptions,) the zone of each, NO_ZONE where it names none; all 0 when no calendar asks."""
    if not any(calendar.zone == SUBSCRIPTION_ZONE for calendar in catalog.calendars.values()):
        return np.zeros(len(vocabulary.subscriptions), np.int32)
    found = np.full(len(vocabulary.subscriptions), zones.index(NO_ZONE), np.int32)
    index = {zone: place for place, zone in enumerate(zones)}
    named = catalog.subscription_zones
    found[vocabulary.subscriptions.ids(named["subscription"])] = named["zone"].replace_strict(
        index, return_dtype=pl.Int32
    )
    return found


def band_names(calendar: Calendar) -> UInt8Array:
    """Return (BANDS_MAX,) the first band that has the same name as each band."""
    names = [band.name for band in calendar.bands]
    first = np.zeros(BANDS_MAX, np.uint8)
    first[: len(names)] = [names.index(name) for name in names]
    return first


def _int32(values: Iterable[int]) -> Int32Array:
    return np.array(list(values), np.int32)
