"""R63 through a kernel: points are taken out of the text before a JSON parser sees it, which reads what they have in common.

An array of points that is unusual stays in the text, and is read as everything else.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import json_elements, words
from pipelines.mediation.enedis.curve_columns import CurveColumns, Points, r63_said
from pipelines.mediation.enedis.heads import read_up_to
from pipelines.mediation.enedis.json_members import items, text
from pipelines.mediation.enedis.json_series import STARTS, curve_known, quantity_known, r63_intervals
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import curves
from schemas.arrays import Int64Array

NAME = b'"points"'
PIECE_BYTES = 1 << 20
BACKSLASH = 92
MARK = "octroi:points"
MARKED = b'"octroi:points"'
POINTS_HELD_MAX = 1 << 22
"""Points that nobody has read yet, 40 bytes each: more than years of a point in steps of five minutes, six times."""
_BLANK = b" \t\r\n"
Found = tuple[Int64Array, Int64Array, int, int]
"""(FIELDS, n) numbers, (n,) steps, what points say of their kind, and the first step in s."""


class WithoutPoints(io.RawIOBase):
    """A stream of JSON in which arrays of points are replaced by `[{MARK: number, "p": 0}]`, with as many line feeds.

    Attributes:
        points: what was taken out, by number; whoever reads it takes it out (`take`).
    """

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        """Read `head`, then `stream`."""
        super().__init__()
        self.points: dict[int, Found] = {}
        self._stream, self._text, self._at = stream, head, 0
        self._line, self._number, self._ended, self._held = 1, 0, False, 0
        self._numbers, self._steps = np.empty((curves.FIELDS, 0), np.int64), np.empty(0, np.int64)
        _refuse_marks(head)

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, of whatever number; none at the end."""
        while True:
            at = self._text.find(NAME, self._at)
            if at < 0:
                end = max(self._at, len(self._text) - (0 if self._ended else len(NAME)))
            else:
                end = self._array_at(at)
            given = self._text[self._at : end] if end > self._at else b""
            self._at, self._line = self._at + len(given), self._line + given.count(b"\n")
            if at >= 0 and given.endswith(b"["):
                return given + self._taken()
            if given or self._ended:
                return given
            self._more()

    def take(self, number: int) -> Found:
        """Return points by their number, once; what stands before them and was not asked for is of nobody."""
        found = self.points[number]
        while self.points and (first := next(iter(self.points))) <= number:
            self._held -= len(self.points.pop(first)[1])
        return found

    def _more(self) -> None:
        held = self._text[self._at :]
        piece = read_up_to(self._stream, max(PIECE_BYTES, len(held)))
        self._ended = not piece
        _refuse_marks(held[-len(MARKED) :] + piece)
        self._text, self._at = held + piece, 0

    def _array_at(self, at: int) -> int:
        """Return the offset behind the `[` of a member's array; behind its name when it is none; -1: not known yet."""
        if at and self._text[at - 1] == BACKSLASH:
            return at + len(NAME)
        place = at + len(NAME)
        for wanted in b":[":
            while place < len(self._text) and self._text[place] in _BLANK:
                place += 1
            if place >= len(self._text):
                return at + len(NAME) if self._ended else -1
            if self._text[place] != wanted:
                return at + len(NAME)
            place += 1
        return place

    def _taken(self) -> bytes:
        """Take the points that come next out, and return what stands in their place."""
        span = np.empty(3, np.int64)
        while True:
            held = len(self._text) - self._at
            if (room := held // curves.POINT_BYTES_MIN + 1) > len(self._steps):
                self._numbers, self._steps = np.empty((curves.FIELDS, room), np.int64), np.empty(room, np.int64)
            buffer = np.frombuffer(self._text, np.uint8)
            count, end = curves.scan_points(buffer, self._at, len(buffer), self._line, span, self._numbers, self._steps)
            if end != curves.CUT or self._ended or held > json_elements.ELEMENT_CHARACTERS_MAX:
                break
            self._more()
        if end < 0 or not count:
            return b""
        self._number += 1
        numbers, steps = self._numbers[:, :count].copy(), self._steps[:count].copy()
        self._held += count
        if self._held > POINTS_HELD_MAX:
            told = f"line {self._line}: more than {POINTS_HELD_MAX} points in one measure, or outside of measures"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)
        self.points[self._number] = (numbers, steps, int(span[1]), int(span[2]))
        self._at, self._line = int(end), self._line + int(span[0])
        return b'{"%s":%d,"p":0}' % (MARK.encode(), self._number) + b"\n" * int(span[0]) + b"]"


def _refuse_marks(piece: bytes) -> None:
    if MARKED in piece:
        raise UnableToDecodeFile("WRONG_FLOW", f"something is called {MARK}, as nothing of any flow is")


@dataclass(slots=True)
class FastR63:
    """Makes columns of measures whose points may have been taken out.

    Attributes:
        names: the columns that are asked for. source: what took them out. policy: what the source asks.
    """

    names: tuple[str, ...]
    source: WithoutPoints
    policy: Policy
    gathered: CurveColumns = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.gathered = CurveColumns(self.names, r63_said)

    def measure(self, measure: dict[str, Any], line: int, created: str) -> Iterator[Columns | list[Row]]:
        """Yield the records of one measure, in order."""
        known = self.policy.ranked(curve_known(measure, line, created))
        for quantity in items(measure, "grandeur"):
            number = next((point.get(MARK) for point in items(quantity, "points")), None)
            if number is None:
                rows = list(map(self.policy.judged, r63_intervals(measure | {"grandeur": [quantity]}, line, created)))
                if rows:
                    yield from self.gathered.flush()
                    yield rows
                continue
            yield from self._points(known, quantity, self.source.take(number))

    def _points(self, known: Row, quantity: dict[str, Any], found: Found) -> Iterator[Columns]:
        numbers, steps, kind, first_step = found
        factor, counted_in = words.POWERS.get(text(quantity, "unite"), (None, text(quantity, "unite")))
        ends = bool(kind) if kind >= 0 else known["stage"] != "BEST" and first_step // 60 not in STARTS
        at, power = numbers[curves.AT], numbers[curves.POWER]
        if factor is not None and factor != 1:
            power = np.where(power == curves.NO_POWER, power, power * int(factor))
        yield from self.gathered.take(
            Points(
                known | quantity_known(quantity) | {"unit": counted_in},
                at - steps if ends else at,
                at if ends else at + steps,
                steps,
                power,
                np.full(len(at), int(known["line"]), np.int64),
                numbers[curves.CODES],
                factor is not None,
                self.policy.limit(known["point"]) if factor is not None else 0,
            )
        )
