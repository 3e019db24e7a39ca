"""Where the rows of frames come from, so that a problem found among a million rows names its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from billing.catalog.models import Entry, Fault, Path, Problems, dotted

ROWS_SHOWN = 10
"""How many rows with the same problem are named; the others are counted."""
_LINE_BITS = 32
FIRST_OF_TABLES = 1 << _LINE_BITS
"""Numbers from here on are lines of tables, those below are values of documents."""


class Origins:
    """Places by number: values of documents, and lines of tables.

    A number below 2**32 is a value of a document; above, it is table << 32 | line.
    """

    def __init__(self) -> None:
        """Start with no place."""
        self._values: list[tuple[Entry[Any], Path]] = []
        self._files: list[str] = []

    def value(self, entry: Entry[Any], path: Path) -> int:
        """Return a number for the value at `path` of a document."""
        self._values.append((entry, path))
        return len(self._values) - 1

    def table(self, file: str) -> int:
        """Return the number to which a line of this file is added."""
        self._files.append(file)
        return len(self._files) << _LINE_BITS

    def place(self, origin: int, column: str, path: Path) -> tuple[str, int, str]:
        """Return (file, line, field): `column` in a line of a table, or `path` below a document's value."""
        table, line = divmod(origin, 1 << _LINE_BITS)
        if table:
            return self._files[table - 1], line, column
        entry, base = self._values[origin]
        whole = (*base, *path)
        return entry.file, entry.node.line_of(whole), dotted(whole)

    def report(
        self,
        rows: pl.DataFrame,
        problems: Problems,
        *,
        column: str,
        path: Path,
        explain: Callable[[dict[str, Any]], tuple[str, str]],
        fault: Fault = Fault.BREAKS_RULE,
    ) -> None:
        """Add a problem for each of the first rows, and one that counts the others.

        Args:
            rows: offending rows, with `origin` and what `explain` reads.
            problems: where problems go.
            column: the column at fault, where the row comes from a table.
            path: the value at fault, where it comes from a document.
            explain: returns (message, fix) for one row.
            fault: what kind of problem it is.
        """
        shown = rows.sort("origin").head(ROWS_SHOWN + 1).to_dicts()
        for row in shown[:ROWS_SHOWN]:
            problems.add(*self.place(row["origin"], column, path), *explain(row), fault)
        if len(rows) > ROWS_SHOWN:
            message = f"{len(rows) - ROWS_SHOWN} more rows from here on have the same problem"
            problems.add(*self.place(shown[-1]["origin"], column, path), message, "correct them likewise", fault)
