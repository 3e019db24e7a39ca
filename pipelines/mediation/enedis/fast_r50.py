"""R50 through a kernel, window by window of whole PRM elements; where one is unusual, a full parser reads that window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO
from xml.parsers import expat

import numpy as np

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import xml_elements
from pipelines.mediation.enedis.curve_columns import CurveColumns, Points, r50_said
from pipelines.mediation.enedis.heads import read_up_to
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.enedis.xml_curves import step_minutes
from pipelines.mediation.enedis.xml_elements import Element, read_elements
from pipelines.mediation.enedis.xml_head import Head
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import curves
from pipelines.mediation.kernels.r151 import last_prm_end

ROOT, FIRST, END = "R50", b"<PRM>", b"</R50>"
WINDOW_BYTES = 1 << 20
PADDING = 32
RowReader = Callable[[BinaryIO, bytes], Iterator[Row]]
Piece = Columns | list[Row]
ROWS_AT_ONCE = 4096


@dataclass(slots=True)
class FastR50:
    """Reads one file.

    Attributes:
        stream, head: the file. names: the columns that are asked for. rows: reads any document. policy: what the source asks.
        gathered: columns of points that were found. begin: the document up to its first PRM; known: columns that all have.
        line: that the next window begins on.
    """

    stream: BinaryIO
    head: bytes
    names: tuple[str, ...]
    rows: RowReader
    policy: Policy
    gathered: CurveColumns = field(init=False)
    begin: bytes = b""
    known: Row = field(default_factory=dict)
    step_s: int = 0
    line: int = 1

    def pieces(self) -> Iterator[Piece]:
        """Yield columns, or rows, of the records of the file in order."""
        self.gathered = CurveColumns(self.names, r50_said)
        window = self.head
        while FIRST not in window and len(window) < WINDOW_BYTES and (piece := read_up_to(self.stream, WINDOW_BYTES)):
            window += piece
        at = window.find(FIRST)
        if at < 0 or not self._understood(window[:at]):
            yield from _chunks(self.rows(self.stream, window))
            return
        window = window[at:]
        while piece := read_up_to(self.stream, max(WINDOW_BYTES, len(window))):
            window += piece
            size = self._whole(window)
            if size:
                yield from self._window(window[:size])
                window = window[size:]
            elif len(window) > xml_elements.ELEMENT_BYTES_MAX:
                break  # a full parser says what is too long
        size = self._whole(window)
        if size:
            yield from self._window(window[:size])
        yield from self.gathered.flush()
        if window[size:].strip() != END:
            yield from _chunks(self._slowly(window[size:]))

    def _understood(self, begin: bytes) -> bool:
        """Return whether the head of the document is that of an R50 in UTF-8 whose step is told."""
        try:
            found = {element.name: element for root, element in read_elements(BytesIO(), begin + END) if root == ROOT}
            head = Head(dict(found))
            self.step_s = 60 * step_minutes(head.said("En_Tete_Flux", "Pas_Publication"), "Pas_Publication")
        except UnableToDecodeFile:
            return False
        declared = begin[: begin.find(b"?>")].lower() if b"?>" in begin else b"utf-8"
        if b"encoding" in declared and b"utf-8" not in declared:
            return False
        self.begin = begin
        self.known = self.policy.ranked(head.common("R50", Element("", 0))) | {
            "step_s": str(self.step_s), "measure": "EA", "direction": "consumption", "unit": "Wh"
        }  # fmt: skip
        self.line = 1 + begin.count(b"\n")
        return True

    def _whole(self, window: bytes) -> int:
        buffer = _padded(window)
        return int(last_prm_end(buffer, len(window)))

    def _window(self, piece: bytes) -> Iterator[Piece]:
        buffer, size = _padded(piece), len(piece)
        room = size // curves.POINT_BYTES_MIN + 1
        numbers = np.empty((curves.FIELDS, room), np.int64)
        prms = piece.count(FIRST)
        spans, held = np.empty((prms + 1, 2), np.int64), np.empty(prms + 1, np.int64)
        lines, span = np.array([self.line], np.int64), np.empty(2, np.int64)
        points, found = curves.scan_r50(buffer, size, curves.WORDS, lines, span, numbers, spans, held)
        if points < 0:
            yield from self.gathered.flush()
            yield from _chunks(self._slowly(piece))
        else:
            at = 0
            for prm in range(found):
                part = slice(at, at + int(held[prm]))
                at = part.stop
                end = numbers[curves.AT, part]
                point = piece[spans[prm, 0] : spans[prm, 1]].decode()
                yield from self.gathered.take(
                    Points(
                        self.known | {"point": point},
                        end - self.step_s,
                        end,
                        np.full(len(end), self.step_s, np.int64),
                        numbers[curves.POWER, part],
                        numbers[curves.LINE, part],
                        numbers[curves.CODES, part],
                        limit=self.policy.limit(point),
                    )
                )
        self.line += piece.count(b"\n")

    def _slowly(self, piece: bytes) -> Iterator[Row]:
        """Yield the records of a piece by a full parser, which is given as many lines before it as there are."""
        before = self.line - 1 - self.begin.count(b"\n")
        closing = b"" if END in piece or not piece.endswith(b"</PRM>") else END
        return self.rows(self.stream if not closing else BytesIO(), self.begin + b"\n" * before + piece + closing)


def _padded(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    buffer = np.empty(len(data) + PADDING, np.uint8)
    buffer[: len(data)] = np.frombuffer(data, np.uint8)
    buffer[len(data) :] = 0
    return buffer


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    taken: list[Row] = []
    for row in rows:
        taken.append(row)
        if len(taken) == ROWS_AT_ONCE:
            yield taken
            taken = []
    if taken:
        yield taken


class WellFormed:
    """A stream that parses what is read from it: what is no well-formed XML fails while it is read."""

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        """Give the bytes of `stream`, of which `head` was read."""
        self._stream, self._ended = stream, False
        self._parser = expat.ParserCreate()
        self._parse(head)

    def read(self, size: int = -1) -> bytes:
        """Read as `io.BufferedIOBase.read` does.

        Raises:
            UnableToDecodeFile: MALFORMED_XML or WRONG_ENCODING.
        """
        piece = b"" if self._ended else self._stream.read(size)
        if not self._ended:
            self._parse(piece, final=not piece)
        self._ended = not piece
        return piece

    def _parse(self, piece: bytes, *, final: bool = False) -> None:
        xml_elements.parse(self._parser, piece, final=final)
