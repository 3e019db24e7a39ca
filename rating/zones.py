"""Time zones as transition tables, so that kernels can read a clock without Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from rating.kernels.layout import ZONE_BUCKET_BITS, ZONE_BUCKETS, ZONE_EPOCH_US
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import TIME_MIN
from schemas.cdr import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US

SECOND_US = 1_000_000
PROBE_S = 5 * 86_400
"""How often a zone is probed: since 2000 no zone changed twice within six days (Brazil, October 2000)."""


class UnableToReadZone(ValueError):
    """The IANA time zone database has no such zone."""


@lru_cache(
    maxsize=1024
)  # a zone is probed 7,000 times, each catalog names the same few, and the database is read once anyway
def zone_transitions(zone: str) -> tuple[Int64Array, Int64Array]:
    """Return when the clock of an IANA zone changes its offset between 2000-01-01 and 2100-01-01.

    Returns:
        Both read-only.
        instants: (t,) microseconds UTC, ascending; the first is `schemas.catalog.TIME_MIN`.
        offsets: (t,) microseconds to add to UTC from that instant on; the last holds for ever.

    Raises:
        UnableToReadZone: when the zone is unknown.
    """
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnableToReadZone(f"{zone!r} is not a time zone of the IANA database") from error
    first, last = TIMESTAMP_MIN_US // SECOND_US, TIMESTAMP_MAX_US // SECOND_US
    instants, offsets = [TIME_MIN], [_offset_s(clock, first)]
    for probe in range(first, last, PROBE_S):
        if _offset_s(clock, probe + PROBE_S) != offsets[-1]:
            change = _first_change(clock, probe, probe + PROBE_S)
            instants.append(change * SECOND_US)
            offsets.append(_offset_s(clock, change))
    found = np.array(instants, np.int64), np.array(offsets, np.int64) * SECOND_US
    for array in found:
        array.flags.writeable = False
    return found


def _offset_s(clock: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, clock).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def _first_change(clock: ZoneInfo, low: int, high: int) -> int:
    before = _offset_s(clock, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(clock, middle) == before:
            low = middle
        else:
            high = middle
    return high


def zone_buckets(instants: Int64Array) -> Int32Array:
    """Return (ZONE_BUCKETS,) the transition in force where each bucket of `local_instant` starts."""
    starts = ZONE_EPOCH_US + (np.arange(ZONE_BUCKETS, dtype=np.int64) << ZONE_BUCKET_BITS)
    return (np.searchsorted(instants, starts, side="right") - 1).astype(np.int32)
