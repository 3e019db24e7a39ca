"""Writes of this room: who is tenant, which time it is for them, what they configure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from billing.access.models import Tenant, TenantStatus
from billing.access.rules import UnableToManageTenant, check_code
from billing.access.store.changes import Changes
from billing.access.store.database import Database
from billing.access.store.tenants import (
    insert_tenant,
    select_configuration,
    select_tenant,
    set_configuration,
    unset_configuration,
    update_tenant,
)

NAME_MAX = 255


def add_tenant(changes: Changes, code: str, name: str) -> Tenant:
    """Make a database a tenant's.

    Raises:
        UnableToManageTenant: when code or name cannot be.
        UnableToChange: when it is somebody's already.
    """
    if not 0 < len(name.strip()) <= NAME_MAX:
        raise UnableToManageTenant(f"a tenant has a name of at most {NAME_MAX} characters")
    tenant = Tenant(check_code(code), name.strip(), TenantStatus.ACTIVE, changes.at)
    insert_tenant(changes, tenant)
    return tenant


def set_status(changes: Changes, database: Database, status: TenantStatus) -> Tenant:
    """Suspend a tenant, or resume it.

    Raises:
        UnableToManageTenant: when it is so already.
    """
    tenant = select_tenant(changes.connection, database, locked=True)
    if tenant.status is status:
        raise UnableToManageTenant(f"tenant {tenant.code} is {status.lower()} already")
    tenant = replace(tenant, status=status)
    update_tenant(changes, tenant)
    return tenant


def set_clock(changes: Changes, database: Database, frozen_at: int | None) -> Tenant:
    """Let a tenant's clock stand still at an instant (microseconds UTC), or show the time again.

    Raises:
        UnableToManageTenant: when it would go back: what has happened by it would lie ahead.
    """
    tenant = select_tenant(changes.connection, database, locked=True)
    if frozen_at is not None and tenant.frozen_at is not None and frozen_at < tenant.frozen_at:
        raise UnableToManageTenant(f"the clock of tenant {tenant.code} only goes forward")
    tenant = replace(tenant, frozen_at=frozen_at)
    update_tenant(changes, tenant)
    return tenant


def configure(changes: Changes, values: Mapping[str, Any]) -> None:
    """Let the tenant say values by dotted name over its product; None says nothing any more.

    Raises:
        UnableToManageTenant: when a name is part of another one: it would be a value and a group of values.
    """
    names = set(select_configuration(changes.connection))
    for name, value in values.items():
        if value is None:
            unset_configuration(changes, name)
            names.discard(name)
            continue
        if clash := [held for held in names if held.startswith(f"{name}.") or name.startswith(f"{held}.")]:
            raise UnableToManageTenant(f"{name} cannot be set beside {clash[0]}")
        set_configuration(changes, name, value)
        names.add(name)
