"""Arrow IPC, message by message: what a message expands to is bounded before anything is expanded.

Arrow Columnar Format 1.5, "Encapsulated message format" and "IPC File Format": a file is a stream between magic words, with a
footer that is not needed to read it from its beginning.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa

from pipelines.mediation.columns.flatbuffer import BrokenTable, Table
from pipelines.mediation.failures import UnableToDecodeFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAGIC = b"ARROW1\x00\x00"
METADATA_MAX = 16 << 20
MESSAGE_MAX = 256 << 20
"""Bytes of one message, packed or expanded, and of all dictionaries: what has to be in memory at once."""
ROWS_PER_BYTE = 8
"""A column has at least a bit for each row; columns of nothing but nulls would make rows out of nothing."""
_CONTINUATION = 0xFFFFFFFF
_DICTIONARY, _RECORDS = 2, 3
_CHUNK = 1 << 20


def _damaged(told: str) -> UnableToDecodeFile:
    return UnableToDecodeFile("MALFORMED_COLUMNS", f"this is no Arrow stream: {told}")


def _too_large(what: str) -> UnableToDecodeFile:
    told = f"{what} has more than {MESSAGE_MAX >> 20} MiB: write smaller batches"
    return UnableToDecodeFile("BATCH_TOO_LARGE", told)


class Messages(io.RawIOBase):
    """The messages of a stream, each looked at before a reader gets it.

    Raises:
        UnableToDecodeFile: from `readinto`: MALFORMED_COLUMNS or BATCH_TOO_LARGE.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read a stream, or a file from its beginning."""
        super().__init__()
        self._stream = stream
        self._rest = memoryview(b"")
        self._ended = False
        self._dictionaries = 0
        head = self._read(len(MAGIC))
        self._pushed = b"" if head == MAGIC else head

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into `buffer`; return how many bytes, 0 at the end."""
        if not self._rest and not self._ended:
            self._rest = memoryview(self._next())
        wanted = memoryview(buffer)
        count = min(len(wanted), len(self._rest))
        wanted[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _read(self, count: int) -> bytes:
        """Return so many bytes, or less at the end of the stream; memory grows with what comes, not with what is said."""
        found = bytearray()
        while len(found) < count:
            chunk = self._stream.read(min(count - len(found), _CHUNK))
            if not chunk:
                break
            found += chunk
        return bytes(found)

    def _take(self, count: int) -> bytes:
        pushed, self._pushed = self._pushed[:count], self._pushed[count:]
        return pushed + self._read(count - len(pushed))

    def _exactly(self, count: int) -> bytes:
        found = self._take(count)
        if len(found) < count:
            raise _damaged("it ends within a message")
        return found

    def _next(self) -> bytes:
        first = self._take(4)
        if not first:
            raise _damaged("it ends without saying so")
        if len(first) < 4:
            raise _damaged("it ends within a message")
        prefix = first
        (length,) = struct.unpack("<I", first)
        if length == _CONTINUATION:
            prefix += self._exactly(4)
            (length,) = struct.unpack("<I", prefix[4:])
        if length == 0:
            self._ended = True
            return prefix
        if length > METADATA_MAX:
            raise _damaged("the metadata of a message is too large")
        metadata = self._exactly(length)
        try:
            body_bytes = Table.root(metadata).number(3, "<q")
            if body_bytes < 0:
                raise BrokenTable
            if body_bytes > MESSAGE_MAX:
                raise _too_large("a message")
            body = self._exactly(body_bytes)
            self._check(Table.root(metadata), body)
        except BrokenTable as error:
            raise _damaged("the metadata of a message is damaged") from error
        return prefix + metadata + body

    def _check(self, message: Table, body: bytes) -> None:
        kind = message.number(1, "<B")
        batch = message.table(2)
        if kind == _DICTIONARY and batch is not None:
            batch = batch.table(1)
        if kind not in (_DICTIONARY, _RECORDS):
            return
        if batch is None:
            raise BrokenTable
        expanded = _expanded_bytes(batch, body)
        if kind == _DICTIONARY:
            self._dictionaries += expanded
        if max(expanded, self._dictionaries) > MESSAGE_MAX:
            raise _too_large("a batch, or all dictionaries together,")
        rows = batch.number(0, "<q")
        if rows < 0 or rows > ROWS_PER_BYTE * expanded:
            raise _damaged(f"a batch of {expanded} bytes says that it has {rows} rows")


def _expanded_bytes(batch: Table, body: bytes) -> int:
    """Return what the buffers of a RecordBatch take: with compression each begins with its size, -1 where it has none."""
    total = 0
    is_compressed = batch.table(3) is not None
    for offset, length in batch.pairs(2):
        if offset < 0 or length < 0 or offset + length > len(body):
            raise BrokenTable
        size = length
        if is_compressed and length:
            if length < 8:
                raise BrokenTable
            (size,) = struct.unpack_from("<q", body, offset)
            size = length if size == -1 else size
            if size < 0:
                raise BrokenTable
        total += size
    return total


def ipc_batches(stream: BinaryIO) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema and the record batches of an Arrow stream or file.

    Raises:
        UnableToDecodeFile: from here or from the iterator: MALFORMED_COLUMNS or BATCH_TOO_LARGE.
    """
    messages = Messages(stream)
    try:
        reader = pa.ipc.open_stream(pa.PythonFile(cast(Any, io.BufferedReader(messages, 1 << 16)), mode="r"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(_first_line(error)) from error
    return reader.schema, _batches(reader)


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged(_first_line(error)) from error
        yield batch


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
