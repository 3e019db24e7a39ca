"""Decode records whose fields stand at fixed places: header, trailer, blocks of records, fields, CDRs.

Blank lines are no records. A line ends with LF or CR LF. Positions are bytes, whatever the encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import PADDING, DecodedBlock, FieldMatrix, Survey, extract, offsets, survey
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.fixed_width.body import Body, expect_count
from pipelines.mediation.kernels.fixed_width import place_fields, split_lengths, split_lines
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.text import blank_nulls, refuse_bytes, to_utf8
from schemas.arrays import Int64Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.source import FixedWidthSource

NEWLINE = 10


@dataclass(frozen=True, slots=True)
class FixedWidthDecoder:
    """A compiled fixed-width source, which splits its files itself.

    Attributes:
        offset, width: (f,) bytes of each mapped field within a record.
    """

    source: FixedWidthSource
    plan: MappingPlan
    offset: Int64Array
    width: Int64Array

    @property
    def fields(self) -> int:
        """How many fields the source maps."""
        return len(self.plan.fields)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check encoding marks, header and trailer of a file, given from its first byte."""
        body = Body(stream, self.source)
        if self.source.trailer is not None:
            expect_count(body, body.count_records())

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        body = Body(stream, self.source)
        blocks = split_blocks(
            body,  # type: ignore[arg-type]
            self,
            carried=b"",
            block_bytes=block_bytes,
            record_bytes_max=self.source.record_bytes_max,
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)
        expect_count(body, record)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row, encoding=self.source.encoding)

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete records of a buffer, and how many bytes they take."""
        source, length = self.source, self.source.record_bytes
        seen = survey(buffer, size)
        buffer[size : size + PADDING] = NEWLINE
        if source.lines and final and size and buffer[size - 1] != NEWLINE:
            size += 1
        rows_max = min(ROWS_MAX, (seen.lines if source.lines else size // (length or 1)) + 1)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        if source.lines:
            least, most = (source.reach, source.record_bytes_max) if length is None else (length, length)
            rows, consumed = split_lines(buffer, size, least, most, raw_start, raw_end, reason)
        else:
            rows, consumed = split_lengths(buffer, size, final, length, raw_start, raw_end, reason)
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=buffer[:size],
            start=offsets(self.fields, rows),
            end=offsets(self.fields, rows),
            reason=reason[:rows],
            columns=self.fields,
        )
        self._finish(matrix, seen)
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a line too long to hold; records of one length are never too long."""
        return buffer[:size].tobytes().find(b"\n") + 1 or -1, state

    def _finish(self, matrix: FieldMatrix, seen: Survey) -> None:
        """Find the fields, refuse records for their bytes, and bring the fields' text into its final form."""
        source = self.source
        utf8 = source.encoding == "utf-8"
        place_fields(
            matrix.raw,
            self.offset,
            self.width,
            source.trim in ("both", "left"),
            source.trim in ("both", "right"),
            seen.high and utf8,
            matrix.raw_start,
            matrix.raw_end,
            matrix.start,
            matrix.end,
            matrix.reason,
        )
        refuse_bytes(matrix, bytes_max=source.record_bytes_max, seen=seen, utf8=utf8)
        if seen.high and not utf8:
            to_utf8(matrix)
        blank_nulls(matrix, source.null)


def make_fixed_width(context: DecodeContext, source: FixedWidthSource) -> FixedWidthDecoder:
    """Return the decoder of a fixed-width source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    _check_lengths(source)
    _check_edges(source)
    places = {column.name: column for column in source.columns}
    if len(places) < len(source.columns):
        raise UnableToCompileSource("columns: a name is given more than once")
    by_start = sorted(source.columns, key=lambda column: column.start)
    for before, after in pairwise(by_start):
        if after.start <= before.end:
            raise UnableToCompileSource(f"columns: {before.name!r} and {after.name!r} overlap")
    plan = compile_mapping(context, source.mapping)
    missing = [name for name in plan.fields if name not in places]
    if missing:
        raise UnableToCompileSource(f"mapping: {', '.join(map(repr, missing))} not among `columns`")
    offset = np.array([places[name].start - 1 for name in plan.fields], np.int64)
    width = np.array([places[name].width for name in plan.fields], np.int64)
    return FixedWidthDecoder(source, plan, offset, width)


def _check_lengths(source: FixedWidthSource) -> None:
    if source.record_bytes is None and not source.lines:
        raise UnableToCompileSource("record_bytes: without line ends a record needs a length")
    if source.record_bytes is not None and source.reach > source.record_bytes:
        raise UnableToCompileSource(f"columns: the last ends at byte {source.reach} of {source.record_bytes}")
    if max(source.reach, source.record_bytes or 0) > source.record_bytes_max:
        raise UnableToCompileSource("record_bytes_max: it is less than a record has")


def _check_edges(source: FixedWidthSource) -> None:
    for name, edge in (("header", source.header), ("trailer", source.trailer)):
        if edge is None:
            continue
        if (edge.prefix is None) == (edge.count is None):
            raise UnableToCompileSource(f"{name}: give either `prefix` or `count`")
        try:
            (edge.prefix or "").encode(source.encoding)
        except UnicodeEncodeError:
            raise UnableToCompileSource(f"{name}: the prefix cannot be written in {source.encoding}") from None
