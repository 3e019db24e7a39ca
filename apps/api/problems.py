"""What is wrong with a request, as RFC 9457 problem details: stable types, one per kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

PROBLEM_MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:octroi:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status and what it means; its type is `urn:octroi:problem:` and its name."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood"),
    "unauthorized": Kind(401, "A valid API key or session is needed"),
    "not-proven": Kind(401, "Name, password or code are not right, or were wrong too often"),
    "login-too-old": Kind(401, "A login of a short while ago is needed"),
    "code-needed": Kind(401, "A code of the second factor is needed"),
    "forbidden": Kind(403, "No role of the API key or the user permits this"),
    "cross-site": Kind(403, "The request does not show that octroi's own page sent it"),
    "source-not-permitted": Kind(403, "The API key may not send to this source"),
    "not-found": Kind(404, "There is nothing at this address"),
    "method-not-allowed": Kind(405, "This address knows other methods"),
    "body-timeout": Kind(408, "The body did not come in time"),
    "request-in-progress": Kind(409, "A request with this idempotency key is being processed"),
    "conflict": Kind(409, "The state of things stands against it"),
    "precondition-failed": Kind(412, "It was changed since it was read"),
    "body-too-large": Kind(413, "The body is too large"),
    "unsupported-media-type": Kind(415, "The source does not read this kind of body"),
    "unknown-source": Kind(422, "The catalog defines no such source"),
    "unknown-name": Kind(422, "The catalog has no such access point, event type, account or wallet"),
    "undecodable-body": Kind(422, "The body cannot be decoded, and nothing of it was processed"),
    "idempotency-key-reused": Kind(422, "The idempotency key was used for another body"),
    "invalid-body": Kind(422, "The body is not as it must be"),
    "refused": Kind(422, "This cannot be done"),
    "precondition-required": Kind(428, "The header If-Match is needed"),
    "too-many-requests": Kind(429, "Too much is on its way already"),
    "rate-limited": Kind(429, "It is asked too often"),
    "id-reused": Kind(422, "Another request had this id"),
    "insufficient-balance": Kind(422, "The wallet does not have that much"),
    "internal-error": Kind(500, "A defect of octroi"),
    "unavailable": Kind(503, "Nothing is taken right now"),
}
"""Every problem there is. Types are a contract: none is renamed, none is used for something else."""


class Problem(Exception):
    """A request that is refused."""

    def __init__(self, name: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        """Take the name of a kind, what is wrong in words, headers of the answer, and more members."""
        super().__init__(detail)
        self.name = name
        self.kind = KINDS[name]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def as_dict(self) -> dict[str, Any]:
        """Return the members of the problem."""
        return {
            "type": _PREFIX + self.name,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> Response:
        """Return the answer."""
        return Response(
            json.dumps(self.as_dict(), ensure_ascii=False).encode("utf-8", "replace"),
            self.kind.status,
            self.headers,
            PROBLEM_MEDIA_TYPE,
        )


def unauthorized(detail: str) -> Problem:
    """Return the refusal of a request that does not say who it is from."""
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="octroi"'})


def of_status(status: int, headers: Mapping[str, str] | None) -> Problem:
    """Return the problem that stands for a bare HTTP status."""
    name = next((name for name, kind in KINDS.items() if kind.status == status), "bad-request")
    return Problem(name, HTTPStatus(status).description or HTTPStatus(status).phrase, headers=headers)
