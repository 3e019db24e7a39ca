"""Prices that are rounded before they price anything: what cannot be, and what people are told."""

from __future__ import annotations

import pytest
from rating_tables import NOON, world
from rating_world import Use, World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from rating.reference import find_charge_version, price

FLAT = 'model: flat, per: 1 min, price: "0.125"'
SIX = "increments: {first: 6 s, next: 6 s}"
UNIT = "rounding: {unit_price: {per: 1 s, decimals: 4}}"
EACH = "rounding: {increment: {decimals: 2}}"
TABLE = """
{{kind: event_type, code: call, unit: s, attributes: [zone]}}
---
{{kind: price_matrix, code: grid, columns: {{zone: code}}, rows: [{{zone: EU, price: "0.125"{more}}}, {{zone: US, price: "0.131"}}]}}
---
{{kind: price_plan, code: p, currency: EUR, versions: [{{start: 2000-01-01T00:00:00Z, model: flat, per: 1 min, prices: grid, {version}}}]}}
---
{{kind: charge, code: c, event_type: call, price_plan: p}}
---
{{kind: offer, code: o, charges: [c]}}
---
{{kind: account, code: a, currency: EUR}}
---
{{kind: subscription, code: line, account: a, offer: o}}
"""


def _by_table(version: str, more: str = "") -> list[int]:
    """Return what 61 s to two zones cost by a table, billionths, as kernels and twin say."""
    place = World(catalog_from(TABLE.format(version=version, more=more)))
    uses = [Use("line", "call", NOON, 61_000, {"zone": zone}) for zone in ("EU", "US")]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    return [item.amount for item in items]


@pytest.mark.parametrize(
    ("version", "field", "message", "fix"),
    [
        (f'model: event, price: "1", {UNIT}', "rounding.unit_price", "an event version has no price for a quantity", "remove"),
        (f'model: package, per: 1 min, price: "1", {EACH}', "rounding.increment", "no price for a quantity", "remove"),
        (f"{FLAT}, {EACH}", "rounding.increment", "there are no increments", "add `increments"),
        (f"{FLAT}, increments: {{first: 60 s, next: 1 s}}, {EACH}", "rounding.increment", "has another price than the next", "tiers"),
        (f"{FLAT}, {UNIT.replace('1 s', '1 kWh')}", "rounding.unit_price.per", "measures energy", "time"),
        (f"{FLAT}, {UNIT.replace('1 s', '0 s')}", "rounding.unit_price.per", "is zero", "above zero"),
        (f"{FLAT}, {SIX}, rounding: {{increment: {{decimals: 2}}, unit_price: {{per: 1 s, decimals: 2}}}}", "rounding.increment", "rounded once", "keep one"),
        (f"{FLAT.replace('0.125', '8000000')}, {UNIT.replace('1 s', '1 h')}", "rounding", "becomes larger than 9000000", "smaller unit"),
        (f"{FLAT}, rounding: {{unit_price: {{per: 1 s, decimals: 13}}}}", "rounding.unit_price.decimals", "too large", "12"),
    ],
)  # fmt: skip
def test_what_cannot_be_rounded_is_told(version: str, field: str, message: str, fix: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as told:
        world("s", version)
    found = [each for each in told.value.problems if each.field == f"versions.0.{field}"]
    assert any(message in each.message and fix in each.fix for each in found), told.value


def test_a_table_of_prices_is_rounded_row_by_row() -> None:
    assert _by_table(UNIT) == [128_100_000, 134_200_000]
    assert _by_table(f"{SIX}, {EACH}") == [110_000_000, 110_000_000]
    assert _by_table(UNIT, ', first: "6 s", next: "6 s"') == [138_600_000, 134_200_000]
    with pytest.raises(UnableToLoadCatalog, match='rows of the price table "grid" have increments of their own'):
        _by_table(f"{SIX}, {EACH}", ', first: "6 s", next: "6 s"')


def test_what_was_rounded_is_told_and_makes_another_price() -> None:
    place = world("s", f"{FLAT}, {UNIT}")
    found = find_charge_version(place.catalog, place.image.charge_versions[0].name)
    told = price(place.catalog, *found, quantity=61_000, event_at=NOON, counter_before=0).lines()
    assert "price: 61 s at 0.0021 per 1 s (rounded, of 0.125 per 1 min) = 0.1281" in told
    names = {
        world("s", version).image.charge_versions[0].name for version in (FLAT, f"{FLAT}, {UNIT}", f"{FLAT}, {SIX}")
    }
    assert len(names) == 3


def test_units_are_not_priced_by_rounded_prices() -> None:
    more = "kind: price_plan\ncode: units\ncurrency: s\nversions: [{start: 2000-01-01T00:00:00Z, model: flat, per: 1 s, price: '1', "
    with pytest.raises(UnableToLoadCatalog, match="what units cost is a quantity"):
        world("s", FLAT, more + UNIT + "}]")


LARGE = """
{kind: event_type, code: data, unit: B}
---
{kind: price_plan, code: p, currency: EUR, versions: [{start: 2000-01-01T00:00:00Z, model: flat, per: 1 kB, price: "0.1",
  rounding: {decimals: 6, unit_price: {per: 1 GB, decimals: 2}}}]}
---
{kind: charge, code: c, event_type: data, price_plan: p}
---
{kind: offer, code: o, charges: [c]}
---
{kind: account, code: a, currency: EUR}
---
{kind: subscription, code: line, account: a, offer: o}
---
{kind: contract, code: k, account: a, start: 2026-01-01T00:00:00Z, items: [{charge: c, price: "PRICE"}]}
"""


def test_a_negotiated_price_is_rounded_as_the_one_in_whose_place_it_stands() -> None:
    assert World(catalog_from(LARGE.replace("PRICE", "8")))
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from(LARGE.replace("PRICE", "20"))
    (problem,) = told.value.problems
    assert (problem.field, "for so much that this becomes too large" in problem.message) == ("items.0.price", True)


def test_increments_that_no_quantity_is_a_whole_number_of_are_told() -> None:
    tiers = "{up_to: 2000000011 B, price: '1', increment: 2000000011 B}, {price: '1', increment: 2000000033 B}"
    version = f"model: graduated, per: 1 GB, tiers: [{tiers}], rounding: {{decimals: 9, increment: {{decimals: 12}}}}"
    start, end = LARGE.index("model: flat"), LARGE.index("}}]}")
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from((LARGE[:start] + version + LARGE[end + 1 :]).replace("PRICE", "1"))
    assert any("no quantity is a whole number of all increments" in problem.message for problem in told.value.problems)
