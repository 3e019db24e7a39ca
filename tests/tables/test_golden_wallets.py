"""Wallets that pay for some usage only: who is drawn, in which order, and what becomes of what nobody pays for."""

from __future__ import annotations

import pytest
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from schemas.rejection import Reason

CATALOG = """
{kind: event_type, code: data, unit: MB, attributes: [zone], values: {size: number}}
---
{kind: event_type, code: call, unit: s}
---
{kind: price_plan, code: mb, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "1"}]}
---
{kind: price_plan, code: second, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "1"}]}
---
{kind: charge, code: data, event_type: data, price_plan: mb}
---
{kind: charge, code: home, event_type: data, price_plan: mb, filters: {zone: home}, priority: 1}
---
{kind: charge, code: call, event_type: call, price_plan: second}
---
{kind: offer, code: offer, charges: [data, home, call]}
---
{kind: offer, code: other, charges: [data]}
---
{kind: subscription, code: line, account: acme, offer: offer}
---
{kind: subscription, code: more, account: acme, offer: other}
"""
ANY = '{code: any, type: prepaid, opening_balance: "10"}'
ONLY = '{code: only, type: prepaid, opening_balance: "2", pays_for: [%s]}'

# what a wallet with 2 in it pays for, usage of 3, and what it pays of that
PAID = """
pays_for                                                        use                     paid
event_type: data                                                line data 3 zone=far    2
event_type: data                                                line call 3             0
event_type: call                                                line call 3             2
charge: home                                                    line data 3 zone=home   2
charge: home                                                    line data 3 zone=far    0
price_plan: second                                              line call 3             2
price_plan: second                                              more data 3             0
offer: other                                                    more data 3             2
offer: other                                                    line data 3             0
offer: other, event_type: call                                  more data 3             0
charge: data, condition: "zone == 'far'"                        line data 3 zone=far    2
charge: data, condition: "zone == 'far'"                        line data 3             0
event_type: data, condition: "size > 1 || quantity > 5.0"       line data 3 size=2      2
event_type: data, condition: "size > 1 || quantity > 5.0"       line data 3 size=1      0
event_type: data, condition: "size > 1"                         line call 3             0
"""


def _use(text: str) -> Use:
    subscription, event_type, count, *said = text.split()
    values = {name: int(value) for name, _, value in (each.partition("=") for each in said) if name == "size"}
    named = {name: value for name, _, value in (each.partition("=") for each in said) if name != "size"}
    steps = 1_000_000 if event_type == "data" else 1000
    return Use(subscription, event_type, NOON, int(count) * steps, named, values)


def _place(*wallets: str) -> World:
    account = f"{{kind: account, code: acme, currency: EUR, wallets: [{', '.join(wallets)}]}}"
    return World(catalog_from(CATALOG, account))


def _paid(place: World, *uses: str) -> list[tuple[Reason, dict[str, int]]]:
    asked = [_use(text) for text in uses]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    return [
        (item.reason, {move.wallet.partition("/")[2]: move.amount // 10**9 for move in item.movements})
        for item in items
    ]


@pytest.mark.parametrize("row", PAID.strip().splitlines()[1:])
def test_a_wallet_pays_for_what_it_says(row: str) -> None:
    only, use, paid = (part.strip() for part in row.split("  ") if part.strip())
    wanted = {"only": int(paid), "any": 3 - int(paid)} if int(paid) else {"any": 3}
    assert _paid(_place(ANY, ONLY % f"{{{only}}}"), use) == [(Reason.NONE, wanted)]


def test_one_of_several_is_enough() -> None:
    only = "{event_type: call}, {charge: data, condition: \"zone == 'a'\"}, {charge: data, condition: \"zone == 'b'\"}"
    place = _place(ANY, ONLY.replace('"2"', '"9"') % only)
    uses = ("line call 1", "line data 1 zone=a", "line data 1 zone=b", "line data 1 zone=c")
    assert [sorted(parts) for _, parts in _paid(place, *uses)] == [["only"], ["only"], ["only"], ["any"]]


def test_wallets_are_drawn_by_priority_and_those_for_some_usage_first() -> None:
    first = '{code: z, type: prepaid, opening_balance: "1", pays_for: [{event_type: data}]}'
    later = '{code: a, type: prepaid, priority: 2, opening_balance: "1", pays_for: [{event_type: data}]}'
    place = _place(ANY, first, later)
    assert _paid(place, "line data 12") == [(Reason.NONE, {"z": 1, "any": 10, "a": 1})]


def test_what_nobody_pays_for_moves_nothing() -> None:
    place = _place(ONLY % "{event_type: call}", "{code: bill, type: postpaid, pays_for: [{event_type: call}]}")
    assert _paid(place, "line data 1", "line call 3", "line data 0") == [
        (Reason.INSUFFICIENT_BALANCE, {}),
        (Reason.NONE, {"only": 2, "bill": 1}),
        (Reason.NONE, {}),
    ]
    assert (place.balance("acme/only"), place.balance("acme/bill")) == (0, -(10**9))


def test_a_condition_that_cannot_be_told_refuses() -> None:
    place = _place(ANY, ONLY % '{event_type: data, condition: "size > 1"}')
    assert _paid(place, "line data 1", "line call 1") == [(Reason.CONDITION_UNDECIDED, {}), (Reason.NONE, {"any": 1})]


def test_usage_taken_back_goes_to_the_last_wallet_that_may_be_drawn() -> None:
    place = _place(ANY, ONLY % "{event_type: data}", "{code: bill, type: postpaid, pays_for: [{event_type: call}]}")
    assert _paid(place, "line data -1", "line call -1") == [(Reason.NONE, {"any": -1}), (Reason.NONE, {"bill": -1})]
