"""The clock, in one place."""

from __future__ import annotations

import time


def now_us() -> int:
    """Return the current instant in microseconds UTC."""
    return time.time_ns() // 1000
