"""The bytes of a fixed-width file between its header and its trailer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.extract import PADDING
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.fixed_width import LINE_EMPTY, LINE_FILLED, count_lines
from pipelines.mediation.text import read_head
from schemas.arrays import UInt8Array
from schemas.source import FixedWidthSource, HeaderRecords, Place, TrailerRecords

EDGE_BYTES = 1 << 20
"""Within how many bytes of its ends a file must have its header and its trailer."""
PIECE_BYTES = 1 << 22
NEWLINE = b"\n"
RETURN = b"\r"


class Body:
    """A stream of what is between header and trailer: only `readinto`. Both are checked on the way.

    Attributes:
        promised: how many records the trailer counts; None until the end is read, and when it does not tell.
    """

    def __init__(self, stream: BinaryIO, source: FixedWidthSource) -> None:
        """Read past the header.

        Raises:
            UnableToDecodeFile: WRONG_ENCODING or MALFORMED_HEADER.
        """
        self.promised: int | None = None
        self._stream = stream
        self._source = source
        self._given = 0
        self._held: UInt8Array = np.frombuffer(read_head(stream, source), np.uint8)
        self._at = 0
        self._ended = False
        if source.lines:
            self._window = 0 if source.trailer is None else EDGE_BYTES
        else:
            self._window = 2 * EDGE_BYTES
        self._headed = source.header is not None and self._skip_header(source.header)

    def readinto(self, view: memoryview) -> int:
        """Fill the view as far as bytes are ready, and return how many; 0 only at the end.

        Raises:
            UnableToDecodeFile: TRAILER_MISMATCH at the end of a file without its trailer.
        """
        if self._window == 0 and self._at == len(self._held):
            return self._stream.readinto(view)  # type: ignore[attr-defined, no-any-return]
        while self._window and not self._ended and len(self._held) - self._at <= self._window:
            self._fill()
        ready = len(self._held) - self._at - (0 if self._ended else self._window)
        count = min(len(view), ready)
        view[:count] = self._held[self._at : self._at + count].data
        self._at += count
        self._given += count
        return count

    def count_records(self) -> int:
        """Read to the end and return how many records there are."""
        piece = np.empty(PIECE_BYTES + PADDING, np.uint8)
        size = records = 0
        line = LINE_EMPTY
        while count := read_into(self, piece, 0, PIECE_BYTES):  # type: ignore[arg-type]
            size += count
            if self._source.lines:
                lines, line = count_lines(piece, count, line)
                records += lines
        if self._source.lines:
            return records + (line == LINE_FILLED)
        return -(-size // (self._source.record_bytes or 1))

    def _fill(self) -> None:
        self._ended = not self._read_on(PIECE_BYTES)
        if self._ended:
            self._held = np.frombuffer(self._cut_end(self._held.tobytes()), np.uint8)

    def _read_on(self, size: int) -> bool:
        """Drop what was given, read `size` bytes more, and return whether there were so many."""
        kept = len(self._held) - self._at
        held = np.empty(kept + size, np.uint8)
        held[:kept] = self._held[self._at :]
        end = read_into(self._stream, held, kept, kept + size)
        self._held, self._at = held[:end], 0
        return end == kept + size

    def _skip_header(self, header: HeaderRecords) -> bool:
        """Skip the header; return whether there was one: only a file without any record may lack it."""
        whole = not self._read_on(EDGE_BYTES)
        prefix = None if header.prefix is None else header.prefix.encode(self._source.encoding)
        found = 0
        for after, record in self._first_records(self._held.tobytes(), whole=whole):
            if prefix is not None and not record.startswith(prefix):
                break
            found += 1
            self._at = after
            if found == header.count:
                break
        else:
            if not whole:
                raise UnableToDecodeFile("MALFORMED_HEADER", f"no end of the header within {EDGE_BYTES} bytes")
            if found == 0:
                return False
        if found < (header.count or 1):
            raise UnableToDecodeFile("MALFORMED_HEADER", f"the file does not begin with {_named(header)}")
        return True

    def _first_records(self, head: bytes, *, whole: bool) -> Iterator[tuple[int, bytes]]:
        """Yield (offset after it, record) of the records at the beginning; `whole`: the file ends with the head."""
        at = 0
        while at < len(head):
            if not self._source.lines:
                after = at + (self._source.record_bytes or 1)
                record = head[at:after]
                if after > len(head) and (not whole or not record.strip(RETURN + NEWLINE)):
                    return
            else:
                after = head.find(NEWLINE, at) + 1
                if after == 0 and not whole:
                    return
                after = after or len(head)
                record = head[at:after].removesuffix(NEWLINE).removesuffix(RETURN)
            at = min(after, len(head))
            if record:
                yield at, record

    def _last_records(self, tail: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, record) of the records at the end of the file, the last one first, that the tail has whole."""
        at = len(tail)
        rest = 0 if self._source.lines else (self._given + at) % (self._source.record_bytes or 1)
        while at > 0:
            if not self._source.lines:
                begin = at - (rest or self._source.record_bytes or 1)
                record, rest = tail[max(begin, 0) : at], 0
            else:
                stop = at - 1 if tail[at - 1 : at] == NEWLINE else at
                begin = tail.rfind(NEWLINE, 0, stop) + 1
                record = tail[begin:stop].removesuffix(RETURN)
                if begin == 0 and self._given > 0:
                    return
            if begin < 0:
                return
            at = begin
            if record:
                yield begin, record

    def _cut_end(self, tail: bytes) -> bytes:
        """Return the tail without the trailer, and without line ends behind joined records."""
        if not self._source.lines:
            rest = (self._given + len(tail)) % (self._source.record_bytes or 1)
            if rest and not tail[-rest:].strip(RETURN + NEWLINE):
                tail = tail[:-rest]
        return tail if self._source.trailer is None else self._cut_trailer(self._source.trailer, tail)

    def _cut_trailer(self, trailer: TrailerRecords, tail: bytes) -> bytes:
        prefix = None if trailer.prefix is None else trailer.prefix.encode(self._source.encoding)
        found, cut, last = 0, len(tail), b""
        for begin, record in self._last_records(tail):
            if prefix is not None and not record.startswith(prefix):
                break
            found += 1
            cut = begin
            last = last or record
            if found == trailer.count:
                break
        else:
            if self._given > 0:
                raise UnableToDecodeFile("TRAILER_MISMATCH", f"no beginning of the trailer within {EDGE_BYTES} bytes")
            if found == 0 and not self._headed:
                return tail
        if found < (trailer.count or 1):
            raise UnableToDecodeFile("TRAILER_MISMATCH", f"the file does not end with {_named(trailer)}")
        if trailer.record_count is not None:
            self.promised = _read_count(last, trailer.record_count)
        return tail[:cut]


def expect_count(body: Body, records: int) -> None:
    """Compare the number of records with what the trailer of a body that was read to its end says.

    Raises:
        UnableToDecodeFile: TRAILER_MISMATCH.
    """
    if body.promised is not None and body.promised != records:
        message = f"the trailer counts {body.promised} records, the file has {records}: is a part missing?"
        raise UnableToDecodeFile("TRAILER_MISMATCH", message)


def _read_count(record: bytes, place: Place) -> int:
    begin = place.start - 1
    text = record[begin : begin + place.width].strip(b" ")
    if len(record) < begin + place.width or not text.isdigit():
        where = f"bytes {place.start} to {begin + place.width} of the trailer"
        raise UnableToDecodeFile("TRAILER_MISMATCH", f"{where} are not a number of records")
    return int(text)


def _named(edge: HeaderRecords) -> str:
    if edge.prefix is not None:
        return f'a record that begins with "{edge.prefix}"'
    return f"{edge.count} records that are no usage"
