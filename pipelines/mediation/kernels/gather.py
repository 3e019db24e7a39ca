"""Texts that lie anywhere in a buffer, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def gather(text: Any, start: Any, end: Any, rows: Any, edges: Any, out: Any) -> None:
    """Copy the texts of some rows.

    Args:
        text: (b,) uint8. start, end: (n,) int32 offsets into it. rows: (k,) int64.
        edges: (k + 1,) int32, where each text begins in `out`, and where the last one ends. out: (edges[k],) uint8, written.
    """
    for i in range(len(rows)):
        row, at = rows[i], np.int64(edges[i])
        begin = np.int64(start[row])
        for j in range(np.int64(end[row]) - begin):
            out[at + j] = text[begin + j]
