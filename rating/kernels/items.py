"""Usage that becomes several items: what of it fits under a ceiling, what comes next, and how all of it is undone.

A row of a cell in which that may happen is rated by the same loop as every other, candidate by candidate. Before its first item
the counters and wallets that it may move are noted, so that undoing is putting them back. Twin: `rating.reference_block`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels import reasons
from rating.kernels.balance import WALLET_NONE
from rating.kernels.compiled import kernel
from rating.kernels.flat import price_flat
from rating.kernels.graduated import price_graduated
from rating.kernels.increments import round_increments
from rating.kernels.layout import (
    BANDS,
    COUNTER,
    COUNTER_PTR,
    COUNTER_WORDS,
    FEE_HI,
    FEE_LO,
    FIRST,
    INCREMENT_MODE,
    MINIMUM,
    MODEL_FLAT,
    MODEL_GRADUATED,
    NEXT,
    ROLL_PERIODS,
    SHAPE,
    TIER_COUNT,
    TIER_PTR,
    WALLET_COUNT,
    WALLET_PTR,
)
from rating.kernels.match import decide
from rating.kernels.wide import DOWN, low_signed

I64 = np.int64
U = np.uint64
QUANTITY_MAX = 2**62
INT64_MAX = 2**63 - 1
DUE, NTH, OWED, SPENT, SPENT_BEFORE, TOTAL = 0, 1, 2, 3, 4, 5
"""How far a usage has come: base steps that nobody priced yet, items so far, whether what is due must be priced, which charge
version was asked last and what its counter had counted, and what the items come to."""


@kernel
def what_fits(quantity: Any, room: Any, rule: Any) -> Any:
    """Return how much of a quantity (int64, > 0) a counter with `room` left takes: all of it, or whole increments.

    Args:
        room: int64, the ceiling less what is counted. rule: (VERSION_COLUMNS,) int64, whose increments and minimum apply.
    """
    first, step = rule[FIRST], rule[NEXT]
    if round_increments(max(quantity, rule[MINIMUM]), first, step, rule[INCREMENT_MODE]) <= room:
        return quantity
    part = round_increments(max(room, I64(0)), first, step, DOWN)
    return part if part >= rule[MINIMUM] else I64(0)


@kernel
def price_taken_back(
    quantity: Any,
    before: Any,
    rule: Any,
    peak: Any,
    price_at: Any,
    band: Any,
    rolls: Any,
    tier_upper: Any,
    price: Any,
) -> Any:
    """Return (hi, lo, tier, reason) of usage that is taken back: what the same usage cost as the last of its counter.

    Args:
        quantity: int64, 1 .. 2**62, of it. before: int64, the counter before. rule: (VERSION_COLUMNS,) int64.
        peak: 1 where the counter holds a maximum. price_at, band: where its prices are. rolls, tier_upper, price: of the image.
    """
    counter = rule[COUNTER]
    simple = rule[FIRST] == 1 and rule[NEXT] == 1 and rule[FEE_HI] == 0 and rule[FEE_LO] == 0 and peak == 0
    simple = simple and (counter < 0 or rolls[counter, ROLL_PERIODS] == 0)
    hi, lo, tier = I64(0), U(0), I64(0)
    if not simple or rule[SHAPE] > MODEL_GRADUATED or (rule[SHAPE] == MODEL_GRADUATED and counter < 0):
        return hi, lo, tier, I64(reasons.NEGATIVE_UNPRICED)
    if counter >= 0 and before < quantity - I64(QUANTITY_MAX):
        return hi, lo, tier, I64(reasons.COUNTER_OVERFLOW)
    if rule[SHAPE] == MODEL_FLAT:
        hi, lo = price_flat(quantity, price[price_at + band])
    else:
        hi, lo, tier = price_graduated(
            quantity,
            before - quantity,
            tier_upper,
            rule[TIER_PTR],
            rule[TIER_COUNT],
            price,
            price_at + band,
            rule[BANDS],
        )
    return hi, lo, tier, I64(0)


@kernel
def note(slots: Any, owner: Any, counter_slot: Any, account_wallet: Any, accounts: Any, sums: Any, items: Any) -> None:
    """Note everything that rating a usage may move.

    Args:
        slots: int64, how many counters the subscription has. owner: (SUBSCRIPTION_COLUMNS,) int32, its row.
        counter_slot, account_wallet: of `layout.Tariff`. accounts: `layout.Accounts`.
        sums: split_count .. moved_lo of `layout.Answer`. items: `layout.Items`, whose kept_ arrays are written.
    """
    split_count, moved_hi, moved_lo = sums
    for place in range(slots):
        slot = counter_slot[owner[COUNTER_PTR] + place]
        for word in range(COUNTER_WORDS):
            items.kept_counter[place, word] = accounts.counter_used[slot, word]
    for place in range(owner[WALLET_COUNT]):
        wallet = account_wallet[owner[WALLET_PTR] + place]
        for word in range(2):
            items.kept_balance[place, word] = accounts.balance[wallet, word]
    items.kept_sums[0], items.kept_sums[1], items.kept_sums[2] = split_count[0], moved_hi[0], low_signed(moved_lo[0])


@kernel
def put_back(
    slots: Any, owner: Any, counter_slot: Any, account_wallet: Any, accounts: Any, sums: Any, items: Any
) -> None:
    """Make everything as it was when it was noted; arguments as in `note`."""
    split_count, moved_hi, moved_lo = sums
    for place in range(slots):
        slot = counter_slot[owner[COUNTER_PTR] + place]
        for word in range(COUNTER_WORDS):
            accounts.counter_used[slot, word] = items.kept_counter[place, word]
    for place in range(owner[WALLET_COUNT]):
        wallet = account_wallet[owner[WALLET_PTR] + place]
        for word in range(2):
            accounts.balance[wallet, word] = items.kept_balance[place, word]
    split_count[0], moved_hi[0], moved_lo[0] = items.kept_sums[0], items.kept_sums[1], U(items.kept_sums[2])


@kernel
def set_out(quantity: Any, course: Any) -> None:
    """Begin a usage of some base steps."""
    course[DUE], course[NTH], course[OWED], course[SPENT], course[SPENT_BEFORE], course[TOTAL] = (
        quantity,
        0,
        1,
        -1,
        0,
        0,
    )


@kernel
def next_charge(
    out: Any,
    asked: Any,
    candidate: Any,
    row: Any,
    at: Any,
    quantity: Any,
    owner: Any,
    slots: Any,
    counter_slot: Any,
    account_wallet: Any,
    accounts: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
    columns: Any,
    sums: Any,
    items: Any,
) -> Any:
    """Return (the row of the answer that comes next, or was the last one, and whether another charge is asked for the usage).

    Args:
        out: int64, the row of the answer that says what the charge of `candidate` made of `asked` base steps.
        row .. quantity, attributes .. stack: as in `run_program`. owner .. accounts, sums, items: as in `note`.
        columns: of the answer, as in `refuse_at`.
    """
    course, going = items.course, True
    reason = I64(columns[0][out])
    if reason == reasons.NO_MATCHING_CHARGE and course[OWED] == 0:
        return out - I64(1), False  # nobody has to price it once more
    if reason != reasons.NO_MATCHING_CHARGE:
        course[SPENT], course[SPENT_BEFORE] = columns[1][out], columns[3][out]
    if reason == reasons.USED_UP:
        course[OWED] = 1  # also after `then_next`: the charge was to price it, and could not
    if reason == 0:
        amount = I64(columns[6][out])
        room = I64(INT64_MAX) - abs(course[TOTAL])
        if (amount < 0) == (course[TOTAL] < 0) and abs(amount) > room:
            reason, course[SPENT_BEFORE] = I64(reasons.AMOUNT_OVERFLOW), 0
        else:
            course[TOTAL] += amount
    if reason == 0:
        course[OWED] = I64(asked < course[DUE])
        if course[OWED] != 0:
            course[DUE] -= asked
        else:
            follow_up = I64(items.candidate_next[candidate])
            going, sure = decide(follow_up, row, at, quantity, attributes, values, programs, stack)
            if not sure:
                reason, course[SPENT], course[SPENT_BEFORE] = I64(reasons.CONDITION_UNDECIDED), -1, 0
    if reason > reasons.USED_UP:
        out -= course[NTH]
        put_back(slots, owner, counter_slot, account_wallet, accounts, sums, items)
        refuse_at(out, reason, course[SPENT], course[SPENT_BEFORE], columns)
        items.quantity[out] = quantity
        return out, False
    if reason == 0 and going:
        out += I64(1)
        course[NTH] += 1
    if going:
        items.row[out], items.item[out] = row, course[NTH]
    return out, going


@njit(inline="always")
def refuse_at(place: Any, reason: Any, version: Any, before: Any, answer: Any) -> None:
    """Write a refusal into a row of the answer: nothing of it was rated, nothing moved."""
    (
        out_reason,
        out_version,
        out_quantity,
        out_before,
        out_tier,
        out_band,
        out_amount,
        out_wallet,
        out_balance_hi,
        out_balance_lo,
    ) = answer
    out_reason[place], out_version[place] = reason, version
    out_quantity[place], out_before[place] = 0, before
    out_tier[place], out_band[place] = 0, 0
    out_amount[place], out_wallet[place] = 0, WALLET_NONE
    out_balance_hi[place], out_balance_lo[place] = 0, 0
