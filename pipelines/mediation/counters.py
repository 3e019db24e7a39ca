"""Quantities that are readings of counters: which series each reading belongs to, and what readings mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import identities, quantities
from pipelines.mediation.tables import ValueTable, value_table
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.cdr import OnDecrease, ReadingMarks, ReadingRules
from schemas.quantity import QUANTITY_MAX
from schemas.source_base import Quantity

WRAP_32_UNITS = 2**32
SPACE_MASK = 0xFFFF_FFFF
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CounterPlan:
    """The counter of a source.

    Attributes:
        slots: (k,) fields whose texts, joined by "/", name a series of the access point.
        rules: what its readings mean.
        begins: the field, and its texts, of readings that begin their series anew.
        rolls_over_at: the field that says where the counter began again at 0; none: -1. factors: base steps of its unit, per
            event type.
    """

    slots: Int32Array
    rules: ReadingRules
    begins: tuple[int, ValueTable] | None = None
    rolls_over_at: int = -1
    factors: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def mark(
        self, text: UInt8Array, start: Int32Array, end: Int32Array, kind: Int32Array, reason: UInt16Array
    ) -> ReadingMarks | None:
        """Return what n readings say besides their index; None where the source's say nothing.

        Args:
            text: padded buffer; start, end: (f, m >= n) offsets of fields.
            kind: (n,) event types, -1 unknown. reason: (n,) so far; what cannot be read is written into it.
        """
        if self.begins is None and self.rolls_over_at < 0:
            return None
        n = len(reason)
        begins, rolls_over_at = np.zeros(n, np.uint8), np.zeros(n, np.int64)
        if self.begins is not None:
            slot, table = self.begins
            begins[:] = table.look_up(text, start[slot, :n], end[slot, :n])
        if self.rolls_over_at >= 0:
            first, last = start[self.rolls_over_at, :n], end[self.rolls_over_at, :n]
            said = np.where(first == last, np.int32(-1), kind)
            quantities.read_quantities(text, first, last, said, self.factors, False, False, rolls_over_at, reason)
        return ReadingMarks(begins, rolls_over_at)

    def name_series(
        self,
        text: UInt8Array,
        start: Int32Array,
        end: Int32Array,
        access_hi: UInt64Array,
        access_lo: UInt64Array,
    ) -> tuple[UInt64Array, UInt64Array]:
        """Return (hi, lo), each (n,), of the series of n readings.

        Args:
            text: padded buffer; start, end: (f, m >= n) offsets of fields.
            access_hi, access_lo: (n,) hash of the access point's identifier.
        """
        n = len(access_hi)
        hi, lo = np.empty(n, np.uint64), np.empty(n, np.uint64)
        joined = (end[self.slots, :n].astype(np.int64) - start[self.slots, :n]).sum(axis=0).max(initial=0)
        scratch = np.zeros(int(joined) + len(self.slots) + 16, np.uint8)
        identities.name_joined_series(text, start, end, self.slots, scratch, access_hi, access_lo, hi, lo)
        return hi, lo


def compile_counter(
    quantity: Quantity, slots: list[int], factors: list[int], seed: int, slot: Callable[[str], int]
) -> CounterPlan | None:
    """Return the plan of a cumulative quantity, None for one that is usage itself.

    Args:
        quantity: the definition. slots: of the fields that name a series. factors: base steps of a unit, per event type.
        seed: of the identities of its source, which tells its space. slot: returns that of a field.

    Raises:
        UnableToCompileSource: when the definition contradicts itself, or does not fit the event types.
    """
    cumulative = quantity.cumulative
    if cumulative is None:
        return None
    if quantity.field is None:
        raise UnableToCompileSource("quantity: a cumulative quantity is read from a `field`")
    on_decrease = OnDecrease[cumulative.on_decrease.upper()]
    modulus = 0
    if on_decrease in (OnDecrease.WRAP_32, OnDecrease.WRAP_64) and len(set(factors)) > 1:
        raise UnableToCompileSource("quantity: a counter that wraps counts in one unit: write its `unit`")
    if on_decrease is OnDecrease.WRAP_32:
        modulus = WRAP_32_UNITS * factors[0]
        if modulus > QUANTITY_MAX:
            raise UnableToCompileSource("quantity: 2**32 of this unit are more than a quantity can be")
    if on_decrease is OnDecrease.WRAP_64:
        plain = quantity.format == "decimal" and quantity.decimal == "." and quantity.thousands is None
        if factors[0] != 1 or not plain:
            message = "quantity: a counter of 64 bits is written in decimal digits and counts base steps, such as B"
            raise UnableToCompileSource(message)
    idle_days = 0 if cumulative.idle is None else ceil(cumulative.idle / ONE_DAY)
    rules = ReadingRules(
        cumulative.opens_at == "zero",
        on_decrease,
        modulus,
        absorbs_repeats=True,
        idle_days=idle_days,
        series_max=cumulative.series_max,
        by_time=cumulative.order == "time",
        space=(seed & SPACE_MASK) or 1 if idle_days else 0,
    )
    begins = cumulative.begins
    return CounterPlan(
        np.array(slots, np.int32),
        rules,
        None if begins is None else (slot(begins.field), value_table(dict.fromkeys(begins.values, 1), missing=0)),
        -1 if cumulative.rolls_over_at is None else slot(cumulative.rolls_over_at),
        np.array(factors, np.int64),
    )
