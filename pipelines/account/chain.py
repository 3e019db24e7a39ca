"""What the wallets of a frame hold, from one of its facts to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.account.kept import Items
from pipelines.account.kernels import chain as kernels
from rating.state import AccountState
from schemas.arrays import Int64Array, UInt64Array

_NOTHING: Int64Array = np.zeros(0, np.int64)


class UnableToChain(ValueError):
    """Items draw on wallets that are not those of the frame, or more than a balance can say: a programming error."""


@dataclass(slots=True)
class Chain:
    """Open balances: credits less what is final.

    Attributes:
        wallets: (n,) ascending, each once. hi, lo: (n,) halves of their balances, billionths.
    """

    wallets: Int64Array
    hi: Int64Array
    lo: UInt64Array

    @classmethod
    def of(cls, wallets: Int64Array, account: AccountState) -> Chain:
        """Return what wallets (n,), ascending, each once, hold in a state."""
        hi, lo = np.empty(len(wallets), np.int64), np.empty(len(wallets), np.uint64)
        reserved, overdraft = (_NOTHING if held is None else held for held in (account.reserved, account.overdraft))
        kernels.open_balances(wallets, account.balances, reserved, overdraft, hi, lo)
        return cls(wallets, hi, lo)

    def holds_as(self, account: AccountState) -> bool:
        """Return whether the wallets hold the same in a state."""
        other = Chain.of(self.wallets, account)
        return self.hi.tobytes() == other.hi.tobytes() and self.lo.tobytes() == other.lo.tobytes()

    def follow(self, items: Items, *, is_back: bool) -> tuple[Int64Array, UInt64Array, Int64Array, UInt64Array]:
        """Move on by items (n,), which are drawn or given back.

        Returns:
            Halves of balances: (n,) and (n,) of the wallet that paid an item alone, else 0; (m,) and (m,) after each part.

        Raises:
            UnableToChain: when it cannot; the chain is then useless.
        """
        n, m = len(items.rows), len(items.parts)
        alone_hi, alone_lo = np.empty(n, np.int64), np.empty(n, np.uint64)
        split_hi, split_lo = np.empty(m, np.int64), np.empty(m, np.uint64)
        rows, parts = items.rows, items.parts
        stopped = kernels.follow(
            np.array(rows["wallet"]),
            np.array(rows["amount"]),
            np.array(rows["part_count"]),
            np.array(parts["wallet"]),
            np.array(parts["amount"]),
            is_back,
            self.wallets,
            self.hi,
            self.lo,
            alone_hi,
            alone_lo,
            split_hi,
            split_lo,
        )
        if stopped >= 0:
            raise UnableToChain(f"item {stopped} moves a wallet that its frame does not know, or beyond 128 bits")
        return alone_hi, alone_lo, split_hi, split_lo
