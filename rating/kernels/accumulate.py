"""Accumulators: counters that grow by what was rated, and price nothing. Twin: `tests/support/notify_twin.py`.

They are no part of `rate_rows`: what grows follows from its answer, row by row. A value is 128 bits, so that no sum of
quantities or amounts, which are below 2**63 each, can exceed it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.layout import OFFER, PERIOD_NONE, PERIODS_KEPT
from rating.kernels.local_time import local_instant, period_number
from rating.kernels.wide import add, low_signed, subtract, widen

I64 = np.int64
U = np.uint64


class AccumulatorTables(NamedTuple):
    """The accumulators of a tariff image, by index.

    Attributes:
        kind, zone: (accumulators,) int32 of their periods. of_amount: (accumulators,) bool, whether they count money.
        values: (accumulators,) int32: how many of the accumulators behind one count by its values; it counts all others.
        code: (accumulators,) int32 id in `Vocabulary.attribute_values` of the value that one counts, -1 of others.
        in_units: (versions,) bool, whether items of a row of `version_row` cost units of a wallet, which are no money.
        said: (versions, accumulators) int8 column of what usage says in which an item of a row of `version_row` has the value,
            -1 where it says no such thing.
        version_ptr: (versions + 1,) int32 into version_list: those that items of a row of `version_row` grow.
        offer_ptr: (offers + 1,) int32 into offer_list: those that all items of an offer grow besides. Both lists int32.
        place: (offers, accumulators) int32 position among the slots of a subscription of the offer, -1 where it has none.
        slot_ptr: (subscriptions + 1,) int32 into slot, ids in `Vocabulary.accumulators`.
    """

    kind: Any
    zone: Any
    of_amount: Any
    values: Any
    code: Any
    in_units: Any
    said: Any
    version_ptr: Any
    version_list: Any
    offer_ptr: Any
    offer_list: Any
    place: Any
    slot_ptr: Any
    slot: Any


@kernel
def locate_growths(
    row: Any,
    event_at: Any,
    subscription: Any,
    version: Any,
    rated_quantity: Any,
    amount: Any,
    said: Any,
    subscription_row: Any,
    accumulators: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
    out_row: Any,
    out_accumulator: Any,
    out_slot: Any,
    out_period: Any,
    out_by: Any,
) -> None:
    """Write which accumulators n rated items grow, and by how much: those of the charge first, then those of the offer.

    Args:
        row: (n,) int64, of each item, ascending: `event_at` .. `amount` have a value there.
        event_at: int64 microseconds UTC. subscription: int32, known to the image. version: (n,) int64 rows of `version_row`.
        rated_quantity, amount: int64 >= 0.
        said: (rows, SAID_COLUMNS) int32 codes of attributes, then of lookups; with no row where nothing counts by values.
        subscription_row, zone_ptr .. zone_offset: of `layout.Tariff`.
        accumulators: `AccumulatorTables`.
        out_row .. out_by: with room for all of them, written. out_accumulator: which of the image. out_slot: its slot in
            `AccountState.accumulated`. out_period: number * 4 + kind.
    """
    (
        kind, zone, of_amount, values, code, in_units, said_in, version_ptr, version_list, offer_ptr, offer_list, place,
        slot_ptr, slots,
    ) = accumulators  # fmt: skip
    found = 0
    for index in range(len(row)):
        at = row[index]
        owner = I64(subscription[at])
        offer = I64(subscription_row[owner, OFFER])
        for source in range(2):
            first, end = version_ptr[version[index]], version_ptr[version[index] + 1]
            if source == 1:
                first, end = offer_ptr[offer], offer_ptr[offer + 1]
            for k in range(first, end):
                which = version_list[k] if source == 0 else offer_list[k]
                column = said_in[version[index], which] if values[which] > 0 else -1
                if column >= 0:
                    for other in range(which + 1, which + 1 + values[which]):
                        if code[other] == said[at, column]:
                            which = other
                            break
                local = local_instant(event_at[at], I64(zone[which]), zone_ptr, zone_bucket, zone_instant, zone_offset)
                out_row[found] = at
                out_accumulator[found] = which
                out_slot[found] = slots[slot_ptr[owner] + place[offer, which]]
                out_period[found] = period_number(I64(kind[which]), local) * I64(4) + I64(kind[which])
                out_by[found] = amount[at] if of_amount[which] else rated_quantity[at]
                if of_amount[which] and in_units[version[index]]:
                    out_by[found] = 0
                found += 1


@kernel
def raise_accumulators(
    slot: Any, period: Any, by: Any, value: Any, kept: Any, before_hi: Any, before_lo: Any, grown: Any
) -> None:
    """Let k accumulators grow in order.

    Args:
        slot, period: (k,) int32. by: (k,) int64, below 0 where usage was taken back.
        value: (slots, PERIODS_KEPT, 2) int64, kept: (slots, PERIODS_KEPT) int32, of `AccountState`, updated.
        before_hi: (k,) int64, before_lo: (k,) uint64, written: the value before.
        grown: (k,) bool, written: false where the period is over because the accumulator keeps later ones: it is left.
    """
    for index in range(len(slot)):
        where, cell = slot[index], (period[index] >> 2) & (PERIODS_KEPT - 1)
        before_hi[index], before_lo[index] = 0, U(0)
        stored = kept[where, cell]
        grown[index] = not (stored > period[index] and (stored ^ period[index]) & 3 == 0 and stored != PERIOD_NONE)
        if not grown[index]:
            continue
        if stored == period[index]:
            before_hi[index], before_lo[index] = value[where, cell, 0], U(value[where, cell, 1])
        by_hi, by_lo = widen(by[index])
        hi, lo, _ = add(before_hi[index], before_lo[index], by_hi, by_lo)
        value[where, cell, 0], value[where, cell, 1] = hi, low_signed(lo)
        kept[where, cell] = period[index]


@kernel
def lower_accumulators(slot: Any, period: Any, by: Any, value: Any, kept: Any, below_zero: Any) -> Any:
    """Take growths back; return the first that exceeds what its accumulator holds, else -1.

    Args:
        slot .. kept: as in `raise_accumulators`. One whose period is no longer kept is left. below_zero: bool, whether they
            may stand below zero, because usage was taken back.
    """
    for index in range(len(slot)):
        where, cell = slot[index], (period[index] >> 2) & (PERIODS_KEPT - 1)
        if kept[where, cell] != period[index]:
            continue
        by_hi, by_lo = widen(by[index])
        hi, lo, _ = subtract(value[where, cell, 0], U(value[where, cell, 1]), by_hi, by_lo)
        if hi < 0 and not below_zero:
            return index
        value[where, cell, 0], value[where, cell, 1] = hi, low_signed(lo)
    return -1
