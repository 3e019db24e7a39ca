"""Which charge prices an event, and which version of its plan is in force."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.layout import ATTRIBUTE_SLOTS

I64 = np.int64


@njit(cache=True, nogil=True, error_model="numpy")
def find_charge(cell: Any, attributes: Any, row: Any, cell_ptr: Any, charge: Any, required: Any) -> Any:
    """Return the first candidate charge whose required attributes (0 = any) the row has, -1 when none has."""
    for candidate in range(cell_ptr[cell], cell_ptr[cell + 1]):
        matches = True
        for slot in range(ATTRIBUTE_SLOTS):
            wanted = required[candidate, slot]
            matches = matches and (wanted == 0 or wanted == attributes[row, slot])
        if matches:
            return I64(charge[candidate])
    return I64(-1)


@njit(cache=True, nogil=True, error_model="numpy")
def latest_version(charge: Any, at: Any, charge_ptr: Any, start: Any) -> Any:
    """Return the last version of a charge that starts at or before an instant, -1 when none."""
    first = I64(charge_ptr[charge])
    low = first
    high = I64(charge_ptr[charge + 1])
    while low < high:
        middle = (low + high) >> 1
        if start[middle] <= at:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > first else I64(-1)
