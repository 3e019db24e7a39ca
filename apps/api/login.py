"""Routes of who logs in: sessions, passwords, second factors. What compares passwords has threads of its own, and few of them.

A session's cookie is HttpOnly and SameSite=Strict; its page proves each change by `X-CSRF-Token`. No answer says whether there
is a user of a name, and none that holds a secret is kept by anybody on its way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from apps.api.desk import Desk
from apps.api.json_bodies import BODY_BYTES_MAX, BODY_TIMEOUT_S, read_json
from apps.api.keys import Caller, Keys, check_own_page, cookie_name
from apps.api.problems import Problem, unauthorized
from apps.api.resources import Reply, Route, checked_name, missing, read_model, respond, whole_list
from apps.api.views import CodesView, FactorView, SessionRow, SessionView, instant
from apps.clock import now_us
from apps.control import logins as control
from apps.control.places import making
from apps.settings import Settings
from billing.access import logins
from billing.access.passwords import UnableToSetPassword
from billing.access.permissions import UnableToGrant
from billing.access.second_factor import UnableToUnseal
from billing.access.store.changes import ChangedMeanwhile
from billing.access.store.database import Database
from billing.access.users import User, proof_of

THREADS = 2
"""Passwords that are compared at the same time: each takes the memory and the time of the setting `password_memory_kib`."""
WAITING_MAX = 16
OPEN_MAX, OPEN_OF_ADDRESS_MAX = 64, 4
"""Requests of nobody who is known that are read or looked at: in all, and from one address. They take no room of others."""
OPEN_BYTES_MAX, OPEN_TIMEOUT_S = 16 << 10, 3.0
"""How much such a request may say, and how long that may take."""
_Text = Annotated[str, Field(min_length=1, max_length=1024)]


class Login(BaseModel):
    """Who logs in; `code` of the telephone, or a recovery code, where there is a second factor."""

    model_config = ConfigDict(extra="forbid")

    name: _Text
    password: _Text
    code: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class PasswordReset(BaseModel):
    """A token that sets a password once, and the password."""

    model_config = ConfigDict(extra="forbid")

    token: _Text
    password: _Text


class PasswordChange(BaseModel):
    """The password, and what it becomes."""

    model_config = ConfigDict(extra="forbid")

    password: _Text
    new_password: _Text


class Proof(BaseModel):
    """The password, once more: a session that was stolen does not know it."""

    model_config = ConfigDict(extra="forbid")

    password: _Text


class FullProof(Proof):
    """The password and a code, once more."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class FirstCode(BaseModel):
    """The first code of a telephone."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of who logs in or has logged in. `cookie`: what the browser sent, None: nothing."""

    settings: Settings
    database: Database
    caller: Caller | None
    cookie: str | None
    path: dict[str, Any]
    body: Any

    def user(self) -> User:
        """Return who asks.

        Raises:
            Problem: unauthorized, when it is a key.
        """
        if self.caller is None or self.caller.user is None:
            raise unauthorized("this is for users who have logged in: a key has no session")
        return self.caller.user


def _cookie(settings: Settings, token: str, age_s: int) -> str:
    secure = "; Secure" if settings.session_cookie_secure else ""
    return f"{cookie_name(settings)}={token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"


def _shown(begun: control.LoggedIn) -> dict[str, Any]:
    user, session = begun.user, begun.session
    return {
        "id": session.id,
        "user": user.id,
        "name": user.name,
        "roles": list(user.roles),
        "second_factor": user.has_factor,
        "expires_at": instant(session.expires_at),
        "csrf_token": proof_of(begun.token),
    }


def _began(asked: Asked, begun: control.LoggedIn) -> Reply:
    return Reply(
        _shown(begun), cookie=_cookie(asked.settings, begun.token, asked.settings.session_hours * 3600), status=200
    )


def _log_in(asked: Asked) -> Reply:
    said = read_model(asked.body, Login)
    begun = control.log_in(asked.settings, asked.database, said.name, said.password, said.code, asked.cookie)
    return _began(asked, begun)


def _who(asked: Asked) -> Reply:
    user, caller = asked.user(), asked.caller
    assert caller is not None
    assert caller.session is not None
    assert asked.cookie is not None
    return Reply(_shown(control.LoggedIn(user, caller.session, asked.cookie)))


def _log_out(asked: Asked) -> Reply:
    user, caller = asked.user(), asked.caller
    assert caller is not None
    assert caller.session is not None
    with making(asked.database, caller.author) as changes:
        logins.end_session(changes, user.id, caller.session.id)
    return Reply(status=204, cookie=_cookie(asked.settings, "", 0))


def _sessions(asked: Asked) -> Reply:
    user, caller = asked.user(), asked.caller
    found = logins.open_sessions(asked.database, user.id, now_us(), control.idle_us(asked.settings))
    rows = [
        {
            "id": one.id,
            "created_at": instant(one.created_at),
            "used_at": instant(one.seen_at),
            "expires_at": instant(one.expires_at),
            "this": caller is not None and caller.session is not None and one.id == caller.session.id,
        }
        for one in found
    ]
    return whole_list(rows)


def _end_session(asked: Asked) -> Reply:
    user = asked.user()
    with making(asked.database, f"user {user.name}") as changes:
        if not logins.end_session(changes, user.id, asked.path["session"]):
            raise missing()
    return Reply(status=204)


def _reset(asked: Asked) -> Reply:
    said = read_model(asked.body, PasswordReset)
    control.set_password(asked.settings, asked.database, said.token, said.password)
    return Reply(status=204)


def _change_password(asked: Asked) -> Reply:
    user, said = asked.user(), read_model(asked.body, PasswordChange)
    return _began(
        asked, control.change_password(asked.settings, asked.database, user, said.password, said.new_password)
    )


def _begin_factor(asked: Asked) -> Reply:
    user, said = asked.user(), read_model(asked.body, Proof)
    secret, address = control.begin_factor(asked.settings, asked.database, user, said.password)
    return Reply({"secret": secret, "address": address}, 201)


def _confirm_factor(asked: Asked) -> Reply:
    user, said = asked.user(), read_model(asked.body, FirstCode)
    return Reply({"recovery_codes": control.confirm_factor(asked.settings, asked.database, user, said.code)})


def _remove_factor(asked: Asked) -> Reply:
    user, said = asked.user(), read_model(asked.body, FullProof)
    control.remove_factor(asked.settings, asked.database, user, said.password, said.code)
    return Reply(status=204)


def _renew_codes(asked: Asked) -> Reply:
    user, said = asked.user(), read_model(asked.body, FullProof)
    codes = control.renew_codes(asked.settings, asked.database, user, said.password, said.code)
    return Reply({"recovery_codes": codes})


_DOORS = ("session",)
LOGIN_ROUTES = [
    Route("POST", "/v1/session", "", "Log in", _log_in, SessionView, body=Login, secret=True, doors=()),
    Route("GET", "/v1/session", "", "Who has logged in", _who, SessionView, doors=_DOORS),
    Route("DELETE", "/v1/session", "", "Log out", _log_out, status=204, secret=True, doors=_DOORS),
    Route("GET", "/v1/sessions", "", "List one's own sessions", _sessions, SessionRow, is_list=True, doors=_DOORS),
    Route(
        "DELETE", "/v1/sessions/{session}", "", "End one of one's own sessions", _end_session, status=204, secret=True,
        doors=_DOORS,
    ),
    Route(
        "POST", "/v1/password-resets", "", "Set a password by a token, once", _reset, body=PasswordReset, status=204,
        secret=True, doors=(),
    ),
    Route(
        "PUT", "/v1/session/password", "", "Change one's own password", _change_password, SessionView, body=PasswordChange,
        secret=True, doors=_DOORS,
    ),
    Route(
        "POST", "/v1/session/second-factor", "", "Begin a second factor", _begin_factor, FactorView, body=Proof, status=201,
        secret=True, doors=_DOORS,
    ),
    Route(
        "PUT", "/v1/session/second-factor", "", "Ask for codes from now on", _confirm_factor, CodesView, body=FirstCode,
        secret=True, doors=_DOORS,
    ),
    Route(
        "POST", "/v1/session/second-factor/remove", "", "Ask for no codes any more", _remove_factor, body=FullProof,
        status=204, secret=True, doors=_DOORS,
    ),
    Route(
        "POST", "/v1/session/recovery-codes", "", "Have other recovery codes", _renew_codes, CodesView, body=FullProof,
        secret=True, doors=_DOORS,
    ),
]  # fmt: skip
"""No role permits or forbids these: they are about oneself."""


class Logins:
    """Serves the routes of who logs in."""

    def __init__(self, settings: Settings, keys: Keys, desk: Desk) -> None:
        """Take what is configured, who may ask, and the desk before the database."""
        self._settings = settings
        self._keys = keys
        self._desk = desk
        self._waiting = 0
        self._open: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")

    def served(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Return what serves a route."""

        async def serve(request: Request) -> Response:
            caller, bounds, said = None, (BODY_BYTES_MAX, BODY_TIMEOUT_S), None
            with ExitStack() as held:
                if route.doors:
                    caller = await self._keys.asked(request)
                    held.enter_context(self._desk.admit())
                else:
                    held.enter_context(self._opened(self._keys.count_unrecognised(request)))
                    check_own_page(request)
                    bounds = OPEN_BYTES_MAX, OPEN_TIMEOUT_S
                if request.query_params:
                    raise Problem("bad-request", "there is no parameter of this name; there are none")
                if "idempotency-key" in request.headers and route.changes:
                    raise Problem("bad-request", "this answer is not kept: send no Idempotency-Key")
                if route.body is not None:
                    _, said = await read_json(request, *bounds)
                if not route.doors:  # who is slow held nobody up until here
                    held.enter_context(self._desk.admit())
                cookie = request.cookies.get(cookie_name(self._settings))
                path = {name: checked_name(value) for name, value in request.path_params.items()}
                found = await self._run(route, caller, cookie, path, said)
            if route.changes:
                self._keys.forget()
            found.headers["Cache-Control"] = "no-store"
            return found

        return serve

    @contextmanager
    def _opened(self, address: str) -> Iterator[None]:
        """Count a request of nobody who is known, by its address.

        Raises:
            Problem: too-many-requests.
        """
        if self._open[address] >= OPEN_OF_ADDRESS_MAX or self._open.total() >= OPEN_MAX:
            raise Problem("too-many-requests", "many log in at the moment", headers={"Retry-After": "2"})
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    async def _run(
        self, route: Route, caller: Caller | None, cookie: str | None, path: dict[str, Any], said: Any
    ) -> Response:
        def work() -> Response:
            return respond(route.serve(Asked(self._settings, self._desk.database(), caller, cookie, path, said)))

        try:
            if route.body is None:  # nothing to compare: logins do not hold it up
                return await self._desk.run(work)
            return await self._compared(work)
        except control.NotProven as error:
            raise Problem(
                "not-proven", "this is not right, or was wrong too often: wait before you try again"
            ) from error
        except control.CodeNeeded as error:
            raise Problem("code-needed", "send `code`, too: of your telephone, or a recovery code") from error
        except (UnableToSetPassword, UnableToGrant, UnableToUnseal) as error:
            raise Problem("refused", str(error)) from error
        except ChangedMeanwhile as error:
            raise unauthorized("you were changed meanwhile: log in again") from error

    async def _compared(self, work: Callable[[], Response]) -> Response:
        if self._waiting >= WAITING_MAX:
            told = "many log in at the moment"
            raise Problem("too-many-requests", told, headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
