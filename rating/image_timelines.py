"""What a lookup table finds as time passes: for each part of its keys, the code from each instant on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.arrays import Int64Array
from schemas.catalog import TIME_MAX, TIME_MIN

Piece = tuple[int, int]
"""(microseconds UTC, code): what is found from then on."""
Row = tuple[int, int, int]
"""(start, end, code) of one row of a key, half-open."""
NOTHING: tuple[Piece, ...] = ((TIME_MIN, 0),)


@dataclass(frozen=True, slots=True)
class Timelines:
    """Cuts of the integers that keys are, and what is found from each cut on.

    Attributes:
        cut: (c,) int64 ascending, where each part begins. first: (c + 1,) int64 where its pieces start in the arrays below.
        since: (k,) int64 microseconds UTC, ascending within a part, the first of each `TIME_MIN`.
        code: (k,) int64, what is found from then on, 0 for nothing.
    """

    cut: Int64Array
    first: Int64Array
    since: Int64Array
    code: Int64Array

    def codes_at(self, said: Int64Array, at: Int64Array) -> Int64Array:
        """Return (n,) what is found for keys (n,) at instants (n,)."""
        if not len(self.cut):
            return np.zeros(len(said), np.int64)
        place = np.searchsorted(self.cut, said, side="right") - 1
        inside = np.maximum(place, 0)
        low, high = self.first[inside], self.first[inside + 1] - 1
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high + 1) >> 1
            begun = self.since[middle] <= at
            low, high = np.where(begun, middle, low), np.where(begun, high, np.maximum(middle - 1, low))
        return np.where(place >= 0, self.code[low], 0)


def always(cut: Int64Array, code: Int64Array) -> Timelines:
    """Return cuts (c,) from each of which one code (c,) is found at all times."""
    return Timelines(cut, np.arange(len(cut) + 1), np.full(len(cut), TIME_MIN, np.int64), code)


def overlay(rows: Sequence[Row], below: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return what is found by rows, whose periods do not overlap, and by `below` when none of them is in force."""
    if len(rows) == 1 and rows[0][:2] == (TIME_MIN, TIME_MAX):
        return ((TIME_MIN, rows[0][2]),)
    ordered = sorted(rows)
    starts = [start for start, _, _ in ordered]
    since = [start for start, _ in below]
    instants = sorted({max(TIME_MIN, at) for row in ordered for at in row[:2]} | set(since))
    pieces: list[Piece] = []
    for at in instants:
        place = bisect_right(starts, at) - 1
        if place >= 0 and at < ordered[place][1]:
            code = ordered[place][2]
        else:
            code = below[bisect_right(since, at) - 1][1]
        if not pieces or pieces[-1][1] != code:
            pieces.append((at, code))
    return tuple(pieces)


def pack(cut: Int64Array, parts: Sequence[tuple[Piece, ...]]) -> Timelines:
    """Return cuts (c,) with the pieces of each."""
    pieces = np.array([piece for part in parts for piece in part], np.int64).reshape(-1, 2)
    first = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    return Timelines(cut, first, np.ascontiguousarray(pieces[:, 0]), np.ascontiguousarray(pieces[:, 1]))


def of_prefixes(cut: Int64Array, prefix: Int64Array, parent: Sequence[int], rows: Sequence[Sequence[Row]]) -> Timelines:
    """Return what is found by the longest prefix of which a row is in force.

    Args:
        cut, prefix: (c,) where each part begins, and its longest prefix, -1.
        parent: of each prefix the next shorter one over it, -1; it comes before. rows: of each prefix.
    """
    found: list[tuple[Piece, ...]] = []
    for over, own in zip(parent, rows, strict=True):
        found.append(overlay(own, found[over] if over >= 0 else NOTHING))
    return pack(cut, [found[place] if place >= 0 else NOTHING for place in prefix.tolist()])


def of_ranges(spans: Sequence[tuple[int, int]], rows: Sequence[Row]) -> Timelines:
    """Return what is found by ranges [low, high) with one row each, of which no two hold a key at the same time."""
    borders = sorted({border for span in spans for border in span})
    held: list[list[Row]] = [[] for _ in borders]
    for (low, high), row in zip(spans, rows, strict=True):
        for place in range(bisect_left(borders, low), bisect_left(borders, high)):
            held[place].append(row)
    return pack(np.array(borders, np.int64), [overlay(own, NOTHING) for own in held])
