"""What was there before a journal entry that takes items back and rates them again: it tells of no level already passed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from rating.image_levels import Notices
from rating.kernels.carry import carried_into
from rating.kernels.layout import PERIOD_NONE, PERIODS_KEPT, ROLL_PERIODS
from rating.periods import rolling_slots
from rating.reversal import RatedItems
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.vocabulary import NameTable
from schemas.arrays import Int32Array, Int64Array

COUNTER, ACCUMULATOR, WALLET = range(3)
"""Kinds of things that cross levels, in the order in which an item tells of them."""
Thing = tuple[int, int, int]
"""A kind, a slot or wallet id, and a period (0 of a wallet)."""


@dataclass(slots=True)
class Before:
    """What counters, accumulators and wallets held; use `before_rerating`.

    Attributes:
        values: of the things that items were taken back from. rolling: of counters that roll over, companion and rule by slot.
    """

    values: Counter[Thing] = field(default_factory=Counter)
    rolling: dict[int, tuple[int, Int64Array]] = field(default_factory=dict)

    def note(self, items: RatedItems, state: AccountState) -> None:
        """Keep what a block of items, which are about to be taken back, find; what is known already stays.

        A counter whose period is no longer kept held what its items consumed, all of which are taken back.
        """
        counted = np.flatnonzero(items.counter_slot >= 0)
        slots, periods = items.counter_slot[counted], items.counter_period[counted]
        for (slot, period), quantity in _sums(slots, periods, items.rated_quantity[counted]):
            if slot in self.rolling:
                self._note_rolling(slot, state)
            if int(state.counter_period[slot, _cell(period)]) == period:
                self.values.setdefault((COUNTER, slot, period), int(state.counter_used[slot, _cell(period)]))
            else:
                self.values[COUNTER, slot, period] += quantity
        for (slot, period), _ in _sums(items.grown_slot, items.grown_period, items.grown_by):
            if int(state.accumulated_period[slot, _cell(period)]) == period:
                self.values.setdefault((ACCUMULATOR, slot, period), state.accumulator(slot, _cell(period)))
        for wallet in np.unique(np.concatenate([items.wallet[items.wallet >= 0], items.split_wallet])).tolist():
            self.values.setdefault((WALLET, wallet, 0), state.open_balances(np.array([wallet]))[wallet])

    def _note_rolling(self, slot: int, state: AccountState) -> None:
        """Keep all periods of a counter that rolls over, each less what was carried into it, which depends on the others."""
        companion, rule = self.rolling[slot]
        used, period, _ = state.kernel_view()
        for cell, tag in enumerate(state.counter_period[slot].tolist()):
            if tag == PERIOD_NONE or (COUNTER, slot, tag) in self.values:
                continue
            carried = carried_into(
                np.int64(tag >> 2),
                np.int64(slot),
                np.array([companion], np.int32),
                np.int64(0),
                np.int64(tag & 3),
                rule,
                used,
                period,
                np.zeros(PERIODS_KEPT, np.int64),
            )
            self.values[COUNTER, slot, tag] = int(state.counter_used[slot, cell]) - max(int(carried), 0)

    def is_beyond(self, thing: Thing, level: int) -> bool:
        """Return whether a thing was on the far side of a level, told as `Levels` does, before."""
        if thing not in self.values:
            return False
        return self.values[thing] * (-1 if thing[0] == WALLET else 1) >= level


def before_rerating(image: TariffImage, counters: NameTable) -> Before | None:
    """Return what is to be told what items are taken back before they are rated by an image; None where it has no levels."""
    if image.notices is None:
        return None
    return Before(rolling=_rules(image, image.notices, counters) if image.rolls is not None else {})


def _rules(image: TariffImage, notices: Notices, counters: NameTable) -> dict[int, tuple[int, Int64Array]]:
    assert image.rolls is not None
    rules = {words.code: rule for words, rule in zip(notices.counter_words, image.rolls, strict=True)}
    found = {}
    for slot, companion in rolling_slots(counters).tolist():
        rule = rules.get(counters.name(slot).rpartition("/")[2])
        if rule is not None and rule[ROLL_PERIODS]:
            found[slot] = (companion, rule)
    return found


def _cell(period: int) -> int:
    return (period >> 2) & (PERIODS_KEPT - 1)


def _sums(slot: Int32Array, period: Int32Array, by: Int64Array) -> list[tuple[tuple[int, int], int]]:
    """Return every (slot, period) once, with the sum of what has it."""
    sums: Counter[tuple[int, int]] = Counter()
    for one, of, quantity in zip(slot.tolist(), period.tolist(), by.tolist(), strict=True):
        sums[one, of] += quantity
    return list(sums.items())
