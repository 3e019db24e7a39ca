"""Golden cases of billing systems that rating decides: units, wallets, price changes, choice of charges."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import NOON, costs, world
from rating_world import Use, World, catalog_from, instant

from schemas.money import from_scaled
from schemas.rejection import Reason

# two prepaid wallets with 5 and 3 in them, drawn in that order
WALLETS = """
kind: event_type
code: usage
unit: event
---
kind: price_plan
code: plan
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]
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
  - {code: b, type: prepaid, priority: 2, opening_balance: "3"}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""


def test_an_amount_is_drawn_from_wallets_in_order_and_what_they_cannot_pay_moves_nothing() -> None:
    place = World(catalog_from(WALLETS))
    uses = [Use("line", "usage", NOON, count) for count in (7, 2, 1)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert [(move.wallet, from_scaled(move.amount, 9)) for move in items[0].movements] == [("acme/a", 5), ("acme/b", 2)]
    assert items[1].reason == Reason.INSUFFICIENT_BALANCE
    assert (items[2].reason, place.balance("acme/a"), place.balance("acme/b")) == (0, 0, 0)


def test_a_usage_in_minutes_is_rated_in_seconds() -> None:
    assert costs(world("min", 'model: flat, per: 1 s, price: "100"'), "1 min") == [6000]


DATED = """
at                    euros
2026-02-28T22:59:59Z  1
2026-02-28T23:00:00Z  2
2027-01-01T00:00:00Z  2
"""


@pytest.mark.parametrize("row", DATED.strip().splitlines()[1:])
def test_the_tariff_of_the_day_of_consumption_applies(row: str) -> None:
    at, euros = row.split()
    place = World(
        catalog_from(
            WALLETS.replace(
                "versions: [{start: 2020-01-01T00:00:00Z, model: flat",
                'versions: [{start: 2020-01-01T00:00:00Z, end: "2026-03-01T00:00:00+01:00", model: flat, per: 1 event, '
                'price: "1"}, {start: "2026-03-01T00:00:00+01:00", model: flat',
            ).replace('price: "1"}]', 'price: "2"}]')
        )
    )
    [item] = place.items(place.rate([Use("line", "usage", instant(at), 1)]))
    assert from_scaled(item.amount, 9) == Decimal(euros)


def test_unrated_is_never_zero() -> None:
    place = World(catalog_from(WALLETS))
    [item] = place.items(place.rate([Use("line", "usage", instant("2019-12-31T23:59:59Z"), 1)]))
    assert (item.reason, item.amount, item.movements) == (Reason.NO_PRICE_VERSION, 0, ())


# the difference of the cumulated function: any split of a period gives the same total
SPLITS = """
splits        total
105           13
100 5         13
1 99 5        13
35 35 35      13
"""


@pytest.mark.parametrize("row", SPLITS.strip().splitlines()[1:])
@pytest.mark.parametrize(
    "version",
    [
        'model: graduated, per: 10 event, tiers: [{up_to: 50 event, price: "1"}, {price: "0", amount: "8"}]',
        'model: package, per: 8 event, price: "1", free: 1 event',
        'model: stair_step, tiers: [{up_to: 101 event, amount: "5"}, {amount: "13"}]',
        'model: flat, per: 5 event, price: "1", free: 40 event',
    ],
    ids=["graduated", "package", "stair_step", "flat"],
)
def test_any_split_of_a_period_costs_the_same(version: str, row: str) -> None:
    *splits, total = row.split()
    place = world("event", f"{version}, counter: monthly", "kind: counter\ncode: monthly\nunit: event")
    assert sum(costs(place, *(f"{each} event" for each in splits))) == Decimal(total)
