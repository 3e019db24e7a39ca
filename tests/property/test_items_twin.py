"""One usage, several items: kernels and twin agree on ceilings, on charges that price once more, and on usage taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_items import rated_items
from rating_strategies import BORDERS, DATE_LISTS, accounts_of, calendars, versions, yaml_of
from rating_world import Use, World, catalog_from

from rating.reversal import reverse

EXAMPLES = 25 if config.DISABLE_JIT else 120
prices = st.integers(0, 500).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
PARTIES: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s", "attributes": ["zone"]},
    {
        "kind": "subscription",
        "code": "one",
        "account": "a",
        "offer": "offer",
        "zone": "America/New_York",
        "group": "home",
    },
    {"kind": "subscription", "code": "two", "account": "b", "offer": "offer", "zone": "UTC", "group": "home"},
]
PAYS_FOR = [[{"charge": "c0"}], [{"event_type": "call", "condition": "quantity > 60.0"}, {"charge": "c1"}]]
FOLLOW_UPS = [False, False, True, "zone == 'EU'", "quantity > 60.0"]


@st.composite
def catalogs(draw: Any) -> list[dict[str, Any]]:
    """Return a catalog whose charges often run on counters with ceilings, and often let the next one price once more."""
    calendar = draw(calendars("week"))
    counters = [
        {
            "kind": "counter",
            "code": code,
            "unit": "s",
            "period": draw(st.sampled_from(["day", "month", "ever"])),
            "zone": "Europe/Paris",
            "shared_by": draw(st.sampled_from(["subscription", "group", "account"])),
        }
        | draw(st.sampled_from([{}, {"ceiling": "100 s"}, {"ceiling": "250 s"}]))
        for code in ("here", "there")
    ]
    limited = {counter["code"] for counter in counters if "ceiling" in counter}
    plans, charges = [], []
    for index in range(draw(st.integers(2, 4))):
        version = {"start": "2000-01-01T00:00:00Z"}
        version |= draw(versions("s", 60, calendar, draw(st.sampled_from(["here", "there"])), prices))
        simple = draw(st.booleans())
        if simple:
            per = {"model": "flat", "per": "1 s", "price": draw(prices)}
            version = {"start": version["start"], **per} | (
                {"counter": version["counter"]} if "counter" in version else {}
            )
        if version.get("counter") in limited and version.get("crossing") == "split_then_round":
            version["crossing"] = "per_second"
        plans.append({"kind": "price_plan", "code": f"p{index}", "currency": "EUR", "versions": [version]})
        charge: dict[str, Any] = {
            "kind": "charge",
            "code": f"c{index}",
            "event_type": "call",
            "price_plan": f"p{index}",
        }
        charge |= {"priority": draw(st.integers(0, 1)), "then_next": draw(st.sampled_from(FOLLOW_UPS))}
        charge |= draw(st.sampled_from([{}, {}, {"filters": {"zone": "EU"}}, {"condition": "zone != 'US'"}]))
        if version.get("counter") in limited:
            charge["when_used_up"] = draw(st.sampled_from(["next", "next", "refuse"]))
        charges.append(charge)
    offer = {"kind": "offer", "code": "offer", "charges": [charge["code"] for charge in charges]}
    accounts = [draw(accounts_of(code, PAYS_FOR)) for code in ("a", "b")]
    return [*DATE_LISTS, calendar, *counters, *plans, *charges, offer, *accounts, *PARTIES]


usage = st.lists(
    st.builds(
        lambda subscription, border, hours, quantity, attributes: Use(
            subscription, "call", border + hours * 3_600_000_000, quantity, attributes
        ),
        st.sampled_from(["one", "one", "two"]),
        st.sampled_from(BORDERS[5:7]),
        st.integers(-2, 2),
        st.one_of(
            st.integers(-100, 300).map(lambda seconds: seconds * 1000),
            st.integers(-90_000, 400_000),
            st.sampled_from([0, 2**62, -(2**62), 2**61]),
        ),
        st.fixed_dictionaries({}, optional={"zone": st.sampled_from(["EU", "US"])}),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=EXAMPLES)
@given(documents=catalogs(), uses=usage)
def test_kernels_and_twin_agree(documents: list[dict[str, Any]], uses: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    assert world.items(world.rate(uses)) == world.rate_twin(uses)
    assert {wallet: world.balance(wallet) for wallet in world.twin_state.balances} == world.twin_state.balances
    for (holder, counter, cell), kept in world.twin_state.counters.items():
        slot = world.vocabulary.counters.id(f"{holder}/{counter}")
        assert world.state.counter_used[slot, cell] == kept.used


@settings(max_examples=EXAMPLES // 2)
@given(documents=catalogs(), before=usage, uses=usage, cut=st.integers(0, 24))
def test_a_block_is_rated_like_its_halves_and_taken_back_to_nothing(
    documents: list[dict[str, Any]], before: list[Use], uses: list[Use], cut: int
) -> None:
    catalog = catalog_from(*yaml_of(documents))
    whole, halves = World(catalog), World(catalog)
    for world in (whole, halves):
        world.rate(before)
    balances, used = whole.state.balances.copy(), whole.state.counter_used.copy()
    period = whole.state.counter_period.copy()
    rated = whole.rate(uses)
    together = whole.items(rated)
    apart = [item for some in (uses[:cut], uses[cut:]) for item in halves.items(halves.rate(some))]
    assert together == apart
    assert whole.state.checksum() == halves.state.checksum()
    assert (rated.amount[rated.reason != 0] == 0).all()
    reverse(rated_items(whole, whole.rated, rated), whole.state, below_zero=True)
    assert (whole.state.balances == balances).all()
    # a period that nothing is left of stays in its cell, at zero
    same = whole.state.counter_period == period
    assert (whole.state.counter_used[same] == used[same]).all()
    assert (whole.state.counter_used[~same] == 0).all()


@settings(max_examples=EXAMPLES // 4)
@given(documents=catalogs(), uses=usage)
def test_refused_usage_leaves_no_trace(documents: list[dict[str, Any]], uses: list[Use]) -> None:
    catalog = catalog_from(*yaml_of(documents))
    world, without = World(catalog), World(catalog)
    rated = world.rate(uses)
    rows = range(len(uses)) if rated.items is None else rated.items.row.tolist()
    refused = {row for row, reason in zip(rows, rated.reason.tolist(), strict=True) if reason}
    without.rate([use for row, use in enumerate(uses) if row not in refused])
    assert world.state.checksum() == without.state.checksum()
