"""Reads of accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from billing.access.store.changes import Changes
from billing.access.store.database import Database
from billing.accounts import store
from billing.accounts.importing import account_row
from billing.accounts.models import Account, Kind
from billing.accounts.rules import UnableToKeepAccount, inherited, role_of

LIST_MAX = 1000


def show_account(database: Database, named: str) -> dict[str, Any]:
    """Return all that is known of an account by code, id or external id, with what it inherits and from whom.

    Raises:
        UnableToKeepAccount: when there is none.
    """
    with database.reading() as connection:
        told = _told(connection, named)
        return told | store.attachments_of(connection, told["id"])


def account_as_changed(changes: Changes, named: str) -> dict[str, Any]:
    """Return what `show_account` does, without what is attached, as of within a transaction.

    Raises:
        UnableToKeepAccount: when there is none.
    """
    return _told(changes.connection, named)


def _told(connection: Any, named: str) -> dict[str, Any]:
    row = store.find_row(connection, named)
    if row is None:
        raise UnableToKeepAccount("", f"there is no account {named}")
    chain = store.chain_of(connection, row["id"])
    found = store.from_row_account(row, chain[1]["code"] if len(chain) > 1 else None)
    parent_kind = Kind(chain[1]["kind"]) if len(chain) > 1 else None
    return {
        "id": row["id"],
        **found.model_dump(mode="json"),
        "role": role_of(found.kind, parent_kind),
        "above": [one["code"] for one in chain[1:]],
        "holds": {name: {"value": value, "of": code} for name, (value, code) in inherited(chain).items()},
        "created_at": row["created_at"],
        "revision": row["revision"],
    }


def attached_to(changes: Changes, account_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return all that is attached to an account by its id, by table, as of within a transaction."""
    return store.attachments_of(changes.connection, account_id)


def find_account(database: Database, named: str) -> Account | None:
    """Return an account by code, id or external id, None when there is none."""
    with database.reading() as connection:
        row = store.find_row(connection, named)
        if row is None:
            return None
        parent = store.chain_of(connection, row["parent_id"])
        return store.from_row_account(row, parent[0]["code"] if parent else None)


def chain_of_ids(database: Database, named: str) -> tuple[str, ...]:
    """Return the ids of an account, by code, id or external id, and of those above it, nearest first.

    Raises:
        UnableToKeepAccount: when there is none.
    """
    with database.reading() as connection:
        row = store.find_row(connection, named)
        if row is None:
            raise UnableToKeepAccount("", f"there is no account {named}")
        return tuple(one["id"] for one in store.chain_of(connection, row["id"]))


def list_accounts(
    database: Database,
    *,
    kind: Kind | None = None,
    below: str | None = None,
    within: Collection[str] | None = None,
    after: str = "",
    limit: int = LIST_MAX,
) -> list[dict[str, Any]]:
    """Return accounts by code, behind the code `after`.

    Args:
        below: those directly below an account. within: ids; those accounts and all below them, None: all there are.

    Raises:
        UnableToKeepAccount: when there is no account `below`.
    """
    with database.reading() as connection:
        parent_id = None
        if below is not None:
            row = store.find_row(connection, below)
            if row is None:
                raise UnableToKeepAccount("", f"there is no account {below}")
            parent_id = row["id"]
        return list(store.accounts(connection, kind=kind, parent_id=parent_id, within=within, after=after, limit=limit))


def exported(database: Database) -> Iterator[dict[str, Any]]:
    """Yield all accounts as rows of a file, those above before those below."""
    with database.reading() as connection:
        for kind in Kind:  # by level, then by depth
            rows = list(store.accounts(connection, kind=kind))
            codes = {row["code"] for row in rows}
            told: set[str] = set()
            while rows:
                ready = [row for row in rows if row["parent"] not in codes or row["parent"] in told]
                told |= {row["code"] for row in ready}
                yield from (account_row(row) for row in ready)
                rows = [row for row in rows if row["code"] not in told]


def fields_of(database: Database) -> dict[str, Any]:
    """Return the JSON Schemas of custom fields by kind of account."""
    with database.reading() as connection:
        return store.schemas_of(connection)
