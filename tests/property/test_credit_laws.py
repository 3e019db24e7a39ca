"""Credit notes exhaust an invoice exactly, whatever its parts and their order, and never take more than is left."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.rules_credits import (
    Amounts,
    CreditLine,
    CreditTax,
    UnableToCredit,
    check_amounts,
    credit,
    summed,
)
from billing.invoicing.rules_residue import to_whole
from rating.amounts import rounded
from schemas.money import RoundingMode
from schemas.price_plan import Rounding
from schemas.tax import RATE_ONE

CENT = 10**7
ROUNDING = Rounding(mode=RoundingMode.HALF_UP, decimals=2)
RATES = (20 * 10**6, 55 * 10**5, 0)


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Amounts, bool]:
    """An invoice as a billing run makes one: taxes on sums, of net or gross prices, with discounts below zero."""
    gross = draw(st.booleans())
    drawn = draw(st.lists(st.tuples(st.integers(-2000, 20_000), st.sampled_from(RATES)), min_size=1, max_size=7))
    lines: list[CreditLine] = []
    taxes = []
    for rate in sorted({rate for _, rate in drawn}):
        tax = ("taxed", "vat", rate, "")
        amounts = [amount * CENT for amount, of in drawn if of == rate]
        whole = sum(amounts)
        base = rounded(whole * RATE_ONE, RATE_ONE + rate, ROUNDING) if gross else whole
        due = whole - base if gross else rounded(base * rate, RATE_ONE, ROUNDING)
        cut = [amount * RATE_ONE // (RATE_ONE + rate) for amount in amounts] if gross else amounts
        nets = to_whole(cut, base, ROUNDING)
        places = [place for place, (_, of) in enumerate(drawn, 1) if of == rate]
        lines += [CreditLine(*each, tax) for each in zip(places, amounts, nets, strict=True)]
        taxes.append(CreditTax(tax, base, due))
    made = Amounts(tuple(sorted(lines, key=lambda each: each.line)), tuple(taxes), 0, 0)
    paid = draw(st.integers(0, 500)) * CENT // 10
    coins = draw(st.integers(-2, 2)) * CENT
    return Amounts(made.lines, made.taxes, paid, rounded(made.gross - paid, 1, ROUNDING) + coins), gross


@given(invoices(), st.data())
def test_credit_notes_are_exactly_the_invoice(drawn: tuple[Amounts, bool], data: st.DataObject) -> None:
    whole, gross = drawn
    notes: list[Amounts] = []
    for _ in range(data.draw(st.integers(0, 4))):
        line = data.draw(st.sampled_from(whole.lines)).line
        cents = data.draw(st.none() | st.integers(1, 9000))
        try:
            told = credit(
                whole,
                summed(notes),
                {line: None if cents is None else cents * CENT},
                gross=gross,
                rounding=ROUNDING,
                coin=CENT,
            )
        except UnableToCredit:
            continue
        if cents is not None and not check_amounts(whole, [*notes, told]):
            assert abs(sum(each.amount for each in told.lines)) == cents * CENT
        notes.append(told)
        back = summed(notes)
        if whole.to_pay >= 0 and back.gross > 0:  # never more than each was
            assert back.to_pay <= whole.to_pay
            assert min(0, whole.paid) <= back.paid <= max(0, whole.paid)
        for each in told.taxes:
            assert abs(each.amount - rounded(each.base * each.tax[2], RATE_ONE, ROUNDING)) <= CENT
            assert sum(one.net for one in told.lines if one.tax == each.tax) == each.base
        for one in summed(notes).taxes:
            issued = next(each for each in whole.taxes if each.tax == one.tax)
            assert abs(one.base) <= abs(issued.base)
            assert abs(one.amount) <= abs(issued.amount)
    try:
        notes.append(credit(whole, summed(notes), None, gross=gross, rounding=ROUNDING, coin=CENT))
    except UnableToCredit:
        lines = [(each.amount, each.net) for each in summed(notes).lines if each.amount or each.net]
        assert sorted(lines) == sorted((each.amount, each.net) for each in whole.lines if each.amount or each.net)
        return
    assert check_amounts(whole, notes)
    assert sum(each.gross for each in notes) == whole.gross


def test_more_than_is_left_is_refused() -> None:
    tax = ("taxed", "vat", RATES[0], "")
    lines = (CreditLine(1, 1000 * CENT, 1000 * CENT, tax), CreditLine(2, -100 * CENT, -100 * CENT, tax))
    whole = Amounts(lines, (CreditTax(tax, 900 * CENT, 180 * CENT),), 0, 1080 * CENT)
    asked = {
        "it has no line 3": {3: None},
        "line 1 has less left than is asked of it": {1: 1001 * CENT},
        "of line 1 an amount above zero, with 2 decimals at most, is credited": {1: CENT // 10},
        "it comes to more than what is left: name lines of discounts, too, or credit all that is left": {1: None},
    }
    for why, parts in asked.items():
        with pytest.raises(UnableToCredit, match=why):
            credit(whole, summed([]), parts, gross=False, rounding=ROUNDING, coin=CENT)
    both = credit(whole, summed([]), {1: 500 * CENT, 2: 50 * CENT}, gross=False, rounding=ROUNDING, coin=CENT)
    assert (both.gross, both.to_pay, Decimal(both.taxes[0].amount) / CENT) == (540 * CENT, 540 * CENT, 90)
    rest = credit(whole, summed([both]), None, gross=False, rounding=ROUNDING, coin=CENT)
    assert check_amounts(whole, [both, rest])
