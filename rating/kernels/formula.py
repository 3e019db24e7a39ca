"""Formulas: an amount that a program computes, with the minimum, increments, fee and limits of other models."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.increments import round_increments
from rating.kernels.layout import (
    CAP_HI,
    CAP_LO,
    FEE_HI,
    FEE_LO,
    FIRST,
    FLOOR_HI,
    FLOOR_LO,
    INCREMENT_MODE,
    MINIMUM,
    NEXT,
    PROGRAM,
    ZERO_CHARGED,
)
from rating.kernels.operations import STATE_ABSENT, STATE_SURE
from rating.kernels.program import run_program
from rating.kernels.wide import add, less

I64 = np.int64
U = np.uint64
QUANTITY_MAX = 2**62
INT64_MAX = 2**63 - 1


@kernel
def is_bare(rule: Any) -> Any:
    """Return whether nothing but its formula says what a usage costs, so that usage taken back gives back just that.

    Args:
        rule: (VERSION_COLUMNS,) int64.
    """
    whole = rule[FIRST] == 1 and rule[NEXT] == 1 and rule[MINIMUM] == 0 and rule[ZERO_CHARGED] == 0
    unlimited = rule[CAP_HI] == I64(INT64_MAX) and rule[FLOOR_HI] == 0 and rule[FLOOR_LO] == 0
    return whole and unlimited and rule[FEE_HI] == 0 and rule[FEE_LO] == 0


@kernel
def price_formula(
    row: Any,
    at: Any,
    quantity: Any,
    consumed: Any,
    rule: Any,
    band: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
) -> Any:
    """Return (hi, lo, rated, state) of one usage: what `to_amount` rounds, the quantity that counts, and what went wrong.

    An amount below zero is none: its state is STATE_ABSENT. Twin: `rating.reference_formula`.

    Args:
        quantity, consumed: int64 >= 0, of the usage and of the counter before. rule: (VERSION_COLUMNS,) int64.
        band: int64, in force at the start. row .. stack: as in `run_program`.
    """
    rated = quantity
    if quantity > 0:
        rated = round_increments(max(quantity, rule[MINIMUM]), rule[FIRST], rule[NEXT], rule[INCREMENT_MODE])
    if rated > I64(QUANTITY_MAX) or (rated == 0 and rule[ZERO_CHARGED] == 0):
        return I64(0), U(0), rated, I64(STATE_SURE)
    hi, lo, state = run_program(rule[PROGRAM] + band, row, at, rated, consumed, attributes, values, programs, stack)
    if state == STATE_SURE and hi < 0:
        state = I64(STATE_ABSENT)
    if rated > 0 and state == STATE_SURE:
        hi, lo, _ = add(hi, lo, rule[FEE_HI], U(rule[FEE_LO]))
        if less(hi, lo, rule[FLOOR_HI], U(rule[FLOOR_LO])):
            hi, lo = rule[FLOOR_HI], U(rule[FLOOR_LO])
        if less(rule[CAP_HI], U(rule[CAP_LO]), hi, lo):
            hi, lo = rule[CAP_HI], U(rule[CAP_LO])
    return hi, lo, rated, state
