"""Tables that people keep: CSV and XLSX, read row by row as text, and written."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

ROWS_MAX = 1_048_575
"""What a sheet of XLSX has below its header."""
BYTES_MAX = 512 << 20
EXPANDED_BYTES_MAX = 4 << 30


class UnableToReadSheet(Exception):
    """A file is no table with a header, or too large."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row was not taken: its line, counted from 1 for the header, the column, and the reason."""

    row: int
    column: str
    reason: str


def read_sheet(data: bytes, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, values by column) of the rows of a CSV or XLSX file; empty cells are left out, empty rows too.

    Args:
        columns: those that there may be. One that ends in `.` stands for all that begin with it.

    Raises:
        UnableToReadSheet: when it is no such file, has no header or an unknown column, or is too large.
    """
    if len(data) > BYTES_MAX:
        raise UnableToReadSheet(f"a file has at most {BYTES_MAX >> 20} MiB")
    rows = _xlsx(data) if data[:4] == b"PK\x03\x04" else _csv(data)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise UnableToReadSheet(f"the file has no header; it may have {', '.join(columns)}")
    groups = tuple(name for name in columns if name.endswith("."))
    for name in header:
        if name not in columns and not (name.startswith(groups) and name not in groups):
            raise UnableToReadSheet(f'the column "{name}" is unknown; there are {", ".join(columns)}')
    if len(set(header)) != len(header):
        raise UnableToReadSheet("a column appears twice")
    for count, (line, cells) in enumerate(rows):
        if count >= ROWS_MAX:
            raise UnableToReadSheet(f"a file has at most {ROWS_MAX} rows")
        if any(cells[len(header) :]):
            yield line, {"": "more cells than the header has"}
            continue
        values = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
        if values:
            yield line, values


def _csv(data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnableToReadSheet(f"line {line}: the file is neither UTF-8 text nor XLSX") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnableToReadSheet(f"line {line}: {error}") from error
        yield line, [cell.strip() for cell in cells]


def _xlsx(data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(item.file_size for item in packed.infolist()) > EXPANDED_BYTES_MAX:
                raise UnableToReadSheet("the file is too large once it is unpacked")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise UnableToReadSheet(f"this is no XLSX file: {error}") from error
    for line, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
        yield line, [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """Return what a cell shows; numbers are as they were typed, as far as a spreadsheet keeps them."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, int) or not hasattr(cell, "is_integer"):
        return str(cell).strip()
    return str(int(cell)) if cell.is_integer() else repr(cell)


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV (RFC 4180, UTF-8) with a header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_shown(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode()


def xlsx_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as XLSX with a header that stays in sight; everything is text, so that nothing is a formula."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("octroi")
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    for row in rows:
        cells = []
        for name in columns:
            cell = WriteOnlyCell(sheet, value=_shown(row.get(name)))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def fault_bytes(faults: Iterable[Fault]) -> bytes:
    """Return faults as CSV: row, column, reason."""
    columns = ("row", "column", "reason")
    return csv_bytes(columns, ({name: getattr(fault, name) for name in columns} for fault in faults))


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
