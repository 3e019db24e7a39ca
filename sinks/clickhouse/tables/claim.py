"""fact_claim: one row per finished claim, so that every file has an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from sinks.clickhouse.table import NAME, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

FACT_CLAIM = Table(
    "fact_claim",
    "One row per finished claim.",
    (
        Column("claim", "UInt32", "journal entry"),
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column(
            "kind",
            NAME,
            "file, image, retry_records, retry_edrs, discard, mark, reopen, cancel, rerate, renewal or tick",
        ),
        Column("source", "Int32", "id in dim_source; -1 when it has none"),
        Column("name", "String", "the file's name as its sender called it"),
        Column("sha256", "String", "the file's hash, in hexadecimal"),
        Column("bytes", "UInt64", "the file's size"),
        Column("received_at", TIMESTAMP, "when it was journaled"),
        Column("status", NAME, "done or quarantined"),
        Column("code", NAME, "why it is quarantined"),
        Column("message", "String", "the same for people", "ZSTD(1)"),
        Column("duplicate_of", "UInt32", "the claim that brought the same bytes before; 0 when new"),
        Column("day", "Date", "ingest day: UTC date of received_at"),
    ),
    order_by="claim",
)


@dataclass(frozen=True, slots=True)
class FinishedClaim:
    """The end of one claim.

    Attributes:
        claim, tenant, kind, received_at (microseconds UTC): the journal entry.
        source: source id, -1 when the entry has none.
        name, sha256, size: the file; empty and 0 when the entry has none.
        status: done, or quarantined with a `code` and a `message`.
        duplicate_of: the claim that brought the same bytes before, 0 when new.
    """

    claim: int
    tenant: str
    kind: str
    received_at: int
    source: int = -1
    name: str = ""
    sha256: str = ""
    size: int = 0
    status: Literal["done", "quarantined"] = "done"
    code: str = ""
    message: str = ""
    duplicate_of: int = 0


def claim_table(claims: Sequence[FinishedClaim], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `claims`."""
    rows = [
        {
            "claim": claim.claim,
            "tenant": tenants[claim.tenant],
            "kind": claim.kind,
            "source": claim.source,
            "name": claim.name,
            "sha256": claim.sha256,
            "bytes": claim.size,
            "received_at": instant(claim.received_at),
            "status": claim.status,
            "code": claim.code,
            "message": claim.message,
            "duplicate_of": claim.duplicate_of,
            "day": as_date(ingest_day(claim.received_at)),
        }
        for claim in claims
    ]
    return pa.Table.from_pylist(rows, FACT_CLAIM.schema)
