"""Golden cases of telephony and of billing systems that have no table elsewhere. `test_golden_index` lists where each case is."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from rating_tables import PARTIES, world
from rating_world import Use, World, catalog_from, instant

from billing.invoicing.rules_taxes import TaxedSum, invoice_taxes, tax_amounts
from billing.subscriptions.rules_fees import days_in_force, pieces
from billing.subscriptions.rules_proration import recurring_amount
from rating.kernels.local_time import local_instant
from schemas.fees import RecurringCharge
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled
from schemas.price_plan import Rounding, utc_microseconds
from schemas.rejection import Reason
from schemas.tax import RATE_DECIMALS, TaxRounding
from schemas.values import pack_digits

NOON = instant("2026-06-10T12:00:00Z")
CENTS = {"decimals": 2}

# number portability: who serves a number is told by a dated table of ported numbers, not by the range it was given out of
PORTED = """
{kind: lookup_table, code: networks, key: digits, rows: [
  {key: "336", code: own}, {key: "337", code: other},
  {key: "33612345678", code: other, start: "2026-05-01T00:00:00+02:00"},
  {key: "33712345678", code: own, start: "2026-05-01T00:00:00+02:00", end: "2026-09-01T00:00:00+02:00"}]}
---
{kind: event_type, code: usage, unit: s, values: {called: digits}, lookups: {network: {table: networks, of: called}}}
---
{kind: price_matrix, code: nets, columns: {network: code}, rows: [{network: own, price: "0.01"}, {price: "0.10"}]}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 min, prices: nets}]}
---
{kind: charge, code: charge, event_type: usage, price_plan: plan}
"""
NUMBERS = """
called       at                         euros
33600000001  2026-06-10T12:00:00Z       0.01
33700000001  2026-06-10T12:00:00Z       0.1
33612345678  2026-04-30T12:00:00Z       0.01
33612345678  2026-06-10T12:00:00Z       0.1
33712345678  2026-06-10T12:00:00Z       0.01
33712345678  2026-10-10T12:00:00Z       0.1
"""


@pytest.fixture(scope="module")
def ported() -> World:
    return World(catalog_from(PORTED, PARTIES))


@pytest.mark.parametrize("row", NUMBERS.strip().splitlines()[1:])
def test_a_ported_number_is_of_the_network_that_serves_it_then(ported: World, row: str) -> None:
    called, at, euros = row.split()
    uses = [Use("line", "usage", instant(at), 60_000, values={"called": pack_digits(called)})]
    items = ported.items(ported.rate(uses))
    assert items == ported.rate_twin(uses)
    assert from_scaled(items[0].amount, 9) == Decimal(euros)


# what a clock on the wall shows to have passed, which is not how long usage was
CLOCKS = """
start                 seconds  on the clock
2026-10-25T00:30:00Z  7200     3600
2026-03-29T00:30:00Z  3600     7200
"""
BANDS = (
    'kind: calendar\ncode: week\nzone: Europe/Paris\nbands: [{name: day, start: "08:00", end: "20:00"}, {name: night}]'
)


@pytest.mark.parametrize("row", CLOCKS.strip().splitlines()[1:])
def test_a_clock_shows_another_time_to_have_passed_when_it_is_changed(row: str) -> None:
    start, seconds, shown = row.split()
    version = 'model: flat, per: 1 s, calendar: week, price: {day: "1", night: "1"}, crossing: per_second'
    place = world("s", version, BANDS)
    tariff, at = place.image.tariff, instant(start)
    zone = int(tariff.calendar_zone[0])
    tables = (tariff.zone_ptr, tariff.zone_bucket, tariff.zone_instant, tariff.zone_offset)
    begun, ended = (local_instant(each, zone, *tables) for each in (at, at + int(seconds) * 1_000_000))
    assert ended - begun == int(shown) * 1_000_000
    uses = [Use("line", "usage", at, int(seconds) * 1000)]
    [item] = place.items(place.rate(uses))
    assert (item.amount, [item]) == (int(seconds) * 10**9, place.rate_twin(uses))


def test_tax_in_the_price_is_another_sum_by_line_than_by_total() -> None:
    """Seven items of 0.10 with 20 % in them: 0.56 net if each is rounded, 0.58 on the sum, which is how bills are computed."""
    tenth, rate = to_scaled(Decimal("0.10"), AMOUNT_DECIMALS), to_scaled(Decimal(20), RATE_DECIMALS)
    by_line = 7 * tax_amounts(tenth, rate, "gross", Rounding.model_validate(CENTS))[0]
    total = invoice_taxes([TaxedSum((("vat", rate),), tenth)] * 7, "gross", TaxRounding.model_validate(CENTS))
    assert [from_scaled(each, AMOUNT_DECIMALS) for each in (by_line, total.net)] == [Decimal("0.56"), Decimal("0.58")]


REJECT_LEVEL = """
{kind: event_type, code: usage, unit: event}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: charge, code: charge, event_type: usage, price_plan: plan}
---
{kind: offer, code: offer, charges: [charge]}
---
kind: account
code: acme
currency: EUR
wallets:
  - {code: a, type: prepaid, priority: 1, opening_balance: "5"}
  - {code: b, type: prepaid, priority: 2, opening_balance: "3"%s}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""


@pytest.mark.parametrize(
    ("overdraft", "reason", "left"), [("", Reason.INSUFFICIENT_BALANCE, 1), (', overdraft: "10"', Reason.NONE, -1)]
)
def test_the_level_at_which_a_wallet_refuses_decides(overdraft: str, reason: Reason, left: int) -> None:
    place = World(catalog_from(REJECT_LEVEL % overdraft))
    uses = [Use("line", "usage", NOON, count) for count in (7, 2)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert [item.reason for item in items] == [Reason.NONE, reason]
    open_balances = place.state.open_balances(place.image.account_wallet.astype("int64"))
    assert sum(open_balances.values()) == left * 10**9


def test_what_was_paid_in_advance_for_days_after_the_end_is_reimbursed() -> None:
    """30.00 for June in advance, ended on 11 June: 20 of 30 days are taken back."""
    fee = RecurringCharge.model_validate(
        {"kind": "recurring_charge", "code": "f", "price_plan": "p", "zone": "Europe/Paris", "in_advance": True}
    )
    begun, ended = (
        utc_microseconds(datetime.fromisoformat(f"{day}T00:00:00+02:00")) for day in ("2026-04-01", "2026-06-11")
    )
    asked, owed = (
        {
            piece.days.start: piece.quantity
            for piece in pieces(fee, *days_in_force(fee, begun, end), date(2026, 6, 12), [])
        }
        for end in (None, ended)
    )
    change = {day: owed[day] - quantity for day, quantity in asked.items() if owed[day] != quantity}
    assert change == {date(2026, 6, 1): Fraction(-20, 30)}
    reimbursed = recurring_amount(Decimal("30.00"), Fraction(-20, 30), Rounding.model_validate(CENTS))
    assert from_scaled(reimbursed, AMOUNT_DECIMALS) == Decimal("-20.00")
