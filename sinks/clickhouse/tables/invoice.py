"""fact_invoice, fact_invoice_line, fact_invoice_tax: invoices and credit notes as issued. An entry of the log writes them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sinks.clickhouse.table import BALANCE, NAME, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

_STEPS = "Decimal(38, 0)"
_TAIL = (
    Column("at", TIMESTAMP, "when it was journaled"),
    Column("by_claim", "UInt32", "the journal entry that issued it"),
    Column("day", "Date", "ingest day: UTC date of at"),
)

FACT_INVOICE = Table(
    "fact_invoice",
    "One row per invoice or credit note that was issued.",
    (
        Column("invoice", "String", "its number"),
        Column("kind", NAME, "invoice or credit_note"),
        Column("run", NAME, "key of the billing run; empty of a credit note"),
        Column("account", "String", "billing account that gets it"),
        Column("seller", NAME, "who sells; empty in a catalog without sellers"),
        Column("currency", NAME, "ISO 4217 code"),
        Column("split", "String", "what tells it from other invoices of the same run"),
        Column("prices", NAME, "net or gross"),
        Column("invoice_date", "Date", "day of the invoice"),
        Column("due_date", "Date", "day on which it is due"),
        Column("period_start", "Date", "first day of the period that was billed"),
        Column("period_end", "Date", "day after that period"),
        Column("line_count", "UInt32", "how many lines it has"),
        Column("items", "UInt64", "how many rated items it holds"),
        Column("discount", BALANCE, "what discounts took off: below zero"),
        Column("net", BALANCE, "without tax"),
        Column("tax", BALANCE, "all taxes"),
        Column("gross", BALANCE, "net and tax"),
        Column("paid", BALANCE, "what prepaid wallets had paid"),
        Column("cash_rounding", BALANCE, "what rounding to what can be paid adds"),
        Column("to_pay", BALANCE, "gross, less paid, rounded"),
        Column("corrects", "String", "of a credit note: the invoice that it corrects"),
        Column("reason", "String", "of a credit note: why"),
        *_TAIL,
    ),
    order_by="account, invoice",
)
FACT_INVOICE_LINE = Table(
    "fact_invoice_line",
    "One row per line of an invoice or credit note.",
    (
        Column("invoice", "String", "number of the invoice"),
        Column("line", "UInt32", "from 1"),
        Column("kind", NAME, "usage or discount"),
        Column("subscription", "String", "empty where lines are not told apart by it; so are the next"),
        Column("offer", NAME, "offer"),
        Column("charge", NAME, "charge"),
        Column("price_plan", NAME, "price plan"),
        Column("event_type", NAME, "event type"),
        Column("unit", NAME, "unit of the quantity"),
        Column("bucket", NAME, "day or month of usage"),
        Column("discount_plan", NAME, "of a discount: its plan"),
        Column("discount_item", NAME, "of a discount: the item of the plan"),
        Column("assigned", "String", "of a discount: to whom it is assigned"),
        Column("quantity", _STEPS, "rated quantity in base steps"),
        Column("step_count", "UInt64", "base steps in one unit"),
        Column("items", "UInt64", "how many rated items it is made of"),
        Column("first_at", TIMESTAMP, "start of the first usage"),
        Column("last_at", TIMESTAMP, "start of the last usage"),
        Column("exact", BALANCE, "sum of its items, before rounding"),
        Column("amount", BALANCE, "rounded; with tax where the seller's prices are gross"),
        Column("net", BALANCE, "without tax"),
        Column("tax_status", NAME, "taxed, exempt or untaxed"),
        Column("tax", NAME, "the tax that is due; empty: none"),
        Column("tax_rate", "Int64", "by 10**-8"),
        Column("tax_reason", "String", "why none is due"),
        Column("corrects", "UInt32", "of a credit note: the line of the invoice"),
        *_TAIL,
    ),
    order_by="invoice, line",
)
FACT_INVOICE_TAX = Table(
    "fact_invoice_tax",
    "One row per tax and rate of an invoice or credit note, computed once on its base.",
    (
        Column("invoice", "String", "number of the invoice"),
        Column("tax_status", NAME, "taxed, exempt or untaxed"),
        Column("tax", NAME, "tax, or a part of one; empty: none"),
        Column("tax_rate", "Int64", "by 10**-8"),
        Column("tax_reason", "String", "why none is due"),
        Column("base", BALANCE, "net amount that it is due on"),
        Column("tax_amount", BALANCE, "the tax"),
        *_TAIL,
    ),
    order_by="invoice, tax, tax_rate",
)
INVOICE_FACTS = (FACT_INVOICE_LINE, FACT_INVOICE_TAX, FACT_INVOICE)
"""In the order in which an entry's rows are inserted."""


@dataclass(frozen=True, slots=True)
class IssuedInvoices:
    """Rows of `schemas.invoicing` that the journal entry `by_claim`, journaled at `at` (microseconds UTC), issued."""

    invoices: pa.Table
    lines: pa.Table
    taxes: pa.Table
    at: int
    by_claim: int

    def of(self, table: Table) -> pa.Table:
        """Return the rows of one of INVOICE_FACTS."""
        rows = {FACT_INVOICE.name: self.invoices, FACT_INVOICE_LINE.name: self.lines}.get(table.name, self.taxes)
        given = {"at": instant(self.at), "by_claim": self.by_claim, "day": as_date(ingest_day(self.at))}
        columns = [
            pa.repeat(pa.scalar(given[field.name], field.type), rows.num_rows)
            if field.name in given
            else rows[field.name].cast(field.type)
            for field in table.schema
        ]
        return pa.table(columns, schema=table.schema)
