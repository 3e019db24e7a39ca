"""`POST /v1/charging/…`: usage that is charged while it happens, one request each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.api.access_log import note
from apps.api.gate import Gate
from apps.api.json_bodies import read_body
from apps.api.keys import Keys
from apps.api.problems import Problem
from apps.embedded.charging_looks import check_balance
from apps.embedded.charging_requests import UnableToRequest
from apps.embedded.charging_words import answer_as_dict, read_request
from apps.embedded.wallet_looks import show_account
from schemas.charging import ChargingKind

BODY_BYTES_MAX = 64 << 10
CHANGE_ACTIONS = {"top_up": "wallet:top_up", "adjustment": "wallet:adjust", "transfer": "wallet:transfer"}
"""What a key needs for each kind of change."""
_PROBLEMS = {
    "UNKNOWN_WALLET": "unknown-name",
    "INSUFFICIENT_BALANCE": "insufficient-balance",
    "NOT_ONE_GROUP": "bad-request",
    "ANOTHER_REQUEST": "id-reused",
    "INVALID_REQUEST": "bad-request",
    "UNKNOWN_ACCESS_POINT": "unknown-name",
    "UNKNOWN_EVENT_TYPE": "unknown-name",
    "UNKNOWN_ACCOUNT": "unknown-name",
    "UNAVAILABLE": "unavailable",
}


class Charges:
    """Takes requests of online charging."""

    def __init__(self, keys: Keys, gate: Gate) -> None:
        """Take who may charge, and the gate to the main loop."""
        self._keys = keys
        self._gate = gate

    def route(self, kind: ChargingKind) -> Callable[[Request], Awaitable[Response]]:
        """Return what serves one kind of request."""

        async def post(request: Request) -> Response:
            await self._permit(request, f"charging:{kind.name.lower()}")
            with self._gate.admit() as admission:
                body = await self._read(request)
                admission.grow(BODY_BYTES_MAX)
                answer = await self._wait(lambda: self._submit(kind, body))
            note(request.scope, code=answer.code.name)
            return JSONResponse(answer_as_dict(answer))

        return post

    def change(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """Return what serves one kind of change of wallets without usage."""

        async def post(request: Request) -> Response:
            await self._permit(request, CHANGE_ACTIONS[kind])
            with self._gate.admit() as admission:
                body = await self._read(request)
                admission.grow(BODY_BYTES_MAX)
                answer = await self._wait(lambda: self._changed(kind, body))
            return JSONResponse(answer)

        return post

    def _changed(self, kind: str, body: dict[str, Any]) -> Future[Any]:
        desk = self._gate.require_open().wallets
        future = desk.submit(kind, body)
        self._gate.command(desk.take)  # what waits by then is taken together
        return future

    async def balance(self, request: Request) -> Response:
        """Answer what the wallets of an account hold."""
        await self._permit(request, "wallet:read")
        account = request.path_params["account"]
        with self._gate.admit():
            desk = self._gate.require_open().charging
            found = await self._wait(lambda: desk.look(lambda engine: check_balance(engine, account)))
        return JSONResponse({"account": account, "wallets": found})

    async def wallets(self, request: Request) -> Response:
        """Answer what an account has: wallets, and counters in their present periods."""
        await self._permit(request, "wallet:read")
        account = request.path_params["account"]
        with self._gate.admit():
            desk = self._gate.require_open().charging
            found = await self._wait(lambda: desk.look(lambda engine: show_account(engine, account)))
        return JSONResponse(found)

    async def _permit(self, request: Request, action: str) -> None:
        self._gate.require_open()
        caller = await self._keys.asked(request)
        caller.require_charging(action)

    def _submit(self, kind: ChargingKind, body: Any) -> Future[Any]:
        engine = self._gate.require_open()
        return engine.charging.submit(read_request(engine, kind, body))

    @staticmethod
    async def _wait(ask: Callable[[], Future[Any]]) -> Any:
        try:
            return await asyncio.wrap_future(ask())
        except UnableToRequest as error:
            name = _PROBLEMS[error.code]
            headers = {"Retry-After": "1"} if name == "unavailable" else None
            raise Problem(name, str(error), headers=headers, code=error.code) from error

    @staticmethod
    async def _read(request: Request) -> Any:
        body = await read_body(request, BODY_BYTES_MAX)
        try:
            said = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Problem("bad-request", "the body is no JSON") from error
        if not isinstance(said, dict):
            raise Problem("bad-request", "the body is no JSON object")
        return said
