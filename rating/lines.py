"""Arrays whose rows lie within lines of the processor's cache, and arrays that grow where they are.

Large memory comes from the system as addresses without pages: a page comes into being as it is written. So an array can be
given many more addresses than it has rows, and grow without being copied; and the rows of one that nothing reads any more can
be given back a few at a time.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np

LINE_BYTES = 64
HUGE_BYTES = 2 << 20
"""From this size on arrays have memory of their own, in large pages where the system has them."""
PAGE_BYTES = 4096
ROOM_BYTES = 16 << 30
"""Addresses that a large array that grows has at least; four times its size if that is more."""
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""MAP_NORESERVE, which the standard library does not name yet: addresses are no promise of memory."""

AnyArray = np.ndarray[Any, Any]


class _Memory(mmap.mmap):
    """Pages of one array. `used`: bytes from the front that the longest view of it has."""

    used: int = 0


def zeros_in_lines(rows: int, columns: int, dtype: type) -> AnyArray:
    """Return (rows, columns) zeros that begin where a line does, so that no row whose size divides a line lies in two."""
    return zeros((rows, columns), dtype)


def zeros(shape: tuple[int, ...], dtype: Any, *, grows: bool = False) -> AnyArray:
    """Return zeros that begin where a line does; with `grows`, large ones have room for `longer`."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    memory = _memory(size, grows=grows) if size >= HUGE_BYTES else None
    if memory is not None:
        memory.used = size
        return np.ndarray(shape, kind, memory)
    room = np.zeros(size + LINE_BYTES, np.uint8)
    first = -room.ctypes.data % LINE_BYTES
    rows: AnyArray = room[first : first + size].view(kind).reshape(shape)
    return rows


def longer(array: AnyArray, rows: int) -> AnyArray:
    """Return an array of at least so many rows: those of `array`, and zeros behind them.

    It is a longer view of the same memory where that has room for it, so nothing is copied; nobody uses `array` any more.
    """
    if rows <= len(array):
        return array
    shape = (rows, *array.shape[1:])
    size = rows * (array.nbytes // len(array) if len(array) else 0)
    memory = _of(array)
    if memory is not None and memory.used == array.nbytes and size <= len(memory):
        memory.used = size
        return np.ndarray(shape, array.dtype, memory)
    grown = zeros(shape, array.dtype, grows=True)
    grown[: len(array)] = array
    return grown


def touch(array: AnyArray, first: int, last: int) -> None:
    """Have the pages of some bytes of an array of zeros come into being, before they are wanted."""
    array.view(np.uint8).reshape(-1)[first:last:PAGE_BYTES] = 0


def give_back(array: AnyArray, first: int, last: int) -> None:
    """Give the pages of some rows back to the system; whoever reads them finds zeros, or what was there."""
    memory = _of(array)
    if memory is None or not len(array):
        return
    width = array.nbytes // len(array)
    # rows before `first` went before: the large page that they share with it goes whole
    begin, end = (row * width // HUGE_BYTES * HUGE_BYTES for row in (first, last))
    if last == len(array):
        end = array.nbytes // PAGE_BYTES * PAGE_BYTES
    if end > begin:
        memory.madvise(mmap.MADV_DONTNEED, begin, end - begin)


def _of(array: AnyArray) -> _Memory | None:
    """Return the memory that an array has from its first byte on, None when that is not its own."""
    base: Any = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    memory = base.base
    if not isinstance(memory, _Memory) or base.ctypes.data != array.ctypes.data or not array.flags.c_contiguous:
        return None
    return memory


def _memory(size: int, *, grows: bool) -> _Memory | None:
    """Return memory for an array, with room behind it when it grows; None when the system has no such addresses."""
    room = max(ROOM_BYTES, 4 * size) if grows and _NO_RESERVE else size
    for wanted in dict.fromkeys((room, size)):
        try:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | (_NO_RESERVE if wanted > size else 0)
            memory = _Memory(-1, wanted, flags=flags)
        except (OSError, ValueError, OverflowError):  # address space is limited
            continue
        if hasattr(mmap, "MADV_HUGEPAGE"):
            memory.madvise(mmap.MADV_HUGEPAGE)
        return memory
    return None
