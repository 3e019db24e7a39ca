"""What is refused when a catalog is published: each mistake by name, where it is, and what to do."""

from __future__ import annotations

import pytest
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from schemas.rejection import Reason

GOOD = """
{kind: event_type, code: call, unit: s, attributes: [zone], values: {size: number}}
---
{kind: event_type, code: text, unit: event}
---
kind: price_plan
code: p
currency: EUR
versions:
  - {start: 2026-01-01T00:00:00Z, end: 2027-01-01T00:00:00Z, model: flat, per: 1 min, price: "0.10"}
  - start: 2027-01-01T00:00:00Z
    model: graduated
    per: 1 min
    tiers: [{up_to: 10 min, price: "0.10"}, {up_to: 20 min, price: "0.05"}, {price: "0.01"}]
---
{kind: price_plan, code: q, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: event, price: "1"}]}
---
{kind: charge, code: c, event_type: call, price_plan: p, condition: 'size > 5 && zone == "EU"', tax_class: phone}
---
{kind: charge, code: t, event_type: text, price_plan: q, tax_class: phone}
---
{kind: offer, code: o, charges: [c, t]}
---
{kind: seller, code: us, country: FR, prices: net}
---
{kind: tax_class, code: phone}
---
{kind: tax_category, code: home}
---
{kind: tax, code: vat, versions: [{start: 2020-01-01T00:00:00Z, rate: "20"}]}
---
{kind: tax_mapping, code: m, rows: [{tax_category: home, tax_class: phone, tax: vat, start: 2020-01-01T00:00:00Z}]}
---
{kind: account, code: a, currency: EUR, tax_category: home, country: FR}
---
{kind: subscription, code: s, account: a, offer: o, access_points: [{id: "1"}]}
"""
REFUSED = [
    ("overlapping published versions", "end: 2027-01-01", "end: 2027-01-02", "the version overlaps version 0", "end version 0"),
    ("a gap in tiers", "{up_to: 20 min,", "{up_to: 10 min,", "where the tier before ends", "sort the tiers"),
    ("an open tier before the last", "{up_to: 20 min,", "{", "only the last tier may be open", "add `up_to"),
    ("no open tier", '{price: "0.01"}', '{up_to: 30 min, price: "0.01"}', "the last tier must be open", "remove `up_to`"),
    ("too many decimals", '"0.05"', '"0.0500000000001"', "decimal", "at most 12"),
    ("binary floating point", '"0.05"', "0.05", "binary floating point", '"0.05"'),
    ("an unknown unit", "unit: s,", "unit: sec,", 'the unit "sec" is unknown', "ms"),
    ("another dimension", "per: 1 min\n", "per: 1 kWh\n", "prices energy", "per unit of time"),
    ("a cyclic trigger", "tax_class: phone}\n---\n{kind: offer",
     "tax_class: phone, triggers: [{event_type: text, quantity: '1'}]}\n---\n{kind: offer", "text → text", "triggers nothing"),
    ("no tax", "tax_class: phone, tax: vat,", "tax_class: phone, tax: vat, seller_country: DE,", 'the charge "c" has no tax', "seller_country: FR"),
    ("a currency without exponent", "code: a, currency: EUR", "code: a, currency: XAU", 'currency "XAU"', "did you mean"),
    ("an expression that is none", "size > 5 &&", "size >> 5 &&", "unexpected", "correct the expression"),
    ("an expression over what is not there", "size > 5", "length > 5", 'nothing has the name "length"', "correct the expression"),
    ("an expression of two kinds", 'zone == "EU"', "zone == 5", "a text is compared with a number", "correct the expression"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_mistake_is_refused_when_the_catalog_is_published(old: str, new: str, message: str, fix: str) -> None:
    catalog_from(GOOD)
    assert GOOD.count(old) >= 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(GOOD.replace(old, new, 1))
    assert any(message in problem.message and fix in problem.fix and problem.line for problem in caught.value.problems)


def test_an_expression_that_fails_on_some_records_refuses_those() -> None:
    world = World(catalog_from(GOOD))
    noon = instant("2026-10-05T12:00:00Z")
    uses = [
        Use("s", "call", noon, 60_000, {"zone": "EU"}, {"size": 6}),
        Use("s", "call", noon, 60_000, {"zone": "EU"}),
        Use("s", "call", noon, 60_000, {}, {"size": 5}),
    ]
    items = world.items(world.rate(uses))
    assert [item.reason for item in items] == [Reason.NONE, Reason.CONDITION_UNDECIDED, Reason.NO_MATCHING_CHARGE]
    assert [item.amount for item in items] == [100_000_000, 0, 0]
