"""Open balances of the wallets of a frame, and how items move them. Twin: a dict of integers (`test_chain.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.balance import WALLET_NONE, WALLET_SPLIT
from rating.kernels.compiled import kernel
from rating.kernels.wide import add, subtract, widen

I64 = np.int64
U = np.uint64


@kernel
def open_balances(wallets: Any, balance: Any, reserved: Any, overdraft: Any, hi: Any, lo: Any) -> None:
    """Write what n wallets hold with what is reserved of it, less their overdraft.

    Args:
        wallets: (n,) int64. balance: (wallets, 2) int64 of `layout.Accounts`.
        reserved, overdraft: (wallets,) int64 billionths, or (0,) where nothing is. hi: (n,) int64, lo: (n,) uint64, written.
    """
    for place in range(len(wallets)):
        wallet = wallets[place]
        of_hi = balance[wallet, 0]
        of_lo = U(balance[wallet, 1])
        if len(reserved) > 0:
            more_hi, more_lo = widen(reserved[wallet])
            of_hi, of_lo, _ = add(of_hi, of_lo, more_hi, more_lo)
        if len(overdraft) > 0:
            less_hi, less_lo = widen(overdraft[wallet])
            of_hi, of_lo, _ = subtract(of_hi, of_lo, less_hi, less_lo)
        hi[place] = of_hi
        lo[place] = of_lo


@kernel
def follow(
    wallet: Any,
    amount: Any,
    part_count: Any,
    part_wallet: Any,
    part_amount: Any,
    is_back: Any,
    wallets: Any,
    hi: Any,
    lo: Any,
    alone_hi: Any,
    alone_lo: Any,
    split_hi: Any,
    split_lo: Any,
) -> Any:
    """Move balances by n items in order, noting each one afterwards; return the first item that cannot, else -1.

    One cannot when its wallet is none of `wallets`, or its balance would exceed 128 bits.

    Args:
        wallet: (n,) int32 as in `RatedBlock`. amount: (n,) int64 billionths. part_count: (n,) int32, of WALLET_SPLIT.
        part_wallet: (m,) int32, part_amount: (m,) int64: the parts of all items, one after another.
        is_back: bool, whether amounts are given back rather than drawn.
        wallets: (w,) int64 ascending. hi: (w,) int64, lo: (w,) uint64, their balances, updated.
        alone_hi: (n,) int64, alone_lo: (n,) uint64, written: the balance of the one wallet that paid, else 0.
        split_hi: (m,) int64, split_lo: (m,) uint64, written: the balance after each part.
    """
    part = 0
    for row in range(len(wallet)):
        alone_hi[row] = 0
        alone_lo[row] = U(0)
        if wallet[row] == WALLET_NONE:
            continue
        is_split = wallet[row] == WALLET_SPLIT
        moves = I64(part_count[row]) if is_split else I64(1)
        for _ in range(moves):
            of = I64(part_wallet[part]) if is_split else I64(wallet[row])
            moved = part_amount[part] if is_split else amount[row]
            first = 0
            end = len(wallets)
            while first < end:
                middle = (first + end) >> 1
                if wallets[middle] < of:
                    first = middle + 1
                else:
                    end = middle
            if first == len(wallets) or wallets[first] != of:
                return row
            by_hi, by_lo = widen(moved)
            if is_back:
                new_hi, new_lo, overflow = add(hi[first], lo[first], by_hi, by_lo)
            else:
                new_hi, new_lo, overflow = subtract(hi[first], lo[first], by_hi, by_lo)
            if overflow:
                return row
            hi[first] = new_hi
            lo[first] = new_lo
            if is_split:
                split_hi[part] = new_hi
                split_lo[part] = new_lo
                part += 1
            else:
                alone_hi[row] = new_hi
                alone_lo[row] = new_lo
    return -1
