"""Prices of a value against their twin: multipliers of any decimals, free parts, fixed parts, floors and caps, rows of a matrix."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

EXAMPLES = 30 if config.DISABLE_JIT else 100
AT = instant("2026-05-01T10:00:00Z")
MATRIX = {
    "kind": "price_matrix", "code": "shares", "columns": {"amount": "number"},
    "rows": [{"amount": "..10", "price": "0.05"}, {"amount": "10..", "price": "0.000000000001", "connection_fee": "0.2"}],
}  # fmt: skip
CALENDAR = {
    "kind": "calendar", "code": "week", "zone": "UTC", "bands": [{"name": "noon", "start": "10:00", "end": "12:00"}, {"name": "rest"}],
}  # fmt: skip


@st.composite
def worlds(draw: Any) -> list[dict[str, Any]]:
    """Return the documents of a plan that prices a value."""
    decimals = draw(st.sampled_from([0, 2, 6, 12]))
    version: dict[str, Any] = {"start": "2000-01-01T00:00:00Z", "model": "value", "value": "amount"}
    price = st.sampled_from(["0", "0.029", "1", "0.000000000001", "8999999.999999999999", "1.5"])
    version |= draw(
        st.one_of(
            st.just({"prices": "shares"}),
            price.map(lambda text: {"price": text}),
            st.tuples(price, price).map(lambda both: {"calendar": "week", "price": {"noon": both[0], "rest": both[1]}}),
        )
    )
    version |= draw(st.sampled_from([{}, {"free_value": "5"}, {"free_value": "0"}]))
    version |= draw(st.sampled_from([{}, {"connection_fee": "0.25"}, {"floor": "0.02", "cap": "3"}]))
    version["rounding"] = {
        "decimals": draw(st.integers(2, 9)), "mode": draw(st.sampled_from(["half_up", "half_even", "up", "down"])),
    }  # fmt: skip
    return [
        {
            "kind": "event_type", "code": "sale", "unit": "B", "attributes": ["way"],
            "values": {"other": "number", "amount": {"type": "number", "decimals": decimals}},
        },
        MATRIX, CALENDAR,
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "charge", "event_type": "sale", "price_plan": "plan"},
        {"kind": "offer", "code": "offer", "charges": ["charge"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
    ]  # fmt: skip


sales = st.builds(
    lambda at, quantity, amount: Use("line", "sale", at, quantity, values={} if amount is None else {"amount": amount}),
    st.sampled_from([AT, AT - 1]),
    st.sampled_from([0, 1, 1, 1, 7]),
    st.one_of(
        st.sampled_from([None, -1, 0, 1, 2**62, 5, 500, 5 * 10**12]), st.integers(0, 10**7), st.integers(0, 10**16)
    ),
)


@settings(max_examples=EXAMPLES)
@given(documents=worlds(), usage=st.lists(sales, min_size=8, max_size=20))
def test_a_share_of_a_value_agrees_with_its_twin(documents: list[dict[str, Any]], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    assert world.items(world.rate(usage)) == world.rate_twin(usage)


def test_a_share_beyond_a_free_part_with_a_fixed_part() -> None:
    version = {
        "start": "2000-01-01T00:00:00Z", "model": "value", "value": "amount", "price": "0.029", "free_value": "10",
        "connection_fee": "0.25", "cap": "5", "rounding": {"decimals": 2},
    }  # fmt: skip
    documents = [
        {"kind": "event_type", "code": "sale", "unit": "B", "values": {"amount": {"type": "number", "decimals": 2}}},
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "charge", "event_type": "sale", "price_plan": "plan"},
        {"kind": "offer", "code": "offer", "charges": ["charge"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
    ]
    world = World(catalog_from(*yaml_of(documents)))
    rated = world.rate([Use("line", "sale", AT, 1, values={"amount": cents}) for cents in (900, 5_000, 100_000, -1)])
    assert rated.amount.tolist() == [250_000_000, 1_410_000_000, 5_000_000_000, 0]
    assert rated.reason.tolist() == [0, 0, 0, 309]
