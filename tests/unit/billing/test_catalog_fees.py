"""Fees in a catalog: what they are made into, and which mistakes are told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_world import catalog_from

from billing.catalog.models import UnableToLoadCatalog
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.fees import FEE, FEE_FORMULA, FEES

WORLD = """
{kind: price_plan, code: p, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: event, price: "30"}]}
---
{kind: price_plan, code: q, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: event, price: "5"}]}
---
{kind: recurring_charge, code: line, price_plan: p}
---
{kind: one_shot_charge, code: setup, price_plan: q}
---
{kind: offer, code: o, charges: [line, setup]}
---
{kind: account, code: a, currency: EUR}
---
{kind: account, code: b, currency: EUR}
---
kind: subscription
code: s
account: a
offer: o
start: 2026-02-01T00:00:00Z
end: 2026-05-01T00:00:00Z
access_points: [{id: "1", end: 2026-04-01T00:00:00Z}]
"""
FEBRUARY, APRIL, MAY = 1_769_904_000_000_000, 1_775_001_600_000_000, 1_777_593_600_000_000


def test_a_fee_is_a_charge_of_usage_that_octroi_makes() -> None:
    catalog = catalog_from(WORLD)
    assert {code: charge.event_type for code, charge in catalog.charges.items()} == {"line": FEE, "setup": FEE}
    version = catalog.price_plans["p"].versions[0]
    assert (version.model, version.formula, version.constants) == ("formula", FEE_FORMULA, {"price": Decimal(30)})
    assert list(catalog.sources) == [FEES]
    assert catalog.access_points.rows() == [("1", "s", FEBRUARY, APRIL), ("fee:s", "s", TIME_MIN, TIME_MAX)]
    assert catalog.subscription_terms.rows() == [("s", FEBRUARY, MAY)]


def test_a_reseller_pays_fees_of_its_own_for_the_time_that_it_resells() -> None:
    resold = WORLD + "reseller: {account: b, offer: o, start: 2026-03-01T00:00:00Z}\n"
    catalog = catalog_from(resold)
    assert catalog.subscription_terms.rows() == [("s", FEBRUARY, MAY), ("s@b", 1_772_323_200_000_000, MAY)]
    points = catalog.access_points.filter(catalog.access_points["access_point"].str.starts_with("fee:"))
    assert points.select("access_point", "subscription").rows() == [("fee:s", "s"), ("fee:s@b", "s@b")]


def test_a_catalog_without_fees_has_nothing_of_them() -> None:
    head, _, tail = WORLD.partition("---\n{kind: recurring_charge")
    usage = (
        "{kind: event_type, code: fee, unit: event}\n---\n{kind: charge, code: line, event_type: fee, price_plan: p}"
    )
    rest = (
        tail.partition("---\n{kind: offer")[2]
        .replace("[line, setup]", "[line]")
        .replace("start: 2026-02", "start: 2027-02")
    )
    catalog = catalog_from(
        f"{head}---\n{usage}\n---\n{{kind: offer{rest}".replace("end: 2026-05-01T00:00:00Z\n", "").replace(
            ", end: 2026-04-01T00:00:00Z", ""
        )
    )
    assert not catalog.sources
    assert not len(catalog.subscription_terms)
    assert catalog.price_plans["p"].versions[0].model == "event"


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ("model: event, price: \"30\"", "model: flat, per: 1 event, price: \"30\"", "its model is flat", "model: event"),
        ('price: "30"', 'price: "30.0000001"', "at most 6 decimals", "model: event"),
        ('price: "30"', 'price: "30", cap: "3"', "it has `cap`", "model: event"),
        ("code: line, price_plan: p", "code: line, price_plan: p, every: 2 week, basis: month_12", "counts months", "actual"),
        ("code: line, price_plan: p", "code: line, price_plan: p, every: 2 week, priced_per: year", "is that of a year", "periods of"),
        ("code: line, price_plan: p", "code: line, price_plan: p, per_unit: kVA", "for each kVA", "units: {kVA: 6}"),
        ("start: 2026-02-01T00:00:00Z\n", "start: 2026-02-01T00:00:00Z\nunits: {kVA: 0}\n", "units.kVA", ""),
        ("start: 2026-02-01T00:00:00Z\n", "start: 2026-02-01T00:00:00Z\nunits: {kVA: []}\n", "is too short", "at least 1"),
        ("start: 2026-02-01T00:00:00Z\n",
         "start: 2026-02-01T00:00:00Z\nunits: {kVA: [{start: 2026-02-01T00:00:00Z, count: 6}]}\n", "the first has no start", ""),
        ("start: 2026-02-01T00:00:00Z\n", "start: 2026-02-01T00:00:00Z\nunits: {kVA: [{count: 6}, {count: 9}]}\n",
         "every other one a later start", ""),
        ("code: line, price_plan: p", "code: line, price_plan: p, every: 0 day", "every", ""),
        ("code: line, price_plan: p", "code: line, price_plan: p, zone: Paris", "is unknown", "use one of"),
        ("code: line, price_plan: p", "code: line, price_plan: x", 'price plan "x" is unknown', ""),
        ("code: setup,", "code: line,", 'the charge "line" is declared twice', "rename"),
        ("start: 2026-02-01T00:00:00Z\n", "", 'the offer "o" has fees', "add its `start`"),
        ("start: 2026-02-01", "start: 2026-04-01", "not in force while it has this access point", "correct"),
        ("start: 2026-02-01", "start: 2026-06-01", "the period ends before it starts", "an end after"),
        ("{kind: account, code: b", "{kind: event_type, code: fee, unit: event}\n---\n{kind: account, code: b",
         "is that of fees", "rename"),
        ("{kind: account, code: b",
         "{kind: event_type, code: call, unit: event}\n---\n{kind: charge, code: c, event_type: call, price_plan: p}\n"
         "---\n{kind: account, code: b", "prices usage, too", "a plan of their own"),
        ("{kind: account, code: b",
         "{kind: contract, code: d, account: a, start: 2026-01-01T00:00:00Z, items: [{charge: line, price: {x: '1'}}]}\n"
         "---\n{kind: account, code: b", "no time bands", "one price"),
        ("{kind: account, code: b",
         "{kind: contract, code: d, account: a, start: 2026-01-01T00:00:00Z, items: [{charge: line, price: '1.1234567'}]}\n"
         "---\n{kind: account, code: b", "the price of a fee has at most 6 decimals", "round it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(old: str, new: str, message: str, fix: str) -> None:
    assert WORLD.count(old) >= 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(WORLD.replace(old, new, 1))
    assert any(message in str(problem) and fix in problem.fix for problem in caught.value.problems), caught.value
    assert len(caught.value.problems) <= 2
