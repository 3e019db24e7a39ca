"""What decoders of energy records have in common: a reader yields rows of text by column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import pyarrow as pa

from pipelines.mediation.columns.blocks import ColumnBlocks, Columns
from pipelines.mediation.columns.matrices import MatrixDecoder
from pipelines.mediation.explain import describe_record, field_value
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, extract
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.cdr import BlockPosition
from schemas.rejection import Reason

ROWS_AT_ONCE = 4096
DOUBT, LINE, BEYOND = "doubt", "line", "beyond"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class RowDecoder(MatrixDecoder):
    """A compiled source of energy records. Its plan reads `doubt`, `line` and, of quantities, `beyond`, named or not."""

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record, and where it stands in the file."""
        doubt, line = self._said(block, DOUBT, row), self._said(block, LINE, row)
        told = doubt
        if block.reason[row] == Reason.BEYOND_BILLABLE:
            told = self._said(block, BEYOND, row)
        elif block.reason[row] != Reason.DOUBTFUL_READING:
            told = describe_record(self.source, self.plan, block, row)
            told = f"{told}; {doubt}" if doubt else told
        return f"line {line}: {told}" if line else told

    @abstractmethod
    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        """Yield the records of a file, given from its first byte: columns of `schemas.energy` by name."""

    def _block(self, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
        block = extract(self.plan, matrix, position)
        for name, reason in ((DOUBT, Reason.DOUBTFUL_READING), (BEYOND, Reason.BEYOND_BILLABLE)):
            if name not in self.plan.fields:
                continue
            start, end = matrix.column(self.plan.fields.index(name))
            block.reason[(block.reason == 0) & (start != end)] = reason
        return block

    def _said(self, block: DecodedBlock, name: str, row: int) -> str:
        return field_value(block, self.plan.fields.index(name), row).decode("utf-8", "replace")

    def _matrices(self, stream: BinaryIO, block_bytes: int) -> Iterator[FieldMatrix]:
        kinds = tuple(pa.string() for _ in self.plan.fields)
        blocks = ColumnBlocks(self.plan.fields, kinds, block_bytes, self.source.record_bytes_max)
        return blocks.cut(self._columns(stream))

    def check(self, stream: BinaryIO) -> None:
        """Read a file to its end: that something is damaged, or not whole, shows when it is read."""
        for _ in self._columns(stream):
            pass

    def _columns(self, stream: BinaryIO) -> Iterator[Columns]:
        """Yield the records of a file as columns of the plan's fields."""
        rows = self._rows(stream)
        while taken := list(islice(rows, ROWS_AT_ONCE)):
            yield columns_of(taken, self.plan.fields)


def columns_of(rows: list[Row], names: tuple[str, ...]) -> Columns:
    """Return rows as columns.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING for half of a surrogate pair.
    """
    try:
        return tuple(pa.array([row.get(name, "") for row in rows], pa.string()) for name in names)
    except UnicodeEncodeError as error:
        told = f"behind line {rows[0].get(LINE)}: half of a surrogate pair"
        raise UnableToDecodeFile("WRONG_ENCODING", told) from error


def rows_of_columns(columns: Columns, names: tuple[str, ...]) -> Iterator[Row]:
    """Yield columns of text, given their names, as rows."""
    for texts in zip(*(column.to_pylist() for column in columns), strict=True):
        yield dict(zip(names, texts, strict=True))
