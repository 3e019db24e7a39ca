"""Decode meter data of other countries: which flow a file is shows in its shape, its records are those of `schemas.energy`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import DOUBT, LINE, ROWS_AT_ONCE, Row, RowDecoder, columns_of, rows_of_columns
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.enedis.grains import CUT_COLUMNS, cut_rows
from pipelines.mediation.extract import DecodedBlock, FieldMatrix
from pipelines.mediation.intervals.demand import rows_of, with_demand
from pipelines.mediation.intervals.flows import Asked, read_pieces
from pipelines.mediation.intervals.windows import INTERVAL_COLUMNS
from pipelines.mediation.meters.grains import cut_steps
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.plan import compile_mapping
from pipelines.mediation.zones import zone_table
from schemas.cdr import BlockPosition
from schemas.rejection import Reason
from schemas.source_meters import MeterDataSource

COVERED = "covered"


@dataclass(frozen=True, slots=True)
class MeterDataDecoder(RowDecoder):
    """A compiled source of meter data."""

    source: MeterDataSource

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record, and where it stands in the file."""
        if block.reason[row] == Reason.FILTERED_BY_SOURCE and (told := self._covered(block, row)):
            return f"line {self._said(block, LINE, row)}: {told}"
        return super(MeterDataDecoder, self).describe(block, row)

    def _covered(self, block: DecodedBlock, row: int) -> str:
        return self._said(block, COVERED, row) if COVERED in self.plan.fields else ""

    def _block(self, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
        """Judge what is doubted, or said twice, before any filter: a doubt is parked even without a value."""
        for name, reason in ((DOUBT, Reason.DOUBTFUL_READING), (COVERED, Reason.FILTERED_BY_SOURCE)):
            if name in self.plan.fields:
                start, end = matrix.column(self.plan.fields.index(name))
                matrix.reason[(matrix.reason == 0) & (start != end)] = np.uint16(reason)
        return super(MeterDataDecoder, self)._block(matrix, position)

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        rows = read_rows(stream, asked_by(self.source))
        return rows if self.source.cut_minutes is None else cut_rows(rows, self.source.cut_minutes)

    def _columns(self, stream: BinaryIO) -> Iterator[Columns]:
        pieces = read_pieces(stream, asked_by(self.source))
        if self.source.demand_minutes is not None:
            zone = None if self.source.zone is None else ZoneInfo(self.source.zone)
            fixed = self.source.demand_windows == "fixed"
            pieces = with_demand(pieces, 60 * self.source.demand_minutes, zone, fixed=fixed)
        for piece in pieces:
            if isinstance(piece, Steps):
                yield from self._of_steps(piece)
            else:
                yield from self._of_rows(iter(piece))

    def _of_steps(self, steps: Steps) -> Iterator[Columns]:
        minutes = self.source.cut_minutes
        if minutes is None:
            yield steps.columns(self.plan.fields)
        elif (grains := cut_steps(steps, minutes)) is not None:
            for some in grains:
                yield some.columns(self.plan.fields)
        else:  # one is doubted
            fields = self.plan.fields
            yield from self._of_rows(rows_of_columns(steps.columns(fields), fields))

    def _of_rows(self, rows: Iterator[Row]) -> Iterator[Columns]:
        if self.source.cut_minutes is not None:
            rows = cut_rows(rows, self.source.cut_minutes)
        while taken := list(islice(rows, ROWS_AT_ONCE)):
            yield columns_of(taken, self.plan.fields)


def asked_by(source: MeterDataSource) -> Asked:
    """Return what a source asks of its files."""
    return Asked(source.records, source.strict, source.zone, source.table)


def read_rows(stream: BinaryIO, asked: Asked) -> Iterator[Row]:
    """Yield the records of a file, given from its first byte: columns of `schemas.energy` by name.

    A column that is not there is empty.

    Raises:
        UnableToDecodeFile: as `read_pieces`.
    """
    for piece in read_pieces(stream, asked):
        yield from rows_of(piece) if isinstance(piece, Steps) else piece


def make_meter_data(context: DecodeContext, source: MeterDataSource) -> MeterDataDecoder:
    """Return the decoder of a source of meter data.

    Raises:
        UnableToCompileSource: when the mapping does not fit the catalog, or there is no such zone.
    """
    if source.zone is not None:
        zone_table(source.zone)
    covered = (COVERED,) if source.records == "intervals" else ()
    kept = INTERVAL_COLUMNS if source.demand_to is not None else ()
    cut = CUT_COLUMNS if source.cut_minutes is not None else ()
    plan = compile_mapping(context, source.mapping, (DOUBT, LINE, *covered, *kept, *cut))
    return MeterDataDecoder(source, plan)
