"""The partitioner of Kafka's Java client, murmur2, over whole columns of keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

SEED = np.uint32(0x9747B28C)
MULTIPLIER = np.uint32(0x5BD1E995)


@njit(cache=True, nogil=True)
def murmur2_partitions(data: Any, ends: Any, count: Any, out: Any) -> None:
    """Write the partition of each of n keys.

    Args:
        data: (b,) uint8, the keys one after the other. ends: (n + 1,) int64: key i is data[ends[i]:ends[i + 1]].
        count: how many partitions there are. out: (n,) int32.
    """
    for i in range(len(out)):
        start, length = ends[i], ends[i + 1] - ends[i]
        h = np.uint32(SEED ^ np.uint32(length))
        words = length // 4
        for word in range(words):
            at = start + 4 * word
            k = np.uint32(data[at]) | np.uint32(data[at + 1]) << np.uint32(8)
            k = np.uint32(k | np.uint32(data[at + 2]) << np.uint32(16) | np.uint32(data[at + 3]) << np.uint32(24))
            k = np.uint32(k * MULTIPLIER)
            k = np.uint32(k ^ (k >> np.uint32(24)))
            k = np.uint32(k * MULTIPLIER)
            h = np.uint32(np.uint32(h * MULTIPLIER) ^ k)
        rest, tail = length & 3, start + 4 * words
        if rest == 3:
            h = np.uint32(h ^ (np.uint32(data[tail + 2]) << np.uint32(16)))
        if rest >= 2:
            h = np.uint32(h ^ (np.uint32(data[tail + 1]) << np.uint32(8)))
        if rest >= 1:
            h = np.uint32(h ^ np.uint32(data[tail]))
            h = np.uint32(h * MULTIPLIER)
        h = np.uint32(h ^ (h >> np.uint32(13)))
        h = np.uint32(h * MULTIPLIER)
        h = np.uint32(h ^ (h >> np.uint32(15)))
        out[i] = np.int64(h & np.uint32(0x7FFFFFFF)) % count
