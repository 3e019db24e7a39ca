"""What a table is: columns with types and comments, from which DDL, insert layouts and schemas are derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

DATABASE = "octroi"
TIMESTAMP = "DateTime64(6, 'UTC')"
AMOUNT = "Decimal(18, 9)"
BALANCE = "Decimal(38, 9)"
NAME = "LowCardinality(String)"
DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
"""A stored row survives power loss: neither a block's header nor a snapshot may outlive its facts. Merged parts too: chdb
removes the parts that they replace soon after (`old_parts_lifetime` is 0), while the kernel may still hold the new ones back.
"""

_NUMPY: dict[str, type[np.integer[Any]]] = {
    "UInt8": np.uint8,
    "UInt16": np.uint16,
    "UInt32": np.uint32,
    "UInt64": np.uint64,
    "Int32": np.int32,
    "Int64": np.int64,
    "Date": np.uint16,
    TIMESTAMP: np.int64,
    AMOUNT: np.int64,
}
_ARROW: dict[str, pa.DataType] = {
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Bool": pa.bool_(),
    "String": pa.string(),
    NAME: pa.string(),
    "Date": pa.date32(),
    TIMESTAMP: pa.timestamp("us", "UTC"),
    BALANCE: pa.decimal128(38, 9),
    "Decimal(38, 0)": pa.decimal128(38, 0),
    f"Map(UInt16, {BALANCE})": pa.map_(pa.uint16(), pa.decimal128(38, 9)),
}


def quoted(text: str) -> str:
    """Return `text` as an SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its ClickHouse type, what it means, and a codec where the default is not best.

    `binary` marks a String that holds bytes rather than text.
    """

    name: str
    type: str
    comment: str
    codec: str = ""
    binary: bool = False

    @property
    def ddl(self) -> str:
        """The column as CREATE TABLE writes it."""
        codec = f" CODEC({self.codec})" if self.codec else ""
        return f"`{self.name}` {self.type} COMMENT {quoted(self.comment)}{codec}"

    @property
    def words(self) -> int:
        """How many 64-bit words a row of the column takes when it is wider than one, else 1."""
        return 2 if self.type.startswith("Decimal(38") else 1

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """The NumPy type whose bytes are the column's bytes (per word).

        Raises:
            KeyError: when the type has no fixed width; such tables are inserted through Arrow.
        """
        return np.dtype(np.uint64) if self.words == 2 else np.dtype(_NUMPY[self.type])

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of the column."""
        return pa.binary() if self.binary else _ARROW[self.type]


@dataclass(frozen=True, slots=True)
class Table:
    """One MergeTree table.

    Attributes:
        name: without the database.
        comment: what a row is.
        columns: in order.
        order_by: the sorting key.
        partitioned: by `day`, the ingest day, so that an insert of one day is one part, hence atomic.
        partition_by: the column that partitions it, when it is partitioned.
        by_claim: keeps the lowest and highest claim of every part, so that a restart reads only the latest parts.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    order_by: str
    partitioned: bool = True
    by_claim: bool = False
    partition_by: str = "day"

    @property
    def qualified(self) -> str:
        """The name with its database."""
        return f"{DATABASE}.{self.name}"

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @property
    def schema(self) -> pa.Schema:
        """The columns as an Arrow schema without nulls."""
        return pa.schema([pa.field(column.name, column.arrow, nullable=False) for column in self.columns])

    @property
    def ddl(self) -> str:
        """The statement that creates the table if it does not exist."""
        lines = [column.ddl for column in self.columns]
        if self.by_claim:
            lines.append("INDEX claims claim TYPE minmax GRANULARITY 1000000")
        columns = ",\n  ".join(lines)
        partition = f"PARTITION BY {self.partition_by} " if self.partitioned else ""
        return (
            f"CREATE TABLE IF NOT EXISTS {self.qualified} (\n  {columns}\n) ENGINE = MergeTree {partition}"
            f"ORDER BY ({self.order_by}) SETTINGS {DURABLE} COMMENT {quoted(self.comment)}"
        )
