"""Writing results of any size to files that other programs read, with their hash, in bounded memory."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

XLSX_ROWS_MAX = 1_048_575
"""Rows of a sheet below its heading (ECMA-376, as Excel bounds them)."""
XLSX_TEXT_MAX = 32_767
"""Characters of a cell: the library cuts longer texts off without a word."""
EXACT_DIGITS = 15
"""Decimal digits that a number in a spreadsheet holds; a longer one is a text there."""
ROWS_PER_GROUP = 256 * 1024


class UnableToExport(Exception):
    """A result cannot be written in the form that was asked for."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written."""

    path: Path
    rows: int
    bytes: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"file": str(self.path), "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what comes last."""


def export_batches(
    batches: Iterator[pa.RecordBatch], path: Path, form: str, progress: Callable[[int], None]
) -> Exported:
    """Write batches, of which there is one at least, to a file, and its hash to a file beside it, in the format of sha256sum.

    The file appears whole or not at all.

    Args:
        form: one of FORMS. progress: told of rows as they are written.

    Raises:
        UnableToExport: when the form cannot hold the result. OSError: when there is no room.
    """
    mark = secrets.token_hex(8)  # another export to the same file has another
    part, beside_part = (path.with_name(f"{path.name}.{mark}.{what}") for what in ("part", "sha256"))
    rows, first = 0, next(batches)
    try:
        with FORMS[form](part, first.schema) as writer:
            for batch in chain([first], batches):
                rows += batch.num_rows
                if form == "xlsx" and rows > XLSX_ROWS_MAX:
                    raise UnableToExport(
                        f"a sheet holds {XLSX_ROWS_MAX:,} rows, and there are more: take another format"
                    )
                writer.write_batch(batch)
                progress(batch.num_rows)
        digest, size = _synced(part)
        beside_part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        part.replace(path)
        beside_part.replace(path.with_name(f"{path.name}.sha256"))
    finally:
        part.unlink(missing_ok=True)
        beside_part.unlink(missing_ok=True)
    return Exported(path, rows, size, digest)


def _synced(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer


@contextmanager
def _arrow(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    with pa.ipc.new_file(str(path), schema) as writer:
        yield writer


class _Csv:
    """CSV by RFC 4180; what CSV has no word for is written as in JSON output: bytes in hexadecimal, lists as text."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._plain = pa.schema(
            [pa.field(each.name, each.type if _is_plain(each.type) else pa.string()) for each in schema]
        )
        self._writer = pc.CSVWriter(path, self._plain)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        columns = [
            column if _is_plain(column.type) else pa.array([_text(value) for value in column.to_pylist()], pa.string())
            for column in batch.columns
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._plain))

    def close(self) -> None:
        self._writer.close()


def _is_plain(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.hex() if isinstance(value, bytes) else str(value)


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    writer = _Csv(path, schema)
    try:
        yield writer
    finally:
        writer.close()


class _Sheet:
    """One sheet, written row by row: the library keeps none of them."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from openpyxl import Workbook

        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("result")
        self._sheet.append(schema.names)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            self._sheet.append([self._plain(_cell(value)) for value in row])

    def _plain(self, value: Any) -> Any:
        """Return a cell whose text is a text, also where it begins as a formula would."""
        if isinstance(value, str) and len(value) > XLSX_TEXT_MAX:
            raise UnableToExport(
                f"a cell holds {XLSX_TEXT_MAX:,} characters, and there is a longer text: take another format"
            )
        if not isinstance(value, str) or not value.startswith("="):
            return value
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self._sheet, value)
        cell.data_type = "s"
        return cell

    def close(self) -> None:
        self._book.save(self._path)


def _cell(value: Any) -> Any:
    """Return a value as a spreadsheet keeps it without loss: instants in UTC, numbers of at most 15 digits, else text."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, Decimal):
        short = value.normalize()
        return short if len(short.as_tuple().digits) <= EXACT_DIGITS else f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**EXACT_DIGITS:
        return str(value)
    if isinstance(value, str):
        # XML has no control characters
        return "".join(sign if sign >= " " or sign in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for sign in value)
    if value is None or isinstance(value, bool | int | float) or hasattr(value, "isoformat"):
        return value
    return _text(value)


@contextmanager
def _xlsx(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    sheet = _Sheet(path, schema)
    yield sheet
    sheet.close()


FORMS = {"parquet": _parquet, "arrow": _arrow, "csv": _csv, "xlsx": _xlsx}
"""The forms that a result can be written in, by the ending of the file's name."""
