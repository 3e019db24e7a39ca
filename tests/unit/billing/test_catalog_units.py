"""Units that a catalog declares: what they are worth, and which are refused."""

from __future__ import annotations

import pytest
from rating_tables import NOON, costs, world
from rating_world import catalog_from

from billing.catalog.models import UnableToLoadCatalog
from rating.reference import find_charge_version, price
from schemas.quantity import BUILT_IN_UNITS, Unit, converted_units

GAS = """
{kind: unit, code: therm, of: kWh, factor: "29.3001"}
---
{kind: unit, code: dekatherm, of: therm, factor: 10}
---
{kind: unit, code: m3, decimals: 3}
---
{kind: unit, code: part, of: h, factor: "1/3.6"}
---
{kind: unit, code: barrel, of: m3, factor: "0.159"}
---
{kind: event_type, code: gas, unit: kWh}
---
{kind: price_plan, code: gas, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 kWh, price: "1"}]}
---
{kind: charge, code: gas, event_type: gas, price_plan: gas}
---
{kind: offer, code: gas, charges: [gas]}
"""
MODEL = 'model: graduated, counter: month, per: 1 therm, tiers: [{up_to: 1 dekatherm, price: "1"}, {price: "2"}]'
MONTH = "{kind: counter, code: month, unit: dekatherm}"
UNITS = GAS.partition("---\n{kind: event")[0]


def test_a_multiple_converts_into_all_units_of_its_dimension() -> None:
    units = catalog_from(GAS).units
    assert units["therm"] == Unit("therm", "energy", 29_300_100, "kWh", "29.3001")
    assert units["dekatherm"] == Unit("dekatherm", "energy", 293_001_000, "therm", "10")
    assert units["part"] == Unit("part", "time", 1_000_000, "h", "1/3.6")
    assert units["barrel"] == Unit("barrel", "unit/m3", 159, "m3", "0.159")
    assert units["m3"] == Unit("m3", "unit/m3", 1000)
    assert units.items() >= BUILT_IN_UNITS.items()


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "fix"),
    [
        ('"29.3001"', '"29.30010001"', "2: factor", "2930010001/100 steps of energy, of which 1 kWh has 1000000", "coarser"),
        ('"0.159"', '"0.1589"', "10: factor", "would be 1589/10 steps of unit/m3", "give the unit m3 more `decimals`"),
        ("of: kWh", "of: dekatherm", "4: of", "dekatherm → therm → dekatherm", "of one of them"),
        ("of: kWh", "of: therm", "2: of", "no multiple of itself: therm → therm", "of one of them"),
        ("of: kWh", "of: kwh", "2: of", 'the unit "kwh" is unknown', 'did you mean "kWh"?'),
        ("of: kWh, ", "", "2: factor", "a factor needs a unit", "add `of: UNIT`"),
        (', factor: "29.3001"', "", "2: of", "how many kWh it is worth", 'add `factor: "N"`'),
        ('factor: "29.3001"', 'factor: "29.3001", decimals: 2', "2: decimals", "as fine as those in kWh", "remove"),
        ('"29.3001"', "29.3001", "2: factor", "binary floating point", 'in quotes: "29.3001"'),
        ('"29.3001"', '"29,3"', "2: factor", "not well formed", "number or ratio"),
        ('"29.3001"', '"0"', "2: factor", "not above zero", "above zero"),
        ('"29.3001"', '"1/0"', "2: factor", "not above zero", "above zero"),
        ("factor: 10}", "factor: 100000000}", "4: factor", "1000000000000000 at most", "smaller"),
        ("code: therm, of", "code: kWh, of", "2: code", "is built in", "rename"),
        ("code: part,", "code: USD,", "8: code", "is a currency", "rename"),
    ],
)  # fmt: skip
def test_a_multiple_is_refused(old: str, new: str, place: str, message: str, fix: str) -> None:
    assert old in GAS
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from(GAS.replace(old, new, 1))
    found = [str(problem) for problem in told.value.problems if problem.field in place.split(": ")]
    assert any(f":{place}: " in each and message in each and fix in each for each in found), told.value


def test_a_price_may_be_per_a_multiple_and_its_explanation_says_what_that_is() -> None:
    place = world("kWh", MODEL, f"{MONTH}\n---\n{UNITS}")
    assert costs(place, "5 therm", "10 therm", "293.001 kWh") == [5, 15, 20]
    name = place.image.charge_versions[0].name
    found = find_charge_version(place.catalog, name)
    told = price(place.catalog, *found, quantity=29_300_100, event_at=NOON, counter_before=0).lines()
    assert "1 dekatherm is 10 therm" in told
    assert "1 therm is 29.3001 kWh" in told
    assert "tier 1 (below 1 dekatherm): 29.3001 kWh at 1 per 1 therm = 1" in told


def test_what_a_multiple_is_worth_is_part_of_the_name_of_a_price() -> None:
    def name_of(more: str) -> str:
        return world("kWh", MODEL, f"{MONTH}\n---\n{more}").image.charge_versions[0].name

    assert name_of(UNITS) != name_of(UNITS.replace("29.3001", "29.3"))
    assert name_of(UNITS) == name_of(UNITS.replace("0.159", "0.158"))  # a unit in which it writes nothing
    plain = 'model: flat, per: 1 kWh, price: "1"'
    bare = world("kWh", plain).image.charge_versions[0].name
    assert bare == world("kWh", plain, UNITS).image.charge_versions[0].name


def test_only_quantities_name_multiples() -> None:
    units = catalog_from(GAS).units
    said = {"per": "1 therm", "deep": [("2 barrel", None, 3)], "code": "dekatherm", "one": "1 kWh"}
    assert [each.code for each in converted_units(said, units)] == ["barrel", "therm"]
