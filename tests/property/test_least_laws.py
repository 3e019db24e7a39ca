"""Minimums as fees: whatever is rated between two runs, what was asked in all is what is lacking, or lies beyond, counted plainly."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_strategies import yaml_of
from rating_world import catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from billing.invoicing.rules_least import SPENT_FRAME, Counting, minimums_to_ask
from billing.subscriptions.rules_asking import ASKED_FRAME
from schemas.catalog import Catalog
from schemas.fees import DENOMINATOR, NUMERATOR, SCOPES
from schemas.money import from_scaled

DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s"},
    {"kind": "price_plan", "code": "voice", "currency": "EUR", "versions": [
        {"start": "2026-01-01T00:00:00Z", "model": "flat", "per": "1 min", "price": "1"}]},
    {"kind": "price_plan", "code": "least", "currency": "EUR", "versions": [
        {"start": "2026-01-01T00:00:00Z", "end": "2026-08-01T00:00:00Z", "model": "event", "price": "31", "rounding": {"decimals": 2}},
        {"start": "2026-08-01T00:00:00Z", "model": "event", "price": "19.99", "rounding": {"decimals": 2}}]},
    {"kind": "charge", "code": "voice", "event_type": "call", "price_plan": "voice"},
    {"kind": "offer", "code": "o", "charges": ["voice", "least"]},
    {"kind": "offer", "code": "other", "charges": ["least"]},
    {"kind": "account", "code": "a", "currency": "EUR"},
    {"kind": "subscription", "code": "s", "account": "a", "offer": "o", "start": "2026-07-11T00:00:00Z"},
]  # fmt: skip
MONTHS = {"2026-07-11": (Fraction(31) * 21 / 31, 31), "2026-08-01": (Fraction("19.99"), Fraction("19.99"))}
"""Beginnings of periods: what is due for them, and the minimum of a whole one."""


@cache
def _of(factor: str, true_up: bool, when_unused: bool) -> Catalog:
    return _catalog(overage_factor=factor, true_up=true_up, when_unused=when_unused)


def _catalog(**terms: Any) -> Catalog:
    minimum = {"kind": "minimum_charge", "code": "least", "price_plan": "least", **terms}
    documents = [one for one in DOCUMENTS if one["code"] != "other" or "of" in terms]
    return catalog_from(*yaml_of([*documents, minimum]))


spent = st.dictionaries(
    st.sampled_from(sorted(MONTHS)),
    st.tuples(st.integers(-5_000_000_000, 60_000_000_000), st.integers(0, 2)).map(
        lambda one: one if one[1] else (0, 0)
    ),
)


@settings(max_examples=12)
@given(
    histories=st.lists(spent, min_size=1, max_size=3),
    factor=st.sampled_from(["1", "1.5", "3.333333"]),
    true_up=st.booleans(),
    when_unused=st.booleans(),
)
def test_what_was_asked_in_all_is_what_is_lacking_or_lies_beyond(
    histories: list[dict[str, tuple[int, int]]], factor: str, *, true_up: bool, when_unused: bool
) -> None:
    catalog = _of(factor, true_up, when_unused)
    asked = pl.DataFrame(schema=ASKED_FRAME)
    for rated in histories:

        def told(counting: Counting, rated: dict[str, tuple[int, int]] = rated) -> pl.DataFrame:
            assert counting[:4] == ("subscription", None, ("least",), "EUR")
            assert counting.begin < counting.end
            rows = [("s", *each) for day, each in rated.items() if instant(f"{day}T00:00:00Z") == counting.begin]
            return pl.DataFrame(rows, schema=SPENT_FRAME, orient="row")

        until = date(2026, 9, 1)
        asked = pl.concat([asked, minimums_to_ask(catalog, asked, until, told)])
        assert minimums_to_ask(catalog, asked, until, told).is_empty()
        for day, (due, whole) in MONTHS.items():
            amount, items = rated.get(day, (0, 0))
            lacks = _cents(due) - max(Decimal(0), from_scaled(amount, 9))
            expected = max(lacks, Decimal(0)) if true_up and (when_unused or items) else Decimal(0)
            if lacks < 0:
                expected = _cents(-Fraction(lacks) * (Fraction(factor) - 1))
            mine = asked.filter(pl.col("key_at") == instant(f"{day}T00:00:00Z")).to_dicts()
            share = sum((row["quantity"] * Fraction(row[NUMERATOR], row[DENOMINATOR]) for row in mine), Fraction(0))
            assert share * whole == Fraction(expected)


TREE: list[dict[str, Any]] = [
    *(each for each in DOCUMENTS if each["code"] in ("call", "voice", "least")),
    {"kind": "minimum_charge", "code": "mine", "price_plan": "least"},
    {"kind": "minimum_charge", "code": "ours", "price_plan": "least", "scope": "account", "overage_factor": "1.5"},
    {"kind": "minimum_charge", "code": "theirs", "price_plan": "least", "scope": "customer"},
    {"kind": "offer", "code": "o", "charges": ["voice", "mine"]},
    {"kind": "offer", "code": "frame", "charges": ["ours", "theirs"]},
    {"kind": "account", "code": "top", "currency": "EUR", "level": "customer"},
    *({"kind": "account", "code": code, "currency": "EUR", "parent": "top"} for code in "ab"),
    {"kind": "account", "code": "alone", "currency": "EUR"},
    *({"kind": "subscription", "code": f"{account}{number}", "account": account, "offer": "o", "start": "2026-01-01T00:00:00Z"}
      for account in ("a", "b", "alone") for number in "12"),
    {"kind": "subscription", "code": "frame", "account": "a", "offer": "frame", "start": "2026-08-01T00:00:00Z"},
]  # fmt: skip


@settings(max_examples=10)
@given(
    rated=st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "alone"]), st.sampled_from("12")),
        st.integers(-100, 4000).map(lambda cents: cents * 10**7),
    )
)
def test_wider_minimums_count_all_below_and_what_narrower_ones_add(rated: dict[tuple[str, str], int]) -> None:
    """One month, by cents: each scope is asked once those before it are charged."""
    catalog = _tree()
    charged: dict[tuple[str, str, str], int] = {(*key, "voice"): value for key, value in rated.items()}

    def told(counting: Counting) -> pl.DataFrame:
        sums: dict[str, list[int]] = {}
        for (account, number, charge), amount in charged.items():
            if counting.only is None and charge not in counting.without and counting.begin == AUGUST:
                whose = account if counting.by == "account" else account + number
                sums[whose] = [sums.get(whose, [0, 0])[0] + amount, 1]
        return pl.DataFrame([(whose, *each) for whose, each in sums.items()], schema=SPENT_FRAME, orient="row")

    found: dict[str, Decimal] = {}
    for scope in SCOPES:
        asked = minimums_to_ask(catalog, pl.DataFrame(schema=ASKED_FRAME), date(2026, 9, 1), told, scope)
        for row in asked.filter(pl.col("key_at") >= AUGUST, pl.col("quantity") != 0).to_dicts():
            amount = Fraction("19.99") * Fraction(row[NUMERATOR], row[DENOMINATOR])
            found[f"{row['subscription']} {row['fee']}"] = _cents(amount)
            account = "a" if row["subscription"] == "frame" else row["subscription"][:-1]
            charged[account, row["subscription"], row["fee"]] = int(amount * 10**9)
    expected: dict[str, Decimal] = {}
    least = Decimal("19.99")
    spent_of = {key: from_scaled(value, 9) for key, value in rated.items()}
    paid: dict[str, Decimal] = dict.fromkeys(("a", "b", "alone"), Decimal(0))
    for account in paid:
        for number in "12":
            mine = spent_of.get((account, number), Decimal(0))
            lacks = least - max(mine, Decimal(0))
            if lacks > 0:
                expected[f"{account}{number} mine"] = lacks
            paid[account] += mine + max(lacks, Decimal(0))
    beyond = max(paid["a"], Decimal(0)) - least
    ours = -beyond if beyond < 0 else _cents(Fraction(beyond) / 2)
    theirs = least - max(paid["a"] + ours + paid["b"], Decimal(0))
    expected |= {f"frame {name}": each for name, each in (("ours", ours), ("theirs", theirs)) if each > 0}
    assert found == {name: each.quantize(Decimal("0.01")) for name, each in expected.items()}


AUGUST = instant("2026-08-01T00:00:00Z")


@cache
def _tree() -> Catalog:
    return catalog_from(*yaml_of(TREE))


def _cents(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"zone": "Mars"}, 'the time zone "Mars" is unknown'),
        ({"every": "1 week", "basis": "thirty_360"}, "thirty_360 counts months, and a period is 1 week"),
        ({"of": ["nothing"]}, 'the charge "nothing" is unknown'),
        ({"of": ["least"]}, '"least" is a minimum itself'),
        ({"of": ["voice"]}, "has the minimum, but no charge"),
        ({"overage_factor": "0.5"}, '"0.5" is too small'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_minimums_are_told(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        _catalog(**terms)
    assert any(message in problem.message for problem in caught.value.problems)
