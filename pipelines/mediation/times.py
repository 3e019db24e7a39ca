"""Event times: compile how a source writes them, and read columns of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import time_patterns, timestamps
from pipelines.mediation.patterns import PatternProgram, compile_patterns
from pipelines.mediation.zones import ZoneTable, zone_table
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.source import EventTime

EPOCHS = {"epoch_s": (1_000_000, 1), "epoch_ms": (1_000, 1), "epoch_us": (1, 1), "epoch_ns": (1, 1_000)}
"""Microseconds per count, and counts per microsecond."""
PADDING = 64
"""Bytes after the last one of a buffer that kernels may read."""


@dataclass(frozen=True, slots=True)
class TimePlan:
    """How a time reads; without `zone` an offset is required.

    Attributes:
        slots: the field, or date and time, that the event time is read from.
        unit_us, per_us: of a count since 1970; 0 when it is text.
        compact: the text is `YYYYMMDDhhmmss`, not ISO 8601's extended form.
        program: of format `pattern`.
    """

    slots: tuple[int, ...]
    unit_us: int
    per_us: int
    compact: bool
    program: PatternProgram | None
    zone: ZoneTable | None


def compile_time(time: EventTime, slots: tuple[int, ...]) -> TimePlan:
    """Return how `time` reads from `slots`.

    Raises:
        UnableToCompileSource: when the zone does not exist, or the definition contradicts itself.
    """
    if (time.field is None) == (time.fields is None):
        raise UnableToCompileSource("time: give either `field`, or `fields` with date and time")
    if (time.format == "pattern") != (time.pattern is not None):
        raise UnableToCompileSource("time: the format `pattern` and a `pattern` need each other")
    if time.format not in EPOCHS:
        zone = None if time.zone is None else zone_table(time.zone)
        program = None if time.pattern is None else compile_patterns(time.pattern)
        return TimePlan(slots, 0, 0, time.format == "compact", program, zone)
    if time.zone is not None:
        raise UnableToCompileSource(f"time: {time.format} counts from 1970 in UTC; remove the zone {time.zone!r}")
    if time.fields is not None:
        raise UnableToCompileSource(f"time: {time.format} is one number; write `field`")
    return TimePlan(slots, *EPOCHS[time.format], False, None, None)


def read_times(plan: TimePlan, text: UInt8Array, start: Int32Array, end: Int32Array, reason: UInt16Array) -> Int64Array:
    """Return (n,) microseconds UTC of the times in one field, 0 where one cannot be read: `reason` says why."""
    event_at = np.empty(len(start), np.int64)
    if plan.unit_us:
        timestamps.read_epoch(text, start, end, plan.unit_us, plan.per_us, event_at, reason)
        return event_at
    zone = plan.zone
    thresholds = np.empty(0, np.int64) if zone is None else zone.thresholds
    offsets = np.zeros(1, np.int64) if zone is None else zone.offsets
    if plan.program is not None:
        time_patterns.read_pattern(
            text,
            start,
            end,
            plan.program.steps,
            plan.program.pattern_ptr,
            zone is not None,
            thresholds,
            offsets,
            event_at,
            reason,
        )
        return event_at
    timestamps.read_iso(text, start, end, plan.compact, zone is not None, thresholds, offsets, event_at, reason)
    return event_at


def join_columns(
    plan: TimePlan, text: UInt8Array, date: tuple[Int32Array, Int32Array], clock: tuple[Int32Array, Int32Array]
) -> tuple[UInt8Array, Int32Array, Int32Array]:
    """Return (text, start, end) of date and time as one column."""
    n = len(date[0])
    size = sum(int((end.astype(np.int64) - start).sum()) for start, end in (date, clock))
    joined = np.zeros(size + n + PADDING, np.uint8)
    start, end = np.empty(n, np.int32), np.empty(n, np.int32)
    time_patterns.join_fields(text, *date, *clock, -1 if plan.compact else 32, joined, start, end)
    return joined, start, end
