"""What happened to a tenant, in the past tense, as the audit log's readers are told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantAdded:
    """A tenant exists from now on. `place` is where its database is."""

    code: str
    place: str


@dataclass(frozen=True, slots=True)
class TenantDeleted:
    """Nothing of a tenant is left in the relational store."""

    code: str
