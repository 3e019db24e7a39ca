"""Decode delimited text: header, blocks of records, fields, CDRs.

Blank lines are no records. A quote opens a quoted field only as the field's first byte; without quoting it is text. A
line ends with LF or CR LF.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.delimited.header import column_slots, split_header
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import (
    PADDING,
    DecodedBlock,
    FieldMatrix,
    Survey,
    copy_padded,
    extract,
    offsets,
    survey,
)
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.delimited import split_plain
from pipelines.mediation.kernels.quoted import skip_record, split_quoted, unescape_quotes
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.text import blank_nulls, read_head, refuse_bytes, to_utf8
from schemas.arrays import Int32Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.source import DelimitedSource

NEWLINE = 10


@dataclass(frozen=True, slots=True)
class DelimitedDecoder:
    """A compiled delimited source."""

    source: DelimitedSource
    plan: MappingPlan

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check encoding marks and the header of a file, given from its first byte."""
        self._open(stream)

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        opened = self._open(stream)
        if opened is None:
            return
        splitter, rest = opened
        blocks = split_blocks(
            stream,
            splitter,
            carried=rest,
            block_bytes=block_bytes,
            record_bytes_max=self.source.record_bytes_max,
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row, encoding=self.source.encoding)

    def _open(self, stream: BinaryIO) -> tuple[DelimitedSplitter, bytes] | None:
        head = read_head(stream, self.source)
        columns = self.source.columns
        if self.source.header:
            columns, head = split_header(stream, head, self.source)
            if not columns:
                return None
        return DelimitedSplitter(self.source, self.plan, column_slots(columns, self.plan.fields)), head


@dataclass(frozen=True, slots=True)
class DelimitedSplitter:
    """Splits the records of one file.

    Attributes:
        slots: (c,) the slot of each column, or -1.
    """

    source: DelimitedSource
    plan: MappingPlan
    slots: Int32Array

    @property
    def fields(self) -> int:
        """How many fields the source maps."""
        return len(self.plan.fields)

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete records of a buffer, and how many bytes they take."""
        seen = survey(buffer, size)
        buffer[size : size + PADDING] = NEWLINE
        if final and size and buffer[size - 1] != NEWLINE:
            size += 1
        rows_max = min(ROWS_MAX, seen.lines + 1)
        start, end = offsets(self.fields, rows_max), offsets(self.fields, rows_max)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        source, escapes = self.source, 0
        delimiter = ord(source.delimiter)
        fewest = min(source.columns_min or len(self.slots), len(self.slots))
        if seen.quote and source.quoting != "none":
            rows, consumed, escapes = split_quoted(
                buffer, size, final, delimiter, fewest, self.slots, start, end, raw_start, raw_end, reason
            )
        else:
            rows, consumed = split_plain(
                buffer, size, delimiter, fewest, source.rest, self.slots, start, end, raw_start, raw_end, reason
            )
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=buffer[:size],
            start=start,
            end=end,
            reason=reason[:rows],
            columns=len(self.slots),
        )
        self._finish(matrix, seen, escaped=escapes > 0)
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a record too long to hold: a newline outside quotes."""
        if self.source.quoting == "none":
            return buffer[:size].tobytes().find(b"\n") + 1 or -1, state
        end, state = skip_record(buffer, size, ord(self.source.delimiter), state)
        return end, state

    def _finish(self, matrix: FieldMatrix, seen: Survey, *, escaped: bool) -> None:
        """Refuse records for their bytes and bring the fields' text into its final form, UTF-8 without escapes."""
        utf8 = self.source.encoding == "utf-8"
        refuse_bytes(matrix, bytes_max=self.source.record_bytes_max, seen=seen, utf8=utf8)
        if escaped:
            matrix.text = copy_padded(matrix.raw, 0)
            for slot in range(self.fields):
                unescape_quotes(matrix.text, *matrix.column(slot))
        if seen.high and not utf8:
            to_utf8(matrix)
        blank_nulls(matrix, self.source.null)


def make_delimited(context: DecodeContext, source: DelimitedSource) -> DelimitedDecoder:
    """Return the decoder of a delimited source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    if len(source.delimiter.encode("utf-8", "replace")) != 1 or source.delimiter in '"\r\n\0':
        raise UnableToCompileSource("delimiter: it must be one ASCII character, no quote and no line end")
    if source.header and source.columns:
        raise UnableToCompileSource("columns: with a header, columns are found by name; remove `columns`")
    if not source.header and not source.columns:
        raise UnableToCompileSource("columns: without a header, list the names of the columns in order")
    if source.rest and source.quoting != "none":
        raise UnableToCompileSource(
            "rest: where fields are quoted, delimiters can be quoted, too; write `quoting: none`"
        )
    if source.columns_min is not None and source.columns and source.columns_min > len(source.columns):
        raise UnableToCompileSource(f"columns_min: there are only {len(source.columns)} columns")
    twice = sorted({name for name in source.columns if source.columns.count(name) > 1})
    if twice:
        raise UnableToCompileSource(f"columns: {', '.join(map(repr, twice))} named more than once")
    plan = compile_mapping(context, source.mapping)
    missing = [name for name in plan.fields if not source.header and name not in source.columns]
    if missing:
        raise UnableToCompileSource(f"mapping: {', '.join(map(repr, missing))} not among `columns`")
    return DelimitedDecoder(source, plan)
