"""Prices by spend, as triggered usage of what a call would cost in full: to the last unit what walking the spend by fractions gives."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from schemas.catalog import Catalog

FULL = {"": Fraction(1, 1000), "abroad": Fraction(1, 100)}
"""Euros for a second."""
OFF = ((Fraction(9), Fraction(1)), (Fraction(45), Fraction(9, 10)), (None, Fraction(8, 10)))
"""Until so many euros are spent, calls cost this part of the full price: 45 spent are 9 + 36 / 0.9 = 49 in full."""
CATALOG = """
{kind: event_type, code: call, unit: s, attributes: [zone]}
---
{kind: unit, code: full, decimals: 9}
---
{kind: event_type, code: spending, unit: full}
---
{kind: counter, code: spent, unit: full, period: month}
---
{kind: price_plan, code: home, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "0.0008"}]}
---
{kind: price_plan, code: away, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "0.008"}]}
---
{kind: price_plan, code: spending, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: graduated, per: 1 full,
  counter: spent, tiers: [{up_to: 9 full, price: "0.2"}, {up_to: 49 full, price: "0.1"}, {price: "0"}]}]}
---
{kind: charge, code: home, event_type: call, price_plan: home, triggers: [{event_type: spending, quantity: charged / 0.8}]}
---
{kind: charge, code: away, event_type: call, filters: {zone: abroad}, price_plan: away, triggers: [
  {event_type: spending, quantity: charged / 0.8}]}
---
{kind: charge, code: spending, event_type: spending, price_plan: spending}
---
{kind: offer, code: o, charges: [away, home, spending]}
---
{kind: account, code: a, currency: EUR}
---
{kind: subscription, code: s, account: a, offer: o}
"""


@cache
def _catalog() -> Catalog:
    return catalog_from(CATALOG)


def spent_at(full: Fraction) -> Fraction:
    """Return what is spent when calls of so much in full were made, tier by tier."""
    spent = Fraction(0)
    for bound, part in OFF:
        if bound is None or spent + full * part <= bound:
            return spent + full * part
        full -= (bound - spent) / part
        spent = bound
    raise AssertionError


calls = st.lists(st.tuples(st.sampled_from(sorted(FULL)), st.integers(1, 9000)), min_size=1, max_size=8)


@settings(max_examples=15)
@given(made=calls, back=st.integers(0, 3), split=st.integers(1, 8))
def test_each_call_costs_what_it_adds_to_the_spend(made: list[tuple[str, int]], back: int, split: int) -> None:
    world = World(_catalog())
    taken = [(zone, -seconds) for zone, seconds in made[::-1][:back]]
    uses = [Use("s", "call", NOON, seconds * 1000, {"zone": zone} if zone else {}) for zone, seconds in [*made, *taken]]
    items = [item for part in (uses[:split], uses[split:]) if part for item in world.items(world.rate(part))]
    assert items == world.rate_twin(uses)
    trees = [
        [item for _, item in group]
        for _, group in groupby(
            zip(accumulated([item.number == 0 and item.triggered is None for item in items]), items, strict=True),
            key=lambda one: one[0],
        )
    ]
    full = Fraction(0)
    for (zone, seconds), tree in zip([*made, *taken], trees, strict=True):
        added = spent_at(full + seconds * FULL[zone]) - spent_at(full)
        full += seconds * FULL[zone]
        assert Fraction(sum(item.amount for item in tree), 10**9) == added
    assert Fraction(-world.balance("a/principal"), 10**9) == spent_at(full)


def accumulated(begins: list[bool]) -> list[int]:
    """Return which tree each item is of."""
    places: list[int] = []
    for begin in begins:
        places.append((places[-1] if places else 0) + int(begin))
    return places
