"""fact_wallet_request: who asked for which top-up, adjustment or transfer, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from schemas.wallets import MovementKind
from sinks.clickhouse.table import TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

FACT_WALLET_REQUEST = Table(
    "fact_wallet_request",
    "One row per top-up, adjustment or transfer that was asked for and done.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("request", "String", "the id that its sender gave it", "ZSTD(1)"),
        Column("kind", "UInt8", "as in fact_wallet_operation"),
        Column("account", "UInt32", "id in dim_account"),
        Column("wallet", "UInt32", "id in dim_wallet: what moved, of a transfer what paid"),
        Column("reason", "String", "why, in the words of whoever asked", "ZSTD(1)"),
        Column("expires_at", TIMESTAMP, "when the credit expires; 1970-01-01 for never"),
        Column("claim", "UInt32", "journal entry"),
        Column("record", "UInt32", "row within its movements of this kind"),
        Column("at", TIMESTAMP, "when it was journaled"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="tenant, account, at",
    by_claim=True,
)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """One request of entry `claim`: its movements are those of its kind with the row `row`. Ids and microseconds UTC."""

    claim: int
    row: int
    request: str
    kind: MovementKind
    account: int
    wallet: int
    reason: str
    expires_at: int
    at: int


def request_table(requests: Sequence[StoredRequest], tenants: Mapping[str, int], tenant: str) -> pa.Table:
    """Return the rows of requests."""
    rows = [
        {
            "tenant": tenants[tenant],
            "request": asked.request,
            "kind": int(asked.kind),
            "account": asked.account,
            "wallet": asked.wallet,
            "reason": asked.reason,
            "expires_at": instant(asked.expires_at),
            "claim": asked.claim,
            "record": asked.row,
            "at": instant(asked.at),
            "day": as_date(ingest_day(asked.at)),
        }
        for asked in requests
    ]
    return pa.Table.from_pylist(rows, FACT_WALLET_REQUEST.schema)
