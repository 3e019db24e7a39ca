"""The view `wallet_request`: top-ups, adjustments and transfers as they were asked for."""

from __future__ import annotations

from schemas.wallets import PREFIXES, MovementKind
from sinks.clickhouse.table import DATABASE, TIMESTAMP, quoted
from sinks.clickhouse.tables.dimensions import looked_up
from sinks.clickhouse.view import View, ViewColumn

_ASKED = (MovementKind.TOP_UP, MovementKind.ADJUSTMENT, MovementKind.TRANSFER)


def _of_kind(texts: dict[MovementKind, str]) -> str:
    values = ", ".join(quoted(texts[kind]) for kind in _ASKED)
    return f"transform(f.kind, [{', '.join(str(int(kind)) for kind in _ASKED)}], [{values}], '')"


WALLET_REQUEST = View(
    "wallet_request",
    "One row per top-up, adjustment or transfer that was asked for and done.",
    (
        ViewColumn("request", "String", "the id that its sender gave it", "f.request"),
        ViewColumn("kind", "String", "top_up, adjustment or transfer", _of_kind({kind: kind.name.lower() for kind in _ASKED})),
        ViewColumn("operation", "String", "the wallet_operation that it came to; of a transfer, two of them begin so",
                   f"concat({_of_kind({kind: PREFIXES[kind] for kind in _ASKED})}, '-', toString(f.claim), '-', "
                   "toString(f.record))"),
        ViewColumn("at", TIMESTAMP, "when it was journaled (UTC)", "f.at"),
        ViewColumn("tenant", "String", "tenant", looked_up("tenant", "code", "f.tenant")),
        ViewColumn("account", "String", "whose wallet it is", looked_up("account", "code", "f.account")),
        ViewColumn("account_id", "UInt32", "its id: filtering on it is fastest", "f.account"),
        ViewColumn("wallet", "String", "the wallet; of a transfer, the one that paid", looked_up("wallet", "code", "f.wallet")),
        ViewColumn("wallet_id", "UInt32", "its id", "f.wallet"),
        ViewColumn("reason", "String", "why, in the words of whoever asked", "f.reason"),
        ViewColumn("expires_at", f"Nullable({TIMESTAMP})", "when the credit expires (UTC), null for never",
                   "nullIf(f.expires_at, toDateTime64(0, 6, 'UTC'))"),
        ViewColumn("claim", "UInt32", "journal entry", "f.claim"),
        ViewColumn("day", "Date", "ingest day (UTC)", "f.day"),
    ),
    f"{DATABASE}.fact_wallet_request AS f",
)  # fmt: skip
