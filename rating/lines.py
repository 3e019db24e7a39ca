"""Arrays whose rows lie within lines of the processor's cache: what it reads of memory at once."""

from __future__ import annotations

from typing import Any

import numpy as np

LINE_BYTES = 64


def zeros_in_lines(rows: int, columns: int, dtype: type) -> np.ndarray[Any, Any]:
    """Return (rows, columns) zeros that begin where a line does, so that no row whose size divides a line lies in two."""
    size = rows * columns * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE_BYTES, np.uint8)
    first = -room.ctypes.data % LINE_BYTES
    return room[first : first + size].view(dtype).reshape(rows, columns)
