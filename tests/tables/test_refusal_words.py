"""Each reason for which usage stays unrated is told with what made it so."""

from __future__ import annotations

import pytest
from rating_world import Use, World, catalog_from, instant

from rating.refusal_words import RefusalWords
from schemas.rejection import EXPLANATIONS, Reason
from schemas.values import pack_digits

NOON = instant("2026-10-05T12:00:00+02:00")
LONG_AGO = instant("2025-12-31T23:00:00+00:00")
CATALOG = """
{kind: event_type, code: call, unit: s, attributes: [zone], values: {called: digits, rate: {type: number, decimals: 2}}}
---
{kind: event_type, code: data, unit: MB}
---
{kind: price_plan, code: home, currency: EUR, versions: [
  {start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "60"}]}
---
{kind: price_plan, code: shared, currency: EUR, versions: [
  {start: "2026-01-01T00:00:00Z", model: formula, formula: "60 / rate"}]}
---
{kind: price_plan, code: dear, currency: EUR, versions: [
  {start: "2026-01-01T00:00:00Z", model: flat, per: "1 MB", price: "9000000"}]}
---
{kind: charge, code: home, event_type: call, price_plan: home, filters: {zone: home}}
---
{kind: charge, code: shared, event_type: call, price_plan: shared, filters: {zone: shared}}
---
{kind: charge, code: asked, event_type: call, price_plan: home, filters: {zone: asked}, condition: "rate > 1"}
---
{kind: charge, code: data, event_type: data, price_plan: dear}
---
{kind: offer, code: mobile, charges: [home, shared, asked, data]}
---
{kind: account, code: ana, currency: EUR, wallets: [{code: prepaid, type: prepaid, opening_balance: "5"}]}
---
{kind: account, code: bob, currency: EUR, wallets: [{code: bill, type: postpaid}]}
---
{kind: subscription, code: ana, account: ana, offer: mobile}
---
{kind: subscription, code: bob, account: bob, offer: mobile}
"""
FRENCH = {"called": pack_digits("33123456789")}
CALL = "90 s of call at 2026-10-05T10:00:00Z"
TOLD = [
    (Use("ana", "call", NOON, 90_000, {}, FRENCH), Reason.NO_MATCHING_CHARGE,
     f"subscription ana, {CALL}, zone (none that a charge or a price names), called 33123456789"),
    (Use("ana", "call", LONG_AGO, 90_000, {"zone": "home"}, FRENCH), Reason.NO_PRICE_VERSION,
     "subscription ana, 90 s of call at 2025-12-31T23:00:00Z, zone home, called 33123456789"),
    (Use("ana", "call", NOON, 90_000, {"zone": "home"}), Reason.INSUFFICIENT_BALANCE,
     f"charge home, price plan home; subscription ana, {CALL}, zone home"),
    (Use("bob", "data", NOON, 2**60), Reason.AMOUNT_OVERFLOW,
     "charge data, price plan dear; subscription bob, 1152921504606.846976 MB of data at 2026-10-05T10:00:00Z"),
    (Use("bob", "call", NOON, 90_000, {"zone": "shared"}, {"rate": 0}), Reason.FORMULA_UNUSABLE,
     f"charge shared, price plan shared; subscription bob, {CALL}, zone shared, called (none), rate 0.00"),
    (Use("bob", "call", NOON, 90_000, {"zone": "asked"}, FRENCH), Reason.CONDITION_UNDECIDED,
     f"charge asked: rate > 1; subscription bob, {CALL}, zone asked, called 33123456789, rate (none)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World(catalog_from(CATALOG))


@pytest.mark.parametrize(("use", "reason", "words"), TOLD, ids=[reason.name for _, reason, _ in TOLD])
def test_a_refusal_says_what_made_it(world: World, use: Use, reason: Reason, words: str) -> None:
    rated = world.rate([use])
    assert Reason(int(rated.reason[0])) == reason
    assert RefusalWords(world.image, world.rated, rated, world.vocabulary)(0) == f"{EXPLANATIONS[reason]}; {words}"
