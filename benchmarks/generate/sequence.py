"""Numbered records in several files: splitting, blocks, and repetitions of earlier records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import draw
from benchmarks.generate.rows import write_atomically
from schemas.arrays import Int64Array

_REPEAT_STREAM = 9


def repeat_some(seed: int, position: Int64Array, *, every: int, lag_max: int) -> Int64Array:
    """Return (n,) the record number at each position: the position itself or, at each `every`-th, an earlier one.

    An original is never itself a repetition. `every` 0 repeats nothing.
    """
    if not every:
        return position
    rows = np.flatnonzero((position % every == every - 1) & (position >= every))
    index = position.copy()
    span = np.minimum(position[rows] - 1, lag_max)
    lag = 1 + (draw(seed, _REPEAT_STREAM, position[rows]) >> np.uint64(1)).view(np.int64) % span
    lag -= lag % every == 0
    index[rows] -= lag
    return index


def write_sequence(
    paths: list[Path],
    *,
    records: int,
    header: bytes,
    block_records: int,
    block: Callable[[Int64Array], bytes],
    on_records: Callable[[int], None] | None,
) -> list[Path]:
    """Write positions 0 .. records - 1 to `paths`, in equal shares and in order; return `paths`.

    Args:
        paths: the files.
        records: positions of all files together.
        header: what each file starts with.
        block_records: positions made at a time.
        block: returns the text of positions (n,).
        on_records: told how many positions were written since the last call.
    """

    def pieces(first: int, last: int) -> Iterator[bytes]:
        yield header
        for start in range(first, last, block_records):
            position = np.arange(start, min(start + block_records, last), dtype=np.int64)
            yield block(position)
            if on_records is not None:
                on_records(len(position))

    for part, path in enumerate(paths):
        write_atomically(path, pieces(records * part // len(paths), records * (part + 1) // len(paths)))
    return paths
