"""Explanations: every step of a price, in data and in words."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from rating_world import World, catalog_from, instant

from rating.explanation import Explanation, fraction_text
from rating.reference import UnableToExplain, find_charge_version, price, round_fraction
from schemas.money import RoundingMode

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: event_type, code: data, unit: MB}
---
{kind: counter, code: monthly, unit: min, zone: Europe/Paris}
---
{kind: calendar, code: week, zone: Europe/Paris, bands: [{name: night, start: "22:00", end: "06:00"}, {name: day}]}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00+01:00", end: 2027-01-01T00:00:00Z,
  model: graduated, per: 1 min, counter: monthly, calendar: week, connection_fee: "0.05", increments: {first: 60 s, next: 30 s},
  tiers: [{up_to: 100 min, price: {night: "0.10", day: "0.12"}}, {price: {night: "0.05", day: "0.07"}}],
  rounding: {mode: half_even, decimals: 2}}]}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 3 MB, price: "0.1"}]}
---
{kind: charge, code: national, event_type: call, price_plan: plan}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: offer, code: offer, charges: [national, data]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""


@pytest.fixture(scope="module")
def world() -> World:
    return World(catalog_from(CATALOG))


def explain(world: World, charge: str, **usage: int) -> Explanation:
    name = next(version.name for version in world.image.charge_versions if version.charge == charge)
    return price(world.catalog, *find_charge_version(world.catalog, name), **usage)


def test_an_explanation_names_every_step(world: World) -> None:
    told = explain(
        world, "national", quantity=61_000, event_at=instant("2026-07-15T18:58:30Z"), counter_before=5_970_000
    )
    assert told.lines() == [
        "0.18 EUR for 61 s of call",
        "charge national, price plan plan (graduated), version in force since 2025-12-31T23:00:00Z until "
        "2027-01-01T00:00:00Z",
        "the usage started at 2026-07-15T18:58:30Z",
        "time band day of calendar week: it was Wed 2026-07-15 20:58:30 in Europe/Paris",
        "increments of 60 s, then 30 s: 61 s count as 90 s",
        "counter monthly (month 2026-07 in Europe/Paris): 5970 s before, 6060 s after",
        "tier 1 (below 100 min): 30 s at 0.12 per 1 min = 0.06",
        "tier 2: 60 s at 0.07 per 1 min = 0.07",
        "connection fee: 0.05",
        "sum 0.18, rounded half even to 2 decimals: 0.18 EUR",
    ]
    assert told.amount == 180_000_000


def test_a_plain_price_is_told_shortly(world: World) -> None:
    told = explain(world, "data", quantity=1_000_000, event_at=instant("2026-07-15T18:58:30Z"), counter_before=99)
    assert told.lines() == [
        "0.033333 EUR for 1 MB of data",
        "charge data, price plan data (flat), version in force since 2026-01-01T00:00:00Z",
        "the usage started at 2026-07-15T18:58:30Z",
        "price: 1 MB at 0.1 per 3 MB = 0.033333333333333333…",
        "sum 0.033333333333333333…, rounded half up to 6 decimals: 0.033333 EUR",
    ]
    assert told.counter is None
    assert told.band is None


def test_nothing_costs_nothing(world: World) -> None:
    told = explain(world, "national", quantity=0, event_at=instant("2026-07-15T18:58:30Z"), counter_before=7)
    assert told.amount == 0
    assert told.parts == ()
    assert told.connection_fee == 0
    assert told.lines()[-1] == "sum 0, rounded half even to 2 decimals: 0.00 EUR"


def test_an_explanation_survives_json(world: World) -> None:
    told = explain(world, "national", quantity=61_000, event_at=instant("2026-07-15T18:58:30Z"), counter_before=0)
    again = Explanation.model_validate_json(told.model_dump_json())
    assert again.lines() == told.lines()
    assert again.amount == told.amount


@pytest.mark.parametrize("name", ["", "national", "nothing/plan@2026-01-01T00:00:00Z#00000000", "national/plan@x#y"])
def test_a_version_that_the_catalog_does_not_have_cannot_be_explained(world: World, name: str) -> None:
    with pytest.raises(UnableToExplain):
        find_charge_version(world.catalog, name)


def test_versions_keep_the_names_that_they_had_before_there_were_more_models(world: World) -> None:
    assert {version.name for version in world.image.charge_versions} == {
        "data/data@2026-01-01T00:00:00Z#2e800d36",
        "national/plan@2025-12-31T23:00:00Z#5a1e0922",
    }


def test_a_version_whose_price_changed_since_cannot_be_explained(world: World) -> None:
    name = next(version.name for version in world.image.charge_versions if version.charge == "data")
    changed = catalog_from(CATALOG.replace('price: "0.1"', 'price: "0.2"'))
    with pytest.raises(UnableToExplain):
        find_charge_version(changed, name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(10), "10"),
        (Fraction(1, 8), "0.125"),
        (Fraction(2, 3), "0.666666666666666666…"),
        (Fraction(1, 10**18), "0.000000000000000001"),
        (Fraction(10**20, 3), "33333333333333333333.333333333333333333…"),
    ],
)
def test_fractions_are_written_as_decimals(value: Fraction, text: str) -> None:
    assert fraction_text(value) == text


def test_negative_amounts_mirror_positive_ones() -> None:
    for mode in RoundingMode:
        for value in (Fraction(165, 1000), Fraction(1, 3), Fraction(1, 2), Fraction(3)):
            assert round_fraction(-value, 2, mode) == -round_fraction(value, 2, mode)
    assert round_fraction(Fraction(Decimal("0.165")), 2, RoundingMode.HALF_EVEN) == 16
