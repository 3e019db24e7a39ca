"""Intervals as arrays: what kernels read of a window of a file, and the columns of text that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.kernels.curve_text import INSTANT_BYTES, write_instants
from pipelines.mediation.kernels.interval_text import SCALED_BYTES_MAX, write_scaled
from pipelines.mediation.kernels.nem12 import NO_VALUE
from schemas.arrays import Int64Array

pa: Any = pyarrow
pc: Any = pyarrow.compute


@dataclass(frozen=True, slots=True)
class Steps:
    """n intervals; each array is (n,) int64.

    Attributes:
        heads: the columns that the intervals of one series have in common. head: which of them.
        said: (code) -> (quality, nature). codes: of each interval.
        start, step_s: s since 1970, and seconds. value: in millionths of its unit, `NO_VALUE` for none.
        version, line: as of other records.
    """

    heads: list[Row]
    said: Callable[[int], tuple[str, str]]
    head: Int64Array
    codes: Int64Array
    start: Int64Array
    step_s: Int64Array
    value: Int64Array
    version: Int64Array
    line: Int64Array

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.head)

    def of(self, rows: Int64Array) -> Steps:
        """Return some of the intervals."""
        taken = (
            array[rows]
            for array in (self.head, self.codes, self.start, self.step_s, self.value, self.version, self.line)
        )
        return Steps(self.heads, self.said, *taken)

    def columns(self, names: tuple[str, ...]) -> Columns:
        """Return the intervals as columns of text."""
        return tuple(self._column(name) for name in names)

    def _column(self, name: str) -> Any:
        if name == "start":
            return _instants(self.start)
        if name == "end":
            return _instants(self.start + self.step_s)
        if name == "value":
            return _values(self.value)
        if name == "net":
            return _values(np.where(self.value == NO_VALUE, 0, self.value))
        if name in ("line", "version"):
            found: Int64Array = getattr(self, name)
            known, places = np.unique(found, return_inverse=True)
            return pa.array(known).cast(pa.string()).take(pa.array(places.astype(np.int32)))
        if name in ("quality", "nature"):
            place = ("quality", "nature").index(name)
            known, places = np.unique(self.codes, return_inverse=True)
            texts = pa.array([self.said(int(code))[place] for code in known.tolist()], pa.string())
            return texts.take(pa.array(places.astype(np.int32)))
        texts = pa.array([known.get(name, "") for known in self.heads], pa.string())
        return texts.take(pa.array(self.head.astype(np.int32)))


def _instants(at: Int64Array) -> Any:
    out = np.empty(INSTANT_BYTES * len(at), np.uint8)
    write_instants(at, out)
    edges = np.arange(0, len(out) + 1, INSTANT_BYTES, dtype=np.int32)
    return pa.StringArray.from_buffers(len(at), pa.py_buffer(edges), pa.py_buffer(out))


def _values(value: Int64Array) -> Any:
    out, edges = np.empty(SCALED_BYTES_MAX * len(value), np.uint8), np.empty(len(value) + 1, np.int32)
    write_scaled(value, out, edges)
    return pa.StringArray.from_buffers(len(value), pa.py_buffer(edges), pa.py_buffer(out))
