"""Roll-over: what is left of the allowances of earlier periods when usage is priced. Twin: `rating.reference_carry`.

A counter that rolls over has a second slot, its companion: the quantities that were left of periods which are no longer
kept, in the cells of those periods. What is left of kept periods follows from what the counter has counted in them, so that
late usage, and usage that is taken back, change it by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.layout import (
    PERIOD_FIRST,
    PERIOD_NONE,
    PERIODS_KEPT,
    ROLL_LIMIT,
    ROLL_NEWEST,
    ROLL_OF,
    ROLL_PERIODS,
)

I64 = np.int64


@kernel
def period_span(slot: Any, kind: Any, counter_period: Any) -> Any:
    """Return (earliest, latest): numbers of the periods of a kind in the cells of a slot; (0, -1) when there is none."""
    earliest, latest = I64(0), I64(-1)
    for cell in range(PERIODS_KEPT):
        tag = I64(counter_period[slot, PERIOD_FIRST + cell])
        if tag != PERIOD_NONE and tag & I64(3) == kind:
            number = tag >> I64(2)
            if latest < earliest or number < earliest:
                earliest = number
            latest = max(latest, number)
    return earliest, latest


@kernel
def leave(
    until: Any, slot: Any, companion: Any, kind: Any, rule: Any, used: Any, counter_period: Any, left: Any
) -> Any:
    """Write what is left of the four allowances up to that of period `until`, at its end; return whether there are any.

    Args:
        until: int64 period number. slot, companion: int64. kind: int64, a PERIOD_ constant.
        rule: (ROLL_COLUMNS,) int64. used, counter_period: of `layout.Accounts`.
        left: (PERIODS_KEPT,) int64, written: of period j in left[j & 3].
    """
    left[:] = 0
    earliest, latest = period_span(slot, kind, counter_period)
    _, frozen = period_span(companion, kind, counter_period)
    if latest < 0:
        return False
    number = earliest
    if frozen >= 0:
        number = frozen + I64(1)
        for back in range(PERIODS_KEPT):
            cell = (frozen - I64(back)) & I64(PERIODS_KEPT - 1)
            left[cell] = used[companion, cell]
    started = number <= until or frozen >= 0
    while number <= until:
        if number > latest:
            # nothing was used from here on: only the last periods matter
            number = max(number, until - I64(PERIODS_KEPT - 1))
        cell = number & I64(PERIODS_KEPT - 1)
        drawn = I64(0)
        if counter_period[slot, PERIOD_FIRST + cell] == number * I64(4) + kind:
            drawn = used[slot, cell]
        own = rule[ROLL_OF]
        if rule[ROLL_NEWEST] != 0:
            part = min(drawn, own)
            own -= part
            drawn -= part
        for step in range(1, rule[ROLL_PERIODS] + I64(1)):
            back = I64(step) if rule[ROLL_NEWEST] != 0 else rule[ROLL_PERIODS] + I64(1) - I64(step)
            older = (number - back) & I64(PERIODS_KEPT - 1)
            part = min(drawn, left[older])
            left[older] -= part
            drawn -= part
        own -= min(drawn, own)
        left[cell] = min(own, rule[ROLL_LIMIT])
        number += I64(1)
    return started


@kernel
def carried_into(
    number: Any,
    slot: Any,
    counter_slot: Any,
    beside: Any,
    kind: Any,
    rule: Any,
    used: Any,
    counter_period: Any,
    left: Any,
) -> Any:
    """Return what is carried into a period; -1 when that period is no longer kept.

    Args:
        number: int64. beside: int64, where in `counter_slot` the companion is, if the counter rolls over.
        slot .. left: as in `leave`; `left` is overwritten.
    """
    if rule[ROLL_PERIODS] == 0:
        return I64(0)
    companion = I64(counter_slot[beside])
    _, latest = period_span(slot, kind, counter_period)
    if latest >= 0 and number <= latest - I64(PERIODS_KEPT):
        return I64(-1)
    carried = I64(0)
    if leave(number - I64(1), slot, companion, kind, rule, used, counter_period, left):
        for back in range(1, rule[ROLL_PERIODS] + I64(1)):
            carried += left[(number - I64(back)) & I64(PERIODS_KEPT - 1)]
    return carried


@kernel
def keep_left(
    number: Any,
    slot: Any,
    counter_slot: Any,
    beside: Any,
    kind: Any,
    rule: Any,
    used: Any,
    counter_period: Any,
    left: Any,
) -> None:
    """Before a counter counts in a new latest period, keep what is left of the periods that are then no longer kept.

    Args:
        number .. left: as in `carried_into`; the companion's cells in `used` and `counter_period` are updated.
    """
    if rule[ROLL_PERIODS] == 0:
        return
    companion = I64(counter_slot[beside])
    _, latest = period_span(slot, kind, counter_period)
    if latest < 0 or number <= latest:
        return
    until = number - I64(PERIODS_KEPT)
    if leave(until, slot, companion, kind, rule, used, counter_period, left):
        for back in range(PERIODS_KEPT):
            old = until - I64(back)
            cell = old & I64(PERIODS_KEPT - 1)
            used[companion, cell] = left[cell]
            counter_period[companion, PERIOD_FIRST + cell] = old * I64(4) + kind
