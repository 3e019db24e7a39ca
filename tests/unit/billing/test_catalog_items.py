"""Charges that price one usage together: what catalogs may ask of ceilings, of the next charge, and of usage taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from rating_world import World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

BESIDE = """
{kind: event_type, code: call, unit: event}
---
{kind: event_type, code: text, unit: event}
---
{kind: counter, code: bundle, unit: event, ceiling: "4 event"}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: price_plan, code: text, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "0",
  counter: bundle}]}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: charge, code: text, event_type: text, price_plan: text}
---
{kind: offer, code: talk, charges: [call, text]}
"""
GOOD = """
{kind: event_type, code: voice, unit: s, attributes: [zone]}
---
{kind: counter, code: bundle, unit: min, ceiling: "100 min"}
---
{kind: calendar, code: week, zone: UTC, bands: [{name: sunday, days: [sun]}, {name: rest}]}
---
kind: price_plan
code: bundle
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 s, price: "0", counter: bundle}]
---
kind: price_plan
code: more
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 s, price: "0.01"}]
---
{kind: charge, code: bundle, event_type: voice, price_plan: bundle, when_used_up: next}
---
{kind: charge, code: more, event_type: voice, price_plan: more, then_next: "zone == 'EU'"}
---
{kind: offer, code: mobile, charges: [bundle, more]}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {field: at}
  quantity: {field: seconds, negative: take_back}
  event_type: {constant: voice}
"""


def write(directory: Path, text: str) -> Path:
    (directory / "catalog.yaml").write_text(text)
    return directory


def test_a_catalog_with_all_of_it_loads(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, GOOD))
    assert catalog.counters["bundle"].ceiling == "100 min"
    assert (catalog.charges["bundle"].when_used_up, catalog.charges["more"].then_next) == ("next", "zone == 'EU'")


def test_only_usage_that_may_have_several_items_is_looked_at_closely() -> None:
    world = World(catalog_from(BESIDE))
    call, text = (world.vocabulary.event_types.id(code) for code in ("call", "text"))
    assert world.image.items.any_several
    assert world.image.items.cell_several[[call, text]].tolist() == [0, 1]
    versions = world.image.tariff.cell_version
    assert versions[call] >= 0
    assert versions[text] == -1


WRONG = [
    ('ceiling: "100 min"', 'ceiling: "0 min"', "ceiling", '"0 min" is zero'),
    ('ceiling: "100 min"', 'ceiling: "1 GB"', "ceiling", "measures data, not time"),
    ('ceiling: "100 min"', 'ceiling: "100 min", function: max', "ceiling", "a largest usage has no ceiling"),
    (
        'ceiling: "100 min"',
        'ceiling: "100 min", roll_over: {of: 10 min}',
        "ceiling",
        "what is carried over has no ceiling",
    ),
    (', ceiling: "100 min"', "", "when_used_up", "runs on a counter with a ceiling"),
    ('price: "0", counter: bundle', 'price: "0", counter: bundle, calendar: week, crossing: split_then_round',
     "versions.0.crossing", "how much fits cannot be told"),
    ("then_next: \"zone == 'EU'\"", "then_next: \"size > 5\"", "then_next", "size"),
    ("then_next: \"zone == 'EU'\"", "then_next: \"zone ==\"", "then_next", ""),
    ('model: flat, per: 1 s, price: "0.01"', 'model: plugin, plugin: {name: p, version: "1"}', "charges.1",
     'has a plug-in, which prices whole usage, but "bundle" may price a part'),
    ('model: flat, per: 1 s, price: "0", counter', 'model: plugin, plugin: {name: p, version: "1"}, counter',
     "versions.0.counter", "a plug-in prices whole usage"),
    ("{field: seconds, negative: take_back}", "{fields: [a, b], negative: take_back}", "mapping.quantity.negative",
     "can be taken back"),
    ("{field: seconds, negative: take_back}", "{field: seconds, format: hms, negative: take_back}",
     "mapping.quantity.negative", "can be taken back"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", range(len(WRONG)), ids=lambda row: f"{WRONG[row][2]}-{row}")
def test_what_cannot_be_meant_is_refused(tmp_path: Path, wrong: int) -> None:
    old, new, field, message = WRONG[wrong]
    assert GOOD.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(write(tmp_path, GOOD.replace(old, new)))
    told = [problem for problem in caught.value.problems if problem.field == field and message in problem.message]
    assert told, caught.value
