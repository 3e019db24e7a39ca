"""Usage summed up from its ends gives the bytes of usage that is walked from band to band."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, expect_same_bytes, instant

from rating.kernels import layout
from rating.rate import rate

DAY_MS = 86_400_000
CLOCK_CHANGES = instant("2026-10-25T01:00:00Z")
CROSSINGS = ("split_then_round", "each_increment", "per_second")
INCREMENTS: list[dict[str, Any]] = [
    {},
    {"first": "60 s", "next": "30 s"},
    {"first": "5 s", "next": "1 min", "mode": "half_even"},
    {"first": "60 s", "next": "20 s", "mode": "down"},
    {"first": "7 s", "next": "7 s"},
    {"first": "30 min", "next": "15 min", "mode": "half_up"},
]
MODELS: list[dict[str, Any]] = [
    {"model": "flat", "price": {"day": "0.3", "night": "0.01", "late": "0.07"}},
    *(
        {
            "model": model,
            "tiers": [
                {"up_to": "1 min", "price": "0.5"},
                {"up_to": "2500 min", "price": {"day": "0.2", "night": "0.003", "late": "0.05"}},
                {"up_to": "20000 min", "price": {"day": "0.1", "night": "0.002", "late": "0"}},
                {"price": {"day": "0.05", "night": "0", "late": "0.0001"}},
            ],
        }
        for model in ("graduated", "volume")
    ),
]
PLANS = list(product(MODELS, CROSSINGS, INCREMENTS))


def catalog_of_plans() -> Any:
    """Return a catalog with an event type for every plan."""
    documents: list[dict[str, Any]] = [
        {
            "kind": "calendar",
            "code": "week",
            "zone": "Europe/Paris",
            "bands": [
                {"name": "day", "days": ["mon", "tue", "wed", "thu"], "start": "08:00", "end": "19:45"},
                {"name": "late", "start": "22:15", "end": "02:30"},
                {"name": "night", "days": ["sat", "sun"]},
                {"name": "day", "start": "12:00", "end": "14:00"},
                {"name": "night"},
            ],
        },
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
        {"kind": "offer", "code": "offer", "charges": [f"c{number}" for number in range(len(PLANS))]},
    ]
    for number, (model, crossing, increments) in enumerate(PLANS):
        version = {"start": "2020-01-01T00:00:00Z", "per": "1 min", "calendar": "week", "crossing": crossing} | model
        if model["model"] != "flat":
            version["counter"] = f"count{number}"
            documents.append(
                {"kind": "counter", "code": f"count{number}", "unit": "s", "period": "month", "zone": "Europe/Paris"}
            )
        if increments:
            version["increments"] = increments
        documents += [
            {"kind": "event_type", "code": f"e{number}", "unit": "s"},
            {"kind": "price_plan", "code": f"p{number}", "currency": "EUR", "versions": [version]},
            {"kind": "charge", "code": f"c{number}", "event_type": f"e{number}", "price_plan": f"p{number}"},
        ]
    return catalog_from(*yaml_of(documents))


CATALOG = catalog_of_plans()
IMAGE = World(CATALOG).image


@settings(max_examples=4 if config.DISABLE_JIT else 40)
@given(
    calls=st.lists(
        st.tuples(
            st.integers(CLOCK_CHANGES - 40 * DAY_MS * 1000, CLOCK_CHANGES + 10 * DAY_MS * 1000),
            st.one_of(st.integers(0, 34 * DAY_MS), st.integers(0, DAY_MS), st.integers(1, 96).map((900_000).__mul__)),
        ),
        min_size=1,
        max_size=5,
    )
)
@example([(CLOCK_CHANGES - 900_000_000 * quarter, 900_000 * more) for quarter in (0, 1, 9) for more in (1, 9, 999)])
@example([(CLOCK_CHANGES - 40 * DAY_MS * 1000, DAY_MS + 1), (CLOCK_CHANGES - 20 * DAY_MS * 1000 + 7, 1_140_000)])
@example([(CLOCK_CHANGES - 40 * DAY_MS * 1000, 15 * DAY_MS), (CLOCK_CHANGES - 24 * DAY_MS * 1000 + 7, 7 * DAY_MS)])
def test_both_ways_give_the_same_bytes(calls: list[tuple[int, int]]) -> None:
    """Each call is priced by every plan."""
    rows = IMAGE.tariff.version_row.copy()
    rows[:, layout.STRAIGHT] = 0
    walked = replace(IMAGE, tariff=IMAGE.tariff._replace(version_row=rows))
    worlds = World(CATALOG), World(CATALOG)
    uses = [Use("line", f"e{plan}", at, length) for at, length in calls for plan in range(len(PLANS))]
    block = worlds[0].block(uses)
    rated = [rate(block, image, world.state) for image, world in zip((IMAGE, walked), worlds, strict=True)]
    expect_same_bytes(*rated)
    assert worlds[0].state.checksum() == worlds[1].state.checksum()


def test_usage_whose_increments_begin_where_quarters_do_is_summed_up() -> None:
    """The others are walked."""
    straight = IMAGE.tariff.version_row[:, layout.STRAIGHT]
    told = {}
    for version, about in zip(straight, IMAGE.charge_versions, strict=True):
        _, crossing, increments = PLANS[int(about.charge[1:])]
        told[crossing, increments.get("first"), increments.get("next")] = int(version)
    assert {key for key, value in told.items() if not value} == {
        ("split_then_round", "5 s", "1 min"),
        ("split_then_round", "7 s", "7 s"),
        ("split_then_round", "30 min", "15 min"),
        ("each_increment", "7 s", "7 s"),
    }


def test_a_call_of_five_weeks_costs_what_its_hours_cost() -> None:
    """Checked by hand: the flat price by the second, over whole weeks."""
    world = World(CATALOG)
    plan = PLANS.index((MODELS[0], "per_second", {}))
    rated = rate(
        world.block([Use("line", f"e{plan}", instant("2026-06-01T00:00:00+02:00"), 35 * DAY_MS)]), IMAGE, world.state
    )
    day = 4 * 11.75 * 60  # Monday to Thursday
    late = 7 * 4.25 * 60
    # Friday 12:00 to 14:00; weekends are night but for the late hours
    day += 2 * 60
    night = 7 * 24 * 60 - day - late
    assert rated.amount.tolist() == [round(5 * (day * 0.3 + late * 0.07 + night * 0.01), 6) * 10**9]
    assert np.all(rated.reason == 0)
