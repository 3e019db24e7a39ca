"""Credit that expires, lot by lot."""

from __future__ import annotations

import pytest

from rating.lots import Lots


@pytest.mark.parametrize(
    ("before", "amount", "expected"), [(0, 5, 5), (-2, 5, 3), (-5, 5, 0), (-7, 5, 0), (3, 5, 5)], ids=str
)
def test_what_pays_a_debt_does_not_expire(before: int, amount: int, expected: int) -> None:
    lots = Lots()
    lots.add(1, 2, amount, 10, before + amount)
    assert lots.of(2, before + amount) == ([(10, expected)] if expected else [])
    found = lots.expire(2, before + amount, before + amount, 10, 70)
    assert (0 if found is None else found.left) == expected
    assert len(lots) == 0


def test_a_debt_eats_new_credit_and_leaves_older_credit_gone() -> None:
    lots = Lots()
    lots.add(1, 2, 4, 20, 4)
    lots.add(1, 2, 6, 10, 0 + 6 - 3)  # usage drew 7 meanwhile: all of the older lot, and 3 that was owed
    assert lots.of(2, 3) == [(10, 3)]
    lots.settle(2, 1)
    assert lots.of(2, 1) == [(10, 1)]
    assert lots.drawn_by(2, 5) == [(10, 1)]
