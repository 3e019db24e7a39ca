"""The state of one account partition: counters, wallets and accumulators, a function of its log."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from rating.following import Following, Moved, Reached
from rating.kernels.balance import credit_wallets
from rating.kernels.layout import COUNTER_WORDS, PERIOD_FIRST, PERIOD_NONE, PERIODS_KEPT, Accounts
from rating.kernels.wide import join
from rating.lines import longer, zeros, zeros_in_lines
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt64Array

MASK = 2**64 - 1
NAMES = ("counter_period", "counter_used", "balance_hi", "balance_lo")
"""Arrays of a snapshot, in the order of the checksum."""
ACCUMULATOR_NAMES = ("accumulated", "accumulated_period")
"""Those that follow where there are accumulators."""
OVERDRAFT = "overdraft"
"""The one that follows where wallets may go below zero so far and no further."""


class UnableToCredit(ValueError):
    """A credit would exceed the 128 bits of a balance, or names a wallet that does not exist."""


class UnableToLoadState(ValueError):
    """The arrays of a snapshot are not those of an account state."""


class AccountState:
    """Counters by slot and balances by wallet id.

    What one usage reads and writes lies together: a counter is one line of the processor's cache, a balance is within one.

    Attributes:
        counters: (slots, COUNTER_WORDS) int64: what `counter_used` and `counter_period` show.
        balances: (wallets, 2) int64: what `balance_hi` and `balance_lo` show: what may still be drawn.
        reserved: (wallets,) int64 billionths that open reservations hold and that are in no balance; None before the first one.
        overdraft: (wallets,) int64 billionths that balances have too much, because so far below zero they may be drawn; None
            while no wallet may.
        accumulated: (accumulators, PERIODS_KEPT, 2) int64: the upper and the lower half of what has accumulated in the period
            of each cell. accumulated_period: (accumulators, PERIODS_KEPT) int32, which that is, as in `counter_period`.
        following: a copy that is made while rows change, told of each change; None while there is none.
    """

    __slots__ = ("accumulated", "accumulated_period", "balances", "counters", "following", "overdraft", "reserved")

    def __init__(self) -> None:
        """Start with nothing."""
        self.counters: Int64Array = zeros_in_lines(0, COUNTER_WORDS, np.int64)
        self.balances: Int64Array = zeros_in_lines(0, 2, np.int64)
        self.accumulated: Int64Array = np.zeros((0, PERIODS_KEPT, 2), np.int64)
        self.accumulated_period: Int32Array = np.zeros((0, PERIODS_KEPT), np.int32)
        self.reserved: Int64Array | None = None
        self.overdraft: Int64Array | None = None
        self.following: Following | None = None

    @property
    def counter_period(self) -> Int32Array:
        """(slots, PERIODS_KEPT) which period each cell counts: number * 4 + kind, PERIOD_NONE when unused.

        Period number p lives in cell p & 3, so that four periods are kept and late usage finds its own.
        """
        return self.counters.view(np.int32)[:, PERIOD_FIRST : PERIOD_FIRST + PERIODS_KEPT]

    @property
    def counter_used(self) -> Int64Array:
        """(slots, PERIODS_KEPT) base steps consumed in each cell's period."""
        return self.counters[:, :PERIODS_KEPT]

    @property
    def balance_hi(self) -> Int64Array:
        """(wallets,) upper half of credits minus debits, 128-bit two's complement billionths."""
        return self.balances[:, 0]

    @property
    def balance_lo(self) -> UInt64Array:
        """(wallets,) its lower half."""
        return self.balances.view(np.uint64)[:, 1]

    @property
    def wallet_count(self) -> int:
        """Return how many wallets have a balance."""
        return len(self.balances)

    @property
    def counter_count(self) -> int:
        """Return how many counters there are."""
        return len(self.counters)

    @property
    def accumulator_count(self) -> int:
        """Return how many accumulators there are."""
        return len(self.accumulated)

    @property
    def nbytes(self) -> int:
        """Return how much memory it takes."""
        accumulators = self.accumulated.nbytes + self.accumulated_period.nbytes
        return self.counters.nbytes + self.balances.nbytes + accumulators

    def follow(self) -> Following:
        """Begin a copy that is made while this state changes."""
        self.following = Following((self.counters, self.balances, self.accumulated, self.accumulated_period))
        return self.following

    def touched(self, change: Reached | Moved) -> None:
        """Say which rows have changed, to whoever copies them meanwhile: after each change, and of all that it changed."""
        if self.following is not None:
            self.following.changed(change)

    def followed(self, copies: tuple[np.ndarray[Any, Any], ...]) -> AccountState:
        """Return a state of the copies that a following made; it ends. Nobody holds reservations in it."""
        copy = AccountState()
        copy.counters, copy.balances, copy.accumulated, copy.accumulated_period = copies
        copy.overdraft = self.overdraft  # another array whenever it changes
        self.following = None
        return copy

    def grow(self, vocabulary: Vocabulary) -> None:
        """Make room for every counter, wallet and accumulator of the vocabulary; new ones start at zero.

        It takes as long as there are new ones, however many there are already: large arrays grow where they are.
        """
        self.following = None
        known, accumulators = self.counter_count, self.accumulator_count
        self.counters = longer(self.counters, len(vocabulary.counters))
        self.counter_period[known:] = PERIOD_NONE
        self.balances = longer(self.balances, len(vocabulary.wallets))
        self.accumulated = longer(self.accumulated, len(vocabulary.accumulators))
        self.accumulated_period = longer(self.accumulated_period, len(vocabulary.accumulators))
        self.accumulated_period[accumulators:] = PERIOD_NONE
        self.reserved, self.overdraft = (
            None if held is None else longer(held, self.wallet_count) for held in (self.reserved, self.overdraft)
        )

    def uncounted(self) -> AccountState:
        """Return a state with the same balances and accumulators, which move here and there, and counters that are empty.

        Nobody follows what is moved there.
        """
        self.following = None
        other = AccountState()
        other.counters = longer(other.counters, self.counter_count)
        other.counter_period[:] = PERIOD_NONE
        other.accumulated, other.accumulated_period = self.accumulated, self.accumulated_period
        other.balances, other.reserved, other.overdraft = self.balances, self.reserved, self.overdraft
        return other

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
        stopped = int(credit_wallets(wallets, amounts, self.balances))
        self.touched(Moved(wallets=wallets))
        if stopped >= 0:
            raise UnableToCredit(f"the balance of wallet {wallets[stopped]} would exceed 128 bits")

    def allow(self, wallets: Int32Array, overdrafts: Int64Array) -> None:
        """Let wallets (k,) be drawn so far below zero, billionths, and all others not at all.

        Wallets that may go below zero without end are none of them.
        """
        if self.overdraft is None and not len(wallets):
            return
        wanted = np.zeros(self.wallet_count, np.int64)
        wanted[wallets] = overdrafts
        change = wanted if self.overdraft is None else wanted - self.overdraft
        changed = np.flatnonzero(change).astype(np.int32)
        self.credit(changed, change[changed])
        self.overdraft = wanted if wanted.any() else None

    def beside(self, wallets: Int32Array | Int64Array) -> Int64Array:
        """Return what is to be added to balances of wallets (k,) to have open ones."""
        held = np.zeros(len(wallets), np.int64) if self.reserved is None else self.reserved[wallets]
        return held if self.overdraft is None else held - self.overdraft[wallets]

    def balance(self, wallet: int) -> int:
        """Return what may be drawn of a wallet, billionths."""
        return join(self.balance_hi[wallet], self.balance_lo[wallet])

    def accumulator(self, slot: int, cell: int) -> int:
        """Return what has accumulated in one cell."""
        hi, lo = self.accumulated[slot, cell]
        return join(hi, int(lo) & 2**64 - 1)

    def reserve(self, wallets: Int64Array, amounts: Int64Array) -> None:
        """Say that amounts (k,) drawn from wallets (k,) are held by reservations, or, negative ones, that they are no more.

        The caller guarantees that no wallet's sum exceeds 64 bits.
        """
        if self.reserved is None:
            self.reserved = np.zeros(self.wallet_count, np.int64)
        np.add.at(self.reserved, wallets, amounts)

    def open_balances(self, wallets: Int64Array) -> dict[int, int]:
        """Return, for each of some wallets, credits minus debits: what may be drawn and is reserved, less its overdraft."""
        held = self.balances[wallets].tolist()
        reserved = self.beside(wallets).tolist()
        return {
            wallet: (hi << 64) + (lo & MASK) + kept
            for wallet, (hi, lo), kept in zip(wallets.tolist(), held, reserved, strict=True)
        }

    def kernel_view(self) -> Accounts:
        """Return the live arrays as kernels take them."""
        return Accounts(self.counters, self.counters.view(np.int32), self.balances)

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return copies by name, for a snapshot."""
        names = NAMES + (ACCUMULATOR_NAMES if self.accumulator_count else ())
        names += () if self.overdraft is None else (OVERDRAFT,)
        return {name: np.array(getattr(self, name), order="C") for name in names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray[Any, Any]]) -> AccountState:
        """Return the state of a snapshot, on copies of its arrays.

        Raises:
            UnableToLoadState: when names, shapes or types differ from `to_arrays`.
        """
        names = NAMES + (ACCUMULATOR_NAMES if "accumulated" in arrays else ())
        overdraft = arrays.get(OVERDRAFT)
        if set(arrays) - {OVERDRAFT} != set(names):
            raise UnableToLoadState(f"expected {sorted(names)}, found {sorted(arrays)}")
        state = cls()
        for name in names:
            wanted, found = getattr(state, name), arrays[name]
            if found.dtype != wanted.dtype or found.shape[1:] != wanted.shape[1:]:
                raise UnableToLoadState(f"{name} is {found.dtype}{found.shape}")
        together = (NAMES[:2], NAMES[2:], names[len(NAMES) :])
        slots, wallets, accumulators = ({len(arrays[name]) for name in some} for some in together)
        if max(map(len, (slots, wallets, accumulators))) > 1:
            raise UnableToLoadState("arrays of different lengths")
        state.counters = zeros((slots.pop(), COUNTER_WORDS), np.int64, grows=True)
        state.balances = zeros((wallets.pop(), 2), np.int64, grows=True)
        for name in NAMES:
            getattr(state, name)[:] = arrays[name]
        for name in names[len(NAMES) :]:
            setattr(state, name, np.array(arrays[name], order="C"))
        if overdraft is not None:
            if overdraft.dtype != np.int64 or overdraft.shape != (state.wallet_count,):
                raise UnableToLoadState(f"{OVERDRAFT} is {overdraft.dtype}{overdraft.shape}")
            state.overdraft = np.array(overdraft, order="C")
        return state

    def checksum(self) -> str:
        """Return a SHA-256 (hex) over all arrays: equal states have equal checksums."""
        digest = sha256()
        for name, array in self.to_arrays().items():
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(array.view(np.uint8).reshape(-1).data if array.size else b"")
        return digest.hexdigest()
