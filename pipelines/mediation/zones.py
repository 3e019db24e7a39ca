"""Time zones as arrays: from which local second on which offset holds, 2000 to 2100."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from schemas.arrays import Int64Array

FIRST = datetime(1999, 12, 29, tzinfo=UTC)
LAST = datetime(2100, 1, 4, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEP = timedelta(days=1)
"""Two changes of one zone are further apart than this (checked against zoneinfo in a test)."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """Offsets of one zone.

    Attributes:
        thresholds: (k,) ascending local seconds since 1970 at which a new offset starts to be used. In a doubled hour the
            first pass is used, in a missing hour the offset before the change: both put the threshold at the change's
            instant plus the larger of the two offsets.
        offsets: (k + 1,) seconds east of UTC, before, between and after the thresholds.
    """

    thresholds: Int64Array
    offsets: Int64Array


def _offset(zone: ZoneInfo, instant: datetime) -> int:
    offset = zone.utcoffset(instant.astimezone(zone))
    return 0 if offset is None else int(offset.total_seconds())


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first second in (low, high] whose offset is not that of `low`."""
    before = _offset(zone, low)
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def zone_table(name: str) -> ZoneTable:
    """Return the offsets of the IANA zone `name` as the installed time zone database has them.

    Raises:
        UnableToCompileSource: when there is no such zone.
    """
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnableToCompileSource(
            f"there is no time zone {name!r}; write an IANA name such as Europe/Paris"
        ) from error
    thresholds: list[int] = []
    offsets = [_offset(zone, FIRST)]
    low = FIRST
    while low < LAST:
        high = low + STEP
        after = _offset(zone, high)
        if after != offsets[-1]:
            instant = (_change(zone, low, high) - EPOCH) // SECOND
            thresholds.append(instant + max(offsets[-1], after))
            offsets.append(after)
        low = high
    return ZoneTable(np.array(thresholds, np.int64), np.array(offsets, np.int64))
