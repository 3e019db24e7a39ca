"""Output for people (tables) and for programs (JSON)."""

from __future__ import annotations

import base64
import csv
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_SHOWN = 100
WIDTH_WITHOUT_TERMINAL = 1000

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTROLS_AND_NEWLINES = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str, *, newlines: bool = False) -> str:
    """Return text whose control characters are written out, so that a record cannot command the terminal."""
    pattern = _CONTROLS if newlines else _CONTROLS_AND_NEWLINES
    return pattern.sub(lambda found: repr(found[0])[1:-1], text)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return "1 record", "2,000 records"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: decimals stay exact, as text; what is no number becomes null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout, in ASCII when stdout or a file name in it is no UTF-8.

    What commands a terminal and JSON would let pass (DEL, C1, directions of writing) is escaped, too.
    """
    told = plain(value)
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    try:
        text.encode(sys.stdout.encoding or "ascii", "strict")
    except UnicodeEncodeError:
        text = json.dumps(told, indent=2, allow_nan=False)
    print(text)


_AT_ONCE = 1024
"""Rows that are converted in one call, which no other thread interrupts: the main loop charges usage meanwhile."""


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of an Arrow table; a column name that comes again gets a number, so that no column is lost."""
    names: list[str] = []
    for name in table.column_names:
        free, number = name, 1
        while free in names:
            number += 1
            free = f"{name}_{number}"
        names.append(free)
    rows: list[dict[str, Any]] = []
    for batch in table.rename_columns(names).to_batches(max_chunksize=_AT_ONCE):
        rows += batch.to_pylist()
    return rows


def decimal_text(value: Decimal) -> str:
    """Return a decimal for people: groups of thousands, no zeros that say nothing."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00")
    return "" if value is None else printable(str(plain(value)))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; numbers are aligned to the right. Nothing in it is taken for markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | Decimal) and not isinstance(row[index], bool) for row in rows)
        table.add_column(Text(printable(column)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:  # rich would exit with 1
            raise BrokenPipeError

    OurConsole(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL).print(table)


def print_result(table: pa.Table, *, as_json: bool, title: str = "", empty: str = "no rows") -> None:
    """Print an Arrow table, the first rows of it for people, all of it for programs."""
    if as_json:
        print_json(rows_of(table))
        return
    if not table.num_rows:
        print(f"{title}: {empty}" if title else empty)
        return
    shown = table.slice(0, ROWS_SHOWN)
    print_table(title, table.column_names, [list(row.values()) for row in rows_of(shown)])
    if table.num_rows > ROWS_SHOWN:
        print(f"… {count(table.num_rows - ROWS_SHOWN, 'more row')}; --json prints all")


def write_rows(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to a CSV file with a header, in place of what was there.

    Raises:
        OSError: when it cannot be written.
    """
    with file.open("w", encoding="utf-8", newline="") as text:
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(columns)
        lines.writerows([row[name] for name in columns] for row in rows)
