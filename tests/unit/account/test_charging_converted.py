"""Online charging of an account that pays in another currency than the price is in: grants, holds and refunds are in its own."""

from __future__ import annotations

from charging_desk import EURO, Desk
from rating_world import Use

from schemas.charging import ChargingCode, ChargingKind
from schemas.rejection import Reason

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: price_plan, code: voice, currency: USD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "0.30"}]}
---
{kind: charge, code: voice, event_type: call, price_plan: voice}
---
{kind: exchange_rates, code: bank, inverse: true, rounding: {decimals: 2}, rows: [
  {pair: EUR/USD, rate: "1.25", start: "2026-01-01T00:00:00Z", end: "2026-05-10T12:00:10Z"},
  {pair: EUR/USD, rate: "2", start: "2026-05-10T12:00:20Z"}]}
---
{kind: offer, code: mobile, charges: [voice], exchange_rates: bank}
---
{kind: account, code: ana, currency: EUR, wallets: [{code: cash, type: prepaid, opening_balance: "1"}]}
---
{kind: subscription, code: ana, account: ana, offer: mobile, start: "2026-01-01T00:00:00Z", access_points: [{id: "1"}]}
"""
MINUTE = 60_000
SECOND_US = 1_000_000


def test_grants_are_what_the_converted_price_lets_a_wallet_pay() -> None:
    """0.30 USD are 0.24 EUR: one euro pays four minutes of ten. Three of them are used, and one is given back."""
    desk = Desk(CATALOG, "ana", "call")
    answer, _ = desk.ask(ChargingKind.RESERVE, 10 * MINUTE, increment=MINUTE)
    assert (answer["granted"], answer["amount"]) == (4 * MINUTE, 96 * EURO // 100)
    held = desk.world.vocabulary.wallets.id("ana/cash")
    assert desk.world.state.balance(held) == 4 * EURO // 100
    answer, [block] = desk.ask(ChargingKind.CONFIRM, 3 * MINUTE, of=1)
    assert answer["amount"] == 72 * EURO // 100
    assert block.header.amounts == {desk.world.vocabulary.currencies.id("EUR"): 72 * EURO // 100}
    assert desk.world.balance("ana/cash") == 28 * EURO // 100
    # what files bring is priced alike
    [item] = desk.world.items(desk.world.rate([Use("ana", "call", desk.at, MINUTE)]))
    assert (item.amount, desk.world.balance("ana/cash")) == (24 * EURO // 100, 4 * EURO // 100)


def test_a_refund_is_at_the_rate_of_the_charge_whatever_the_rate_is_now() -> None:
    desk = Desk(CATALOG, "ana", "call")
    answer, _ = desk.ask(ChargingKind.CHARGE, MINUTE)
    assert answer["amount"] == 24 * EURO // 100
    desk.at += 30 * SECOND_US
    answer, _ = desk.ask(ChargingKind.CHARGE, MINUTE)
    assert answer["amount"] == 15 * EURO // 100
    answer, _ = desk.ask(ChargingKind.REFUND, of=1)
    assert answer["amount"] == 24 * EURO // 100
    assert desk.world.balance("ana/cash") == 85 * EURO // 100


def test_time_without_a_rate_is_refused_and_holds_nothing() -> None:
    desk = Desk(CATALOG, "ana", "call")
    desk.at += 15 * SECOND_US
    answer, blocks = desk.ask(ChargingKind.RESERVE, MINUTE, increment=MINUTE, code=ChargingCode.RATING_FAILED)
    assert (answer["reason"], answer["granted"], blocks) == (Reason.NO_EXCHANGE_RATE, 0, [])
    assert desk.world.balance("ana/cash") == EURO
