"""Versions of records: whole numbers that say which of several statements is the newest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

DIGITS_MAX = 18
INVALID_VERSION = 111


@njit(cache=True, nogil=True)
def read_versions(text: Any, start: Any, end: Any, version: Any, reason: Any) -> None:
    """Read a column of 1 to 18 decimal digits.

    Args:
        text: (t,) uint8. start, end: (n,) int32 offsets into it.
        version: (n,) int64, written; 0 where it cannot be read.
        reason: (n,) uint16, updated: INVALID_VERSION where there was no objection and the text is no such number.
    """
    for row in range(len(reason)):
        version[row] = 0
        if reason[row] != 0:
            continue
        length = end[row] - start[row]
        good = 1 <= length <= DIGITS_MAX
        value = np.int64(0)
        if good:
            for place in range(start[row], end[row]):
                digit = np.int64(text[place]) - 48
                if digit < 0 or digit > 9:
                    good = False
                    break
                value = value * 10 + digit
        if good:
            version[row] = value
        else:
            reason[row] = INVALID_VERSION
