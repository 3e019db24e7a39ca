"""Intervals of a feed that wait until it is known whether shorter ones say the same: single ones, and batches as arrays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

import numpy as np

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.espi import words
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import espi as kernel
from pipelines.mediation.meters.steps import Steps
from schemas.arrays import Int64Array

RANGES_MAX = 100_000
MILLIONTHS = 1_000_000
VALUE_LIMIT = 2**61
Single = tuple[int, Row, Decimal]
"""(length in s, columns, start)"""


@dataclass(slots=True)
class Coverage:
    """Which time intervals of each length have told of; spans that touch are one.

    Attributes:
        spans: length in s -> (starts, ends), ascending.
    """

    spans: dict[int, tuple[list[Decimal], list[Decimal]]] = field(default_factory=dict)
    count: int = 0

    def overlaps(self, start: Decimal, end: Decimal, step_s: int) -> int:
        """Return the length of intervals, other than `step_s`, that tell of a part of a time; 0 for none."""
        for other, (starts, ends) in self.spans.items():
            if other != step_s and (place := bisect_left(starts, end)) and ends[place - 1] > start:
                return other
        return 0

    def add(self, start: Decimal, end: Decimal, step_s: int) -> None:
        """Add an interval, or several of a length that follow each other."""
        starts, ends = self.spans.setdefault(step_s, ([], []))
        if ends and ends[-1] == start:
            ends[-1] = end
            return
        place = bisect_left(starts, start)
        if place and ends[place - 1] >= start:
            ends[place - 1] = max(ends[place - 1], end)
        elif place < len(starts) and starts[place] <= end:
            starts[place] = start
            ends[place] = max(ends[place], end)
        else:
            starts.insert(place, start)
            ends.insert(place, end)
            self.count += 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Intervals of one channel and length, as they came.

    Attributes:
        known: columns that they have in common. scale: what a value is multiplied by, in millionths. step_s: their length.
        table: (n, kernel.FIELDS), LINE as lines of the file.
    """

    known: Row
    scale: int
    step_s: int
    table: Int64Array

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.table)

    def cut(self, begin: int, end: int) -> Batch:
        """Return some of them."""
        return Batch(self.known, self.scale, self.step_s, self.table[begin:end])


@dataclass(slots=True)
class Judge:
    """Says of intervals whether others, of another length, have told of their time.

    Attributes:
        covered: of each point and measure, which times were told of.
    """

    covered: dict[tuple[str, str], Coverage] = field(default_factory=dict)

    def judged(self, held: Iterable[Single | Batch]) -> Iterator[Steps | list[Row]]:
        """Yield intervals in order; one whose time intervals of another length have told of is never billed.

        Raises:
            UnableToDecodeFile: RECORD_TOO_LONG for too many gaps between intervals.
        """
        rows: list[Row] = []
        batches: list[tuple[Row, Batch]] = []
        for item in held:
            if isinstance(item, Batch):
                if rows:
                    yield rows
                    rows = []
                batches += self._batch(item)
            else:
                if batches:
                    yield _steps(batches)
                    batches = []
                rows.append(self._single(item))
        if rows:
            yield rows
        if batches:
            yield _steps(batches)

    def _single(self, item: Single) -> Row:
        step_s, row, start = item
        told = self._told(row, start, start + step_s, step_s, row["line"])
        return row | {"covered": told} if told else row

    def _batch(self, batch: Batch) -> Iterator[tuple[Row, Batch]]:
        """Yield (columns, intervals): those that follow each other are judged together, where nothing tells of any of them."""
        starts, step_s = batch.table[:, kernel.START], batch.step_s
        edges = np.flatnonzero(starts[1:] != starts[:-1] + step_s) + 1
        coverage = self._coverage(batch.known)
        for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), len(starts)], strict=True):
            first, last = Decimal(int(starts[begin])), Decimal(int(starts[end - 1])) + step_s
            parts = (
                [(begin, end)]
                if not coverage.overlaps(first, last, step_s)
                else [(n, n + 1) for n in range(begin, end)]
            )
            for low, high in parts:
                first, last = Decimal(int(starts[low])), Decimal(int(starts[high - 1])) + step_s
                told = self._told(batch.known, first, last, step_s, str(batch.table[low, kernel.LINE]))
                yield batch.known | {"covered": told} if told else batch.known, batch.cut(low, high)

    def _coverage(self, row: Row) -> Coverage:
        return self.covered.setdefault((row["point"], f"{row['measure']} {row['direction']}"), Coverage())

    def _told(self, row: Row, start: Decimal, end: Decimal, step_s: int, line: str) -> str:
        coverage = self._coverage(row)
        other = coverage.overlaps(start, end, step_s)
        if other:
            return f"intervals of {other} s say the same"
        coverage.add(start, end, step_s)
        if coverage.count > RANGES_MAX:
            raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {line}: more than {RANGES_MAX} gaps between intervals")
        return ""


def _steps(batches: list[tuple[Row, Batch]]) -> Steps:
    heads: dict[int, int] = {}
    known: list[Row] = []
    for row, _ in batches:
        if id(row) not in heads:
            heads[id(row)] = len(known)
            known.append(row)
    counts = [len(batch) for _, batch in batches]
    table = np.concatenate([batch.table for _, batch in batches])

    def each(values: list[int]) -> Int64Array:
        return np.repeat(np.array(values, np.int64), counts)

    return Steps(
        known,
        said,
        each([heads[id(row)] for row, _ in batches]),
        table[:, kernel.QUALITY].copy(),
        table[:, kernel.START].copy(),
        table[:, kernel.STEP].copy(),
        table[:, kernel.VALUE] * each([batch.scale for _, batch in batches]),
        each([int(row["version"]) for row, _ in batches]),
        table[:, kernel.LINE].copy(),
    )


@lru_cache(256)
def said(code: int) -> tuple[str, str]:
    """Return (quality, nature) of a code as the kernel has it."""
    return ("", "") if code == kernel.NONE else (str(code), words.NATURES.get(str(code), ""))


def scale_of(factor: Decimal, largest: int) -> int | None:
    """Return what values are multiplied by to be millionths; None where they are no whole ones, or too large for 64 bits."""
    scale = factor * MILLIONTHS
    whole = int(scale)
    return whole if whole == scale and abs(largest) * whole < VALUE_LIMIT else None
