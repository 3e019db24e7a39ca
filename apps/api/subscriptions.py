"""Routes of subscriptions, their lives and their access points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from apps.api.accounts import reached
from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page
from apps.api.views import (
    PauseView,
    PlannedView,
    PointFound,
    PointView,
    SubscriptionRow,
    SubscriptionView,
    instant,
)
from billing.access.permissions import Resource, accounts_of
from billing.accounts.queries import account_as_changed, chain_of_ids
from billing.subscriptions.models import Action, Subscription
from billing.subscriptions.operations import act, add_subscription, change_offer
from billing.subscriptions.queries import (
    access_points,
    expect_within,
    list_subscriptions,
    show_subscription,
    subscription_as_changed,
)
from billing.subscriptions.rules_lifecycle import UnableToKeepSubscription
from billing.subscriptions.store import term_of
from schemas.document import Code, Instant
from schemas.price_plan import utc_microseconds

_INSTANTS = ("start_at", "terminated_at", "charged_until_at", "term_end_at", "agreement_end_at", "created_at")


class NewSubscription(Subscription):
    """A subscription to be kept; it is in force from its start on unless `activate` is false."""

    activate: bool = True


class Deed(BaseModel):
    """When something is done to a subscription: now, or at an instant; what lies ahead is planned."""

    model_config = ConfigDict(extra="forbid")

    at: Instant | None = None


class Ending(Deed):
    """When a subscription ends, and why: a termination reason says what is still charged."""

    reason: Code | None = None


class OfferChange(Deed):
    """The offer of the subscription that goes on, and its code."""

    offer: Code
    code: Code = Field(description="of the subscription that goes on")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    told = {name: found.get(name) for name in SubscriptionRow.model_fields} | {"group": found["group_code"]}
    return told | {name: instant(found[name]) for name in _INSTANTS}


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    def listed(name: str, model: type[BaseModel]) -> list[dict[str, Any]]:
        return [_dated(row, model) for row in found[name]]

    return _row(found) | {
        "access_points": listed("access_points", PointView),
        "suspensions": listed("suspensions", PauseView),
        "planned": listed("planned", PlannedView),
    }


def _dated(row: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    told = {name: instant(row[name]) if name.endswith("_at") else row[name] for name in model.model_fields}
    return told | ({"shared": bool(row["shared"])} if "shared" in told else {})


def _found(ask: Ask, action: str) -> dict[str, Any]:
    """Return the subscription that a path names, when the caller may do something to it.

    Raises:
        Problem: not-found.
    """
    try:
        found = show_subscription(ask.database, ask.path["subscription"])
    except UnableToKeepSubscription as error:
        raise missing() from error
    chain = chain_of_ids(ask.database, found["account_id"])
    if not ask.caller.may(action, Resource("Subscription", found["id"], accounts_of(chain))):
        raise missing()
    return found


def _read(ask: Ask) -> Reply:
    found = _found(ask, "subscription:read")
    return Reply(_shown(found), revision=found["revision"])


def _list(ask: Ask) -> Reply:
    account = None
    if "account" in ask.query:
        try:
            account = reached(ask, "subscription:list", ask.query["account"])[0]
        except Problem:
            return page(ask, [], "/v1/subscriptions", "code")
    rows = list_subscriptions(
        ask.database, account=account, within=ask.caller.principal.accounts, after=ask.after, limit=ask.limit + 1
    )
    told = [_row(row) | {"term": _term(row)} for row in rows]
    return page(ask, told, "/v1/subscriptions", "code")


def _term(row: dict[str, Any]) -> Any:
    term = term_of(row)
    return None if term is None else term.model_dump(mode="json", exclude_defaults=True)


def _create(ask: Ask) -> Reply:
    said = ask.read(NewSubscription)
    try:
        chain = reached(ask, "subscription:create", said.account)
    except Problem as error:
        raise UnableToKeepSubscription("account", f"there is no account {said.account}") from error
    code = account_as_changed(ask.changing(), chain[0])["code"]
    bought = Subscription(**{name: getattr(said, name) for name in Subscription.model_fields} | {"account": code})
    within = ask.caller.principal.accounts
    if within is not None:  # what is bought must change nothing for others, whose usage and bundles it would share
        expect_within(ask.changing(), bought, within)
    done = add_subscription(ask.changing(), bought, activate=said.activate)
    return _changed(ask, done.id, status=201, location=f"/v1/subscriptions/{done.id}")


def _changed(ask: Ask, identifier: str, **more: Any) -> Reply:
    found = subscription_as_changed(ask.changing(), identifier)
    return Reply(_shown(found), revision=found["revision"], **more)


def _doing(action: Action) -> Callable[[Ask], Reply]:
    model = Ending if action is Action.TERMINATE else Deed

    def serve(ask: Ask) -> Reply:
        found = _found(ask, f"subscription:{action.value.lower()}")
        said = ask.read(model)
        at = None if said.at is None else utc_microseconds(said.at)
        reason = getattr(said, "reason", None)
        act(ask.changing(), found["id"], action, at=at, reason=reason, revision=ask.revision)
        return _changed(ask, found["id"])

    return serve


def _change_offer(ask: Ask) -> Reply:
    found = _found(ask, "subscription:change_offer")
    said = ask.read(OfferChange)
    if ask.revision is not None and ask.revision != found["revision"]:
        raise Problem("precondition-failed", "it was changed since: read it again")
    at = None if said.at is None else utc_microseconds(said.at)
    done = change_offer(ask.changing(), found["id"], said.offer, code=said.code, at=at)
    return _changed(ask, done.id, status=201, location=f"/v1/subscriptions/{done.id}")


def _points(ask: Ask) -> Reply:
    if "identifier" not in ask.query:
        raise Problem("bad-request", "identifier says which")
    within = ask.caller.principal.accounts
    rows = access_points(ask.database, ask.query["identifier"], within=within, after=ask.after, limit=ask.limit + 1)
    return page(ask, [_dated(row, PointFound) for row in rows], "/v1/access-points", "id")


_ONE = "/v1/subscriptions/{subscription}"
ROUTES = [
    Route(
        "GET", "/v1/subscriptions", "subscription:list", "List subscriptions by code", _list, SubscriptionRow,
        query={"account": "of this account (code, id or external id)"}, is_list=True, has_pages=True,
    ),
    Route(
        "POST", "/v1/subscriptions", "subscription:create", "Sell an offer to an account", _create, SubscriptionView,
        body=NewSubscription, status=201,
    ),
    Route("GET", _ONE, "subscription:read", "Read a subscription", _read, SubscriptionView),
    *(
        Route(
            "POST", f"{_ONE}/{action.value.lower()}", f"subscription:{action.value.lower()}",
            f"{action.value.capitalize()} a subscription", _doing(action), SubscriptionView,
            body=Ending if action is Action.TERMINATE else Deed, matches=True,
        )
        for action in Action
    ),
    Route(
        "POST", f"{_ONE}/change-offer", "subscription:change_offer", "Let it go on with another offer", _change_offer,
        SubscriptionView, body=OfferChange, status=201, matches=True,
    ),
    Route(
        "GET", "/v1/access-points", "access_point:list", "Whose an access point is and was", _points, PointFound,
        query={"identifier": "what usage names (required)"}, is_list=True, has_pages=True,
    ),
]  # fmt: skip
