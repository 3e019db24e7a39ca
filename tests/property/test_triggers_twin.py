"""Trees of usage: kernels and twin agree on what is triggered, and a tree is rated, refused and taken back as one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_items import rated_items
from rating_strategies import BORDERS, DATE_LISTS, accounts_of, calendars, versions, yaml_of
from rating_world import Use, World, catalog_from, expect_same_bytes

from rating.reversal import reverse
from rating.triggers import Tree, may_trigger, triggering, with_triggered
from schemas.catalog import Catalog
from schemas.rated_item import usage_of

EXAMPLES = 20 if config.DISABLE_JIT else 100
prices = st.integers(0, 500).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
TYPES: list[dict[str, Any]] = [
    {
        "kind": "event_type", "code": "call", "unit": "s", "attributes": ["zone", "way"],
        "values": {"size": {"type": "number", "decimals": 2}},
    },
    {"kind": "event_type", "code": "text", "unit": "event", "attributes": ["where"]},
    {"kind": "unit", "code": "eur", "decimals": 6},
    {"kind": "event_type", "code": "share", "unit": "eur", "attributes": ["about", "place"]},
]  # fmt: skip
PARTIES: list[dict[str, Any]] = [
    {"kind": "offer", "code": "hub", "charges": ["share-0", "text-0"]},
    {"kind": "subscription", "code": "one", "account": "a", "offer": "offer", "zone": "America/New_York", "group": "home"},
    {"kind": "subscription", "code": "two", "account": "b", "offer": "offer", "zone": "UTC", "group": "home"},
    {"kind": "subscription", "code": "hub", "account": "c", "offer": "hub", "zone": "UTC", "group": "home"},
]  # fmt: skip
UNITS = {"call": "s", "text": "event", "share": "eur"}
CONDITIONS = {"call": ["zone == 'EU'", "quantity > 60.0", "size > 1.5 || zone == 'US'"], "text": ["where != 'EU'"]}
FORMULAS = {
    ("call", "text"): ["1", "2", "size", "quantity / 100.0", "charged * 7.0", "quantity - 50.0"],
    ("call", "share"): ["charged", "charged / 3.0", "size * quantity", "0"],
    ("text", "share"): ["charged", "quantity * 0.5", "charged + 1.0"],
}
SOURCES = {("call", "text"): {"where": "zone"}, ("call", "share"): {"place": "way", "about": "zone"}}
SOURCES["text", "share"] = {"about": "where"}
BY = {"call": "way", "text": "where"}
MADE = {"call": ["text", "share"], "text": ["share"], "share": []}


@st.composite
def triggers(draw: Any, of: str) -> list[dict[str, Any]]:
    """Return triggers of a charge of an event type."""
    found = []
    for _ in range(draw(st.integers(0, 2 if MADE[of] else 0))):
        made = draw(st.sampled_from(MADE[of]))
        trigger = {"event_type": made, "quantity": draw(st.sampled_from(FORMULAS[of, made]))}
        trigger |= draw(st.sampled_from([{}, {"attributes": SOURCES[of, made]}]))
        trigger |= draw(st.sampled_from([{}, {}, *({"when": each} for each in CONDITIONS[of])]))
        trigger |= draw(st.sampled_from([{}, {"subscription": "hub"}, {"subscription": "two"}]))
        chosen = {"by": BY[of], "subscriptions": {"EU": "hub", "US": "one"}}
        trigger |= draw(st.sampled_from([{}, {}, chosen, {**chosen, "subscriptions": {"US": "two"}}]))
        found.append(trigger)
    return found


@st.composite
def catalogs(draw: Any) -> list[dict[str, Any]]:
    """Return a catalog of calls, what they trigger and what that triggers, often on counters with ceilings that are shared."""
    calendar = draw(calendars("week"))
    shared = st.sampled_from(["subscription", "group", "account"])
    counters = [
        {"kind": "counter", "code": f"{of}s", "unit": unit, "period": "month", "shared_by": draw(shared)}
        | draw(st.sampled_from([{}, {}, {"ceiling": f"250 {unit}"}]))
        for of, unit in UNITS.items()
    ]
    limited = {counter["code"] for counter in counters if "ceiling" in counter}
    plans, charges = [], []
    for of, unit in UNITS.items():
        for index in range(draw(st.integers(1, 2))):
            code = f"{of}-{index}"
            if draw(st.booleans()):
                version = {"model": "flat", "per": f"1 {unit}", "price": draw(prices)}
            else:
                version = draw(versions(unit, 60, calendar, f"{of}s", prices))
            if version.get("counter") in limited and version.get("crossing") == "split_then_round":
                version["crossing"] = "per_second"
            version = {"start": "2000-01-01T00:00:00Z"} | version
            plans.append({"kind": "price_plan", "code": code, "currency": "EUR", "versions": [version]})
            charge = {
                "kind": "charge",
                "code": code,
                "event_type": of,
                "price_plan": code,
                "triggers": draw(triggers(of)),
            }
            charge["then_next"] = draw(st.sampled_from([False, False, True]))
            if version.get("counter") in limited:
                charge["when_used_up"] = draw(st.sampled_from(["next", "refuse"]))
            charges.append(charge)
    offer = {"kind": "offer", "code": "offer", "charges": [charge["code"] for charge in charges]}
    accounts = [draw(accounts_of(code)) for code in ("a", "b", "c")]
    return [*DATE_LISTS, calendar, *TYPES, *counters, *plans, *charges, offer, *accounts, *PARTIES]


usage = st.lists(
    st.builds(
        Use,
        st.sampled_from(["one", "one", "two"]),
        st.just("call"),
        st.builds(lambda border, hours: border + hours * 3_600_000_000, st.sampled_from(BORDERS[5:7]), st.integers(-2, 2)),
        st.one_of(
            st.integers(-60, 300).map(lambda seconds: seconds * 1000),
            st.integers(-90_000, 400_000),
            st.sampled_from([0, 2**62, -(2**62), 2**61]),
        ),
        st.fixed_dictionaries(
            {}, optional={"zone": st.sampled_from(["EU", "US"]), "way": st.sampled_from(["EU", "US"])}
        ),
        st.fixed_dictionaries({}, optional={"size": st.sampled_from([0, 150, 151, 10_000])}),
    ),
    min_size=3,
    max_size=16,
)  # fmt: skip


def _catalog(documents: list[dict[str, Any]]) -> Catalog:
    return catalog_from(*yaml_of(documents))


@settings(max_examples=EXAMPLES)
@given(documents=catalogs(), uses=usage)
def test_kernels_and_twin_agree(documents: list[dict[str, Any]], uses: list[Use]) -> None:
    world = World(_catalog(documents))
    assert world.items(world.rate(uses)) == world.rate_twin(uses)
    assert {wallet: world.balance(wallet) for wallet in world.twin_state.balances} == world.twin_state.balances
    for (holder, counter, cell), kept in world.twin_state.counters.items():
        slot = world.vocabulary.counters.id(f"{holder}/{counter}")
        assert world.state.counter_used[slot, cell] == kept.used


@settings(max_examples=EXAMPLES // 2)
@given(documents=catalogs(), before=usage, uses=usage, cut=st.integers(0, 16))
def test_a_block_is_rated_like_its_halves_and_taken_back_to_nothing(
    documents: list[dict[str, Any]], before: list[Use], uses: list[Use], cut: int
) -> None:
    catalog = _catalog(documents)
    whole, halves, again = World(catalog), World(catalog), World(catalog)
    for world in (whole, halves, again):
        world.rate(before)
    balances, used = whole.state.balances.copy(), whole.state.counter_used.copy()
    period = whole.state.counter_period.copy()
    rated = whole.rate(uses)
    together = whole.items(rated)
    expect_same_bytes(again.rate(uses), rated)
    apart = [item for some in (uses[:cut], uses[cut:]) for item in halves.items(halves.rate(some))]
    assert together == apart
    assert whole.state.checksum() == halves.state.checksum()
    reverse(rated_items(whole, whole.rated, rated), whole.state, below_zero=True)
    assert (whole.state.balances == balances).all()
    # a period that nothing is left of stays in its cell, at zero
    same = whole.state.counter_period == period
    assert (whole.state.counter_used[same] == used[same]).all()
    assert (whole.state.counter_used[~same] == 0).all()


@settings(max_examples=EXAMPLES // 4)
@given(documents=catalogs(), uses=usage)
def test_refused_trees_leave_no_trace_and_say_what_refused_them(
    documents: list[dict[str, Any]], uses: list[Use]
) -> None:
    catalog = _catalog(documents)
    world, without = World(catalog), World(catalog)
    rated = world.rate(uses)
    rows = np.arange(len(uses)) if rated.items is None else rated.items.row
    refused = {row for row, reason in zip(rows.tolist(), rated.reason.tolist(), strict=True) if reason}
    assert len(set(rows[rated.reason != 0].tolist())) == np.count_nonzero(rated.reason)
    assert refused.isdisjoint(rows[rated.reason == 0].tolist())
    without.rate([use for row, use in enumerate(uses) if row not in refused])
    assert world.state.checksum() == without.state.checksum()
    triggered = None if rated.items is None else rated.items.triggered
    if triggered is not None:
        assert (triggered.fault[rated.reason == 0] == -1).all()
        assert (triggered.by[rated.reason != 0] == 0).all()


@settings(max_examples=EXAMPLES // 4)
@given(documents=catalogs(), uses=usage)
def test_what_is_stored_tells_what_the_usage_said(documents: list[dict[str, Any]], uses: list[Use]) -> None:
    world = World(_catalog(documents))
    rated = world.rate(uses)
    triggered = None if rated.items is None else rated.items.triggered
    if rated.items is None or triggered is None:
        assert world.image.triggers is None or not may_trigger(world.rated, world.image).any()
        return
    kept = np.flatnonzero(rated.reason == 0)
    said = usage_of(world.rated, rated.items).attributes[kept]
    by = triggered.by[kept]
    tree = Tree(rated.items.number[kept], by, triggered.trigger[kept], rated.charge_version[kept])
    unread = np.where(by[:, None] > 0, -7, said).astype(np.int32)
    assert (with_triggered(unread, tree, world.image, world.catalog) == said).all()
    roots = world.rated.subscription[rated.items.row[kept]]
    for owner in np.unique(triggered.usage.subscription[kept]):
        mine = np.unique(roots[triggered.usage.subscription[kept] == owner])
        assert np.isin(mine, triggering(world.image, np.array([owner]))).all()
