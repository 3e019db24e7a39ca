"""Routes of API keys, roles and the audit log."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apps.api.accounts import reached
from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page, whole_list
from apps.api.views import AuditView, KeyMade, KeyView, RoleView, Why, instant
from apps.clock import now_us
from billing.access.api_keys import SECRET_BYTES, ApiKey
from billing.access.keys import (
    SOURCES_MAX,
    add_key,
    define_role,
    find_key,
    known_roles,
    list_keys,
    remove_role,
    revoke_key,
)
from billing.access.permissions import (
    ACTIONS,
    ROLES,
    Principal,
    Role,
    UnableToGrant,
    check_no_more,
    check_roles,
    expanded,
    of_account,
)
from billing.access.queries import audit_log
from billing.accounts.rules import UnableToKeepAccount
from schemas.document import Instant
from schemas.price_plan import utc_microseconds

_Text = Annotated[str, Field(min_length=1, max_length=255)]
_Limits = Annotated[list[_Text], Field(min_length=1, max_length=SOURCES_MAX)]


class NewKey(BaseModel):
    """A key to be made: it may do what its roles permit, to what it is limited to, until it expires."""

    model_config = ConfigDict(extra="forbid")

    name: _Text
    roles: Annotated[list[_Text], Field(min_length=1, max_length=64)]
    accounts: _Limits | None = None
    sources: _Limits | None = None
    expires_at: Instant | None = None


class NewRole(BaseModel):
    """What a role of the tenant's own permits."""

    model_config = ConfigDict(extra="forbid")

    description: _Text
    grants: Annotated[list[_Text], Field(min_length=1, max_length=500)]


class Revocation(BaseModel):
    """Nothing more is to be said."""

    model_config = ConfigDict(extra="forbid")


def _told(key: ApiKey, now: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "status": key.status(now),
        "roles": list(key.roles),
        "accounts": None if key.accounts is None else list(key.accounts),
        "sources": None if key.sources is None else list(key.sources),
        **{name: instant(getattr(key, name)) for name in ("created_at", "expires_at", "revoked_at", "used_at")},
    }


def _keys(ask: Ask) -> Reply:
    now = now_us()
    found = list_keys(ask.database, after=ask.after, limit=ask.limit + 1)
    return page(ask, [_told(key, now) for key in found], "/v1/keys", "id")


def _new_key(ask: Ask) -> Reply:
    said = ask.read(NewKey)
    accounts = None
    if said.accounts is not None:
        try:
            accounts = [reached(ask, "api_key:create", one)[0] for one in said.accounts]
        except Problem as error:
            raise UnableToKeepAccount("accounts", "one of them is no account") from error
    known = known_roles(ask.database)
    check_roles(said.roles, known)
    limited = None if accounts is None else tuple(accounts), None if said.sources is None else tuple(said.sources)
    key = ApiKey("", "", "", (), *limited, 0, None, None)
    granted = frozenset[str]().union(*(expanded(known[code].grants) for code in said.roles))
    check_no_more(ask.caller.policies, ask.caller.principal, granted, key.principal())
    expires_at = None if said.expires_at is None else utc_microseconds(said.expires_at)
    if ask.caller.user is None:
        own = find_key(ask.database, ask.caller.principal.id)
        if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
            raise UnableToGrant(f"the key {own.name!r} expires, and can make none that opens for longer")
    made, token = add_key(
        ask.changing(),
        said.name,
        roles=said.roles,
        secret=secrets.token_bytes(SECRET_BYTES),
        accounts=accounts,
        sources=said.sources,
        expires_at=expires_at,
    )
    return Reply({"id": made.id, "name": made.name, "key": token}, 201)


def _revoke(ask: Ask) -> Reply:
    ask.read(Revocation)
    try:
        key = find_key(ask.database, ask.path["key"])
    except UnableToGrant as error:
        raise missing() from error
    revoke_key(ask.changing(), key.id)
    return Reply({"id": key.id, "name": key.name})


class Revoked(BaseModel):
    """The key that opens nothing any more."""

    id: str
    name: str


def _roles(ask: Ask) -> Reply:
    return whole_list([_role(role) for role in known_roles(ask.database).values()])


def _role(role: Role) -> dict[str, Any]:
    return {
        "code": role.code,
        "description": role.description,
        "grants": list(role.grants),
        "own": role.code not in ROLES,
    }


def check_lasts(ask: Ask) -> None:
    """Check that the caller does not end: whom it lets in, or lets do more, would be let for longer.

    Raises:
        UnableToGrant: when it is a key that expires.
    """
    if ask.caller.user is None and find_key(ask.database, ask.caller.principal.id).expires_at is not None:
        raise UnableToGrant(f"{ask.caller.principal.told} expires, and can let in nobody")


def _set_role(ask: Ask) -> Reply:
    said = ask.read(NewRole)
    check_lasts(ask)
    role = Role(ask.path["role"], said.description, tuple(said.grants))
    principal = ask.caller.principal
    within = Principal("", "", (), principal.within)
    check_no_more(ask.caller.policies, principal, expanded(role.grants), within)
    define_role(ask.changing(), role)
    return Reply(_role(role))


def _remove_role(ask: Ask) -> Reply:
    if ask.path["role"] in ROLES or ask.path["role"] not in known_roles(ask.database):
        raise missing()
    remove_role(ask.changing(), ask.path["role"])
    return Reply(status=204)


def _audit(ask: Ask) -> Reply:
    found = audit_log(
        ask.database, entity=ask.query.get("entity"), key=ask.query.get("key"), after=ask.after, limit=ask.limit + 1
    )
    rows = [
        {
            "id": one.id,
            "at": instant(one.at),
            "recorded_at": instant(one.recorded_at),
            "by": one.by,
            "deed": one.deed.value,
            "entity": one.entity,
            "key": one.key,
            "before": dict(one.before),
            "after": dict(one.after),
        }
        for one in found
    ]
    return page(ask, rows, "/v1/audit-log", "id")


def _why(ask: Ask) -> Reply:
    action = ask.query.get("action", "")
    if action not in ACTIONS:
        raise Problem("bad-request", "action says what, such as account:read")
    resource = ask.caller.whole
    if "account" in ask.query:
        chain = reached(ask, "account:read", ask.query["account"])
        resource = of_account(chain)
    found = ask.caller.policies.decide(ask.caller.principal, action, resource)
    return Reply({"allowed": found.allowed, "roles": list(found.roles), "why": found.why})


ROUTES = [
    Route(
        "GET", "/v1/keys", "api_key:list", "List API keys, oldest first", _keys, KeyView,
        is_list=True, has_pages=True, whole=True,
    ),
    Route(
        "POST", "/v1/keys", "api_key:create", "Make an API key", _new_key, KeyMade, body=NewKey, status=201, whole=True,
        secret=True, recent=True,
    ),
    Route(
        "POST", "/v1/keys/{key}/revoke", "api_key:revoke", "Let an API key open nothing any more", _revoke, Revoked,
        body=Revocation, whole=True, recent=True,
    ),
    Route("GET", "/v1/roles", "role:list", "List roles", _roles, RoleView, is_list=True, whole=True),
    Route("PUT", "/v1/roles/{role}", "role:update", "Say what a role permits", _set_role, RoleView, body=NewRole, whole=True,
          recent=True),
    Route("DELETE", "/v1/roles/{role}", "role:remove", "Remove a role", _remove_role, status=204, whole=True, recent=True),
    Route(
        "GET", "/v1/audit-log", "audit:list", "Who changed what, oldest first", _audit, AuditView,
        is_list=True, has_pages=True, whole=True,
        query={"entity": "of rows of this table", "key": "of this row"},
    ),
    Route(
        "GET", "/v1/why", "", "Whether this key or user may do something, and why", _why, Why,
        query={"action": "ENTITY:ACTION (required)", "account": "to this account"},
    ),
]  # fmt: skip
