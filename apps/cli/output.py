"""Output for people (tables) and for programs (JSON)."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_SHOWN = 100


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; decimals stay exact as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(value, indent=2, default=plain, ensure_ascii=False))


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of an Arrow table with values that JSON knows."""
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00")
    return "" if value is None else str(plain(value))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; numbers are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    rows = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | Decimal) and not isinstance(row[index], bool) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_result(table: pa.Table, *, as_json: bool, title: str = "") -> None:
    """Print an Arrow table, the first rows of it for people, all of it for programs."""
    if as_json:
        print_json(rows_of(table))
        return
    shown = table.slice(0, ROWS_SHOWN)
    print_table(title, table.column_names, [list(row.values()) for row in shown.to_pylist()])
    if table.num_rows > ROWS_SHOWN:
        print(f"… {table.num_rows - ROWS_SHOWN:,} more rows; --json prints all")
