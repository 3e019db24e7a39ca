"""The view `notification`: every level that a counter or a wallet crossed, in units."""

from __future__ import annotations

from sinks.clickhouse.table import DATABASE, TIMESTAMP
from sinks.clickhouse.tables.dimensions import looked_up, wallet_code
from sinks.clickhouse.view import View, ViewColumn

_VALUE = "Decimal(38, 12)"


def _value(name: str, comment: str) -> ViewColumn:
    return ViewColumn(name, _VALUE, comment, f"toDecimal128(f.{name}, 12) / f.unit_steps")


NOTIFICATION = View(
    "notification",
    "One row per level of a counter or wallet that was crossed: from < level <= to, of a wallet from > level >= to.",
    (
        ViewColumn("id", "String", "nt-CLAIM-RECORD-PART; nt-CLAIM-RECORD-BRANCH-PART from branch 1 on",
                   "concat('nt-', toString(f.claim), '-', toString(f.record), "
                   "if(f.branch = 0, '', concat('-', toString(f.branch))), '-', toString(f.part))"),
        ViewColumn("at", TIMESTAMP, "when the usage, or the movement, that crossed was journaled (UTC)", "f.received_at"),
        ViewColumn("event_at", TIMESTAMP, "when that usage started; of a movement as `at` (UTC)", "f.event_at"),
        ViewColumn("tenant", "String", "tenant", looked_up("tenant", "code", "f.tenant")),
        ViewColumn("account", "String", "who pays for it, or whose wallet moved", looked_up("account", "code", "f.account")),
        ViewColumn("account_id", "UInt32", "its id: filtering on it is fastest", "f.account"),
        ViewColumn("subscription", "String", "whose usage it is; empty of a movement",
                   looked_up("subscription", "code", "f.subscription")),
        ViewColumn("counter", "String", "the counter; empty of a wallet", "f.counter"),
        ViewColumn("holder", "String", "whose the counter is: a subscription, account/ACCOUNT or group/GROUP", "f.holder"),
        ViewColumn("period", "String", "its day, month or year; empty of a counter that has none, and of a wallet",
                   "f.period"),
        ViewColumn("zone", "String", "the zone of the period", "f.zone"),
        ViewColumn("wallet", "String", "the wallet; empty of a counter",
                   f"if(f.wallet < 0, '', {wallet_code('toUInt32(f.wallet)')})"),
        ViewColumn("written", "String", "the level as the catalog writes it, such as 80 %; empty of a wallet", "f.written"),
        _value("level", "the level, in `unit`"),
        _value("before", "the counter or balance before the item or movement"),
        _value("after", "and after it"),
        ViewColumn("unit", "String", "unit of the counter, or currency", "f.unit"),
        ViewColumn("claim", "UInt32", "journal entry that brought it", "f.claim"),
        ViewColumn("record", "UInt32", "record number within the claim, or number of the request, or of what expired",
                   "f.record"),
        ViewColumn("branch", "UInt8", "which of the record's EDRs, from 0; 255 of a requested movement, 254 of an expiry",
                   "f.branch"),
        ViewColumn("part", "UInt32", "which of the crossings of the EDR, request or expiry, from 0", "f.part"),
        ViewColumn("image", "String", "hash of the tariff image whose level it is",
                   looked_up("image", "code", "f.image")),
        ViewColumn("day", "Date", "ingest day (UTC)", "f.day"),
    ),
    f"{DATABASE}.fact_notification AS f",
)  # fmt: skip
