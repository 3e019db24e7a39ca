"""fact_access_transfer: periods in which an access point changed hands, by activation of another catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.arrays import Int32Array, Int64Array
from sinks.clickhouse.table import TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import ingest_day

FACT_ACCESS_TRANSFER = Table(
    "fact_access_transfer",
    "One row per period in which an access point changed hands when another catalog took effect.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("access_point", "UInt32", "id in dim_access_point"),
        Column("from_subscription", "Int32", "id in dim_subscription; -1 when nobody owned it"),
        Column("to_subscription", "Int32", "id in dim_subscription; -1 when nobody owns it any more"),
        Column("start_at", TIMESTAMP, "from when; 1900-01-01 when it always was so"),
        Column("end_at", TIMESTAMP, "until when, exclusive; 2299-12-31 when for ever"),
        Column("at", TIMESTAMP, "when the activation was journaled"),
        Column("claim", "UInt32", "journal entry of the activation"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="tenant, access_point, claim, start_at",
)
START_MIN_US = -2_208_988_800_000_000
"""1900-01-01T00:00:00Z, the earliest instant of a DateTime64: stands for "always"."""
END_MAX_US = 10_413_705_600_000_000
"""2299-12-31T00:00:00Z: stands for "for ever"."""


@dataclass(frozen=True, slots=True)
class AccessTransfers:
    """The k transfers of one activation.

    Attributes:
        claim, tenant, at (microseconds UTC): the activation.
        access_point, from_subscription, to_subscription: (k,) ids, -1 for nobody.
        start_at, end_at: (k,) microseconds UTC, half-open; far out of range when open.
    """

    claim: int
    tenant: str
    at: int
    access_point: Int32Array
    from_subscription: Int32Array
    to_subscription: Int32Array
    start_at: Int64Array
    end_at: Int64Array

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.access_point)


def transfer_table(found: AccessTransfers, tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of one activation's transfers."""
    n = len(found)
    columns: dict[str, NDArray[Any]] = {
        "tenant": np.full(n, tenants[found.tenant], np.uint16),
        "access_point": found.access_point.astype(np.uint32),
        "from_subscription": found.from_subscription,
        "to_subscription": found.to_subscription,
        "start_at": np.clip(found.start_at, START_MIN_US, END_MAX_US),
        "end_at": np.clip(found.end_at, START_MIN_US, END_MAX_US),
        "at": np.full(n, found.at, np.int64),
        "claim": np.full(n, found.claim, np.uint32),
        "day": np.full(n, ingest_day(found.at), np.int32),
    }
    return pa.table([pa.array(columns[field.name]).view(field.type) for field in FACT_ACCESS_TRANSFER.schema],
                    schema=FACT_ACCESS_TRANSFER.schema)  # fmt: skip
