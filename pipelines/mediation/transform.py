"""A decoder around another one: a plug-in makes columns of a block's fields before the mapping reads them.

The fields of the sound records are copied once, column by column, into Arrow arrays that the plug-in is given; what it returns
is copied once behind the block's text. The other decoder reads bytes as ever, under a mapping that only names fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa

from pipelines.mediation.columns.text import Array, as_text, is_readable, pc
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import DETAIL_MAX, describe_fields, field_value
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, copy_padded, extract, offsets
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.gather import gather
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.plugins import Transformer, find_transform
from schemas.arrays import Int64Array
from schemas.rejection import Reason
from schemas.source import CloudEventsSource
from schemas.source_base import EventMapping, EventTime, EventTypeRule, Quantity, SourceBase
from schemas.source_transform import REFUSED, Transform

CLOUD_EVENT = ("specversion", "id", "source", "type")
"""What a CloudEvent must have."""
TEXT_BYTES_MAX = 1 << 30
"""Text of one block, that of the plug-in included: offsets have 31 bits."""


class _Inner(Protocol):
    """What is needed of the decoder within."""

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of its blocks' matrices."""

    def check(self, stream: BinaryIO) -> None:
        """Check all that must hold before a file's first block."""

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file."""

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what the decoder objects to in one record."""


@dataclass(frozen=True, slots=True)
class TransformingDecoder:
    """A compiled source with a transform.

    Attributes:
        inner: reads the record's own fields. plan: of the mapping; its last field is the plug-in's refusal.
        transform: what the plug-in reads and writes.
    """

    source: SourceBase
    inner: _Inner
    plan: MappingPlan
    transform: Transform
    plugin: Transformer

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields[:-1]

    def check(self, stream: BinaryIO) -> None:
        """Check what the decoder within checks; what the plug-in makes of the records shows `check_records`."""
        self.inner.check(stream)

    def check_records(self, stream: BinaryIO, block_bytes: int) -> None:
        """Let the plug-in have a file to its end, in the blocks in which it will be decoded.

        Raises:
            UnableToDecodeFile: PLUGIN_FAILED.
        """
        for _ in self.decode(stream, claim=1, block_bytes=block_bytes):
            pass

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        for block in self.inner.decode(stream, claim=claim, block_bytes=block_bytes):
            yield extract(self.plan, self._transformed(block.matrix), block.position)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record, in the plug-in's words where it refused it."""
        reason = block.reason[row]
        if reason == Reason.REFUSED_BY_PLUGIN:
            return field_value(block, len(self.plan.fields) - 1, row).decode("utf-8", "replace")[:DETAIL_MAX]
        if reason < Reason.FIELD_MISSING:
            return self.inner.describe(block, row)
        return describe_fields(self.plan, block, row)

    def _transformed(self, matrix: FieldMatrix) -> FieldMatrix:
        """Return the records of a block with the fields that the mapping reads."""
        matrix.reason[matrix.reason >= Reason.FIELD_MISSING] = 0  # said by a mapping that nobody wrote
        rows = np.flatnonzero(matrix.reason == 0)
        slots = {name: slot for slot, name in enumerate(self.inner.field_names)}
        columns = [_column(matrix, slots[name], rows) for name in self.transform.reads]
        written = self.plugin.columns(pa.RecordBatch.from_arrays(columns, list(self.transform.reads)), self.transform)
        texts = {name: _text_of(self.plugin, name, column) for name, column in written.items()}
        n, at = len(matrix), len(matrix.text)
        size = sum(len(data) for data, _ in texts.values())
        if at + size > TEXT_BYTES_MAX:
            raise self.plugin.failure(f"it makes {size:,} bytes of one block")
        text = copy_padded(matrix.text, size)
        start, end = offsets(len(self.plan.fields), n), offsets(len(self.plan.fields), n)
        start[:, :n], end[:, :n] = 0, 0
        reason = matrix.reason.copy()
        for slot, name in enumerate(self.plan.fields):
            if name in texts and (name in self.transform.writes or name == REFUSED):
                data, edges = texts[name]
                text[at : at + len(data)] = data
                start[slot, rows], end[slot, rows] = edges[:-1] + at, edges[1:] + at
                at += len(data)
                if (data == 0).any():
                    _refuse(reason, rows[_holds_nul(data, edges)], Reason.NUL_BYTE)
            elif name in slots:
                start[slot, :n], end[slot, :n] = matrix.column(slots[name])
        last = len(self.plan.fields) - 1
        refused = rows[end[last, rows] > start[last, rows]]
        _refuse(reason, refused, Reason.REFUSED_BY_PLUGIN)
        lost = np.flatnonzero((reason > 0) & (reason < Reason.FIELD_MISSING))
        start[:, lost], end[:, lost] = 0, 0
        return replace(matrix, text=text, start=start, end=end, reason=reason)


def _refuse(reason: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], rows: Int64Array, why: Reason) -> None:
    reason[rows[reason[rows] == 0]] = why


def _holds_nul(data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], edges: Int64Array) -> Int64Array:
    """Return which texts hold a NUL byte."""
    found: Int64Array = np.unique(np.searchsorted(edges, np.flatnonzero(data == 0), "right") - 1)
    return found


def _column(matrix: FieldMatrix, slot: int, rows: Int64Array) -> Array:
    """Return the texts of one field in some rows; nothing is null, what is absent is empty."""
    start, end = matrix.column(slot)
    edges = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(end[rows] - start[rows], out=edges[1:])
    data = np.empty(int(edges[-1]), np.uint8)
    gather(matrix.text, start, end, rows, edges, data)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(edges.data), pa.py_buffer(data.data))


def _text_of(
    plugin: Transformer, name: str, column: Array
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], Int64Array]:
    """Return the bytes of a column's texts, and (n + 1,) where they begin."""
    if not is_readable(column.type):
        raise plugin.failure(f"column {name!r} is {column.type}, which has no text")
    try:
        text = as_text(column)
        text.validate(full=True)
    except pa.ArrowException as error:
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise plugin.failure(f"column {name!r} is damaged: {told}") from error
    filled = pc.fill_null(text, "") if text.null_count else text
    _, edges, values = filled.buffers()
    if not len(filled):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    places = np.frombuffer(edges, np.int32)[filled.offset : filled.offset + len(filled) + 1].astype(np.int64)
    data = np.frombuffer(b"" if values is None else values, np.uint8)[places[0] : places[-1]]
    return data, places - places[0]


def make_transforming(
    context: DecodeContext, transform: Transform, make: Callable[[DecodeContext], _Inner]
) -> TransformingDecoder:
    """Return the decoder of a source with a transform; `make` makes that of one without.

    Raises:
        UnableToCompileSource: when the plug-in is not installed in its version, or the definition contradicts the catalog.
    """
    source = context.source
    mapping: EventMapping | None = getattr(source, "mapping", None)
    if mapping is None:
        raise UnableToCompileSource(f"transform: format {source.format} has no mapping that could read its columns")
    envelope = isinstance(source, CloudEventsSource)
    if envelope:
        required = tuple(dict.fromkeys((*CLOUD_EVENT, *mapping.required)))
        mapping = mapping.model_copy(update={"required": required})
    plan = compile_mapping(context, mapping, extra_fields=(REFUSED,))
    if plan.fields[-1] != REFUSED:
        raise UnableToCompileSource(f"mapping: {REFUSED!r} is the column of the transform's refusals")
    own = [name for name in plan.fields[:-1] if name not in transform.writes]
    names = tuple(dict.fromkeys((*(("source", "id") if envelope else ()), *transform.reads, *own)))
    bare = source.model_copy(
        update={"mapping": _naming(mapping, names, 2 if envelope else 1), "transform": None, "trusted": True}
    )
    inner = make(replace(context, source=bare))
    return TransformingDecoder(source, inner, plan, transform, find_transform(transform))


def _naming(mapping: EventMapping, names: tuple[str, ...], identity: int) -> EventMapping:
    """Return a mapping that gives every field a place in the matrix; what it says of the records counts nothing."""
    kind = mapping.event_type.constant or next(iter(mapping.event_type.values.values()))
    return EventMapping(
        identity=names[:identity],
        access_point=names[0],
        time=EventTime(field=names[0]),
        quantity=Quantity(constant=0),
        event_type=EventTypeRule(constant=kind),
    ).model_copy(update={"required": names})
