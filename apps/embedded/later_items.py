"""What stands though its price would be another one now: items rated later on a counter that included what is taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.embedded.cancel import Withdrawal
from apps.embedded.engine import Engine
from rating.image_charges import COMPANION
from rating.kernels.layout import PERIODS_KEPT
from rating.reversal import find_counters, subscriptions_on
from schemas.arrays import Int32Array, Int64Array, UInt64Array
from schemas.cancellation import CancelledKind

SUBSCRIPTIONS_ASKED_MAX = 5_000
"""Subscriptions that one statement names at most."""
_ITEMS = """
SELECT claim, record, image, charge_version, toInt64(toUnixTimestamp64Micro(event_at)) AS event_at, subscription
FROM fact_usage WHERE subscription IN ({subscriptions}) AND (claim, record) > ({claim}, {record})
  AND (claim, record, branch) NOT IN (SELECT reversed_claim, reversed_record, reversed_branch FROM fact_reversal)
  AND (claim, block) NOT IN (SELECT claim, block FROM fact_reversal)
ORDER BY claim, record, branch
"""
Cell = tuple[int, int]
"""A counter and the period that it counts."""


@dataclass(slots=True)
class LaterItems:
    """Counts rated items that stand, and came after usage that is withdrawn, on the same counters.

    Attributes:
        first: counter and period -> place (claim and record in one number) of the earliest item that is withdrawn from it.
        gone: places of all items that are withdrawn. images: ids of those that rated them.
    """

    engine: Engine
    withdrawal: Withdrawal
    first: dict[Cell, int] = field(default_factory=dict)
    gone: list[UInt64Array] = field(default_factory=list)
    images: set[int] = field(default_factory=set)

    def add(self, commands: pa.RecordBatch) -> None:
        """Note what some commands withdraw."""
        column = {
            name: commands.column(name).to_numpy()
            for name in ("kind", "claim", "record", "counter_slot", "counter_period", "image")
        }
        rated = column["kind"] == CancelledKind.RATED
        place = _places(column["claim"], column["record"])
        self.gone.append(place[rated])
        counted = np.flatnonzero(rated & (column["counter_slot"] >= 0))
        self.images.update(np.unique(column["image"][counted]).tolist())
        cells = zip(column["counter_slot"][counted].tolist(), column["counter_period"][counted].tolist(), strict=True)
        for cell, at in zip(cells, place[counted].tolist(), strict=True):
            self.first[cell] = min(self.first.get(cell, at), at)

    def count(self) -> int:
        """Return how many items stand on those counters, and came later."""
        if not self.first:
            return 0
        gone = np.concatenate(self.gone)
        earliest = min(self.first.values())
        ordered = self._subscriptions()
        total = 0
        for start in range(0, len(ordered), SUBSCRIPTIONS_ASKED_MAX):
            some = ", ".join(map(str, ordered[start : start + SUBSCRIPTIONS_ASKED_MAX]))
            rows = self.engine.store.query(
                _ITEMS.format(subscriptions=some, claim=earliest >> 32, record=earliest & 0xFFFFFFFF)
            )
            for image in np.unique(rows["image"].to_numpy()).tolist():
                total += self._of_image(rows.filter(pc.equal(rows["image"], image)), image, gone)
        return total

    def _subscriptions(self) -> list[int]:
        """Return whose items may be on those counters, by the images that rated what is withdrawn and the one in force."""
        slots = np.array(sorted({slot for slot, _ in self.first}), np.int32)
        named = (self.engine.state.vocabulary.images.name(image) for image in self.images)
        hashes = sorted({*named, self.engine.state.image} - {""})
        found = (subscriptions_on(slots, self.withdrawal.image(each).image.tariff) for each in hashes)
        return sorted({subscription for some in found for subscription in some.tolist()})

    def _of_image(self, rows: pa.Table, image: int, gone: UInt64Array) -> int:
        column: dict[str, Any] = {name: rows[name].to_numpy() for name in rows.column_names}
        place = _places(column["claim"], column["record"])
        tariff = self.withdrawal.image(self.engine.state.vocabulary.images.name(image)).image.tariff
        slot, _, period = _counters(column, tariff)
        stands = ~np.isin(place, gone)
        words = self.engine.state.vocabulary.counters
        rolling = {each for each, _ in self.first if words.id(words.name(each) + COMPANION) >= 0}
        return sum(
            any(at > self.first.get((on, each), at) for each in _periods(number, on in rolling))
            for on, number, at, counts in zip(
                slot.tolist(), period.tolist(), place.tolist(), stands.tolist(), strict=True
            )
            if counts
        )


def _periods(period: int, rolling: bool) -> range:  # noqa: FBT001
    """Return the periods, as counters note them, whose usage the price of an item in one of them looks at."""
    return range(period, period - (PERIODS_KEPT * PERIODS_KEPT if rolling else 1), -PERIODS_KEPT)


def _counters(column: dict[str, Any], tariff: Any) -> tuple[Int32Array, Int32Array, Int32Array]:
    event_at: Int64Array = column["event_at"]
    subscription, version = column["subscription"].astype(np.int32), column["charge_version"].astype(np.int32)
    return find_counters(event_at, subscription, version, tariff)


def _places(claim: Any, record: Any) -> UInt64Array:
    places: UInt64Array = claim.astype(np.uint64) << np.uint64(32) | record.astype(np.uint64)
    return places
