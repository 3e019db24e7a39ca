"""One insert is one part, whatever its size: parts appear atomically, so a block is in a table whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pyarrow as pa

from schemas.cdr import BlockPosition
from schemas.edr import EdrBlock
from schemas.output import OutputBlock
from schemas.rated_item import WALLET_NONE, RatedBlock
from sinks.clickhouse.store import Store

ROWS = 420_000


def _large(block: OutputBlock, number: int) -> OutputBlock:
    """Blow a block up to ROWS rated EDRs and ROWS / 4 rejections; three make more than ClickHouse's block limits."""
    first = number * ROWS
    zeros = np.zeros(ROWS, np.int64)
    small = zeros.astype(np.int32)
    account = (np.arange(ROWS, dtype=np.int32) * 7919) % 40
    empty = np.zeros(0, np.int64)
    edrs = EdrBlock(
        BlockPosition(2, number, first), np.arange(first, first + ROWS), zeros.astype(np.uint8), zeros + 1_790_000_000_000_000, zeros,
        zeros + 60_000, zeros.astype(np.uint16), np.zeros((ROWS, 4), np.int32), account, account,
    )  # fmt: skip
    rated = RatedBlock(
        zeros.astype(np.uint16), small, zeros + 60_000, zeros, zeros.astype(np.uint8), zeros.astype(np.uint8), zeros,
        small + WALLET_NONE, zeros, zeros.astype(np.uint64), empty, empty.astype(np.int32), empty, empty,
        empty.astype(np.uint64),
    )  # fmt: skip
    one = block.rejections.slice(0, 1)
    rejections = pa.Table.from_batches([one] * (ROWS // 4)).combine_chunks().to_batches()[0]
    header = replace(
        block.header, claim=2, block=number, first_record=first, edrs=ROWS, rated=ROWS, unrated=0, accepted=ROWS,
        received=ROWS + 4, usage_rows=ROWS, operation_rows=0, rejection_rows=ROWS // 4, quantity=60_000 * ROWS,
        amounts={},
    )  # fmt: skip
    return OutputBlock(header, edrs, account, rated, rejections)


def test_a_write_of_more_than_a_million_rows_is_one_part_per_table(store: Store, made: ModuleType) -> None:
    small = made.Ledger(seed=1).block(2, 0)
    blocks = [_large(small, number) for number in range(3)]
    store._writer.execute("SYSTEM STOP MERGES")
    store.write(blocks)
    found = store.query(
        "SELECT table, count() AS parts, sum(rows) AS n FROM system.parts "
        "WHERE database = 'octroi' AND active AND table LIKE 'fact_%' GROUP BY table ORDER BY table"
    ).to_pylist()
    assert found == [
        {"table": "fact_block", "parts": 1, "n": 3},
        {"table": "fact_rejection", "parts": 1, "n": 3 * (ROWS // 4)},
        {"table": "fact_usage", "parts": 1, "n": 3 * ROWS},
    ]
    assert 3 * ROWS > 1_048_449  # ClickHouse's default block size, beyond which an insert would be several parts


def test_rejections_with_many_bytes_go_in_several_inserts_of_whole_blocks(made: ModuleType) -> None:
    from sinks.clickhouse.blocks import by_size

    ledger = made.Ledger(seed=1)
    blocks = [ledger.block(2, number) for number in range(5)]
    size = blocks[0].rejections.nbytes
    groups = list(by_size(blocks, 2 * size + size // 2))
    assert [len(group) for group in groups] == [2, 2, 1]
    assert [block for group in groups for block in group] == blocks
    assert [len(group) for group in by_size(blocks, 1)] == [1] * 5
