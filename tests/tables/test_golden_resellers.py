"""One usage, priced for a customer and for the reseller who sold it, each in a currency of its own."""

from __future__ import annotations

import pytest
from rating_world import Use, World, catalog_from, instant

from schemas.money import from_scaled
from schemas.rejection import Reason

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: price_plan, code: retail, currency: USD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "0.30"}]}
---
{kind: price_plan, code: wholesale, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "0.10"}]}
---
{kind: charge, code: retail, event_type: call, price_plan: retail}
---
{kind: charge, code: wholesale, event_type: call, price_plan: wholesale}
---
{kind: exchange_rates, code: bank, inverse: true, through: EUR, rounding: {decimals: 4}, rows: [
  {pair: EUR/USD, rate: "1.25", start: "2026-01-01T00:00:00Z"},
  {pair: EUR/GBP, rate: "0.8", start: "2026-01-01T00:00:00Z", end: "2026-03-01T00:00:00Z"}]}
---
{kind: offer, code: retail, charges: [retail], exchange_rates: bank}
---
{kind: offer, code: wholesale, charges: [wholesale], exchange_rates: bank}
---
{kind: account, code: ana, currency: EUR}
---
{kind: account, code: shop, currency: GBP, wallets: [{code: cash, type: prepaid, opening_balance: "0.20"}]}
---
{kind: contract, code: deal, account: shop, start: "2026-02-01T00:00:00Z", items: [{charge: wholesale, percentage: "10"}]}
---
{kind: subscription, code: line, account: ana, offer: retail, start: "2026-01-01T00:00:00Z", access_points: [{id: "1"}],
  reseller: {account: shop, offer: wholesale}}
"""


@pytest.mark.parametrize(
    ("at", "customer", "reseller"),
    [("2026-01-10T12:00:00Z", "0.24", "0.08"), ("2026-02-10T12:00:00Z", "0.24", "0.072"), ("2026-03-10T12:00:00Z", "0.24", None)],
)  # fmt: skip
def test_each_pays_in_its_own_currency(at: str, customer: str, reseller: str | None) -> None:
    """0.30 USD are 0.24 EUR for the customer; 0.10 EUR, less 10 % by contract from February on, are 0.08 or 0.072 GBP."""
    world = World(catalog_from(*CATALOG.split("\n---\n")))
    uses = [Use(subscription, "call", instant(at), 60_000) for subscription in ("line", "line@shop")]
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    paid = [f"{from_scaled(item.amount, 9).normalize():f}" if item.reason == 0 else None for item in items]
    assert paid == [customer, reseller]
    assert items[1].reason == (Reason.NONE if reseller else Reason.NO_EXCHANGE_RATE)
    drawn = [(move.wallet, move.amount) for item in items for move in item.movements]
    assert drawn == [
        (wallet, item.amount) for wallet, item in zip(("ana/principal", "shop/cash"), items, strict=True) if item.amount
    ]


def test_what_the_reseller_cannot_pay_is_no_business_of_the_customer() -> None:
    world = World(catalog_from(*CATALOG.split("\n---\n")))
    at = instant("2026-01-10T12:00:00Z")
    uses = [Use(subscription, "call", at, 120_000) for _ in range(2) for subscription in ("line", "line@shop")]
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    assert [item.reason for item in items] == [Reason.NONE, Reason.NONE, Reason.NONE, Reason.INSUFFICIENT_BALANCE]
    assert (world.balance("ana/principal"), world.balance("shop/cash")) == (-96 * 10**7, 4 * 10**7)
