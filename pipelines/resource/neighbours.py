"""Identities near midnight: records of one usage whose event times lie on two days are known to each other.

Every day has keys of its own. A record near a midnight holds a second key besides, the *midnight key*, on the day before that
midnight: it says that a record with this identity lies near it. Where it is held, and the identity itself is held on the other
day, a record is decided there. All others stay on their day: this runs for sources that ask for it only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.resource.dedup import DAY_US, DedupWindow
from pipelines.resource.kernels import dedup as kernels
from schemas.arrays import BoolArray, Int64Array, UInt64Array

SALT = np.uint64(0x6D69646E69676874)
"""Makes the midnight key of an identity: what its upper half is combined with."""


@dataclass(frozen=True, slots=True)
class NearMidnight:
    """The rows of a block near a midnight, k of them.

    Attributes:
        row: (k,) rows, ascending. other: (k,) the day on the other side. hi, lo: (k,) midnight keys.
        midnight_at: (k,) instants on the day on which those are held.
    """

    row: Int64Array
    other: Int64Array
    hi: UInt64Array
    lo: UInt64Array
    midnight_at: Int64Array

    def __getitem__(self, chosen: BoolArray) -> NearMidnight:
        """Return some of the rows."""
        return NearMidnight(
            self.row[chosen], self.other[chosen], self.hi[chosen], self.lo[chosen], self.midnight_at[chosen]
        )


def near_midnight(
    key_hi: UInt64Array, key_lo: UInt64Array, event_at: Int64Array, candidate: BoolArray, tolerance_us: int
) -> NearMidnight:
    """Return which of n records lie near midnight.

    Args:
        key_hi, key_lo: (n,) identities. event_at: (n,) microseconds UTC. candidate: (n,) rows that count.
        tolerance_us: at most half a day.
    """
    day, off = event_at // DAY_US, event_at % DAY_US
    late = off >= DAY_US - tolerance_us
    row = np.flatnonzero(candidate & (late | (off < tolerance_us))).astype(np.int64)
    before = day[row] - ~late[row]
    return NearMidnight(
        row, day[row] + np.where(late[row], 1, -1), key_hi[row] ^ SALT, key_lo[row], before * np.int64(DAY_US)
    )


def dated(
    window: DedupWindow,
    key_hi: UInt64Array,
    key_lo: UInt64Array,
    event_at: Int64Array,
    near: NearMidnight,
    usable: BoolArray | None = None,
) -> Int64Array:
    """Return (n,) instants on the day on which each record's key is, or is going to be, held.

    The window is looked at, not changed, but for days that wake.

    Args:
        usable: (n,) rows of a block that may take a key; None where all keys are held already.
    """
    found = event_at.copy()
    row = near.row
    if not len(row):
        return found
    held = _held(window, key_hi[row], key_lo[row], event_at[row] // DAY_US)
    beyond = ~held & _held(window, near.hi, near.lo, near.midnight_at // DAY_US)
    beyond[beyond] = _held(window, key_hi[row[beyond]], key_lo[row[beyond]], near.other[beyond])
    found[row[beyond]] = near.other[beyond] * DAY_US
    if usable is not None:
        _follow(key_hi, key_lo, event_at, near[~held & ~beyond], usable, found)
    return found


def _follow(
    key_hi: UInt64Array,
    key_lo: UInt64Array,
    event_at: Int64Array,
    near: NearMidnight,
    usable: BoolArray,
    found: Int64Array,
) -> None:
    """Put rows whose usage came first on the other side of midnight in the same block there; few blocks have any."""
    row, late = near.row, near.other * DAY_US > event_at[near.row]
    order = np.lexsort((near.midnight_at, key_lo[row], key_hi[row]))
    columns = (key_hi[row][order], key_lo[row][order], near.midnight_at[order])
    begins = np.ones(len(row), np.bool_)
    if len(row):
        begins[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    group = np.cumsum(begins) - 1
    sides = np.zeros((int(begins.sum()), 2), np.bool_)
    sides[group, late[order].astype(np.int64)] = True
    is_near = set(row.tolist())
    for number in np.flatnonzero(sides.all(axis=1)).tolist():
        of_group = row[order[group == number]]
        one = of_group[0]
        same = np.flatnonzero((key_lo == key_lo[one]) & (key_hi == key_hi[one]) & usable).tolist()
        taken: set[int] = set()
        marked = False
        for member in same:
            day, nears = int(event_at[member]) // DAY_US, member in is_near and member in of_group
            others = taken - {day}
            if day in taken:
                continue
            if nears and marked and others:
                found[member] = max(others) * DAY_US
                continue
            taken.add(day)
            marked |= nears


def mark(window: DedupWindow, near: NearMidnight, took: BoolArray) -> None:
    """Write down that records lie near a midnight: those of `near` that took their identity, (n,) bool."""
    chosen = near[took[near.row]]
    _decide(window, chosen.hi, chosen.lo, chosen.midnight_at // DAY_US, takes=True)


def _held(window: DedupWindow, hi: UInt64Array, lo: UInt64Array, day: Int64Array) -> BoolArray:
    """Return (k,) whether each key is held on a day."""
    return _decide(window, hi, lo, day, takes=False)


def _decide(window: DedupWindow, hi: UInt64Array, lo: UInt64Array, day: Int64Array, *, takes: bool) -> BoolArray:
    """Ask for keys on their days, or take those that are not held; return (k,) which ones are."""
    asked = day >= window.first_day
    if not takes:
        asked &= np.isin(day, [number for number, bucket in window.buckets.items() if bucket.count])
    usable = np.full(len(hi), takes)
    decision = window.decide(hi, lo, np.ones(len(hi), np.uint64), day * np.int64(DAY_US), asked, usable)
    found: BoolArray = np.isin(decision.verdict, (kernels.DUPLICATE, kernels.CONFLICT))
    return found
