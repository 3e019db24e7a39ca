"""fact_usage: one wide row per rated item, with its EDR and, when one wallet paid all, its wallet operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.output import OutputBlock
from sinks.clickhouse.native import wide
from sinks.clickhouse.table import AMOUNT, BALANCE, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import Places

FACT_USAGE = Table(
    "fact_usage",
    "One row per rated item: its EDR, the item, and its wallet operation when one wallet paid all of it.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("account", "UInt32", "id in dim_account"),
        Column("charge_version", "UInt32", "id in dim_charge_version"),
        Column("event_at", TIMESTAMP, "start of the usage"),
        Column("claim", "UInt32", "journal entry that brought the record"),
        Column("record", "UInt32", "record number within the claim"),
        Column("branch", "UInt8", "which of the record's EDRs, from 0: an access point may be shared"),
        Column("item", "UInt8", "which of the EDR's rated items, from 0"),
        Column("block", "UInt32", "block number within the claim"),
        Column("source", "UInt16", "id in dim_source"),
        Column("event_type", "UInt16", "id in dim_event_type"),
        Column("access_point", "UInt32", "id in dim_access_point"),
        Column("subscription", "UInt32", "id in dim_subscription"),
        Column("image", "UInt16", "id in dim_image: the tariff image that rated it"),
        Column("span_s", "UInt32", "seconds from event_at to the end of the metered period"),
        Column(
            "quantity", "Int64", "in base steps of the unit: what the item prices of what was measured, or triggered"
        ),
        Column("rest", "Int64", "what it does not price of the quantity of its usage, in base steps"),
        Column(
            "triggered_by", "UInt8", "1 + the item of the same EDR that triggered the usage; 0: it is the EDR's own"
        ),
        Column("trigger", "UInt8", "which of the triggers of that item's charge, from 0"),
        Column("rated_quantity", "Int64", "after increments, in base steps"),
        Column("counter_before", "Int64", "the counter before this item, in base steps; 0 without counter"),
        Column("tier", "UInt8", "last tier that priced a part of it, from 0"),
        Column("band", "UInt8", "time band, from 0"),
        Column("amount", AMOUNT, "price, in the account's currency"),
        Column("wallet", "Int32", "id in dim_wallet; -1 several (fact_wallet_operation), -2 none"),
        Column("balance_after", BALANCE, "that wallet's balance afterwards"),
        Column("day", "Date", "ingest day: UTC date at which the claim was journaled"),
    ),
    order_by="tenant, account, charge_version, event_at",
    by_claim=True,
)


def usage_columns(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> dict[str, list[NDArray[Any]]]:
    """Return the columns of the rated items of `blocks`; arrays are passed on as they are when all EDRs are rated."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in FACT_USAGE.names}
    for block in blocks:
        for name, values in _block_columns(block, tenants).items():
            columns[name].append(values)
    return columns


def _block_columns(block: OutputBlock, tenants: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    header, edrs, rated = block.header, block.edrs, block.rated
    item, rest = item_columns(block)
    triggered_by, trigger = _trigger_columns(block)
    columns: dict[str, NDArray[Any]] = {
        "account": block.account,
        "charge_version": rated.charge_version,
        "event_at": edrs.event_at,
        "record": edrs.record,
        "branch": edrs.branch,
        "item": item,
        "event_type": edrs.event_type,
        "access_point": edrs.access_point,
        "subscription": edrs.subscription,
        "span_s": edrs.span_s,
        "quantity": edrs.quantity,
        "rest": rest,
        "triggered_by": triggered_by,
        "trigger": trigger,
        "rated_quantity": rated.rated_quantity,
        "counter_before": rated.counter_before,
        "tier": rated.tier,
        "band": rated.band,
        "amount": rated.amount,
        "wallet": rated.wallet,
        "balance_after": wide(rated.balance_hi, rated.balance_lo),
    }
    if block.sources is not None:
        columns["source"] = block.sources
    if header.unrated or header.cancelled:
        kept = np.flatnonzero(rated.reason == 0)
        columns = {name: values[kept] for name, values in columns.items()}
    columns = Places.of(header, tenants).columns(len(columns["record"])) | columns
    columns["image"] = np.full(len(columns["record"]), header.image, np.int64)
    return columns


def item_columns(block: OutputBlock) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (item, rest), (n,) each: which of its EDR's items each row is, and what of the EDR's quantity it leaves."""
    n = len(block.edrs)
    item = np.zeros(n, np.uint8) if block.rated.items is None else block.rated.items.number
    return item, np.zeros(n, np.int64) if block.rest is None else block.rest


def _trigger_columns(block: OutputBlock) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (triggered_by, trigger), (n,) each: which of its EDR's items triggered what each row prices, and how."""
    items = block.rated.items
    if items is None or items.triggered is None:
        nothing = np.zeros(len(block.edrs), np.uint8)
        return nothing, nothing
    return items.triggered.by, items.triggered.trigger


def usage_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return len(block.rated.reason) - int(np.count_nonzero(block.rated.reason))
