"""Taxes: columns against their twin, rows against a plain search, and laws of bills and shares."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_world import catalog_from, instant
from tax_world import PARTIES, SOLD, mapping, tax_at

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.taxation import Taxation, plain_rate
from billing.invoicing.rules_taxes import TaxedSum, invoice_taxes, tax_amounts, tax_columns
from rating.amounts import allocate
from schemas.account import Account
from schemas.money import RoundingMode
from schemas.price_plan import Rounding
from schemas.tax import PriceBasis

AMOUNTS = st.integers(-(2**63) + 1, 2**63 - 1)
RATES = st.sampled_from([0, 1, 5_500_000, 9_975_000, 20_000_000, 1_000_000_000])
ROUNDINGS = st.builds(Rounding, mode=st.sampled_from(RoundingMode), decimals=st.integers(0, 9))
BASES: st.SearchStrategy[PriceBasis] = st.sampled_from(["net", "gross"])


@given(st.lists(st.tuples(AMOUNTS, RATES | st.none()), max_size=20), BASES, ROUNDINGS)
def test_columns_say_what_the_twin_says(
    rows: list[tuple[int, int | None]], basis: PriceBasis, rounding: Rounding
) -> None:
    amounts, rates = (pl.Series([row[place] for row in rows], dtype=pl.Int64) for place in (0, 1))
    found = tax_columns(amounts, rates, basis, rounding)
    for (amount, rate), told in zip(rows, found.iter_rows(), strict=True):
        if rate is not None:
            assert told == tax_amounts(amount, rate, basis, rounding)
            assert told[0] + told[1] == told[2]
        else:
            assert told == ((amount, None, None) if basis == "net" else (None, None, amount))


PARTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([5_000_000, 9_975_000, 20_000_000])),
    max_size=3,
    unique_by=lambda part: part[0],
).map(tuple)
SUMS = st.lists(st.builds(TaxedSum, PARTS, st.integers(-(10**14), 10**14)), max_size=12)


@given(SUMS, BASES, ROUNDINGS, st.randoms(use_true_random=False))
def test_laws_of_a_bill(sums: list[TaxedSum], basis: PriceBasis, rounding: Rounding, chance: random.Random) -> None:
    bill = invoice_taxes(sums, basis, rounding)
    assert bill.net + bill.tax == bill.gross
    assert bill.tax == sum(line.amount for line in bill.lines)
    assert len({(line.tax, line.rate) for line in bill.lines}) == len(bill.lines), "each tax once for a rate"
    step = 10 ** (9 - rounding.decimals)
    assert all(each % step == 0 for each in (bill.net, bill.tax, bill.gross))
    shuffled = chance.sample(sums, len(sums))
    assert invoice_taxes(shuffled, basis, rounding) == bill, "the order of items changes nothing"
    halves = [TaxedSum(each.parts, part) for each in sums for part in (each.amount - 7, 7)]
    assert invoice_taxes(halves, basis, rounding) == bill, "neither does dividing them"


@given(st.integers(-(10**30), 10**30), st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_shares_add_up_and_are_next_to_exact(total: int, weights: list[int]) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    if sum(weights):
        assert all(
            abs(share * sum(weights) - total * weight) < sum(weights)
            for share, weight in zip(shares, weights, strict=True)
        )


CONDITIONS = [
    "",
    "account == 'ana'",
    "charge in ['calls', 'other'] && !(offer != 'mobile')",
    "subscription.startsWith('off') ? true : account.contains('bass')",
    "event_type.endsWith('ce') || false",
]
MOMENTS = [f"2026-{month:02}-01T00:00:00Z" for month in (1, 3, 6, 9)]


@st.composite
def _rows(draw: st.DrawFn) -> str:
    found = [
        f"tax_category: {draw(st.sampled_from(['consumer', 'business']))}",
        f"tax: {draw(st.sampled_from(['low', 'high', 'both']))}",
    ]
    for name, choices in (
        ("tax_class", ["telephony", "energy"]),
        ("seller_country", ["FR", "BE"]),
        ("buyer_country", ["FR", "DE"]),
    ):
        chosen = draw(st.sampled_from(["", "", *choices]))
        found += [f"{name}: {chosen}"] if chosen else []
    start, end = draw(st.sampled_from([(None, None), (0, 2), (1, 3), (2, None), (None, 1)]))
    found += [f'start: "{MOMENTS[start]}"'] if start is not None else []
    found += [f'end: "{MOMENTS[end]}"'] if end is not None else []
    condition = draw(st.sampled_from(CONDITIONS))
    return ", ".join([*found, f'condition: "{condition}"'] if condition else found)


@settings(max_examples=15)
@given(st.lists(_rows(), max_size=6), st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=3))
def test_rows_say_what_a_plain_search_says(rows: list[str], moments: list[str]) -> None:
    # each row has a priority of its own, and the last rows leave nothing without a tax
    numbered = [f"{row}, priority: {90 - place}" for place, row in enumerate(rows)]
    rest = [f"tax_category: {category}, tax: high" for category in ("consumer", "business")]
    try:
        catalog = catalog_from(SOLD, PARTIES, mapping(*numbered, *rest))
    except UnableToLoadCatalog as refused:
        pytest.fail(str(refused))
    accounts = {each["code"]: Account.model_validate(each) for each in _accounts()}
    sold = [
        (subscription, charge, at)
        for subscription in catalog.subscriptions["subscription"]
        for charge in catalog.charges
        for at in moments
    ]
    items = pl.DataFrame(
        [(one, other, instant(at)) for one, other, at in sold],
        schema=["subscription", "charge", "event_at"],
        orient="row",
    )
    places, dues = Taxation(catalog).due(items)
    for place, (subscription, charge, at) in zip(places, items.iter_rows(), strict=True):
        due = dues[place]
        told = due.status, due.tax, [(tax, plain_rate(rate)) for tax, rate in due.parts]
        assert told == tax_at(catalog, accounts, subscription, charge, at), (subscription, charge, at)


def _accounts() -> list[dict[str, object]]:
    import yaml

    return [each for each in yaml.safe_load_all(PARTIES) if each["kind"] == "account"]
