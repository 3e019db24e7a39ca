"""Top-ups, adjustments and transfers as commands: for the owner's socket, and for a process that owns the directory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from apps.embedded.charging_requests import UnableToRequest

if TYPE_CHECKING:
    from apps.embedded.engine import Engine


def change_here(engine: Engine, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take requests, each its JSON with its `kind`, between two entries of the log; return their answers, or why not."""
    waiting: list[tuple[dict[str, Any], Future[dict[str, Any]] | None]] = []
    for one in asked:
        body = dict(one)
        kind = str(body.pop("kind", ""))
        try:
            waiting.append(({}, engine.wallets.submit(kind, body)))
        except UnableToRequest as error:
            waiting.append((_refusal(error, body), None))
    engine.wallets.take(engine)
    engine.flush()
    answers = []
    for (refused, future), body in zip(waiting, asked, strict=True):
        try:
            answers.append(refused if future is None else future.result() | {"code": "DONE"})
        except UnableToRequest as error:
            answers.append(_refusal(error, body))
    return answers


def _refusal(error: UnableToRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": body.get("id", ""), "code": error.code, "detail": str(error)}
