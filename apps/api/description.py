"""What OpenAPI says about each operation: kinds of body with examples, answers with examples, every problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.api.answers import Answer
from apps.api.media import (
    ARROW_STREAM,
    CLOUDEVENT,
    CLOUDEVENT_BATCH,
    CSV,
    JSON,
    NDJSON,
    OCTETS,
    PARQUET,
)
from apps.api.problems import KINDS, PROBLEM_MEDIA_TYPE, Problem

_EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/gateways/7",
    "type": "traffic",
    "time": "2026-10-05T09:00:00Z",
    "data": {"device": "d-1", "bytes": 1500},
}
_LINES = (
    '{"specversion":"1.0","id":"e-1","source":"/gateways/7","type":"traffic","time":"2026-10-05T09:00:00Z",'
    '"data":{"device":"d-1","bytes":1500}}\n'
)
_ANSWER: dict[str, Any] = {
    "claim": 12,
    "source": "events",
    "received": 3,
    "accepted": 1,
    "absorbed": 0,
    "duplicates": 1,
    "superseded": 0,
    "filtered": 0,
    "parked": 0,
    "rated": 1,
    "rejected": [
        {
            "index": 2,
            "id": "12-2",
            "code": "TIMESTAMP_WITHOUT_ZONE",
            "reason": "the event time has no zone and the source names none",
            "detail": "time is '2026-10-05 15:00:00'",
            "stage": "decode",
            "outcome": "rejected",
        }
    ],
    "unrated": [],
    "omitted": 0,
}
_DETAILS = {
    "bad-request": "name one source, by `?source=CODE` or by the header `octroi-source`",
    "unauthorized": "the key is not known",
    "forbidden": "no role of the key 'shop' (care) permits event:create",
    "source-not-permitted": "the key 'gateway' may not send to 'calls'",
    "body-timeout": "the body was not whole after 120 s",
    "request-in-progress": "the first request with this key is not answered yet",
    "body-too-large": "the body has more than 67108864 bytes",
    "unsupported-media-type": "the source 'events' (cloudevents) does not read text/csv",
    "unknown-source": "the catalog in force defines no source 'event'",
    "undecodable-body": "column 'caller' is missing",
    "idempotency-key-reused": "take another key for another body, or send the same body again",
    "too-many-requests": "1000 requests are on their way",
    "rate-limited": "you ask too often",
    "internal-error": "octroi has told its operator; send the request again later",
    "unavailable": "octroi is starting",
}
_MORE: dict[str, dict[str, Any]] = {
    "body-too-large": {"bytes_max": 67108864},
    "unsupported-media-type": {"accepted": [CLOUDEVENT, CLOUDEVENT_BATCH, JSON, NDJSON]},
    "undecodable-body": {"code": "MISSING_COLUMN", "claim": 13},
}
_BODIES: dict[str, tuple[str, Any]] = {
    CLOUDEVENT: ("One CloudEvent 1.0 in structured mode", _EVENT),
    CLOUDEVENT_BATCH: ("An array of CloudEvents (JSON Batch Format)", [_EVENT]),
    NDJSON: ("JSON objects, one per line", _LINES),
    JSON: ("A JSON object, or an array of them", [_EVENT]),
    CSV: (
        "A file of delimited text, with its header where the source has one",
        "id,caller,at,seconds\n1,336,2026-10-05T09:00:00Z,60\n",
    ),
    ARROW_STREAM: ("An Arrow IPC stream", None),
    PARQUET: ("A Parquet file", None),
    OCTETS: ("A file in any binary format that the source reads", None),
}
_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "source",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "code of a source in the catalog; the header `octroi-source` says the same",
        "example": "events",
    },
    {
        "name": "octroi-source",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "code of a source in the catalog, unless the query names it",
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "the same key with the same body is answered as the first time, and taken once",
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    },
    {
        "name": "Content-Encoding",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "enum": ["gzip", "zstd"]},
        "description": "how the body is compressed",
    },
]


def problem_response(status: int, details: Mapping[str, str] = _DETAILS) -> dict[str, Any]:
    """Return what describes a status: an example of each kind of problem with it, in the words of `details`."""
    names = [name for name, kind in KINDS.items() if kind.status == status and name in details]
    examples = {
        name: {"summary": KINDS[name].title, "value": Problem(name, details[name], **_MORE.get(name, {})).as_dict()}
        for name in names
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    found: dict[str, Any] = {
        "description": "; ".join(KINDS[name].title for name in names),
        "content": {PROBLEM_MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    if status in (409, 429, 503):
        told = "seconds after which to try again"
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": told}}
    return found


def events_operation() -> dict[str, Any]:
    """Return what describes `POST /v1/events`."""
    statuses = sorted({KINDS[name].status for name in _DETAILS})
    bodies = {
        media: {
            "schema": {"type": "string", "format": "binary", "description": told},
            **({} if example is None else {"example": example}),
        }
        for media, (told, example) in _BODIES.items()
    }
    return {
        "summary": "Send usage",
        "description": (
            "Takes one body of usage for one source. It is answered once everything that came of it is durable. A record that "
            "is refused does not stop the others; a body that cannot be decoded changes nothing. Records that are sent again "
            "are duplicates."
        ),
        "operation_id": "post_events",
        "tags": ["usage"],
        "status_code": 202,
        "response_description": "Everything in the body was processed and is stored",
        "responses": {
            202: {
                "model": Answer,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Answer"}, "example": _ANSWER}},
            },
            **{status: problem_response(status) for status in statuses},
        },
        "openapi_extra": {
            "parameters": _PARAMETERS,
            "requestBody": {"required": True, "content": bodies},
            "security": [{"key": []}, {"session": []}],
        },
    }


def state_operation(name: str) -> dict[str, Any]:
    """Return what describes `GET /healthz` or `GET /readyz`."""
    is_ready = name == "readyz"
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    example = {"status": "ready" if is_ready else "ok"}
    return {
        "summary": "Whether usage is taken" if is_ready else "Whether the process runs",
        "operation_id": "get_readiness" if is_ready else "get_health",
        "tags": ["state"],
        "responses": {
            200: {"description": "Yes", "content": {JSON: {"schema": schema, "example": example}}},
            **({503: problem_response(503)} if is_ready else {}),
        },
    }


def complete(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the generated description with what is common to all operations, and schemas by name."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "a key of `octroi key add`, or of the setting `api_keys`",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-octroi",
            "description": "what `POST /v1/session` sets; all but GET needs the header `X-CSRF-Token` with what it answered",
        },
    }
    components.setdefault("schemas", {})["Problem"] = {
        "type": "object",
        "title": "Problem",
        "description": "RFC 9457 problem details",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": [Problem(name, "").as_dict()["type"] for name in KINDS]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "description": "why the body cannot be decoded: a code of a refused file"},
            "claim": {"type": "integer", "description": "number of the refused body in the log"},
            "accepted": {
                "type": "array",
                "items": {"type": "string"},
                "description": "media types that the source reads",
            },
            "bytes_max": {"type": "integer"},
            "errors": {
                "type": "array",
                "description": "what is wrong with the body, by JSON Pointer",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                },
            },
        },
    }
    return schema
