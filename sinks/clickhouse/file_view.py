"""The view `file`: every usage file that was claimed, what became of its records, and whether it was withdrawn since."""

from __future__ import annotations

from sinks.clickhouse.table import DATABASE, TIMESTAMP
from sinks.clickhouse.tables.block import OUTCOME_COLUMNS
from sinks.clickhouse.tables.dimensions import looked_up
from sinks.clickhouse.view import View, ViewColumn

_COUNTED = ("received", *OUTCOME_COLUMNS, "edrs", "rated", "unrated")
_MEANING = {
    "received": "records that entered",
    "accepted": "became an EDR",
    "absorbed": "merged into an EDR or a series",
    "duplicate": "processed before",
    "superseded": "replaced by a later version",
    "filtered": "excluded by the source's filters",
    "rejected": "refused",
    "parked": "set aside until somebody decides",
    "edrs": "EDRs",
    "rated": "EDRs with a rated item",
    "unrated": "EDRs refused by the account stage",
}

FILE = View(
    "file",
    "One row per usage file that was finished; counts are those of its own claim, without retries.",
    (
        ViewColumn("claim", "UInt32", "journal entry", "f.claim"),
        ViewColumn("name", "String", "its name as its sender called it", "f.name"),
        ViewColumn("tenant", "String", "tenant", looked_up("tenant", "code", "f.tenant")),
        ViewColumn("source", "String", "source of the usage",
                   f"if(f.source < 0, '', {looked_up('source', 'code', 'toUInt64(greatest(f.source, 0))')})"),
        ViewColumn("status", "String", "done, quarantined or backed_out", "if(e.claim != 0, 'backed_out', f.status)"),
        ViewColumn("code", "String", "why it is quarantined", "f.code"),
        ViewColumn("message", "String", "the same for people", "f.message"),
        ViewColumn("bytes", "UInt64", "its size", "f.bytes"),
        ViewColumn("sha256", "String", "its hash, in hexadecimal", "f.sha256"),
        ViewColumn("duplicate_of", "UInt32", "the claim that brought the same bytes before; 0 when new", "f.duplicate_of"),
        ViewColumn("received_at", TIMESTAMP, "when it was journaled (UTC)", "f.received_at"),
        ViewColumn("hour", TIMESTAMP, "that hour", "toDateTime64(toStartOfHour(f.received_at), 6, 'UTC')"),
        *(ViewColumn(name, "UInt64", _MEANING[name], f"b.{name}") for name in _COUNTED),
        ViewColumn("backed_out_by", "UInt32", "journal entry that backed it out; 0 when none did", "e.by_claim"),
        ViewColumn("back_out_reason", "String", "the reason somebody gave", "e.reason"),
    ),
    f"""{DATABASE}.fact_claim AS f
LEFT JOIN (
  SELECT claim, {", ".join(f"sum({name}) AS {name}" for name in _COUNTED)} FROM {DATABASE}.fact_block GROUP BY claim
) AS b ON b.claim = f.claim
LEFT JOIN (
  SELECT claim, any(by_claim) AS by_claim, any(reason) AS reason FROM {DATABASE}.fact_claim_event GROUP BY claim
) AS e ON e.claim = f.claim
WHERE f.kind = 'file'""",
)  # fmt: skip
