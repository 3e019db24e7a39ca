"""Views of invoices: what was issued, line by line and tax by tax."""

from __future__ import annotations

from sinks.clickhouse.table import BALANCE, DATABASE, TIMESTAMP
from sinks.clickhouse.view import View
from sinks.clickhouse.view_columns import QUANTITY, per_row

_RATE = "Decimal(18, 8)"
_NUMBER = per_row("invoice", "String", "number of the invoice or credit note")
_ISSUED = (
    per_row("issued_at", TIMESTAMP, "when it was journaled (UTC)", "f.at"),
    per_row("claim", "UInt32", "journal entry that issued it", "f.by_claim"),
    per_row("day", "Date", "ingest day (UTC)"),
)
_TAX = (
    per_row("tax_status", "String", "taxed, exempt or untaxed"),
    per_row("tax", "String", "the tax; empty where none is due"),
    per_row("tax_rate", _RATE, "in percent", "toDecimal64(f.tax_rate, 8) / 1000000"),
    per_row("tax_reason", "String", "why none is due"),
)

INVOICE = View(
    "invoice",
    "One row per invoice or credit note that was issued: its dates and totals.",
    (
        _NUMBER,
        per_row("kind", "String", "invoice or credit_note"),
        per_row("run", "String", "key of the billing run; empty of a credit note"),
        per_row("account", "String", "billing account that gets it"),
        per_row("seller", "String", "who sells; empty in a catalog without sellers"),
        per_row("currency", "String", "ISO 4217 code"),
        per_row("split", "String", "what tells it from other invoices of the account in the run"),
        per_row("prices", "String", "net or gross: what amounts of lines are"),
        per_row("invoice_date", "Date", "day of the invoice"),
        per_row("due_date", "Date", "day on which it is due"),
        per_row("period_start", "Date", "first day of the period that was billed"),
        per_row("period_end", "Date", "day after that period"),
        per_row("line_count", "UInt32", "how many lines it has"),
        per_row("items", "UInt64", "how many rated items it holds"),
        per_row("discount", BALANCE, "what discounts took off: below zero"),
        per_row("net", BALANCE, "without tax: the sum of its lines"),
        per_row("tax", BALANCE, "all taxes: the sum of `invoice_tax`"),
        per_row("gross", BALANCE, "net and tax"),
        per_row("paid", BALANCE, "what prepaid wallets had paid"),
        per_row("cash_rounding", BALANCE, "what rounding to what can be paid adds; no part of a tax base"),
        per_row("to_pay", BALANCE, "gross, less paid, rounded"),
        per_row("corrects", "String", "of a credit note: the invoice that it corrects"),
        per_row("reason", "String", "of a credit note: why"),
        *_ISSUED,
    ),
    f"{DATABASE}.fact_invoice AS f",
)
INVOICE_LINE = View(
    "invoice_line",
    "One row per line of an invoice or credit note.",
    (
        _NUMBER,
        per_row("line", "UInt32", "from 1"),
        per_row("kind", "String", "usage or discount"),
        per_row(
            "subscription", "String", "subscription; this and the next are empty where lines are not told apart by it"
        ),
        per_row("offer", "String", "offer"),
        per_row("charge", "String", "charge"),
        per_row("price_plan", "String", "price plan"),
        per_row("event_type", "String", "event type"),
        per_row("bucket", "String", "day or month of usage"),
        per_row("discount_plan", "String", "of a discount: its plan"),
        per_row("discount_item", "String", "of a discount: the item of the plan"),
        per_row("quantity", QUANTITY, "rated quantity, in `unit`", "toDecimal128(f.quantity, 12) / f.step_count"),
        per_row("unit", "String", "unit of the quantity"),
        per_row("items", "UInt64", "how many rated items it is made of"),
        per_row("first_at", TIMESTAMP, "start of its first usage (UTC)"),
        per_row("last_at", TIMESTAMP, "start of its last usage (UTC)"),
        per_row("exact", BALANCE, "sum of its items, before rounding"),
        per_row("amount", BALANCE, "rounded; with tax where the seller's prices are gross"),
        per_row("net", BALANCE, "without tax"),
        *_TAX,
        per_row("corrects", "UInt32", "of a credit note: the line of the invoice; 0: none"),
        *_ISSUED,
    ),
    f"{DATABASE}.fact_invoice_line AS f",
)
INVOICE_TAX = View(
    "invoice_tax",
    "One row per tax and rate of an invoice or credit note, computed once on its base.",
    (
        _NUMBER,
        *_TAX,
        per_row("base", BALANCE, "net amount that it is due on"),
        per_row("tax_amount", BALANCE, "the tax"),
        *_ISSUED,
    ),
    f"{DATABASE}.fact_invoice_tax AS f",
)
INVOICE_VIEWS: tuple[View, ...] = (INVOICE, INVOICE_LINE, INVOICE_TAX)
