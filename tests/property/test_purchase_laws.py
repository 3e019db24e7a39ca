"""Purchases: over random histories of buying and bringing back, what was asked in all is what is owed, counted plainly."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_strategies import yaml_of
from rating_world import catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from billing.subscriptions.rules_asking import ASKED_FRAME, to_ask
from schemas.catalog import Catalog
from schemas.fees import DENOMINATOR, FEE, NUMERATOR

FIRST = date(2026, 7, 1)
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "price_plan", "code": "router", "currency": "EUR", "versions": [
        {"start": "2026-01-01T00:00:00Z", "model": "event", "price": "89.90"}]},
    {"kind": "product_charge", "code": "router", "price_plan": "router"},
    {"kind": "product_charge", "code": "phone", "price_plan": "router"},
    {"kind": "offer", "code": "shop", "charges": ["router", "phone"]},
    {"kind": "offer", "code": "phones", "charges": ["phone"]},
    {"kind": "account", "code": "ana", "currency": "EUR"},
    {"kind": "subscription", "code": "one", "account": "ana", "offer": "shop", "start": "2026-07-01T00:00:00Z"},
    {"kind": "subscription", "code": "two", "account": "ana", "offer": "shop", "start": "2026-07-01T00:00:00Z",
     "end": "2026-09-01T00:00:00Z"},
    {"kind": "subscription", "code": "other", "account": "ana", "offer": "phones", "start": "2026-07-01T00:00:00Z"},
]  # fmt: skip


def _at(day: int) -> str:
    return f"{FIRST + timedelta(days=day)}T09:30:00Z"


def _catalog(*purchases: dict[str, Any]) -> Catalog:
    bought = [{"kind": "purchase", "code": f"p{place}", **each} for place, each in enumerate(purchases)]
    return catalog_from(*yaml_of([*DOCUMENTS, *bought]))


bought = st.builds(
    lambda who, what, day, count, back: {
        "subscription": who, "product": what, "at": _at(day), "quantity": count,
        **({} if back is None else {"returned_at": _at(day + back)}),
    },
    st.sampled_from(["one", "two"]), st.sampled_from(["router", "phone"]), st.integers(0, 3), st.integers(1, 3),
    st.sampled_from([None, 1, 2]),
)  # fmt: skip


@settings(max_examples=20)
@given(
    histories=st.lists(st.lists(bought, max_size=4), min_size=1, max_size=3),
    days=st.lists(st.integers(0, 6), min_size=3, max_size=3),
)
def test_what_was_asked_in_all_is_what_is_owed(histories: list[list[dict[str, Any]]], days: list[int]) -> None:
    asked = pl.DataFrame(schema=ASKED_FRAME)
    for purchases, day in zip(histories, sorted(days), strict=False):
        catalog, until = _catalog(*purchases), FIRST + timedelta(days=day)
        rows = to_ask(catalog, asked, until)
        asked = pl.concat([asked, rows])
        assert to_ask(catalog, asked, until).is_empty()
        owed: Counter[tuple[str, str, int]] = Counter()
        for one in purchases:
            limit = instant(f"{until}T00:00:00Z")
            if instant(one["at"]) < limit <= instant(one.get("returned_at", _at(999))):
                owed[one["subscription"], one["product"], instant(one["at"])] += one["quantity"]
        total: Counter[tuple[str, str, int]] = Counter()
        for row in asked.to_dicts():
            share = Fraction(row[NUMERATOR], row[DENOMINATOR])
            total[row["subscription"], row[FEE], row["key_at"]] += int(row["quantity"] * share)
        assert {key: count for key, count in total.items() if count} == dict(owed)


def test_purchases_of_one_instant_are_one_fee() -> None:
    one = {"subscription": "one", "product": "router", "at": _at(1), "quantity": 2}
    (row,) = to_ask(
        _catalog(one, {**one, "quantity": 3}), pl.DataFrame(schema=ASKED_FRAME), date(2026, 8, 1)
    ).to_dicts()
    assert (row[NUMERATOR], row[DENOMINATOR], row["quantity"]) == (5, 1, 1)


@pytest.mark.parametrize(
    ("purchase", "message"),
    [
        ({"product": "setup"}, 'the product charge "setup" is unknown'),
        ({"subscription": "three"}, 'the subscription "three" is unknown'),
        ({"subscription": "other"}, 'the offer "phones" of the subscription has no product "router"'),
        ({"at": "2026-06-30T23:59:59Z"}, 'the subscription "two" is not in force then'),
        ({"at": "2026-09-01T00:00:00Z"}, 'the subscription "two" is not in force then'),
        ({"returned_at": _at(1)}, "it comes back before it is bought"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_purchases_are_told(purchase: dict[str, Any], message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        _catalog({"subscription": "two", "product": "router", "at": _at(1), **purchase})
    assert [problem.message for problem in caught.value.problems] == [message]
