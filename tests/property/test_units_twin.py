"""Multiples of units: kernels agree with the twin, and a price in a multiple is the same price in base steps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

AT = instant("2026-05-01T10:00:00Z")
FACTORS = ("29.3001", "1/3.2", "0.000000001", "7", "10000", "0.123456789/3", "2/0.4")


def _world(units: list[dict[str, Any]], measured: str, written: str, worth: int, model: str, steps: list[int]) -> World:
    """Return a world whose prices are for, and whose tiers end at, `worth` times `steps` of the unit `written`."""
    tiers = [{"up_to": f"{bound * worth} {written}", "price": "0.3"} for bound in sorted(set(steps[1:]))]
    version = {
        "start": "2020-01-01T00:00:00Z", "model": model, "per": f"{steps[0] * worth} {written}", "counter": "year",
        "tiers": [*tiers, {"price": "0.1"}], "rounding": {"decimals": 9},
    }  # fmt: skip
    documents = [
        *units,
        {"kind": "event_type", "code": "corn", "unit": measured},
        {"kind": "counter", "code": "year", "unit": written, "period": "year"},
        {"kind": "price_plan", "code": "corn", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "corn", "event_type": "corn", "price_plan": "corn"},
        {"kind": "offer", "code": "corn", "charges": ["corn"]},
        {"kind": "account", "code": "a", "currency": "EUR"},
        {"kind": "subscription", "code": "s", "account": "a", "offer": "corn"},
    ]
    return World(catalog_from(*yaml_of(documents)))


@settings(max_examples=25)
@given(
    factor=st.sampled_from(FACTORS),
    cart=st.booleans(),
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=3),
    model=st.sampled_from(["graduated", "volume"]),
    quantities=st.lists(st.integers(0, 10**13), max_size=8),
)
def test_a_price_in_a_multiple_is_that_price_in_base_steps(
    factor: str, cart: bool, steps: list[int], model: str, quantities: list[int]
) -> None:
    over, _, under = factor.partition("/")
    worth = Fraction(over) / Fraction(under or 1) * 10**9 * (12 if cart else 1)
    assert worth.denominator == 1
    units = [
        {"kind": "unit", "code": "grain", "decimals": 9},
        {"kind": "unit", "code": "sack", "of": "grain", "factor": factor},
        {"kind": "unit", "code": "cart", "of": "sack", "factor": 12},
    ]
    place = _world(units, "grain", "cart" if cart else "sack", 1, model, steps)
    plain = _world([{"kind": "unit", "code": "step"}], "step", "step", int(worth), model, steps)
    uses = [Use("s", "corn", AT, quantity) for quantity in quantities]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert [(item.amount, item.tier) for item in plain.items(plain.rate(uses))] == [
        (each.amount, each.tier) for each in items
    ]
