"""Counters of several subscriptions: who fills them, who pays, what an activation changes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from schemas.money import from_scaled

SOLD = """
{kind: event_type, code: data, unit: MB}
---
kind: price_plan
code: plan
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "1", free: 100 MB, counter: pool}]
---
{kind: charge, code: data, event_type: data, price_plan: plan}
---
{kind: offer, code: offer, charges: [data]}
---
{kind: account, code: top, currency: EUR, level: customer}
---
{kind: account, code: a, currency: EUR, parent: top}
---
{kind: account, code: b, currency: EUR, parent: top}
"""


def catalog(shared_by: str, **groups: str) -> list[str]:
    lines = [f"{{kind: counter, code: pool, unit: MB, shared_by: {shared_by}}}"]
    for line, account in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        group = groups.get(line, "home")
        lines.append(f"{{kind: subscription, code: {line}, account: {account}, offer: offer, group: {group}}}")
    return [SOLD, *lines]


def cost(place: World, *lines: str) -> list[Decimal]:
    uses = [Use(line, "data", NOON, 60 * 10**6) for line in lines]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    return [from_scaled(item.amount, 9) for item in items]


@pytest.mark.parametrize(
    ("shared_by", "expected"),
    [
        ("subscription", [0, 0, 0, 20]),
        ("account", [0, 20, 0, 60]),
        ("group", [0, 20, 60, 60]),
        ("customer", [0, 20, 60, 60]),
    ],
)
def test_what_one_uses_the_others_lack(shared_by: str, expected: list[int]) -> None:
    place = World(catalog_from(*catalog(shared_by)))
    assert cost(place, "a1", "a2", "b1", "a1") == expected
    assert place.balance("a/principal") + place.balance("b/principal") == -sum(expected) * 10**9


def test_who_changes_the_group_counts_there_from_then_on_and_leaves_what_it_used() -> None:
    before = World(catalog_from(*catalog("group")))
    assert cost(before, "a1", "b1") == [0, 20]
    after = World(catalog_from(*catalog("group", b1="office")), before)
    assert cost(after, "b1", "a1", "b1") == [0, 60, 20]
    back = World(catalog_from(*catalog("group")), after)
    assert cost(back, "b1") == [60]
