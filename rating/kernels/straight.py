"""Usage that crosses time bands on a clock that runs straight: summed up from its two ends, however long it lasts.

All that lies between the first and the last change of the band is a whole number of increments where increments begin
where quarters of an hour do (`layout.STRAIGHT`), so it is priced by how much time lies in each band: the difference of
two sums. Usage over a change of the clock, and other increments, are walked: `rating.kernels.crossing`, which gives the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.compiled import kernel
from rating.kernels.crossing import STEP_US, run_at, run_start
from rating.kernels.graduated import price_graduated
from rating.kernels.increments import round_increments
from rating.kernels.layout import (
    BANDS,
    CROSSING,
    CROSSING_INCREMENT,
    CROSSING_SECOND,
    CROSSING_SPLIT,
    FIRST,
    INCREMENT_MODE,
    MODEL_VOLUME,
    NEXT,
    QUARTER_STEPS,
    RUN_BAND,
    RUN_BEFORE,
    SHAPE,
    TIER_COUNT,
    TIER_PTR,
)
from rating.kernels.volume import tier_of
from rating.kernels.wide import add, multiply

I64 = np.int64
U = np.uint64
QUANTITY_MAX = 2**62


@kernel
def lay_straight(
    local: Any,
    length: Any,
    here: Any,
    calendar: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    rule: Any,
) -> Any:
    """Return (head, start, end, tail, first, last): the ends of a usage, and from when to when the rest of it lasts.

    Args:
        local: int64, local microseconds of its start. length: int64 steps, beyond the end of the run in which it starts.
        here: int64, that run.
        calendar .. run: of `layout.Tariff`. rule: (VERSION_COLUMNS,) int64 of a straight version that does not cross by start.

    Returns:
        int64 each: head and tail in steps, as they are priced; start and end in local steps, which lie in the runs `first` and
        `last`. The head has the band of `here`, the tail that of `last`.
    """
    start = local // I64(STEP_US)
    end = start + length
    head, tail = I64(0), I64(0)
    if rule[CROSSING] == CROSSING_SPLIT:
        last = run_at((end - I64(1)) * I64(STEP_US), calendar, calendar_day, day_turn, calendar_run)
        head = run_start(here + I64(1), run) // I64(STEP_US) - start
        start += head
        head = round_increments(head, rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
        tail = end
        end = run_start(last, run) // I64(STEP_US)
        tail = round_increments(tail - end, rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
        return head, start, end, tail, here + I64(1), last
    if rule[CROSSING] == CROSSING_INCREMENT:
        # an increment has the band in force at its own start, hence the one of all of its share of the quarter
        head = min(rule[FIRST], length)
        start += head
        start -= start % rule[NEXT]
        end = start + length - head
        here = run_at(start * I64(STEP_US), calendar, calendar_day, day_turn, calendar_run)
    last = run_at(end * I64(STEP_US), calendar, calendar_day, day_turn, calendar_run)
    return head, start, end, tail, here, last


@njit(inline="always")
def further(consumed: Any, part: Any) -> Any:
    """Return consumed + part: bounds of tiers are at most 2**62 + 1, beyond it does not matter how much was consumed."""
    return consumed + part if consumed <= I64(QUANTITY_MAX) else consumed


@kernel
def price_end(part: Any, consumed: Any, tier: Any, rule: Any, price_at: Any, tier_upper: Any, price: Any) -> Any:
    """Return (hi, lo, tier) of a part in one band, whose prices start at `price_at`; tier as in `price_stretch`."""
    if tier < 0:
        return price_graduated(
            part, consumed, tier_upper, rule[TIER_PTR], rule[TIER_COUNT], price, price_at, rule[BANDS]
        )
    hi, lo = multiply(part, price[price_at + tier * rule[BANDS]])
    return hi, lo, tier


@kernel
def price_stretch(
    start: Any,
    end: Any,
    here: Any,
    last: Any,
    consumed: Any,
    tier: Any,
    rule: Any,
    price_at: Any,
    calendar: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    run_before: Any,
    tier_upper: Any,
    price: Any,
) -> Any:
    """Return (hi, lo, tier): the sum of part * price over a stretch of local time, and the last tier.

    Args:
        start, end: int64, local steps, start < end, in the runs `here` and `last`. consumed: int64, what was consumed before.
        tier: int64, the tier of all of it, or -1 where parts have the tiers in which they fall.
        rule .. price: as in `price_straight`.
    """
    first, count, bands = rule[TIER_PTR], rule[TIER_COUNT], rule[BANDS]
    graduated = tier < 0
    if graduated:
        tier = I64(0)
        while tier < count - 1 and consumed >= tier_upper[first + tier]:
            tier += 1
    hi, lo = I64(0), U(0)
    while True:
        upto, there = end, last
        if graduated and tier < count - 1 and end - start > tier_upper[first + tier] - consumed:
            upto = start + tier_upper[first + tier] - consumed
            there = run_at(upto * I64(STEP_US), calendar, calendar_day, day_turn, calendar_run)
        for band in range(bands):
            steps = I64(run_before[run[there, RUN_BEFORE] + band]) - I64(run_before[run[here, RUN_BEFORE] + band])
            steps *= I64(QUARTER_STEPS)
            if run[there, RUN_BAND] == band:
                steps += upto - run_start(there, run) // I64(STEP_US)
            if run[here, RUN_BAND] == band:
                steps -= start - run_start(here, run) // I64(STEP_US)
            part_hi, part_lo = multiply(steps, price[price_at + tier * bands + band])
            hi, lo, _ = add(hi, lo, part_hi, part_lo)
        if upto == end:
            return hi, lo, tier
        consumed += upto - start
        start, here = upto, there
        tier += 1


@kernel
def price_straight(
    laid: Any,
    band: Any,
    rated: Any,
    consumed: Any,
    rule: Any,
    price_at: Any,
    calendar: Any,
    calendar_day: Any,
    day_turn: Any,
    calendar_run: Any,
    run: Any,
    run_before: Any,
    tier_upper: Any,
    price: Any,
) -> Any:
    """Return (hi, lo, tier): the sum of part * price over the bands that a usage crosses, and the last tier.

    Args:
        laid: from `lay_straight`. band: int64, that of its head. rated, consumed, price_at: as in `crossing.price_crossing`.
        rule: (VERSION_COLUMNS,) int64 of a straight version.
        calendar .. price: of `layout.Tariff`.
    """
    tier = I64(-1)
    if rule[SHAPE] & I64(7) == MODEL_VOLUME:
        tier = tier_of(U(consumed) + U(rated), tier_upper, rule[TIER_PTR], rule[TIER_COUNT])
    elif rule[TIER_COUNT] == 0:
        tier = I64(0)
    head, start, end, tail, first, last = laid
    hi, lo, reached = I64(0), U(0), tier
    if rule[CROSSING] != CROSSING_SECOND:
        hi, lo, reached = price_end(head, consumed, tier, rule, price_at + band, tier_upper, price)
        consumed = further(consumed, head)
    if start < end:
        part_hi, part_lo, reached = price_stretch(
            start,
            end,
            first,
            last,
            consumed,
            tier,
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
        hi, lo, _ = add(hi, lo, part_hi, part_lo)
        consumed = further(consumed, end - start)
    if rule[CROSSING] == CROSSING_SPLIT:
        at = price_at + I64(run[last, RUN_BAND])
        part_hi, part_lo, reached = price_end(tail, consumed, tier, rule, at, tier_upper, price)
        hi, lo, _ = add(hi, lo, part_hi, part_lo)
    return hi, lo, reached
