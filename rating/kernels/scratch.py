"""Room that rating works in: kernels allocate nothing themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels import layout
from rating.kernels.matrix import ROOM
from rating.kernels.operations import STACK_MAX

AHEAD = 16
"""How many destinations are kept that were looked up ahead; a power of two above `ahead.NEAR`."""


def rate_scratch() -> Any:
    """Return the arrays that `rate_rows` works with, at most 1 KiB."""
    return (
        np.zeros(AHEAD, np.int64),
        np.full(AHEAD, -1, np.int64),
        np.zeros((ROOM, layout.KEY_COLUMNS), np.int64),
        np.zeros(layout.PERIODS_KEPT, np.int64),
        np.zeros((3, STACK_MAX), np.int64),
    )
