"""Golden cases of usage that other usage triggers: how much, of whom, in which order, and that a tree stands or falls as one."""

from __future__ import annotations

import pytest
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from rating.reference_block import ReferenceItem
from schemas.rejection import Reason

EURO = 10**9
CATALOG = """
{kind: event_type, code: call, unit: s, attributes: [zone, partner]}
---
{kind: event_type, code: levy, unit: event, attributes: [where]}
---
{kind: unit, code: charged_eur, decimals: 6}
---
{kind: event_type, code: share, unit: charged_eur}
---
{kind: event_type, code: stamp, unit: event}
---
{kind: counter, code: levies, unit: event, ceiling: 5 event}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 min, price: "1"}]}
---
{kind: price_plan, code: levy, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event,
  price: "0.5", counter: levies}]}
---
{kind: price_plan, code: share, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 charged_eur, price: "0.1"}]}
---
{kind: price_plan, code: stamp, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "0.01"}]}
---
{kind: charge, code: call, event_type: call, price_plan: call, triggers: [
  {event_type: levy, when: "zone == 'abroad'", quantity: "1", attributes: {where: zone}},
  {event_type: share, quantity: "charged", subscription: partner}]}
---
{kind: charge, code: levy, event_type: levy, price_plan: levy, filters: {where: abroad}, triggers: [
  {event_type: stamp, quantity: "quantity * 2.0"}]}
---
{kind: charge, code: stamp, event_type: stamp, price_plan: stamp}
---
{kind: charge, code: share, event_type: share, price_plan: share}
---
{kind: offer, code: talk, charges: [call, levy, stamp]}
---
{kind: offer, code: wholesale, charges: [share]}
---
{kind: account, code: a, currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "20"}]}
---
{kind: account, code: p, currency: EUR}
---
{kind: subscription, code: s, account: a, offer: talk}
---
{kind: subscription, code: partner, account: p, offer: wholesale}
"""


def rated(world: World, *uses: Use) -> list[ReferenceItem]:
    """Return the items of usage, having checked that kernels and twin agree."""
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    assert all(world.balance(wallet) == balance for wallet, balance in world.twin_state.balances.items())
    return items


def call(minutes: int, zone: str = "") -> Use:
    return Use("s", "call", NOON, minutes * 60_000, {"zone": zone} if zone else {})


@pytest.fixture
def world() -> World:
    return World(catalog_from(CATALOG))


def test_a_usage_is_followed_by_what_it_triggers_depth_first(world: World) -> None:
    items = rated(world, call(4, "abroad"), call(2), call(1, "abroad"))
    assert [(item.number, item.triggered, item.amount / EURO) for item in items] == [
        (0, None, 4.0),
        (1, ("levy", "s", 0), 0.5),
        (2, ("stamp", "s", 1), 0.02),
        (3, ("share", "partner", 0), 0.4),
        (0, None, 2.0),
        (1, ("share", "partner", 0), 0.2),
        (0, None, 1.0),
        (1, ("levy", "s", 0), 0.5),
        (2, ("stamp", "s", 1), 0.02),
        (3, ("share", "partner", 0), 0.1),
    ]
    assert world.balance("a/card") == 11_960_000_000
    assert world.balance("p/principal") == -700_000_000


def test_what_is_taken_back_takes_back_what_it_would_trigger(world: World) -> None:
    before = dict(world.twin_state.balances)
    rated(world, call(4, "abroad"))
    items = rated(world, call(-4, "abroad"))
    assert [item.amount / EURO for item in items] == [-4.0, -0.5, -0.02, -0.4]
    assert world.twin_state.balances == before


def test_a_tree_falls_as_one(world: World) -> None:
    rated(world, *[call(1, "abroad")] * 5)
    before = world.state.checksum()
    [item] = rated(world, call(1, "abroad"))  # the ceiling of levies is reached
    assert (item.reason, item.number, item.counter_before) == (Reason.COUNTER_USED_UP, 0, 5)
    assert world.state.checksum() == before
    [first, *_] = rated(world, call(1), call(30), call(1))
    assert first.reason is Reason.NONE


def test_halves_of_a_block_are_rated_like_the_block(world: World) -> None:
    uses = [call(1, "abroad"), call(2), call(90), call(3, "abroad"), call(1)]
    other = World(catalog_from(CATALOG))
    together = rated(world, *uses)
    assert together == [item for use in uses for item in rated(other, use)]
    assert world.state.checksum() == other.state.checksum()


def test_whose_it_is_may_be_chosen_by_what_the_usage_says() -> None:
    chosen = 'quantity: "charged", by: partner, subscriptions: {"20801": partner, "20810": third}'
    third = "---\n{kind: subscription, code: third, account: p, offer: wholesale}\n"
    world = World(catalog_from(CATALOG.replace('quantity: "charged", subscription: partner', chosen) + third))
    items = rated(world, *[Use("s", "call", NOON, 60_000, {"partner": code}) for code in ("20810", "20801")])
    assert [item.triggered for item in items] == [None, ("share", "third", 0), None, ("share", "partner", 0)]
    # of another one, the caller would have to be able to pay a share
    [item] = rated(world, Use("s", "call", NOON, 60_000, {"partner": "20815"}))
    assert (item.reason, item.amount) == (Reason.NO_MATCHING_CHARGE, 0)
