"""Who asks, and what they may do: keys, and sessions of users. Only hashes are known; comparing them takes the same time.

Keys of the tenant's database have roles and limits; those of the setting `api_keys` send and charge, as they always did. A
session is in a cookie, which browsers send by themselves: a change needs a proof, too, that octroi's own page sent it.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from apps.api.access_log import note
from apps.api.desk import Desk
from apps.api.problems import Problem, unauthorized
from apps.api.rates import Rates
from apps.clock import now_us
from apps.control.logins import idle_us
from apps.settings import ApiKey, Settings
from billing.access import keys, logins
from billing.access.permissions import ROLES, STATIC_ROLES, Policies, Principal, Resource
from billing.access.users import Session, User, proof_of

_SCHEME = "bearer"
FRESH_S = 2.0
"""For how long a key is known without looking again: what a revocation may take."""
_KNOWN_MAX = 10_000
_USE_US = 60_000_000
"""A use is kept when the one before is older than this."""
_STATIC = Policies(ROLES)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
RECENT_US = 15 * 60_000_000
PROOF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a key or a session, and the policies of the moment in which it was recognised."""

    principal: Principal
    policies: Policies
    tenant: str = ""
    user: User | None = None
    session: Session | None = None

    @property
    def name(self) -> str:
        """The key's name, or the user's."""
        return self.principal.name

    def require_recent(self) -> None:
        """Check that a user has logged in a short while ago: what opens for longer than a session is not made by a stolen one.

        Raises:
            Problem: login-too-old.
        """
        if self.session is not None and now_us() - self.session.created_at > RECENT_US:
            raise Problem(
                "login-too-old", f"log in again: this needs a login of the last {RECENT_US // 60_000_000} minutes"
            )

    @property
    def author(self) -> str:
        """Who changes, for the audit log."""
        return f"{self.principal.kind} {self.principal.name}"

    def require(self, source: str) -> None:
        """Check that this caller may send to a source.

        Raises:
            Problem: source-not-permitted, or forbidden.
        """
        found = self.policies.decide(self.principal, "event:create", Resource("Source", source))
        if found.outside:
            raise Problem("source-not-permitted", f"{self.principal.told} may not send to {source!r}")
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
            raise Problem("source-not-permitted", f"{self.principal.told} is limited to {told}, and may not charge")
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
        self._rates = None if desk is None else Rates(desk.settings)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, bytes], tuple[float, Caller]] = {}

    def caller(self, authorization: str | None) -> Caller:
        """Return who sends a request with this `Authorization` header (RFC 6750: `Bearer KEY`); may wait for the database.

        Raises:
            Problem: unauthorized.
        """
        token = _token(authorization)
        return self._at_hand(token) or self._looked_up(token)

    async def asked(self, request: Request) -> Caller:
        """Return who sends a request, by a key or by the cookie of a session, and note it for the log; a key goes first.

        Raises:
            Problem: unauthorized, rate-limited, or cross-site when a cookie came with a change, but no proof that octroi's own
                page sent it.
        """
        authorization = request.headers.get("authorization")
        cookie = None if self._desk is None else request.cookies.get(cookie_name(self._desk.settings))
        try:
            if authorization is not None or cookie is None:
                caller = await self.called(authorization)
            else:
                caller = self._remembered("session", cookie) or await self._run(lambda: self._session(cookie))
        except Problem as error:
            if error.name == "unauthorized":
                self.count_unrecognised(request)
            raise
        note(request.scope, **({"key": caller.name} if caller.user is None else {"user": caller.principal.id}))
        if self._rates is not None:
            self._rates.of(caller.principal)
        if caller.user is not None and request.method not in _SAFE:
            check_own_page(request)
            assert cookie is not None
            given = request.headers.get(PROOF_HEADER, "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, proof_of(cookie).encode()):
                raise Problem("cross-site", f"send the header `{PROOF_HEADER}` with what the login answered")
        return caller

    def count_unrecognised(self, request: Request) -> str:
        """Count a request of nobody who is known, and return its address.

        Raises:
            Problem: rate-limited, when too many came from its address.
        """
        if self._rates is None:
            return "" if request.client is None else request.client.host
        return self._rates.unrecognised(request)

    async def called(self, authorization: str | None) -> Caller:
        """Return what `caller` does, without holding up the server."""
        token = _token(authorization)
        found = self._at_hand(token)
        if found is not None:
            return found
        return await self._run(lambda: self._looked_up(token))

    async def _run(self, look: Callable[[], Caller]) -> Caller:
        return look() if self._desk is None else await self._desk.recognise(look)

    def forget(self) -> None:
        """Look at every key and session again before it opens anything: one has ended."""
        with self._lock:
            self._known.clear()

    def _at_hand(self, token: str) -> Caller | None:
        given = _digest(token)
        found = None
        for known, caller in self._static:  # all of them, whichever it is
            if hmac.compare_digest(known, given):
                found = caller
        if found is not None:
            return found
        return self._remembered("key", token)

    def _remembered(self, door: str, token: str) -> Caller | None:
        with self._lock:
            until, known_caller = self._known.get((door, _digest(token)), (0.0, None))
        return known_caller if until > time.monotonic() else None

    def _remember(self, door: str, token: str, caller: Caller, until: float) -> None:
        with self._lock:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[door, _digest(token)] = (until, caller)

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
        self._remember("key", token, caller, until)
        if key.used_at is None or now - key.used_at > _USE_US:
            desk.aside(key.id, lambda: keys.note_use(database, key, now))
        return caller

    def _session(self, cookie: str) -> Caller:
        desk, now = self._desk, now_us()
        assert desk is not None
        database = desk.find()
        idle = idle_us(desk.settings)
        found = None if database is None else logins.session_of(database, cookie, now, idle)
        if database is None or found is None:
            raise unauthorized("the session has ended: log in")
        session, user, policies = found
        caller = Caller(user.principal(), policies, database.tenant, user, session)
        left_us = min(session.expires_at, max(session.created_at, session.seen_at or 0) + idle) - now
        self._remember("session", cookie, caller, time.monotonic() + min(FRESH_S, left_us / 1e6))
        if now - max(session.created_at, session.seen_at or 0) > _USE_US:
            desk.aside(session.id, lambda: logins.note_use(database, session, now))
        return caller


def cookie_name(settings: Settings) -> str:
    """Return the name of the cookie of a session: `__Host-` lets no other host of the domain set it (RFC 6265bis §4.1.3.2)."""
    return "__Host-octroi" if settings.session_cookie_secure else "octroi"


def check_own_page(request: Request) -> None:
    """Check what a browser says of the page that sends a request (Fetch Metadata).

    Raises:
        Problem: cross-site, when it is another site's.
    """
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Problem("cross-site", "this was sent by a page of another site")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


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
