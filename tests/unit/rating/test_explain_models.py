"""Explanations of every price model, in words."""

from __future__ import annotations

import pytest
from rating_tables import world
from rating_world import instant

from rating.explanation import Explanation
from rating.reference import UnableToPrice, find_charge_version, price

EVENING = instant("2026-01-15T18:58:30Z")
CALENDAR = """
kind: calendar
code: week
zone: Europe/Paris
bands: [{name: peak, start: "08:00", end: "20:00"}, {name: off}]
"""
MINUTES = "kind: counter\ncode: monthly\nunit: min"
BYTES = "kind: counter\ncode: monthly\nunit: B"


def explain(unit: str, version: str, more: str = "", *, quantity: int, before: int = 0) -> Explanation:
    """Return the explanation of one usage, which its JSON must tell as well."""
    place = world(unit, version, more)
    name = place.image.charge_versions[0].name
    told = price(
        place.catalog,
        *find_charge_version(place.catalog, name),
        quantity=quantity,
        event_at=EVENING,
        counter_before=before,
    )
    assert Explanation.model_validate_json(told.model_dump_json()).lines() == told.lines()
    return told


# version, quantity, counter before, and what is told of it after "the usage started at …"
CASES = {
    "volume": (
        'model: volume, per: 1 min, counter: monthly, tiers: [{up_to: 2 min, price: "0.10"}, {price: "0.05"}]',
        60_000,
        60_000,
        [
            "counter monthly (month 2026-01 in UTC): 60 s before, 120 s after",
            "tier 2: 60 s at 0.05 per 1 min = 0.05",
            "sum 0.05, rounded half up to 6 decimals: 0.050000 EUR",
        ],
    ),
    "stair step": (
        'model: stair_step, counter: monthly, tiers: [{up_to: 2 min, amount: "1"}, {amount: "5"}]',
        60_000,
        60_000,
        [
            "counter monthly (month 2026-01 in UTC): 60 s before, 120 s after",
            "tier 2 is reached: 5",
            "tier 1 was paid before: -1",
            "sum 4, rounded half up to 6 decimals: 4.000000 EUR",
        ],
    ),
    "event": (
        'model: event, price: "0.35", zero_usage: charged',
        0,
        0,
        ["usage of zero is charged: 0.35", "sum 0.35, rounded half up to 6 decimals: 0.350000 EUR"],
    ),
    "graduated with amounts": (
        'model: graduated, per: 1 min, tiers: [{up_to: 1 min, price: "0.10", amount: "2"}, {price: "0.05", amount: "3"}]',
        90_000,
        0,
        [
            "tier 1 (below 1 min): 60 s at 0.1 per 1 min = 0.1",
            "tier 2: 30 s at 0.05 per 1 min = 0.025",
            "tier 1 begins: 2",
            "tier 2 begins: 3",
            "sum 5.125, rounded half up to 6 decimals: 5.125000 EUR",
        ],
    ),
    "free part, minimum and cap": (
        'model: flat, per: 1 min, price: "0.60", free: 10 s, minimum_quantity: 30 s, cap: "0.15"',
        1_000,
        0,
        [
            "usage counts as 30 s at least",
            "free (below 10 s): 10 s at 0 per 1 min = 0",
            "price: 20 s at 0.6 per 1 min = 0.2",
            "sum 0.2, the cap of 0.15 applies, rounded half up to 6 decimals: 0.150000 EUR",
        ],
    ),
    "floor and rounded increments": (
        'model: flat, per: 1 min, price: "0.06", floor: "0.10", increments: {first: 60 s, next: 60 s, mode: half_up}',
        80_000,
        0,
        [
            "increments of 60 s, then 60 s (rounded half up): 80 s count as 60 s",
            "price: 60 s at 0.06 per 1 min = 0.06",
            "sum 0.06, the floor of 0.10 applies, rounded half up to 6 decimals: 0.100000 EUR",
        ],
    ),
    "increments by position": (
        'model: graduated, per: 1 min, tiers: [{up_to: 60 s, price: "0.4", increment: 60 s}, {price: "0.2", increment: 1 s}]',
        61_500,
        0,
        [
            "increments of 60 s in tier 1, 1 s in tier 2: 61.5 s count as 62 s",
            "tier 1 (below 60 s): 60 s at 0.4 per 1 min = 0.4",
            "tier 2: 2 s at 0.2 per 1 min = 0.006666666666666666…",
            "sum 0.406666666666666666…, rounded half up to 6 decimals: 0.406667 EUR",
        ],
    ),
    "split over bands": (
        'model: flat, per: 1 min, calendar: week, price: {peak: "0.20", off: "0.10"}, crossing: split_then_round, '
        "increments: {first: 60 s, next: 60 s}",
        240_000,
        0,
        [
            "time band peak of calendar week: it was Thu 2026-01-15 19:58:30 in Europe/Paris",
            "increments of 60 s, then 60 s: 240 s count as 300 s",
            "the usage is split where the time band changes, and each part rounded by itself",
            "from Thu 2026-01-15 19:58:30 peak: 90 s, counted as 120 s",
            "from Thu 2026-01-15 20:00:00 off: 150 s, counted as 180 s",
            "price in peak: 120 s at 0.2 per 1 min = 0.4",
            "price in off: 180 s at 0.1 per 1 min = 0.3",
            "sum 0.7, rounded half up to 6 decimals: 0.700000 EUR",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_told_in_words(case: str) -> None:
    version, quantity, before, lines = CASES[case]
    told = explain("s", version, f"{MINUTES}\n---\n{CALENDAR}", quantity=quantity, before=before)
    assert told.lines()[3:] == lines


def test_blocks_are_told_in_words() -> None:
    version = 'model: package, per: 100 KiB, price: "1", free: 1 MB, counter: monthly'
    told = explain("B", version, BYTES, quantity=150_000, before=1_150_000)
    assert told.lines()[3:] == [
        "counter monthly (month 2026-01 in UTC): 1150000 B before, 1300000 B after",
        "1 block of 100 KiB at 1 (begun ones count, free below 1 MB, 2 before and 3 after): 1",
        "sum 1, rounded half up to 6 decimals: 1.000000 EUR",
    ]


def test_moments_and_increments_of_a_split_are_told() -> None:
    for rule, words in (
        ("each_increment", "each increment has the price of the time band in which it starts"),
        ("per_second", "each moment of the counted time has the price of its own time band"),
    ):
        version = f'model: flat, per: 1 min, calendar: week, price: {{peak: "0.20", off: "0.10"}}, crossing: {rule}'
        assert words in explain("s", version, CALENDAR, quantity=240_000).lines()


def test_usage_that_is_too_long_to_be_split_has_no_price() -> None:
    version = 'model: flat, per: 1 min, calendar: week, price: "0.20", crossing: per_second'
    with pytest.raises(UnableToPrice, match="35 days"):
        explain("s", version, CALENDAR, quantity=36 * 86_400_000)


def test_a_month_that_begins_late_is_told_by_its_first_day() -> None:
    version = 'model: flat, per: 1 min, price: "1", counter: monthly'
    told = explain("s", version, "kind: counter\ncode: monthly\nunit: min\nfirst_day: 20", quantity=60_000).lines()
    assert "counter monthly (month from 2025-12-20 in UTC): 0 s before, 60 s after" in told
