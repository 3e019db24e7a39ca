"""API keys: who asks, and what they may do. Only hashes are known; comparing them takes the same time, right or wrong.

Keys of the tenant's database have roles and limits; those of the setting `api_keys` send and charge, as they always did.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from apps.api.desk import Desk
from apps.api.problems import Problem, unauthorized
from apps.clock import now_us
from apps.settings import ApiKey
from billing.access import keys
from billing.access.permissions import ROLES, STATIC_ROLES, Policies, Principal, Resource

_SCHEME = "bearer"
FRESH_S = 2.0
"""For how long a key is known without looking again: what a revocation may take."""
_KNOWN_MAX = 10_000
_USE_US = 60_000_000
"""A use is kept when the one before is older than this."""
_STATIC = Policies(ROLES)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a key, and the policies of the moment in which it was recognised."""

    principal: Principal
    policies: Policies
    tenant: str = ""

    @property
    def name(self) -> str:
        """The key's name."""
        return self.principal.name

    def require(self, source: str) -> None:
        """Check that this caller may send to a source.

        Raises:
            Problem: source-not-permitted, or forbidden.
        """
        found = self.policies.decide(self.principal, "event:create", Resource("Source", source))
        if found.outside:
            raise Problem("source-not-permitted", f"the key {self.name!r} may not send to {source!r}")
        if not found.allowed:
            raise Problem("forbidden", found.why)

    def require_charging(self, action: str) -> None:
        """Check that this caller may do something to what wallets hold, and is limited to nothing: it moves money anywhere.

        Raises:
            Problem: source-not-permitted, or forbidden.
        """
        found = self.policies.decide(self.principal, action, self.whole)
        if found.outside:
            limits = {"sources" if kind == "Source" else "accounts" for kind, _ in self.principal.within or ()}
            told = " and ".join(sorted(limits or {"sources"}, reverse=True))
            raise Problem("source-not-permitted", f"the key {self.name!r} is limited to {told}, and may not charge")
        if not found.allowed:
            raise Problem("forbidden", found.why)

    def require_action(self, action: str) -> None:
        """Check that this caller may do something at all, to what it is limited to.

        Raises:
            Problem: forbidden.
        """
        found = self.policies.anywhere(self.principal, action)
        if not found.allowed:
            raise Problem("forbidden", found.why)

    def may(self, action: str, resource: Resource) -> bool:
        """Return whether this caller may do something to a resource."""
        return self.policies.decide(self.principal, action, resource).allowed

    def require_whole(self, action: str) -> None:
        """Check that this caller may do something that concerns the whole tenant.

        Raises:
            Problem: forbidden.
        """
        found = self.policies.decide(self.principal, action, self.whole)
        if not found.allowed:
            raise Problem("forbidden", found.why)

    @property
    def whole(self) -> Resource:
        """The tenant: what is part of no account."""
        return Resource("Tenant", self.tenant)


class Keys:
    """The keys of an installation's tenant."""

    def __init__(self, static: Mapping[str, ApiKey], desk: Desk | None = None) -> None:
        """Take the setting `api_keys`, and the desk behind which the others are."""
        self._static = [
            (bytes.fromhex(key.sha256.get_secret_value()), Caller(_static_principal(name, key), _STATIC))
            for name, key in static.items()
        ]
        self._desk = desk
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def caller(self, authorization: str | None) -> Caller:
        """Return who sends a request with this `Authorization` header (RFC 6750: `Bearer KEY`); may wait for the database.

        Raises:
            Problem: unauthorized.
        """
        token = _token(authorization)
        return self._at_hand(token) or self._looked_up(token)

    async def called(self, authorization: str | None) -> Caller:
        """Return what `caller` does, without holding up the server."""
        token = _token(authorization)
        found = self._at_hand(token)
        if found is not None:
            return found
        if self._desk is None:
            return self._looked_up(token)
        return await self._desk.recognise(lambda: self._looked_up(token))

    def _at_hand(self, token: str) -> Caller | None:
        given = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        found = None
        for known, caller in self._static:  # all of them, whichever it is
            if hmac.compare_digest(known, given):
                found = caller
        if found is not None:
            return found
        with self._lock:
            until, known_caller = self._known.get(given, (0.0, None))
        return known_caller if until > time.monotonic() else None

    def _looked_up(self, token: str) -> Caller:
        desk, now = self._desk, now_us()
        database = desk.find() if desk is not None and token.startswith("octroi_") else None
        found = None if database is None else keys.recognised(database, token, now)
        if desk is None or database is None or found is None:
            raise unauthorized("the key is not known")
        key, policies = found
        caller = Caller(key.principal(), policies, database.tenant)
        until = time.monotonic() + FRESH_S
        if key.expires_at is not None:
            until = min(until, time.monotonic() + (key.expires_at - now) / 1e6)
        with self._lock:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[hashlib.sha256(token.encode("latin-1", "replace")).digest()] = (until, caller)
        if key.used_at is None or now - key.used_at > _USE_US:
            desk.aside(key.id, lambda: keys.note_use(database, key, now))
        return caller


def _static_principal(name: str, key: ApiKey) -> Principal:
    within = None if key.sources is None else frozenset(("Source", source) for source in key.sources)
    return Principal(f"setting {name}", name, STATIC_ROLES, within)


def _token(authorization: str | None) -> str:
    if authorization is None:
        raise unauthorized("send the header `Authorization: Bearer KEY`")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != _SCHEME or not key.strip():
        raise unauthorized("the header `Authorization` must be `Bearer KEY`")
    return key.strip()
