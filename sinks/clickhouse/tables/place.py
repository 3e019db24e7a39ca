"""The columns that say where in the log a row comes from: the same for every row of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.output import BlockHeader

MICROSECONDS_PER_DAY = 86_400_000_000


def ingest_day(received_at: int) -> int:
    """Return the UTC day, counted from 1970-01-01, of an instant in microseconds."""
    return received_at // MICROSECONDS_PER_DAY


def as_date(day: int) -> date:
    """Return the calendar date of a day counted from 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=day)


def instant(microseconds: int) -> datetime:
    """Return an instant in microseconds UTC as a datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


@dataclass(frozen=True, slots=True)
class Places:
    """Tenant, source, claim, block and ingest day of one block's rows."""

    tenant: int
    source: int
    claim: int
    block: int
    day: int

    @classmethod
    def of(cls, header: BlockHeader, tenants: Mapping[str, int]) -> Places:
        """Return the place of a block's rows."""
        return cls(tenants[header.tenant], header.source, header.claim, header.block, ingest_day(header.received_at))

    def columns(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return the five columns for `rows` rows, in the types of the tables."""
        return {
            "tenant": np.full(rows, self.tenant, np.uint16),
            "source": np.full(rows, self.source, np.uint16),
            "claim": np.full(rows, self.claim, np.uint32),
            "block": np.full(rows, self.block, np.uint32),
            "day": np.full(rows, self.day, np.uint16),
        }
