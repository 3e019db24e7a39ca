"""Quantities that are readings of counters: which series each reading belongs to, and what readings mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import identities
from schemas.arrays import Int32Array, UInt8Array, UInt64Array
from schemas.cdr import OnDecrease, ReadingRules
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
    """

    slots: Int32Array
    rules: ReadingRules

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


def compile_counter(quantity: Quantity, slots: list[int], factors: list[int], seed: int) -> CounterPlan | None:
    """Return the plan of a cumulative quantity, None for one that is usage itself.

    Args:
        quantity: the definition. slots: of the fields that name a series. factors: base steps of a unit, per event type.
        seed: of the identities of its source, which tells its space.

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
    return CounterPlan(np.array(slots, np.int32), rules)
