"""Invoices as columns against the rules that say the same of one invoice: lines add up, taxes are computed once, numbers have no gap."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.embedded.billing_items import bounds_of
from billing.invoicing.rules_bill_discounts import bill_discounts, discounts_of_kept
from billing.invoicing.rules_drafts import SOLD, SellerTerms, draft, rows_left_out, with_invoices
from billing.invoicing.rules_residue import parts_of, rounded_columns, rounded_lines, to_whole
from billing.invoicing.rules_runs import run_dates
from billing.invoicing.rules_taxes import TaxedSum, invoice_taxes
from rating.amounts import rounded
from schemas.billing_cycle import BillingCycle
from schemas.discount import DiscountPlan
from schemas.money import RoundingMode
from schemas.numbering import UnableToNumber, check_pattern, counted_as, next_numbers, number_in, reserve, series_of
from schemas.price_plan import Rounding
from schemas.tax import TaxRounding

AMOUNTS = st.one_of(st.integers(-(10**14), 10**14), st.sampled_from([5_000_000, -5_000_000, 3_300_000, 333_333_333, 0]))
ROUNDINGS = st.builds(Rounding, mode=st.sampled_from(list(RoundingMode)), decimals=st.sampled_from([0, 2, 3]))
PARTS = ((), (("vat", 20_000_000),), (("low", 5_500_000),), (("a", 1_000_000), ("b", 5_000_000)))


@given(st.lists(st.tuples(st.integers(0, 3), AMOUNTS), min_size=1, max_size=12), ROUNDINGS)
def test_lines_add_up_to_the_rounded_sum(rows: list[tuple[int, int]], rounding: Rounding) -> None:
    frame = pl.DataFrame(
        {"group": [group for group, _ in rows], "exact": pl.Series([exact for _, exact in rows]).cast(pl.Int128)}
    )
    told = rounded_columns(frame, rounding)
    for group in {group for group, _ in rows}:
        exact = [each for place, each in rows if place == group]
        lines = told.filter(group=group)["part"].to_list()
        assert lines == rounded_lines(exact, rounding)
        assert sum(lines) == rounded(sum(exact), 1, rounding) == told.filter(group=group)["whole"][0]
        mirrored = rounded_lines([-each for each in exact], rounding)
        assert sum(exact) == 0 or mirrored == [-each for each in lines]


@given(st.lists(AMOUNTS, min_size=1, max_size=8), st.integers(-(10**7), 10**7), ROUNDINGS)
def test_lines_add_up_to_any_whole(exact: list[int], steps: int, rounding: Rounding) -> None:
    whole = steps * 10 ** (9 - rounding.decimals)
    frame = pl.DataFrame({"group": [0] * len(exact), "exact": pl.Series(exact).cast(pl.Int128)}).with_columns(
        whole=pl.lit(whole, pl.Int128)
    )
    told = parts_of(frame, rounding)["part"].to_list()
    assert told == to_whole(exact, whole, rounding)
    assert sum(told) == whole


def _sold(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    """(account, subscription, place in PARTS, amount) as what was sold."""
    told = []
    for group, (account, subscription, parts, amount) in enumerate(rows):
        tax = "+".join(code for code, _ in PARTS[parts])
        row = dict.fromkeys(SOLD, "") | {
            "group": group, "account": account, "holder": account, "seller": "shop", "currency": "EUR", "subscription": subscription,
            "charge": "call", "event_type": "call", "unit": "s", "step_count": 1, "tax_status": "taxed" if tax else "exempt", "tax": tax,
            "tax_rate": sum(rate for _, rate in PARTS[parts]), "tax_parts": parts, "tax_reason": "" if tax else "embassy",
            "items": 1, "quantity": 7, "amount": amount, "paid": 0, "first_at": group, "last_at": group,
        }  # fmt: skip
        told.append(row)
    return pl.DataFrame(told, schema=SOLD, orient="row")


BOUGHT = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 3), AMOUNTS), min_size=1, max_size=12
)


@given(BOUGHT, st.sampled_from(["net", "gross"]), st.sampled_from(list(RoundingMode)))
def test_invoices_are_what_the_rules_of_one_invoice_say(
    rows: list[tuple[str, str, int, int]], prices: str, mode: RoundingMode
) -> None:
    terms = {"shop": SellerTerms(prices, TaxRounding(mode=mode))}  # type: ignore[arg-type]
    cycle = BillingCycle(kind="billing_cycle", code="monthly")
    made = _drafted(rows, cycle, terms)
    for invoice in made.invoices.to_dicts():
        sums = [TaxedSum(PARTS[parts], amount) for account, _, parts, amount in rows if account == invoice["account"]]
        told = invoice_taxes(sums, prices, terms["shop"].rounding.of("EUR"))  # type: ignore[arg-type]
        assert (invoice["net"], invoice["tax"], invoice["gross"]) == (told.net, told.tax, told.gross)
        taxes = made.taxes.filter(pl.col("row") == invoice["row"], pl.col("tax") != "")
        assert taxes.select("tax", "tax_rate", "base", "tax_amount").rows() == [
            (line.tax, line.rate, line.base, line.amount) for line in told.lines
        ]
        lines = made.lines.filter(row=invoice["row"])
        assert lines["line"].to_list() == list(range(1, len(lines) + 1))
        assert lines["net"].sum() == invoice["net"]
        assert lines["exact"].sum() == sum(one.amount for one in sums)
    assert sorted(made.placed["group"].to_list()) == list(range(len(rows)))
    # whatever accounts come together, and in whatever order, come to the same
    alone = [
        _drafted([row for row in rows if row[0] == account], cycle, terms)
        for account in sorted({row[0] for row in rows})
    ]
    assert pl.concat([each.invoices.drop("row") for each in alone]).equals(made.invoices.drop("row"))
    other = _drafted(rows[::-1], cycle, terms)
    assert other.lines.drop("first_at", "last_at").equals(made.lines.drop("first_at", "last_at"))


def _drafted(rows: list[tuple[str, str, int, int]], cycle: BillingCycle, terms: dict[str, SellerTerms]) -> object:
    sold = with_invoices(_sold(rows), cycle)
    return draft(sold, cycle, terms, PARTS, sold.head(0))


def test_golden_rounding() -> None:
    net = {"shop": SellerTerms()}
    gross = {"shop": SellerTerms("gross")}
    cent = 10_000_000
    three = _drafted([("a", name, 1, 33 * cent) for name in "xyz"], BillingCycle(kind="billing_cycle", code="m"), net)
    assert three.invoices.select("net", "tax").row(0) == (99 * cent, 20 * cent)  # G5: not 3 x 0.07
    ten = _drafted([("a", "x", 1, 1000 * cent)], BillingCycle(kind="billing_cycle", code="m"), gross)
    assert ten.invoices.select("net", "tax").row(0) == (833 * cent, 167 * cent)  # G4, business to consumer
    half = _drafted([("a", "x", 1, 10_005_000_000)], BillingCycle(kind="billing_cycle", code="m"), net)
    assert half.invoices.select("net", "gross").row(0) == (1001 * cent, 1201 * cent)  # G4, between businesses
    zero = _drafted(
        [("a", name, 1, each * cent) for name, each in (("v", 72081), ("x", 1), ("y", -72081), ("z", -1))],
        BillingCycle(kind="billing_cycle", code="m"),
        net,
    )
    assert zero.invoices.select("net", "tax", "suspect").row(0) == (0, 0, "zero")
    coins = _drafted(
        [("a", "x", 0, 1013 * cent)], BillingCycle(kind="billing_cycle", code="m", cash_rounding="0.05"), net
    )
    assert coins.invoices.select("gross", "cash_rounding", "to_pay").row(0) == (1013 * cent, 2 * cent, 1015 * cent)
    # a seller that rounds finer than what can be paid, and coins of another currency
    fine = {"shop": SellerTerms(rounding=TaxRounding(decimals=4))}
    odd = _drafted([("a", "x", 0, 1_234_600_000)], BillingCycle(kind="billing_cycle", code="m"), fine)
    assert odd.invoices.select("gross", "cash_rounding", "to_pay").row(0) == (1_234_600_000, -4_600_000, 123 * cent)
    yen = with_invoices(
        _sold([("a", "x", 0, 1013 * cent)]).with_columns(currency=pl.lit("JPY")),
        BillingCycle(kind="billing_cycle", code="m"),
    )
    told = draft(
        yen, BillingCycle(kind="billing_cycle", code="m", cash_rounding="0.05"), fine, PARTS, yen.head(0)
    ).invoices
    assert told.select("gross", "cash_rounding", "to_pay").row(0) == (1013 * cent, -13 * cent, 10 * 100 * cent)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), max_size=20), st.integers(1, 60))
def test_parts_hold_what_fits(rows: list[tuple[int, int]], rows_max: int) -> None:
    leads = np.cumsum([step for step, _ in rows], dtype=np.int64)
    counts = np.array([count for _, count in rows], dtype=np.int64)
    bounds = bounds_of(leads, counts, rows_max)
    edges = [0, *bounds, 10**6]
    assert edges == sorted(set(edges))
    held = [counts[(leads >= first) & (leads < after)] for first, after in pairwise(edges)]
    assert all(each.sum() <= rows_max or len(each) == 1 for each in held)
    # no two parts beside each other would fit together with one account more
    assert all(one.sum() + (two[0] if len(two) else 0) > rows_max for one, two in pairwise(held))


def test_what_is_left_out_uses_up_no_limit() -> None:
    euro = 1_000_000_000
    plan = DiscountPlan.model_validate(
        {"kind": "discount_plan", "code": "d", "limits": {"applications": 1}, "items": [{"code": "off", "type": "percentage", "value": "10"}]}
    )  # fmt: skip
    cycle = BillingCycle.model_validate(
        {"kind": "billing_cycle", "code": "m", "split": ["subscription"], "threshold": "5"}
    )
    rows = [("a", "x", 1, 3 * euro), ("a", "y", 1, 10 * euro), ("a", "z", 1, 20 * euro)]
    sold = with_invoices(_sold(rows), cycle).with_columns(active=pl.lit(1, pl.UInt32))
    named = [(), ("account/a/d",)]
    taken = discounts_of_kept(sold, named, {"account/a/d": plan}, {}, {}, cycle)
    made = draft(sold.drop("active"), cycle, {}, PARTS, taken)
    assert made.invoices.select("split", "discount").rows() == [("subscription=y", -euro), ("subscription=z", 0)]
    # the first turn makes the second invoice too small as well
    more = cycle.model_copy(update={"threshold": Decimal("9.5")})
    taken = discounts_of_kept(sold, named, {"account/a/d": plan}, {}, {}, more)
    made = draft(sold.drop("active"), more, {}, PARTS, taken)
    assert made.invoices.select("split", "discount").rows() == [("subscription=z", -2 * euro)]
    assert sorted(made.left["group"].to_list()) == [0, 1]


_NAMED: list[tuple[str, ...]] = [(), ("a",), ("b",), ("a", "b"), ("b", "c"), ("free",)]


@given(
    st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("xyz"), st.integers(0, 5), st.integers(-3, 40)), min_size=1, max_size=14),
    st.sampled_from([{"applications": 1}, {"amount": "4"}]),
    st.booleans(),
    st.sampled_from([{}, {"threshold_of": "account"}, {"threshold_on": "before_discount"}]),
)  # fmt: skip
# the first invoice gives back some of a, so that the second uses less of b, and the third gets more of that
@example([("u", "x", 1, 8), ("v", "x", 3, 20), ("w", "x", 2, 20)], {"amount": "4"}, True, {})
@example([("u", "x", 1, 8), ("v", "x", 1, 20), ("v", "x", 2, 20), ("w", "x", 2, 20)], {"amount": "4"}, True, {})
def test_only_what_shares_a_limit_is_discounted_again(
    bought: list[tuple[str, str, int, int]], limit: dict[str, object], cascading: bool, more: dict[str, object]
) -> None:
    cycle = BillingCycle.model_validate(
        {"kind": "billing_cycle", "code": "m", "split": ["subscription"], "threshold": "9", **more}
    )
    plans = {
        name: DiscountPlan.model_validate(
            {
                "kind": "discount_plan",
                "code": name,
                "currency": "EUR",
                "limits": {} if name == "free" else limit,
                "cascading": cascading,
            }
            | {"items": [{"code": "off", "type": "percentage", "value": "15"}]}
        )
        for name in ("a", "b", "c", "free")
    }
    rows = [(account, subscription, 1, amount * 10**9) for account, subscription, _, amount in bought]
    active = pl.Series([place for _, _, place, _ in bought], dtype=pl.UInt32)
    sold = with_invoices(_sold(rows).with_columns(active=active), cycle)
    taken = discounts_of_kept(sold, _NAMED, plans, {}, {}, cycle)
    assert taken.equals(_all_again(sold, plans, cycle))


def _all_again(sold: pl.DataFrame, plans: dict[str, DiscountPlan], cycle: BillingCycle) -> pl.DataFrame:
    """The twin: all that is kept is discounted again, turn by turn, until what uses a limit is not left out."""
    kept, without = sold, list[pl.DataFrame]()
    while True:
        now = bill_discounts(kept, _NAMED, plans, {}, {})
        left = rows_left_out(kept.drop("active"), cycle, now)
        if not len(now.filter(pl.col("row").is_in(list(left)), pl.col("assigned") != "free")):
            return pl.concat([now, *without]).sort("row", maintain_order=True)
        without.append(now.filter(pl.col("row").is_in(list(left))))
        kept = kept.filter(~pl.col("row").is_in(list(left)))


@pytest.mark.parametrize(
    ("terms", "kept"),
    [
        ({"threshold": "5"}, ["a"]),
        ({"threshold": "6", "threshold_of": "account"}, ["a"]),
        ({"threshold": "6", "split": ["subscription"]}, []),
        ({"threshold": "6", "split": ["subscription"], "threshold_of": "account"}, ["a", "a"]),
        ({"threshold": "5", "threshold_on": "positive"}, ["a", "b"]),
        ({}, ["a", "b"]),
    ],
)
def test_thresholds_and_splits(terms: dict[str, object], kept: list[str]) -> None:
    euro = 1_000_000_000
    rows = [("a", "x", 1, 4 * euro), ("a", "y", 1, 3 * euro), ("b", "x", 1, 5 * euro), ("b", "x", 1, -2 * euro)]
    made = _drafted(rows, BillingCycle.model_validate({"kind": "billing_cycle", "code": "m", **terms}), {})
    assert made.invoices["account"].to_list() == kept
    assert len(made.placed) + len(made.left) == len(rows)


@pytest.mark.parametrize(
    ("terms", "until", "start", "end", "due"),
    [
        ({}, (2026, 11, 1), (2026, 10, 1), (2026, 11, 1), (2026, 12, 1)),
        ({}, (2026, 11, 30), (2026, 10, 1), (2026, 11, 1), (2026, 12, 1)),
        ({"anchor": "2026-01-31"}, (2026, 3, 1), (2026, 1, 31), (2026, 2, 28), (2026, 3, 30)),
        ({"anchor": "2026-01-31"}, (2026, 3, 31), (2026, 2, 28), (2026, 3, 31), (2026, 4, 30)),
        ({"every": "1 year", "anchor": "2024-02-29"}, (2026, 3, 1), (2025, 2, 28), (2026, 2, 28), (2026, 3, 30)),
        ({"every": "2 week", "anchor": "2026-01-05", "delay_days": 3, "due_days": 10, "due_end_of_month": True}, (2026, 1, 19), (2026, 1, 5), (2026, 1, 19), (2026, 2, 28)),
    ],
)  # fmt: skip
def test_periods_and_due_days(
    terms: dict[str, object],
    until: tuple[int, int, int],
    start: tuple[int, int, int],
    end: tuple[int, int, int],
    due: tuple[int, int, int],
) -> None:
    dates = run_dates(BillingCycle.model_validate({"kind": "billing_cycle", "code": "m", **terms}), date(*until))
    assert (dates.period_start, dates.period_end, dates.due_date) == (date(*start), date(*end), date(*due))


def test_numbers_have_no_gap() -> None:
    series = series_of("{seller}/{year}/{month}/{number:4}", seller="shop", day=date(2026, 4, 14))
    assert number_in(series, 1) == "shop/2026/04/0001"
    numbers, blocks = reserve([series, "CN-{number}", series], {counted_as(series): 5})
    assert (numbers, blocks) == (
        ["shop/2026/04/0005", "CN-1", "shop/2026/04/0006"],
        [(series, 5, 2), ("CN-{number}", 1, 1)],
    )
    assert next_numbers([(series, 1, 4), *blocks]) == {counted_as(series): 7, "CN-{number}": 2}
    with pytest.raises(UnableToNumber, match="goes on with 3, and 2 is next"):
        next_numbers([("s", 1, 1), ("s", 3, 1)])
    # leading zeros make no other numbers, and what two series could both say is no pattern
    assert next_numbers([("INV-{number:6}", 1, 5), ("INV-{number:4}", 6, 1)]) == {"INV-{number}": 7}
    touching = ("{seller}{number}", "{number}{seller}", "A1{number}", "{number}1")
    for wrong in ("INV", "{number}{number}", "{name}-{number}", "{number", "INV-{number:0}", *touching):
        with pytest.raises(UnableToNumber):
            check_pattern(wrong)
