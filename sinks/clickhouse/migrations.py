"""The layout of the store, as numbered steps. A step that was released is never changed; a change is another step."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.clickhouse.table import Column, Table
from sinks.clickhouse.tables.access_transfer import FACT_ACCESS_TRANSFER
from sinks.clickhouse.tables.assembled_part import FACT_ASSEMBLED_PART
from sinks.clickhouse.tables.billed import FACT_BILLED
from sinks.clickhouse.tables.block import FACT_BLOCK
from sinks.clickhouse.tables.claim import FACT_CLAIM
from sinks.clickhouse.tables.claim_event import FACT_CLAIM_EVENT
from sinks.clickhouse.tables.dimensions import DIMENSIONS, dictionary_ddl
from sinks.clickhouse.tables.invoice import INVOICE_FACTS
from sinks.clickhouse.tables.kept import KEPT_SLICE, KEPT_USAGE
from sinks.clickhouse.tables.notification import FACT_NOTIFICATION
from sinks.clickhouse.tables.rejection import FACT_REJECTION
from sinks.clickhouse.tables.rejection_event import FACT_REJECTION_EVENT
from sinks.clickhouse.tables.reversal import FACT_REVERSAL
from sinks.clickhouse.tables.sequence_run import FACT_SEQUENCE_RUN
from sinks.clickhouse.tables.usage import FACT_USAGE
from sinks.clickhouse.tables.wallet_operation import FACT_WALLET_OPERATION
from sinks.clickhouse.tables.wallet_request import FACT_WALLET_REQUEST

SCHEMA_MIGRATION = Table(
    "schema_migration",
    "One row per step of the layout that was applied.",
    (Column("version", "UInt32", "the step's number"), Column("name", "String", "what it did")),
    order_by="version",
    partitioned=False,
)

BRANCHED: tuple[Table, ...] = (FACT_USAGE, FACT_WALLET_OPERATION, FACT_REJECTION, FACT_REJECTION_EVENT)
"""The tables whose rows are of one of the EDRs of a record."""

FACTS: tuple[Table, ...] = (
    FACT_USAGE,
    FACT_WALLET_OPERATION,
    FACT_REJECTION,
    FACT_BLOCK,
    FACT_REJECTION_EVENT,
    FACT_CLAIM,
    FACT_ACCESS_TRANSFER,
    FACT_REVERSAL,
    FACT_CLAIM_EVENT,
    FACT_BILLED,
    FACT_ASSEMBLED_PART,
    FACT_SEQUENCE_RUN,
    FACT_NOTIFICATION,
    FACT_WALLET_REQUEST,
    *INVOICE_FACTS,
)


KEPT: tuple[Table, ...] = (KEPT_USAGE, KEPT_SLICE)
"""Sums of facts: nothing is lost with them."""

_ADD = "ADD COLUMN IF NOT EXISTS"

NO_DISTINCT_COUNTS = "auto_statistics_types = 'basic'"
"""A merge would count the different values of every column, a fifth of what it costs; lowest and highest say enough."""


def added(table: Table, name: str, after: str) -> str:
    """Return the statement that adds a column of `table` to one made before it had it; rows have 0 there."""
    (column,) = (column for column in table.columns if column.name == name)
    return f"ALTER TABLE {table.qualified} {_ADD} {column.ddl} AFTER `{after}`"


def adds_column(statement: str) -> bool:
    """Return whether a statement is one of `added`."""
    return statement.startswith("ALTER TABLE ") and f" {_ADD} " in statement


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: statements that may be run again, because a crash can interrupt them before the step is recorded."""

    version: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "facts, dimensions and their dictionaries",
        (
            *(table.ddl for table in (*FACTS, *DIMENSIONS.values())),
            *(dictionary_ddl(table) for table in DIMENSIONS.values()),
        ),
    ),
    Migration(2, "branches: several EDRs of one record", tuple(added(table, "branch", "record") for table in BRANCHED)),
    Migration(
        3,
        "reversals, withdrawn claims, billed items",
        (
            *(table.ddl for table in (FACT_REVERSAL, FACT_CLAIM_EVENT, FACT_BILLED)),
            added(FACT_BLOCK, "reversal_rows", "rejection_rows"),
        ),
    ),
    Migration(4, "transfers of access points", (FACT_ACCESS_TRANSFER.ddl,)),
    Migration(5, "parts of sessions", (FACT_ASSEMBLED_PART.ddl, added(FACT_BLOCK, "part_rows", "amounts"))),
    Migration(6, "runs of numbers", (FACT_SEQUENCE_RUN.ddl, added(FACT_BLOCK, "run_rows", "part_rows"))),
    Migration(7, "late parts", (added(FACT_ASSEMBLED_PART, "late", "part_record"),)),
    Migration(8, "what takes the place of reversed items", (added(FACT_REVERSAL, "replaced_by", "counter"),)),
    Migration(9, "notifications", (FACT_NOTIFICATION.ddl, added(FACT_BLOCK, "notification_rows", "run_rows"))),
    Migration(10, "requests of wallets", (FACT_WALLET_REQUEST.ddl,)),
    Migration(
        11,
        "several rated items of one EDR",
        (
            *(added(table, "item", "branch") for table in (FACT_USAGE, FACT_WALLET_OPERATION)),
            added(FACT_USAGE, "rest", "quantity"),
            added(FACT_REVERSAL, "reversed_item", "reversed_branch"),
        ),
    ),
    Migration(12, "billed items of one EDR", (added(FACT_BILLED, "item", "branch"),)),
    Migration(
        13,
        "usage that other usage triggered",
        (added(FACT_USAGE, "triggered_by", "rest"), added(FACT_USAGE, "trigger", "triggered_by")),
    ),
    Migration(14, "sums that are kept", tuple(table.ddl for table in KEPT)),
    Migration(
        15,
        "cheaper merges, and parts that know when their usage was",
        (
            f"ALTER TABLE {FACT_USAGE.qualified} MODIFY SETTING {NO_DISTINCT_COUNTS}",
            f"ALTER TABLE {FACT_USAGE.qualified} ADD INDEX IF NOT EXISTS events event_at TYPE minmax GRANULARITY 1000000",
        ),
    ),
    Migration(
        16,
        "invoices, and on which of their lines billed items are",
        (*(table.ddl for table in INVOICE_FACTS), added(FACT_BILLED, "line", "invoice")),
    ),
)
"""All steps, in order."""
