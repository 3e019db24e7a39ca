"""Products of offers: their charges are the offers', and what is wrong with them is told where it is written."""

from __future__ import annotations

import pytest
from rating_world import Use, World, catalog_from, instant

from billing.catalog.difference import compare
from billing.catalog.models import UnableToLoadCatalog

SHOP = """
{kind: event_type, code: call, unit: s}
---
{kind: event_type, code: text, unit: event}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "0.1"}]}
---
{kind: price_plan, code: text, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "0.05"}]}
---
{kind: price_plan, code: line, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "9"}]}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: charge, code: text, event_type: text, price_plan: text}
---
{kind: recurring_charge, code: line, price_plan: line, zone: UTC}
---
{kind: product, code: telephony, charges: [call, line]}
---
{kind: offer, code: mobile, products: [telephony], charges: [text]}
---
{kind: offer, code: talk, products: [telephony]}
---
{kind: account, code: a, currency: EUR}
---
{kind: subscription, code: s, account: a, offer: mobile, start: "2026-01-01T00:00:00Z"}
"""


def test_an_offer_has_the_charges_of_its_products_after_its_own() -> None:
    catalog = catalog_from(SHOP)
    assert catalog.offers["mobile"].charges == ("text", "call", "line")
    assert catalog.offers["talk"].charges == ("call", "line")
    world = World(catalog)
    uses = [
        Use("s", "call", instant("2026-02-01T00:00:00Z"), 60_000),
        Use("s", "text", instant("2026-02-01T00:00:00Z"), 1),
    ]
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    assert [item.amount for item in items] == [100_000_000, 50_000_000]


def test_what_changes_in_a_product_changes_in_every_offer_that_has_it() -> None:
    other = catalog_from(SHOP.replace("charges: [call, line]", "charges: [call]"))
    told = compare(catalog_from(SHOP), other)
    assert [(one.code, one.lines) for one in told.documents] == [
        ("mobile", ("charges: line removed",)), ("talk", ("charges: line removed",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "fix"),
    [
        ("products: [telephony]}", "products: [telefony]}", "22: products.0", 'the product "telefony" is unknown', "telephony"),
        ("[telephony], charges: [text]", "[telephony], charges: [text, call]", "20: products.0", 'the charge "call", and so has the offer itself', "one of them"),
        ("[telephony], charges: [text]", "[telephony, telephony], charges: [text]", "20: products.1", "is repeated", "remove"),
        ("charges: [call, line]", "charges: [cal, line]", "18: charges.0", 'the charge "cal" is unknown', 'did you mean "call"?'),
        ("charges: [call, line]", "charges: [call, call]", "18: charges.1", 'the charge "call" is repeated', "remove"),
        (", products: [telephony]}", "}", "22: charges", "nothing to sell", "`products"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_products_is_told_once(old: str, new: str, place: str, message: str, fix: str) -> None:
    assert SHOP.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from(SHOP.replace(old, new))
    (problem,) = told.value.problems
    assert f":{place}: " in str(problem)
    assert message in problem.message
    assert fix in problem.fix
