"""What may be done to what, which roles permit it, and why a request was let through or not. Nothing here knows a database.

Decisions are Cedar's: each role is a policy; a key that is limited to accounts or sources is forbidden all that is outside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import cedarpy

PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "account": ("list", "read", "create", "update"),
        "address": ("list", "create", "remove"),
        "contact": ("list", "create", "remove"),
        "payment_method": ("list", "create", "remove"),
        "note": ("list", "create", "remove"),
        "custom_schema": ("list", "update"),
        "subscription": (
            "list", "read", "create", "activate", "suspend", "resume", "cancel", "terminate", "close", "change_offer",
        ),
        "access_point": ("list",),
        "audit": ("list",),
        "catalog": ("list", "read", "validate", "publish"),
        "event": ("create",),
        "charging": ("reserve", "confirm", "cancel", "charge", "refund"),
        "wallet": ("read", "top_up", "adjust", "transfer"),
        "query": ("list", "run"),
        "rejection": ("list", "read", "reveal", "replay", "mark", "discard", "reopen"),
        "source": ("list", "read"),
        "api_key": ("list", "create", "revoke"),
        "role": ("list", "update", "remove"),
        "user": ("list", "create", "update", "reset", "remove"),
    }
)  # fmt: skip
"""Every action there is, by what it is done to."""
ACTIONS = frozenset(f"{entity}:{action}" for entity, actions in PERMISSIONS.items() for action in actions)


@dataclass(frozen=True, slots=True)
class Role:
    """What some people or programs have in common: `grants` are `account:read`, `account:*`, `*:read` or `*`."""

    code: str
    description: str
    grants: tuple[str, ...]


ROLES: Mapping[str, Role] = MappingProxyType(
    {
        role.code: role
        for role in (
            Role("admin", "everything, keys and roles among it", ("*",)),
            Role(
                "care",
                "customers and what they buy",
                (
                    "account:*", "address:*", "contact:*", "payment_method:*", "note:*", "subscription:*", "access_point:*",
                    "wallet:read", "custom_schema:list",
                ),
            ),
            Role("viewer", "everything that can be read, but payment methods and the audit log",
                 ("account:list", "account:read", "address:list", "contact:list", "note:list", "custom_schema:list",
                  "subscription:list", "subscription:read", "access_point:list", "wallet:read", "query:*", "rejection:list",
                  "rejection:read", "source:list", "source:read", "catalog:list", "catalog:read")),
            Role("auditor", "who changed what, and who may", ("audit:list", "api_key:list", "role:list", "user:list",
                                                              "account:list", "account:read", "subscription:list",
                                                              "subscription:read")),
            Role("sender", "sends usage", ("event:create",)),
            Role("charger", "charges usage while it happens, and moves what wallets hold", ("charging:*", "wallet:*")),
        )
    }
)  # fmt: skip
"""The roles that every tenant has."""
STATIC_ROLES = ("sender", "charger")
"""What the keys of the setting `api_keys` may do."""
CODE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class UnableToGrant(Exception):
    """A role or a key cannot permit what it is asked to."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        id: of the key or the user. roles: codes. within: what it is limited to, None when to nothing: `Account::ID` and
            `Source::CODE` as (type, id). kind: key or user.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    within: frozenset[tuple[str, str]] | None = None
    kind: str = "key"

    @property
    def told(self) -> str:
        """Who that is, in words."""
        return f"the {self.kind} {self.name!r}"

    @property
    def accounts(self) -> frozenset[str] | None:
        """Ids of the accounts below which rows may be seen; None: all."""
        return None if self.within is None else frozenset(one for kind, one in self.within if kind == "Account")

    @property
    def sources(self) -> frozenset[str] | None:
        """Codes of the sources of which usage may be seen; None: all."""
        return None if self.within is None else frozenset(one for kind, one in self.within if kind == "Source")


@dataclass(frozen=True, slots=True)
class Resource:
    """What something is to be done to: its type and id, and what it is part of, nearest first."""

    type: str
    id: str
    above: tuple[tuple[str, str], ...] = ()


def of_account(chain: Sequence[str]) -> Resource:
    """Return an account as a resource; `chain`: its id and those of the accounts above it, nearest first."""
    return Resource("Account", chain[0], accounts_of(chain[1:]))


def accounts_of(chain: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what something is part of that belongs to an account; `chain`: ids of accounts, nearest first."""
    return tuple(("Account", one) for one in chain)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is permitted, by which roles, and in words; `outside`: only a limit of the key stands against it."""

    allowed: bool
    roles: tuple[str, ...]
    outside: bool
    why: str


def expanded(grants: Iterable[str]) -> frozenset[str]:
    """Return the actions that grants stand for.

    Raises:
        UnableToGrant: when one stands for none.
    """
    found: set[str] = set()
    for grant in grants:
        entity, colon, action = grant.partition(":")
        meant = {
            one
            for one in ACTIONS
            if grant == "*"
            or (colon and entity in ("*", one.partition(":")[0]) and action in ("*", one.partition(":")[2]))
        }
        if not meant:
            raise UnableToGrant(f'"{grant}" is no permission: `octroi role list` shows those of each role')
        found |= meant
    return frozenset(found)


def check_role(role: Role) -> None:
    """Check a tenant's own role.

    Raises:
        UnableToGrant: when it cannot be.
    """
    if CODE.fullmatch(role.code) is None:
        raise UnableToGrant(f'"{role.code}" cannot name a role: small letters, digits, _ and -, at most 63')
    if role.code in ROLES:
        raise UnableToGrant(f"every tenant has the role {role.code}: give yours another name")
    if not role.grants:
        raise UnableToGrant("a role permits something")
    if not 0 < len(role.description) <= 255 or not role.description.isprintable():
        raise UnableToGrant("a role has a description of at most 255 characters")
    expanded(role.grants)


def check_roles(codes: Sequence[str], known: Mapping[str, Role]) -> None:
    """Check that a key may have roles.

    Raises:
        UnableToGrant: when there is none, or one is unknown.
    """
    if not codes:
        raise UnableToGrant("a role is needed: `octroi role list` shows them")
    if unknown := [code for code in codes if code not in known]:
        raise UnableToGrant(f"there is no role {unknown[0]}; there are {', '.join(sorted(known))}")


def check_no_more(policies: Policies, principal: Principal, granted: frozenset[str], within: Principal) -> None:
    """Check that somebody gives away nothing that they have not themselves.

    Args:
        granted: actions. within: who would have them, for what it is limited to.

    Raises:
        UnableToGrant: when it is more.
    """
    own = frozenset[str]().union(*(policies.actions.get(code, frozenset()) for code in principal.roles))
    if more := sorted(granted - own):
        raise UnableToGrant(f"{more[0]} cannot be given: {principal.told} may not do it itself")
    if principal.within is not None and (within.within is None or not within.within <= principal.within):
        raise UnableToGrant(f"{principal.told} is limited, and can give away no more than that")


class Policies:
    """The policies of a tenant: its roles, and what limits keys."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        """Take all roles by code.

        Raises:
            UnableToGrant: when one grants what there is not.
        """
        self.actions = {code: expanded(role.grants) for code, role in roles.items()}
        self._policies = _parsed(tuple(sorted((code, tuple(sorted(found))) for code, found in self.actions.items())))

    def anywhere(self, principal: Principal, action: str) -> Decision:
        """Return whether a principal may do something to anything at all: what its roles say, whatever limits it."""
        roles = tuple(code for code in principal.roles if action in self.actions.get(code, ()))
        if roles:
            return Decision(True, roles, False, f"the role {roles[0]} permits {action}")
        named = ", ".join(principal.roles) or "none"
        return Decision(False, (), False, f"no role of {principal.told} ({named}) permits {action}")

    def decide(self, principal: Principal, action: str, resource: Resource) -> Decision:
        """Return whether a principal may do something to a resource."""
        known = self.anywhere(principal, action)
        if _is_allowed(self._policies, _near(principal, resource), action, resource):
            return known
        if not known.allowed:
            return known
        why = f"{principal.told} is limited, and this is outside of what it is limited to"
        return Decision(False, known.roles, True, why)


def _near(principal: Principal, resource: Resource) -> Principal:
    """Return a principal with only those limits that can matter to a resource: a thousand cost Cedar many milliseconds."""
    if principal.within is None:
        return principal
    return replace(principal, within=principal.within & {(resource.type, resource.id), *resource.above})


@lru_cache(maxsize=64)
def _parsed(roles: tuple[tuple[str, tuple[str, ...]], ...]) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_str(policy_text(roles))


@lru_cache(maxsize=4096)
def _is_allowed(policies: cedarpy.PolicySet, principal: Principal, action: str, resource: Resource) -> bool:
    """Return what Cedar says: it takes some 0.2 ms, and says the same of the same."""
    request = {
        "principal": {"type": principal.kind.title(), "id": principal.id},
        "action": {"type": "Action", "id": action},
        "resource": {"type": resource.type, "id": resource.id},
        "context": {},
    }
    answer = cedarpy.is_authorized(request, policies, _entities(principal, resource))
    if answer.diagnostics.errors:
        raise AssertionError(f"Cedar cannot decide on {action}: {answer.diagnostics.errors[0]}")
    return bool(answer.allowed)


def policy_text(roles: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return roles, each with its actions, as Cedar's policies."""
    told = [
        f'@id("{code}")\npermit (principal in Role::"{code}", action in ['
        + ", ".join(f'Action::"{action}"' for action in actions)
        + "], resource);"
        for code, actions in roles
    ]
    told.append(
        '@id("limits")\nforbid (principal, action, resource)\n'
        "when { principal.limited && !(resource in principal.within) };"
    )
    return "\n".join(told)


def _entities(principal: Principal, resource: Resource) -> str:
    within = sorted(principal.within or ())
    known = [
        {
            "uid": _uid(principal.kind.title(), principal.id),
            "attrs": {
                "limited": principal.within is not None,
                "within": [{"__entity": _uid(*one)} for one in within],
            },
            "parents": [_uid("Role", code) for code in principal.roles],
        }
    ]
    chain = [(resource.type, resource.id), *resource.above]
    for place, one in enumerate(chain):
        parents = [_uid(*chain[place + 1])] if place + 1 < len(chain) else []
        known.append({"uid": _uid(*one), "attrs": {}, "parents": parents})
    return json.dumps(known)


def _uid(kind: str, identifier: str) -> dict[str, str]:
    return {"type": kind, "id": identifier}


def check_action(action: str) -> None:
    """Check that there is an action.

    Raises:
        UnableToGrant: when there is none.
    """
    if action not in ACTIONS:
        raise UnableToGrant(f'"{action}" is no action; there are {", ".join(sorted(ACTIONS))}')
