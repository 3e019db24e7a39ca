"""What is decided without a database: which codes tenants may have, which time it is, and whose configuration holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from billing.access.models import Configured, Tenant, TenantStatus

CODE_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,54}")
"""Of tenants: with `tenant_` before it, it names a schema of PostgreSQL, which keeps 63 bytes of a name and drops the rest."""
LAYERS = ("default", "product", "tenant")
BY_MAX = 255


class UnableToManageTenant(Exception):
    """A tenant cannot be what it is asked to be."""


class TenantIsSuspended(Exception):
    """A suspended tenant's business stays as it is until it is resumed."""


def check_code(code: str) -> str:
    """Return the code of a tenant.

    Raises:
        UnableToManageTenant: when it is none.
    """
    if CODE_PATTERN.fullmatch(code) is None:
        raise UnableToManageTenant(
            f'"{code}" cannot name a tenant: small letters, digits, _ and -, at most 55, the first a letter or digit'
        )
    return code


def check_changeable(tenant: Tenant) -> None:
    """Check that a tenant's business may be changed.

    Raises:
        TenantIsSuspended: when it may not.
    """
    if tenant.status is TenantStatus.SUSPENDED:
        raise TenantIsSuspended(f"tenant {tenant.code} is suspended: `octroi tenant resume {tenant.code}` ends that")


def now_of(tenant: Tenant, now: int) -> int:
    """Return which time it is for a tenant: what its clock shows, or the time."""
    return now if tenant.frozen_at is None else tenant.frozen_at


def overlaid(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, Configured]:
    """Return what holds, by dotted name, of layers by name: a later one of LAYERS says it over an earlier one.

    Mappings are laid over each other field by field; anything else, lists included, replaces what was there. A null takes
    away what an earlier layer said. A layer that says a plain value where another has a mapping replaces all of it.
    """
    found: dict[str, Configured] = {}
    for origin in LAYERS:
        for name, value in _flat(layers.get(origin, {}), ""):
            gone = [
                held for held in found if held == name or held.startswith(f"{name}.") or name.startswith(f"{held}.")
            ]
            for held in gone:
                del found[held]
            if value is not None:
                found[name] = Configured(value, origin)
    return dict(sorted(found.items()))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def nested(found: Mapping[str, Configured]) -> dict[str, Any]:
    """Return what holds as mappings within mappings."""
    tree: dict[str, Any] = {}
    for name, configured in found.items():
        *folders, last = name.split(".")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = configured.value
    return tree
