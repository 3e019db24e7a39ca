"""Roll-over: kernels and twin agree on any usage in any order, and laws of what is carried over."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from rating.reversal import RatedItems, find_counters, reverse
from schemas.rated_item import RatedBlock

EXAMPLES = 15 if config.DISABLE_JIT else 150
DAY_US = 86_400_000_000
FIRST = instant("2026-03-20T00:00:00Z")
START = "2020-01-01T00:00:00Z"


@st.composite
def catalogs(draw: Any) -> list[dict[str, Any]]:
    allowance = draw(st.integers(1, 40))
    counter: dict[str, Any] = {
        "kind": "counter",
        "code": "pool",
        "unit": "s",
        "period": draw(st.sampled_from(["day", "day", "month", "year"])),
        "zone": draw(st.sampled_from(["UTC", "Europe/Paris"])),
        "shared_by": draw(st.sampled_from(["subscription", "group"])),
        "roll_over": {
            "of": f"{allowance} s",
            "periods": draw(st.integers(1, 3)),
            "order": draw(st.sampled_from(["oldest_first", "newest_first"])),
            **draw(st.sampled_from([{}, {"limit": f"{max(1, allowance // 2)} s"}])),
        },
    }
    version: dict[str, Any] = {"start": START, "per": f"{draw(st.integers(1, 7))} s", "counter": "pool"}
    model = draw(st.sampled_from(["flat", "graduated", "package"]))
    if model == "graduated":
        beyond = [
            {"up_to": f"{2 * allowance} s", "price": "2", "amount": draw(st.sampled_from(["0", "5"]))},
            {"price": "1"},
        ]
        version |= {"model": model, "tiers": [{"up_to": f"{allowance} s", "price": "0"}, *beyond]}
    else:
        version |= {"model": model, "price": "3", "free": f"{allowance} s"}
    if model == "package":
        version["blocks"] = draw(st.sampled_from(["up", "down"]))
    if draw(st.booleans()):
        version["increments"] = {"first": "5 s", "next": "3 s"}
    if model != "package" and draw(st.booleans()):
        version |= {
            "calendar": "halves",
            "crossing": draw(st.sampled_from(["start", "split_then_round", "per_second"])),
        }
    if draw(st.booleans()):
        version |= {"connection_fee": "0.5", **draw(st.sampled_from([{}, {"cap": "20"}]))}
    return [
        {"kind": "event_type", "code": "call", "unit": "s"},
        {
            "kind": "calendar",
            "code": "halves",
            "zone": "UTC",
            "bands": [{"name": "am", "end": "12:00", "start": "00:00"}, {"name": "pm"}],
        },
        counter,
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "call", "event_type": "call", "price_plan": "plan"},
        {"kind": "offer", "code": "offer", "charges": ["call"]},
        {
            "kind": "account",
            "code": "a",
            "currency": "EUR",
            "wallets": [{"code": "w", "type": "prepaid", "opening_balance": "200"}],
        },
        *(
            {"kind": "subscription", "code": code, "account": "a", "offer": "offer", "group": "g"}
            for code in ("s0", "s1")
        ),
    ]


PLAIN = """
{{kind: event_type, code: call, unit: s}}
---
{{kind: counter, code: pool, unit: s, period: day, roll_over: {rule}}}
---
kind: price_plan
code: plan
currency: EUR
versions: [{{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "3", free: {allowance} s, counter: pool}}]
---
{{kind: charge, code: call, event_type: call, price_plan: plan}}
---
{{kind: offer, code: offer, charges: [call]}}
---
{{kind: account, code: a, currency: EUR}}
---
{{kind: subscription, code: s0, account: a, offer: offer}}
---
{{kind: subscription, code: s1, account: a, offer: offer}}
"""

uses = st.lists(
    st.builds(
        lambda who, day, off, length: Use(who, "call", FIRST + day * DAY_US + off * DAY_US // 7, length * 1000),
        st.sampled_from(["s0", "s1"]),
        st.one_of(st.integers(0, 9), st.integers(0, 400)),
        st.integers(0, 6),
        st.one_of(st.integers(0, 60), st.just(40_000)),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=EXAMPLES)
@given(documents=catalogs(), first=uses, second=uses)
def test_kernels_and_twin_agree(documents: list[dict], first: list[Use], second: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    for some in (first, sorted(second, key=lambda use: use.at)):
        assert world.items(world.rate(some)) == world.rate_twin(some)


@settings(max_examples=EXAMPLES // 3)
@given(allowance=st.integers(1, 40), periods=st.integers(1, 3), some=uses)
def test_drawing_on_the_oldest_first_never_costs_more(allowance: int, periods: int, some: list[Use]) -> None:
    costs = []
    for order in ("oldest_first", "newest_first"):
        rule = f"{{of: {allowance} s, periods: {periods}, order: {order}}}"
        world = World(catalog_from(PLAIN.format(rule=rule, allowance=allowance)))
        costs.append(sum(item.amount for item in world.items(world.rate(sorted(some, key=lambda use: use.at)))))
    assert costs[0] <= costs[1]


@settings(max_examples=EXAMPLES // 3)
@given(documents=catalogs(), kept=uses, gone=uses)
def test_usage_taken_back_leaves_what_it_had_drawn(documents: list[dict], kept: list[Use], gone: list[Use]) -> None:
    documents[6]["wallets"][0] |= {"type": "postpaid"}  # so that all usage is rated
    within = [
        Use(use.subscription, use.event_type, min(use.at, FIRST + 3 * DAY_US), use.quantity) for use in kept + gone
    ]
    opening = [Use(who, "call", FIRST, 0) for who in ("s0", "s1")]  # the first period is that of the first usage
    first, second = [*opening, *within[: len(kept)]], within[len(kept) :]
    world, other = World(catalog_from(*yaml_of(documents))), World(catalog_from(*yaml_of(documents)))
    world.rate(first)
    take_back(world, second, world.rate(second))
    other.rate(first)
    assert world.items(world.rate(kept)) == other.items(other.rate(kept))


def take_back(world: World, some: list[Use], rated: RatedBlock) -> None:
    edrs = world.block(some)
    slot, cell, period = find_counters(edrs.event_at, edrs.subscription, rated.charge_version, world.image.tariff)
    none = np.zeros(0, np.int64)
    ptr = np.zeros(len(some) + 1, np.int64)
    items = RatedItems(
        rated.rated_quantity, rated.amount, rated.wallet, slot, cell, period, ptr, none.astype(np.int32), none
    )
    reverse(items, world.state)
