"""Read a TAP file from its first byte to its last: its head, its events piece by piece, and what follows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.extract import PADDING
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber import BROKEN, DEPTH_MAX, INCOMPLETE
from pipelines.mediation.kernels.tap import AMOUNTS, DONE, OVERFLOW, walk_events
from pipelines.mediation.tap.elements import END_OF_CONTENTS, Element, Piece, malformed, piece_of
from pipelines.mediation.tap.head import Head, read_head
from pipelines.mediation.tap.tags import (
    ACKNOWLEDGEMENT,
    AUDIT_CONTROL_INFO,
    BATCH_CONTROL_INFO,
    CALL_EVENT_DETAILS,
    NOTIFICATION,
    NRTRDE_SPECIFICATION,
    RETURN_BATCH,
    TRANSFER_BATCH,
)
from schemas.arrays import Int32Array, Int64Array, UInt8Array

EDGE_BYTES = 1 << 20
"""Most bytes before the events, and after them."""
ROWS_MAX = 131_072
EVENT_BYTES_MIN = 2


@dataclass(slots=True)
class Events:
    """The n events of one piece.

    Attributes:
        buffer: the piece's bytes, `PADDING` readable ones after them; raw_start, raw_end: (n,) each event's.
        start, end: (k, >= n) int32 contents of the elements of each cell, 0 where absent.
        amounts, present, event: (n, AMOUNTS), (n,), (n,): see `kernels.tap.walk_events`.
    """

    buffer: UInt8Array
    raw_start: Int64Array
    raw_end: Int64Array
    start: Int32Array
    end: Int32Array
    amounts: Int64Array
    present: UInt8Array
    event: Int32Array

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.event)


@dataclass(slots=True)
class TapFile:
    """One file while it is read.

    Attributes:
        event_bytes_max: longest event accepted.
        head: what holds for all its events; None for an empty file.
        batch: it has events; a notification, which says that there are none, and an empty file have no more than a head.
        batch_end: the offset at which its contents end, list_bytes: the octets of its list of events, -1: indefinite.
        held: bytes read already; offset: where they begin, and later where what is not read yet does.
        audit: its auditControlInfo, within `tail`, when all events are read.
        tail: the bytes after its events.
    """

    stream: BinaryIO
    event_bytes_max: int
    head: Head | None
    batch: bool = False
    batch_end: int = 0
    list_bytes: int = 0
    held: bytes = b""
    offset: int = 0
    audit: Element | None = None
    tail: Piece | None = None

    def events(self, shapes: UInt8Array, cells: Int32Array, block_bytes: int) -> Iterator[Events]:
        """Yield the events, at most about `block_bytes` at once; then `audit` and `tail` are there.

        Args:
            shapes, cells: by tag, see `kernels.tap.walk_events`.
            block_bytes: preferred size of a piece; where pieces are cut is a function of the bytes and of this.

        Raises:
            UnableToDecodeFile: MALFORMED_BER, AMOUNT_OVERFLOW or RECORD_TOO_LONG.
        """
        if not self.batch:
            return
        left, rest = self.list_bytes, np.frombuffer(self.held, np.uint8)
        longest = max(block_bytes, self.event_bytes_max)
        capacity = max(block_bytes, len(rest))
        while left != 0:
            buffer = np.empty(capacity + PADDING, np.uint8)
            buffer[: len(rest)] = rest
            size = read_into(self.stream, buffer, len(rest), capacity)
            more = size == capacity and not 0 <= left <= size
            limit = size if left < 0 else min(size, left)
            found, consumed, status, place = _walk(buffer, limit, shapes, cells, closed=left < 0)
            if status in (BROKEN, OVERFLOW):
                raise _broken(self.offset + place, status)
            if len(found):
                self._expect_short(found)
                yield found
            rest, self.offset = buffer[consumed:size], self.offset + consumed
            if left > 0:
                left -= consumed
            elif status == DONE:
                left = 0
            starved = status == INCOMPLETE or (status == 0 and consumed == limit)
            if starved and left != 0 and not more:
                raise malformed(self.offset, "the events end within one, or without the end of their list")
            if starved and consumed == 0 and capacity >= longest:
                raise self._too_long(self.offset)
            capacity = min(2 * capacity, longest) if starved and consumed == 0 else max(block_bytes, len(rest))
        self._read_tail(rest)

    def _expect_short(self, found: Events) -> None:
        long = np.flatnonzero(found.raw_end - found.raw_start > self.event_bytes_max)
        if len(long):
            raise self._too_long(self.offset + int(found.raw_start[long[0]]))

    def _too_long(self, at: int) -> UnableToDecodeFile:
        return UnableToDecodeFile("RECORD_TOO_LONG", f"byte {at}: an event is longer than {self.event_bytes_max} bytes")

    def _read_tail(self, rest: UInt8Array) -> None:
        buffer = np.empty(EDGE_BYTES + 1, np.uint8)
        size = min(len(rest), len(buffer))
        buffer[:size] = rest[:size]
        size = read_into(self.stream, buffer, size, len(buffer))
        if size > EDGE_BYTES:
            raise malformed(self.offset, f"more than {EDGE_BYTES} bytes follow the events")
        self.tail = piece_of(buffer[:size], self.offset)
        at, end = 0, size
        if self.batch_end >= 0:
            end = self.batch_end - self.offset
            if not 0 <= end <= size:
                raise malformed(self.offset, "the file ends before what it holds does")
        while self.batch_end < 0 or at < end:
            if self.batch_end < 0:
                header = self.tail.header(at, end)
                if header.number == END_OF_CONTENTS:
                    end = header.start
                    break
            element = self.tail.element(at, end)
            if element.number == AUDIT_CONTROL_INFO and self.audit is None:
                self.audit = element
            at = element.after
        expect_nothing(self.tail, end)


def _walk(
    buffer: UInt8Array, limit: int, shapes: UInt8Array, cells: Int32Array, *, closed: bool
) -> tuple[Events, int, int, int]:
    rows_max = min(ROWS_MAX, limit // EVENT_BYTES_MIN + 1)
    cell_count = int(cells.max(initial=-1)) + 1
    start, end = np.empty((cell_count, rows_max), np.int32), np.empty((cell_count, rows_max), np.int32)
    amounts, present = np.empty((rows_max, AMOUNTS), np.int64), np.empty(rows_max, np.uint8)
    event = np.empty(rows_max, np.int32)
    raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
    frames = np.zeros((DEPTH_MAX, 3), np.int64)
    rows, consumed, status, place = walk_events(
        buffer, limit, closed, shapes, cells, frames, start, end, amounts, present, event, raw_start, raw_end
    )
    found = Events(buffer, raw_start[:rows], raw_end[:rows], start, end, amounts[:rows], present[:rows], event[:rows])
    return found, int(consumed), int(status), int(place)


def _broken(at: int, status: int) -> UnableToDecodeFile:
    if status == OVERFLOW:
        return UnableToDecodeFile("AMOUNT_OVERFLOW", f"byte {at}: an amount, or an event's sum, exceeds 62 bits")
    return malformed(at, "an element does not fit, or is not of the form that its tag has")


def expect_nothing(piece: Piece, at: int) -> None:
    """Refuse what follows a file's end, other than zeros.

    Raises:
        UnableToDecodeFile: MALFORMED_BER.
    """
    more = np.flatnonzero(piece.data[at:])
    if len(more):
        raise malformed(piece.base + at + int(more[0]), "bytes follow the end of the file's contents")


def open_tap(stream: BinaryIO, event_bytes_max: int) -> TapFile:
    """Read a file up to its events.

    Args:
        stream: the file from its first byte.
        event_bytes_max: longest event accepted.

    Raises:
        UnableToDecodeFile: WRONG_FLOW for RAP and NRTRDE files, MALFORMED_BER, MALFORMED_HEADER, UNSUPPORTED_VERSION.
    """
    buffer = np.empty(EDGE_BYTES, np.uint8)
    size = read_into(stream, buffer, 0, EDGE_BYTES)
    piece = piece_of(buffer[:size], 0)
    if size == 0:
        return TapFile(stream, event_bytes_max, None)
    top = piece.header(0, size)
    expect_tap(piece, size)
    whole = size < EDGE_BYTES
    batch_end = top.start + top.length if top.length >= 0 else -1
    if whole and batch_end > size:
        raise malformed(0, f"the file says that it has {batch_end} bytes, and has {size}")
    if top.number == NOTIFICATION:
        if not whole:
            raise malformed(0, f"a notification has more than {EDGE_BYTES} bytes")
        element = piece.element(0, size)
        expect_nothing(piece, element.after)
        return TapFile(stream, event_bytes_max, read_head(piece, element, element))
    children: list[Element] = []
    at, end = top.start, size if batch_end < 0 else min(batch_end, size)
    list_bytes = 0
    while at < end:
        header = piece.header(at, end)
        if header.number in (CALL_EVENT_DETAILS, AUDIT_CONTROL_INFO, END_OF_CONTENTS):
            if header.number == CALL_EVENT_DETAILS:
                at, list_bytes = header.start, header.length
                if not header.constructed or (batch_end >= 0 and list_bytes > batch_end - at):
                    raise malformed(at, "the list of events does not fit")
            break
        if not whole and header.start + max(header.length, 0) > end:
            raise malformed(at, f"the events do not begin within {EDGE_BYTES} bytes")
        children.append(piece.element(at, end))
        at = children[-1].after
    batch = Element(TRANSFER_BATCH, top.start, at, at, children)
    head = read_head(piece, batch, batch.find(BATCH_CONTROL_INFO))
    return TapFile(stream, event_bytes_max, head, True, batch_end, list_bytes, buffer[at:size].tobytes(), at)


def expect_tap(piece: Piece, size: int) -> None:
    """Refuse files of other kinds by their first tags: an NRTRDE file would read as a TAP file without events.

    Raises:
        UnableToDecodeFile: WRONG_FLOW.
    """
    top = piece.header(0, size)
    if top.number in (RETURN_BATCH, ACKNOWLEDGEMENT):
        raise UnableToDecodeFile("WRONG_FLOW", "the file is a RAP file: a partner's answer to TAP files, without usage")
    if top.number not in (TRANSFER_BATCH, NOTIFICATION) or not top.constructed:
        raise UnableToDecodeFile("WRONG_FLOW", "the file does not begin as a TAP file does")
    if top.number == NOTIFICATION:
        return
    first = piece.header(top.start, size).number if top.start < size else -1
    if first == NRTRDE_SPECIFICATION:
        raise UnableToDecodeFile("WRONG_FLOW", "the file is an NRTRDE file: reports for fraud control, without prices")
    if first != BATCH_CONTROL_INFO:
        raise UnableToDecodeFile("WRONG_FLOW", "the file does not begin with batchControlInfo, as a TAP file does")
