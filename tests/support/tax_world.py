"""A catalog with taxes, and the plain answer to which one is due: every row looked at, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import cel

from billing.catalog.taxation import TaxStatus
from schemas.account import Account
from schemas.catalog import Catalog
from schemas.tax import TaxRow

SOLD = """
{kind: event_type, code: voice, unit: s}
---
kind: price_plan
code: plan
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", end: "2027-01-01T00:00:00Z", model: flat, per: 1 s, price: "1"}]
---
{kind: charge, code: calls, event_type: voice, price_plan: plan, tax_class: telephony}
---
{kind: charge, code: extras, event_type: voice, price_plan: plan, priority: 200}
---
{kind: offer, code: mobile, charges: [calls, extras]}
---
{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}
---
{kind: tax_class, code: telephony}
---
{kind: tax_class, code: energy}
---
{kind: tax_category, code: consumer}
---
{kind: tax_category, code: business}
---
{kind: tax, code: low, versions: [{start: "2026-01-01T00:00:00Z", rate: "5.5"}]}
---
{kind: tax, code: high, versions: [{start: "2000-01-01T00:00:00Z", end: "2026-06-01T00:00:00Z", rate: "19.6"}, {start: "2026-06-01T00:00:00Z", rate: 20}]}
---
{kind: tax, code: both, parts: [low, high]}
"""
PARTIES = """
{kind: account, code: ana, currency: EUR, country: FR}
---
{kind: account, code: corp, currency: EUR, level: customer, country: DE, tax_category: business}
---
{kind: account, code: office, currency: EUR, parent: corp}
---
{kind: account, code: embassy, currency: EUR, parent: corp, country: FR, tax_exemption: {reason: mission, start: "2026-03-01T00:00:00Z", end: "2026-05-01T00:00:00Z"}}
---
{kind: subscription, code: ana-1, account: ana, offer: mobile}
---
{kind: subscription, code: office-1, account: office, offer: mobile}
---
{kind: subscription, code: embassy-1, account: embassy, offer: mobile}
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def mapping(*rows: str) -> str:
    """Return a tax mapping as a document."""
    return "kind: tax_mapping\ncode: rows\nrows:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


def tax_at(
    catalog: Catalog, accounts: Mapping[str, Account], subscription: str, charge: str, at: int
) -> tuple[TaxStatus, str | None, list[tuple[str, str]]]:
    """Return (status, tax, (part, percent) of it) of a charge at an instant, microseconds UTC."""
    moment = _EPOCH + timedelta(microseconds=at)
    ((_, account, offer),) = [row for row in catalog.subscriptions.iter_rows() if row[0] == subscription]
    line = [accounts[account]]
    while line[-1].parent is not None:
        line.append(accounts[line[-1].parent])
    seller = catalog.sellers[catalog.offers[offer].seller or next(iter(catalog.sellers))]
    category = next((one.tax_category for one in line if one.tax_category), seller.tax_category)
    country = next((one.country for one in line if one.country), None)
    exemption = next((one.tax_exemption for one in line if one.tax_exemption), None)
    if exemption is not None and _holds(exemption.start, exemption.end, moment):
        return TaxStatus.EXEMPT, None, []
    asked = catalog.charges[charge]
    words = {
        "account": account,
        "subscription": subscription,
        "offer": offer,
        "charge": charge,
        "event_type": asked.event_type,
    }

    def matches(row: TaxRow) -> bool:
        return (
            row.tax_category == category
            and row.tax_class in (None, asked.tax_class)
            and row.seller_country in (None, seller.country)
            and row.buyer_country in (None, country)
            and _holds(row.start, row.end, moment)
            and (row.condition is None or bool(cel.evaluate(row.condition, words)))
        )

    rows = [row for each in catalog.tax_mappings.values() for row in each.rows if matches(row)]
    if not rows:
        return TaxStatus.NO_TAX, None, []
    best = min(
        rows,
        key=lambda row: (row.tax_class is None, row.seller_country is None, row.buyer_country is None, row.priority),
    )
    parts = []
    for part in catalog.taxes[best.tax].parts or (best.tax,):
        rates = [each.rate for each in catalog.taxes[part].versions or () if _holds(each.start, each.end, moment)]
        if not rates:
            return TaxStatus.NO_TAX, None, []
        parts.append((part, f"{rates[0].normalize():f}"))
    return TaxStatus.TAXED, best.tax, parts


def _holds(start: datetime | None, end: datetime | None, moment: datetime) -> bool:
    return (start is None or start <= moment) and (end is None or moment < end)
