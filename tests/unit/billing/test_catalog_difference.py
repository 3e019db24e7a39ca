"""The difference between two catalogs, in words and for programs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from billing.catalog.difference import CatalogDifference, compare
from billing.catalog.difference_rows import different_rows, value_text
from billing.catalog.store import load_catalog
from schemas.catalog import TIME_MAX, TIME_MIN

OLD = """\
{kind: event_type, code: voice, unit: s, values: {called: digits}}
---
{kind: counter, code: month, unit: min, period: month}
---
kind: price_plan
code: voice
currency: EUR
versions:
- {start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.10", end: "2026-07-01T00:00:00Z"}
- start: "2026-07-01T00:00:00Z"
  model: graduated
  per: "1 min"
  counter: month
  tiers: [{up_to: "10 min", price: "0"}, {price: "0.60"}]
---
kind: destination_table
code: world
value: called
rows: [{prefix: "1", price: "0.10"}, {prefix: "33", price: "0.20"}, {prefix: "44", price: "0.30"}]
---
{kind: price_plan, code: abroad, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", prices: world}]}
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: charge, code: abroad, event_type: voice, price_plan: abroad, priority: 5}
---
{kind: offer, code: small, charges: [voice]}
---
{kind: offer, code: big, charges: [voice, abroad]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: subscription, code: a1, account: ana, offer: small, access_points: [{id: "1"}]}
---
{kind: subscription, code: a2, account: ana, offer: small, access_points: [{id: "2"}]}
---
{kind: subscription, code: a3, account: ana, offer: small, access_points: [{id: "3"}]}
"""


def _catalog(directory: Path, text: str) -> Path:
    directory.mkdir()
    (directory / "c.yaml").write_text(text)
    return directory


@pytest.fixture
def difference(tmp_path: Path) -> CatalogDifference:
    new = OLD
    for before, after in (
        ('price: "0.10", end', 'price: "0.12", end'),
        ('up_to: "10 min"', 'up_to: "5 min"'),
        ('{prefix: "33", price: "0.20"}, {prefix: "44", price: "0.30"}', '{prefix: "33", price: "0.25"}, {prefix: "49", price: "1"}'),
        ("charges: [voice]}", "charges: [abroad]}"),
        ("priority: 5", "priority: 7"),
        ("code: a1, account: ana, offer: small", "code: a1, account: ana, offer: big"),
        ("code: a2, account: ana, offer: small", "code: a2, account: ana, offer: big"),
        ("code: a3", "code: a4"),
        ("period: month}", "period: day}"),
    ):  # fmt: skip
        assert before in new
        new = new.replace(before, after)
    new += """---
kind: price_plan
code: data
currency: EUR
versions: [{start: "2027-01-01T00:00:00Z", model: event, price: "2"}]
"""
    return compare(load_catalog(_catalog(tmp_path / "old", OLD)), load_catalog(_catalog(tmp_path / "new", new)))


def test_everything_is_told_in_words(difference: CatalogDifference) -> None:
    assert list(difference.lines()) == [
        "counter month: changed",
        "  period: month → day",
        "price plan data: added",
        "  from 2027-01-01T00:00:00Z: event, price 2",
        "price plan voice: changed",
        "  from 2026-01-01T00:00:00Z: price: 0.10 → 0.12",
        "  from 2026-07-01T00:00:00Z: tiers 1 up_to: 10 min → 5 min",
        "charge abroad: changed",
        "  priority: 5 → 7",
        "offer small: changed",
        "  charges: abroad added; voice removed",
        "subscription: 1 added, 1 removed, 2 changed",
        "  added: a4",
        "  removed: a3",
        "  offer small → big: a1, a2",
        "access point: 1 changed",
        "  subscription a3 → a4: 3",
        "destination table world: 1 added, 1 removed, 1 changed",
        "  added: 49",
        "  removed: 44",
        "  price.0 0.2 → 0.25: 33",
    ]


def test_programs_read_the_same(difference: CatalogDifference) -> None:
    told = difference.as_dict()
    assert told["documents"][3] == {
        "kind": "charge",
        "code": "abroad",
        "change": "changed",
        "details": ["priority: 5 → 7"],
    }
    subscriptions = told["rows"][0]
    assert (subscriptions["kind"], subscriptions["added"], subscriptions["removed"], subscriptions["changed"]) == (
        "subscription", 1, 1, 2,
    )  # fmt: skip
    assert subscriptions["moved"] == [
        {"column": "offer", "old": "small", "new": "big", "rows": 2, "examples": ["a1", "a2"]}
    ]
    assert not difference.is_empty


def test_what_is_only_written_otherwise_does_not_differ(tmp_path: Path) -> None:
    one = load_catalog(_catalog(tmp_path / "one", OLD))
    other = load_catalog(_catalog(tmp_path / "other", "# a remark\n" + OLD))
    assert list(compare(one, one).lines()) == ["nothing differs"]
    assert list(compare(one, other).lines()) == ["nothing differs but how it is written"]
    assert compare(one, other).is_empty


def test_of_many_changes_the_commonest_are_told_and_the_others_counted() -> None:
    old = pl.DataFrame({"name": [f"n{row:04}" for row in range(2000)], "offer": ["x"] * 2000, "at": [0] * 2000})
    offers = ["y"] * 1500 + [f"z{row}" for row in range(500)]
    new = old.with_columns(offer=pl.Series(offers))
    (found,) = different_rows("thing", "", old, new, ("name",))
    assert (found.added, found.removed, found.changed, found.moves) == (0, 0, 2000, 501)
    lines = list(found.lines())
    assert lines[1] == "  offer x → y: n0000, n0001, n0002, n0003, n0004 and 1,495 more"
    assert lines[-1] == "  and 496 other changes"
    # rows of one name are told apart by their order
    (twice,) = different_rows("thing", "", old[:1], pl.concat([old[:1], old[:1]]), ("name",))
    assert (twice.added, twice.changed) == (1, 0)
    assert list(different_rows("thing", "", old, old.clone(), ("name",))) == []


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("start_at", TIME_MIN, ""), ("end_at", TIME_MAX, ""), ("start_at", 1_767_225_600_000_000, "2026-01-01T00:00:00Z"),
        ("price.0", 250_000_000_000, "0.25"), ("opening_balance", 2_000_000_000, "2"), ("prepaid", True, "True"),
        ("destination", None, ""),
    ],
)  # fmt: skip
def test_values_are_written_as_people_write_them(column: str, value: object, text: str) -> None:
    assert value_text(column, value) == text


LOOKUPS = (
    OLD.replace("values: {called: digits}", "values: {called: digits}, lookups: {zone: {table: zones, of: called}}", 1)
    + """---
kind: lookup_table
code: zones
key: digits
rows: [{key: "33", code: FR}, {key: "44", code: GB}, {key: "49", code: DE}]
"""
)


def test_lookup_tables_are_compared_row_by_row(tmp_path: Path) -> None:
    old = load_catalog(_catalog(tmp_path / "old", LOOKUPS))
    changed = LOOKUPS.replace("code: FR}", "code: EU}").replace(', {key: "49", code: DE}', "")
    dated = changed.replace('{key: "44", code: GB}', '{key: "44", code: GB, end: "2027-01-01T00:00:00Z"}')
    assert compare(old, load_catalog(_catalog(tmp_path / "same", LOOKUPS + "# again\n"))).is_empty
    lines = "\n".join(compare(old, load_catalog(_catalog(tmp_path / "new", dated))).lines())
    assert "lookup table zones" in lines
    for words in ("33", "FR → EU", "44", "2027-01-01", "49"):
        assert words in lines
