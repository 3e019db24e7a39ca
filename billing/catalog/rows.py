"""Rules over rows of documents and tables: which rows break them, and what to say of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Fault, Path
from billing.catalog.origins import Origins


@dataclass(frozen=True, slots=True)
class Check:
    """Where rows come from, and where problems go."""

    ctx: Context
    origins: Origins

    def refuse(
        self,
        rows: pl.DataFrame,
        column: str,
        path: Path,
        explain: Callable[[dict[str, Any]], tuple[str, str]],
        fault: Fault = Fault.BREAKS_RULE,
    ) -> None:
        """Say what `explain` makes of each row, at the column of a table or the path of a document."""
        if len(rows):
            self.origins.report(rows, self.ctx.problems, column=column, path=path, explain=explain, fault=fault)

    def unique(self, frame: pl.DataFrame, name: str) -> None:
        """Say which rows have a code that a row before has. `frame` is sorted by code and origin."""
        again = frame.with_columns(first=pl.col("origin").shift(1)).filter(pl.col(name) == pl.col(name).shift(1))
        self.refuse(again, name, ("code",), lambda row: self._twice(row, name), Fault.DECLARED_TWICE)

    def _twice(self, row: dict[str, Any], name: str) -> tuple[str, str]:
        message = f'the {name} "{row[name]}" is declared already, at {self.place(row["first"])}'
        return message, "remove one of them, or rename it"

    def place(self, origin: int) -> str:
        """Return FILE:LINE."""
        file, line, _ = self.origins.place(origin, "", ())
        return f"{file}:{line}"
