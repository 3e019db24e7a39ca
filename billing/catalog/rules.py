"""All rules over documents. Pure: they read documents and say what is wrong; nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import ANY_KIND, Entry
from billing.catalog.products import check_product
from billing.catalog.rules_accounts import check_account, check_subscription
from billing.catalog.rules_calendars import check_calendar, check_date_list
from billing.catalog.rules_charging import check_charging_service
from billing.catalog.rules_contracts import check_contracts
from billing.catalog.rules_counters import check_counter
from billing.catalog.rules_cycles import check_cycles
from billing.catalog.rules_discounts import check_discount_plan
from billing.catalog.rules_exchange import check_exchange_rates
from billing.catalog.rules_fees import check_minimum, check_purchase, check_recurring, check_zone
from billing.catalog.rules_invoicing import check_invoicing
from billing.catalog.rules_pricing import (
    check_charge,
    check_event_type,
    check_offer,
    check_price_plan,
)
from billing.catalog.rules_sources import check_source
from billing.catalog.rules_taxes import check_mappings, check_seller, check_tax, check_tax_mapping
from billing.catalog.rules_triggers import check_chains
from schemas.account import Account
from schemas.charging_service import ChargingService
from schemas.discount import DiscountPlan
from schemas.exchange import ExchangeRates
from schemas.fees import MinimumCharge, OneShotCharge, ProductCharge, Purchase, RecurringCharge
from schemas.price_plan import Calendar, Charge, Counter, DateList, Document, EventType, Offer, PricePlan, Subscription
from schemas.product import Product
from schemas.source import SourceBase
from schemas.tax import Seller, Tax, TaxMapping

_CHECKS: tuple[tuple[type[Document], Callable[[Context, Entry[Any]], None]], ...] = (
    (EventType, check_event_type),
    (DateList, check_date_list),
    (Calendar, check_calendar),
    (Counter, check_counter),
    (PricePlan, check_price_plan),
    (Charge, check_charge),
    (RecurringCharge, check_recurring),
    (OneShotCharge, check_zone),
    (ProductCharge, check_zone),
    (MinimumCharge, check_minimum),
    (Purchase, check_purchase),
    (Product, check_product),
    (Offer, check_offer),
    (ExchangeRates, check_exchange_rates),
    (Account, check_account),
    (Subscription, check_subscription),
    (SourceBase, check_source),
    (Seller, check_seller),
    (Tax, check_tax),
    (TaxMapping, check_tax_mapping),
    (DiscountPlan, check_discount_plan),
    (ChargingService, check_charging_service),
)


def check_documents(ctx: Context, directory: str) -> None:
    """Check every document against the rules of its model, and that there is something to sell."""
    for model, check in _CHECKS:
        for entry in ctx.documents.of(model).values():
            check(ctx, entry)
    check_mappings(ctx)
    check_contracts(ctx)
    check_cycles(ctx)
    check_invoicing(ctx)
    check_chains(ctx)
    offers = ctx.documents.of(Offer)
    lost = any(kind in ("offer", ANY_KIND) for kind, _ in ctx.documents.broken)
    if not offers and not lost and ctx.documents.complete:
        fix = "add a document with `kind: offer`, its charges and their price plans"
        ctx.problems.add(directory, 0, "", "there is nothing to sell: the catalog has no offer", fix)
