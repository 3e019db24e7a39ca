"""A small machine for conditions and formulas: instructions on a stack of 128-bit integers, no binary floating point.

Every place of the stack has a state besides its number: what could not be computed stays where it is and goes on as that. A
truth is 0 or 1; `&&` and `||` are sure as soon as one side decides, whatever the other one is, as in CEL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from rating.kernels.compiled import kernel
from rating.kernels.operations import (
    OP_ADD,
    OP_AND,
    OP_AT,
    OP_ATTRIBUTE,
    OP_CONSTANT,
    OP_COUNTED,
    OP_DIVIDE,
    OP_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_MAX,
    OP_MEMBER,
    OP_MIN,
    OP_MULTIPLY,
    OP_NEGATE,
    OP_NOT,
    OP_OR,
    OP_PRESENT,
    OP_QUANTITY,
    OP_RANGE,
    OP_SELECT,
    OP_STEP,
    OP_VALUE,
    STATE_ABSENT,
    STATE_OVERFLOW,
    STATE_SURE,
    STATE_ZERO_DIVISION,
    STEP_DOWN,
    STEP_UP,
)
from rating.kernels.wide import (
    DOWN,
    HALF_EVEN,
    HALF_UP,
    UP,
    add,
    divide_round,
    less,
    low_signed,
    narrow,
    subtract,
    widen,
)

I64 = np.int64
U = np.uint64
ABSENT = -(2**63)
TOP = 2**62
"""High half of 2**126, which every number stays below."""


if config.DISABLE_JIT:

    def multiply_unsigned(a: Any, b: Any) -> Any:
        """Return a * b (uint64 each) as (hi, lo), uint64."""
        product = int(a) * int(b)
        return U(product >> 64), U(product & (2**64 - 1))

else:

    @intrinsic
    def multiply_unsigned(typingctx: Any, a: Any, b: Any) -> Any:
        """Return a * b (uint64 each) as (hi, lo), uint64."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            i128, i64 = ir.IntType(128), ir.IntType(64)
            product = builder.mul(builder.zext(args[0], i128), builder.zext(args[1], i128))
            halves = [builder.trunc(builder.lshr(product, i128(64)), i64), builder.trunc(product, i64)]
            return context.make_tuple(builder, signature.return_type, halves)

        return types.Tuple([types.uint64, types.uint64])(types.uint64, types.uint64), codegen


@kernel
def _fits(hi: Any, lo: Any) -> Any:
    """Return whether the magnitude of a pair is below 2**126."""
    return (hi < TOP and hi >= -TOP) and not (hi == -TOP and lo == U(0))


@kernel
def multiply_wide(a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
    """Return a * b as (hi, lo, overflow), of pairs whose magnitudes, and that of the product, are below 2**126."""
    negative = (a_hi < 0) != (b_hi < 0)
    if a_hi < 0:
        a_hi, a_lo, _ = subtract(I64(0), U(0), a_hi, a_lo)
    if b_hi < 0:
        b_hi, b_lo, _ = subtract(I64(0), U(0), b_hi, b_lo)
    if a_hi > 0 and b_hi > 0:
        return I64(0), U(0), True
    # at most one of the products with a high half is not 0
    beyond, outer = multiply_unsigned(U(a_hi) + U(b_hi), a_lo if a_hi == 0 else b_lo)
    if beyond != U(0) or outer >= U(TOP):
        return I64(0), U(0), True
    inner_hi, inner_lo = multiply_unsigned(a_lo, b_lo)
    if inner_hi >= U(TOP) or inner_hi + outer >= U(TOP):
        return I64(0), U(0), True
    hi, lo = low_signed(inner_hi + outer), inner_lo
    if negative:
        hi, lo, _ = subtract(I64(0), U(0), hi, lo)
    return hi, lo, False


@kernel
def _step(hi: Any, lo: Any, divisor: Any, mode: Any) -> Any:
    """Return a pair divided by an int64 >= 1, rounded down, up, or to the nearest, halves away from zero."""
    rounding = I64(HALF_UP)
    if mode == STEP_DOWN:
        rounding = I64(UP) if hi < 0 else I64(DOWN)
    elif mode == STEP_UP:
        rounding = I64(DOWN) if hi < 0 else I64(UP)
    return divide_round(hi, lo, divisor, I64(1), rounding)


@kernel
def _binary(op: Any, first: Any, second: Any, a_hi: Any, a_lo: Any, b_hi: Any, b_lo: Any) -> Any:
    """Return (hi, lo, state) of two sure numbers."""
    if op == OP_EQUAL:
        return I64(0), U(1) if a_hi == b_hi and a_lo == b_lo else U(0), I64(STATE_SURE)
    if op == OP_LESS:
        return I64(0), U(1) if less(a_hi, a_lo, b_hi, b_lo) else U(0), I64(STATE_SURE)
    if op == OP_LESS_EQUAL:
        return I64(0), U(0) if less(b_hi, b_lo, a_hi, a_lo) else U(1), I64(STATE_SURE)
    if op == OP_MIN or op == OP_MAX:
        if less(a_hi, a_lo, b_hi, b_lo) == (op == OP_MIN):
            return a_hi, a_lo, I64(STATE_SURE)
        return b_hi, b_lo, I64(STATE_SURE)
    if op == OP_DIVIDE:
        if b_hi == 0 and b_lo == U(0):
            return I64(0), U(0), I64(STATE_ZERO_DIVISION)
        factor_hi, factor_lo = widen(I64(first))
        a_hi, a_lo, overflow = multiply_wide(a_hi, a_lo, factor_hi, factor_lo)
        factor_hi, factor_lo = widen(I64(second))
        b_hi, b_lo, too_large = multiply_wide(b_hi, b_lo, factor_hi, factor_lo)
        if overflow or too_large:
            return I64(0), U(0), I64(STATE_OVERFLOW)
        if b_hi < 0:
            a_hi, a_lo, _ = subtract(I64(0), U(0), a_hi, a_lo)
            b_hi, b_lo, _ = subtract(I64(0), U(0), b_hi, b_lo)
        divisor, too_large = narrow(b_hi, b_lo)
        if too_large:
            return I64(0), U(0), I64(STATE_OVERFLOW)
        hi, lo = divide_round(a_hi, a_lo, divisor, I64(1), I64(HALF_EVEN))
        return hi, lo, I64(STATE_SURE)
    if op == OP_MULTIPLY:
        hi, lo, overflow = multiply_wide(a_hi, a_lo, b_hi, b_lo)
    elif op == OP_ADD:
        hi, lo, overflow = add(a_hi, a_lo, b_hi, b_lo)
    else:
        hi, lo, overflow = subtract(a_hi, a_lo, b_hi, b_lo)
    if overflow or not _fits(hi, lo):
        return I64(0), U(0), I64(STATE_OVERFLOW)
    return hi, lo, I64(STATE_SURE)


@kernel
def _member(value: Any, constants: Any, first: Any, count: Any) -> Any:
    """Return whether a number is among `count` ascending constants from `first` on."""
    low, high = first, first + count
    while low < high:
        middle = (low + high) >> I64(1)
        if constants[middle] < value:
            low = middle + I64(1)
        else:
            high = middle
    return low < first + count and constants[low] == value


@kernel
def run_program(
    which: Any,
    row: Any,
    at: Any,
    quantity: Any,
    counted: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
) -> Any:
    """Return (hi, lo, state) of a program for one usage. Twins: CEL itself for conditions, `rating.reference_formula`.

    Args:
        which: int64, the program. row: int64, the usage's row of `attributes` and `values`.
        at: int64 microseconds UTC. quantity: int64, 0 .. 2**62. counted: int64 >= 0, what the counter had before.
        attributes: (n, ATTRIBUTE_SLOTS) int32. values: (n, slots) int64, or none at all.
        programs: (program_ptr, program, program_set) of `layout.Tariff`.
        stack: (3, STACK_MAX) int64, room to work in: high and low halves, and states.
    """
    program_ptr, program, program_set = programs
    top = I64(-1)
    for place in range(program_ptr[which], program_ptr[which + 1]):
        op, first, second, third = program[place, 0], program[place, 1], program[place, 2], program[place, 3]
        if op < OP_PRESENT:
            top += I64(1)
            number = first
            state = I64(STATE_SURE)
            if op == OP_ATTRIBUTE:
                number = I64(attributes[row, first])
            elif op == OP_VALUE or op == OP_PRESENT:
                number = I64(ABSENT)
                if values.shape[0] > 0:
                    number = values[row, first]
                if op == OP_PRESENT:
                    number = I64(number != ABSENT)
                elif number > second or number < -second:
                    state = I64(STATE_ABSENT)
            elif op == OP_QUANTITY:
                number = quantity
                if quantity > first or quantity < -first:
                    state = I64(STATE_ABSENT)
            elif op == OP_AT:
                number = I64(at)
            elif op == OP_COUNTED:
                number = counted
            if op == OP_CONSTANT:
                stack[0, top], stack[1, top] = first, second
            else:
                stack[0, top], stack[1, top] = number >> I64(63), number
            stack[2, top] = state
            continue
        if op == OP_PRESENT:
            stack[0, top], stack[1, top], stack[2, top] = I64(0), I64(stack[2, top] == STATE_SURE), I64(STATE_SURE)
            continue
        if op == OP_SELECT:
            top -= I64(2)
            chosen = top + I64(1) if stack[1, top] != 0 else top + I64(2)
            if stack[2, top] == STATE_SURE:
                stack[0, top], stack[1, top], stack[2, top] = stack[0, chosen], stack[1, chosen], stack[2, chosen]
            continue
        if op == OP_AND or op == OP_OR:
            top -= I64(1)
            decisive = I64(op == OP_OR)
            a_sure, b_sure = stack[2, top] == STATE_SURE, stack[2, top + 1] == STATE_SURE
            if (a_sure and stack[1, top] == decisive) or (b_sure and stack[1, top + 1] == decisive):
                stack[0, top], stack[1, top], stack[2, top] = I64(0), decisive, I64(STATE_SURE)
            elif a_sure:
                stack[1, top], stack[2, top] = stack[1, top + 1], stack[2, top + 1]
            continue
        binary = (op >= OP_ADD and op <= OP_DIVIDE) or (op >= OP_MIN and op <= OP_LESS_EQUAL)
        if binary:
            top -= I64(1)
            if stack[2, top] == STATE_SURE:
                stack[2, top] = stack[2, top + 1]
        if stack[2, top] != STATE_SURE:
            continue
        hi, lo = stack[0, top], U(stack[1, top])
        state = I64(STATE_SURE)
        if binary:
            hi, lo, state = _binary(op, first, second, hi, lo, stack[0, top + 1], U(stack[1, top + 1]))
        elif op == OP_NEGATE:
            hi, lo, _ = subtract(I64(0), U(0), hi, lo)
        elif op == OP_NOT:
            lo = U(1) - lo
        elif op == OP_MEMBER or op == OP_RANGE:
            number, too_large = narrow(hi, lo)
            found = not too_large
            if found and op == OP_MEMBER:
                found = _member(number, program_set, first, second)
            elif found:
                found = number >= first and number < second
            hi, lo = I64(0), U(1) if found else U(0)
        else:
            factor_hi, factor_lo = widen(first)
            hi, lo, overflow = multiply_wide(hi, lo, factor_hi, factor_lo)
            if overflow:
                state = I64(STATE_OVERFLOW)
            elif op == OP_STEP:
                hi, lo = _step(hi, lo, second, third)
        stack[0, top], stack[1, top], stack[2, top] = hi, low_signed(lo), state
    return stack[0, 0], U(stack[1, 0]), stack[2, 0]
