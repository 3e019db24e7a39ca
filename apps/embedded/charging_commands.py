"""Online charging as commands: for the owner's socket, and for a process that owns the directory for a moment."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from apps.embedded.charging_looks import check_balance, price_enquiry
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest, UnableToRequest
from apps.embedded.charging_words import answer_as_dict, read_request
from apps.embedded.wallet_looks import show_account
from schemas.charging import ChargingKind

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

ANSWER_WITHIN_S = 60.0
LOOKS = ("check_balance", "price_enquiry", "show_account")
"""What is answered between two blocks and moves nothing."""
Waiting = list[tuple[dict[str, Any], Future[ChargingAnswer] | None]]


def submitted(engine: Engine, asked: Sequence[dict[str, Any]]) -> Waiting:
    """Submit requests, each its JSON with its `kind`; return what they are answered already, or are waiting for."""
    waiting: Waiting = []
    for one in asked:
        body = dict(one)
        kind = str(body.pop("kind", "")).upper()
        try:
            if kind not in ChargingKind.__members__:
                raise UnableToRequest("INVALID_REQUEST", f"there is no request {kind.lower()!r}")
            request: ChargingRequest = read_request(engine, ChargingKind[kind], body)
            waiting.append(({"id": request.id}, engine.charging.submit(request)))
        except UnableToRequest as error:
            waiting.append((_refusal(error) | {"id": body.get("id", "")}, None))
    return waiting


def told(waiting: Waiting) -> list[dict[str, Any]]:
    """Return the answers of requests, waiting for them."""
    found = []
    for said, future in waiting:
        try:
            found.append(said if future is None else said | answer_as_dict(future.result(ANSWER_WITHIN_S)))
        except UnableToRequest as error:
            found.append(said | _refusal(error))
    return found


def charge_here(engine: Engine, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Submit requests and serve them, in the main loop itself."""
    waiting = submitted(engine, asked)
    while any(future is not None and not future.done() for _, future in waiting):
        engine.charging.serve(engine)
    engine.flush()
    return told(waiting)


def look_at(engine: Engine, request: dict[str, Any]) -> Any:
    """Answer a question that moves nothing."""
    if request["op"] == "show_account":
        return show_account(engine, str(request["account"]))
    if request["op"] == "check_balance":
        return check_balance(engine, str(request["account"]))
    return price_enquiry(engine, read_request(engine, ChargingKind.CHARGE, dict(request["request"])))


def _refusal(error: UnableToRequest) -> dict[str, Any]:
    return {"code": error.code, "detail": str(error)}
