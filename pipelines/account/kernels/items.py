"""Where the items of requests are, and what they come to. Twins: numpy (`test_charging_kernels.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel

I64 = np.int64


@kernel
def ends(count: Any, ptr: Any) -> Any:
    """Return the sum of n counts.

    Args:
        count: (n,) int64, 0 or above. ptr: (n + 1,) int64, written: 0, and the sums up to each.
    """
    total = I64(0)
    ptr[0] = 0
    for row in range(len(count)):
        total += count[row]
        ptr[row + 1] = total
    return total


@kernel
def spread(first: Any, ptr: Any, rows: Any) -> None:
    """Write first[i], first[i] + 1 .. of all n i, one after another.

    Args:
        first: (n,) int64. ptr: (n + 1,) int64 where those of each i are. rows: (ptr[n],) int64, written.
    """
    for row in range(len(first)):
        for place in range(ptr[row], ptr[row + 1]):
            rows[place] = first[row] + place - ptr[row]


@kernel
def sums(ptr: Any, amount: Any, is_counted: Any, total: Any) -> None:
    """Write what the items of n requests come to.

    Args:
        ptr: (n + 1,) int64 where those of each request are. amount: (m,) int64 billionths. is_counted: (m,) bool.
        total: (n,) int64, written.
    """
    for row in range(len(total)):
        total[row] = 0
        for item in range(ptr[row], ptr[row + 1]):
            if is_counted[item]:
                total[row] += amount[item]
