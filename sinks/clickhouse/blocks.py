"""Which blocks go into which insert: one ingest day each, bounded, and none that is stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from schemas.output import OutputBlock
from sinks.clickhouse.client import UnableToStore
from sinks.clickhouse.completeness import BlockKey, check_count
from sinks.clickhouse.table import Table
from sinks.clickhouse.tables.assembled_part import FACT_ASSEMBLED_PART, part_rows
from sinks.clickhouse.tables.notification import FACT_NOTIFICATION, notification_rows
from sinks.clickhouse.tables.place import ingest_day
from sinks.clickhouse.tables.rejection import FACT_REJECTION
from sinks.clickhouse.tables.reversal import FACT_REVERSAL, reversal_rows
from sinks.clickhouse.tables.sequence_run import FACT_SEQUENCE_RUN, run_rows
from sinks.clickhouse.tables.usage import FACT_USAGE, usage_rows
from sinks.clickhouse.tables.wallet_operation import FACT_WALLET_OPERATION, operation_rows

REJECTION_BYTES_PER_INSERT = 128 << 20
"""Rejections keep raw bytes: an insert takes whole blocks until they exceed this."""

_ROWS: Final[Mapping[str, Callable[[OutputBlock], int]]] = {
    FACT_USAGE.name: usage_rows,
    FACT_WALLET_OPERATION.name: operation_rows,
    FACT_REJECTION.name: lambda block: block.rejections.num_rows,
    FACT_REVERSAL.name: reversal_rows,
    FACT_ASSEMBLED_PART.name: part_rows,
    FACT_SEQUENCE_RUN.name: run_rows,
    FACT_NOTIFICATION.name: notification_rows,
}


def key_of(block: OutputBlock) -> BlockKey:
    """Return (claim, block)."""
    return block.header.claim, block.header.block


def expected_rows(table: Table, block: OutputBlock) -> int:
    """Return how many rows of a fact table the header announces."""
    return _expected(block)[table.name]


def _expected(block: OutputBlock) -> Mapping[str, int]:
    header = block.header
    return {
        FACT_USAGE.name: header.usage_rows,
        FACT_WALLET_OPERATION.name: header.operation_rows,
        FACT_REJECTION.name: header.rejection_rows,
        FACT_REVERSAL.name: header.reversal_rows,
        FACT_ASSEMBLED_PART.name: header.part_rows,
        FACT_SEQUENCE_RUN.name: header.run_rows,
        FACT_NOTIFICATION.name: header.notification_rows,
    }


def check_blocks(blocks: Sequence[OutputBlock]) -> None:
    """Check that every block has the rows that its header announces, and comes once.

    Raises:
        UnableToStore: when one has not; nothing of the write is stored then.
    """
    for block in blocks:
        expected_by_table = _expected(block)
        for table, count in _ROWS.items():
            found, expected = count(block), expected_by_table[table]
            if found != expected:
                claim, number = key_of(block)
                raise UnableToStore(
                    f"block {number} of claim {claim} has {found} rows for {table}, its header says {expected}",
                    transient=False,
                )
    if len({key_of(block) for block in blocks}) != len(blocks):
        raise UnableToStore("a block comes twice in one write", transient=False)


def missing(
    table: Table, blocks: Sequence[OutputBlock], present: Mapping[str, Mapping[BlockKey, int]]
) -> list[OutputBlock]:
    """Return the blocks that have rows for `table` which it does not hold yet.

    Raises:
        UnableToStore: when it holds a part of a block's rows.
    """
    stored = present.get(table.name, {})
    for block in blocks:
        if key_of(block) in stored:
            check_count(table.name, key_of(block), stored, expected_rows(table, block))
    return [block for block in blocks if key_of(block) not in stored and expected_rows(table, block)]


def by_day(blocks: Sequence[OutputBlock]) -> Iterator[list[OutputBlock]]:
    """Yield the blocks of each ingest day, so that an insert has one partition and is one part."""
    days: dict[int, list[OutputBlock]] = {}
    for block in blocks:
        days.setdefault(ingest_day(block.header.received_at), []).append(block)
    yield from days.values()


def by_size(blocks: Sequence[OutputBlock], bytes_max: int = REJECTION_BYTES_PER_INSERT) -> Iterator[list[OutputBlock]]:
    """Yield runs of blocks whose rejections have at most `bytes_max` bytes together, or of one block."""
    run: list[OutputBlock] = []
    size = 0
    for block in blocks:
        more = block.rejections.nbytes
        if run and size + more > bytes_max:
            yield run
            run, size = [], 0
        run.append(block)
        size += more
    if run:
        yield run
