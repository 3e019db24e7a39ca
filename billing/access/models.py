"""What the room speaks of: tenants, configurations, and entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TenantStatus(StrEnum):
    """Whether a tenant's business may be changed."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose installation this is.

    Attributes:
        code: names its database, its data directory and its keys. name: for people.
        created_at: microseconds UTC. frozen_at: what its clock shows, None when it shows the time.
    """

    code: str
    name: str
    status: TenantStatus
    created_at: int
    frozen_at: int | None = None


class Deed(StrEnum):
    """What was done to a row."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: who did what, when, to which row of which table, and what it was before and after.

    Attributes:
        at: microseconds UTC, by the tenant's clock. recorded_at: likewise, by the machine's.
        before, after: the columns that changed; all of a row that was created or removed.
    """

    id: str
    at: int
    recorded_at: int
    by: str
    deed: Deed
    entity: str
    key: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configured:
    """A value of a configuration and which layer it comes from: default, product or tenant."""

    value: Any
    origin: str
