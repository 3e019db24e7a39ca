"""Invoices as columns: what a billing run drafts, an entry of the log freezes, and the store keeps; amounts Decimal(38, 9)."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from schemas.billing_cycle import BillingCycle

_AMOUNT, _STEPS = pa.decimal128(38, 9), pa.decimal128(38, 0)


DAY_MIN, DAY_MAX = date(1970, 1, 1), date(2149, 6, 6)
"""Days that the store can say (Date): an entry with another one could never be stored, and the log not be read beyond it."""


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


INVOICE_SCHEMA = _schema(
    ("invoice", pa.string()),  # its number; of a draft the account and what else tells it apart
    ("kind", pa.string()),  # invoice or credit_note
    ("run", pa.string()),  # key of the billing run; of a credit note empty
    ("account", pa.string()),  # who gets it
    ("seller", pa.string()),  # empty in a catalog without sellers
    ("currency", pa.string()),
    ("split", pa.string()),  # what tells it from other invoices of account, seller and currency
    ("prices", pa.string()),  # net or gross
    ("invoice_date", pa.date32()),
    ("due_date", pa.date32()),
    ("period_start", pa.date32()),
    ("period_end", pa.date32()),  # exclusive
    ("line_count", pa.uint32()),
    ("items", pa.uint64()),
    (
        "discount",
        _AMOUNT,
    ),  # what discounts take off, in the basis of the prices: zero or below, unless something is given back
    ("net", _AMOUNT),
    ("tax", _AMOUNT),
    ("gross", _AMOUNT),  # net + tax
    ("paid", _AMOUNT),  # what prepaid wallets paid already
    ("cash_rounding", _AMOUNT),  # what rounding to coins adds; no part of any tax base
    ("to_pay", _AMOUNT),  # gross - paid + cash_rounding
    ("corrects", pa.string()),  # of a credit note: the invoice
    ("reason", pa.string()),  # of a credit note: why
    ("suspect", pa.string()),  # of a draft: zero, negative, change; comma between several
)
LINE_SCHEMA = _schema(
    ("invoice", pa.string()),
    ("line", pa.uint32()),  # from 1
    ("kind", pa.string()),  # usage or discount
    ("subscription", pa.string()),  # this and what follows is empty where lines are not told apart by it
    ("offer", pa.string()),
    ("charge", pa.string()),
    ("price_plan", pa.string()),
    ("event_type", pa.string()),
    ("unit", pa.string()),
    ("bucket", pa.string()),  # the day or month of usage
    ("discount_plan", pa.string()),
    ("discount_item", pa.string()),
    ("assigned", pa.string()),  # to whom the discount is assigned: account/CODE/NUMBER or subscription/CODE/NUMBER
    ("quantity", _STEPS),  # rated, in base steps of the unit
    ("step_count", pa.uint64()),  # base steps in one unit
    ("items", pa.uint64()),
    ("first_at", pa.timestamp("us", "UTC")),
    ("last_at", pa.timestamp("us", "UTC")),
    ("exact", _AMOUNT),  # the sum of its items, before rounding
    ("amount", _AMOUNT),  # rounded, in the basis of the prices
    ("net", _AMOUNT),
    ("tax_status", pa.string()),  # taxed, exempt or untaxed
    ("tax", pa.string()),  # code of the tax that is due; empty: none
    ("tax_rate", pa.int64()),  # by 10**-8, all parts together
    ("tax_reason", pa.string()),  # why none is due
    ("corrects", pa.uint32()),  # of a credit note: the line of the invoice; 0: none
)
TAX_SCHEMA = _schema(
    ("invoice", pa.string()),
    ("tax_status", pa.string()),
    ("tax", pa.string()),  # a tax, or a part of one
    ("tax_rate", pa.int64()),  # by 10**-8
    ("tax_reason", pa.string()),
    ("base", _AMOUNT),
    ("tax_amount", _AMOUNT),
)
ITEM_SCHEMA = _schema(
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("branch", pa.uint8()),
    ("item", pa.uint8()),
    ("invoice", pa.uint32()),  # row among the invoices of the part, from 0
    ("line", pa.uint32()),
)
"""The rated items of a part of a run, ascending by invoice and line, then place."""
LEFT_SCHEMA = _schema(
    ("account", pa.string()),
    ("currency", pa.string()),
    ("why", pa.string()),
    ("items", pa.uint64()),
    ("amount", _AMOUNT),
)
"""What a part of a run leaves out, and why."""
PART_FILES = {
    "invoices": INVOICE_SCHEMA,
    "lines": LINE_SCHEMA,
    "taxes": TAX_SCHEMA,
    "items": ITEM_SCHEMA,
    "left": LEFT_SCHEMA,
}


class RunPlan(BaseModel):
    """A billing run, frozen: whatever executes it makes the same invoices.

    Attributes:
        run: its key. accounts: the billing accounts that were named, None for all of the cycle.
        cut: usage, marks and reversals of entries before this one count, and of `segment`, the entry whose segment of the
            charging log was open then, only the blocks before `block`. image: the catalog that decides about taxes.
        period_end: exclusive, a day of the zone of the cycle; end_at: when it begins, microseconds UTC.
        ids: accounts known at the cut. bounds: the first account id of each part after part 0, ascending, chosen by how much
            usage there is. part_ids: accounts of a part in plans of before; 0: bounds say it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    run: str
    cycle: BillingCycle
    accounts: tuple[str, ...] | None
    cut: int
    segment: int = 0
    block: int = 0
    image: str
    tenant: str
    invoice_date: date
    due_date: date
    period_start: date
    period_end: date
    start_at: int
    end_at: int
    ids: int
    part_ids: int = 0
    bounds: tuple[int, ...] = ()

    @property
    def parts(self) -> int:
        """How many parts it has."""
        if not self.part_ids:
            return len(self.bounds) + 1
        return max(1, -(-self.ids // self.part_ids))

    def ids_of(self, part: int) -> tuple[int, int]:
        """Return the first account id of a part, and the one after its last."""
        if self.part_ids:
            return part * self.part_ids, (part + 1) * self.part_ids
        edges = (0, *self.bounds, max(self.ids, *self.bounds, 1))
        return edges[part], edges[part + 1]
