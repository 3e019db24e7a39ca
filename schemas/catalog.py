"""A whole catalog, checked and ready to compile: documents for what is sold, frames for who bought it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from schemas.account import Wallet
from schemas.billing_cycle import BillingCycle
from schemas.charging_service import ChargingService
from schemas.contract import Contract
from schemas.discount import DiscountPlan
from schemas.exchange import ExchangeRates
from schemas.fees import MinimumCharge, OneShotCharge, ProductCharge, Purchase, RecurringCharge
from schemas.invoice_terms import AccountInvoicing, InvoiceWording, Untaxed
from schemas.price_plan import Calendar, Charge, Counter, DateList, EventType, Offer, PricePlan
from schemas.quantity import Unit
from schemas.source import SourceBase
from schemas.tax import Seller, Tax, TaxCategory, TaxClass, TaxMapping

ACCOUNT_FRAME = pl.Schema({"account": pl.String, "currency": pl.String})
WALLET_FRAME = pl.Schema(
    {
        "account": pl.String,
        "wallet": pl.String,
        "prepaid": pl.Boolean,
        "priority": pl.Int32,
        "opening_balance": pl.Int64,  # billionths of the currency unit
        "overdraft": pl.Int64,  # how far below zero it may go, billionths; null for without end
    }
)
SUBSCRIPTION_UNIT_FRAME = pl.Schema(
    {
        "subscription": pl.String,
        "unit": pl.String,
        "start_at": pl.Int64,  # microseconds UTC, until the next one of the unit; the first is TIME_MIN
        "count": pl.Int64,
    }
)
"""How many of something subscriptions have, for fees that are due for each."""
SUBSCRIPTION_TERM_FRAME = pl.Schema(
    {
        "subscription": pl.String,
        "start_at": pl.Int64,  # microseconds UTC
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open
    }
)
"""When the subscriptions to offers with fees are in force."""
WALLET_LEVEL_FRAME = pl.Schema({"account": pl.String, "wallet": pl.String, "level": pl.Int64})
"""Balances, billionths of the currency unit, at which somebody is told."""
SUBSCRIPTION_FRAME = pl.Schema({"subscription": pl.String, "account": pl.String, "offer": pl.String})
SUBSCRIPTION_ZONE_FRAME = pl.Schema({"subscription": pl.String, "zone": pl.String})
ACCOUNT_TREE_FRAME = pl.Schema({"account": pl.String, "level": pl.String, "parent": pl.String})
"""Of the accounts that have a parent or are no billing accounts."""
SUBSCRIPTION_GROUP_FRAME = pl.Schema({"subscription": pl.String, "group": pl.String})
"""Of the subscriptions that are in a group."""
ACCOUNT_CYCLE_FRAME = pl.Schema({"account": pl.String, "billing_cycle": pl.String})
"""Of the accounts that name a billing cycle."""
ACCOUNT_TAX_FRAME = pl.Schema(
    {
        "account": pl.String,
        "tax_category": pl.String,
        "country": pl.String,
        "exemption": pl.String,  # why it pays no tax
        "exempt_start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open; null without an exemption
        "exempt_end_at": pl.Int64,  # exclusive, TIME_MAX when open
    }
)
"""Of the accounts that say something of it themselves; what they leave out is that of their nearest parent."""
DISCOUNT_FRAME = pl.Schema(
    {
        "holder_kind": pl.String,  # account or subscription
        "holder": pl.String,
        "number": pl.Int64,  # place among the discounts of the holder, from 0
        "plan": pl.String,
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open; the latest of what the plan and the holder say
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open; the earliest of what plan, holder and months say
    }
)
"""Which discount plans are assigned to whom, and when."""
ACCESS_POINT_FRAME = pl.Schema(
    {
        "access_point": pl.String,
        "subscription": pl.String,
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open
    }
)
OPENING_READING_FRAME = pl.Schema(
    {
        "access_point": pl.String,
        "series": pl.String,  # e.g. "supplier/HP" for R151: grid "/" class
        "at": pl.Int64,  # microseconds UTC
        "index": pl.Int64,  # base steps of the unit it is written in
    }
)
PRICE_ROW_FRAME = pl.Schema(
    {
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open
        "first": pl.String,
        "next": pl.String,
        "minimum_quantity": pl.String,
        "connection_fee": pl.Int64,  # 10**-12 currency units
    }
)
"""What every row of a price table has, null where it leaves that to the version. Prices, in 10**-12 units, are in `price.0`,
or in `price.0`, `price.1` and so on, by the table's bands; null in all of them where a row has no price."""
DESTINATION_FRAME = pl.Schema({"prefix": pl.String, "destination": pl.String})
"""What the rows of a destination table have besides; the prefix of all numbers is empty."""
LOOKUP_ROW_FRAME = pl.Schema({"key": pl.String, "code": pl.String, "start_at": pl.Int64, "end_at": pl.Int64})
"""Rows of a lookup table: microseconds UTC, TIME_MIN and TIME_MAX when open."""
EXCHANGE_RATE_FRAME = pl.Schema(
    {
        "base": pl.String,  # one unit of which
        "quote": pl.String,  # costs so much of this
        "rate": pl.Int64,  # in 10**-12
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open; at most the start of the next rate of the pair
    }
)
TIME_MIN = -(2**62)
TIME_MAX = 2**62


@dataclass(frozen=True)
class PriceRows:
    """The checked rows of a price table.

    Attributes:
        kind: destination_table or price_matrix.
        value: of a destination table, the value whose digits are looked up.
        columns: of a matrix, what its conditions are: `code` or a kind of value.
        bands: of whose prices it has columns; none when one price is for all bands.
        frame: PRICE_ROW_FRAME, the columns of prices, and DESTINATION_FRAME or the matrix's own.
        digest: SHA-256 (hex) over all of this.
    """

    kind: str
    value: str
    columns: dict[str, str]
    bands: tuple[str, ...]
    frame: pl.DataFrame
    digest: str


@dataclass(frozen=True)
class LookupRows:
    """The checked rows of a lookup table.

    Attributes:
        key: the kind of its keys. frame: LOOKUP_ROW_FRAME. dated: whether any row is not in force at all times.
        digest: SHA-256 (hex) over all of this.
    """

    key: str
    frame: pl.DataFrame
    dated: bool
    digest: str


@dataclass(frozen=True)
class ExchangeTable:
    """The checked rates of one source. `terms`: its document, without rows. frame: EXCHANGE_RATE_FRAME, by pair and start."""

    terms: ExchangeRates
    frame: pl.DataFrame


@dataclass(frozen=True)
class Catalog:
    """Documents that passed every check, so that compiling them cannot fail on a reference.

    Attributes:
        content_hash: SHA-256 (hex) over the bytes of every file of the catalog, in order of name.
        files: the names of these, relative to its directory, in order.
        units: built-in and declared units by code.
        accounts .. opening_readings: frames with exactly the schemas above, sorted by their leading columns.
        source_places: "FILE:LINE" where each source is defined, for people.
        price_tables: the rows of destination tables and matrices by code. lookup_tables: those of lookup tables.
        exchange_rates: rates between currencies, by the code of their source.
        date_lists: what day types of calendars refer to. subscription_zones: of the subscriptions that name one.
        account_tree, subscription_groups: what is shared by whom, see their schemas. wallet_levels: see WALLET_LEVEL_FRAME.
        wallet_terms: by "account/wallet", of the wallets that do not pay for anything.
        billing_cycles: when accounts are billed; account_cycles: the one of each account that names one.
        account_invoicing, invoice_wordings: what invoices say, see `schemas.invoice_terms`; exemption_categories: of reasons.
        contracts: what accounts have negotiated.
        recurring_charges, one_shot_charges, product_charges, minimum_charges: when fees are due; what they cost their
            charges say, of the same code. purchases: of products.
        subscription_terms: of the subscriptions to offers with fees. subscription_units: see SUBSCRIPTION_UNIT_FRAME.
        discount_plans, discounts: what is taken off, and which of it is assigned to whom.
        charging_services: what network elements may ask credit for.
        sellers .. tax_mappings, account_taxes: which tax is due; empty in a catalog that declares none.
    """

    content_hash: str
    units: dict[str, Unit]
    event_types: dict[str, EventType]
    calendars: dict[str, Calendar]
    counters: dict[str, Counter]
    price_plans: dict[str, PricePlan]
    charges: dict[str, Charge]
    offers: dict[str, Offer]
    sources: dict[str, SourceBase]
    accounts: pl.DataFrame
    wallets: pl.DataFrame
    subscriptions: pl.DataFrame
    access_points: pl.DataFrame
    opening_readings: pl.DataFrame
    files: tuple[str, ...] = field(default=(), compare=False)
    source_places: dict[str, str] = field(default_factory=dict, compare=False)
    date_lists: dict[str, DateList] = field(default_factory=dict)
    price_tables: dict[str, PriceRows] = field(default_factory=dict)
    lookup_tables: dict[str, LookupRows] = field(default_factory=dict)
    exchange_rates: dict[str, ExchangeTable] = field(default_factory=dict)
    subscription_zones: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUBSCRIPTION_ZONE_FRAME))
    account_tree: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNT_TREE_FRAME))
    subscription_groups: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUBSCRIPTION_GROUP_FRAME))
    wallet_levels: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WALLET_LEVEL_FRAME))
    charging_services: dict[str, ChargingService] = field(default_factory=dict)
    sellers: dict[str, Seller] = field(default_factory=dict)
    tax_classes: dict[str, TaxClass] = field(default_factory=dict)
    tax_categories: dict[str, TaxCategory] = field(default_factory=dict)
    taxes: dict[str, Tax] = field(default_factory=dict)
    tax_mappings: dict[str, TaxMapping] = field(default_factory=dict)
    account_taxes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNT_TAX_FRAME))
    discount_plans: dict[str, DiscountPlan] = field(default_factory=dict)
    discounts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DISCOUNT_FRAME))
    billing_cycles: dict[str, BillingCycle] = field(default_factory=dict)
    account_cycles: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNT_CYCLE_FRAME))
    account_invoicing: dict[str, AccountInvoicing] = field(default_factory=dict)
    exemption_categories: dict[str, Untaxed] = field(default_factory=dict)
    invoice_wordings: dict[str, InvoiceWording] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    wallet_terms: dict[str, Wallet] = field(default_factory=dict)
    recurring_charges: dict[str, RecurringCharge] = field(default_factory=dict)
    one_shot_charges: dict[str, OneShotCharge] = field(default_factory=dict)
    product_charges: dict[str, ProductCharge] = field(default_factory=dict)
    minimum_charges: dict[str, MinimumCharge] = field(default_factory=dict)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    subscription_terms: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUBSCRIPTION_TERM_FRAME))
    subscription_units: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUBSCRIPTION_UNIT_FRAME))

    @property
    def fees(self) -> dict[str, RecurringCharge | OneShotCharge | ProductCharge | MinimumCharge]:
        """All fees by code."""
        return {**self.recurring_charges, **self.one_shot_charges, **self.product_charges, **self.minimum_charges}

    @property
    def has_taxes(self) -> bool:
        """Whether it says which taxes are due: then every charge has one."""
        return bool(self.taxes or self.tax_mappings)

    def zone_of(self, subscription: str) -> str | None:
        """Return the time zone of a subscription, None when it names none."""
        found = self.subscription_zones.filter(pl.col("subscription") == subscription)["zone"]
        return str(found[0]) if len(found) else None
