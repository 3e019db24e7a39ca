"""Decode the flows of GRDF: answers of ADICT, the portal's JSON, and delimited files whose columns the source names.

Informative data are for customers to look at. They are filtered before any mapping is asked, so that no source can bill them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

import numpy as np

from pipelines.mediation.columns.rows import BEYOND, DOUBT, LINE, Row, RowDecoder
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.enedis.cut import cut_as_told
from pipelines.mediation.enedis.heads import read_head
from pipelines.mediation.extract import DecodedBlock, FieldMatrix
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf import words
from pipelines.mediation.grdf.adict import ADICT, PORTAL
from pipelines.mediation.grdf.documents import PORTAL as RELEVES
from pipelines.mediation.grdf.documents import read_statements
from pipelines.mediation.grdf.table import table_rows
from pipelines.mediation.plan import compile_mapping
from pipelines.mediation.tables import ValueTable, value_table
from schemas.cdr import BlockPosition
from schemas.energy import RecordKind
from schemas.rejection import Reason
from schemas.source_energy import GrdfSource, GrdfTable

PUBLICATION = "publication"
GAS_DAY = timedelta(hours=6)
"""When a day of gas begins."""
KINDS = ("quantities", "readings")
"""Kinds of records of which some are informative."""


@dataclass(frozen=True, slots=True)
class GrdfDecoder(RowDecoder):
    """A compiled source of flows of GRDF.

    Attributes:
        published: knows the one text that may be billed.
    """

    source: GrdfSource
    published: ValueTable

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record, and where it stands in the file."""
        line = f"line {self._said(block, LINE, row)}: "
        if block.reason[row] == Reason.FILTERED_BY_SOURCE and self._is_informative(block, row):
            return f"{line}informative data are never billed"
        return super(GrdfDecoder, self).describe(block, row)

    def _is_informative(self, block: DecodedBlock, row: int) -> bool:
        return self.source.records in KINDS and self._said(block, PUBLICATION, row) != words.PUBLISHED

    def _block(self, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
        if self.source.records in KINDS:
            known = self.published.look_up(matrix.text, *matrix.column(self.plan.fields.index(PUBLICATION)))
            start, end = matrix.column(self.plan.fields.index(DOUBT))
            free = (matrix.reason == 0) & (known == 0)
            doubtful = np.where(start != end, Reason.DOUBTFUL_READING, Reason.FILTERED_BY_SOURCE)
            matrix.reason[free] = doubtful[free]
        return super(GrdfDecoder, self)._block(matrix, position)

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        rows = read_rows(stream, self.source.records, self.source.table)
        return cut_as_told(rows, self.source, day_starts=GAS_DAY)


def read_rows(stream: BinaryIO, kind: RecordKind, table: GrdfTable | None = None) -> Iterator[Row]:
    """Yield the records of one kind of a file, given from its first byte: columns of `schemas.energy` by name.

    Raises:
        UnableToDecodeFile: WRONG_FLOW for a file without such records; what reading JSON and delimited text raises.
    """
    head, shape = read_head(stream)
    if not shape:
        return
    if shape == "json":
        yield from _json_rows(stream, head, kind)
    elif table is None:
        raise UnableToDecodeFile("WRONG_FLOW", "the file is no JSON, and the source has no `table` for delimited text")
    else:
        yield from table_rows(stream, head, table)


def _json_rows(stream: BinaryIO, head: bytes, kind: RecordKind) -> Iterator[Row]:
    for what, point, statement, line in read_statements(stream, head, kind):
        if what == kind:  # records of ours that were corrected
            yield {column: str(text) for column, text in statement.items() if text is not None}
        elif what == RELEVES:
            if kind not in PORTAL:
                raise _wrong(line, "readings of the portal", kind)
            yield from PORTAL[kind](point, statement, line)
        else:
            yield from _answer_rows(statement, line, kind)


def _answer_rows(statement: dict[str, object], line: int, kind: RecordKind) -> Iterator[Row]:
    known = {member for members, _ in ADICT.values() for member in members} & statement.keys()
    members, walk = ADICT.get(kind, ((), None))
    if walk is None or (known and not known & set(members)):
        raise _wrong(line, f"an answer with {', '.join(sorted(known)) or 'no data'}", kind)
    if not known and not statement.get("statut_restitution"):
        raise _wrong(line, "a document without any data", kind)
    return walk(statement, line)


def _wrong(line: int, found: str, kind: RecordKind) -> UnableToDecodeFile:
    members = ", ".join(member for members, _ in ADICT.values() for member in members)
    return UnableToDecodeFile(
        "WRONG_FLOW", f"line {line}: {found}; {kind} are asked for, of {members} or releves"[:500]
    )


def make_grdf(context: DecodeContext, source: GrdfSource) -> GrdfDecoder:
    """Return the decoder of a source of flows of GRDF.

    Raises:
        UnableToCompileSource: when the mapping does not fit the catalog.
    """
    plan = compile_mapping(context, source.mapping, (DOUBT, LINE, BEYOND, PUBLICATION))
    return GrdfDecoder(source, plan, value_table({words.PUBLISHED: 1}, missing=0))
