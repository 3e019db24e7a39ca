"""Drawing an amount from an account's wallets, also from those that pay for some usage only.

Twin: `rating.reference_wallets`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.balance import (
    WALLET_NONE,
    WALLET_SPLIT,
    WALLET_UNDECIDED,
    give_back,
    pay_alone,
    pay_together,
    spendable,
)
from rating.kernels.compiled import kernel
from rating.kernels.layout import POSTPAID, WALLET_COUNT, WALLET_FIRST, WALLET_PTR
from rating.kernels.match import decide
from rating.kernels.wide import add, low_signed, subtract, widen

I64 = np.int64
U = np.uint64


@kernel
def draw(
    out: Any,
    amount: Any,
    candidate: Any,
    row: Any,
    at: Any,
    quantity: Any,
    owner: Any,
    account_wallet: Any,
    terms: Any,
    balance: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
    splits: Any,
    moved_hi: Any,
    moved_lo: Any,
) -> Any:
    """Draw an amount, or give one below zero back; return (wallet, hi, lo) as `pay_together` does.

    WALLET_UNDECIDED where it cannot be told whether a wallet pays for the usage.

    Args:
        out: row of the answer. amount: int64, not 0. candidate: whose price it is. row .. quantity, attributes .. stack: as in
            `run_program`. owner: (SUBSCRIPTION_COLUMNS,) int32, whose wallets they are.
        account_wallet, balance, moved_hi, moved_lo: as in `pay_together`. splits: its split_ columns, with room.
        terms: wallet_overdraft, wallet_filter and wallet_draws of `layout.Tariff`.
    """
    wallets = I64(owner[WALLET_COUNT])
    wallet = I64(owner[WALLET_FIRST])
    if wallets == 0:
        return I64(WALLET_NONE), I64(0), U(0)
    if wallet < 0:
        usage = (row, at, quantity, attributes, values, programs, stack)
        if amount < 0:
            return _give_back(amount, candidate, owner, account_wallet, terms, balance, usage, moved_hi, moved_lo)
        return _pay(out, amount, candidate, owner, account_wallet, terms, balance, usage, splits, moved_hi, moved_lo)
    if amount < 0:
        return give_back(amount, owner, account_wallet, balance, moved_hi, moved_lo)
    first, postpaid = I64(owner[WALLET_PTR]), I64(owner[POSTPAID])
    old_hi, old_lo = balance[wallet, 0], U(balance[wallet, 1])
    hi, lo, fall_hi, fall_lo, paid = pay_alone(old_hi, old_lo, amount, wallets == postpaid)
    if not paid:
        split_row, split_wallet, split_amount, split_hi, split_lo, split_count = splits
        return pay_together(
            out, amount, first, first + wallets - postpaid, first + wallets, account_wallet, balance, split_row,
            split_wallet, split_amount, split_hi, split_lo, split_count, moved_hi, moved_lo,
        )  # fmt: skip
    balance[wallet, 0] = hi
    balance[wallet, 1] = low_signed(lo)
    sum_hi, sum_lo, _ = add(moved_hi[0], moved_lo[0], fall_hi, fall_lo)
    moved_hi[0] = sum_hi
    moved_lo[0] = sum_lo
    return wallet, hi, lo


@kernel
def may_draw(place: Any, candidate: Any, terms: Any, usage: Any) -> Any:
    """Return (whether a usage may draw the wallet at a place, whether that can be told)."""
    _, wallet_filter, wallet_draws = terms
    row, at, quantity, attributes, values, programs, stack = usage
    rule = I64(wallet_draws[wallet_filter[place], candidate])
    return decide(rule, row, at, quantity, attributes, values, programs, stack)


@kernel
def _pay(
    out: Any,
    amount: Any,
    candidate: Any,
    owner: Any,
    account_wallet: Any,
    terms: Any,
    balance: Any,
    usage: Any,
    splits: Any,
    moved_hi: Any,
    moved_lo: Any,
) -> Any:
    """Draw in order from those that may be drawn: first all credit, then what lies below zero; or nothing at all."""
    overdraft, _, _ = terms
    split_row, split_wallet, split_amount, split_hi, split_lo, split_count = splits
    first = I64(owner[WALLET_PTR])
    end = first + I64(owner[WALLET_COUNT])
    # what each of them pays is written where its part would be, the place of the wallet beside it
    used, kept, rest = I64(split_count[0]), I64(0), amount
    for place in range(first, end):
        may, sure = may_draw(I64(place), candidate, terms, usage)
        if not sure:
            return I64(WALLET_UNDECIDED), I64(0), U(0)
        if not may:
            continue
        wallet = account_wallet[place]
        below_hi, below_lo = widen(max(I64(overdraft[place]), I64(0)))
        hi, lo, _ = subtract(balance[wallet, 0], U(balance[wallet, 1]), below_hi, below_lo)
        part = spendable(hi, lo, rest)
        split_row[used + kept], split_amount[used + kept] = place, part
        rest -= part
        kept += I64(1)
    for n in range(used, used + kept):
        place = I64(split_row[n])
        wallet = account_wallet[place]
        taken_hi, taken_lo = widen(split_amount[n])
        hi, lo, _ = subtract(balance[wallet, 0], U(balance[wallet, 1]), taken_hi, taken_lo)
        part = rest
        if overdraft[place] >= 0:
            part = spendable(hi, lo, rest)
        part_hi, part_lo = widen(part)
        _, _, overflow = subtract(hi, lo, part_hi, part_lo)
        if overflow:
            return I64(WALLET_NONE), I64(0), U(0)
        split_amount[n] += part
        rest -= part
    if rest > 0:
        return I64(WALLET_NONE), I64(0), U(0)
    splits_now = used
    for n in range(used, used + kept):
        wallet, part = account_wallet[split_row[n]], split_amount[n]
        if part == 0:
            continue
        hi, lo = _move(wallet, part, balance, moved_hi, moved_lo)
        if part == amount:
            return I64(wallet), hi, lo
        split_row[splits_now], split_wallet[splits_now], split_amount[splits_now] = out, wallet, part
        split_hi[splits_now], split_lo[splits_now] = hi, lo
        splits_now += I64(1)
    split_count[0] = splits_now
    return I64(WALLET_SPLIT), I64(0), U(0)


@kernel
def _give_back(
    amount: Any,
    candidate: Any,
    owner: Any,
    account_wallet: Any,
    terms: Any,
    balance: Any,
    usage: Any,
    moved_hi: Any,
    moved_lo: Any,
) -> Any:
    """Give an amount below zero to the last wallet that the usage may draw."""
    first = I64(owner[WALLET_PTR])
    last = I64(WALLET_NONE)
    for place in range(first, first + I64(owner[WALLET_COUNT])):
        may, sure = may_draw(I64(place), candidate, terms, usage)
        if not sure:
            return I64(WALLET_UNDECIDED), I64(0), U(0)
        if may:
            last = I64(account_wallet[place])
    if last < 0:
        return I64(WALLET_NONE), I64(0), U(0)
    amount_hi, amount_lo = widen(amount)
    _, _, overflow = subtract(balance[last, 0], U(balance[last, 1]), amount_hi, amount_lo)
    if overflow:
        return I64(WALLET_NONE), I64(0), U(0)
    hi, lo = _move(last, amount, balance, moved_hi, moved_lo)
    return last, hi, lo


@kernel
def _move(wallet: Any, part: Any, balance: Any, moved_hi: Any, moved_lo: Any) -> Any:
    """Take a part out of a balance, which can hold the difference; return (hi, lo) afterwards."""
    part_hi, part_lo = widen(part)
    hi, lo, _ = subtract(balance[wallet, 0], U(balance[wallet, 1]), part_hi, part_lo)
    # the check of conservation wants what balances did, not what was asked of them
    fall_hi, fall_lo, _ = subtract(balance[wallet, 0], U(balance[wallet, 1]), hi, lo)
    balance[wallet, 0] = hi
    balance[wallet, 1] = low_signed(lo)
    sum_hi, sum_lo, _ = add(moved_hi[0], moved_lo[0], fall_hi, fall_lo)
    moved_hi[0] = sum_hi
    moved_lo[0] = sum_lo
    return hi, lo
