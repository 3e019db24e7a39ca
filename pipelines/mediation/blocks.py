"""Cut a stream of bytes into blocks of whole records, in bounded memory.

Where blocks are cut is a function of the bytes and of the block size alone: a short read never ends a block.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def _buffer(capacity: int, carried: UInt8Array) -> UInt8Array:
    buffer = np.empty(capacity + PADDING, np.uint8)
    buffer[: len(carried)] = carried
    return buffer


def split_blocks(
    stream: BinaryIO, splitter: Splitter, *, carried: bytes, block_bytes: int, record_bytes_max: int
) -> Iterator[FieldMatrix]:
    """Return the records of the stream, in blocks of at most `block_bytes` unless one record is longer.

    A record longer than `record_bytes_max` that does not fit a block is skipped in pieces of that size and becomes a
    block of its own: one row, RECORD_TOO_LONG, its first 64 KiB. Blocks without a record are not returned.

    Args:
        stream: the bytes after `carried`.
        splitter: the format.
        carried: bytes already read.
        block_bytes: preferred size of a block.
        record_bytes_max: longest record accepted.
    """
    longest = max(block_bytes, record_bytes_max + SLACK, RAW_KEPT + SLACK)
    rest = np.frombuffer(carried, np.uint8)
    capacity = max(block_bytes, len(rest))
    while True:
        buffer = _buffer(capacity, rest)
        size = read_into(stream, buffer, len(rest), capacity)
        final = size < capacity
        matrix, consumed = splitter.split(buffer, size, final=final)
        if len(matrix):
            yield matrix
        rest = buffer[consumed:size]
        if final and consumed >= size:
            return
        if consumed > 0 or final:
            capacity = max(block_bytes, len(rest))
        elif capacity < longest:
            capacity = min(2 * capacity, longest)
        else:
            rest = _skip(stream, splitter, buffer, size)
            yield _too_long(splitter, buffer, size)
            capacity = max(block_bytes, len(rest))


def _skip(stream: BinaryIO, splitter: Splitter, buffer: UInt8Array, size: int) -> UInt8Array:
    """Read on to the end of the record that starts the buffer; return the bytes after it."""
    chunk, count, state = buffer, size, 0
    while True:
        end, state = splitter.skip(chunk, count, state)
        if end >= 0:
            return chunk[end:count]
        if chunk is buffer:
            chunk = np.empty(len(buffer), np.uint8)
        count = read_into(stream, chunk, 0, len(chunk) - PADDING)
        if count == 0:
            return chunk[:0]


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
