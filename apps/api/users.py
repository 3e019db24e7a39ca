"""Routes of users, for who manages them: nobody makes, changes or resets somebody who may do more than they may themselves."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apps.api.access import check_lasts
from apps.api.accounts import reached
from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page
from apps.api.views import UserMade, UserView, instant
from apps.clock import now_us
from billing.access.keys import known_roles
from billing.access.logins import (
    ACCOUNTS_MAX,
    add_user,
    change_user,
    find_user,
    issue_reset,
    list_users,
    remove_user,
)
from billing.access.permissions import Principal, UnableToGrant, check_no_more, check_roles, expanded
from billing.access.store.changes import ChangedMeanwhile
from billing.access.users import SECRET_BYTES, Attempts, User
from billing.accounts.rules import UnableToKeepAccount

_HOUR_US = 3_600_000_000
_Text = Annotated[str, Field(min_length=1, max_length=255)]
_Roles = Annotated[list[_Text], Field(min_length=1, max_length=64)]
_Accounts = Annotated[list[_Text], Field(min_length=1, max_length=ACCOUNTS_MAX)]


class NewUser(BaseModel):
    """Somebody who is to log in: they may do what their roles permit, to what they are limited to."""

    model_config = ConfigDict(extra="forbid")

    name: _Text
    roles: _Roles
    accounts: _Accounts | None = None


class UserChange(BaseModel):
    """What a user becomes; null for `accounts` limits them to nothing."""

    model_config = ConfigDict(extra="forbid")

    roles: _Roles | None = None
    accounts: _Accounts | None = None
    disabled: bool | None = None


class NewReset(BaseModel):
    """A token that sets a new password; with `second_factor` no code is asked for from now on."""

    model_config = ConfigDict(extra="forbid")

    second_factor: bool = False


def _told(user: User, known: Attempts, now: int) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "status": user.status,
        "roles": list(user.roles),
        "accounts": None if user.accounts is None else list(user.accounts),
        "second_factor": user.has_factor,
        "created_at": instant(user.created_at),
        "logged_in_at": instant(known.succeeded_at),
        "locked_until": instant(known.locked_until) if known.locked_until > now else None,
        "revision": user.revision,
    }


def _users(ask: Ask) -> Reply:
    now = now_us()
    rows = [_told(user, known, now) for user, known in list_users(ask.database, after=ask.after, limit=ask.limit + 1)]
    return page(ask, rows, "/v1/users", "id")


def _no_more(ask: Ask, roles: Sequence[str], accounts: Sequence[str] | None) -> None:
    """Check that somebody with roles and limits may do no more than the caller.

    Raises:
        UnableToGrant: when they may.
    """
    known = known_roles(ask.database)
    granted = frozenset[str]().union(*(expanded(known[code].grants) for code in roles if code in known))
    within = None if accounts is None else frozenset(("Account", one) for one in accounts)
    check_no_more(ask.caller.policies, ask.caller.principal, granted, Principal("", "", (), within))


def _reached(ask: Ask, action: str, named: Sequence[str] | None) -> list[str] | None:
    if named is None:
        return None
    try:
        return [reached(ask, action, one)[0] for one in named]
    except Problem as error:
        raise UnableToKeepAccount("accounts", "one of them is no account") from error


def _named(ask: Ask) -> User:
    try:
        user = find_user(ask.database, ask.path["user"])
    except UnableToGrant as error:
        raise missing() from error
    _no_more(ask, user.roles, user.accounts)
    return user


def _token(ask: Ask, user: User, *, drop_factor: bool, status: int) -> Reply:
    check_lasts(ask)
    reset, token = issue_reset(
        ask.changing(),
        user,
        secret=secrets.token_bytes(SECRET_BYTES),
        lifetime_us=ask.settings.password_reset_hours * _HOUR_US,
        drop_factor=drop_factor,
    )
    told = {"id": user.id, "name": user.name, "token": token, "expires_at": instant(reset.expires_at)}
    return Reply(told, status)


def _new_user(ask: Ask) -> Reply:
    said = ask.read(NewUser)
    accounts = _reached(ask, "user:create", said.accounts)
    check_roles(said.roles, known_roles(ask.database))
    _no_more(ask, said.roles, accounts)
    user = add_user(ask.changing(), said.name, roles=said.roles, accounts=accounts)
    return _token(ask, user, drop_factor=False, status=201)


def _change_user(ask: Ask) -> Reply:
    said, user = ask.read(UserChange), _named(ask)
    if ask.revision is not None and ask.revision != user.revision:
        raise ChangedMeanwhile(user.id)
    if said.model_fields_set - {"disabled"} or said.disabled is False:
        check_lasts(ask)
    becomes: dict[str, Any] = {}
    if said.roles is not None:
        becomes["roles"] = said.roles
    if "accounts" in said.model_fields_set:
        becomes["accounts"] = _reached(ask, "user:update", said.accounts)
    if said.disabled is not None:
        becomes["disabled"] = said.disabled
    check_roles(becomes.get("roles", user.roles), known_roles(ask.database))
    _no_more(ask, becomes.get("roles", user.roles), becomes.get("accounts", user.accounts))
    changed = change_user(ask.changing(), user, **becomes)
    return Reply(_told(changed, Attempts(), now_us()), revision=changed.revision)


def _reset(ask: Ask) -> Reply:
    said = ask.read(NewReset)
    return _token(ask, _named(ask), drop_factor=said.second_factor, status=201)


def _remove(ask: Ask) -> Reply:
    remove_user(ask.changing(), _named(ask))
    return Reply(status=204)


ROUTES = [
    Route(
        "GET", "/v1/users", "user:list", "List users, the first one first", _users, UserView,
        is_list=True, has_pages=True, whole=True,
    ),
    Route(
        "POST", "/v1/users", "user:create", "Make a user", _new_user, UserMade, body=NewUser, status=201, whole=True,
        secret=True, recent=True,
    ),
    Route(
        "PATCH", "/v1/users/{user}", "user:update", "Change what a user may do", _change_user, UserView, body=UserChange,
        whole=True, matches=True, needs_match=True, recent=True,
    ),
    Route(
        "POST", "/v1/users/{user}/reset", "user:reset", "Have a user set a new password", _reset, UserMade, body=NewReset,
        status=201, whole=True, secret=True, recent=True,
    ),
    Route("DELETE", "/v1/users/{user}", "user:remove", "Remove a user", _remove, status=204, whole=True, recent=True),
]  # fmt: skip
