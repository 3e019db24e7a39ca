"""Writes of subscriptions: kept, activated, suspended, ended, renewed, moved to another offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing.access.sheets import Fault
from billing.access.store.changes import ChangedMeanwhile, Changes
from billing.accounts.models import Kind, Status
from billing.accounts.store import by_code
from billing.subscriptions import store
from billing.subscriptions.events import SubscriptionAdded, SubscriptionChanged
from billing.subscriptions.importing import Ordered
from billing.subscriptions.models import Action, Subscription, SubscriptionStatus, TerminationReason
from billing.subscriptions.rules_lifecycle import (
    Life,
    UnableToKeepSubscription,
    activated,
    check_points,
    next_status,
    notice_due,
    term_due,
    terminated,
    transformed,
)
from schemas.price_plan import utc_microseconds

_PAYS = (Kind.BILLING_ACCOUNT, Kind.USER_ACCOUNT)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of many subscriptions: those that are kept, and why others are not."""

    events: list[SubscriptionAdded]
    faults: list[Fault]


def add_subscriptions(changes: Changes, ordered: Sequence[Ordered], *, activate: bool) -> Kept:
    """Keep new subscriptions with their access points, in force from their start on when they are activated at once.

    Without a `start`, one that is activated begins now. Those that cannot be kept are left out, each with the reason.
    """
    connection = changes.connection
    accounts = by_code(connection, (one.subscription.account for one in ordered))
    taken = store.taken_codes(connection, (one.subscription.code for one in ordered))
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    events, faults = [], []
    for one in ordered:
        bought = one.subscription
        try:
            if bought.code in taken:
                raise UnableToKeepSubscription("code", f"there is a subscription {bought.code} already")
            account_id = _account(bought, accounts)
            row, own = _rows(changes, bought, account_id, activate=activate)
        except UnableToKeepSubscription as error:
            faults.append(Fault(one.row, error.column, error.message))
            continue
        taken.add(bought.code)
        rows.append(row)
        points += own
        events.append(SubscriptionAdded(row["id"], bought.code, row["status"]))
    store.insert_subscriptions(changes, rows, points)
    return Kept(events, faults)


def _account(bought: Subscription, accounts: Mapping[str, tuple[str, Kind, Status]]) -> str:
    if bought.account not in accounts:
        raise UnableToKeepSubscription("account", f"there is no account {bought.account}")
    identifier, kind, status = accounts[bought.account]
    if kind not in _PAYS:
        raise UnableToKeepSubscription(
            "account", f"a {kind.value} buys nothing: name a billing account or a user account"
        )
    if status is not Status.ACTIVE:
        raise UnableToKeepSubscription("account", f"{bought.account} is {status.value}")
    return identifier


def _rows(
    changes: Changes, bought: Subscription, account_id: str, *, activate: bool, successor_of: str | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    life = Life(SubscriptionStatus.CREATED)
    start = None if bought.start is None else utc_microseconds(bought.start)
    if activate:
        life = activated(life, changes.at if start is None else start, bought.term)
    elif start is not None:
        life = replace(life, start_at=start)
    periods = [
        (
            point.id,
            (
                None if point.start is None else utc_microseconds(point.start),
                None if point.end is None else utc_microseconds(point.end),
            ),
        )
        for point in bought.access_points
    ]
    check_points(periods)
    identifier = changes.ids.new("sub")
    row = {
        "id": identifier,
        "code": bought.code,
        "account_id": account_id,
        "offer": bought.offer,
        "zone": bought.zone,
        "group_code": bought.group,
        "term": store.term_text(bought.term),
        **store.to_row_life(life),
        "told_of": None,
        "reason": None,
        "successor_of": successor_of,
        "created_at": changes.at,
        "revision": 1,
    }
    points = [
        {
            "id": changes.ids.new("acp"),
            "subscription_id": identifier,
            "identifier": point.id,
            "start_at": period[0],
            "end_at": period[1],
            "shared": int(point.shared),
        }
        for point, (_, period) in zip(bought.access_points, periods, strict=True)
    ]
    return row, points


def add_subscription(changes: Changes, bought: Subscription, *, activate: bool) -> SubscriptionAdded:
    """Keep a new subscription.

    Raises:
        UnableToKeepSubscription: when it cannot be.
    """
    kept = add_subscriptions(changes, [Ordered(0, bought)], activate=activate)
    if kept.faults:
        raise UnableToKeepSubscription(kept.faults[0].column, kept.faults[0].reason)
    return kept.events[0]


def act(
    changes: Changes,
    named: str,
    action: Action,
    *,
    at: int | None = None,
    reason: str | None = None,
    revision: int | None = None,
) -> SubscriptionChanged:
    """Do something to a subscription as of an instant: now when none is given. What lies ahead is planned.

    Raises:
        UnableToKeepSubscription: when there is none, or it cannot be done to it as things are planned.
        ChangedMeanwhile: when it has another `revision`.
    """
    row = _required(changes, named)
    if revision is not None and revision != row["revision"]:
        raise ChangedMeanwhile(f"subscription {row['code']} was changed meanwhile: read it again")
    when = changes.at if at is None else at
    details = {} if reason is None else {"reason": reason}
    life = _life(changes, row)
    if when <= changes.at:
        after = applied(changes, row, life, action, when, details)
        store.update_life(changes, row, life, after, **({"reason": reason} if reason else {}))
        return SubscriptionChanged(row["id"], row["code"], after.status, None)
    for one in store.planned_of(changes.connection, row["id"]):
        if one["due_at"] <= when:
            life = applied(changes, row, life, Action(one["action"]), one["due_at"], one["details"])
    applied(changes, row, life, action, when, details)  # as things are planned, it could be done
    planned = store.insert_planned(changes, row, when, action.value, details)
    return SubscriptionChanged(row["id"], row["code"], life.status, planned)


def applied(
    changes: Changes, row: Mapping[str, Any], life: Life, action: Action, at: int, details: Mapping[str, Any]
) -> Life:
    """Return what becomes of a life by an action.

    Raises:
        UnableToKeepSubscription: when that cannot be done to it.
    """
    if action is Action.TERMINATE:
        reason = None
        if (code := details.get("reason")) is not None:
            reason = store.reason_of(changes.connection, code)
            if reason is None:
                raise UnableToKeepSubscription("reason", f"there is no termination reason {code}")
        return terminated(life, at, apply_agreement=reason is not None and reason.apply_agreement)
    return transformed(life, action, at, store.term_of(row))


def _life(changes: Changes, row: Mapping[str, Any]) -> Life:
    return store.life_of(row, store.suspensions_of(changes.connection, row["id"]))


def _required(changes: Changes, named: str) -> dict[str, Any]:
    row = store.find_subscription(changes.connection, named)
    if row is None:
        raise UnableToKeepSubscription("", f"there is no subscription {named}")
    return row


def change_offer(changes: Changes, named: str, offer: str, *, code: str, at: int | None = None) -> SubscriptionAdded:
    """End a subscription and begin a successor with another offer at the same instant, with the access points of then.

    Raises:
        UnableToKeepSubscription: when it is not active, something is planned for it, its term has ended, it would be later, or
            the code is taken.
    """
    row = _required(changes, named)
    when = changes.at if at is None else at
    if when > changes.at:
        raise UnableToKeepSubscription("at", "an offer changes now, or as of an instant that has passed")
    if code in store.taken_codes(changes.connection, [code]):
        raise UnableToKeepSubscription("code", f"there is a subscription {code} already")
    next_status(SubscriptionStatus(row["status"]), Action.SUSPEND)  # only what is active
    if store.planned_of(changes.connection, row["id"]):
        raise UnableToKeepSubscription("", f"something is planned for {row['code']}, which would be lost: do it first")
    life = _life(changes, row)
    if life.term_end_at is not None and life.term_end_at <= when:
        raise UnableToKeepSubscription("at", f"the term of {row['code']} ended before: `octroi subscription due` first")
    store.update_life(changes, row, life, terminated(life, when, apply_agreement=False))
    new = {**row, "id": changes.ids.new("sub"), "code": code, "offer": offer, "successor_of": row["id"]}
    new |= store.to_row_life(replace(life, start_at=when, suspended=()))
    new |= {"created_at": changes.at, "revision": 1, "told_of": None}
    points = [
        {**point, "id": changes.ids.new("acp"), "subscription_id": new["id"]}
        for point in store.points_of(changes.connection, row["id"])
        if point["end_at"] is None or point["end_at"] > when
    ]
    store.insert_subscriptions(changes, [new], points)
    return SubscriptionAdded(new["id"], code, new["status"])


def do_what_is_due(changes: Changes) -> list[str]:
    """Do what is planned by now, renew or end terms that have ended, and say of which ends somebody is to be told.

    What cannot be done any more is told, and not tried again. Doing it again at the same instant does nothing.
    """
    told = []
    for one in store.due_actions(changes.connection, changes.at):
        row = _required(changes, one["subscription_id"])
        # in the order of time, whenever this runs: but what is planned for the very end of a term comes before that end
        told += _end_term(changes, row, one["due_at"] - 1)
        row = _required(changes, one["subscription_id"])
        life = _life(changes, row)
        try:
            after = applied(changes, row, life, Action(one["action"]), one["due_at"], one["details"])
        except UnableToKeepSubscription as error:
            store.set_outcome(changes, one["id"], f"FAILED: {error}")
            told.append(f"{row['code']}: {one['action'].lower()} failed: {error}")
            continue
        more = {"reason": one["details"]["reason"]} if "reason" in one["details"] else {}
        store.update_life(changes, row, life, after, **more)
        store.set_outcome(changes, one["id"], "DONE")
        told.append(f"{row['code']}: {after.status.value}")
    for row in store.ended_terms(changes.connection, changes.at):
        told += _end_term(changes, row, changes.at)
    for row in store.notices(changes.connection):
        if notice_due(_life(changes, row), store.term_of(row), changes.at, row["told_of"]):
            store.set_told(changes, row)
            told.append(f"{row['code']}: its term ends")
    return told


def _end_term(changes: Changes, row: dict[str, Any], at: int) -> list[str]:
    """Renew or end the term of a subscription where it has ended by an instant; say what was done."""
    life, term = _life(changes, row), store.term_of(row)
    try:
        due = term_due(life, term, at, store.began_at(changes.connection, row))
    except UnableToKeepSubscription as error:  # one life that cannot go on must not stop the others
        return [f"{row['code']}: its term ended, which failed: {error}"]
    if due is None:
        return []
    store.update_life(changes, row, life, due[0])
    return [f"{row['code']}: {'renewed' if due[1] is None else due[0].status.value}"]


def define_reason(changes: Changes, reason: TerminationReason) -> None:
    """Keep a termination reason."""
    store.set_reason(changes, reason)
