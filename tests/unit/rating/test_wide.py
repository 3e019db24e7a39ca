"""128-bit arithmetic of the kernels against Python's integers and Decimal's rounding."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit

from rating.kernels import wide
from schemas.money import DECIMAL_ROUNDING, ROUNDING_CODES, RoundingMode

MIN, MAX = -(2**127), 2**127 - 1
MIN64, MAX64 = -(2**63), 2**63 - 1
WIDE = Context(prec=200)

int64 = st.one_of(st.integers(MIN64, MAX64), st.sampled_from([MIN64, MAX64, -1, 0, 1]), st.integers(-9, 9))
int128 = st.one_of(
    st.integers(MIN, MAX), st.sampled_from([MIN, MAX, MIN64, MAX64, 2**64, -(2**64)]), st.integers(-9, 9)
)
divisors = st.one_of(st.integers(1, MAX64), st.sampled_from([1, 2, 3, 7, 2**32, 2**32 - 1, MAX64]), st.integers(1, 9))


@njit
def everything(a, b, a_hi, a_lo, b_hi, b_lo):  # type: ignore[no-untyped-def]
    return (
        wide.multiply(a, b),
        wide.add(a_hi, a_lo, b_hi, b_lo),
        wide.subtract(a_hi, a_lo, b_hi, b_lo),
        wide.less(a_hi, a_lo, b_hi, b_lo),
        wide.narrow(a_hi, a_lo),
        wide.widen(a),
    )


def wrap(value: int) -> int:
    return (value + 2**127) % 2**128 - 2**127


def divide(value: int, divisor: int, extra: int, mode: RoundingMode) -> int:
    return wide.join(
        *wide.divide_round(*wide.split(value), np.int64(divisor), np.int64(extra), int(ROUNDING_CODES[mode]))
    )


@given(a=int64, b=int64, x=int128, y=int128)
def test_operations_agree_with_python_and_say_when_they_overflow(a: int, b: int, x: int, y: int) -> None:
    product, total, difference, is_less, narrowed, widened = everything(
        np.int64(a), np.int64(b), *wide.split(x), *wide.split(y)
    )
    assert wide.join(*product) == a * b
    assert (wide.join(*total[:2]), total[2]) == (wrap(x + y), not MIN <= x + y <= MAX)
    assert (wide.join(*difference[:2]), difference[2]) == (wrap(x - y), not MIN <= x - y <= MAX)
    assert is_less == (x < y)
    assert narrowed == ((x, False) if MIN64 <= x <= MAX64 else (0, True))
    assert wide.join(*widened) == a


@given(value=int128, divisor=divisors, extra=st.one_of(st.just(1), divisors), mode=st.sampled_from(RoundingMode))
@example(value=MIN, divisor=1, extra=1, mode=RoundingMode.HALF_UP)
@example(value=MAX, divisor=2, extra=1, mode=RoundingMode.HALF_EVEN)
@example(value=MAX, divisor=MAX64, extra=MAX64, mode=RoundingMode.UP)
def test_division_rounds_once_like_decimal(value: int, divisor: int, extra: int, mode: RoundingMode) -> None:
    exact = WIDE.divide(Decimal(value), Decimal(divisor * extra))
    # 200 digits tell any quotient of these sizes from the half beside it
    assert divide(value, divisor, extra, mode) == int(exact.to_integral_value(DECIMAL_ROUNDING[mode], WIDE))


@given(quotient=st.integers(-(2**60), 2**60), half=st.integers(1, 2**62), mode=st.sampled_from(RoundingMode))
def test_exact_halves_round_like_decimal(quotient: int, half: int, mode: RoundingMode) -> None:
    value = quotient * 2 * half + half
    expected = (Decimal(quotient) + Decimal("0.5")).to_integral_value(DECIMAL_ROUNDING[mode])
    assert divide(value, 2 * half if 2 * half <= MAX64 else half, 1 if 2 * half <= MAX64 else 2, mode) == int(expected)


ROUNDING = """
value  decimals  half_up  half_even  up     down
0.165  2         0.17     0.16       0.17   0.16
0.175  2         0.18     0.18       0.18   0.17
0.125  2         0.13     0.12       0.13   0.12
-0.125 2         -0.13    -0.12      -0.13  -0.12
-0.165 2         -0.17    -0.16      -0.17  -0.16
1.005  2         1.01     1.00       1.01   1.00
0.001  2         0.00     0.00       0.01   0.00
-0.001 2         0.00     0.00       -0.01  0.00
2.5    0         3        2          3      2
-3.5   0         -4       -4         -4     -3
0.5    0         1        0          1      0
7      0         7        7          7      7
"""


@pytest.mark.parametrize("row", ROUNDING.strip().splitlines()[1:])
def test_rounding_table(row: str) -> None:
    value, decimals, *expected = row.split()
    scaled = int(Decimal(value).scaleb(6))
    divisor = 10 ** (6 - int(decimals))
    for mode, want in zip(RoundingMode, expected, strict=True):
        assert divide(scaled, divisor, 1, mode) == int(Decimal(want).scaleb(int(decimals))), (mode, want)
