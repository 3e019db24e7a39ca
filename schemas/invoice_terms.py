"""Catalog documents of what invoices say besides amounts: who sells and who buys, how it is paid, and what lines are called."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.invoice_parts import Note, Party, Payment, Text, UnitCode
from schemas.invoice_parts import TaxCategory as VatCategory
from schemas.price_plan import Code, Document

InvoiceLanguage = Literal["fr", "en"]
VatReasonCode = Annotated[str, Field(pattern=r"^VATEX-[A-Z0-9-]+$")]
"""Of the VATEX list of EN 16931 (BT-121)."""


class Untaxed(Document):
    """What is said of amounts on which a catalog without taxes knows of none: VAT category (BT-118), reason and its code."""

    category: VatCategory = "O"
    reason: Text | None = None
    reason_code: VatReasonCode | None = None


class SellerInvoicing(Document):
    """What invoices of a seller say of it: `party` is BG-4, `payment` how it is paid unless an account says otherwise.

    `terms` (BT-20), `notes` (BG-1) and `business_process` (BT-23) are the same on all its invoices; so is `tax_point_code`
    (BT-8, UNTDID 2005). `untaxed` is for a catalog without taxes.
    """

    party: Party
    payment: Payment | None = None
    terms: Text | None = None
    notes: Annotated[tuple[Note, ...], Field(max_length=100)] = ()
    business_process: Text | None = None
    tax_point_code: Literal["5", "29", "72"] | None = None
    language: InvoiceLanguage = "fr"
    untaxed: Untaxed = Untaxed()


class AccountInvoicing(Document):
    """What invoices to an account say of it: `party` is BG-7, `deliver_to` BG-13; references as in `schemas.invoice_base`.

    `payment` stands in the place of the seller's, such as the mandate of a direct debit.
    """

    party: Party
    deliver_to: Party | None = None
    payment: Payment | None = None
    language: InvoiceLanguage | None = None
    buyer_reference: Text | None = None
    project: Text | None = None
    contract: Text | None = None
    purchase_order: Text | None = None
    buyer_accounting: Text | None = None


Names = Annotated[dict[Code, Text], Field(max_length=100_000)]


class InvoiceWording(Document):
    """What invoices in a language call charges, event types, offers and items of discount plans (`PLAN/ITEM`).

    A line is called by its charge, or else by its price plan, event type or offer, whatever is named first; without any name
    here, by the code. `units` are what units of the catalog are called in UN/ECE Recommendation 20, in any language.
    """

    kind: Literal["invoice_wording"]
    code: Code
    language: InvoiceLanguage
    charges: Names = {}
    price_plans: Names = {}
    event_types: Names = {}
    offers: Names = {}
    discounts: Annotated[dict[str, Text], Field(max_length=100_000)] = {}
    units: Annotated[dict[str, UnitCode], Field(max_length=1000)] = {}
