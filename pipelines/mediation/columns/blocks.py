"""Cut columns into blocks of records: where, is a function of the values and of the block size alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.mediation.blocks import ROWS_MAX
from pipelines.mediation.columns.text import Array, as_json, as_text, is_text, object_keys, pc, text_bytes
from pipelines.mediation.extract import PADDING, FieldMatrix, offsets
from pipelines.mediation.kernels import json_rows
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.rejection import Reason

Columns = tuple[Array, ...]


@dataclass(slots=True)
class _Part:
    """Rows of one batch that go into a block: their texts, and which of them were too long to be kept."""

    texts: list[Array]
    too_long: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(slots=True)
class ColumnBlocks:
    """Gathers rows until a block is full.

    Attributes:
        names: the source's name of each column. kinds: its type.
        block_bytes: bytes of text per block, unless one record is longer. record_bytes_max: longest record accepted.
    """

    names: tuple[str, ...]
    kinds: tuple[pa.DataType, ...]
    block_bytes: int
    record_bytes_max: int
    _parts: list[_Part] = field(default_factory=list)
    _rows: int = 0
    _bytes: int = 0

    def cut(self, batches: Iterator[Columns]) -> Iterator[FieldMatrix]:
        """Yield the records of all batches.

        Raises:
            pa.ArrowException: when a value has no text.
        """
        for columns in batches:
            sizes = np.zeros(len(columns[0]), np.int64)
            for column in columns:
                sizes += text_bytes(column)
            too_long = sizes > self.record_bytes_max
            sizes[too_long] = 0
            yield from self._take(columns, sizes, too_long)
        if self._rows:
            yield self._block()

    def _take(
        self, columns: Columns, sizes: Int64Array, too_long: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    ) -> Iterator[FieldMatrix]:
        edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        at = 0
        while at < len(sizes):
            room = edges[at] + self.block_bytes - self._bytes
            end = min(int(np.searchsorted(edges, room, "right")) - 1, at + ROWS_MAX - self._rows)
            if end <= at:
                if self._rows:
                    yield self._block()
                    continue
                end = at + 1
            mask = too_long[at:end]
            texts = [_kept(column.slice(at, end - at), mask) for column in columns]
            self._parts.append(_Part(texts, mask))
            self._rows += end - at
            self._bytes += int(edges[end] - edges[at])
            at = end

    def _block(self) -> FieldMatrix:
        parts, self._parts, self._rows, self._bytes = self._parts, [], 0, 0
        texts = [pa.concat_arrays([part.texts[place] for part in parts]) for place in range(len(self.names))]
        too_long = np.concatenate([part.too_long for part in parts])
        text, edges = _buffer_of(texts)
        rows = len(too_long)
        start, end = offsets(len(texts), rows), offsets(len(texts), rows)
        for place, edge in enumerate(edges):
            start[place, :rows], end[place, :rows] = edge[:-1], edge[1:]
        raw_text, raw_edges = self._raw(texts, text, start, end, rows)
        reason = np.where(too_long, np.uint16(Reason.RECORD_TOO_LONG), np.uint16(0))
        for column in texts if (text[: len(text)] == 0).any() else ():
            holds = np.asarray(pc.fill_null(pc.match_substring(column, "\x00"), False))
            reason[(reason == 0) & holds] = Reason.NUL_BYTE
        for edge_of in (start, end):
            edge_of[:, :rows][:, reason != 0] = 0
        return FieldMatrix(
            raw_text, raw_edges[:-1], raw_edges[1:], text, start, end, reason.astype(np.uint16), len(texts)
        )

    def _raw(
        self, texts: list[Array], text: UInt8Array, start: Int32Array, end: Int32Array, rows: int
    ) -> tuple[UInt8Array, Int64Array]:
        """Return the records as JSON objects in one padded buffer, and (n + 1,) where each begins in it."""
        plain = all(is_text(kind) for kind in self.kinds) and not any(column.null_count for column in texts)
        if not plain or json_rows.needs_escapes(text, len(text)):
            raw, (edges,) = _buffer_of([as_json(self.names, self.kinds, texts)])
            return raw, edges
        keys = object_keys(self.names)
        bounds = np.cumsum([0, *map(len, keys)]).astype(np.int64)
        size = len(text) + rows * int(bounds[-1])
        out, found = np.empty(size + PADDING, np.uint8), np.empty(rows + 1, np.int64)
        out[size:] = 0
        joined = np.frombuffer(bytearray(b"".join([*keys, bytes(8)])), np.uint8)
        json_rows.write_objects(text, start, end, joined, bounds, out, found)
        return out[:size], found


def _kept(column: Array, too_long: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Array:
    """Return the text of a column; what is too long to be kept is null."""
    if too_long.any():
        column = pc.if_else(pa.array(too_long), pa.scalar(None, column.type), column)
    return as_text(column)


def _buffer_of(columns: list[Array]) -> tuple[UInt8Array, list[Int64Array]]:
    """Return one padded buffer with the text of all columns, and (n + 1,) edges of each column's values in it."""
    found: list[tuple[UInt8Array, Int64Array]] = []
    for column in columns:
        filled = pc.fill_null(column, "") if column.null_count else column
        _, edges, values = filled.buffers()
        places = np.frombuffer(edges, np.int32)[filled.offset : filled.offset + len(filled) + 1].astype(np.int64)
        data: Any = b"" if values is None else values
        found.append((np.frombuffer(data, np.uint8)[places[0] : places[-1]], places - places[0]))
    size = sum(len(data) for data, _ in found)
    buffer = np.empty(size + PADDING, np.uint8)
    buffer[size:] = 0
    at = 0
    for place, (data, edges) in enumerate(found):
        buffer[at : at + len(data)] = data
        found[place] = (data, edges + at)
        at += len(data)
    return buffer[:size], [edges for _, edges in found]
