"""What OpenAPI says about online charging."""

from __future__ import annotations

from typing import Any

from apps.api.description import problem_response
from apps.api.media import JSON
from apps.api.problems import KINDS
from apps.embedded.charging_words import ChargingBody
from schemas.charging import CODE_WORDS, ChargingKind

_DETAILS = {
    "bad-request": "quantity: '5' is no quantity, write \"NUMBER UNIT\"",
    "unauthorized": "the key is not known",
    "forbidden": "no role of the key 'shop' (care) permits charging:reserve",
    "source-not-permitted": "the key 'gateway' is limited to sources, and may not charge",
    "body-timeout": "the body was not whole after 10 s",
    "body-too-large": "the body has more than 65536 bytes",
    "unknown-name": "the catalog in force has no access point '+33600000009'",
    "id-reused": "another request had the id 'payment-815': take a new one, or repeat that one",
    "insufficient-balance": "wallet 'credit' of account 'ben' has not that much",
    "too-many-requests": "1000 requests are on their way",
    "internal-error": "octroi has told its operator; send the request again later",
    "unavailable": "octroi is starting",
}
_USAGE = {"access_point": "+33600000001", "event_type": "data", "quantity": "5 MB"}
_BODIES: dict[ChargingKind, tuple[str, str, dict[str, Any]]] = {
    ChargingKind.RESERVE: (
        "Reserve money and allowances for usage that begins",
        "Grants all that is asked for; with an increment, as many of them as the wallets can pay.",
        {"id": "s-1", **_USAGE, "increment": "1 MB", "validity_s": 60},
    ),
    ChargingKind.CONFIRM: (
        "End a reservation with what was used",
        "What was used is rated: less than was granted gives the rest back; more is charged, too, whatever the wallets hold.",
        {"id": "s-1-end", "of": "s-1", "quantity": "3 MB"},
    ),
    ChargingKind.CANCEL: (
        "End a reservation of which nothing was used",
        "What it held is given back: money and allowances.",
        {"id": "s-1-end", "of": "s-1"},
    ),
    ChargingKind.CHARGE: ("Charge usage at once", "All of it, or nothing.", {"id": "sms-1", **_USAGE}),
    ChargingKind.REFUND: (
        "Take a confirmation or a charge back",
        "Its rated item is reversed, as long as the request is remembered (setting charging_keep_s).",
        {"id": "back-1", "of": "sms-1"},
    ),
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["code", "granted_steps", "amount"],
    "properties": {
        "code": {"type": "string", "enum": [code.name for code in CODE_WORDS]},
        "granted_steps": {"type": "integer", "description": "what was granted or charged, in base steps of the unit"},
        "amount": {"type": "string", "description": "reserved, charged or given back, in the account's currency"},
        "expires_at": {"type": "string", "format": "date-time", "description": "until when a reservation is held"},
        "item": {"type": "string", "description": "id of the rated item that it came to, or took back"},
        "reason": {"type": "string", "description": "why it has no price: a reason code"},
        "detail": {"type": "string", "description": "what the code means"},
        "diameter": {"type": "string", "description": "the Diameter result code that says the same"},
    },
}
_EXAMPLE = {"code": "DONE", "granted_steps": 5000000, "amount": "0.5", "expires_at": "2026-10-05T09:01:00+00:00"}
SECURED: dict[str, Any] = {"security": [{"key": []}, {"session": []}]}


def problems() -> dict[int, dict[str, Any]]:
    """Return what describes the refusals of operations that move money."""
    return {status: problem_response(status, _DETAILS) for status in sorted({KINDS[name].status for name in _DETAILS})}


def charging_operation(kind: ChargingKind) -> dict[str, Any]:
    """Return what describes one of the operations."""
    summary, description, example = _BODIES[kind]
    schema = ChargingBody.model_json_schema()
    return {
        "summary": summary,
        "description": f"{description} The answer is durable; the same id again is answered the same.",
        "operation_id": f"charging_{kind.name.lower()}",
        "tags": ["charging"],
        "response_description": "How it ended; a refusal has another code than DONE",
        "responses": {200: {"content": {JSON: {"schema": _ANSWER, "example": _EXAMPLE}}}, **problems()},
        "openapi_extra": {
            "requestBody": {"required": True, "content": {JSON: {"schema": schema, "example": example}}},
            **SECURED,
        },
    }


def balance_operation() -> dict[str, Any]:
    """Return what describes the balance of an account."""
    wallet = {
        "wallet": "main",
        "account": "ana",
        "currency": "EUR",
        "open": "10",
        "reserved": "0.5",
        "available": "9.5",
    }
    schema = {
        "type": "object",
        "required": ["account", "wallets"],
        "properties": {
            "account": {"type": "string"},
            "wallets": {
                "type": "array",
                "items": {"type": "object", "properties": {name: {"type": "string"} for name in wallet}},
                "description": "in drawing order; available = open - reserved + overdraft",
            },
        },
    }
    example = {"account": "ana", "wallets": [wallet]}
    return account_operation("What the wallets of an account hold now", "get_balance", schema, example)


def account_operation(summary: str, operation: str, schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """Return what describes a question about an account."""
    parameter = {"name": "account", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": summary,
        "operation_id": operation,
        "tags": ["charging"],
        "responses": {
            200: {"content": {JSON: {"schema": schema, "example": example}}},
            **{status: found for status, found in problems().items() if status not in (408, 413)},
        },
        "openapi_extra": {"parameters": [parameter], **SECURED},
    }
