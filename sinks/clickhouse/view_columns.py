"""Columns that several views have, and what their expressions are made of. Rows of a view's source are called `f`."""

from __future__ import annotations

from sinks.clickhouse.table import DATABASE, TIMESTAMP, quoted
from sinks.clickhouse.tables.dimensions import looked_up, wallet_code, wallet_holds
from sinks.clickhouse.view import ViewColumn

QUANTITY = "Decimal(38, 12)"


def per_row(name: str, type_: str, comment: str, expression: str | None = None) -> ViewColumn:
    """Return a column that is computed of one row `f`: what `f` has under its name, unless another expression is given."""
    return ViewColumn(name, type_, comment, expression if expression is not None else f"f.{name}")


def in_units(steps: str) -> str:
    """Return the SQL expression of base steps in the unit of the row's event type."""
    return f"toDecimal128({steps}, 12) / {looked_up('event_type', 'step_count', 'f.event_type')}"


def text_of(column: str, texts: dict[int, str]) -> str:
    """Return the SQL expression of what a column's codes stand for."""
    codes = ", ".join(str(code) for code in texts)
    values = ", ".join(quoted(text) for text in texts.values())
    return f"transform({column}, [{codes}], [{values}], '')"


TENANT = per_row("tenant", "String", "tenant", looked_up("tenant", "code", "f.tenant"))
ACCOUNT = per_row("account", "String", "billing account", looked_up("account", "code", "f.account"))
ACCOUNT_ID = per_row("account_id", "UInt32", "its id: filtering on it is fastest", "f.account")
SOURCE = per_row("source", "String", "source of the usage", looked_up("source", "code", "f.source"))
CLAIM = per_row("claim", "UInt32", "journal entry that brought the record")
RECORD = per_row("record", "UInt32", "record number within the claim")
BRANCH = per_row("branch", "UInt8", "which of the record's EDRs, from 0: an access point may be shared")
BRANCH_ID = "if(f.branch = 0, '', concat('-', toString(f.branch)))"
ITEM = per_row("item", "UInt8", "which of the EDR's rated items, from 0")
ITEM_ID = "if(f.item = 0, '', concat('.', toString(f.item)))"
DAY = per_row("day", "Date", "ingest day (UTC)")
SUBSCRIPTION = per_row("subscription", "String", "subscription", looked_up("subscription", "code", "f.subscription"))
ACCESS_POINT = per_row(
    "access_point", "String", "what the usage named", looked_up("access_point", "code", "f.access_point")
)
EVENT_TYPE = per_row("event_type", "String", "event type", looked_up("event_type", "code", "f.event_type"))
EVENT_AT = per_row("event_at", TIMESTAMP, "start of the usage (UTC)")
MEASURED = per_row("quantity", QUANTITY, "measured quantity, in `unit`", in_units("f.quantity"))
QUANTITY_STEPS = per_row("quantity_steps", "Int64", "the same, exact, in base steps", "f.quantity")
UNIT = per_row("unit", "String", "unit of quantities", looked_up("event_type", "unit", "f.event_type"))
WALLET = per_row("wallet", "String", "wallet", wallet_code("f.wallet"))
HELD = per_row("currency", "String", "ISO 4217 code, or the unit that the wallet holds", wallet_holds("f"))
IS_PREPAID = looked_up("wallet", "prepaid", "f.wallet")
PREPAID = per_row("prepaid", "Bool", "whether the wallet is prepaid", f"toBool({IS_PREPAID})")
IMAGE = per_row("image", "String", "hash of the tariff image that rated it", looked_up("image", "code", "f.image"))

IS_REVERSAL = f"(f.claim, f.block) IN (SELECT claim, block FROM {DATABASE}.fact_reversal)"
STATUS = per_row(
    "status", "String", "rated; reversed: taken back since; reversal: takes one back, with negative quantity and amount",
    f"multiIf({IS_REVERSAL}, 'reversal', (f.claim, f.record, f.branch) IN (SELECT reversed_claim, reversed_record, "
    f"reversed_branch FROM {DATABASE}.fact_reversal), 'reversed', 'rated')",
)  # fmt: skip
BILLED = f"(SELECT claim, record, branch, item FROM {DATABASE}.fact_billed)"
ITEM_STATUS = per_row(
    "status", "String", "rated; billed: an invoice holds it, even if it was taken back since; reversed: taken back; reversal: "
    "takes one back, with negative quantity and amount; refund: takes one back that an invoice holds, for the next invoice",
    f"multiIf((f.claim, f.record, f.branch, f.item) IN {BILLED}, 'billed', (f.claim, f.record, f.item) IN (SELECT claim, "
    f"record, reversed_item FROM {DATABASE}.fact_reversal WHERE (reversed_claim, reversed_record, reversed_branch, "
    f"reversed_item) IN {BILLED}), "
    f"'refund', {STATUS.expression})",
)  # fmt: skip

TRIGGERING = f"if({IS_REVERSAL}, f.record + f.triggered_by - 1 - f.item, f.record)"
"""The record of the item that triggered the usage of another one: items that are taken back have records of their own."""
