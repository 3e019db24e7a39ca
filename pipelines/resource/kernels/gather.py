"""Copying byte ranges into one contiguous buffer."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def gather(data: Any, start: Any, offsets: Any, out: Any) -> None:
    """Copy m ranges of `data` behind each other.

    Args:
        data: (b,) uint8; start: (m,) int64; offsets: (m + 1,) int32 positions in `out`; out: (offsets[m],) uint8.
    """
    for j in range(len(start)):
        source = start[j]
        for k in range(offsets[j], offsets[j + 1]):
            out[k] = data[source]
            source += 1
