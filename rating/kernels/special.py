"""Versions that ask for more than one price or tiers: every other model, minimums, limits, and usage that is split."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.crossing import STEP_US, price_crossing, rated_split, run_at, run_start
from rating.kernels.flat import price_flat
from rating.kernels.graduated import price_graduated
from rating.kernels.increments import round_in_tier, round_increments
from rating.kernels.layout import (
    BANDS,
    CAP_HI,
    CAP_LO,
    CROSSING,
    CROSSING_DAYS_MAX,
    CROSSING_SPLIT,
    CROSSING_START,
    FEE_HI,
    FEE_LO,
    FIRST,
    FLOOR_HI,
    FLOOR_LO,
    FREE,
    INCREMENT_MODE,
    MINIMUM,
    MODEL_EVENT,
    MODEL_FLAT,
    MODEL_GRADUATED,
    MODEL_PACKAGE,
    MODEL_VALUE,
    MODEL_VOLUME,
    NEXT,
    ROUND_DOWN,
    RUN_BAND,
    SHAPE,
    SIZE,
    STRAIGHT,
    TIER_COUNT,
    TIER_PTR,
    TIER_STEPS,
    ZERO_CHARGED,
)
from rating.kernels.local_time import transition
from rating.kernels.package import price_package
from rating.kernels.stair_step import amounts_begun, price_stair_step
from rating.kernels.straight import lay_straight, price_straight
from rating.kernels.volume import price_volume, tier_of
from rating.kernels.wide import add, less, multiply, widen

I64 = np.int64
U = np.uint64
QUANTITY_MAX = 2**62
LENGTH_MAX = CROSSING_DAYS_MAX * 86_400_000


@kernel
def price_special(
    at: Any,
    quantity: Any,
    consumed: Any,
    rule: Any,
    price_at: Any,
    measure: Any,
    band: Any,
    calendar: Any,
    zone: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    run_before: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
    tier_upper: Any,
    tier_amount: Any,
    tier_step: Any,
    price: Any,
) -> Any:
    """Return (hi, lo, tier, rated, too_long) of one usage: what `to_amount` rounds, and the quantity that is priced.

    Twin: `rating.reference`.

    Args:
        at: int64 microseconds UTC. quantity: int64, 0 .. 2**62. consumed: int64, what was consumed before, below 0
            by what was carried over.
        rule: (VERSION_COLUMNS,) int64. price_at: int64, where its prices start, or those of its row of a price table.
        measure: int64 >= 0, the value that it prices, or anything where it prices none.
        band: int64, in force at the start. calendar .. zone_offset: of `layout.Tariff`, if the rule crosses bands.
        tier_upper .. price: of `layout.Tariff`.
    """
    model = rule[SHAPE] & I64(7)
    crossing = I64(rule[CROSSING])
    first, count = rule[TIER_PTR], rule[TIER_COUNT]
    hi, lo = I64(0), U(0)
    tier = I64(0)
    length = quantity
    straight, ran = False, I64(0)
    laid = (I64(0), I64(0), I64(0), I64(0), I64(0), I64(0))
    if quantity > 0:
        length = max(quantity, rule[MINIMUM])
    if rule[TIER_STEPS] != 0:
        rated = round_in_tier(length, tier_upper, tier_step, first, count)
    else:
        rated = round_increments(length, rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
    if crossing != CROSSING_START:
        if crossing != CROSSING_SPLIT:
            length = rated
        if length > I64(LENGTH_MAX):
            return hi, lo, tier, I64(0), True
        if length > 0:
            clock = transition(at, zone, zone_ptr, zone_bucket, zone_instant)
            local = at + zone_offset[clock]
            latest = at + (length - I64(1)) * I64(STEP_US)
            straight = clock + 1 >= I64(zone_ptr[zone + 1]) or latest < zone_instant[clock + 1]
            if straight:
                ran = run_at(local, calendar, calendar_day, day_turn, calendar_run)
                if latest + zone_offset[clock] < run_start(ran + I64(1), run):
                    crossing = I64(CROSSING_START)  # most usage crosses nothing
            straight = straight and crossing != CROSSING_START and rule[STRAIGHT] != 0
        if straight:
            laid = lay_straight(local, length, ran, calendar, calendar_day, day_turn, calendar_run, run, rule)
            if crossing == CROSSING_SPLIT:
                rated = laid[0] + laid[2] - laid[1] + laid[3]
        elif crossing == CROSSING_SPLIT:
            rated = rated_split(
                at,
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
                rule,
            )
    if rated > I64(QUANTITY_MAX):
        return hi, lo, tier, rated, False
    if rated == 0:
        if count > 0:
            tier = tier_of(U(max(consumed, I64(0))), tier_upper, first, count)
        if rule[ZERO_CHARGED] != 0:
            if model == MODEL_EVENT:
                hi, lo = widen(price[price_at + band])
            else:
                hi, lo = tier_amount[first, 0], U(tier_amount[first, 1])
        return hi, lo, tier, rated, False
    if straight:
        hi, lo, tier = price_straight(
            laid,
            I64(run[ran, RUN_BAND]),
            rated,
            consumed,
            rule,
            price_at,
            calendar,
            calendar_day,
            day_turn,
            calendar_run,
            run,
            run_before,
            tier_upper,
            price,
        )
    elif crossing != CROSSING_START:
        hi, lo, tier = price_crossing(
            at,
            length,
            rated,
            consumed,
            rule,
            price_at,
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
            tier_upper,
            tier_step,
            price,
        )
    elif model == MODEL_FLAT:
        hi, lo = price_flat(rated, price[price_at + band])
    elif model == MODEL_GRADUATED:
        hi, lo, tier = price_graduated(rated, consumed, tier_upper, first, count, price, price_at + band, rule[BANDS])
    elif model == MODEL_VOLUME:
        hi, lo, tier = price_volume(rated, consumed, tier_upper, first, count, price, price_at + band, rule[BANDS])
    elif model == MODEL_PACKAGE:
        hi, lo = price_package(rated, consumed, rule[FREE], rule[SIZE], rule[ROUND_DOWN], price[price_at + band])
    elif model == MODEL_EVENT:
        hi, lo = widen(price[price_at + band])
    elif model == MODEL_VALUE:
        hi, lo = multiply(max(measure - rule[FREE], I64(0)), price[price_at + band])
    else:
        hi, lo, tier = price_stair_step(rated, consumed, tier_upper, first, count, tier_amount)
    if model == MODEL_GRADUATED:
        more_hi, more_lo = amounts_begun(rated, consumed, tier_upper, first, count, tier_amount)
        hi, lo, _ = add(hi, lo, more_hi, more_lo)
    elif model == MODEL_VOLUME:
        hi, lo, _ = add(hi, lo, tier_amount[first + tier, 0], U(tier_amount[first + tier, 1]))
    hi, lo, _ = add(hi, lo, rule[FEE_HI], U(rule[FEE_LO]))
    if less(hi, lo, rule[FLOOR_HI], U(rule[FLOOR_LO])):
        hi, lo = rule[FLOOR_HI], U(rule[FLOOR_LO])
    if less(rule[CAP_HI], U(rule[CAP_LO]), hi, lo):
        hi, lo = rule[CAP_HI], U(rule[CAP_LO])
    return hi, lo, tier, rated, False
