"""A copy of counters, wallets and accumulators that is made beside whoever changes them, and is exact in the end.

A thread copies all rows, however they change meanwhile; whoever changes some says so *after* it did. Then whoever changes rows
copies those again, some with each change, and the last of them between two changes. What changes rows another way, or makes the
state grow, ends the following instead: then the copy is begun anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rating.kernels.follow import copy_reached
from rating.kernels.layout import Tariff
from rating.lines import zeros_in_lines
from schemas.arrays import Int32Array

AnyArray = np.ndarray[Any, Any]
NO_ROWS: Int32Array = np.zeros(0, np.int32)
PIECE_BYTES = 4 << 20
"""Copied at once: other threads wait no longer than that takes."""
AT_ONCE = 4
"""Changes that are copied again with each further one: more than come, so that soon only few are left."""
FEW = 4
"""Changes that may be left for the end."""


class Reached(NamedTuple):
    """Whatever usage of subscriptions (n,), below 0 of none, may move by a tariff."""

    tariff: Tariff
    subscriptions: Int32Array


class Moved(NamedTuple):
    """Rows that have changed, each (k,): counter slots, wallets and accumulators."""

    counters: AnyArray = NO_ROWS
    wallets: AnyArray = NO_ROWS
    accumulators: AnyArray = NO_ROWS


@dataclass(slots=True)
class Following:
    """The copy of one account state. `AccountState.follow` begins it.

    Attributes:
        sources: counters, balances, accumulated and accumulated_period of the state. copies: of those, as far as they are.
        changes: what changed since, and was not copied again. is_whole: all rows were copied once.
    """

    sources: tuple[AnyArray, ...]
    copies: tuple[AnyArray, ...] = ()
    changes: deque[Reached | Moved] = field(default_factory=deque)
    is_whole: bool = False

    def run(self, is_wanted: Callable[[], bool]) -> None:
        """Copy everything once, in a thread, unless it is no longer wanted."""
        self.copies = tuple(map(_like, self.sources))
        self.is_whole = all(
            copy_rows(source, copy, is_wanted) for source, copy in zip(self.sources, self.copies, strict=True)
        )

    @property
    def is_near(self) -> bool:
        """Whether little is left."""
        return self.is_whole and len(self.changes) <= FEW

    def changed(self, change: Reached | Moved) -> None:
        """Know of a change, and copy some again."""
        self.changes.append(change)
        self.catch_up(AT_ONCE)

    def catch_up(self, count: int) -> None:
        """Copy so many changes again, the oldest first, once all rows were copied: a thread may not overtake this."""
        if self.is_whole:
            for _ in range(min(count, len(self.changes))):
                self._copy_again(self.changes.popleft())

    def finish(self) -> tuple[AnyArray, ...]:
        """Return the exact copies."""
        self.catch_up(len(self.changes))
        return self.copies

    def _copy_again(self, change: Reached | Moved) -> None:
        if isinstance(change, Reached):
            tariff = change.tariff
            of = (tariff.subscription_row, tariff.counter_slot, tariff.account_wallet)
            copy_reached(change.subscriptions, *of, *self.sources[:2], *self.copies[:2])
            return
        for rows, places in zip(change, ((0,), (1,), (2, 3)), strict=True):
            for place in places if len(rows) else ():
                self.copies[place][rows] = self.sources[place][rows]


def _like(array: AnyArray) -> AnyArray:
    # rows within lines, so that what is copied may be a state again
    return zeros_in_lines(len(array), array.shape[1], array.dtype.type) if array.ndim == 2 else np.empty_like(array)


def copy_rows(source: AnyArray, copy: AnyArray, is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Copy an array into another one piece by piece; return whether it was wanted until the end."""
    rows = max(1, PIECE_BYTES * len(source) // max(source.nbytes, 1))
    for first in range(0, len(source), rows):
        if not is_wanted():
            return False
        copy[first : first + rows] = source[first : first + rows]
    return True
