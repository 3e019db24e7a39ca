"""Writes and reads of API keys and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from billing.access.api_keys import ID_PREFIX, ApiKey, check_name, hashed, is_genuine, read_token, token_of
from billing.access.permissions import ROLES, Policies, Role, UnableToGrant, check_role, check_roles
from billing.access.store import keys as store
from billing.access.store.changes import Changes
from billing.access.store.database import Database

LIST_MAX = 1000
SOURCES_MAX = 1000


def add_key(
    changes: Changes,
    name: str,
    *,
    roles: Sequence[str],
    secret: bytes,
    accounts: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    expires_at: int | None = None,
) -> tuple[ApiKey, str]:
    """Keep a new key; return it, and what its holder sends, which is not kept.

    Args:
        roles: codes. secret: `api_keys.SECRET_BYTES` of chance. accounts: ids of accounts that it is limited to; they are those
            of the room above, which has found them. sources: codes of sources. expires_at: microseconds UTC.

    Raises:
        UnableToGrant: when there is such a key, a role is unknown, or it would have expired already.
    """
    check_name(name)
    check_roles(roles, {**ROLES, **store.roles(changes.connection)})
    if expires_at is not None and expires_at <= changes.recorded_at:
        raise UnableToGrant("the key would have expired already")
    if store.find_key(changes.connection, name) is not None:
        raise UnableToGrant(f"there is a key {name} already, or there was")
    if len(accounts or ()) + len(sources or ()) > SOURCES_MAX:
        raise UnableToGrant(f"a key is limited to at most {SOURCES_MAX} accounts and sources")
    key = ApiKey(
        changes.ids.new(ID_PREFIX),
        name,
        hashed(secret),
        tuple(dict.fromkeys(roles)),
        None if accounts is None else tuple(dict.fromkeys(accounts)),
        None if sources is None else tuple(dict.fromkeys(sources)),
        changes.recorded_at,  # keys are of the machine's clock, as what they open
        expires_at,
        None,
    )
    store.insert_key(changes, key)
    return key, token_of(key.id, secret)


def revoke_key(changes: Changes, named: str) -> ApiKey:
    """Let a key be none any more, by name or id.

    Raises:
        UnableToGrant: when there is none, or it was revoked before.
    """
    key = store.find_key(changes.connection, named)
    if key is None:
        raise UnableToGrant(f"there is no key {named}")
    if key.revoked_at is not None:
        raise UnableToGrant(f"the key {key.name} is revoked already")
    store.set_revoked(changes, key, changes.recorded_at)
    return key


def define_role(changes: Changes, role: Role) -> None:
    """Keep a tenant's own role, in the place of the one of its code.

    Raises:
        UnableToGrant: when it cannot be.
    """
    check_role(role)
    store.set_role(changes, role)


def remove_role(changes: Changes, code: str) -> None:
    """Remove a tenant's own role. Keys that have it may do no more by it.

    Raises:
        UnableToGrant: when there is none.
    """
    if code not in store.roles(changes.connection):
        raise UnableToGrant(f"there is no role {code} of your own")
    store.remove_role(changes, code)


def list_keys(database: Database, *, after: str = "", limit: int = LIST_MAX) -> list[ApiKey]:
    """Return keys, oldest first, behind the id `after`."""
    with database.reading() as connection:
        return store.keys(connection, after=after, limit=limit)


def find_key(database: Database, named: str) -> ApiKey:
    """Return a key by name or id.

    Raises:
        UnableToGrant: when there is none.
    """
    with database.reading() as connection:
        key = store.find_key(connection, named)
    if key is None:
        raise UnableToGrant(f"there is no key {named}")
    return key


def has_keys(database: Database) -> bool:
    """Return whether there is a key that was not revoked."""
    with database.reading() as connection:
        return store.is_any(connection)


def known_roles(database: Database) -> Mapping[str, Role]:
    """Return all roles: those that every tenant has, and its own."""
    with database.reading() as connection:
        return {**ROLES, **store.roles(connection)}


def recognised(database: Database, token: str, now: int) -> tuple[ApiKey, Policies] | None:
    """Return the key that a token opens with, and the policies of now; None when it is nobody's, expired or revoked."""
    read = read_token(token)
    if read is None:
        return None
    with database.reading() as connection:
        key = store.select_key(connection, read[0])
        if not is_genuine(key, read[1]) or key is None or key.status(now) != "ACTIVE":
            return None
        return key, Policies({**ROLES, **store.roles(connection)})


def note_use(database: Database, key: ApiKey, now: int) -> None:
    """Keep when a key was used last."""
    with database.writing() as connection:
        store.note_use(connection, key.id, now)
