"""Which charge prices an event, and which version of its plan is in force."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.layout import ALWAYS, ATTRIBUTE_SLOTS
from rating.kernels.operations import STATE_SURE
from rating.kernels.program import run_program

I64 = np.int64
UNDECIDED = -2
"""No candidate: whether a condition holds cannot be told."""


@kernel
def find_candidate(first: Any, end: Any, attributes: Any, row: Any, required: Any) -> Any:
    """Return the first of the candidates in [first, end) whose required attributes (0 = any) the row has, -1 when none has."""
    for candidate in range(first, end):
        matches = True
        for slot in range(ATTRIBUTE_SLOTS):
            wanted = required[candidate, slot]
            matches = matches and (wanted == 0 or wanted == attributes[row, slot])
        if matches:
            return I64(candidate)
    return I64(-1)


@kernel
def meet_condition(
    candidate: Any,
    end: Any,
    row: Any,
    at: Any,
    quantity: Any,
    attributes: Any,
    values: Any,
    required: Any,
    condition: Any,
    programs: Any,
    stack: Any,
) -> Any:
    """Return the first candidate from a matching one on that matches and whose condition holds, -1 when none does.

    UNDECIDED when whether a condition holds cannot be told: then a better candidate than the others may have been missed.

    Args:
        condition: int32 by candidate, its program, -1 without. row .. stack: as in `run_program`.
    """
    while candidate >= 0 and condition[candidate] >= 0:
        _, holds, state = run_program(
            I64(condition[candidate]), row, at, quantity, I64(0), attributes, values, programs, stack
        )
        if state != STATE_SURE:
            return I64(UNDECIDED)
        if holds != 0:
            break
        candidate = find_candidate(candidate + I64(1), end, attributes, row, required)
    return I64(candidate)


@kernel
def decide(rule: Any, row: Any, at: Any, quantity: Any, attributes: Any, values: Any, programs: Any, stack: Any) -> Any:
    """Return (whether something holds for a usage, whether that can be told).

    Args:
        rule: int64, NEVER, ALWAYS, or the program of its condition. row .. stack: as in `run_program`; without values there are
            no programs.
    """
    if values is None or rule < 0:
        return rule == ALWAYS, True
    _, holds, state = run_program(rule, row, at, quantity, I64(0), attributes, values, programs, stack)
    return holds != 0, state == STATE_SURE


@kernel
def latest_version(charge: Any, at: Any, charge_ptr: Any, start: Any) -> Any:
    """Return the last version of a charge that starts at or before an instant, -1 when none."""
    first = I64(charge_ptr[charge])
    low = first
    high = I64(charge_ptr[charge + 1])
    while low < high:
        middle = (low + high) >> 1
        if start[middle] <= at:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > first else I64(-1)
