"""What becomes of freed memory.

A block's columns are megabytes that are freed when the next block's are wanted. glibc would give them back to the
kernel and ask for them again, which zeroes every page each time: a third of the time of decoding.

Polars, which loads catalogs and is then idle, has an allocator of its own that gives back what was freed as it allocates
more: never, when it is idle. It is told to give it back at once.

Python looks for cycles whenever there are 700 objects more. A catalog of ten thousand plans is a million of them without a
cycle, and blocks are columns, not objects: looking once in 50 000 takes a third off the time of reading such a catalog.
"""

from __future__ import annotations

import ctypes
import gc
import os

POLARS_ALLOCATOR = "_RJEM_MALLOC_CONF"
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
KEPT_BYTES = 64 << 20
"""Free memory at the end of the heap that is kept; more than that goes back to the kernel."""
MAPPED_BYTES = 32 << 20
"""Larger pieces are mapped one by one and given back when freed; the largest threshold that glibc takes."""

COLLECTED_AT = 50_000
"""How many objects there are more when Python looks for cycles among the new ones."""


def keep_freed_memory() -> bool:
    """Let freed memory be used again, polars give it back, and cycles be sought seldom.

    Call it before there are threads and polars. Return whether the C library can (it is glibc).
    """
    gc.set_threshold(COLLECTED_AT, *gc.get_threshold()[1:])
    os.environ.setdefault(POLARS_ALLOCATOR, "dirty_decay_ms:0,muzzy_decay_ms:0")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(option, value) == 1
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, MAPPED_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES))
    )
