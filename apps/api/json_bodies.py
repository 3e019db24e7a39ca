"""JSON that somebody sends: read whole within a bound, and refused when it is what a database or a reader would choke on."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from apps.api.problems import Problem

BODY_BYTES_MAX = 1 << 20
BODY_TIMEOUT_S = 10.0
DEPTH_MAX = 32
"""Levels of objects and arrays within each other."""
KINDS = ("application/json", "application/merge-patch+json")


async def read_json(
    request: Request, bytes_max: int = BODY_BYTES_MAX, timeout_s: float = BODY_TIMEOUT_S
) -> tuple[bytes, Any]:
    """Return a body as it came, and what it says; an empty body says an empty object.

    Raises:
        Problem: unsupported-media-type, body-too-large, body-timeout or bad-request.
    """
    raw = await read_body(request, bytes_max, timeout_s)
    if not raw:
        return raw, {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        told = f"send {KINDS[0]}, not {kind or 'a body without a type'}"
        raise Problem("unsupported-media-type", told, accepted=list(KINDS))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "this body must not be compressed", accepted=list(KINDS))
    return raw, parse(raw)


async def read_body(request: Request, bytes_max: int, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
    """Return a body of at most so many bytes.

    Raises:
        Problem: body-too-large, body-timeout, or bad-request when there is none.
    """
    too_large = Problem("body-too-large", f"the body has more than {bytes_max} bytes", bytes_max=bytes_max)
    if int(request.headers.get("content-length", "0")) > bytes_max:  # the server has refused what is no number
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise too_large
    except TimeoutError as error:
        raise Problem("body-timeout", f"the body was not whole after {timeout_s:g} s") from error
    except ClientDisconnect as error:
        raise Problem("bad-request", "the connection ended before the body did") from error
    return bytes(body)


def parse(raw: bytes) -> Any:
    """Return what JSON (RFC 8259, UTF-8) says.

    Raises:
        Problem: bad-request, when it is none, names a field twice, is too deep, or holds numbers or text that cannot be kept.
    """
    try:
        said = json.loads(raw.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Problem("bad-request", "the body is no JSON") from error
    _check(said, 0)
    return said


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is named twice")
    return found


def _check(value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise Problem("bad-request", f"the body is deeper than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check(name, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Problem("bad-request", "the body holds text with NUL or half a character")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Problem("bad-request", "the body holds a number that is too large")
