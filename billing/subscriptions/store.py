"""Rows of subscriptions, their access points and suspensions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Index, select

from billing.access.store.changes import Changes
from billing.access.store.columns import INT64, TEXT, key, table, to_json
from billing.accounts.store import ACCOUNT, ids_within
from billing.subscriptions.models import SubscriptionStatus, Suspended, Term, TerminationReason
from billing.subscriptions.rules_lifecycle import Life

SUBSCRIPTION = table(
    "subscription",
    key(),
    Column("code", TEXT, nullable=False, unique=True),
    Column("account_id", TEXT, ForeignKey("account.id"), nullable=False, index=True),
    Column("offer", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("zone", TEXT),
    Column("group_code", TEXT),
    Column("term", TEXT),  # JSON
    Column("start_at", INT64),
    Column("terminated_at", INT64),
    Column("charged_until_at", INT64),
    Column("term_end_at", INT64),
    Column("agreement_end_at", INT64),
    Column("told_of", INT64),
    Column("reason", TEXT, ForeignKey("termination_reason.code")),
    Column("successor_of", TEXT, ForeignKey("subscription.id")),
    Column("created_at", INT64, nullable=False),
    Column("revision", INT64, nullable=False),
    CheckConstraint(
        "status IN ('CREATED', 'ACTIVE', 'SUSPENDED', 'CANCELED', 'TERMINATED', 'CLOSED')", name="subscription_status"
    ),
    Index("subscription_by_term", "status", "term_end_at"),
)
ACCESS_POINT = table(
    "access_point",
    key(),
    Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
    Column("identifier", TEXT, nullable=False, index=True),
    Column("start_at", INT64),
    Column("end_at", INT64),
    Column("shared", INT64, nullable=False),
)
SUSPENSION = table(
    "suspension",
    key(),
    Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
    Column("start_at", INT64, nullable=False),
    Column("end_at", INT64),
)
TERMINATION_REASON = table(
    "termination_reason",
    key("code"),
    Column("description", TEXT, nullable=False),
    Column("apply_agreement", INT64, nullable=False),
)
PLANNED = table(
    "planned_action",
    key(),
    Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
    Column("due_at", INT64, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("details", TEXT, nullable=False),  # JSON
    Column("outcome", TEXT),
    Index("planned_action_due", "outcome", "due_at"),
)
"""What is to be done to a subscription later; `outcome` says what became of it, null: nothing yet."""
_ASKED = 500


def find_subscription(connection: Connection, named: str) -> dict[str, Any] | None:
    """Return the row of a subscription by id or code, None when there is none; ids first, as of accounts."""
    for column in (SUBSCRIPTION.c.id, SUBSCRIPTION.c.code):
        row = connection.execute(select(SUBSCRIPTION).where(column == named)).mappings().first()
        if row is not None:
            return dict(row)
    return None


def began_at(connection: Connection, row: Mapping[str, Any]) -> int | None:
    """Return when the first of a subscription and those that it succeeds began: from then its term counts."""
    start, before = row["start_at"], row["successor_of"]
    while before is not None:
        asked = select(SUBSCRIPTION.c.start_at, SUBSCRIPTION.c.successor_of).where(SUBSCRIPTION.c.id == before)
        start, before = connection.execute(asked).one()
    return None if start is None else int(start)


def taken_codes(connection: Connection, codes: Iterable[str]) -> set[str]:
    """Return which of some codes subscriptions have already."""
    wanted, found = sorted(set(codes)), set()
    for start in range(0, len(wanted), _ASKED):
        part = wanted[start : start + _ASKED]
        found |= set(connection.scalars(select(SUBSCRIPTION.c.code).where(SUBSCRIPTION.c.code.in_(part))))
    return found


def suspensions_of(connection: Connection, subscription_id: str) -> list[dict[str, Any]]:
    """Return the suspensions of a subscription, in order of time."""
    asked = select(SUSPENSION).where(SUSPENSION.c.subscription_id == subscription_id).order_by(SUSPENSION.c.start_at)
    return [dict(row) for row in connection.execute(asked).mappings()]


def points_of(connection: Connection, subscription_id: str) -> list[dict[str, Any]]:
    """Return the access points of a subscription, in the order in which they came."""
    asked = select(ACCESS_POINT).where(ACCESS_POINT.c.subscription_id == subscription_id).order_by(ACCESS_POINT.c.id)
    return [dict(row) for row in connection.execute(asked).mappings()]


def held_outside(
    connection: Connection, identifiers: Collection[str], group: str | None, within: Collection[str]
) -> str | None:
    """Return an access point of `identifiers`, or the group, that a subscription of no account `within` has; None for none."""
    inside = ids_within(within)
    points = (
        select(ACCESS_POINT.c.identifier)
        .join(SUBSCRIPTION, ACCESS_POINT.c.subscription_id == SUBSCRIPTION.c.id)
        .where(ACCESS_POINT.c.identifier.in_(sorted(identifiers)), SUBSCRIPTION.c.account_id.not_in(inside))
    )
    groups = select(SUBSCRIPTION.c.group_code).where(
        SUBSCRIPTION.c.group_code == group, SUBSCRIPTION.c.account_id.not_in(inside)
    )
    found: str | None = connection.scalar(points.limit(1)) or connection.scalar(groups.limit(1))
    return found


def points_named(
    connection: Connection, identifier: str, *, within: Collection[str] | None, after: str, limit: int
) -> list[dict[str, Any]]:
    """Return access points by what usage names, with their subscription and account as `subscription` and `account`."""
    asked = (
        select(ACCESS_POINT, SUBSCRIPTION.c.code.label("subscription"), ACCOUNT.c.code.label("account"))
        .join(SUBSCRIPTION, ACCESS_POINT.c.subscription_id == SUBSCRIPTION.c.id)
        .join(ACCOUNT, SUBSCRIPTION.c.account_id == ACCOUNT.c.id)
        .where(ACCESS_POINT.c.identifier == identifier, ACCESS_POINT.c.id > after)
    )
    if within is not None:
        asked = asked.where(ACCOUNT.c.id.in_(ids_within(within)))
    return [dict(row) for row in connection.execute(asked.order_by(ACCESS_POINT.c.id).limit(limit)).mappings()]


def life_of(row: Mapping[str, Any], suspensions: Iterable[Mapping[str, Any]]) -> Life:
    """Return where a subscription is in its life."""
    return Life(
        SubscriptionStatus(row["status"]),
        row["start_at"],
        row["terminated_at"],
        row["charged_until_at"],
        row["term_end_at"],
        row["agreement_end_at"],
        tuple(Suspended(one["start_at"], one["end_at"]) for one in suspensions),
    )


def to_row_life(life: Life) -> dict[str, Any]:
    """Return the columns of a life."""
    return {
        "status": life.status.value,
        "start_at": life.start_at,
        "terminated_at": life.terminated_at,
        "charged_until_at": life.charged_until_at,
        "term_end_at": life.term_end_at,
        "agreement_end_at": life.agreement_end_at,
    }


def term_of(row: Mapping[str, Any]) -> Term | None:
    """Return the term of a row."""
    return None if row["term"] is None else Term.model_validate_json(row["term"])


def term_text(term: Term | None) -> str | None:
    """Return a term as JSON."""
    return None if term is None else to_json(term.model_dump(mode="json", exclude_defaults=True))


def update_life(changes: Changes, row: Mapping[str, Any], before: Life, after: Life, **more: Any) -> None:
    """Keep what became of a subscription, its suspensions among it."""
    held = suspensions_of(changes.connection, row["id"])
    wanted = after.suspended
    if gone := held[len(wanted) :]:
        changes.remove(SUSPENSION, [one["id"] for one in gone])
    kept = [
        {"id": one["id"], "start_at": pause.start_at, "end_at": pause.end_at}
        for one, pause in zip(held, wanted, strict=False)
    ]
    changes.update(SUSPENSION, kept)
    new = [
        {
            "id": changes.ids.new("sus"),
            "subscription_id": row["id"],
            "start_at": pause.start_at,
            "end_at": pause.end_at,
        }
        for pause in wanted[len(held) :]
    ]
    changes.insert(SUSPENSION, new)
    changes.update(SUBSCRIPTION, [{"id": row["id"], "revision": row["revision"], **to_row_life(after), **more}])


def insert_subscriptions(
    changes: Changes, rows: Sequence[Mapping[str, Any]], points: Sequence[Mapping[str, Any]]
) -> None:
    """Add subscriptions and their access points."""
    changes.insert(SUBSCRIPTION, rows)
    changes.insert(ACCESS_POINT, points)


def insert_planned(
    changes: Changes, subscription: Mapping[str, Any], due_at: int, action: str, details: Mapping[str, Any]
) -> str:
    """Keep what is to be done to a subscription later, which is another revision of it; return its id."""
    identifier = changes.ids.new("act")
    row = {
        "id": identifier,
        "subscription_id": subscription["id"],
        "due_at": due_at,
        "action": action,
        "details": to_json(dict(details)),
        "outcome": None,
    }
    changes.count(SUBSCRIPTION, subscription["id"], subscription["revision"])
    changes.insert(PLANNED, [row])
    return identifier


def due_actions(connection: Connection, now: int) -> list[dict[str, Any]]:
    """Return what is to be done by `now`, in order."""
    asked = select(PLANNED).where(PLANNED.c.outcome.is_(None), PLANNED.c.due_at <= now)
    rows = connection.execute(asked.order_by(PLANNED.c.due_at, PLANNED.c.id)).mappings()
    return [{**row, "details": json.loads(row["details"])} for row in rows]


def planned_of(connection: Connection, subscription_id: str) -> list[dict[str, Any]]:
    """Return what is planned for a subscription and not done yet."""
    asked = select(PLANNED).where(PLANNED.c.subscription_id == subscription_id, PLANNED.c.outcome.is_(None))
    rows = connection.execute(asked.order_by(PLANNED.c.due_at, PLANNED.c.id)).mappings()
    return [{**row, "details": json.loads(row["details"])} for row in rows]


def set_outcome(changes: Changes, identifier: str, outcome: str) -> None:
    """Say what became of a planned action."""
    changes.update(PLANNED, [{"id": identifier, "outcome": outcome}])


def ended_terms(connection: Connection, now: int) -> list[dict[str, Any]]:
    """Return the active subscriptions that have a term, for which something may be due by `now`."""
    asked = select(SUBSCRIPTION).where(
        SUBSCRIPTION.c.status == "ACTIVE", SUBSCRIPTION.c.term_end_at.is_not(None), SUBSCRIPTION.c.term_end_at <= now
    )
    return [dict(row) for row in connection.execute(asked.order_by(SUBSCRIPTION.c.term_end_at)).mappings()]


def reason_of(connection: Connection, code: str) -> TerminationReason | None:
    """Return a termination reason, None when there is none of the code."""
    row = connection.execute(select(TERMINATION_REASON).where(TERMINATION_REASON.c.code == code)).mappings().first()
    return None if row is None else TerminationReason(**{**row, "apply_agreement": bool(row["apply_agreement"])})


def set_reason(changes: Changes, reason: TerminationReason) -> None:
    """Keep a termination reason, in the place of the one of its code."""
    row = reason.model_dump() | {"apply_agreement": int(reason.apply_agreement)}
    if reason_of(changes.connection, reason.code) is None:
        changes.insert(TERMINATION_REASON, [row])
    else:
        changes.update(TERMINATION_REASON, [row])


def subscriptions(
    connection: Connection,
    *,
    account_id: str | None = None,
    within: Collection[str] | None = None,
    after: str = "",
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield subscriptions by code, with the code of their account as `account`."""
    asked = select(SUBSCRIPTION, ACCOUNT.c.code.label("account")).join(
        ACCOUNT, SUBSCRIPTION.c.account_id == ACCOUNT.c.id
    )
    asked = asked.where(SUBSCRIPTION.c.code > after).order_by(SUBSCRIPTION.c.code)
    if account_id is not None:
        asked = asked.where(SUBSCRIPTION.c.account_id == account_id)
    if within is not None:
        asked = asked.where(SUBSCRIPTION.c.account_id.in_(ids_within(within)))
    if limit is not None:
        asked = asked.limit(limit)
    for row in connection.execution_options(yield_per=5000).execute(asked).mappings():
        yield dict(row)


_TOLD = (
    "id", "code", "account_id", "offer", "status", "zone", "group_code", "term",
    "start_at", "terminated_at", "charged_until_at", "term_end_at", "agreement_end_at", "successor_of",
)  # fmt: skip


def told_subscriptions(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield what catalogs say of subscriptions, of all of them by code."""
    asked = select(*(SUBSCRIPTION.c[name] for name in _TOLD)).order_by(SUBSCRIPTION.c.code)
    return (dict(zip(_TOLD, row, strict=True)) for row in connection.execute(asked))


def all_points(connection: Connection) -> dict[str, list[tuple[str, int | None, int | None, int]]]:
    """Return (identifier, start, end, shared) of all access points, by id of their subscription."""
    found: dict[str, list[tuple[str, int | None, int | None, int]]] = {}
    columns = ACCESS_POINT.c
    asked = select(
        columns.subscription_id, columns.identifier, columns.start_at, columns.end_at, columns.shared
    ).order_by(columns.id)
    for owner, identifier, start, end, shared in connection.execute(asked):
        found.setdefault(owner, []).append((identifier, start, end, shared))
    return found


def all_suspensions(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return all suspensions, by id of their subscription, in order of time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(SUSPENSION).order_by(SUSPENSION.c.start_at)).mappings():
        found.setdefault(row["subscription_id"], []).append(dict(row))
    return found


def notices(connection: Connection) -> list[dict[str, Any]]:
    """Return the active subscriptions that have a term which wants to be told of."""
    asked = select(SUBSCRIPTION).where(
        SUBSCRIPTION.c.status == "ACTIVE",
        SUBSCRIPTION.c.term_end_at.is_not(None),
        SUBSCRIPTION.c.term.contains('"notify_days"'),
    )
    return [dict(row) for row in connection.execute(asked.order_by(SUBSCRIPTION.c.code)).mappings()]


def set_told(changes: Changes, row: Mapping[str, Any]) -> None:
    """Keep that somebody was told of the end of the present term."""
    changes.update(SUBSCRIPTION, [{"id": row["id"], "told_of": row["term_end_at"]}])


def all_planned(connection: Connection) -> dict[str, list[tuple[str, int, str]]]:
    """Return (action, due, details) of all that is planned and not done yet, by id of its subscription, in order."""
    found: dict[str, list[tuple[str, int, str]]] = {}
    columns = PLANNED.c
    asked = select(columns.subscription_id, columns.action, columns.due_at, columns.details)
    for owner, action, due, details in connection.execute(
        asked.where(columns.outcome.is_(None)).order_by(columns.due_at, columns.id)
    ):
        found.setdefault(owner, []).append((action, due, details))
    return found


def agreement_reasons(connection: Connection) -> set[str]:
    """Return the termination reasons by which charges go on until the agreement ends."""
    asked = select(TERMINATION_REASON.c.code).where(TERMINATION_REASON.c.apply_agreement == 1)
    return set(connection.scalars(asked))
