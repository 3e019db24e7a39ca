"""Which blocks are stored, read from the rows themselves: they are the only record of what was inserted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.wallets import OF_BLOCKS
from sinks.clickhouse.client import Connection, UnableToStore
from sinks.clickhouse.table import DATABASE
from sinks.clickhouse.tables.assembled_part import FACT_ASSEMBLED_PART
from sinks.clickhouse.tables.block import FACT_BLOCK
from sinks.clickhouse.tables.notification import FACT_NOTIFICATION
from sinks.clickhouse.tables.rejection import FACT_REJECTION
from sinks.clickhouse.tables.reversal import FACT_REVERSAL
from sinks.clickhouse.tables.sequence_run import FACT_SEQUENCE_RUN
from sinks.clickhouse.tables.usage import FACT_USAGE
from sinks.clickhouse.tables.wallet_operation import FACT_WALLET_OPERATION

BlockKey = tuple[int, int]
"""(claim, block)."""

_COUNTED: Mapping[str, str] = {
    FACT_USAGE.name: "usage_rows",
    FACT_WALLET_OPERATION.name: "operation_rows",
    FACT_REJECTION.name: "rejection_rows",
    FACT_REVERSAL.name: "reversal_rows",
    FACT_ASSEMBLED_PART.name: "part_rows",
    FACT_SEQUENCE_RUN.name: "run_rows",
    FACT_NOTIFICATION.name: "notification_rows",
}
"""Fact table -> the header's count of its rows."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What the store holds from some block on.

    Attributes:
        present: table -> (claim, block) -> rows it holds; for `fact_block` the complete blocks.
    """

    present: Mapping[str, Mapping[BlockKey, int]]

    @property
    def complete(self) -> frozenset[BlockKey]:
        """The blocks whose header is stored."""
        return frozenset(self.present.get(FACT_BLOCK.name, {}))


def read_completeness(connection: Connection, start: BlockKey, also: BlockKey = (0, 0)) -> Completeness:
    """Return what is stored of the blocks from `start` on, and of the claim of `also` from its block on.

    The complete ones are checked against their headers.

    Raises:
        UnableToStore: when a table holds another number of a complete block's rows than its header says: an insert was
            not atomic, or a block was stored twice.
    """
    claim, block = start
    since = f"(claim >= {claim} AND (claim, block) >= ({claim}, {block}) OR claim = {also[0]} AND block >= {also[1]})"
    counted = ", ".join(_COUNTED.values())
    headers = connection.rows(f"SELECT claim, block, {counted} FROM {FACT_BLOCK.qualified} WHERE {since}")
    present: dict[str, dict[BlockKey, int]] = {
        FACT_BLOCK.name: {(row["claim"], row["block"]): 1 for row in headers},
    }
    if len(headers) != len(present[FACT_BLOCK.name]):
        raise UnableToStore("the store is inconsistent: a block's header is stored twice", transient=False)
    for table, count in _COUNTED.items():
        usage = f" AND kind IN {tuple(map(int, OF_BLOCKS))}" if table == FACT_WALLET_OPERATION.name else ""
        found = connection.rows(
            f"SELECT claim, block, count() AS n FROM {DATABASE}.{table} WHERE {since}{usage} GROUP BY claim, block"
        )
        present[table] = {(row["claim"], row["block"]): row["n"] for row in found}
        for row in headers:
            check_count(table, (row["claim"], row["block"]), present[table], row[count])
    return Completeness(present)


def check_count(table: str, key: BlockKey, present: Mapping[BlockKey, int], expected: int) -> None:
    """Check that a table holds all rows of a block.

    Raises:
        UnableToStore: when it holds fewer or more.
    """
    found = present.get(key, 0)
    if found != expected:
        raise UnableToStore(
            f"the store is inconsistent: {table} has {found} rows of block {key[1]} of claim {key[0]}, not {expected}",
            transient=False,
        )
