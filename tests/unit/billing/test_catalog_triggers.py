"""Triggers of charges: what catalogs may ask of them, and which accounts they connect."""

from __future__ import annotations

from pathlib import Path

import pytest
from rating_world import World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.price_plan import Charge

PLAN = (
    'versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 %s, price: "1"}]\n---\n'
    "{kind: charge, code: %s, event_type: %s, price_plan: %s%s}\n---\n"
)


def charge(code: str, unit: str, triggers: str = "") -> str:
    told = f", triggers: [{triggers}]" if triggers else ""
    return f"kind: price_plan\ncode: {code}\ncurrency: EUR\n{PLAN % (unit, code, code, code, told)}"


GOOD = (
    """
{kind: event_type, code: call, unit: s, attributes: [zone], values: {size: {type: number, decimals: 2}}}
---
{kind: event_type, code: levy, unit: event, attributes: [where]}
---
{kind: event_type, code: minute, unit: min}
---
{kind: event_type, code: stamp, unit: event}
---
"""
    + charge(
        "call",
        "s",
        '{event_type: levy, when: "zone == \'EU\'", quantity: "size", attributes: {where: zone}}, '
        "{event_type: minute, subscription: other}",
    )
    + charge("levy", "event", "{event_type: stamp}")
    + charge("minute", "min")
    + charge("stamp", "event")
    + """
{kind: offer, code: talk, charges: [call, levy, stamp]}
---
{kind: offer, code: more, charges: [minute]}
---
{kind: account, code: a, currency: EUR}
---
{kind: account, code: b, currency: EUR}
---
{kind: account, code: alone, currency: EUR}
---
{kind: subscription, code: one, account: a, offer: talk}
---
{kind: subscription, code: other, account: b, offer: more}
---
{kind: subscription, code: third, account: alone, offer: more}
"""
)


def write(directory: Path, text: str) -> Path:
    (directory / "catalog.yaml").write_text(text)
    return directory


def test_a_catalog_with_all_of_it_loads(tmp_path: Path) -> None:
    triggers = load_catalog(write(tmp_path, GOOD)).charges["call"].triggers
    assert [(each.event_type, each.quantity, each.subscription) for each in triggers] == [
        ("levy", "size", None),
        ("minute", None, "other"),
    ]


def test_accounts_whose_usage_may_trigger_that_of_others_are_one_charge_group() -> None:
    world = World(catalog_from(GOOD))
    group = {code: world.image.charge_group[world.vocabulary.accounts.id(code)] for code in ("a", "b", "alone")}
    assert group["a"] == group["b"] != group["alone"]
    chosen = "by: zone, subscriptions: {US: other, EU: third}}"
    world = World(catalog_from(GOOD.replace("subscription: other}", chosen)))
    assert len({world.image.charge_group[world.vocabulary.accounts.id(code)] for code in ("a", "b", "alone")}) == 1


def test_what_triggers_nothing_is_rated_as_before() -> None:
    world = World(catalog_from(GOOD))
    words = world.vocabulary.event_types
    talk = 1  # the second of the offers in the order of their codes
    stamp, call = (talk * len(words) + words.id(code) for code in ("stamp", "call"))
    assert world.image.items.cell_several[[stamp, call]].tolist() == [0, 1]
    assert world.image.tariff.cell_version[stamp] >= 0


LEVY = "{kind: charge, code: levy, event_type: levy, price_plan: levy, triggers: [{event_type: stamp}]}"
STAMP = "{kind: charge, code: stamp, event_type: stamp, price_plan: stamp}"
CHAIN = "".join(
    f"{{kind: event_type, code: e{number}, unit: event}}\n---\n"
    + charge(f"e{number}", "event", f"{{event_type: e{number + 1}}}" if number < 5 else "")
    for number in range(6)
)
MANY = ", ".join(["{event_type: stamp}"] * 4)
WRONG = [
    ("{event_type: stamp}", "{event_type: stemp}", "triggers.0.event_type", '"stemp" is unknown'),
    ("zone == 'EU'", "zoone == 'EU'", "triggers.0.when", "zoone"),
    ('quantity: "size"', 'quantity: "siz * 2.0"', "triggers.0.quantity", "siz"),
    ('quantity: "size"', 'quantity: "counted"', "triggers.0.quantity", "counted"),
    ('quantity: "size", ', "", "triggers.0", '"levy" measures'),
    ("{where: zone}", "{were: zone}", "triggers.0.attributes.were", 'no attribute "were"'),
    ("{where: zone}", "{where: zon}", "triggers.0.attributes.where", 'no attribute "zon"'),
    ("subscription: other}", "subscription: nobody}", "triggers.1.subscription", '"nobody" is unknown'),
    ("subscription: other}", "by: zone, subscriptions: {EU: other, US: nobody}}", "triggers.1.subscriptions.US", '"nobody" is unknown'),
    ("subscription: other}", "by: zon, subscriptions: {EU: other}}", "triggers.1.by", 'no attribute "zon"'),
    ("subscription: other}", "by: zone}", "triggers.1", "go together"),
    ("subscription: other}", "subscriptions: {EU: other}}", "triggers.1", "go together"),
    (STAMP, STAMP[:-1] + ", triggers: [{event_type: levy}]}", "triggers.0.event_type", "levy → stamp → levy (charges levy, stamp)"),
    (STAMP, STAMP[:-1] + ", triggers: [{event_type: stamp}]}", "triggers.0.event_type", "stamp → stamp (charges stamp)"),
    ("{kind: offer, code: more", CHAIN + "{kind: offer, code: more", "triggers.0.event_type", "more than 4 times in a row: e0 → e1 → e2 → e3 → e4 → e5"),
    ("{kind: offer, code: talk, charges: [call, levy, stamp]}",
     "".join(charge(f"again{number}", "event", MANY).replace(f"event_type: again{number}", "event_type: levy") for number in range(14))
     + "{kind: offer, code: talk, charges: [call, levy, stamp"
     + "".join(f", again{number}" for number in range(14)) + "]}",
     "charges", 'one usage of "levy" may come to 72 items, 64 at most'),
    ('kind: price_plan\ncode: stamp\ncurrency: EUR\nversions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 event, price: "1"}]',
     'kind: price_plan\ncode: stamp\ncurrency: EUR\nversions: [{start: "2026-01-01T00:00:00Z", model: plugin, plugin: {name: p, version: "1"}}]',
     "triggers.0.event_type", 'the charge "stamp" prices "stamp" by a plug-in'),
]  # fmt: skip


@pytest.mark.parametrize("wrong", range(len(WRONG)), ids=lambda row: f"{WRONG[row][2]}-{row}")
def test_what_cannot_be_meant_is_refused(tmp_path: Path, wrong: int) -> None:
    old, new, field, message = WRONG[wrong]
    assert GOOD.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(write(tmp_path, GOOD.replace(old, new)))
    told = [problem for problem in caught.value.problems if problem.field == field and message in problem.message]
    assert told, caught.value


def test_only_so_many_triggers_are_taken() -> None:
    with pytest.raises(ValueError, match="at most 4"):
        Charge.model_validate(
            {"kind": "charge", "code": "c", "event_type": "e", "price_plan": "p", "triggers": [{"event_type": "f"}] * 5}
        )
