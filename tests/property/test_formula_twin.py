"""Formulas against their twin: exact fractions, quotients of two numbers, steps, choices, and what cannot be computed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from rating.tariff_image import UnableToCompileImage

EXAMPLES = 40 if config.DISABLE_JIT else 80
AT = instant("2026-05-01T10:00:00Z")
VALUES = {"size": "number", "amount": {"type": "number", "decimals": 2}, "fine": {"type": "number", "decimals": 12}}
TYPE = {"kind": "event_type", "code": "sale", "unit": "min", "attributes": ["zone"], "values": VALUES}
CALENDAR = {
    "kind": "calendar", "code": "week", "zone": "UTC", "bands": [{"name": "noon", "start": "10:00", "end": "12:00"}, {"name": "rest"}],
}  # fmt: skip
COUNTER = {"kind": "counter", "code": "month", "unit": "s"}

constants = st.sampled_from(["0", "1", "3", "7", "0.1", "0.29", "2.5", "1000000", "0.000000000001", "999999999999"])
names = st.sampled_from(["quantity", "size", "amount", "fine", "counted", "rate", "k"])
numbers = st.recursive(
    st.one_of(names, names, constants),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["floor", "ceil", "round"]), inner, st.sampled_from(["1", "0.05", "k"])),
        st.builds("(-{})".format, inner),
        st.builds("({} {} {} ? {} : {})".format, inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner, inner),
        st.builds("(zone == 'US' && {} > 1 || has(usage.size) ? {} : {})".format, inner, inner, inner),
        st.builds("({} in [0, 1, 2.5, 100] ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=9,
)  # fmt: skip
edges = st.one_of(
    st.sampled_from([None, 0, 1, -1, 5, 100, 10**12, 2**62, -(2**63) + 1, 2**63 - 1]), st.integers(-(10**6), 10**9)
)
sales = st.builds(
    lambda at, quantity, zone, size, amount, fine: Use(
        "line", "sale", at, quantity, {"zone": zone} if zone else {},
        {
            name: value
            for name, value in (("size", size), ("amount", amount), ("fine", fine))
            if value is not None
        },
    ),
    st.sampled_from([AT, AT - 1]), st.sampled_from([0, 1, 60_000, 90_001, 10**12, 2**62]), st.sampled_from(["", "US"]),
    edges, edges, edges,
)  # fmt: skip


def _documents(version: dict[str, Any]) -> list[dict[str, Any]]:
    version = {"start": "2000-01-01T00:00:00Z", "model": "formula", **version}
    return [
        TYPE, CALENDAR, COUNTER,
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "charge", "event_type": "sale", "price_plan": "plan"},
        {"kind": "offer", "code": "offer", "charges": ["charge"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
    ]  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(
    formula=numbers,
    terms=st.sampled_from([{}, {"connection_fee": "0.123456789"}, {"floor": "0.02", "cap": "3"}, {"zero_usage": "charged"}]),
    increments=st.sampled_from([{}, {"increments": {"first": "60 s", "next": "1 s"}}, {"minimum_quantity": "2 min"}]),
    rounding=st.fixed_dictionaries({"decimals": st.integers(2, 9), "mode": st.sampled_from(["half_up", "half_even", "up", "down"])}),
    banded=st.booleans(), usage=st.lists(sales, min_size=8, max_size=16),
)  # fmt: skip
def test_formulas_agree_with_their_twin(
    formula: str, terms: dict[str, Any], increments: dict[str, Any], rounding: dict[str, Any], banded: bool, usage: list[Use]
) -> None:  # fmt: skip
    own = {"rate": {"noon": "0.29", "rest": "1.5"} if banded else "0.29", "k": "3"}
    used = {name: value for name, value in own.items() if name in formula}
    version = {**terms, **increments, "rounding": rounding, "counter": "month", "formula": formula, "constants": used}
    version |= {"calendar": "week"} if banded else {}
    try:
        catalog = catalog_from(*yaml_of(_documents(version)))
        world = World(catalog)
    except (UnableToLoadCatalog, UnableToCompileImage):  # a division by nothing, or units too fine
        reject()
    assert world.items(world.rate(usage)) == world.rate_twin(usage)


def _rated(formula: str, *uses: tuple[int, dict[str, int]], **more: Any) -> tuple[list[str], list[int]]:
    version = {"formula": formula, "rounding": {"decimals": 2}, **more}
    world = World(catalog_from(*yaml_of(_documents(version))))
    usage = [Use("line", "sale", AT, quantity, values=values) for quantity, values in uses]
    rated = world.rate(usage)
    assert world.items(rated) == world.rate_twin(usage)
    return [f"{amount / 10**9:g}" for amount in rated.amount.tolist()], rated.reason.tolist()


def test_what_cannot_be_computed_is_refused_with_its_reason() -> None:
    uses = [
        (1, {"size": 4, "amount": 200}),
        (1, {"size": 0, "amount": 1}),
        (1, {"amount": 1}),
        (1, {"size": -4, "amount": 100}),
    ]
    assert _rated("amount / size", *uses) == (["0.5", "0", "0", "0"], [0, 312, 312, 312])
    huge = {"size": 2**62, "amount": 2**62, "fine": 2**62}
    assert _rated("size * amount * fine * size", (1, huge)) == (["0"], [303])
    assert _rated("-(amount * amount)", (1, huge), connection_fee="0.123456789") == (["0"], [312])


def test_a_choice_refuses_only_what_it_chooses() -> None:
    uses = [(1, {"size": 0}), (1, {"size": 5}), (1, {})]
    assert _rated("has(usage.size) ? (size == 0 ? 1 : 10 / size) : 7", *uses) == (["1", "2", "7"], [0, 0, 0])


@pytest.mark.parametrize(
    ("formula", "amount"),
    [
        ("quantity * 0.1 / 3", "0.07"),  # exactly a third of 0.2: nothing is cut before the one rounding
        ("floor(quantity * 10, 7) + ceil(quantity, 1.5)", "17"),
        ("round(-2.5 + quantity - quantity, 1) + 3", "0"),
        ("max(quantity, 1, 0.5) * k", "6"),
        ("5 + ceil(0 - quantity * 1.25, 1)", "3"),
        ("5 + floor(0 - quantity * 1.25, 1)", "2"),
        ("5 + round(0 - quantity * 1.25, 1)", "2"),
    ],
)
def test_results_are_exact(formula: str, amount: str) -> None:
    own = {"constants": {"k": "3"}} if "k" in formula else {}
    assert _rated(formula, (120_000, {}), **own) == ([amount], [0])
