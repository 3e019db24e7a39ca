"""What OpenAPI says about wallets."""

from __future__ import annotations

from typing import Any

from apps.api.charging_description import SECURED, account_operation, problems
from apps.api.media import JSON
from apps.embedded.wallet_words import BODIES, Kind
from schemas.account import PaysFor

CHANGES: dict[Kind, tuple[str, str, dict[str, Any]]] = {
    "top_up": (
        "Add credit to a wallet",
        "What is left of it at `expires` expires; credit that expires first is drawn first.",
        {
            "id": "payment-815",
            "account": "ben",
            "wallet": "credit",
            "amount": "10 EUR",
            "expires": "2027-01-01T00:00:00Z",
        },
    ),
    "adjustment": (
        "Correct a wallet by hand",
        "Takes no more of a prepaid wallet than is available.",
        {"id": "ticket-7", "account": "ben", "wallet": "credit", "amount": "-2 EUR", "reason": "charged twice"},
    ),
    "transfer": (
        "Move credit to another wallet of the account or of its charge group",
        "What expires still does, in the other wallet.",
        {"id": "move-1", "account": "ben", "wallet": "credit", "amount": "2 EUR", "to_wallet": "gift"},
    ),
}
"""Summary, description and example of each change."""
_MOVED = {
    "account": "ben", "wallet": "credit", "amount": "10", "balance_before": "1", "balance_after": "11", "currency": "EUR",
}  # fmt: skip
_ANSWER = {"id": "payment-815", "operation": "tu-7-0", "at": "2026-10-05T09:00:00+00:00", **_MOVED}


def _texts(example: dict[str, str]) -> dict[str, Any]:
    return {name: {"type": "string"} for name in example}


def change_operation(kind: Kind) -> dict[str, Any]:
    """Return what describes one of the changes."""
    summary, description, example = CHANGES[kind]
    properties = _texts(_ANSWER) | {
        "operation": {"type": "string", "description": "id of the wallet operation; a transfer has two that begin so"},
        "expires_at": {"type": "string", "format": "date-time", "description": "of a top-up that expires"},
        "to": {"type": "object", "properties": _texts(_MOVED), "description": "of a transfer, the wallet that got it"},
    }
    schema = {"type": "object", "required": list(_ANSWER), "properties": properties}
    return {
        "summary": summary,
        "description": f"{description} The answer is durable; the same id again is answered the same, for ever.",
        "operation_id": f"wallets_{kind}",
        "tags": ["wallets"],
        "response_description": "What moved",
        "responses": {200: {"content": {JSON: {"schema": schema, "example": _ANSWER}}}, **problems()},
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": BODIES[kind].model_json_schema(), "example": example}},
            },
            **SECURED,
        },
    }


def wallets_operation() -> dict[str, Any]:
    """Return what describes all that an account has."""
    wallet = {
        "wallet": "main", "account": "ana", "type": "prepaid", "currency": "EUR", "balance": "10", "reserved": "0.5",
        "overdraft": "0", "available": "9.5",
    }  # fmt: skip
    counter = {
        "counter": "data-month", "holder": "ana-mobile", "period": "2026-10", "zone": "Europe/Paris", "used": "7", "unit": "GB",
    }  # fmt: skip
    as_of = {"entry": 7, "block": 0, "segment": 5, "frame": 12, "at": "2026-10-05T09:00:00+00:00"}
    counters = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {**_texts(counter), "used_steps": {"type": "integer", "description": "in base steps"}},
        },
        "description": "of its subscriptions, in their present periods; a shared one counts what all who share it use",
    }
    overdraft = {"type": ["string", "null"], "description": "how far below zero it may go; null: without end"}
    expiring = {
        "type": "array",
        "items": {"type": "object", "properties": _texts({"amount": "", "expires_at": ""})},
        "description": "credit that expires, in that order",
    }
    pays_for = {
        "type": "array",
        "items": PaysFor.model_json_schema(),
        "description": "the usage that it pays for; none: any",
    }
    more = {"overdraft": overdraft, "expiring": expiring, "pays_for": pays_for}
    wallets = {
        "type": "array",
        "items": {"type": "object", "properties": {**_texts(wallet), **more}},
        "description": "in drawing order; available = balance - reserved + overdraft",
    }
    schema = {
        "type": "object",
        "required": ["account", "as_of", "wallets", "counters"],
        "properties": {
            "account": {"type": "string"},
            "as_of": {
                "type": "object",
                "properties": {name: {"type": "integer"} for name in as_of}
                | {"at": {"type": "string", "format": "date-time"}},
                "description": "what comes next: entry of the log and its block, segment of online charging and its frame; all "
                "before them is in the answer",
            },
            "wallets": wallets,
            "counters": counters,
        },
    }
    example = {
        "account": "ana", "as_of": as_of, "wallets": [wallet | {"expiring": [], "pays_for": []}],
        "counters": [counter | {"used_steps": 7_000_000_000}],
    }  # fmt: skip
    return account_operation("What an account has now: wallets and counters", "get_wallets", schema, example)
