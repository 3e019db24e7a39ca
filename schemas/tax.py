"""Tax documents: which tax is due on what is sold, by whom, to whom and when; and how it is computed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.invoice_parts import TaxCategory as VatCategory
from schemas.invoice_parts import Text
from schemas.invoice_terms import SellerInvoicing, VatReasonCode
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, RoundingMode
from schemas.price_plan import Code, Country, Document, ExactDecimal, Instant, Rounding

RATE_DECIMALS = 6
"""Decimals of a rate in percent: a rate is a whole number of 10**-8."""
RATE_ONE = 10 ** (RATE_DECIMALS + 2)
"""A rate of 1, that is of 100 %."""

Percent = Annotated[ExactDecimal, Field(ge=0, le=1000, decimal_places=RATE_DECIMALS)]
PriceBasis = Literal["net", "gross"]
"""What prices are: tax comes on top (net, as between businesses), or is in them (gross, as for consumers)."""


class TaxRounding(Document):
    """How amounts of an invoice are rounded, once per tax; without `decimals` to those of the currency."""

    mode: RoundingMode = RoundingMode.HALF_UP
    decimals: Annotated[int, Field(ge=0, le=AMOUNT_DECIMALS)] | None = None

    def of(self, currency: str) -> Rounding:
        """Return the rounding of amounts of a currency."""
        decimals = CURRENCY_DECIMALS[currency] if self.decimals is None else self.decimals
        return Rounding(mode=self.mode, decimals=decimals)


class Seller(Document):
    """Who sells: where it is established, and what its prices are.

    `tax_category` is that of accounts which name none, and have no parent that does. The tax of a single item is rounded by
    `item_rounding`; what an invoice says is computed once per tax on the sum, and rounded by `rounding`. `invoicing` is what
    its invoices say of it; without that, they are no documents.
    """

    kind: Literal["seller"]
    code: Code
    country: Country
    prices: PriceBasis
    tax_category: Code | None = None
    rounding: TaxRounding = TaxRounding()
    item_rounding: Rounding = Rounding()
    invoicing: SellerInvoicing | None = None


class TaxClass(Document):
    """Charges that are taxed alike."""

    kind: Literal["tax_class"]
    code: Code


class TaxCategory(Document):
    """Accounts that are taxed alike."""

    kind: Literal["tax_category"]
    code: Code


class TaxVersion(Document):
    """The rate of a tax during [start, end), in percent."""

    start: Instant
    end: Instant | None = None
    rate: Percent


class Tax(Document):
    """A tax: its rate in dated versions; or, as `parts`, several taxes that are due together, each on the same base.

    On invoices it is of the VAT category `category` (EN 16931, BT-118): without one, S, or Z where its rate is 0. Where nothing
    is due (AE, K, G, E, O), `reason` and `reason_code` say why.
    """

    kind: Literal["tax"]
    code: Code
    versions: Annotated[tuple[TaxVersion, ...], Field(min_length=1)] | None = None
    parts: Annotated[tuple[Code, ...], Field(min_length=2, max_length=16)] | None = None
    category: VatCategory | None = None
    reason: Text | None = None
    reason_code: VatReasonCode | None = None


class TaxRow(Document):
    """Which tax is due during [start, end) on charges of a class, sold to accounts of a category.

    Class, countries and condition that are left out are any; the category is needed. Of the rows that match, one that names
    the class goes before one that does not, then one that names the seller's country, then one that names the buyer's, then
    the lowest `priority`. The condition is CEL over the codes `account`, `subscription`, `offer`, `charge` and `event_type`.
    """

    tax_category: Code
    tax_class: Code | None = None
    seller_country: Country | None = None
    buyer_country: Country | None = None
    tax: Code
    start: Instant | None = None
    end: Instant | None = None
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    condition: str | None = None


class TaxMapping(Document):
    """Rows that say which tax is due; the rows of all mappings of a catalog are one table."""

    kind: Literal["tax_mapping"]
    code: Code
    rows: Annotated[tuple[TaxRow, ...], Field(min_length=1, max_length=100_000)]
