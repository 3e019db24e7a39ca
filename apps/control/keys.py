"""API keys of a tenant: made with chance, looked for where there may be no database yet."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from apps.control.places import making, opened
from apps.settings import Settings
from billing.access import keys
from billing.access.api_keys import SECRET_BYTES, ApiKey
from billing.access.store.database import UnknownTenant
from billing.accounts.queries import chain_of_ids


def has_keys(settings: Settings) -> bool:
    """Return whether the tenant of the settings has a key that was not revoked; False where it has no database.

    Raises:
        UnableToOpenDatabase: when its database does not answer, or is of another version.
    """
    try:
        with opened(settings) as database:
            return keys.has_keys(database)
    except UnknownTenant:
        return False


def new_key(
    settings: Settings,
    tenant: str | None,
    by: str | None,
    name: str,
    *,
    roles: Sequence[str],
    accounts: Sequence[str],
    sources: Sequence[str],
    expires_at: int | None,
) -> tuple[ApiKey, str]:
    """Make a key, also of a suspended tenant; return it, and what its holder sends, which cannot be shown again.

    Args:
        accounts: by code, id or external id; none, and no `sources`: it is limited to nothing.

    Raises:
        UnableToGrant, UnableToKeepAccount: when it cannot be.
    """
    with opened(settings, tenant) as database:
        limited = [chain_of_ids(database, account)[0] for account in accounts]
        with making(database, by) as changes:
            return keys.add_key(
                changes,
                name,
                roles=roles,
                secret=secrets.token_bytes(SECRET_BYTES),
                accounts=limited or None,
                sources=list(sources) or None,
                expires_at=expires_at,
            )
