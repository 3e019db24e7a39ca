"""Reads of subscriptions."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from billing.access.store.changes import Changes
from billing.access.store.database import Database
from billing.accounts.store import chain_of, find_row, rows_by_id
from billing.subscriptions import store
from billing.subscriptions.models import Action, Subscription
from billing.subscriptions.rules_catalog import Bought, Published, published
from billing.subscriptions.rules_lifecycle import UnableToKeepSubscription

LIST_MAX = 1000


def show_subscription(database: Database, named: str) -> dict[str, Any]:
    """Return all that is known of a subscription by code or id.

    Raises:
        UnableToKeepSubscription: when there is none.
    """
    with database.reading() as connection:
        return _told(connection, named)


def subscription_as_changed(changes: Changes, named: str) -> dict[str, Any]:
    """Return what `show_subscription` does, as of within a transaction.

    Raises:
        UnableToKeepSubscription: when there is none.
    """
    return _told(changes.connection, named)


def expect_within(changes: Changes, bought: Subscription, within: Collection[str]) -> None:
    """Expect that nobody else has what a subscription is to have: its access points, at any time, and its group.

    Args:
        within: ids of accounts; what they and all below them have may be had.

    Raises:
        UnableToKeepSubscription: when somebody has.
    """
    identifiers = {point.id for point in bought.access_points}
    held = store.held_outside(changes.connection, identifiers, bought.group, within)
    if held is not None:
        column = "access_points" if held in identifiers else "group"
        raise UnableToKeepSubscription(column, f"{held} is not for accounts within these limits")


def _told(connection: Any, named: str) -> dict[str, Any]:
    row = store.find_subscription(connection, named)
    if row is None:
        raise UnableToKeepSubscription("", f"there is no subscription {named}")
    account = chain_of(connection, row["account_id"])[0]["code"]
    return {
        **row,
        "account": account,
        "term": None if row["term"] is None else json.loads(row["term"]),
        "access_points": store.points_of(connection, row["id"]),
        "suspensions": store.suspensions_of(connection, row["id"]),
        "planned": store.planned_of(connection, row["id"]),
    }


def list_subscriptions(
    database: Database,
    *,
    account: str | None = None,
    within: Collection[str] | None = None,
    after: str = "",
    limit: int = LIST_MAX,
) -> list[dict[str, Any]]:
    """Return subscriptions by code, behind the code `after`.

    Args:
        account: those of one account. within: ids; those of these accounts and of all below them, None: all there are.

    Raises:
        UnableToKeepSubscription: when there is no such account.
    """
    with database.reading() as connection:
        identifier = None
        if account is not None:
            row = find_row(connection, account)
            if row is None:
                raise UnableToKeepSubscription("account", f"there is no account {account}")
            identifier = row["id"]
        return list(store.subscriptions(connection, account_id=identifier, within=within, after=after, limit=limit))


def access_points(
    database: Database,
    identifier: str,
    *,
    within: Collection[str] | None = None,
    after: str = "",
    limit: int = LIST_MAX,
) -> list[dict[str, Any]]:
    """Return whose an access point is and was, by what usage names, behind the id `after`."""
    with database.reading() as connection:
        return store.points_named(connection, identifier, within=within, after=after, limit=limit)


def compiled(database: Database, *, keep_levels: bool) -> Published:
    """Return the catalog files of all that was sold, as of one moment.

    Raises:
        UnableToPublish: when what the database says is no catalog.
    """
    with database.reading() as connection:
        accounts = rows_by_id(connection)
        points, suspensions = store.all_points(connection), store.all_suspensions(connection)
        planned, agreeing = store.all_planned(connection), store.agreement_reasons(connection)
        bought = []
        for row in store.told_subscriptions(connection):
            identifier = row["id"]
            later = tuple(
                (Action(action), due, json.loads(details).get("reason") in agreeing)
                for action, due, details in planned.get(identifier, ())
            )
            life = store.life_of(row, suspensions.get(identifier, ()))
            began = store.began_at(connection, row) if later and row["successor_of"] is not None else None
            bought.append(Bought(row, life, store.term_of(row), later, tuple(points.get(identifier, ())), began))
    return published(accounts, bought, keep_levels=keep_levels)
