"""fact_wallet_operation: movements that fact_usage cannot hold: items paid by several wallets, and opening credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.output import OpeningCredit, OutputBlock
from sinks.clickhouse.native import wide, wide_integers
from sinks.clickhouse.table import BALANCE, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import Places, ingest_day

USAGE_PAYMENT = 0
OPENING_CREDIT = 1
REVERSAL = 2
"""A payment of usage that was given back."""

FACT_WALLET_OPERATION = Table(
    "fact_wallet_operation",
    "One row per wallet operation of an item paid by several wallets, and per opening credit.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("account", "UInt32", "id in dim_account"),
        Column("wallet", "UInt32", "id in dim_wallet"),
        Column("at", TIMESTAMP, "start of the usage paid for, or instant of the credit"),
        Column("kind", "UInt8", "0 payment of usage, 1 opening credit, 2 payment given back"),
        Column("claim", "UInt32", "journal entry"),
        Column("record", "UInt32", "record number within the claim; row of the credit"),
        Column("branch", "UInt8", "which of the record's EDRs, from 0: an access point may be shared; 0 for credits"),
        Column("part", "UInt16", "which of the item's operations, in drawing order from 0"),
        Column("block", "UInt32", "block number within the claim; 0 for credits"),
        Column("source", "UInt16", "id in dim_source; 0 for credits"),
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
        "kind": np.full(count, USAGE_PAYMENT if block.reversals is None else REVERSAL, np.uint8),
        "record": edrs.record[row],
        "branch": edrs.branch[row],
        "part": np.arange(count) - np.searchsorted(row, row, side="left"),
        "amount": wide(negative >> 63, negative.view(np.uint64)),
        "balance_after": wide(rated.split_balance_hi, rated.split_balance_lo),
    }


def operation_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return len(block.rated.split_row)


def credit_columns(credits: Sequence[OpeningCredit], tenant: int) -> dict[str, list[NDArray[Any]]]:
    """Return the columns of opening credits."""
    count = len(credits)
    zeros = np.zeros(count, np.uint8)
    at = np.array([credit.at for credit in credits], np.int64)
    columns: dict[str, NDArray[Any]] = {
        "tenant": np.full(count, tenant, np.uint16),
        "account": np.array([credit.account for credit in credits], np.int64),
        "wallet": np.array([credit.wallet for credit in credits], np.int64),
        "at": at,
        "kind": np.full(count, OPENING_CREDIT, np.uint8),
        "claim": np.array([credit.claim for credit in credits], np.int64),
        "record": np.array([credit.row for credit in credits], np.int64),
        "branch": zeros,
        "part": zeros,
        "block": zeros,
        "source": zeros,
        "amount": wide_integers([credit.amount for credit in credits]),
        "balance_after": wide_integers([credit.balance_after for credit in credits]),
        "day": np.array([ingest_day(credit.at) for credit in credits], np.int64),
    }
    return {name: [values] for name, values in columns.items()}
