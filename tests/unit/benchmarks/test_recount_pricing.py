"""The recount's column arithmetic against fractions, one event at a time."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recount.pricing import _amounts, _cost
from benchmarks.recount.rules import Version

MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN}


@st.composite
def versions(draw: st.DrawFn) -> Version:
    uppers = sorted(draw(st.sets(st.integers(1, 10**12), max_size=3)))
    prices = draw(
        st.lists(
            st.tuples(st.integers(0, 10**10), st.integers(0, 10**10)),
            min_size=len(uppers) + 1,
            max_size=len(uppers) + 1,
        )
    )
    return Version(
        start=0,
        end=1,
        uppers=tuple(uppers),
        prices=tuple(prices),
        fee=draw(st.integers(0, 10**12)),
        divisor=draw(st.integers(1, 10**9)),
        grain=1000,
        first=1,
        step=1,
        counter=draw(st.sampled_from([None, "month"])),
        calendar=None,
        mode=draw(st.sampled_from(sorted(MODES))),
    )


def _by_fractions(rule: Version, quantity: int, before: int, band: int) -> int:
    position = before if rule.counter else 0
    end = position + quantity
    total = Fraction(rule.fee if quantity else 0)
    for tier, price in enumerate(rule.prices):
        upper = rule.uppers[tier] if tier < len(rule.uppers) else end
        part = max(0, min(end, upper) - position)
        total += part * price[band]
        position += part
    exact = total / rule.divisor
    whole, rest = divmod(exact.numerator, exact.denominator)
    # a stand-in with the same order as the rest is enough for every mode
    sign = 0 if not rest else 1 if 2 * rest < exact.denominator else 2 if 2 * rest == exact.denominator else 3
    shown = Decimal(whole) + {0: Decimal(0), 1: Decimal("0.3"), 2: Decimal("0.5"), 3: Decimal("0.7")}[sign]
    return int(shown.quantize(Decimal(1), rounding=MODES[rule.mode])) * rule.grain


@given(
    rule=versions(),
    usage=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**12), st.integers(0, 1)), min_size=1, max_size=8),
)
def test_columns_and_single_events_agree_with_fractions(rule: Version, usage: list[tuple[int, int, int]]) -> None:
    expected = [_by_fractions(rule, *event) for event in usage]
    if max(expected) >= 2**63:
        return
    quantity, before, band = (np.array(column, np.int64) for column in zip(*usage, strict=True))
    assert _amounts(rule, quantity, before, band).tolist() == expected
    assert [_cost(rule, *event) for event in usage] == expected


@pytest.mark.parametrize(("mode", "expected"), [("half_up", 2), ("half_even", 2), ("up", 2), ("down", 1)])
def test_a_half_is_rounded_as_the_mode_says(mode: str, expected: int) -> None:
    rule = Version(0, 1, (), ((3,),), 0, 2, 1, 1, 1, None, None, mode)
    one = np.ones(1, np.int64)
    assert _amounts(rule, one, 0 * one, 0 * one).tolist() == [expected]
