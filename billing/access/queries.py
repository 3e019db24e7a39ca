"""Reads of this room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.access.models import AuditEntry, Configured, Tenant
from billing.access.rules import overlaid
from billing.access.store.database import Database
from billing.access.store.tenants import AUDIT_MAX, select_audit, select_configuration, select_tenant


def find_tenant(database: Database) -> Tenant:
    """Return whose database this is.

    Raises:
        UnableToOpenDatabase: when it is nobody's, another one's, or does not answer.
    """
    with database.reading() as connection:
        return select_tenant(connection, database)


def configuration(database: Database, default: Mapping[str, Any], product: Mapping[str, Any]) -> dict[str, Configured]:
    """Return what holds for a tenant, by dotted name, and which layer says so."""
    with database.reading() as connection:
        return overlaid({"default": default, "product": product, "tenant": select_configuration(connection)})


def audit_log(
    database: Database, *, entity: str | None = None, key: str | None = None, after: str = "", limit: int = AUDIT_MAX
) -> list[AuditEntry]:
    """Return entries of the audit log, oldest first, behind the one named `after`."""
    with database.reading() as connection:
        return list(select_audit(connection, entity=entity, key=key, after=after, limit=limit))
