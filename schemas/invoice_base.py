"""The fields of an invoice, before anything is asked of them together (`schemas.invoice` does)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.invoice_parts import (
    LINES_MAX,
    AllowanceCharge,
    Currency,
    InvoiceLine,
    Note,
    Party,
    Payee,
    Payment,
    Period,
    Preceding,
    TaxSum,
    Text,
    Totals,
    UsageChart,
)
from schemas.price_plan import CivilDate, Document

CREDIT_NOTE = "381"


class InvoiceBase(Document):
    """An invoice (380), a credit note (381) or a corrected invoice (384), by UNTDID 1001; without `number`, a draft.

    Amounts of a credit note are not negative where it gives back: its type says so. `tax_point` (BT-7) is when tax is due, if
    that is neither `issue_date` nor told by `tax_point_code` (BT-8, UNTDID 2005: 5 the date of the invoice, 29 of delivery, 72
    of payment). `currency` is that of all amounts, `accounting_currency` (BT-6) that of the seller's books.
    `business_process` (BT-23) is what the French reform calls the frame: B1 goods, S1 services, M1 both.
    """

    number: Text | None = None
    type: Literal["380", "381", "384"] = "380"
    issue_date: CivilDate
    due_date: CivilDate | None = None
    tax_point: CivilDate | None = None
    tax_point_code: Literal["5", "29", "72"] | None = None
    period: Period | None = None
    delivery_date: CivilDate | None = None
    currency: Currency
    accounting_currency: Currency | None = None
    business_process: Text | None = None

    seller: Party
    buyer: Party
    payee: Payee | None = None
    deliver_to: Party | None = None

    buyer_reference: Text | None = None
    project: Text | None = None
    contract: Text | None = None
    purchase_order: Text | None = None
    sales_order: Text | None = None
    buyer_accounting: Text | None = None
    preceding: Annotated[tuple[Preceding, ...], Field(max_length=1000)] = ()

    terms: Text | None = None
    payment: Payment | None = None
    notes: Annotated[tuple[Note, ...], Field(max_length=100)] = ()

    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    allowances_charges: Annotated[tuple[AllowanceCharge, ...], Field(max_length=1000)] = ()
    taxes: Annotated[tuple[TaxSum, ...], Field(min_length=1, max_length=100)]
    totals: Totals
    usage: Annotated[tuple[UsageChart, ...], Field(max_length=20)] = ()

    @property
    def is_credit_note(self) -> bool:
        """Whether amounts go to the buyer."""
        return self.type == CREDIT_NOTE
