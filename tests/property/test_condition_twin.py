"""Conditions of charges against CEL: random expressions over every kind of name, usage that lacks some of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from rating.reference_conditions import cel_accepts

EXAMPLES = 40 if config.DISABLE_JIT else 80
AT = instant("2026-05-01T10:00:00Z")
VALUES = {
    "size": "number", "amount": {"type": "number", "decimals": 2}, "called": "digits", "day": "date",
}  # fmt: skip
TYPE = {"kind": "event_type", "code": "sale", "unit": "kB", "attributes": ["zone", "of-note"], "values": VALUES}
STAMP = {"kind": "event_type", "code": "stamp", "unit": "B", "values": {"due": "instant", "size": "number"}}
PLANS = [
    {
        "kind": "price_plan", "code": code, "currency": "EUR",
        "versions": [{"start": "2000-01-01T00:00:00Z", "model": "event", "price": price}],
    }
    for code, price in (("first", "1"), ("second", "2"), ("third", "3"))
]  # fmt: skip
SOLD = [
    {"kind": "offer", "code": "offer", "charges": ["first", "second", "third"]},
    {"kind": "account", "code": "acme", "currency": "EUR"},
    {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
]
numbers = st.sampled_from(
    ["0", "1", "-1", "100", "100.5", "0.1", "0.01", "-0.005", "999999999999999", "1000000000000000"]
)
fine = numbers.filter(lambda text: len(text.strip("-").replace(".", "")) <= 15)
texts = st.sampled_from(["US", "CA", "a b", "ünï", 'quo"te', "back\\slash"]).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
digits = st.sampled_from(["3", "33", "336", "33612345678", "0", "99999999999999999"]).map(lambda text: f'"{text}"')
dates = st.sampled_from(["2026-04-30", "2026-05-01", "1970-01-01", "9999-12-31"]).map(lambda text: f'"{text}"')
stamps = st.sampled_from(["2026-05-01T10:00:00Z", "2026-05-01T12:00:00+02:00", "2026-05-01T09:59:59.999999Z"]).map(
    lambda text: f'timestamp("{text}")'
)
orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
equals = st.sampled_from(["==", "!="])
quantities = st.sampled_from(["size", "amount", "quantity", "usage.size", 'usage["amount"]'])


def _lists(items: Any) -> Any:
    return st.lists(items, min_size=1, max_size=4).map(lambda each: f"[{', '.join(each)}]")


leaves = st.one_of(
    st.builds("{} {} {}".format, quantities, orders, st.one_of(fine, quantities)),
    st.builds("{} {} {}".format, fine, orders, quantities),
    st.builds("{} in {}".format, quantities, _lists(fine)),
    st.builds("{} {} {}".format, st.sampled_from(["zone", "usage.zone", 'usage["of-note"]']), equals, texts),
    st.builds("zone in {}".format, _lists(texts)),
    st.builds("called {} {}".format, equals, digits),
    st.builds("called.startsWith({})".format, digits),
    st.builds("called in {}".format, _lists(digits)),
    st.builds("day {} {}".format, orders, dates),
    st.builds("at {} {}".format, orders, stamps),
    st.builds("has(usage.{})".format, st.sampled_from(["size", "amount", "called", "day", "quantity"])),
    st.sampled_from(["true", "false"]),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=8,
)
edges = st.sampled_from([None, None, 0, 1, -1, 99, 100, 101, 10_050, 10**15 - 1, 10**15, -(10**15), 2**62, -(2**62)])
uses = st.builds(
    lambda at, quantity, zone, note, size, amount, called, day: Use(
        "line", "sale", at, quantity,
        {name: text for name, text in (("zone", zone), ("of-note", note)) if text},
        {
            name: value
            for name, value in (("size", size), ("amount", amount), ("called", called), ("day", day))
            if value is not None
        },
    ),
    st.sampled_from([AT, AT - 1]),
    st.sampled_from([0, 1, 100_000, 100_500, 10**15, 2**62]),
    st.sampled_from(["", "US", "CA", "a b", "FR", 'quo"te', "back\\slash"]),
    st.sampled_from(["", "ünï", "US"]),
    edges, edges,
    st.sampled_from([None, "33612345678", "33", "0"]).map(lambda text: None if text is None else _packed(text)),
    st.sampled_from([None, 0, 20_573, 20_574, 2_932_896]),
)  # fmt: skip


def _packed(text: str) -> int:
    from schemas.values import pack_digits

    return pack_digits(text)


def _world(*charges: dict[str, Any], types: tuple[dict[str, Any], ...] = (TYPE,)) -> World:
    event_type = types[0]["code"]
    sold = [
        {"kind": "charge", "code": code, "event_type": event_type, "price_plan": code, **charge}
        for code, charge in zip(("first", "second", "third"), charges, strict=True)
    ]
    return World(catalog_from(*yaml_of([*types, *PLANS, *sold, *SOLD])))


@settings(max_examples=EXAMPLES)
@given(
    first=conditions, second=conditions, filters=st.sampled_from([{}, {"zone": "US"}]),
    usage=st.lists(uses, min_size=6, max_size=14),
)  # fmt: skip
def test_a_condition_holds_where_cel_says_so(
    first: str, second: str, filters: dict[str, str], usage: list[Use]
) -> None:
    world = _world({"condition": first, "priority": 1}, {"condition": second, "priority": 2, "filters": filters}, {})
    assert world.items(world.rate(usage)) == world.rate_twin(usage)


def test_instants_are_compared_to_the_microsecond() -> None:
    condition = 'due >= timestamp("2026-05-01T10:00:00Z") && due <= at'
    world = _world({"condition": condition}, {"condition": "size == 7"}, {}, types=(STAMP,))
    usage = [Use("line", "stamp", AT + 5, 1, values=values) for values in (
        {"due": AT}, {"due": AT + 5}, {"due": AT - 1, "size": 7}, {"due": AT + 6, "size": 8}, {"size": 7}, {},
    )]  # fmt: skip
    rated = world.rate(usage)
    assert world.items(rated) == world.rate_twin(usage)
    assert rated.amount.tolist() == [10**9, 10**9, 2 * 10**9, 3 * 10**9, 0, 0]
    assert rated.reason.tolist() == [0, 0, 0, 0, 311, 311]


def test_what_decides_first_decides_alone() -> None:
    """Usage without a size is refused only where its size would decide: never rated by a worse charge in silence."""
    world = _world(
        {"condition": 'zone == "US" && size > 10'}, {"filters": {"zone": "CA"}}, {"condition": "!(size > 10)"}
    )
    usage = [Use("line", "sale", AT, 1, {"zone": zone} if zone else {}, values) for zone, values in (
        ("US", {"size": 11}), ("US", {"size": 10}), ("US", {}), ("CA", {}), ("FR", {}), ("", {"size": 3}), ("", {"size": 30}),
    )]  # fmt: skip
    rated = world.rate(usage)
    assert rated.reason.tolist() == [0, 0, 311, 0, 311, 0, 300]
    assert (rated.amount // 10**9).tolist() == [1, 3, 0, 2, 0, 3, 0]
    assert (rated.charge_version[rated.reason > 0] == -1).all()


@pytest.mark.parametrize("text", ["a == ", "1..2", '"a', "a b", "in in in"])
def test_cel_refuses_what_it_cannot_read(text: str) -> None:
    assert cel_accepts(text)
