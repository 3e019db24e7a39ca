"""Counters that hold a maximum: the month pays for its largest usage, in whatever order usage comes; kernels and twin agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog

EXAMPLES = 15 if config.DISABLE_JIT else 40
AT = instant("2026-05-01T10:00:00Z")
NEXT_MONTH = instant("2026-06-01T00:00:00Z")
MODELS: dict[str, dict[str, Any]] = {
    "flat": {"model": "flat", "per": "1 kVA", "price": "12.41"},
    "free": {"model": "flat", "per": "1 kVA", "price": "2", "free": "3 kVA"},
    "graduated": {
        "model": "graduated",
        "per": "1 kVA",
        "tiers": [{"up_to": "5 kVA", "price": "1"}, {"up_to": "9 kVA", "price": "2", "amount": "4"}, {"price": "0.5"}],
    },
    "package": {"model": "package", "per": "2 kVA", "price": "7"},
    "stair_step": {"model": "stair_step", "tiers": [{"up_to": "6 kVA", "amount": "10"}, {"amount": "25"}]},
    "formula": {"model": "formula", "formula": "quantity * 2 + 0 * counted"},
}


def _documents(version: dict[str, Any], **counter: Any) -> list[dict[str, Any]]:
    version = {"start": "2000-01-01T00:00:00Z", "counter": "peak", **version}
    return [
        {"kind": "event_type", "code": "load", "unit": "kVA"},
        {"kind": "counter", "code": "peak", "unit": "kVA", "function": "max", "zone": "UTC", **counter},
        {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]},
        {"kind": "charge", "code": "charge", "event_type": "load", "price_plan": "plan"},
        {"kind": "offer", "code": "offer", "charges": ["charge"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
        {"kind": "subscription", "code": "other", "account": "acme", "offer": "offer"},
    ]


def _loads(amounts: list[int], line: str = "line", at: int = AT) -> list[Use]:
    return [Use(line, "load", at, amount) for amount in amounts]


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=EXAMPLES)
@given(
    amounts=st.lists(
        st.one_of(st.integers(0, 12_000), st.sampled_from([0, 3000, 5000, 9000, 2**62])), min_size=1, max_size=8
    )
)
def test_a_period_pays_for_its_largest_usage_in_any_order(model: str, amounts: list[int]) -> None:
    catalog = catalog_from(*yaml_of(_documents(MODELS[model])))
    world, alone = World(catalog), World(catalog)
    usage = _loads(amounts) + _loads([7], at=NEXT_MONTH)
    rated = world.rate(usage)
    assert world.items(rated) == world.rate_twin(usage)
    largest = max(
        (amount for amount, reason in zip(amounts, rated.reason.tolist(), strict=False) if not reason), default=0
    )
    assert int(rated.amount[:-1].sum()) == int(alone.rate(_loads([largest])).amount[0])
    assert int(rated.rated_quantity[:-1].sum()) == largest


def test_each_usage_pays_what_it_raises_the_peak_by() -> None:
    world = World(catalog_from(*yaml_of(_documents(MODELS["flat"]))))
    rated = world.rate(_loads([3000, 5000, 4000, 9000]) + _loads([1000], "other"))
    assert (rated.amount / 10**9).tolist() == [37.23, 24.82, 0, 49.64, 12.41]
    assert rated.counter_before.tolist() == [0, 3000, 5000, 5000, 0]


def test_several_points_of_an_account_share_a_peak() -> None:
    world = World(catalog_from(*yaml_of(_documents(MODELS["flat"], shared_by="account"))))
    rated = world.rate(_loads([3000]) + _loads([5000], "other") + _loads([4000]))
    assert rated.rated_quantity.tolist() == [3000, 2000, 0]


@pytest.mark.parametrize(
    ("version", "field"),
    [
        ({"model": "event", "price": "1"}, "counter"),
        ({**MODELS["flat"], "increments": {"first": "1 kVA", "next": "1 kVA"}}, "increments"),
        ({**MODELS["flat"], "minimum_quantity": "1 kVA"}, "minimum_quantity"),
    ],
)  # fmt: skip
def test_what_a_peak_cannot_have_is_told(version: dict[str, Any], field: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*yaml_of(_documents(version)))
    assert [problem.field for problem in caught.value.problems] == [f"versions.0.{field}"]
