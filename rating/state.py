"""The state of one account partition: counters and wallets, a function of its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from rating.kernels.balance import credit_wallets
from rating.kernels.layout import PERIOD_NONE, PERIODS_KEPT, Accounts
from rating.kernels.wide import join
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt64Array


class UnableToCredit(ValueError):
    """A credit would exceed the 128 bits of a balance, or names a wallet that does not exist."""


class UnableToLoadState(ValueError):
    """The arrays of a snapshot are not those of an account state."""


@dataclass(slots=True)
class AccountState:
    """Counters by slot and balances by wallet id.

    Attributes:
        counter_period: (slots, PERIODS_KEPT) which period each cell counts: number * 4 + kind, PERIOD_NONE
            when unused. Period number p lives in cell p & 3, so that four periods are kept and late usage
            finds its own.
        counter_used: (slots, PERIODS_KEPT) base steps consumed in it.
        balance_hi, balance_lo: (wallets,) credits minus debits, 128-bit two's complement billionths.
    """

    counter_period: Int32Array = field(default_factory=lambda: np.zeros((0, PERIODS_KEPT), np.int32))
    counter_used: Int64Array = field(default_factory=lambda: np.zeros((0, PERIODS_KEPT), np.int64))
    balance_hi: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))
    balance_lo: UInt64Array = field(default_factory=lambda: np.zeros(0, np.uint64))

    @property
    def wallet_count(self) -> int:
        """Return how many wallets have a balance."""
        return len(self.balance_hi)

    def grow(self, vocabulary: Vocabulary) -> None:
        """Make room for every counter and wallet of the vocabulary; new ones start at zero."""
        slots, wallets = len(vocabulary.counters), len(vocabulary.wallets)
        self.counter_period = _grown(self.counter_period, slots, PERIOD_NONE)
        self.counter_used = _grown(self.counter_used, slots, 0)
        self.balance_hi = _grown(self.balance_hi, wallets, 0)
        self.balance_lo = _grown(self.balance_lo, wallets, 0)

    def credit(self, wallet: Int32Array, amount: Int64Array) -> None:
        """Add amounts (k,), billionths, to the balances of wallets (k,).

        Raises:
            UnableToCredit: before anything changed when a wallet is unknown; after the amounts before it when
            one
                exceeds what a balance can hold.
        """
        if len(wallet) != len(amount) or (len(wallet) and not 0 <= wallet.min() <= wallet.max() < self.wallet_count):
            raise UnableToCredit("no such wallet")
        wallets, amounts = np.array(wallet, np.int32), np.array(amount, np.int64)
        stopped = int(credit_wallets(wallets, amounts, self.balance_hi, self.balance_lo))
        if stopped >= 0:
            raise UnableToCredit(f"the balance of wallet {wallets[stopped]} would exceed 128 bits")

    def balance(self, wallet: int) -> int:
        """Return the balance of a wallet in billionths."""
        return join(self.balance_hi[wallet], self.balance_lo[wallet])

    def kernel_view(self) -> Accounts:
        """Return the live arrays as kernels take them."""
        return Accounts(self.counter_period, self.counter_used, self.balance_hi, self.balance_lo)

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the live arrays by name, for a snapshot: copy or write them before rating goes on."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray[Any, Any]]) -> AccountState:
        """Return the state of a snapshot, on copies of its arrays.

        Raises:
            UnableToLoadState: when names, shapes or types differ from `to_arrays`.
        """
        empty = cls()
        if set(arrays) != set(cls.__slots__):
            raise UnableToLoadState(f"expected {sorted(cls.__slots__)}, found {sorted(arrays)}")
        for name in cls.__slots__:
            wanted, found = getattr(empty, name), arrays[name]
            if found.dtype != wanted.dtype or found.shape[1:] != wanted.shape[1:]:
                raise UnableToLoadState(f"{name} is {found.dtype}{found.shape}")
        state = cls(**{name: np.array(arrays[name], order="C") for name in cls.__slots__})
        if len(state.counter_period) != len(state.counter_used) or len(state.balance_hi) != len(state.balance_lo):
            raise UnableToLoadState("arrays of different lengths")
        return state

    def checksum(self) -> str:
        """Return a SHA-256 (hex) over all arrays: equal states have equal checksums."""
        digest = sha256()
        for name in self.__slots__:
            array = getattr(self, name)
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(memoryview(array).cast("B") if array.size else b"")
        return digest.hexdigest()


def _grown(array: np.ndarray[Any, Any], length: int, fill: int) -> np.ndarray[Any, Any]:
    if length <= len(array):
        return array
    added = np.full((length - len(array), *array.shape[1:]), fill, array.dtype)
    return np.ascontiguousarray(np.concatenate([array, added]))
