"""What a view is: columns with types and comments, computed from a source."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.clickhouse.table import DATABASE, quoted


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """One column of a view: name, type, what it means, and how it is computed."""

    name: str
    type: str
    comment: str
    expression: str


@dataclass(frozen=True, slots=True)
class View:
    """One view: its columns computed from `source` (everything after FROM)."""

    name: str
    comment: str
    columns: tuple[ViewColumn, ...]
    source: str

    @property
    def ddl(self) -> str:
        """The statement that creates the view or replaces it."""
        columns = ",\n  ".join(f"`{c.name}` {c.type} COMMENT {quoted(c.comment)}" for c in self.columns)
        selected = ",\n  ".join(f"{c.expression} AS `{c.name}`" for c in self.columns)
        return (
            f"CREATE OR REPLACE VIEW {DATABASE}.{self.name} (\n  {columns}\n) AS SELECT\n  {selected}\n"
            f"FROM {self.source}\nCOMMENT {quoted(self.comment)}"
        )
