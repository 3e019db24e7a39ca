"""Decode Arrow IPC and Parquet: the columns that a mapping names, as text, and from there as every other format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from pipelines.mediation.columns.blocks import ColumnBlocks, Columns
from pipelines.mediation.columns.ipc import ipc_batches
from pipelines.mediation.columns.matrices import MatrixDecoder
from pipelines.mediation.columns.parquet import open_parquet, parquet_batches
from pipelines.mediation.columns.text import is_readable, pc
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.extract import FieldMatrix
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import compile_mapping
from schemas.source_columns import ArrowSource, ParquetSource


@dataclass(frozen=True, slots=True)
class ColumnsDecoder(MatrixDecoder):
    """A compiled Arrow or Parquet source."""

    source: ArrowSource | ParquetSource

    def _matrices(self, stream: BinaryIO, block_bytes: int) -> Iterator[FieldMatrix]:
        try:
            paths, kinds, batches = self._open(stream)
            blocks = ColumnBlocks(self.plan.fields, kinds, block_bytes, self.source.record_bytes_max)
            yield from blocks.cut(columns_of(batches, paths))
        except (pa.ArrowException, OverflowError, UnicodeDecodeError) as error:  # of names and zones, which are text
            told = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UnableToDecodeFile("MALFORMED_COLUMNS", f"a column is damaged: {told}") from error

    def _open(
        self, stream: BinaryIO
    ) -> tuple[list[tuple[str, ...]], tuple[pa.DataType, ...], Iterator[pa.RecordBatch]]:
        """Return the path of each field of the plan, its type, and the batches of the file.

        Raises:
            UnableToDecodeFile: MISSING_COLUMN, DUPLICATE_COLUMN, WRONG_COLUMN_TYPE, or what reading raises.
        """
        if isinstance(self.source, ArrowSource):
            schema, batches = ipc_batches(stream)
            paths, kinds = find_fields(schema, self.plan.fields)
            return paths, kinds, batches
        file = open_parquet(stream)
        paths, kinds = find_fields(file.schema_arrow, self.plan.fields)
        return paths, kinds, parquet_batches(file, [".".join(path) for path in dict.fromkeys(paths)])


def find_fields(schema: pa.Schema, names: tuple[str, ...]) -> tuple[list[tuple[str, ...]], tuple[pa.DataType, ...]]:
    """Return the path of each field, and its type.

    Raises:
        UnableToDecodeFile: MISSING_COLUMN, DUPLICATE_COLUMN or WRONG_COLUMN_TYPE.
    """
    found = [_find(schema, name) for name in names]
    return [path for path, _ in found], tuple(kind for _, kind in found)


def _find(schema: pa.Schema, name: str) -> tuple[tuple[str, ...], pa.DataType]:
    """Return where a field is: a column of that name, or a member of structs by dotted path; and its type."""
    parts = name.split(".")
    for head in range(len(parts), 0, -1):
        column = ".".join(parts[:head])
        places = schema.get_all_field_indices(column)
        if len(places) > 1:
            raise UnableToDecodeFile("DUPLICATE_COLUMN", f"column {column!r} is there {len(places)} times")
        if not places:
            continue
        kind: pa.DataType = schema.field(places[0]).type
        for member in parts[head:]:
            place = kind.get_field_index(member) if pa.types.is_struct(kind) else -1
            if place < 0:
                break
            kind = kind.field(place).type
        else:
            if not is_readable(kind):
                raise UnableToDecodeFile("WRONG_COLUMN_TYPE", f"column {name!r} is {kind}, which has no text")
            return (column, *parts[head:]), kind
    raise UnableToDecodeFile("MISSING_COLUMN", f"column {name!r} is missing")


def columns_of(batches: Iterator[pa.RecordBatch], paths: list[tuple[str, ...]]) -> Iterator[Columns]:
    """Yield the columns of the plan's fields, once every value of a batch was seen to be sound."""
    for batch in batches:
        if not batch.num_rows:
            continue
        found: list[Any] = []
        for head, *members in paths:
            column: Any = batch.column(batch.schema.get_field_index(head))
            column.validate(full=True)
            for member in members:
                column = pc.struct_field(column, member)
            found.append(column)
        yield tuple(found)


def make_columns(context: DecodeContext, source: ArrowSource | ParquetSource) -> ColumnsDecoder:
    """Return the decoder of an Arrow or Parquet source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    return ColumnsDecoder(source, compile_mapping(context, source.mapping))
