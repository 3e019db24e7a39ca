"""Counter cells as numbers, who shares them, and when their periods are: vectorised, for reratings."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from rating.image_charges import COMPANION
from rating.image_holders import ACCOUNT_PREFIX, GROUP_PREFIX
from rating.kernels.layout import COUNTER_PTR, PERIOD_DAY, PERIOD_EVER, PERIOD_MONTH, PERIOD_YEAR, Tariff
from rating.vocabulary import NameTable
from schemas.arrays import Int32Array, Int64Array

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
NO_CELL = -1
MARGIN_US = DAY_US
"""Local days begin and end up to 14 hours from those of UTC."""


LATE_US = 27 * DAY_US
"""Months of a counter begin on the 28th at the latest."""


def rolling_slots(counters: NameTable) -> Int32Array:
    """Return (k, 2): the slots of the counters that roll over, or did, and of their companions."""
    companions = counters.names.filter(counters.names.str.ends_with(COMPANION))
    return np.stack([counters.ids(companions.str.strip_suffix(COMPANION)), counters.ids(companions)], axis=1)


def shared_slots(counters: NameTable, slots: Int64Array) -> bool:
    """Return whether any of some slots may be of a counter that several subscriptions share."""
    names = counters.names.gather(slots)
    return bool((names.str.starts_with(ACCOUNT_PREFIX) | names.str.starts_with(GROUP_PREFIX)).any())


def cells_of(slot: Int32Array, period: Int32Array, rolling: Int32Array) -> Int64Array:
    """Return (n,) slot and period in one number, NO_CELL where the slot is -1.

    Args:
        rolling: (k, 2) of `rolling_slots`: what these count depends on all periods before, and is of one cell without end.
    """
    period = np.where(np.isin(slot, rolling[:, 0]), PERIOD_EVER, period)
    cell = slot.astype(np.int64) << np.int64(32) | period.astype(np.int64) & np.int64(0xFFFFFFFF)
    return np.where(slot < 0, NO_CELL, cell)


def owners_of_slots(tariff: Tariff, slots: Int64Array) -> Int32Array:
    """Return the ids of the subscriptions that count in any of some slots, ascending."""
    hits = np.flatnonzero(np.isin(tariff.counter_slot, slots))
    if not len(hits):
        return np.zeros(0, np.int32)
    # a subscription without counters begins where the next one does, so the last that begins there has them
    owner = np.searchsorted(tariff.subscription_row[:, COUNTER_PTR], hits, side="right") - 1
    return np.unique(owner).astype(np.int32)


def extent_of(cells: Int64Array, *, months_may_begin_late: bool = False) -> tuple[int, int] | None:
    """Return from when until when, microseconds UTC, the periods of k > 0 cells are at most; None when without end.

    Args:
        months_may_begin_late: whether months may begin, and so end, up to LATE_US later than those of the calendar.
    """
    period = (cells & 0xFFFFFFFF).astype(np.uint32).view(np.int32) if len(cells) else np.zeros(0, np.int32)
    kind, number = period & 3, (period >> 2).astype(np.int64)
    if (kind == PERIOD_EVER).any():
        return None
    low, high = [], []
    for unit, of in (("D", PERIOD_DAY), ("M", PERIOD_MONTH), ("Y", PERIOD_YEAR)):
        chosen = number[kind == of]
        if len(chosen):
            low.append(_instant(int(chosen.min()), unit))
            late = LATE_US if months_may_begin_late and of == PERIOD_MONTH else 0
            high.append(_instant(int(chosen.max()) + 1, unit) + late)
    return min(low) - MARGIN_US, max(high) + MARGIN_US


def _instant(number: int, unit: str) -> int:
    return int(np.datetime64(number, unit).astype("datetime64[us]").astype(np.int64))  # type: ignore[call-overload]


def components(groups: list[Int64Array], count: int) -> Int64Array:
    """Return (count,) a label for each element: elements with the same number >= 0 in any group have the same label.

    Args:
        groups: each (count,), -1 for an element that the group says nothing of.
    """
    label = np.arange(count, dtype=np.int64)
    places = []
    for group in groups:
        members = np.flatnonzero(group >= 0)
        _, place = np.unique(group[members], return_inverse=True)
        places.append((members, place, int(place.max(initial=-1)) + 1))
    while True:
        before = label.copy()
        for members, place, groups_count in places:
            least = np.full(groups_count, count, np.int64)
            np.minimum.at(least, place, label[members])
            label[members] = least[place]
        label = label[label]
        if np.array_equal(label, before):
            return label


def slots_of(tariff: Tariff, subscriptions: Int64Array) -> Int64Array:
    """Return the counter slots of some subscriptions, ascending."""
    first = tariff.subscription_row[:, COUNTER_PTR].astype(np.int64)
    ends = np.append(first[1:], len(tariff.counter_slot))
    mask = np.zeros(len(tariff.counter_slot) + 1, np.int64)
    np.add.at(mask, first[subscriptions], 1)
    np.add.at(mask, ends[subscriptions], -1)
    return np.unique(tariff.counter_slot[np.flatnonzero(np.cumsum(mask)[:-1])]).astype(np.int64)


def period_start(at: int, period: str, zone: str, first_day: int = 1) -> int | None:
    """Return from when, at most, the day, month or year of a zone is in which an instant lies; None for `ever`.

    Both microseconds UTC. Months begin on `first_day`.
    """
    units = {"day": "D", "month": "M", "year": "Y"}
    if period not in units:
        return None
    behind = timedelta(days=first_day - 1)
    local = datetime.fromtimestamp(at // SECOND_US, ZoneInfo(zone)).replace(tzinfo=None) - behind
    begins = np.datetime64(local).astype(f"datetime64[{units[period]}]")
    return int(begins.astype("datetime64[us]").astype(np.int64)) + (first_day - 1) * DAY_US - MARGIN_US
