"""Time zones as arrays: from which local second on which offset holds, 2000 to 2100."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from rating.zones import UnableToReadZone, zone_transitions
from schemas.arrays import Int64Array

SECOND_US = 1_000_000


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


def zone_table(name: str) -> ZoneTable:
    """Return the offsets of the IANA zone `name` as the installed time zone database has them.

    Raises:
        UnableToCompileSource: when there is no such zone.
    """
    try:
        instants, offsets_us = zone_transitions(name)
    except UnableToReadZone as error:
        raise UnableToCompileSource(
            f"there is no time zone {name!r}; write an IANA name such as Europe/Paris"
        ) from error
    offsets = offsets_us // SECOND_US
    return ZoneTable(instants[1:] // SECOND_US + np.maximum(offsets[:-1], offsets[1:]), offsets)
