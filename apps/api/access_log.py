"""One line per request, without personal data: no address, no key, no query, nothing of a body."""

from __future__ import annotations

import re
import secrets
import time
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTES = "octroi.notes"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
PATHS = frozenset(
    {
        "/v1/events",
        "/openapi.json",
        "/v1/session",
        *(f"/v1/charging/{name}" for name in ("reserve", "confirm", "cancel", "charge", "refund")),
    }
)
"""Paths that are logged as they are; of others nobody knows what they hold."""
PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that are asked for all the time."""


def note(scope: MutableMapping[str, Any], **values: object) -> None:
    """Add to the line of a request."""
    scope.setdefault(_NOTES, {}).update(values)


class AccessLog:
    """Wraps an application: gives every request an id, echoed as `X-Request-Id`, and tells how each one ended."""

    def __init__(self, app: ASGIApp, say: Callable[[str], None], *, quiet: bool) -> None:
        """Tell `say` a line per request, or, when `quiet`, only of defects."""
        self._app = app
        self._say = say
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        identity = _identity(scope)
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", identity)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # answered with 500 by now; what its message holds may be somebody's data
            where = "".join(traceback.format_tb(error.__traceback__))
            self._say(f"this is a defect of octroi, in request {identity.decode()}:\n{where}{type(error).__name__}")
        finally:
            if not self._quiet and scope["path"] not in PROBES:
                self._say(_line(scope, status, time.monotonic() - started, identity))


def _identity(scope: Scope) -> bytes:
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()


def _line(scope: Scope, status: int, seconds: float, identity: bytes) -> str:
    path = scope["path"] if scope["path"] in PATHS else "(other)"
    noted = "".join(f" {name}={value}" for name, value in scope.get(_NOTES, {}).items())
    return f"{scope['method']} {path} {status}{noted} ms={seconds * 1000:.0f} request={identity.decode()}"
