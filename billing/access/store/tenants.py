"""Rows of this room: the tenant, its configuration, its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from billing.access.models import AuditEntry, Deed, Tenant, TenantStatus
from billing.access.store.changes import Changes
from billing.access.store.columns import to_json
from billing.access.store.database import Database, UnableToOpenDatabase
from billing.access.store.tables import AUDIT, CONFIGURATION, TENANT

AUDIT_MAX = 1000
"""Entries of one answer."""


def insert_tenant(changes: Changes, tenant: Tenant) -> None:
    """Say whose database this is.

    Raises:
        UnableToChange: when it is somebody's already.
    """
    changes.insert(TENANT, [to_row_tenant(tenant)])


def update_tenant(changes: Changes, tenant: Tenant) -> None:
    """Change what is said of the tenant."""
    changes.update(TENANT, [to_row_tenant(tenant)])


def is_taken(connection: Connection) -> bool:
    """Return whether a database is somebody's already."""
    return connection.execute(select(TENANT.c.code)).first() is not None


def select_tenant(connection: Connection, database: Database, *, locked: bool = False) -> Tenant:
    """Return the tenant of a database; `locked` for who is going to change it, so that two changes at once both stay.

    Raises:
        UnableToOpenDatabase: when it is nobody's, or another one's.
    """
    asked = select(TENANT)
    rows = connection.execute(asked.with_for_update() if locked else asked).mappings().all()
    if [row["code"] for row in rows] != [database.tenant]:
        held = rows[0]["code"] if rows else None
        raise UnableToOpenDatabase(f"{database.place} is {'nobody' if held is None else f'tenant {held}'}'s")
    return from_row_tenant(rows[0])


def to_row_tenant(tenant: Tenant) -> dict[str, Any]:
    """Return the row of a tenant."""
    return {
        "code": tenant.code,
        "name": tenant.name,
        "status": tenant.status.value,
        "created_at": tenant.created_at,
        "frozen_at": tenant.frozen_at,
    }


def from_row_tenant(row: Mapping[Any, Any]) -> Tenant:
    """Return the tenant of a row."""
    return Tenant(row["code"], row["name"], TenantStatus(row["status"]), row["created_at"], row["frozen_at"])


def select_configuration(connection: Connection) -> dict[str, Any]:
    """Return what the tenant says over its product, by dotted name."""
    rows = connection.execute(select(CONFIGURATION.c.name, CONFIGURATION.c.value))
    return {name: json.loads(value) for name, value in rows}


def set_configuration(changes: Changes, name: str, value: Any) -> None:
    """Let the tenant say something, in the place of what it said."""
    row = {"name": name, "value": to_json(value)}
    if name in select_configuration(changes.connection):
        changes.update(CONFIGURATION, [row])
    else:
        changes.insert(CONFIGURATION, [row])


def unset_configuration(changes: Changes, name: str) -> None:
    """Let the tenant say nothing of it any more: what its product says holds again.

    Raises:
        UnableToChange: when it said nothing.
    """
    changes.remove(CONFIGURATION, [name])


def select_audit(
    connection: Connection,
    *,
    entity: str | None = None,
    key: str | None = None,
    after: str = "",
    limit: int = AUDIT_MAX,
) -> Iterator[AuditEntry]:
    """Yield entries of the audit log in the order in which they were made, at most `limit`, behind the one named `after`."""
    asked = select(AUDIT).where(AUDIT.c.id > after)
    if entity is not None:
        asked = asked.where(AUDIT.c.entity == entity)
    if key is not None:
        asked = asked.where(AUDIT.c.key == key)
    for row in connection.execute(asked.order_by(AUDIT.c.id).limit(limit)).mappings():
        yield AuditEntry(
            row["id"],
            row["at"],
            row["recorded_at"],
            row["by"],
            Deed(row["deed"]),
            row["entity"],
            row["key"],
            json.loads(row["before"]),
            json.loads(row["after"]),
        )
