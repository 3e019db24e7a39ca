"""Cut a stream of bytes into blocks of whole records, in bounded memory.

Where blocks are cut is a function of the bytes and of the block size alone: a short read never ends a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np

from pipelines.mediation.extract import PADDING, FieldMatrix
from pipelines.mediation.kernels.encoding import RAW_KEPT
from schemas.arrays import UInt8Array
from schemas.rejection import Reason

ROWS_MAX = 131_072
"""Most records of one block: bounds the columns of a block of very short records."""
SLACK = 2
"""Bytes of a line end."""
HEAD_ROOM = 1 << 16
"""Room in front of what is read for what is left over: longer records are copied."""


class Splitter(Protocol):
    """How one format finds records."""

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the records that are complete in the first `size` bytes, and how many bytes they take.

        Args:
            buffer: writable, with `PADDING` bytes after `size`.
            size: bytes to look at.
            final: the stream ends after them, so the last record needs no line end.
        """

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Return (offset after the record's end or -1, state) while skipping a record too long to hold."""


def read_into(stream: BinaryIO, buffer: UInt8Array, start: int, end: int) -> int:
    """Fill buffer[start:end] from the stream and return where the bytes end: before `end` only at the end of the stream."""
    view = buffer.data
    while start < end:
        count = stream.readinto(view[start:end])  # type: ignore[attr-defined]
        if not count:
            break
        start += count
    return start


class _BytesAhead:
    """The bytes of a stream in order, a window at a time: while one is worked on, a thread reads, or expands, the next.

    What is left over goes in front of the next piece, which has room for it, so that little is copied but the record on the
    border.
    """

    def __init__(self, stream: BinaryIO, carried: bytes, reader: ThreadPoolExecutor) -> None:
        """Begin with the bytes `carried`, before those of the stream."""
        self._stream = stream
        self._reader = reader
        self._buffer, self._size = np.frombuffer(carried, np.uint8), len(carried)
        self._surplus = self._buffer[:0]
        self._next: Future[_Piece] | None = None
        self._ended = False

    def window(self, consumed: int, capacity: int) -> tuple[UInt8Array, int]:
        """Forget the first `consumed` bytes of the window before.

        Returns:
            (a writable buffer that begins with the next bytes and has `PADDING` more behind them, how many they are:
            `capacity`, or fewer at the end of the stream).
        """
        held = np.concatenate([self._buffer[consumed : self._size], self._surplus])
        buffer, count = _padded(held), len(held)
        while count < capacity and not self._ended:
            piece = self._read(capacity - count) if self._next is None else self._next.result()
            self._next = None
            self._ended = piece.count < piece.wanted
            buffer, count = piece.after(buffer[:count]), count + piece.count
        self._buffer, self._size = buffer, min(count, capacity)
        self._surplus = buffer[self._size : count].copy()  # whoever has the window may write behind it
        wanted = capacity - len(self._surplus)
        if self._next is None and not self._ended and wanted > 0:
            self._next = self._reader.submit(self._read, wanted)
        return buffer, self._size

    def _read(self, wanted: int) -> _Piece:
        buffer = np.empty(HEAD_ROOM + wanted + PADDING, np.uint8)
        return _Piece(buffer, read_into(self._stream, buffer, HEAD_ROOM, HEAD_ROOM + wanted) - HEAD_ROOM, wanted)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes as they were read: `count` of `wanted`, behind HEAD_ROOM in the buffer."""

    buffer: UInt8Array
    count: int
    wanted: int

    def after(self, held: UInt8Array) -> UInt8Array:
        """Return a buffer of the bytes `held` and then these, padded."""
        if len(held) <= HEAD_ROOM:
            self.buffer[HEAD_ROOM - len(held) : HEAD_ROOM] = held
            return self.buffer[HEAD_ROOM - len(held) :]
        return _padded(np.concatenate([held, self.buffer[HEAD_ROOM : HEAD_ROOM + self.count]]))


def _padded(held: UInt8Array) -> UInt8Array:
    return np.concatenate([held, np.zeros(PADDING, np.uint8)])


def split_blocks(
    stream: BinaryIO, splitter: Splitter, *, carried: bytes, block_bytes: int, record_bytes_max: int
) -> Iterator[FieldMatrix]:
    """Return the records of the stream, in blocks of at most `block_bytes` unless one record is longer.

    A record longer than `record_bytes_max` that does not fit a block is skipped in pieces of that size and becomes a
    block of its own: one row, RECORD_TOO_LONG, its first 64 KiB. Blocks without a record are not returned.

    Args:
        stream: the bytes after `carried`; from the second block on it is read by a thread of its own.
        splitter: the format.
        carried: bytes already read.
        block_bytes: preferred size of a block.
        record_bytes_max: longest record accepted.
    """
    longest = max(block_bytes, record_bytes_max + SLACK, RAW_KEPT + SLACK)
    capacity, consumed = max(block_bytes, len(carried)), 0
    with ThreadPoolExecutor(1, "read") as reader:
        ahead = _BytesAhead(stream, carried, reader)
        while True:
            buffer, size = ahead.window(consumed, capacity)
            final = size < capacity
            matrix, consumed = splitter.split(buffer, size, final=final)
            if len(matrix):
                yield matrix
            if final and consumed >= size:
                return
            if consumed > 0 or final:
                capacity = max(block_bytes, size - consumed)
            elif capacity < longest:
                capacity = min(2 * capacity, longest)
            else:
                too_long = _too_long(splitter, buffer, size)
                size, consumed = _skip(ahead, splitter, buffer, size)
                yield too_long
                capacity = max(block_bytes, size - consumed)


def _skip(ahead: _BytesAhead, splitter: Splitter, buffer: UInt8Array, size: int) -> tuple[int, int]:
    """Read on to the end of the record that fills the window; return the last window's size, and where in it that ends."""
    capacity, state = size, 0
    while True:
        end, state = splitter.skip(buffer, size, state)
        if end >= 0:
            return size, end
        buffer, size = ahead.window(size, capacity)
        if size == 0:
            return 0, 0


def _too_long(splitter: Splitter, buffer: UInt8Array, size: int) -> FieldMatrix:
    kept = min(size, RAW_KEPT)
    raw = np.zeros(kept + PADDING, np.uint8)
    raw[:kept] = buffer[:kept]
    return FieldMatrix(
        raw=raw[:kept],
        raw_start=np.zeros(1, np.int64),
        raw_end=np.full(1, kept, np.int64),
        text=raw[:kept],
        start=np.zeros((splitter.fields, 1), np.int32),
        end=np.zeros((splitter.fields, 1), np.int32),
        reason=np.full(1, Reason.RECORD_TOO_LONG, np.uint16),
        columns=splitter.fields,
    )
