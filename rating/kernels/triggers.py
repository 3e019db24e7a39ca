"""Usage that other usage triggers: which of it there is, how much, and how all of a tree is undone when one part is refused.

The rows of a block are then trees: each usage is followed by what it may trigger, each of that by what it may trigger.
Twin: `rating.reference_block`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels import reasons
from rating.kernels.compiled import kernel
from rating.kernels.items import refuse_at
from rating.kernels.layout import COUNTER_PTR, COUNTER_WORDS, OFFER, WALLET_COUNT, WALLET_PTR
from rating.kernels.operations import STATE_OVERFLOW, STATE_SURE
from rating.kernels.program import multiply_wide, run_program
from rating.kernels.wide import HALF_UP, divide_round, low_signed, narrow, widen

I64 = np.int64
U = np.uint64
QUANTITY_MAX = 2**62
RATE, SKIP, NO_ROOM = 0, 1, 2
STANDS, ROOT_OUT, ROOT_ROW, SLOTS, WALLETS, PARTS, MOVED_HI, MOVED_LO, FALLEN_HI, FALLEN_LO = range(10)
"""Of the tree at hand: whether it has not been refused, where its first item and row are, and what was noted of it."""


@kernel
def note_tree(row: Any, count: Any, tables: Any, accounts: Any, sums: Any, trees: Any) -> None:
    """Note all that the usage of the tree from `row` on may move."""
    subscription_row, offer_slots, counter_slot, account_wallet, subscriptions = tables
    state, slots, wallets, place = trees.state, I64(0), I64(0), row
    while place < count and (place == row or trees.parent[place] >= 0):
        subscription = I64(subscriptions[place])
        place += I64(1)
        if subscription < 0 or subscription_row[subscription, OFFER] < 0:
            continue
        owner = subscription_row[subscription]
        for which in range(I64(offer_slots[owner[OFFER]])):
            slot = I64(counter_slot[owner[COUNTER_PTR] + which])
            trees.kept_slot[slots] = slot
            for word in range(COUNTER_WORDS):
                trees.kept_counter[slots, word] = accounts.counter_used[slot, word]
            slots += I64(1)
        for which in range(I64(owner[WALLET_COUNT])):
            wallet = I64(account_wallet[owner[WALLET_PTR] + which])
            trees.kept_wallet[wallets] = wallet
            for word in range(2):
                trees.kept_balance[wallets, word] = accounts.balance[wallet, word]
            wallets += I64(1)
    split_count, moved_hi, moved_lo = sums
    state[SLOTS], state[WALLETS], state[PARTS] = slots, wallets, split_count[0]
    state[MOVED_HI], state[MOVED_LO] = moved_hi[0], low_signed(moved_lo[0])


@kernel
def fell(
    fault: Any,
    reason: Any,
    version: Any,
    before: Any,
    quantities: Any,
    accounts: Any,
    columns: Any,
    sums: Any,
    items: Any,
) -> Any:
    """Undo the tree at hand, and refuse the usage at its root because of that at `fault`; return the row of the answer."""
    trees = items.trees
    state, (split_count, moved_hi, moved_lo) = trees.state, sums
    for place in range(state[SLOTS]):
        for word in range(COUNTER_WORDS):
            accounts.counter_used[trees.kept_slot[place], word] = trees.kept_counter[place, word]
    for place in range(state[WALLETS]):
        for word in range(2):
            accounts.balance[trees.kept_wallet[place], word] = trees.kept_balance[place, word]
    split_count[0], moved_hi[0], moved_lo[0] = state[PARTS], state[MOVED_HI], U(state[MOVED_LO])
    state[STANDS] = 0
    trees.origin[state[ROOT_ROW]] = fault
    out = state[ROOT_OUT]
    refuse_at(out, reason, version, before, columns)
    items.row[out], items.item[out], items.quantity[out] = state[ROOT_ROW], 0, quantities[state[ROOT_ROW]]
    return out


@kernel
def settle(
    out: Any, fallen_hi: Any, fallen_lo: Any, quantities: Any, accounts: Any, columns: Any, sums: Any, items: Any
) -> Any:
    """Return (row of the answer written last, fallen_hi, fallen_lo), having undone a tree whose latest usage was refused."""
    state = items.trees.state
    if state[STANDS] != 0 and out >= state[ROOT_OUT] and columns[0][out] != 0:
        state[STANDS] = 0
        if items.row[out] != state[ROOT_ROW]:
            reason, version, before = I64(columns[0][out]), I64(columns[1][out]), I64(columns[3][out])
            fault = I64(items.row[out])
            out = fell(fault, reason, version, before, quantities, accounts, columns, sums, items)
            return out, state[FALLEN_HI], U(state[FALLEN_LO])
    return out, fallen_hi, fallen_lo


@kernel
def how_much(
    row: Any, origin: Any, at: Any, attributes: Any, values: Any, programs: Any, stack: Any, columns: Any, items: Any
) -> Any:
    """Return (base steps of the usage at `row`, whether there is any, why it cannot be told) of what an item triggers.

    Args:
        origin: int64, the row of the answer of the item. at .. stack: as in `run_program`.
    """
    trees = items.trees
    trigger, parent = trees.trigger[row], trees.parent[row]
    quantity, nothing = abs(items.quantity[origin]), I64(0)
    if trees.when[trigger] >= 0:
        _, holds, state = run_program(
            I64(trees.when[trigger]), parent, at, quantity, nothing, attributes, values, programs, stack
        )
        if state != STATE_SURE:
            return nothing, False, I64(reasons.CONDITION_UNDECIDED)
        if holds == 0:
            return nothing, False, nothing
    if trees.formula[trigger] >= 0:
        charged = abs(columns[6][origin])
        hi, lo, state = run_program(
            I64(trees.formula[trigger]), parent, at, quantity, charged, attributes, values, programs, stack
        )
        if state != STATE_SURE or hi < 0:
            why = reasons.AMOUNT_OVERFLOW if state == STATE_OVERFLOW else reasons.FORMULA_UNUSABLE
            return nothing, False, I64(why)
        many_hi, many_lo = widen(trees.ratio[trigger, 0])
        hi, lo, overflow = multiply_wide(hi, lo, many_hi, many_lo)
        if not overflow:
            hi, lo = divide_round(hi, lo, trees.ratio[trigger, 1], I64(1), I64(HALF_UP))
        quantity, too_large = narrow(hi, lo)
        if overflow or too_large or quantity > QUANTITY_MAX:
            return nothing, False, I64(reasons.AMOUNT_OVERFLOW)
    return quantity, True, nothing


@kernel
def enter(
    row: Any,
    out: Any,
    count: Any,
    fallen_hi: Any,
    fallen_lo: Any,
    at: Any,
    quantities: Any,
    tables: Any,
    accounts: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
    columns: Any,
    sums: Any,
    parts: Any,
    items: Any,
) -> Any:
    """Return (row of the answer written last, RATE, SKIP or NO_ROOM, fallen_hi, fallen_lo) before the usage at `row` is rated.

    Args:
        at: int64 microseconds UTC. quantities: (n,) int64, written where other usage triggers this one.
        tables: subscription_row, offer_slots, counter_slot, account_wallet and (n,) subscriptions. parts: rows of split items
            that there is room for.
    """
    out, fallen_hi, fallen_lo = settle(out, fallen_hi, fallen_lo, quantities, accounts, columns, sums, items)
    trees = items.trees
    state, parent = trees.state, trees.parent[row]
    if parent < 0:
        state[STANDS] = 0
        if row + 1 < count and trees.parent[row + 1] >= 0:
            if out + trees.need[row, 0] + 2 > len(items.row) or sums[0][0] + trees.need[row, 1] > parts:
                return out, I64(NO_ROOM), fallen_hi, fallen_lo
            state[STANDS], state[ROOT_OUT], state[ROOT_ROW] = 1, out + I64(1), row
            state[FALLEN_HI], state[FALLEN_LO] = fallen_hi, low_signed(fallen_lo)
            note_tree(row, count, tables, accounts, sums, trees)
        return out, I64(RATE), fallen_hi, fallen_lo
    if state[STANDS] == 0:
        return out, I64(SKIP), fallen_hi, fallen_lo
    origin = I64(-1)
    for place in range(state[ROOT_OUT], out + I64(1)):
        if items.row[place] == parent and trees.candidate[place] == trees.by[row]:
            origin = I64(place)
    if origin < 0:
        return out, I64(SKIP), fallen_hi, fallen_lo
    quantity, there, reason = how_much(row, origin, at, attributes, values, programs, stack, columns, items)
    if reason != 0:
        version = I64(columns[1][origin])
        out = fell(I64(row), reason, version, I64(0), quantities, accounts, columns, sums, items)
        return out, I64(SKIP), state[FALLEN_HI], U(state[FALLEN_LO])
    if not there:
        return out, I64(SKIP), fallen_hi, fallen_lo
    quantities[row] = -quantity if items.quantity[origin] < 0 else quantity
    trees.origin[row] = origin
    return out, I64(RATE), fallen_hi, fallen_lo
