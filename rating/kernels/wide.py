"""128-bit integers for kernels: a pair (hi int64, lo uint64) in two's complement, with explicit overflow.

int64 wraps silently in machine code, so products of quantity and price, their sums, and balances are kept in
such pairs and narrowed only by functions that say when it does not fit. Nothing here needs a run-time
library: additions and products are single LLVM operations, and division is long division by halves (D. Knuth,
TAOCP vol. 2, 4.3.1, algorithm D). With NUMBA_DISABLE_JIT the same functions run on Python integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from rating.kernels.compiled import kernel

U = np.uint64
I64 = np.int64
HALF_UP = 0
HALF_EVEN = 1
UP = 2
DOWN = 3
_M32 = 0xFFFFFFFF
_M64 = 0xFFFFFFFFFFFFFFFF


def join(hi: Any, lo: Any) -> int:
    """Return the pair as a Python integer."""
    return (int(hi) << 64) | int(lo)


def split(value: int) -> tuple[np.int64, np.uint64]:
    """Return a Python integer as a pair, its low 128 bits when it has more."""
    hi = (value >> 64) & _M64
    return I64(hi - (1 << 64) if hi >> 63 else hi), U(value & _M64)


if config.DISABLE_JIT:

    def _wrapped(value: int) -> tuple[Any, Any, bool]:
        hi, lo = split(value)
        return hi, lo, not -(1 << 127) <= value < 1 << 127

    def multiply(a: Any, b: Any) -> Any:
        """Return a * b (int64 each) as (hi, lo); it always fits."""
        return split(int(a) * int(b))

    def widen(value: Any) -> Any:
        """Return an int64 as a pair."""
        return split(int(value))

    def low_signed(lo: Any) -> Any:
        """Return the bits of a uint64 as an int64."""
        return split(int(lo) << 64)[0]

    def add(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
        """Return a + b as (hi, lo, overflow)."""
        return _wrapped(join(a_hi, a_lo) + join(b_hi, b_lo))

    def subtract(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
        """Return a - b as (hi, lo, overflow)."""
        return _wrapped(join(a_hi, a_lo) - join(b_hi, b_lo))

    def divide_unsigned(hi: Any, lo: Any, divisor: Any) -> Any:
        """Return (quotient hi, lo, remainder), uint64, of an unsigned pair by a divisor in 1 .. 2**63 - 1."""
        quotient, remainder = divmod(((int(hi) & _M64) << 64) | int(lo), int(divisor))
        return U(quotient >> 64), U(quotient & _M64), U(remainder)

else:

    def _pair(builder: Any, hi: Any, lo: Any) -> Any:
        i128 = ir.IntType(128)
        return builder.or_(builder.shl(builder.zext(hi, i128), i128(64)), builder.zext(lo, i128))

    def _halves(builder: Any, value: Any) -> list[Any]:
        i64 = ir.IntType(64)
        return [builder.trunc(builder.lshr(value, ir.IntType(128)(64)), i64), builder.trunc(value, i64)]

    def _checked(operation: str) -> Any:
        def declare(typingctx: Any, a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                i128 = ir.IntType(128)
                kind = ir.FunctionType(ir.LiteralStructType([i128, ir.IntType(1)]), [i128, i128])
                name = f"llvm.{operation}.with.overflow.i128"
                function = cgutils.get_or_insert_function(builder.module, kind, name)
                pairs = [_pair(builder, args[0], args[1]), _pair(builder, args[2], args[3])]
                result = builder.call(function, pairs)
                overflow = builder.extract_value(result, 1)
                halves = _halves(builder, builder.extract_value(result, 0))
                return context.make_tuple(builder, signature.return_type, [*halves, overflow])

            answer = types.Tuple([types.int64, types.uint64, types.boolean])
            return answer(types.int64, types.uint64, types.int64, types.uint64), codegen

        return intrinsic(declare)

    _add = _checked("sadd")
    _subtract = _checked("ssub")

    @intrinsic
    def multiply(typingctx: Any, a: Any, b: Any) -> Any:
        """Return a * b (int64 each) as (hi, lo); it always fits."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            i128 = ir.IntType(128)
            product = builder.mul(builder.sext(args[0], i128), builder.sext(args[1], i128))
            return context.make_tuple(builder, signature.return_type, _halves(builder, product))

        return types.Tuple([types.int64, types.uint64])(types.int64, types.int64), codegen

    @njit(inline="always")
    def widen(value: Any) -> Any:
        """Return an int64 as a pair."""
        return value >> I64(63), U(value)

    @njit(inline="always")
    def low_signed(lo: Any) -> Any:
        """Return the bits of a uint64 as an int64."""
        return I64(lo)

    @njit(inline="always")
    def add(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
        """Return a + b as (hi, lo, overflow)."""
        return _add(a_hi, a_lo, b_hi, b_lo)

    @njit(inline="always")
    def subtract(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
        """Return a - b as (hi, lo, overflow)."""
        return _subtract(a_hi, a_lo, b_hi, b_lo)

    @kernel
    def _divide_step(high: Any, low: Any, divisor: Any) -> Any:
        """Return (quotient, remainder) of high:low by divisor, high < divisor < 2**63, all uint64."""
        shift = U(0)
        d = divisor
        while d < U(1 << 63):
            d <<= U(1)
            shift += U(1)
        # divisor < 2**63, so shift >= 1 and no shift below is by 64 bits
        n = (high << shift) | (low >> (U(64) - shift))
        rest = low << shift
        d1 = d >> U(32)
        d0 = d & U(_M32)
        quotient = U(0)
        for half in range(2):
            digit = rest >> U(32) if half == 0 else rest & U(_M32)
            guess = n // d1
            left = n - guess * d1
            while guess >= U(1 << 32) or guess * d0 > ((left << U(32)) | digit):
                guess -= U(1)
                left += d1
                if left >= U(1 << 32):
                    break
            n = ((n << U(32)) | digit) - guess * d
            quotient = (quotient << U(32)) | guess
        return quotient, n >> shift

    @kernel
    def divide_unsigned(hi: Any, lo: Any, divisor: Any) -> Any:
        """Return (quotient hi, lo, remainder), uint64, of an unsigned pair by a divisor in 1 .. 2**63 - 1."""
        d = U(divisor)
        high = U(hi)
        quotient_hi = high // d
        quotient_lo, remainder = _divide_step(high - quotient_hi * d, U(lo), d)
        return quotient_hi, quotient_lo, remainder


@njit(inline="always")
def less(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
    """Return whether a < b, signed."""
    return a_hi < b_hi or (a_hi == b_hi and a_lo < b_lo)


@njit(inline="always")
def narrow(hi: Any, lo: Any) -> Any:
    """Return (value, overflow): the pair as an int64, and whether it does not fit (then the value is 0)."""
    value = low_signed(lo)
    if hi == (value >> I64(63)):
        return value, False
    return I64(0), True


@njit(inline="always")
def _rounds_away(mode: Any, odd: Any, nonzero: Any, order: Any) -> Any:
    """Return whether a magnitude rounds up; `order` compares the remainder with the gap to the next."""
    if mode == HALF_UP:
        return order >= 0
    if mode == HALF_EVEN:
        return order > 0 or (order == 0 and odd)
    return mode == UP and nonzero


@kernel
def _divide_wide(hi: Any, lo: Any, divisor: Any, extra: Any, mode: Any) -> Any:
    q_hi, q_lo, r_inner = divide_unsigned(U(hi) if hi >= 0 else U(1 << 63), lo, divisor)
    q_hi, q_lo, r_outer = divide_unsigned(q_hi, q_lo, extra)
    # the whole remainder is r_outer * divisor + r_inner, below divisor * extra < 2**126
    rem_hi, rem_lo = multiply(I64(r_outer), divisor)
    rem_hi, rem_lo, _ = add(rem_hi, rem_lo, I64(0), r_inner)
    all_hi, all_lo = multiply(divisor, extra)
    gap_hi, gap_lo, _ = subtract(all_hi, all_lo, rem_hi, rem_lo)
    order = 0
    if less(rem_hi, rem_lo, gap_hi, gap_lo):
        order = -1
    elif less(gap_hi, gap_lo, rem_hi, rem_lo):
        order = 1
    quotient_hi = low_signed(q_hi)
    if _rounds_away(mode, (q_lo & U(1)) == U(1), rem_hi != 0 or rem_lo != U(0), order):
        quotient_hi, q_lo, _ = add(quotient_hi, q_lo, I64(0), U(1))
    return quotient_hi, q_lo


@kernel
def divide_round(hi: Any, lo: Any, divisor: Any, extra: Any, mode: Any) -> Any:
    """Return the pair divided by divisor * extra as (hi, lo), rounded once; it always fits.

    Args:
        hi, lo: the dividend.
        divisor, extra: int64, >= 1 each; their product may exceed 64 bits.
        mode: `schemas.money.RoundingCode`; negative dividends mirror positive ones.
    """
    negative = hi < 0
    if negative:
        hi, lo, _ = subtract(I64(0), U(0), hi, lo)
    if hi == 0 and extra == 1:
        d = U(divisor)
        quotient = lo // d
        remainder = lo - quotient * d
        gap = d - remainder
        order = 0
        if remainder < gap:
            order = -1
        elif remainder > gap:
            order = 1
        quotient_hi = I64(0)
        quotient_lo = quotient
        if _rounds_away(mode, (quotient & U(1)) == U(1), remainder != U(0), order):
            quotient_hi, quotient_lo, _ = add(quotient_hi, quotient_lo, I64(0), U(1))
    else:
        quotient_hi, quotient_lo = _divide_wide(hi, lo, divisor, extra, mode)
    if negative:
        quotient_hi, quotient_lo, _ = subtract(I64(0), U(0), quotient_hi, quotient_lo)
    return quotient_hi, quotient_lo


@kernel
def to_amount(hi: Any, lo: Any, divisor: Any, extra: Any, mode: Any, factor: Any) -> Any:
    """Return (amount in billionths, overflow) of a sum of part * price, rounded once."""
    hi, lo = divide_round(hi, lo, divisor, extra, mode)
    rounded, too_large = narrow(hi, lo)
    hi, lo = multiply(rounded, factor)
    amount, overflow = narrow(hi, lo)
    return amount, overflow or too_large
