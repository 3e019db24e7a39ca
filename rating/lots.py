"""Credit that expires: lots of prepaid wallets, drawn from the one that expires first to the one that expires last.

The rating loop knows nothing of lots. What was drawn of them follows from how the balance fell since it was looked at last, so
they are settled when a wallet is credited, debited by hand, or due: a balance that fell has drawn the lots in order, then what
never expires; one that rose meanwhile, because usage was given back, has more that never expires.
Twin: `tests/support/lots_twin.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rating.kernels.wide import join
from rating.lines import longer, zeros
from schemas.arrays import Int32Array, Int64Array

NEVER = 2**62
"""An instant after all others."""
NO_LOT = -1
LOT = np.dtype(
    [
        ("wallet", "<i4"),
        ("account", "<i4"),
        ("next", "<i4"),
        ("spare", "<i4"),
        ("expires_at", "<i8"),
        ("left", "<i8"),
        ("seen_hi", "<i8"),
        ("seen_lo", "<u8"),
    ]
)
"""One lot, 48 bytes. `account`: whose wallet it is. `next`: row of the wallet's next lot in the order of expiry, NO_LOT at the
end. `expires_at`: microseconds UTC, NEVER when the row is free. `left`: billionths. `seen`: of a wallet's first lot, its open
balance when it was settled last, 128-bit."""
MASK = 2**64 - 1
ROWS_MIN = 64
PIECE = 4096
"""Rows of which it is known when the first of them is due."""


class Due(NamedTuple):
    """A lot that is due: whose it is, and what is left of it, billionths above 0."""

    account: int
    wallet: int
    left: int


class Lots:
    """All lots of one account partition, a function of its log.

    Attributes:
        rows: of LOT, longer than what is used. count: rows in use at the front, free ones among them. next_due: the earliest
            instant at which one is due, NEVER without any.

    Rows grow where they are. Of each wallet, `_first` has its first lot's row + 1, 0 without any; of each PIECE rows,
    `_soonest` has an instant before which none of them is due.
    """

    __slots__ = ("_first", "_free", "_soonest", "count", "next_due", "rows")

    def __init__(self) -> None:
        """Start without any."""
        self.rows: NDArray[Any] = np.zeros(0, LOT)
        self.count = 0
        self.next_due = NEVER
        self._first: Int32Array = np.zeros(0, np.int32)
        self._soonest: Int64Array = np.zeros(0, np.int64)
        self._free: list[int] = []

    def __len__(self) -> int:
        """Return how many lots there are."""
        return self.count - len(self._free)

    def of(self, wallet: int, balance: int) -> list[tuple[int, int]]:
        """Return (expires_at, left) of what a wallet with an open balance has left, in the order of expiry; changes nothing."""
        places = list(self._chain(wallet))
        found = [(int(self.rows["expires_at"][place]), int(self.rows["left"][place])) for place in places]
        fall = self._seen(places[0]) - balance if places else 0
        told = []
        for expires_at, left in found:
            drawn = min(left, max(fall, 0))
            fall -= drawn
            if left > drawn:
                told.append((expires_at, left - drawn))
        return told

    def add(self, account: int, wallet: int, amount: int, expires_at: int, balance: int) -> None:
        """Say that an amount (billionths, above 0) that expires came to a wallet, whose open balance is `balance` with it.

        Of a wallet that was below zero, what is left above zero expires.
        """
        self.settle(wallet, balance - amount)
        left = min(amount, balance)
        if left <= 0:
            return
        row = self._room()
        self.rows[row] = (wallet, account, NO_LOT, 0, expires_at, left, 0, 0)
        before = NO_LOT
        for place in self._chain(wallet):
            if int(self.rows["expires_at"][place]) > expires_at:
                break
            before = place
        if before == NO_LOT:
            self.rows["next"][row] = self._first_of(wallet)
            self._begin_with(wallet, row)
        else:
            self.rows["next"][row] = self.rows["next"][before]
            self.rows["next"][before] = row
        self._see(wallet, balance)
        self._soonest[row // PIECE] = min(int(self._soonest[row // PIECE]), expires_at)
        self.next_due = min(self.next_due, expires_at)

    def settle(self, wallet: int, balance: int) -> None:
        """Take off what was drawn until a wallet's open balance became `balance`; lots of which nothing is left go."""
        places = list(self._chain(wallet))
        if not places:
            return
        fall = max(self._seen(places[0]) - balance, 0)
        left_over: list[int] = []
        for place in places:
            drawn = min(int(self.rows["left"][place]), fall)
            fall -= drawn
            self.rows["left"][place] -= drawn
            if self.rows["left"][place]:
                left_over.append(place)
            else:
                self._release(place)
        self._link(wallet, left_over)
        self._see(wallet, balance)

    def drawn_by(self, wallet: int, amount: int) -> list[tuple[int, int]]:
        """Return (expires_at, part) of what an amount would draw of a settled wallet's lots, in the order of expiry."""
        drawn = []
        for place in self._chain(wallet):
            part = min(int(self.rows["left"][place]), amount)
            amount -= part
            if part:
                drawn.append((int(self.rows["expires_at"][place]), part))
        return drawn

    def due(self, at: int) -> Int32Array:
        """Return the wallets, ascending, of which a lot is due at an instant."""
        if at < self.next_due:
            return np.zeros(0, np.int32)
        found = [np.zeros(0, np.int32)]
        for piece in np.flatnonzero(self._soonest <= at).tolist():
            used = self.rows[piece * PIECE : min((piece + 1) * PIECE, self.count)]
            found.append(used["wallet"][used["expires_at"] <= at])
        wallets: Int32Array = np.unique(np.concatenate(found)).astype(np.int32)
        return wallets

    def expire(self, wallet: int, balance: int, available: int, at: int, again_at: int) -> Due | None:
        """Let the due lots of a wallet expire, as far as they are available, and return what expires; None when nothing does.

        What reservations hold of them is looked at again at `again_at`. The caller debits the wallet.
        """
        self.settle(wallet, balance)
        places = list(self._chain(wallet))
        taken, kept, later = 0, [], []
        account = int(self.rows["account"][places[0]]) if places else NO_LOT
        for place in places:
            if int(self.rows["expires_at"][place]) > at:
                later.append(place)
                continue
            part = min(int(self.rows["left"][place]), max(available - taken, 0))
            taken += part
            self.rows["left"][place] -= part
            if self.rows["left"][place]:
                self.rows["expires_at"][place] = again_at
                self._soonest[place // PIECE] = min(int(self._soonest[place // PIECE]), again_at)
                kept.append(place)
            else:
                self._release(place)
        order = sorted(kept + later, key=lambda place: int(self.rows["expires_at"][place]))
        self._link(wallet, order)
        self._see(wallet, balance - taken)
        return Due(account, wallet, taken) if taken else None

    def look_ahead(self) -> None:
        """Find out anew when the next lot is due."""
        soonest = self._soonest
        while len(soonest):
            piece = int(soonest.argmin())
            used = self.rows["expires_at"][piece * PIECE : min((piece + 1) * PIECE, self.count)]
            exact = int(used.min(initial=NEVER))
            if exact == soonest[piece]:  # no other piece has an earlier one
                self.next_due = exact
                return
            soonest[piece] = exact
        self.next_due = NEVER

    # ---- snapshots

    def to_array(self) -> NDArray[Any]:
        """Return the rows in use, for a snapshot."""
        return self.rows[: self.count].copy()

    def copied(self, rows: NDArray[Any]) -> Lots:
        """Return these lots, to be written only, on a copy of `rows` that was made before."""
        copy = Lots()
        copy.rows, copy.count, copy._free = rows, self.count, list(self._free)
        return copy

    @classmethod
    def from_array(cls, rows: NDArray[Any]) -> Lots:
        """Return what `to_array` wrote."""
        lots = cls()
        lots.rows, lots.count = zeros((len(rows),), LOT, grows=True), len(rows)
        lots.rows[:] = rows
        free = rows["expires_at"] == NEVER
        lots._free = np.flatnonzero(free).tolist()
        heapify(lots._free)
        following = np.zeros(len(rows) + 1, np.bool_)
        following[rows["next"][~free & (rows["next"] != NO_LOT)]] = True
        firsts = np.flatnonzero(~free & ~following[: len(rows)]).astype(np.int32)
        wallets = rows["wallet"][firsts]
        lots._first = longer(lots._first, int(wallets.max(initial=-1)) + 1)
        lots._first[wallets] = firsts + 1
        starts = np.arange(0, len(rows), PIECE)
        lots._soonest = np.minimum.reduceat(rows["expires_at"], starts) if len(rows) else lots._soonest
        lots.look_ahead()
        return lots

    # ---- chains

    def _first_of(self, wallet: int) -> int:
        return int(self._first[wallet]) - 1 if wallet < len(self._first) else NO_LOT

    def _begin_with(self, wallet: int, place: int) -> None:
        if wallet >= len(self._first):
            self._first = longer(self._first, max(ROWS_MIN, 2 * len(self._first), wallet + 1))
        self._first[wallet] = place + 1

    def _chain(self, wallet: int) -> Iterator[int]:
        place = self._first_of(wallet)
        while place != NO_LOT:
            yield place
            place = int(self.rows["next"][place])

    def _link(self, wallet: int, places: list[int]) -> None:
        self._begin_with(wallet, places[0] if places else NO_LOT)
        if not places:
            return
        self.rows["next"][places] = [*places[1:], NO_LOT]

    def _seen(self, place: int) -> int:
        return join(self.rows["seen_hi"][place], self.rows["seen_lo"][place])

    def _see(self, wallet: int, balance: int) -> None:
        place = self._first_of(wallet)
        if place != NO_LOT:
            self.rows["seen_hi"][place], self.rows["seen_lo"][place] = balance >> 64, balance & MASK

    def _room(self) -> int:
        if self._free:
            return heappop(self._free)  # the lowest one, so that a state that was read goes on as it would have
        if self.count == len(self.rows):
            self.rows = longer(self.rows, max(ROWS_MIN, 2 * len(self.rows)))
        if self.count == PIECE * len(self._soonest):
            self._soonest = np.append(self._soonest, NEVER)
        self.count += 1
        return self.count - 1

    def _release(self, place: int) -> None:
        self.rows[place] = (0, 0, NO_LOT, 0, NEVER, 0, 0, 0)
        heappush(self._free, place)


def lots_of(arrays: Mapping[str, NDArray[Any]]) -> Lots:
    """Return the lots of a snapshot's arrays; none of one that was written before there were any."""
    found = arrays.get("lots")
    return Lots() if found is None else Lots.from_array(np.frombuffer(found.tobytes(), LOT))
