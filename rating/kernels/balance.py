"""Wallets: paying an amount from an account's wallets, and crediting.

A balance is credits minus debits, 128-bit billionths: a prepaid wallet above zero has money, a postpaid one
goes below.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.layout import WALLET_COUNT, WALLET_PTR
from rating.kernels.wide import add, low_signed, subtract, widen

I64 = np.int64
U = np.uint64
WALLET_SPLIT = -1
WALLET_NONE = -2
WALLET_UNDECIDED = -3


@kernel
def spendable(hi: Any, lo: Any, need: Any) -> Any:
    """Return how much of `need` (int64, >= 0) a prepaid balance can pay: nothing unless above zero."""
    if hi < 0:
        return I64(0)
    if hi > 0 or lo >= U(need):
        return need
    return low_signed(lo)


@kernel
def pay_alone(hi: Any, lo: Any, amount: Any, postpaid: Any) -> Any:
    """Return (hi, lo, fall_hi, fall_lo, paid): the balance less an amount > 0, its fall, whether it may.

    A postpaid balance may fall below zero, a prepaid one may not.
    """
    amount_hi, amount_lo = widen(amount)
    new_hi, new_lo, overflow = subtract(hi, lo, amount_hi, amount_lo)
    fall_hi, fall_lo, _ = subtract(hi, lo, new_hi, new_lo)
    return new_hi, new_lo, fall_hi, fall_lo, not overflow and (postpaid or new_hi >= 0)


@kernel
def pay_together(
    row: Any,
    amount: Any,
    first: Any,
    postpaid: Any,
    end: Any,
    account_wallet: Any,
    balance: Any,
    split_row: Any,
    split_wallet: Any,
    split_amount: Any,
    split_hi: Any,
    split_lo: Any,
    split_count: Any,
    moved_hi: Any,
    moved_lo: Any,
) -> Any:
    """Draw from prepaid wallets in order down to zero, the rest from the postpaid one; or nothing at all.

    Args:
        row: written to `split_row`.
        amount: int64 > 0.
        first, postpaid, end: account_wallet[first:postpaid] are prepaid, account_wallet[postpaid:end] is the
            postpaid wallet, if any.
        balance: (wallets, 2) int64, updated.
        split_row .. split_lo: with room for every wallet of the account. split_count: (1,) rows used.
        moved_hi, moved_lo: (1,) sum of what balances lost.

    Returns:
        (wallet, hi, lo): the wallet that paid all of it and its balance, or WALLET_SPLIT and zeros when
        several did (they are in the split columns), or WALLET_NONE and zeros when the wallets cannot pay.
    """
    rest = amount
    for k in range(first, postpaid):
        wallet = account_wallet[k]
        rest -= spendable(balance[wallet, 0], U(balance[wallet, 1]), rest)
        if rest == 0:
            break
    if rest > 0:
        if postpaid == end:
            return I64(WALLET_NONE), I64(0), U(0)
        wallet = account_wallet[postpaid]
        rest_hi, rest_lo = widen(rest)
        _, _, overflow = subtract(balance[wallet, 0], U(balance[wallet, 1]), rest_hi, rest_lo)
        if overflow:
            return I64(WALLET_NONE), I64(0), U(0)
    rest = amount
    splits = split_count[0]
    for k in range(first, end):
        wallet = account_wallet[k]
        old_hi = balance[wallet, 0]
        old_lo = U(balance[wallet, 1])
        part = rest if k == postpaid else spendable(old_hi, old_lo, rest)
        if part == 0:
            continue
        part_hi, part_lo = widen(part)
        hi, lo, _ = subtract(old_hi, old_lo, part_hi, part_lo)
        balance[wallet, 0] = hi
        balance[wallet, 1] = low_signed(lo)
        # the check of conservation wants what balances did, not what was asked of them
        fall_hi, fall_lo, _ = subtract(old_hi, old_lo, balance[wallet, 0], U(balance[wallet, 1]))
        sum_hi, sum_lo, _ = add(moved_hi[0], moved_lo[0], fall_hi, fall_lo)
        moved_hi[0] = sum_hi
        moved_lo[0] = sum_lo
        if part == amount:
            return I64(wallet), hi, lo
        split_row[splits] = row
        split_wallet[splits] = wallet
        split_amount[splits] = part
        split_hi[splits] = hi
        split_lo[splits] = lo
        splits += 1
        rest -= part
        if rest == 0:
            break
    split_count[0] = splits
    return I64(WALLET_SPLIT), I64(0), U(0)


@kernel
def give_back(amount: Any, owner: Any, account_wallet: Any, balance: Any, moved_hi: Any, moved_lo: Any) -> Any:
    """Give an amount below zero to the last wallet in drawing order; return (wallet, hi, lo) as `pay_together` does.

    WALLET_NONE when there is no wallet, or its balance would exceed 128 bits.

    Args:
        amount: int64 < 0. owner: (SUBSCRIPTION_COLUMNS,) int32, whose wallets they are. account_wallet .. moved_lo: as in
            `pay_together`.
    """
    wallets = I64(owner[WALLET_COUNT])
    if wallets == 0:
        return I64(WALLET_NONE), I64(0), U(0)
    wallet = I64(account_wallet[owner[WALLET_PTR] + wallets - I64(1)])
    hi, lo, fall_hi, fall_lo, paid = pay_alone(balance[wallet, 0], U(balance[wallet, 1]), amount, True)
    if not paid:
        return I64(WALLET_NONE), I64(0), U(0)
    balance[wallet, 0] = hi
    balance[wallet, 1] = low_signed(lo)
    sum_hi, sum_lo, _ = add(moved_hi[0], moved_lo[0], fall_hi, fall_lo)
    moved_hi[0] = sum_hi
    moved_lo[0] = sum_lo
    return wallet, hi, lo


@kernel
def credit_wallets(wallet: Any, amount: Any, balance: Any) -> Any:
    """Add amounts (k,) int64 to wallets (k,) int32, balance (wallets, 2) int64; return the first that overflows, else -1.

    The overflowing balance and those after it are left as they were.
    """
    for k in range(len(wallet)):
        w = wallet[k]
        add_hi, add_lo = widen(amount[k])
        hi, lo, overflow = add(balance[w, 0], U(balance[w, 1]), add_hi, add_lo)
        if overflow:
            return k
        balance[w, 0] = hi
        balance[w, 1] = low_signed(lo)
    return -1
