"""kept_usage, kept_slice: sums of facts, kept so that a month need not be added up again. They can be made anew at any time."""

from __future__ import annotations

from sinks.clickhouse.table import BALANCE, Column, Table

KEPT_USAGE = Table(
    "kept_usage",
    "One row per account, charge version and cell of time: what the rated items of a run of journal entries come to.",
    (
        Column("slice", "UInt32", "which run of entries: number in kept_slice"),
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("account", "UInt32", "id in dim_account"),
        Column("charge_version", "UInt32", "id in dim_charge_version"),
        Column(
            "cell_at", "Date", "first day of the cell (UTC): the first or last day of a month, or all days between them"
        ),
        Column("cell_end", "Date", "the day after its last"),
        Column("rows", "UInt64", "rows of fact_usage"),
        Column("items", "Int64", "rated items less those that were taken back"),
        Column("quantity", "Decimal(38, 0)", "sum, in base steps"),
        Column("amount", BALANCE, "sum"),
    ),
    order_by="tenant, account, charge_version, cell_at",
    partition_by="slice",
)

KEPT_SLICE = Table(
    "kept_slice",
    "One row per slice of kept_usage that is whole. Where one lies within another, the later one counts.",
    (
        Column("slice", "UInt32", "its number"),
        Column("since", "UInt32", "first journal entry whose rated items it sums"),
        Column("until", "UInt32", "first entry after the last"),
        Column("cells", "UInt64", "rows of kept_usage"),
        Column("rows", "UInt64", "rows of fact_usage"),
    ),
    order_by="slice",
    partitioned=False,
)
