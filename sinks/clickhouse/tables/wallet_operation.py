"""fact_wallet_operation: movements that fact_usage cannot hold: items paid by several wallets, and what no usage causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.output import OutputBlock
from schemas.wallets import MovementKind, WalletMovement
from sinks.clickhouse.native import wide, wide_integers
from sinks.clickhouse.table import BALANCE, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import Places, ingest_day
from sinks.clickhouse.tables.usage import item_columns

FACT_WALLET_OPERATION = Table(
    "fact_wallet_operation",
    "One row per wallet operation of an item paid by several wallets, and per movement that no usage causes.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("account", "UInt32", "id in dim_account"),
        Column("wallet", "UInt32", "id in dim_wallet"),
        Column("at", TIMESTAMP, "start of the usage paid for, or when the movement was journaled"),
        Column(
            "kind",
            "UInt8",
            "0 usage, 1 opening credit, 2 payment given back, 3 top-up, 4 adjustment, 5 transfer, 6 expiry",
        ),
        Column("claim", "UInt32", "journal entry"),
        Column("record", "UInt32", "record number within the claim; row of a movement that no usage causes"),
        Column("branch", "UInt8", "which of the record's EDRs, from 0: an access point may be shared; 0 without usage"),
        Column("item", "UInt8", "which of the EDR's rated items, from 0; 0 without usage"),
        Column("part", "UInt16", "which of the item's operations, in drawing order from 0"),
        Column("block", "UInt32", "block number within the claim; 0 without usage"),
        Column("source", "UInt16", "id in dim_source; 0 without usage"),
        Column("amount", BALANCE, "what moved: debits are negative"),
        Column("balance_after", BALANCE, "the wallet's balance afterwards"),
        Column("day", "Date", "ingest day: UTC date at which the claim was journaled"),
    ),
    order_by="tenant, account, wallet, at",
    by_claim=True,
)


def operation_columns(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> dict[str, list[NDArray[Any]]]:
    """Return the columns of the split items of `blocks`."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in FACT_WALLET_OPERATION.names}
    for block in blocks:
        for name, values in _block_columns(block, tenants).items():
            columns[name].append(values)
    return columns


def _block_columns(block: OutputBlock, tenants: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    edrs, rated = block.edrs, block.rated
    row = rated.split_row
    count = len(row)
    negative = -rated.split_amount
    return {
        **Places.of(block.header, tenants).columns(count),
        **({} if block.sources is None else {"source": block.sources[row].astype(np.uint16)}),
        "account": block.account[row],
        "wallet": rated.split_wallet,
        "at": edrs.event_at[row],
        "kind": np.full(count, MovementKind.USAGE if block.reversals is None else MovementKind.REVERSAL, np.uint8),
        "record": edrs.record[row],
        "branch": edrs.branch[row],
        "item": item_columns(block)[0][row],
        "part": np.arange(count) - np.searchsorted(row, row, side="left"),
        "amount": wide(negative >> 63, negative.view(np.uint64)),
        "balance_after": wide(rated.split_balance_hi, rated.split_balance_lo),
    }


def operation_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return len(block.rated.split_row)


def movement_columns(movements: Sequence[WalletMovement], tenant: int) -> dict[str, list[NDArray[Any]]]:
    """Return the columns of movements that no usage causes."""
    count = len(movements)
    zeros = np.zeros(count, np.uint8)
    columns: dict[str, NDArray[Any]] = {
        "tenant": np.full(count, tenant, np.uint16),
        "account": np.array([movement.account for movement in movements], np.int64),
        "wallet": np.array([movement.wallet for movement in movements], np.int64),
        "at": np.array([movement.at for movement in movements], np.int64),
        "kind": np.array([movement.kind for movement in movements], np.uint8),
        "claim": np.array([movement.claim for movement in movements], np.int64),
        "record": np.array([movement.row for movement in movements], np.int64),
        "branch": zeros,
        "item": zeros,
        "part": np.array([movement.part for movement in movements], np.uint16),
        "block": zeros,
        "source": zeros,
        "amount": wide_integers([movement.amount for movement in movements]),
        "balance_after": wide_integers([movement.balance_after for movement in movements]),
        "day": np.array([ingest_day(movement.at) for movement in movements], np.int64),
    }
    return {name: [values] for name, values in columns.items()}
