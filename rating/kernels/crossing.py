"""Usage that is laid on the clock and walked over the time bands it crosses: work per band, never per second.

Base steps of time are milliseconds; each belongs to the band in force at its own start. Most usage is summed up without a
walk, see `rating.kernels.straight`. Twin: `rating.reference_clock`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.graduated import price_graduated
from rating.kernels.increments import round_increments
from rating.kernels.layout import (
    BANDS,
    CALENDAR_DAYS,
    CROSSING,
    CROSSING_SECOND,
    CROSSING_SPLIT,
    FIRST,
    FIRST_DAY,
    INCREMENT_MODE,
    MODEL_VOLUME,
    NEXT,
    RUN_BAND,
    RUN_START,
    SHAPE,
    TIER_COUNT,
    TIER_PTR,
    TIER_STEPS,
)
from rating.kernels.local_time import DAY_US, QUARTER_US, quarter_of_day, transition
from rating.kernels.volume import tier_of
from rating.kernels.wide import add, multiply

I64 = np.int64
U = np.uint64
STEP_US = 1000
"""Microseconds of a base step of time."""
QUANTITY_MAX = 2**62
INT64_MAX = 2**63 - 1


@kernel
def run_at(local: Any, calendar: Any, calendar_day: Any, day_turn: Any, calendar_run: Any) -> Any:
    """Return the row of `layout.Tariff.run` in which a local instant (int64 microseconds) lies."""
    day = min(max(local // I64(DAY_US) - I64(FIRST_DAY), I64(0)), I64(CALENDAR_DAYS - 1))
    return I64(calendar_run[calendar, day]) + I64(day_turn[I64(calendar_day[calendar, day]), quarter_of_day(local)])


@kernel
def run_start(index: Any, run: Any) -> Any:
    """Return where a run begins, in local microseconds; a run ends where the next one begins."""
    return I64(run[index, RUN_START]) * I64(QUARTER_US) + I64(FIRST_DAY * DAY_US)


@kernel
def band_until(
    at: Any,
    calendar: Any,
    zone: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
) -> Any:
    """Return (band, end): the first band of the name in force at an instant, and until when, at least, that one is.

    Args:
        at: int64 microseconds UTC; end likewise, after `at`: where a run ends, or the clock changes.
        calendar, zone: indexes of `layout.Tariff`.
        calendar_day .. zone_offset: arrays of it.
    """
    index = transition(at, zone, zone_ptr, zone_bucket, zone_instant)
    here = run_at(at + zone_offset[index], calendar, calendar_day, day_turn, calendar_run)
    end = max(run_start(here + I64(1), run) - zone_offset[index], at + I64(1))
    if index + 1 < I64(zone_ptr[zone + 1]):
        end = min(end, zone_instant[index + 1])
    return I64(run[here, RUN_BAND]), end


@kernel
def stay(
    at: Any,
    offset: Any,
    length: Any,
    calendar: Any,
    zone: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
) -> Any:
    """Return (band, steps): the band at a step of a usage, and for how many steps of it a band of that name stays.

    Args:
        at: int64 microseconds UTC, start of the usage. offset, length: int64 steps, 0 <= offset < length.
        calendar .. zone_offset: as in `band_until`.
    """
    band, end = band_until(
        at + offset * I64(STEP_US),
        calendar,
        zone,
        calendar_day,
        day_turn,
        calendar_run,
        run,
        zone_ptr,
        zone_bucket,
        zone_instant,
        zone_offset,
    )
    steps = (end - at + I64(STEP_US - 1)) // I64(STEP_US)
    while steps < length:
        following, end = band_until(
            at + steps * I64(STEP_US),
            calendar,
            zone,
            calendar_day,
            day_turn,
            calendar_run,
            run,
            zone_ptr,
            zone_bucket,
            zone_instant,
            zone_offset,
        )
        if following != band:
            break
        steps = (end - at + I64(STEP_US - 1)) // I64(STEP_US)
    return band, min(steps, length) - offset


@kernel
def whole_increments(offset: Any, steps: Any, length: Any, rule: Any, tier_upper: Any, tier_step: Any) -> Any:
    """Return the steps of all increments that start in offset .. offset + steps, up to the end of the usage.

    Args:
        offset: int64, where an increment starts. steps: int64 >= 1. length: int64 > offset, a whole number of increments.
        rule: (VERSION_COLUMNS,) int64. tier_upper, tier_step: of `layout.Tariff`.
    """
    size = rule[NEXT]
    most = length - offset
    if rule[TIER_STEPS] != 0:
        tier = rule[TIER_PTR] + tier_of(U(offset), tier_upper, rule[TIER_PTR], rule[TIER_COUNT])
        size = tier_step[tier]
        most = min(most, tier_upper[tier] - offset)
    elif offset == 0:
        return min(rule[FIRST], most)
    if size >= steps:
        return min(size, most)
    return min((steps + size - I64(1)) // size * size, most)


@kernel
def rated_split(
    at: Any,
    length: Any,
    calendar: Any,
    zone: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
    rule: Any,
) -> Any:
    """Return the steps of a usage split by bands and rounded part by part, INT64_MAX when they exceed 2**62."""
    offset = I64(0)
    rated = I64(0)
    while offset < length:
        _, steps = stay(
            at,
            offset,
            length,
            calendar,
            zone,
            calendar_day,
            day_turn,
            calendar_run,
            run,
            zone_ptr,
            zone_bucket,
            zone_instant,
            zone_offset,
        )
        part = round_increments(steps, rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
        if part > I64(QUANTITY_MAX) - rated:
            return I64(INT64_MAX)
        rated += part
        offset += steps
    return rated


@kernel
def price_crossing(
    at: Any,
    length: Any,
    rated: Any,
    consumed: Any,
    rule: Any,
    price_at: Any,
    calendar: Any,
    zone: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
    tier_upper: Any,
    tier_step: Any,
    price: Any,
) -> Any:
    """Return (hi, lo, tier): the sum of part * price over the bands that a usage crosses, and the last tier.

    Args:
        at: int64 microseconds UTC, start of the usage.
        length: int64 >= 1, base steps that are laid on the clock, at most CROSSING_DAYS_MAX days.
        rated: int64 <= 2**62, base steps that are priced: `rated_split` of them, or `length`.
        consumed: int64 >= 0, what was consumed before.
        price_at: int64, where prices start in `price`.
        rule: (VERSION_COLUMNS,) int64 of a flat, graduated or volume version.
        calendar .. zone_offset: as in `stay`. tier_upper, tier_step, price: of `layout.Tariff`.
    """
    crossing, first, count, stride = rule[CROSSING], rule[TIER_PTR], rule[TIER_COUNT], rule[BANDS]
    volume = rule[SHAPE] & I64(7) == MODEL_VOLUME
    tier = I64(0)
    if volume:
        tier = tier_of(U(consumed) + U(rated), tier_upper, first, count)
    hi, lo = I64(0), U(0)
    offset = I64(0)
    position = consumed
    while offset < length:
        band, steps = stay(
            at,
            offset,
            length,
            calendar,
            zone,
            calendar_day,
            day_turn,
            calendar_run,
            run,
            zone_ptr,
            zone_bucket,
            zone_instant,
            zone_offset,
        )
        part = steps
        if crossing == CROSSING_SPLIT:
            part = round_increments(steps, rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
        elif crossing != CROSSING_SECOND:
            part = whole_increments(offset, steps, length, rule, tier_upper, tier_step)
            steps = part
        if volume or count == 0:
            part_hi, part_lo = multiply(part, price[price_at + tier * stride + band])
        else:
            part_hi, part_lo, tier = price_graduated(
                part, position, tier_upper, first, count, price, price_at + band, stride
            )
        hi, lo, _ = add(hi, lo, part_hi, part_lo)
        # bounds of tiers are at most 2**62 + 1: beyond, it does not matter how much was consumed
        position = position + part if position <= I64(QUANTITY_MAX) else position
        offset += steps
    return hi, lo, tier
