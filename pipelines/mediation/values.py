"""Values of CDRs: compile which fields they are in and what they are, and read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import values as kernels
from pipelines.mediation.times import TimePlan, read_times
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.price_plan import EventType, ValueType
from schemas.rejection import Reason
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """The v values that a source maps.

    Attributes:
        slots, types: (v,) the field of each value, and what it is.
        layout: (e, VALUE_SLOTS) int32 which of the values a slot of an event type holds, -1 for none.
    """

    slots: tuple[int, ...]
    types: tuple[ValueType, ...]
    layout: Int32Array


def compile_values(
    mapping: Mapping[str, str], slot: Callable[[str], int], event_types: list[EventType]
) -> ValuePlan | None:
    """Return how values read, None where the source maps none.

    Args:
        mapping: value: field. slot: the slot of a field. event_types: those that the source may give.

    Raises:
        UnableToCompileSource: when no event type has such a value, or two have another kind of it.
    """
    if not mapping:
        return None
    names = sorted(mapping)
    types = []
    for name in names:
        declared = {one.values[name] for one in event_types if name in one.values}
        if len(declared) != 1:
            kinds = "no event type of this source declares" if not declared else "the event types differ about"
            raise UnableToCompileSource(f"values: {kinds} the value {name!r}")
        types.append(declared.pop())
    layout = np.full((len(event_types), VALUE_SLOTS), -1, np.int32)
    for row, event_type in zip(layout, event_types, strict=True):
        for place, name in enumerate(event_type.values):
            if name in names:
                row[place] = names.index(name)
    return ValuePlan(tuple(slot(mapping[name]) for name in names), tuple(types), layout)


def read_values(
    plan: ValuePlan,
    time: TimePlan,
    text: UInt8Array,
    start: Int32Array,
    end: Int32Array,
    kind: Int32Array,
    reason: UInt16Array,
) -> Int64Array:
    """Return (n, VALUE_SLOTS) the values of n records; one that cannot be read gives its record INVALID_VALUE.

    Args:
        time: how instants read. text: the buffer that `start` and `end`, (f, m >= n) each, point into.
        kind: (n,) index of the event type, -1 unknown. reason: (n,), changed where it is 0.
    """
    n = len(reason)
    found = np.empty((len(plan.slots), n), np.int64)
    for row, (slot, type_) in enumerate(zip(plan.slots, plan.types, strict=True)):
        read = found[row]
        first, last = start[slot, :n], end[slot, :n]
        wanted = np.append((plan.layout == row).any(axis=1), False)[kind] & (reason == 0) & (first < last)
        read_column(type_, time, text, first, last, wanted, read, reason)
    values = np.empty((n, VALUE_SLOTS), np.int64)
    kernels.place_values(plan.layout, kind, found, values)
    return values


def read_column(
    type_: ValueType,
    time: TimePlan,
    text: UInt8Array,
    start: Int32Array,
    end: Int32Array,
    wanted: BoolArray,
    out: Int64Array,
    reason: UInt16Array,
) -> None:
    """Read one value of the records that are `wanted`, VALUE_ABSENT elsewhere."""
    if type_.type == "number":
        kernels.read_numbers(text, start, end, wanted, np.int64(10**type_.decimals), out, reason)
    elif type_.type == "digits":
        kernels.read_digits(text, start, end, wanted, out, reason)
    elif type_.type == "date":
        kernels.read_dates(text, start, end, wanted, out, reason)
    else:
        why = np.zeros(len(out), np.uint16)
        out[:] = read_times(time, text, start, end, why)
        reason[wanted & (why != 0)] = Reason.INVALID_VALUE
        out[~wanted] = VALUE_ABSENT
