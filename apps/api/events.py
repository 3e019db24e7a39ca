"""`POST /v1/events`: from a request to a receipt, in steps that each refuse in their own words."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from apps.api.access_log import note
from apps.api.answers import accepted
from apps.api.bodies import Body, write_body
from apps.api.gate import Admission, Gate, Waiting
from apps.api.idempotency import idempotency_key
from apps.api.keys import Caller, Keys
from apps.api.media import encoding_of, media_of
from apps.api.problems import Problem
from apps.embedded.posted import Receipt, body_name, digest
from apps.settings import Settings
from pipelines.spool.claims import Arrival

BODY_TIMEOUT_S = 120.0
WRITERS = 8
"""Threads that expand and write bodies: they mostly wait for the disk, which syncs several files at once."""


class Events:
    """Takes bodies of usage."""

    def __init__(self, settings: Settings, keys: Keys, gate: Gate) -> None:
        """Take what is configured, who may send, and the gate to the main loop."""
        self._settings = settings
        self._keys = keys
        self._gate = gate
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="body")

    async def post(self, request: Request) -> Response:
        """Take one body: 202 once everything that it holds is durable.

        Raises:
            Problem: when it is refused.
        """
        self._gate.require_open()
        caller = await self._keys.asked(request)
        code = _source_of(request)
        caller.require(code)
        source = self._gate.source(code)
        note(request.scope, source=code)
        media = media_of(request.headers.get("content-type"), source)
        encoding = encoding_of(request.headers.get("content-encoding"))
        key = idempotency_key(request.headers.get("idempotency-key"))
        with self._gate.admit() as admission:
            raw = await self._read(request, admission)
            note(request.scope, bytes=len(raw))
            receipt = await self._take(Body(raw, encoding, code, media), caller, key, admission)
        note(request.scope, claim=receipt.claim, records=receipt.sums["received"])
        return accepted(receipt)

    async def _read(self, request: Request, admission: Admission) -> bytearray:
        """Return the body as it is sent.

        Raises:
            Problem: body-too-large, body-timeout, too-many-requests, or bad-request when there is none.
        """
        most = self._settings.http_body_bytes_max
        too_large = Problem("body-too-large", f"the body has more than {most} bytes", bytes_max=most)
        declared = request.headers.get("content-length", "0")
        if int(declared) > most:  # the server has refused what is no number
            raise too_large
        admission.grow(int(declared))
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > most:
                        raise too_large
                    admission.grow(len(body) + len(chunk))
                    body += chunk
        except TimeoutError as error:
            raise Problem("body-timeout", f"the body was not whole after {BODY_TIMEOUT_S:g} s") from error
        except ClientDisconnect as error:
            raise Problem("bad-request", "the connection ended before the body did") from error
        if not body:
            raise Problem("bad-request", "the request has no body")
        return body

    async def _take(self, body: Body, caller: Caller, key: str | None, admission: Admission) -> Receipt:
        engine = self._gate.require_open()
        path = self._gate.directory(engine) / secrets.token_hex(16)
        loop = asyncio.get_running_loop()

        def write() -> str:
            most = self._settings.http_expanded_bytes_max
            return write_body(body, path, secret=engine.secret, bytes_max=most, grow=admission.grow)

        try:
            content = await loop.run_in_executor(self._writers, write)
        except OSError as error:
            raise Problem("unavailable", "there is no room for the body", headers={"Retry-After": "30"}) from error
        who = caller.name if caller.user is None else caller.author  # no key's name has a blank
        mine = None if key is None else digest(engine.secret, b"key", who.encode(), key.encode())
        try:
            if mine is not None and (before := self._gate.begin(mine, content)):
                path.unlink()
                return await loop.run_in_executor(self._writers, self._gate.answer_again, before)
        except Problem:
            path.unlink(missing_ok=True)
            raise
        name = body_name(content, body.media.ending, mine)
        waiting = Waiting(Arrival(body.source, name, path), path.stat().st_size, mine, content)
        try:
            future = self._gate.submit(waiting)
        except Problem:
            path.unlink(missing_ok=True)
            if mine is not None:
                self._gate.give_up(mine)
            raise
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads."""
        self._writers.shutdown(wait=False, cancel_futures=True)


def _source_of(request: Request) -> str:
    asked = set(request.query_params.getlist("source") + request.headers.getlist("octroi-source"))
    if len(asked) != 1:
        told = "name one source, by `?source=CODE` or by the header `octroi-source`"
        raise Problem("bad-request", told)
    return asked.pop()
