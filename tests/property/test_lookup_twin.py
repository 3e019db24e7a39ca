"""Lookup tables against their twin: zones by the longest prefix, groups by ranges and by texts, for matrices and conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from schemas.values import pack_digits

EXAMPLES = 20 if config.DISABLE_JIT else 50
AT = instant("2026-05-01T10:00:00Z")
START = "2000-01-01T00:00:00Z"
ZONES = {"kind": "lookup_table", "code": "zones", "key": "digits"}
SIZES = {
    "kind": "lookup_table", "code": "sizes", "key": "number",
    "rows": [{"key": "..10", "code": "S"}, {"key": "10..99.5", "code": "M"}, {"key": "100", "code": "hundred"}, {"key": "200..", "code": "L"}],
}  # fmt: skip
NETWORKS = {
    "kind": "lookup_table", "code": "networks", "key": "code",
    "rows": [{"key": "20801", "code": "FR"}, {"key": "26201", "code": "DE"}],
}  # fmt: skip
CALL = {
    "kind": "event_type", "code": "call", "unit": "s", "attributes": ["network"],
    "values": {"calling": "digits", "called": "digits", "size": {"type": "number", "decimals": 1}},
    "lookups": {
        "origin": {"table": "zones", "of": "calling"}, "destination": {"table": "zones", "of": "called"},
        "country": {"table": "networks", "of": "network"}, "class": {"table": "sizes", "of": "size"},
    },
}  # fmt: skip
MATRIX = {
    "kind": "price_matrix", "code": "between", "columns": {"origin": "code", "destination": "code", "class": "code", "size": "number"},
    "rows": [
        {"origin": "FR", "destination": "FR", "price": "0.01"}, {"origin": "FR", "destination": "DE", "price": "0.05"},
        {"destination": "mobile", "price": "0.2"}, {"origin": "DE", "class": "L", "price": "0.3", "priority": "1"},
        {"class": "hundred", "size": "100..", "price": "0.07", "priority": "2"},
    ],
}  # fmt: skip
FORMULA = {"model": "formula", "formula": "country == 'FR' ? 1 : (class in ['S', 'L'] ? 2 : 3)"}


def _documents(rows: list[dict[str, str]], *more: dict[str, Any], call: dict[str, Any] = CALL) -> list[dict[str, Any]]:
    between = {"model": "flat", "per": "1 s", "prices": "between"}
    plans = [
        {"kind": "price_plan", "code": code, "currency": "EUR", "versions": [{"start": START, **version}]}
        for code, version in (("between", between), ("formula", FORMULA))
    ]
    return [
        {**ZONES, "rows": rows}, SIZES, NETWORKS, call, MATRIX, *plans, *more,
        {"kind": "charge", "code": "roaming", "event_type": "call", "price_plan": "formula", "condition": "country != 'DE' && origin == 'other'"},
        {"kind": "charge", "code": "between", "event_type": "call", "price_plan": "between"},
        {"kind": "offer", "code": "offer", "charges": ["roaming", "between"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
    ]  # fmt: skip


codes = st.sampled_from(["FR", "DE", "mobile", "other"])
tables = st.dictionaries(
    st.one_of(st.just("*"), st.text("0139", min_size=1, max_size=4)), codes, min_size=1, max_size=8
)
numbers = st.one_of(st.none(), st.text("0139", min_size=0, max_size=6).map(pack_digits))
calls = st.builds(
    lambda network, calling, called, size: Use(
        "line", "call", AT, 10, {"network": network} if network else {},
        {name: value for name, value in (("calling", calling), ("called", called), ("size", size)) if value is not None},
    ),
    st.sampled_from(["", "20801", "26201"]), numbers, numbers,
    st.sampled_from([None, -5, 0, 99, 100, 994, 995, 999, 1000, 1001, 1999, 2000, 2**62]),
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(zones=tables, usage=st.lists(calls, min_size=5, max_size=14))
def test_what_is_looked_up_agrees_with_the_twin(zones: dict[str, str], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(_documents([{"key": key, "code": code} for key, code in zones.items()]))))
    assert world.items(world.rate(usage)) == world.rate_twin(usage)


BORDERS = ["2026-01-01T00:00:00Z", "2026-03-01T00:00:00+01:00", "2026-03-02T00:00:00Z", "2026-07-01T00:00:00Z"]


@st.composite
def dated_rows(draw: st.DrawFn, keys: st.SearchStrategy[str], most: int = 4) -> list[dict[str, str]]:
    """Rows of some keys, none or several of which are in force for parts of the time, with gaps between them."""
    rows = []
    for key in draw(st.lists(keys, min_size=1, max_size=most, unique=True)):
        borders = ["", *draw(st.lists(st.sampled_from(BORDERS), max_size=3, unique=True).map(sorted)), ""]
        for start, end in pairwise(borders):
            if draw(st.integers(0, 4)):
                rows.append({"key": key, "code": draw(codes), "start": start, "end": end})
    return rows or [{"key": "0", "code": "FR", "end": BORDERS[0]}]


@settings(max_examples=EXAMPLES)
@given(
    zones=dated_rows(st.one_of(st.just("*"), st.text("0139", min_size=1, max_size=3)), 6),
    classes=dated_rows(st.sampled_from(["..10", "10..99.5", "100", "200.."])),
    countries=dated_rows(st.sampled_from(["20801", "26201"])),
    usage=st.lists(
        st.tuples(calls, st.sampled_from(BORDERS), st.sampled_from([-1, 0, 10**6])), min_size=5, max_size=14
    ),
)
def test_what_is_looked_up_at_a_time_agrees_with_the_twin(
    zones: list[dict[str, str]],
    classes: list[dict[str, str]],
    countries: list[dict[str, str]],
    usage: list[tuple[Use, str, int]],
) -> None:
    documents = [
        {**document, "rows": {"sizes": classes, "networks": countries}[document["code"]]}
        if document in (SIZES, NETWORKS)
        else document
        for document in _documents(zones)
    ]
    world = World(catalog_from(*yaml_of(documents)))
    dated = [replace(use, at=instant(border) + past) for use, border, past in usage]
    assert world.items(world.rate(dated)) == world.rate_twin(dated)


def test_a_zone_changes_at_its_instant_and_a_shorter_prefix_is_found_meanwhile() -> None:
    rows = [
        {"key": "33", "code": "FR"},
        {"key": "336", "code": "mobile", "end": "2026-05-01T00:00:00Z"},
        {"key": "336", "code": "DE", "start": "2026-06-01T00:00:00Z"},
    ]
    world = World(catalog_from(*yaml_of(_documents(rows))))
    values = {"calling": pack_digits("331"), "called": pack_digits("3361")}
    times = ["2026-04-30T23:59:59Z", "2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z"]
    rated = world.rate([Use("line", "call", instant(at), 1000, values=values) for at in times])
    assert (rated.amount / 10**9).tolist() == [0.2, 0.01, 0.01, 0.05]


def test_a_call_is_priced_from_zone_to_zone() -> None:
    rows = [{"key": "33", "code": "FR"}, {"key": "336", "code": "mobile"}, {"key": "49", "code": "DE"}]
    world = World(catalog_from(*yaml_of(_documents(rows))))
    pairs = [("331", "332"), ("331", "491"), ("49", "3361"), ("49", "49"), ("336", "331")]
    usage = [
        Use("line", "call", AT, 10_000, values={"calling": pack_digits(a), "called": pack_digits(b)}) for a, b in pairs
    ]
    rated = world.rate(usage)
    assert (rated.amount / 10**9).tolist() == [0.1, 0.5, 2, 0, 0]
    assert rated.reason.tolist() == [0, 0, 0, 308, 308]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"key": "33", "code": "FR"}, {"key": "33", "code": "DE"}], 'the key "33" is there twice'),
        ([{"key": "+33", "code": "FR"}], '"+33" is no digits that can be looked up'),
        (
            [{"key": "33", "code": "FR", "end": BORDERS[3]}, {"key": "33", "code": "DE", "start": BORDERS[2]}],
            'the key "33" stands for another text at that time',
        ),
        (
            [{"key": "33", "code": "FR", "start": BORDERS[3], "end": BORDERS[2]}],
            f"the period ends at {BORDERS[2]}, not after its start",
        ),
        ([{"key": "33", "code": "FR", "start": "2026-01-01"}], '"2026-01-01" is not an instant with a zone'),
        ([{"key": "33"}, {"key": "34", "code": "ES"}], "the key stands for nothing"),
        ([{"key": "33", "code": "FR", "price": "1"}], 'the column "price" is unknown'),
    ],
)
def test_wrong_rows_are_told(rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*yaml_of(_documents(rows)))
    assert message in [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("lookups", "message"),
    [
        ({"size": {"table": "sizes", "of": "size"}}, '"size" is an attribute or a value already'),
        ({"zone": {"table": "zone", "of": "called"}}, 'the lookup table "zone" is unknown'),
        ({"zone": {"table": "zones", "of": "caller"}}, 'the event type has no attribute or value "caller"'),
        ({"zone": {"table": "zones", "of": "size"}}, '"zones" looks up digits, but "size" is number'),
    ],
)
def test_wrong_lookups_are_told(lookups: dict[str, Any], message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*yaml_of(_documents([{"key": "33", "code": "FR"}], call={**CALL, "lookups": lookups})))
    assert message in [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("rows", "over"),
    [
        ([{"key": "..10", "code": "S"}, {"key": "9.5..20", "code": "M"}], ["9.5..20"]),
        ([{"key": "..10", "code": "S", "end": BORDERS[0]}, {"key": "9.5..20", "code": "M", "start": BORDERS[0]}], []),
        ([{"key": "..10", "code": "S", "end": BORDERS[3]}, {"key": "9.5..20", "code": "M", "start": BORDERS[0]}], ["9.5..20"]),
        (
            [
                {"key": "0..100", "code": "S", "end": BORDERS[0]}, {"key": "1..2", "code": "M", "start": BORDERS[0]},
                {"key": "5..6", "code": "L", "end": BORDERS[0]},
            ],
            ["5..6"],
        ),
    ],
)  # fmt: skip
def test_ranges_that_overlap_are_told(rows: list[dict[str, str]], over: list[str]) -> None:
    table = {"kind": "lookup_table", "code": "more", "key": "number", "rows": rows}
    documents = yaml_of(_documents([{"key": "33", "code": "FR"}], table))
    if not over:
        assert catalog_from(*documents).lookup_tables["more"].dated
        return
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*documents)
    assert [problem.message for problem in caught.value.problems] == [
        f'the key "{key}" overlaps another one' for key in over
    ]
