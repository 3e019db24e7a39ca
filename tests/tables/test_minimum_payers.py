"""Minimums over an account, whoever pays: a period that was asked is asked of nobody again, and of nobody else."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_strategies import yaml_of
from rating_world import catalog_from, instant

from billing.invoicing.rules_least import SPENT_FRAME, Counting, minimums_to_ask
from billing.subscriptions.rules_asking import ASKED_FRAME, OF_MINIMUMS
from schemas.catalog import Catalog
from schemas.fees import DENOMINATOR, NUMERATOR

VERSIONS = {"start": "2026-01-01T00:00:00Z", "rounding": {"decimals": 2}}
SOLD: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s"},
    {"kind": "price_plan", "code": "voice", "currency": "EUR", "versions": [{**VERSIONS, "model": "flat", "per": "1 min", "price": "1"}]},
    {"kind": "price_plan", "code": "least", "currency": "EUR", "versions": [{**VERSIONS, "model": "event", "price": "30"}]},
    {"kind": "charge", "code": "voice", "event_type": "call", "price_plan": "voice"},
    {"kind": "offer", "code": "calls", "charges": ["voice"]},
    {"kind": "account", "code": "smith", "currency": "EUR", "level": "customer"},
    {"kind": "account", "code": "jones", "currency": "EUR", "level": "customer"},
]  # fmt: skip
FRAME = {"kind": "offer", "code": "frame", "charges": ["voice", "least"]}
LEAST = {"kind": "minimum_charge", "code": "least", "price_plan": "least", "scope": "customer"}
USED = [("smith", "voice", "2026-04-10T00:00:00Z", 10), ("smith", "voice", "2026-05-10T00:00:00Z", 40)]


def _sub(code: str, offer: str, start: str, end: str | None = None, account: str = "smith") -> dict[str, Any]:
    one = {"kind": "subscription", "code": code, "account": account, "offer": offer, "start": start}
    return one if end is None else {**one, "end": end}


def _catalog(*more: dict[str, Any], sold: list[dict[str, Any]] = SOLD, least: dict[str, Any] = LEAST) -> Catalog:
    return catalog_from(*yaml_of([*sold, least, FRAME, *more]))


def _ask(
    catalog: Catalog,
    asked: pl.DataFrame,
    until: str,
    used: list[tuple[str, str, str, int]] = USED,
    windows: list[Counting] | None = None,
) -> pl.DataFrame:
    """Return all that was asked by then: usage is (account, charge, when, EUR)."""

    def told(counting: Counting) -> pl.DataFrame:
        if windows is not None:
            windows.append(counting)
        sums: dict[str, list[int]] = {}
        for account, charge, at, amount in used:
            counts = charge in counting.only if counting.only is not None else charge not in counting.without
            if counts and counting.begin <= instant(at) < counting.end:
                rated, items = sums.get(account, [0, 0])
                sums[account] = [rated + amount * 10**9, items + 1]
        return pl.DataFrame([(whose, *each) for whose, each in sums.items()], schema=SPENT_FRAME, orient="row")

    found = minimums_to_ask(catalog, asked, date.fromisoformat(until), told, "customer")
    after = pl.concat([asked, found])
    assert minimums_to_ask(catalog, after, date.fromisoformat(until), told, "customer").is_empty()
    return after


def _paid(asked: pl.DataFrame) -> dict[str, str]:
    """Return "SUBSCRIPTION FIRST_DAY": EUR of what was asked, without what came to nothing."""
    sums: dict[str, Fraction] = {}
    for row in asked.to_dicts():
        name = f"{row['subscription']} {row['first_day']}"
        sums[name] = sums.get(name, Fraction(0)) + 30 * row["quantity"] * Fraction(row[NUMERATOR], row[DENOMINATOR])
    return {name: str(amount) for name, amount in sorted(sums.items()) if amount}


NOTHING = pl.DataFrame(schema=ASKED_FRAME)
FIRST = {"one 2026-04-01": "20"}
"""April lacks 20, May nothing."""


@pytest.fixture(scope="module")
def april_and_may() -> pl.DataFrame:
    """What is asked of the subscription `one` until June."""
    asked = _ask(_catalog(_sub("one", "frame", "2026-04-01T00:00:00Z")), NOTHING, "2026-06-01")
    assert _paid(asked) == FIRST
    assert asked["quantity"].to_list() == [1, 0]
    return asked


def test_an_older_subscription_that_becomes_the_payer_is_asked_for_what_nobody_was(april_and_may: pl.DataFrame) -> None:
    then = _catalog(_sub("one", "calls", "2026-04-01T00:00:00Z"), _sub("old", "frame", "2026-04-01T00:00:00Z"))
    assert _paid(_ask(then, april_and_may, "2026-06-01")) == FIRST
    assert _paid(_ask(then, april_and_may, "2026-07-01")) == FIRST | {"old 2026-06-01": "30"}
    gone = _catalog(_sub("old", "frame", "2026-04-01T00:00:00Z"))
    assert _paid(_ask(gone, april_and_may, "2026-07-01")) == FIRST | {"old 2026-06-01": "30"}


def test_who_pays_in_turns_is_asked_for_no_month_twice(april_and_may: pl.DataFrame) -> None:
    one, two = _sub("one", "calls", "2026-04-01T00:00:00Z"), _sub("two", "frame", "2026-04-01T00:00:00Z")
    asked = _ask(_catalog(one, two), april_and_may, "2026-07-01")
    asked = _ask(_catalog({**one, "offer": "frame"}, {**two, "offer": "calls"}), asked, "2026-08-01")
    assert _paid(asked) == FIRST | {"two 2026-06-01": "30", "one 2026-07-01": "30"}
    # usage that comes late corrects the months of who pays now; those of others stay as they were asked
    late = [*USED, ("smith", "voice", "2026-04-11T00:00:00Z", 5), ("smith", "voice", "2026-06-11T00:00:00Z", 5)]
    corrected = _ask(_catalog({**one, "offer": "frame"}, {**two, "offer": "calls"}), asked, "2026-08-01", late)
    assert _paid(corrected) == {"one 2026-04-01": "15", "two 2026-06-01": "30", "one 2026-07-01": "30"}


def test_a_payer_that_moves_is_asked_for_no_month_of_its_new_account(april_and_may: pl.DataFrame) -> None:
    moved = _catalog(_sub("one", "frame", "2026-04-01T00:00:00Z", account="jones"))
    assert _paid(_ask(moved, april_and_may, "2026-06-01")) == FIRST
    # from then on the new account's usage counts, and what comes late still corrects the old one's
    used = [*USED, ("jones", "voice", "2026-06-10T00:00:00Z", 25), ("smith", "voice", "2026-04-20T00:00:00Z", 4)]
    assert _paid(_ask(moved, april_and_may, "2026-07-01", used)) == {"one 2026-04-01": "16", "one 2026-06-01": "5"}


def test_a_successor_in_the_middle_of_a_day_loses_no_hour() -> None:
    catalog = _catalog(
        _sub("one", "frame", "2026-04-01T00:00:00Z", "2026-04-16T12:00:00Z"),
        _sub("two", "frame", "2026-04-16T12:00:00Z"),
    )
    windows: list[Counting] = []
    morning = [("smith", "voice", "2026-04-16T09:00:00Z", 3)]
    asked = _ask(catalog, NOTHING, "2026-05-01", morning, windows)
    assert sorted({(each.begin, each.end) for each in windows}) == [
        (instant("2026-04-01T00:00:00Z"), instant("2026-04-16T00:00:00Z")),
        (instant("2026-04-16T00:00:00Z"), instant("2026-05-01T00:00:00Z")),
    ]
    assert _paid(asked) == {"one 2026-04-01": "15", "two 2026-04-16": "12"}


def test_a_term_that_is_changed_afterwards_hands_its_days_on() -> None:
    """They are refunded to who had them and asked of who has them now; no day is asked twice, and none of nobody."""
    all_april, rest = _sub("one", "frame", "2026-04-01T00:00:00Z"), _sub("two", "frame", "2026-04-16T00:00:00Z")
    half = {**all_april, "end": "2026-04-16T00:00:00Z"}
    asked = _ask(_catalog(all_april), NOTHING, "2026-05-01", [])
    shared = {"one 2026-04-01": "15", "two 2026-04-16": "15"}
    assert _paid(_ask(_catalog(half, rest), asked, "2026-05-01", [])) == shared
    later = _ask(_catalog(half), asked, "2026-05-01", [])
    assert _paid(_ask(_catalog(half, rest), later, "2026-05-01", [])) == shared
    never = _sub("one", "frame", "2026-05-01T00:00:00Z")
    whole = _sub("two", "frame", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
    assert _paid(_ask(_catalog(never, whole), asked, "2026-05-01", [])) == {"two 2026-04-01": "30"}
    # the other way round: the end is withdrawn, and the successor has the minimum no more
    both = _ask(_catalog(half, rest), NOTHING, "2026-05-01", [])
    assert _paid(_ask(_catalog(all_april, {**rest, "offer": "calls"}), both, "2026-05-01", [])) == shared


def test_who_moves_to_an_account_that_was_asked_is_asked_for_no_day_of_it() -> None:
    half, two = _sub("one", "frame", "2026-04-01T00:00:00Z", "2026-04-16T00:00:00Z"), "2026-04-01T00:00:00Z"
    asked = _ask(_catalog(half, _sub("two", "frame", two, account="jones")), NOTHING, "2026-05-01", [])
    before = {"one 2026-04-01": "15", "two 2026-04-01": "30"}
    assert _paid(asked) == before
    moved = _catalog(_sub("one", "calls", "2026-04-01T00:00:00Z"), _sub("two", "frame", two))
    assert _paid(_ask(moved, asked, "2026-05-01", [])) == before


def test_a_charge_that_is_sold_no_more_still_counts_where_it_did(april_and_may: pl.DataFrame) -> None:
    """Also a minimum of a narrower scope; one of the same scope never does."""
    gone = [each for each in SOLD if each["code"] not in ("calls",)]
    other = [
        {**each, "code": "data"} if each["code"] == "voice" and each["kind"] == "charge" else each for each in gone
    ]
    frame = {**FRAME, "charges": ["data", "least"]}
    then = catalog_from(*yaml_of([*other, LEAST, frame, _sub("one", "frame", "2026-04-01T00:00:00Z")]))
    assert "voice" not in then.charges
    assert _paid(_ask(then, april_and_may, "2026-06-01")) == FIRST
    named = {**LEAST, "of": ["voice"]}
    asked = _ask(_catalog(_sub("one", "frame", "2026-04-01T00:00:00Z"), least=named), NOTHING, "2026-06-01")
    then = catalog_from(
        *yaml_of([*other, {**LEAST, "of": ["data"]}, frame, _sub("one", "frame", "2026-04-01T00:00:00Z")])
    )
    used = [*USED, ("smith", "data", "2026-06-10T00:00:00Z", 7), ("smith", "voice", "2026-06-10T00:00:00Z", 9)]
    assert _paid(_ask(then, asked, "2026-07-01", used)) == FIRST | {"one 2026-06-01": "23"}


def test_a_minimum_that_another_one_replaces_does_not_count_for_it(april_and_may: pl.DataFrame) -> None:
    other = {**LEAST, "code": "more"}
    sold = [*SOLD, other, {"kind": "offer", "code": "more", "charges": ["more"]}]
    then = catalog_from(*yaml_of([*sold, _sub("two", "more", "2026-04-01T00:00:00Z")]))
    used = [*USED, ("smith", "least", "2026-04-01T00:00:00Z", 20)]
    asked = _ask(then, april_and_may, "2026-06-01", used)
    assert _paid(asked.filter(pl.col("fee") == "more")) == {"two 2026-04-01": "20"}


def test_what_was_asked_before_scopes_were_noted_is_kept(april_and_may: pl.DataFrame) -> None:
    legacy = april_and_may.filter(pl.col("quantity") > 0).with_columns(
        **{name: pl.lit("unknown" if name == "scope" else None, pl.String) for name in OF_MINIMUMS}
    )
    then = _catalog(_sub("one", "calls", "2026-04-01T00:00:00Z"), _sub("old", "frame", "2026-04-01T00:00:00Z"))
    assert _paid(_ask(then, legacy, "2026-07-01")) == FIRST | {"old 2026-06-01": "30"}


OLD = ("one", "two", "three")


@cache
def _paid_by(payer: str) -> Catalog:
    """Return a catalog in which one of three subscriptions, all as old, pays."""
    return _catalog(*(_sub(code, "frame" if code == payer else "calls", "2026-04-01T00:00:00Z") for code in OLD))


@settings(max_examples=8)
@given(
    payers=st.lists(st.sampled_from(OLD), min_size=6, max_size=6),
    used=st.lists(st.integers(0, 45), min_size=6, max_size=6),
)
def test_each_month_is_asked_once_whoever_pays_in_turn(payers: list[str], used: list[int]) -> None:
    usage = [("smith", "voice", f"2026-{month:02}-10T00:00:00Z", amount) for month, amount in enumerate(used, 4)]
    asked = NOTHING
    for month, payer in enumerate(payers, 5):
        asked = _ask(_paid_by(payer), asked, f"2026-{month:02}-01", usage[: month - 4])
    expected = {
        f"{payer} 2026-{month:02}-01": str(30 - amount)
        for month, (payer, amount) in enumerate(zip(payers, used, strict=True), 4)
        if amount < 30
    }
    assert _paid(asked) == dict(sorted(expected.items()))
    # done again, whoever pays by then: nothing of all that is asked again
    for payer in OLD:
        assert _paid(_ask(_paid_by(payer), asked, "2026-10-01", usage)) == _paid(asked)
