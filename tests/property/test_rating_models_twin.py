"""Every price model against its twin, with usage that lies around tiers, blocks, increments and time bands."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import BORDERS, DATE_LISTS, calendars, versions, yaml_of
from rating_world import Use, World, catalog_from

EXAMPLES = 60 if config.DISABLE_JIT else 200
SCALE_S = 60
BEFORE_BORDER_S = 300
PARTIES: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s"},
    {"kind": "counter", "code": "count", "unit": "s", "period": "month", "zone": "Europe/Paris"},
    {"kind": "charge", "code": "charge", "event_type": "call", "price_plan": "plan"},
    {"kind": "offer", "code": "offer", "charges": ["charge"]},
    {"kind": "account", "code": "acme", "currency": "EUR"},
    {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer", "zone": "America/New_York"},
]
prices = st.integers(0, 500).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
# a call begins up to five minutes before a border of days, of summer time or of a quarter of an hour
starts = st.builds(
    lambda border, quarters, seconds, micros: border + (quarters * 900 - seconds) * 1_000_000 + micros,
    st.sampled_from(BORDERS),
    st.integers(0, 200),
    st.integers(0, BEFORE_BORDER_S),
    st.sampled_from([0, 0, 1, 999, 1000]),
)
quantities = st.one_of(
    st.builds(lambda seconds, more: max(0, seconds * 1000 + more), st.integers(0, 5 * SCALE_S), st.integers(-1, 1)),
    st.integers(0, 900_000),
    st.integers(0, 2 * 86_400_000),
    st.just(0),
)
uses = st.lists(
    st.builds(lambda at, quantity: Use("line", "call", at, quantity), starts, quantities), min_size=12, max_size=24
)


@st.composite
def plans(draw: Any) -> list[dict[str, Any]]:
    """Return a calendar and a plan of one version that is in force all the time."""
    calendar = draw(calendars("week"))
    version = {"start": "2000-01-01T00:00:00Z"} | draw(versions("s", SCALE_S, calendar, "count", prices))
    plan = {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]}
    return [*DATE_LISTS, calendar, plan]


@settings(max_examples=EXAMPLES)
@given(documents=plans(), usage=uses)
def test_every_model_agrees_with_its_twin(documents: list[dict[str, Any]], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of([*PARTIES, *documents])))
    items = world.items(world.rate(usage))
    assert items == world.rate_twin(usage)
    counted = documents[-1]["versions"][0].get("counter") is not None
    assert counted or all(item.reason == 0 for item in items)


STEPS = [
    {"model": "package", "per": "7 s", "price": "0.3", "free": "20 s"},
    {"model": "package", "per": "60 s", "price": "1", "blocks": "down"},
    {
        "model": "stair_step",
        "tiers": [{"up_to": "30 s", "amount": "1"}, {"up_to": "9 min", "amount": "4"}, {"amount": "9"}],
    },
    {
        "model": "graduated",
        "per": "1 s",
        "tiers": [{"up_to": "45 s", "price": "0", "amount": "2"}, {"price": "0.01", "amount": "0.5"}],
    },
]


@settings(max_examples=EXAMPLES // 4)
@given(model=st.sampled_from(STEPS), cuts=st.lists(st.integers(1, 600_000), min_size=1, max_size=6))
def test_what_a_counter_counts_costs_the_same_however_it_is_split(model: dict[str, Any], cuts: list[int]) -> None:
    version = {"start": "2000-01-01T00:00:00Z", "counter": "count", "rounding": {"decimals": 9}} | model
    plan = {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]}
    split, whole = (World(catalog_from(*yaml_of([*PARTIES, plan]))) for _ in range(2))
    parts = split.rate([Use("line", "call", BORDERS[0], cut) for cut in cuts])
    together = whole.rate([Use("line", "call", BORDERS[0], sum(cuts))])
    assert parts.amount.sum() == together.amount[0]
