"""Conditions and formulas that say something wrong: told at their place, with the column, before anything is published."""

from __future__ import annotations

from typing import Any

import pytest
from rating_strategies import yaml_of
from rating_world import World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from rating.tariff_image import UnableToCompileImage

VALUES = {
    "size": "number", "share": {"type": "number", "decimals": 12}, "called": "digits", "day": "date", "due": "instant",
}  # fmt: skip


def documents(*, unit: str = "B", condition: str | None = None, **version: Any) -> list[dict[str, Any]]:
    model = {"model": "formula", "formula": "1"} if version else {"model": "event", "price": "1"}
    charge = {} if condition is None else {"condition": condition}
    return [
        {"kind": "calendar", "code": "week", "zone": "UTC",
         "bands": [{"name": "noon", "start": "10:00", "end": "12:00"}, {"name": "rest"}]},
        {"kind": "event_type", "code": "sale", "unit": unit, "attributes": ["zone"],
         "values": {name: type_ for name, type_ in VALUES.items() if (name == "due") == (unit == "h") or name == "size"}},
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [{"start": "2026-01-01T00:00:00Z", **model, **version}]},
        {"kind": "charge", "code": "charge", "event_type": "sale", "price_plan": "plan", **charge},
        {"kind": "offer", "code": "offer", "charges": ["charge"]},
    ]  # fmt: skip


def _told(texts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*yaml_of(texts))
    assert all(problem.fix for problem in caught.value.problems)
    return [(problem.field, problem.message) for problem in caught.value.problems]


CONDITIONS = {
    "zone ==": "column 8: the expression ends too early",
    "zone = 'US'": "column 6: \"= 'US'\" cannot be read",
    "(size > 1": "column 10: ')' is expected here, but the expression ends",
    "size > 1 size": "column 10: unexpected 'size'",
    "sise > 1": 'column 1: nothing has the name "sise"; there are at, called, day, quantity, share, size, zone',
    "size == '1'": "column 9: a text is compared with a number",
    "zone == 1": "column 6: a text is compared with a number",
    "zone == ''": "column 9: a usage that lacks the attribute equals no text",
    "zone < 'US'": "column 6: a text can be compared by == and != only",
    "'a' == 'b'": "column 5: two texts are compared",
    "size + 1 > 2": 'column 6: a condition compares, it does not compute: "+"',
    "size": "column 1: a condition is true or false, this is a number",
    "size > 1 && zone": "column 13: this is a text, where true or false is needed",
    "zone in 'US'": "column 9: behind `in` stands a list: [first, second]",
    "zone in ['US', 1]": "column 16: a list has numbers only, or texts only",
    "size.startsWith('3')": "column 1: only digits have prefixes; this is a number",
    "called.startsWith('+33')": "column 19: write 1 to 18 digits",
    "called == '123456789012345678'": "column 11: write 1 to 17 digits",
    "day > '2026-02-30'": "column 7: day",
    "day > 'may'": "column 7: write a date such as",
    "at > timestamp('noon')": "column 6: write timestamp(",
    "has(size)": "column 1: write has(usage.NAME)",
    "has(usage.zone)": "column 11: a usage that lacks an attribute equals no text",
    "zone.length > 1": "column 6: only usage has fields: write usage.length",
    "share > 0.1234567890123456": "column 9: a number with decimals has at most 15 digits here",
    "size > 1234567890123456789": "column 8: a number has at most 18 digits",
    "size % 2 == 0": 'column 6: "%" is not known here',
    "matches(zone, 'U.*')": 'column 1: "matches" is not known here',
    "(" * 30 + "true" + ")" * 30: "column 25: it nests more than 24 deep",
    " && ".join(["true"] * 200): "column 806: an expression has at most 100 operators",
    "counted > 1": 'column 1: nothing has the name "counted"',
}


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda text: text[:30])
def test_a_wrong_condition_is_told(condition: str) -> None:
    ((field, message),) = _told(documents(condition=condition))
    assert field == "condition"
    assert message.startswith(CONDITIONS[condition]), message


def test_a_quantity_that_is_no_decimal_fraction_is_not_compared() -> None:
    ((_, message),) = _told(documents(unit="h", condition="quantity > 1"))
    assert message == '"sale" is measured in h, of which quantities are no decimal fractions'
    assert catalog_from(*yaml_of(documents(unit="h", condition='due < timestamp("2026-01-01T00:00:00Z")')))


FORMULAS = {
    "size *": ("versions.0.formula", "column 7: the expression ends too early"),
    "sise * 2": ("price_plan", 'column 1: nothing has the name "sise"; there are at, called, counted, day'),
    "size / 0": ("price_plan", "column 6: this divides by zero"),
    "size / (2 - 2)": ("price_plan", "column 6: this divides by zero"),
    "size > 1": ("price_plan", "column 6: a formula is a number, this is true or false"),
    "size + zone": ("price_plan", "column 8: this is a text, where a number is needed"),
    "size > 1 ? 2 : zone": ("price_plan", "column 10: both choices are numbers"),
    "floor(size, quantity)": ("price_plan", "column 1: write floor(NUMBER, STEP), the step a constant above zero"),
    "floor(size, 0)": ("price_plan", "column 1: write floor(NUMBER, STEP), the step a constant above zero"),
    "min(size)": ("price_plan", "column 1: min is of two numbers or more"),
    "size ** 2": ("versions.0.formula", "column 7: unexpected '*'"),
    "1.5e3 * size": ("versions.0.formula", "column 1: '1.5e3 * ' cannot be read"),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_wrong_formula_is_told(formula: str) -> None:
    ((field, message),) = _told(documents(formula=formula))
    assert (field, FORMULAS[formula][1] in message) == (FORMULAS[formula][0], True), message


def test_constants_are_used_and_have_names_of_their_own() -> None:
    own = {"k": "1", "quantity": "2", "size": "3"}
    told = _told(documents(formula="k + quantity + size", constants={**own, "spare": "4"}))
    assert [field for field, _ in told] == [
        "versions.0.constants.quantity", "versions.0.constants.spare", "price_plan",
    ]  # fmt: skip
    assert '"size" is a constant, and said by "sale", too' in told[2][1]
    ((field, message),) = _told(documents(formula="k", constants={"k": {"noon": "1"}}, calendar="week"))
    assert (field, message) == ("versions.0.constants.k", 'the band "rest" has no number')
    ((field, message),) = _told(documents(formula="k", constants={"k": {"noon": "1"}}))
    assert (field, message) == ("versions.0.constants.k", "numbers by band need a calendar")
    ((field, message),) = _told(documents(formula="k", constants={"k": "0.0000000000001"}))
    assert (field, message) == ("versions.0.constants.k", '"0.0000000000001" has too many decimals')


def test_a_formula_that_counts_too_finely_makes_no_image() -> None:
    with pytest.raises(UnableToCompileImage, match="the formula counts in units too fine"):
        World(catalog_from(*yaml_of(documents(formula="share * share * share"))))
    World(catalog_from(*yaml_of(documents(formula="round(share * share, 0.000001) * share"))))


@pytest.mark.parametrize(("name", "value"), [("formula", "size"), ("constants", {"k": "1"})])
def test_other_models_have_no_formula(name: str, value: Any) -> None:
    told = _told(documents(model="event", price="1", **{"formula": None, name: value}))
    assert (f"versions.0.{name}", f"an event version has no {name}") in told
