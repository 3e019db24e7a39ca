"""Rows of API keys and roles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from billing.access.api_keys import ApiKey
from billing.access.permissions import Role
from billing.access.store.changes import Changes
from billing.access.store.columns import to_json
from billing.access.store.tables import API_KEY, API_KEY_USE, ROLE


def insert_key(changes: Changes, key: ApiKey) -> None:
    """Keep a new key.

    Raises:
        UnableToChange: when there is one of this name.
    """
    changes.insert(API_KEY, [to_row_key(key)])


def set_revoked(changes: Changes, key: ApiKey, at: int) -> None:
    """Keep that a key is none any more."""
    changes.update(API_KEY, [{"id": key.id, "revision": key.revision, "revoked_at": at}])


def to_row_key(key: ApiKey) -> dict[str, Any]:
    """Return the row of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "secret_sha256": key.secret_sha256,
        "roles": to_json(list(key.roles)),
        "accounts": None if key.accounts is None else to_json(list(key.accounts)),
        "sources": None if key.sources is None else to_json(list(key.sources)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "revision": key.revision,
    }


def from_row_key(row: Mapping[Any, Any]) -> ApiKey:
    """Return the key of a row."""

    def listed(name: str) -> tuple[str, ...] | None:
        return None if row[name] is None else tuple(json.loads(row[name]))

    return ApiKey(
        row["id"],
        row["name"],
        row["secret_sha256"],
        listed("roles") or (),
        listed("accounts"),
        listed("sources"),
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
        row["revision"],
        row["used_at"],
    )


_WITH_USE = select(API_KEY, API_KEY_USE.c.used_at).outerjoin(API_KEY_USE, API_KEY_USE.c.key_id == API_KEY.c.id)


def select_key(connection: Connection, identifier: str) -> ApiKey | None:
    """Return a key by its id, None when there is none."""
    row = connection.execute(_WITH_USE.where(API_KEY.c.id == identifier)).mappings().first()
    return None if row is None else from_row_key(row)


def find_key(connection: Connection, named: str) -> ApiKey | None:
    """Return a key by its name or its id, None when there is none."""
    row = connection.execute(_WITH_USE.where(API_KEY.c.name == named)).mappings().first()
    return select_key(connection, named) if row is None else from_row_key(row)


def keys(connection: Connection, *, after: str = "", limit: int) -> list[ApiKey]:
    """Return keys, oldest first, behind the id `after`."""
    asked = _WITH_USE.where(API_KEY.c.id > after).order_by(API_KEY.c.id).limit(limit)
    return [from_row_key(row) for row in connection.execute(asked).mappings()]


def is_any(connection: Connection) -> bool:
    """Return whether there is a key that was not revoked."""
    found = connection.execute(select(func.count()).select_from(API_KEY).where(API_KEY.c.revoked_at.is_(None)))
    return bool(found.scalar_one())


def roles(connection: Connection) -> dict[str, Role]:
    """Return the tenant's own roles by code."""
    rows = connection.execute(select(ROLE).order_by(ROLE.c.code)).mappings()
    return {row["code"]: Role(row["code"], row["description"], tuple(json.loads(row["grants"]))) for row in rows}


def set_role(changes: Changes, role: Role) -> None:
    """Keep a role, in the place of the one of its code."""
    row = {"code": role.code, "description": role.description, "grants": to_json(list(role.grants))}
    if role.code in roles(changes.connection):
        changes.update(ROLE, [row])
    else:
        changes.insert(ROLE, [row | {"revision": 1}])


def remove_role(changes: Changes, code: str) -> None:
    """Remove a role.

    Raises:
        UnableToChange: when there is no such role.
    """
    changes.remove(ROLE, [code])


def note_use(connection: Connection, identifier: str, at: int) -> None:
    """Keep when a key was used last."""
    done = connection.execute(API_KEY_USE.update().where(API_KEY_USE.c.key_id == identifier).values(used_at=at))
    if not done.rowcount:
        connection.execute(API_KEY_USE.insert(), [{"key_id": identifier, "used_at": at}])
