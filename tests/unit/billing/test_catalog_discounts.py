"""Discounts in catalogs: which hold when and for whom, and what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from rating_world import catalog_from, instant
from tax_world import PARTIES, SOLD

from billing.catalog.discounting import Discounting
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog

UNTAXED = "---".join(part for part in SOLD.split("---") if "kind: tax, " not in part)
PLANS = """
kind: discount_plan
code: welcome
currency: EUR
start: "2026-02-01T00:00:00Z"
limits: {months: 2, amount: "60"}
items:
  - {code: calls, type: percentage, value: 20, charges: [calls], condition: "offer == 'mobile'"}
  - {code: gift, type: fixed, value: "2.50"}
---
kind: discount_plan
code: staff
items: [{code: half, type: percentage, value: 50, offers: [mobile], event_types: [voice]}]
"""
HELD = PARTIES.replace(
    "code: ana, currency: EUR, country: FR",
    'code: ana, currency: EUR, country: FR, discounts: [{plan: welcome, start: "2026-01-31T00:00:00+01:00"}, {plan: staff, end: "2026-03-01T00:00:00Z"}]',
).replace(
    "code: ana-1, account: ana, offer: mobile",
    'code: ana-1, account: ana, offer: mobile, discounts: [{plan: staff, start: "2026-06-01T00:00:00Z"}]',
)

WHEN = """
subscription  at                    names
ana-1         2026-01-31T12:00:00Z  account/ana/1
ana-1         2026-02-01T00:00:00Z  account/ana/0 account/ana/1
ana-1         2026-03-01T00:00:00Z  account/ana/0
ana-1         2026-03-30T21:59:59Z  account/ana/0
ana-1         2026-03-31T12:00:00Z
ana-1         2026-06-01T00:00:00Z  subscription/ana-1/0
office-1      2026-02-01T00:00:00Z
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_from(UNTAXED, HELD, PLANS)


def test_usage_has_the_discounts_that_are_assigned_when_it_starts(catalog: Catalog) -> None:
    rows = [row.split() for row in WHEN.strip().splitlines()[1:]]
    items = pl.DataFrame({"subscription": [row[0] for row in rows], "event_at": [instant(row[1]) for row in rows]})
    discounting = Discounting(catalog)
    places, names = discounting.active(items)
    assert [list(names[place]) for place in places] == [row[2:] for row in rows]
    assert discounting.plans["account/ana/0"] == "welcome"


def test_a_catalog_without_assignments_has_none(catalog: Catalog) -> None:
    found = catalog_from(UNTAXED, PARTIES, PLANS)
    places, names = Discounting(found).active(pl.DataFrame({"subscription": ["ana-1"], "event_at": [0]}))
    assert (places.to_list(), names) == ([0], [()])


TABLE = """
account,currency,subscription,offer,access_point,start,end,discount
dan,EUR,dan,mobile,71,2026-01-31T00:00:00+01:00,,welcome
eve,EUR,eve,mobile,72,,2026-03-01T00:00:00Z,staff
flo,EUR,flo,mobile,73,,,
"""


def _from_table(tmp_path: Path, table: str) -> Catalog:
    for name, text in (("sold.yaml", UNTAXED), ("plans.yaml", PLANS), ("bought.yaml", PARTIES), ("table.csv", table)):
        (tmp_path / name).write_text(text.strip() + "\n")
    (tmp_path / "table.yaml").write_text("{kind: subscription_table, file: table.csv}\n")
    return load_catalog(tmp_path)


def test_a_line_of_a_table_assigns_one_plan_to_its_subscription(tmp_path: Path) -> None:
    told = catalog_from(UNTAXED, PARTIES.replace("code: ana-1, account: ana, offer: mobile",
        'code: ana-1, account: ana, offer: mobile, discounts: [{plan: welcome, start: "2026-01-31T00:00:00+01:00"}]'), PLANS)  # fmt: skip
    rows = _from_table(tmp_path, TABLE).discounts.rows()
    ((*_, start, end),) = told.discounts.rows()
    assert rows == [
        ("subscription", "dan", 0, "welcome", start, end),
        ("subscription", "eve", 0, "staff", TIME_MIN, instant("2026-03-01T00:00:00Z")),
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        (",welcome", ",welcom", "discount", 'the discount plan "welcom" is unknown'),
        ("2026-01-31T00:00:00+01:00,,w", ",,w", "start", "ends after 2 months, and nobody knows of what"),
        ("2026-01-31T00:00:00+01:00,,w", "soon,,w", "start", "is not an instant"),
        ("dan,EUR,dan,mobile", "dan,USD,dan,mobile", "discount", "is in EUR, but the subscription"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, field: str, message: str
) -> None:
    assert TABLE.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        _from_table(tmp_path, TABLE.replace(old, new))
    assert any(
        (each.line, each.field) == (2, field) and message in each.message and each.file.endswith("table.csv")
        for each in caught.value.problems
    ), caught.value.problems


WRONG = [
    (PLANS, "currency: EUR\n", "", "an amount has a currency", "currency: …"),
    (PLANS, "currency: EUR", "currency: EURO", "not well formed", "ISO 4217"),
    (PLANS, "currency: EUR", "currency: USD", 'is in USD, but the account "ana" is billed in EUR', "assign a plan in EUR"),
    (PLANS, "currency: EUR", "currency: JPY", "2.50 JPY cannot be billed", "at most 0 decimals"),
    (PLANS, "value: 20", "value: 120", "120 % is more than everything", "100 or less"),
    (PLANS, "value: 20", "value: 0", "too small", ""),
    (PLANS, "value: 20", "value: 2.5", "binary floating point", '"2.5"'),
    (PLANS, 'value: "2.50"', 'value: "2.505"', "2.505 EUR cannot be billed", "at most 2 decimals"),
    (PLANS, "code: gift", "code: calls", 'the item "', ""),
    (PLANS, "charges: [calls]", "charges: [call]", 'the charge "call" is unknown', "calls"),
    (PLANS, "offers: [mobile]", "offers: [mobil]", 'the offer "mobil" is unknown', "mobile"),
    (PLANS, "event_types: [voice]", "event_types: [voices]", 'the event type "voices" is unknown', "voice"),
    (PLANS, "offer == 'mobile'", "zone == 'home'", 'there is no "zone" here', "correct"),
    (PLANS, 'start: "2026-02-01T00:00:00Z"', 'start: "2026-02-01T00:00:00Z"\nend: "2026-01-01T00:00:00Z"', "ends before it starts", ""),
    (HELD, 'plan: welcome, start: "2026-01-31T00:00:00+01:00"', "plan: welcome", "ends after 2 months, and nobody knows of what", "start"),
    (HELD, "2026-01-31T00:00:00+01:00", "0001-01-01T00:00:00+01:00", "its year in UTC is none of 1 to 9999", ""),
    (HELD, "plan: welcome", "plan: welcom", 'the discount plan "welcom" is unknown', "welcome"),
    (HELD, "{plan: staff, end", "{plan: staff}, {plan: staff, end", "assigned at the same time already", "remove it"),
    (HELD, 'plan: staff, end: "2026-03-01T00:00:00Z"', 'plan: staff, start: "2026-03-01T00:00:00Z", end: "2026-03-01T00:00:00Z"', "the period is empty", ""),
]  # fmt: skip


def test_months_that_end_after_all_years_end_nothing() -> None:
    held = HELD.replace("2026-01-31", "9999-12-01")
    rows = catalog_from(UNTAXED, held, PLANS).discounts.filter(pl.col("plan") == "welcome")
    assert rows["end_at"].to_list() == [TIME_MAX]


@pytest.mark.parametrize("case", WRONG, ids=[f"{place} {case[3]}" for place, case in enumerate(WRONG)])
def test_what_is_wrong_is_told_with_a_fix(case: tuple[str, str, str, str, str]) -> None:
    text, old, new, message, fix = case
    assert text.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*(each.replace(old, new) if each == text else each for each in (UNTAXED, HELD, PLANS)))
    problems = caught.value.problems
    assert any(message in each.message and fix in each.fix and each.line for each in problems), problems
