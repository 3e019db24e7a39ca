"""Routes of what a tenant keeps: each declares what it needs, and is served by one function that reads or changes.

A change, its entries of the audit log and, with an `Idempotency-Key`, its answer are one transaction.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from apps.api.commanding import Commanding, Note
from apps.api.desk import Desk
from apps.api.gate import Gate
from apps.api.idempotency import idempotency_key
from apps.api.json_bodies import read_json
from apps.api.keys import Caller, Keys
from apps.api.problems import Problem
from apps.control.places import of_business
from apps.embedded.engine import Engine
from apps.settings import Settings
from billing.access.permissions import UnableToGrant
from billing.access.queries import find_tenant
from billing.access.rules import TenantIsSuspended, check_changeable
from billing.access.store.answers import Answered, find_answer, keep_answer
from billing.access.store.changes import ChangedMeanwhile, Changes, UnableToChange
from billing.access.store.database import Database
from billing.accounts.rules import UnableToKeepAccount
from billing.subscriptions.rules_lifecycle import UnableToKeepSubscription

LIMIT, LIMIT_MAX = 100, 1000
NAME_MAX = 255
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')
_HOUR_US = 3_600_000_000
_ACCESS = frozenset({"api_key", "role", "user"})
"""What decides who may do what: a change of it is in force at once, here."""
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is written already, of any kind; whether there are more rows than it has."""

    media: str
    data: bytes
    has_more: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a body for JSON, the revision of what it shows, which becomes the ETag, and a cookie that is set.

    `note` writes down in the audit log what the engine did.
    """

    body: Any = None
    status: int = 200
    revision: int | None = None
    location: str | None = None
    cookie: str | None = None
    note: Callable[[Changes], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that may be served.

    Attributes:
        caller: who. path, query: what is named there. body: what it says. changes: to change with, in requests that do.
        revision: of `If-Match`, None when any will do. gate: before the engine. accepts: the kind of body that is wanted, of
            those that the route has; empty for JSON.
    """

    caller: Caller
    database: Database
    settings: Settings
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    revision: int | None = None
    changes: Changes | None = None
    gate: Gate | None = None
    accepts: str = ""

    def engine(self) -> Engine:
        """Return the engine.

        Raises:
            Problem: unavailable, when it starts or stops.
        """
        assert self.gate is not None
        return self.gate.require_open()

    def changing(self) -> Changes:
        """Return what changes; only requests that change have it."""
        assert self.changes is not None
        return self.changes

    def read(self, model: type[Body]) -> Body:
        """Return the body as a model.

        Raises:
            Problem: invalid-body, with what is wrong by field, and nothing of what was said.
        """
        return read_model(self.body, model)

    @property
    def limit(self) -> int:
        """How many rows are asked for."""
        return int(self.query.get("limit", LIMIT))

    @property
    def after(self) -> str:
        """Behind what."""
        return self.query.get("starting_after", "")


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        action: what a key needs, `account:read`. whole: whether it concerns the whole tenant, and no limited key.
        query: names of parameters with what they mean, beside those of a list. body: the model of the body, for its
            description and its check. is_list: whether it answers rows; has_pages: by pages. matches: whether `If-Match` is
            heeded; needs_match: whether it must be there.
        secret: whether the answer holds a secret, so that it is never kept. reads: whether it changes no row, for all its
            method. kinds: of body beside JSON that it answers. doors: by what one may come in, by nothing when it is empty.
        recent: whether a user needs to have logged in a short while ago.
        engine: whether it needs the engine, and changes by it what it changes. slow: whether it waits for another process.
    """

    method: str
    path: str
    action: str
    summary: str
    serve: Callable[[Any], Reply]
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int = 200
    whole: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    is_list: bool = False
    has_pages: bool = False
    matches: bool = False
    needs_match: bool = False
    secret: bool = False
    reads: bool = False
    kinds: tuple[str, ...] = ()
    doors: tuple[str, ...] = ("key", "session")
    recent: bool = False
    engine: bool = False
    slow: bool = False

    @property
    def commands(self) -> bool:
        """Whether the engine changes something for it."""
        return self.engine and self.changes

    @property
    def changes(self) -> bool:
        """Whether it may change rows."""
        return self.method != "GET" and not self.reads

    @property
    def name(self) -> str:
        """The name of the operation."""
        words = re.sub(r"\{(\w+)\}", r"by_\1", self.path.removeprefix("/v1/"))
        return f"{self.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', words)}"


def read_model(body: Any, model: type[Body]) -> Body:
    """Return a body as a model.

    Raises:
        Problem: invalid-body, with what is wrong by field, and nothing of what was said.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = [
            {
                "pointer": "".join(f"/{part}" for part in one["loc"]),
                "detail": str(one["msg"]).removeprefix("Value error, "),
            }
            for one in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        ]
        raise Problem(
            "invalid-body", "; ".join(f"{one['pointer']}: {one['detail']}" for one in faults), errors=faults
        ) from None


def page(ask: Ask, rows: list[dict[str, Any]], path: str, cursor: str) -> Reply:
    """Return one page of rows, of which one more than asked for was read."""
    shown = rows[: ask.limit]
    has_more = len(rows) > ask.limit
    following = None
    if has_more:
        kept = {**ask.query, "starting_after": shown[-1][cursor], "limit": str(ask.limit)}
        following = f"{path}?{urlencode(kept)}"
    return Reply({"data": shown, "has_more": has_more, "next": following})


def whole_list(rows: list[dict[str, Any]]) -> Reply:
    """Return all rows of a list that has no pages."""
    return Reply({"data": rows, "has_more": False, "next": None})


def missing() -> Problem:
    """Return what is said of what there is not, and of what a key may not see."""
    return Problem("not-found", "there is nothing of this name")


class Resources:
    """Serves routes of what a tenant keeps."""

    def __init__(self, settings: Settings, keys: Keys, desk: Desk, gate: Gate) -> None:
        """Take what is configured, who may ask, the desk before the database and the gate before the engine."""
        self._settings = settings
        self._gate = gate
        self._keys = keys
        self._desk = desk
        self._commanding = Commanding()

    def served(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Return what serves a route."""

        async def serve(request: Request) -> Response:
            caller = await self._keys.asked(request)
            with self._desk.admit():
                return await answered(request, caller)

        async def answered(request: Request, caller: Caller) -> Response:
            if route.recent:
                caller.require_recent()
            if route.action:  # any key may ask what it may
                caller.require_whole(route.action) if route.whole else caller.require_action(route.action)
            path = {name: checked_name(value) for name, value in request.path_params.items()}
            query = _query(route, request)
            raw, said = await read_json(request) if route.body is not None else (b"", None)
            revision = _revision(route, request.headers.get("if-match"))
            accepts = _accepted(route, request.headers.get("accept", ""))
            key = idempotency_key(request.headers.get("idempotency-key")) if route.changes else None
            if key is not None and route.secret:
                raise Problem("bad-request", "this answer holds a secret, which is not kept: send no Idempotency-Key")

            def work() -> Response:
                ask = Ask(caller, self._desk.database(), self._settings, path, query, said, revision)
                ask = replace(ask, gate=self._gate, accepts=accepts)
                if not route.changes:
                    reply = route.serve(ask)
                    return _content(reply.body) if isinstance(reply.body, Content) else _response(_answered(reply, ""))
                content = _digest(
                    route.method,
                    str(request.url.path),
                    str(request.url.query),
                    str(revision),
                    hashlib.sha256(raw).hexdigest(),
                )
                mine = None if key is None else _digest(caller.principal.id, key)
                return (self._commanded if route.commands else self._changed)(route, ask, mine, content)

            try:
                answer = await (self._desk.run_slow if route.slow or route.commands else self._desk.run)(work)
                if route.changes and route.action.partition(":")[0] in _ACCESS:
                    self._keys.forget()
                if (
                    route.secret or caller.user is not None
                ):  # caches keep what came by a cookie, unlike what came by a key
                    answer.headers["Cache-Control"] = "no-store"
                return answer
            except (UnableToKeepAccount, UnableToKeepSubscription) as error:
                raise Problem("refused", str(error), code=error.column or None) from error
            except UnableToGrant as error:
                raise Problem("refused", str(error)) from error
            except ChangedMeanwhile as error:
                raise Problem("precondition-failed", "it was changed since: read it again") from error
            except TenantIsSuspended as error:
                raise Problem("conflict", "the tenant is suspended: its business stays as it is") from error
            except UnableToChange as error:
                raise Problem(
                    "conflict", "another row stands against it: a name is taken, or something refers to it"
                ) from error

        return serve

    def _commanded(self, route: Route, ask: Ask, key: str | None, content: str) -> Response:
        tenant = find_tenant(ask.database)
        check_changeable(tenant)

        def act() -> tuple[Answered, Note]:
            reply = route.serve(ask)
            return _answered(reply, content), reply.note

        kept_us = self._settings.http_idempotency_hours * _HOUR_US
        return _response(self._commanding.once(ask.database, tenant, ask.caller.author, (key, content), kept_us, act))

    def _changed(self, route: Route, ask: Ask, key: str | None, content: str) -> Response:
        with of_business(ask.database, ask.caller.author) as changes:
            since = changes.recorded_at - self._settings.http_idempotency_hours * _HOUR_US
            if key is not None and (before := find_answer(changes, key, since)) is not None:
                if before.content != content:
                    told = "take another key for another request, or send the same one again"
                    raise Problem("idempotency-key-reused", told)
                return _response(before)
            answer = _answered(route.serve(replace(ask, changes=changes)), content)
            if key is not None:
                keep_answer(changes, key, answer, since)
        return _response(answer)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def respond(reply: Reply) -> Response:
    """Return the response to a request of which no answer is kept."""
    found = _response(_answered(reply, ""))
    if reply.cookie is not None:
        found.headers["Set-Cookie"] = reply.cookie
    return found


def _answered(reply: Reply, content: str) -> Answered:
    headers = {} if reply.revision is None else {"ETag": f'"{reply.revision}"'}
    if reply.location is not None:
        headers["Location"] = reply.location
    body = "" if reply.body is None else json.dumps(reply.body, ensure_ascii=False, allow_nan=False)
    return Answered(content, reply.status, headers, body)


def _response(answer: Answered) -> Response:
    kind = "application/json" if answer.body else None
    return Response(answer.body or None, answer.status, dict(answer.headers), kind)


def _content(body: Content) -> Response:
    return Response(body.data, 200, {"octroi-has-more": "true" if body.has_more else "false"}, body.media)


def _accepted(route: Route, header: str) -> str:
    wanted = [one.partition(";")[0].strip().lower() for one in header.split(",")]
    return next((kind for kind in wanted if kind in route.kinds), "")


def checked_name(value: str) -> str:
    """Return what names something in a path.

    Raises:
        Problem: not-found, when nothing can have such a name.
    """
    if not 0 < len(value) <= NAME_MAX or not value.isprintable():
        raise missing()
    return value


def _query(route: Route, request: Request) -> dict[str, str]:
    known = [*route.query, *(("limit", "starting_after") if route.has_pages else ())]
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise Problem("bad-request", f"there is no parameter of this name; there are {', '.join(known) or 'none'}")
        if name in found or len(value) > NAME_MAX or not value.isprintable():
            raise Problem("bad-request", f"{name} is named twice, too long, or no line of text")
        found[name] = value
    limit = found.get("limit", "1")
    if not limit.isascii() or not limit.isdigit() or len(limit) > 4 or not 1 <= int(limit) <= LIMIT_MAX:
        raise Problem("bad-request", f"limit is a number from 1 to {LIMIT_MAX}")
    return found


def _revision(route: Route, header: str | None) -> int | None:
    if header is None:
        if route.needs_match:
            raise Problem("precondition-required", "send the ETag of what you read as `If-Match`, or `*`")
        return None
    if not route.matches:
        raise Problem("bad-request", "this is not done to a revision: send no `If-Match`")
    if header.strip() == "*":
        return None
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise Problem("precondition-failed", "this is no ETag of here: read it again")
    return int(found[1])
