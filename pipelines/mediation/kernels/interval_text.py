"""Numbers that count in millionths, as text. The twin is `pipelines.mediation.enedis.words.plain` of a Decimal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.nem12 import DECIMALS, NO_VALUE

SCALED_BYTES_MAX = 22
"""A sign, 19 digits, a point, and a zero before it."""


@njit(cache=True, nogil=True)
def write_scaled(value: Any, out: Any, edges: Any) -> None:
    """Write numbers without zeros at their end.

    Args:
        value: (n,) int64, in millionths; NO_VALUE is no text. out: (22 n,) uint8, written; edges: (n + 1,) int32, written:
            where each text begins in it, and where the last one ends.
    """
    to = 0
    edges[0] = 0
    million = np.int64(10**DECIMALS)
    for i in range(len(value)):
        number = value[i]
        if number != NO_VALUE:
            if number < 0:
                out[to] = 45
                to += 1
                number = -number
            whole = number // million
            part = number - whole * million
            digits = 1
            rest = whole // 10
            while rest:
                digits += 1
                rest //= 10
            for place in range(digits):
                out[to + digits - 1 - place] = 48 + whole % 10
                whole //= 10
            to += digits
            if part:
                out[to] = 46
                kept = DECIMALS
                while part % 10 == 0:
                    part //= 10
                    kept -= 1
                for place in range(kept):
                    out[to + kept - place] = 48 + part % 10
                    part //= 10
                to += kept + 1
        edges[i + 1] = to
