"""Taking rated items back: the exact opposite of what `rate` moved, on the state of now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rating.following import Moved
from rating.kernels.accumulate import lower_accumulators
from rating.kernels.layout import COUNTER_PTR, PERIODS_KEPT, Tariff
from rating.kernels.reverse import (
    give_back,
    largest_version,
    locate_counters,
    locate_versions,
    lower_counters,
    unexpected,
)
from rating.state import AccountState
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt64Array
from schemas.quantity import QUANTITY_MAX
from schemas.rated_item import WALLET_SPLIT

BALANCE_END = 2**127


class UnableToReverse(ValueError):
    """Items are not those that this state rated: a counter holds less than they consumed, or a wallet is unknown."""


@dataclass(frozen=True, slots=True)
class RatedItems:
    """n rated items as they were stored, their quantities and amounts below zero where usage was taken back.

    Attributes:
        rated_quantity, amount: (n,). wallet: (n,) as in `RatedBlock`.
        counter_slot, counter_cell, counter_period: (n,) see `locate_counters`.
        split_ptr: (n + 1,) item i was paid by the parts split_ptr[i] .. split_ptr[i + 1], empty unless WALLET_SPLIT.
        split_wallet, split_amount: (m,) the parts in drawing order.
        grown_slot, grown_period, grown_by: (k,) what they added to accumulators, as in `Growths`.
    """

    rated_quantity: Int64Array
    amount: Int64Array
    wallet: Int32Array
    counter_slot: Int32Array
    counter_cell: Int32Array
    counter_period: Int32Array
    split_ptr: Int64Array
    split_wallet: Int32Array
    split_amount: Int64Array
    grown_slot: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    grown_period: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    grown_by: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.amount)


@dataclass(frozen=True, slots=True)
class ReversedItems:
    """What giving n items back did.

    Attributes:
        counter_before: (n,) the counter before, 0 where it was not touched. counter_fate: (n,) `CounterFate`.
        balance_hi, balance_lo: (n,) balance of the one wallet that got all of it back, else 0.
        split_balance_hi, split_balance_lo: (m,) balances after the parts.
    """

    counter_before: Int64Array
    counter_fate: UInt8Array
    balance_hi: Int64Array
    balance_lo: UInt64Array
    split_balance_hi: Int64Array
    split_balance_lo: UInt64Array


def reverse(items: RatedItems, state: AccountState, *, below_zero: bool = False) -> ReversedItems:
    """Give back, in order, what items drew from wallets, consumed of counters and added to accumulators, updating `state`.

    A counter or accumulator whose period is no longer kept is left as it is (`CounterFate.LEFT`).

    Args:
        below_zero: whether counters may stand below zero, because usage was taken back.

    Raises:
        UnableToReverse: when they are not items of this state; it is then useless.
    """
    n = len(items)
    _expect_known(items, state)
    accounts = state.kernel_view()
    before, fate = np.empty(n, np.int64), np.empty(n, np.uint8)
    stopped = int(
        lower_counters(
            items.counter_slot,
            items.counter_cell,
            items.counter_period,
            items.rated_quantity,
            accounts.counter_period,
            accounts.counter_used,
            before,
            fate,
            -QUANTITY_MAX if below_zero else 0,
        )
    )
    _require(stopped < 0, f"item {stopped} consumed more than its counter holds")
    if len(items.grown_slot):
        accumulators = (state.accumulated, state.accumulated_period, below_zero)
        stopped = int(lower_accumulators(items.grown_slot, items.grown_period, items.grown_by, *accumulators))
        _require(stopped < 0, f"growth {stopped} is more than its accumulator holds")
    wallet, amount, place, parts = _movements(items)
    hi, lo = np.empty(len(wallet), np.int64), np.empty(len(wallet), np.uint64)
    stopped = int(give_back(wallet, amount, accounts.balance, hi, lo))
    _require(stopped < 0, f"the balance of a wallet would exceed 128 bits at movement {stopped}")
    if state.following is not None:
        state.touched(Moved(_known(items.counter_slot), _known(wallet), _known(items.grown_slot)))
    if not len(parts):
        return ReversedItems(before, fate, hi, lo, hi[:0], lo[:0])
    single = items.wallet != WALLET_SPLIT
    balance_hi, balance_lo = np.zeros(n, np.int64), np.zeros(n, np.uint64)
    balance_hi[single], balance_lo[single] = hi[place[single]], lo[place[single]]
    return ReversedItems(before, fate, balance_hi, balance_lo, hi[parts], lo[parts])


def expect_reversible(blocks: Iterable[RatedItems], state: AccountState, *, below_zero: bool = False) -> None:
    """Check that `reverse` can give back items, block after block, without touching the state.

    Args:
        below_zero: as in `reverse`.

    Raises:
        UnableToReverse: when it cannot.
    """
    consumed: Counter[tuple[int, int]] = Counter()
    given: Counter[int] = Counter()
    grown: Counter[tuple[int, int, int]] = Counter()
    for items in blocks:
        _expect_known(items, state)
        kept = np.flatnonzero(items.counter_slot >= 0)
        slot, cell = items.counter_slot[kept], items.counter_cell[kept]
        same = state.counter_period[slot, cell] == items.counter_period[kept]
        quantity = items.rated_quantity[kept][same].tolist()
        for place, part in zip(zip(slot[same].tolist(), cell[same].tolist(), strict=True), quantity, strict=True):
            consumed[place] += part
        wallet, amount, *_ = _movements(items)
        for number, part in zip(wallet.tolist(), amount.tolist(), strict=True):
            given[number] += part
        places = zip(items.grown_slot.tolist(), items.grown_period.tolist(), items.grown_by.tolist(), strict=True)
        for one, period, by in places:
            grown[one, (period >> 2) % PERIODS_KEPT, period] += by
    for (one, at, period), total in grown.items():
        gone = int(state.accumulated_period[one, at]) != period
        _require(
            gone or below_zero or total <= state.accumulator(one, at), "items added more than their accumulator holds"
        )
    for (one, at), total in consumed.items():
        least = -QUANTITY_MAX if below_zero else 0
        _require(total + least <= int(state.counter_used[one, at]), "items consumed more than their counter holds")
    for number, total in given.items():
        fits = number < 0 or -BALANCE_END <= state.balance(number) + total < BALANCE_END
        _require(fits, "the balance of a wallet would exceed 128 bits")


_UNEXPECTED = ("", "a counter is unknown", "a wallet is unknown", "an item is negative")
"""By what `reverse.unexpected` returns."""


def _expect_known(items: RatedItems, state: AccountState) -> None:
    wallet, amount = np.array(items.wallet, np.int32), np.array(items.amount, np.int64)  # what was stored is read-only
    found = unexpected(
        items.counter_slot, wallet, items.rated_quantity, amount, state.counter_count, state.wallet_count
    )
    _require(not found, _UNEXPECTED[found])
    _require(_within(items.split_wallet, state.wallet_count), "a wallet is unknown")
    _require(_within(items.grown_slot, state.accumulator_count), "an accumulator is unknown")


def _movements(items: RatedItems) -> tuple[Int32Array, Int64Array, Int64Array, Int64Array]:
    """Return (wallet, amount) of all movements in order, (n,) where each item's first one is, and (m,) where parts are."""
    if not len(items.split_wallet):
        wallet, amount = np.array(items.wallet, np.int32), np.array(items.amount, np.int64)
        return wallet, amount, np.arange(len(items)), np.zeros(0, np.int64)
    counts = np.maximum(np.diff(items.split_ptr), 1)
    place = np.zeros(len(items), np.int64)
    np.cumsum(counts[:-1], out=place[1:])
    wallet = np.repeat(items.wallet, counts).astype(np.int32)
    amount = np.repeat(items.amount, counts).astype(np.int64)
    split = np.flatnonzero(np.diff(items.split_ptr) > 0)
    lengths = np.diff(items.split_ptr)[split]
    first = np.repeat(place[split], lengths)
    parts = first + np.arange(len(first)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    wallet[parts], amount[parts] = items.split_wallet, items.split_amount
    return wallet, amount, place, parts


def find_counters(
    event_at: Int64Array, subscription: Int32Array, charge_version: Int32Array, tariff: Tariff
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (slot, cell, period), each (n,), of the counters that items rated by `tariff` consumed; slot -1 without one.

    Raises:
        UnableToReverse: when the tariff has not rated them.
    """
    n, names = len(event_at), tariff.version_row
    event_at, subscription = np.array(event_at, np.int64), np.array(subscription, np.int32)
    charge_version, version = np.array(charge_version, np.int32), np.empty(n, np.int64)
    rows = np.empty(largest_version(names) + 1, np.int64)
    known = locate_versions(charge_version, subscription, names, len(tariff.subscription_row), rows, version)
    _require(known, "another image rated these items")
    slot, cell, period = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    locate_counters(
        event_at,
        subscription,
        version,
        tariff.subscription_row,
        tariff.counter_slot,
        tariff.version_row,
        tariff.offer_counter,
        tariff.counter_kind,
        tariff.counter_zone,
        tariff.zone_ptr,
        tariff.zone_bucket,
        tariff.zone_instant,
        tariff.zone_offset,
        slot,
        cell,
        period,
    )
    return slot, cell, period


def subscriptions_on(slots: Int32Array, tariff: Tariff) -> Int32Array:
    """Return the ids of all subscriptions that count on any of some counter slots, ascending."""
    place = np.flatnonzero(np.isin(tariff.counter_slot, slots))
    # subscriptions without counters start where the next one does, so the last that starts at or before is the owner
    owner = np.searchsorted(tariff.subscription_row[:, COUNTER_PTR], place, side="right") - 1
    return np.unique(owner).astype(np.int32)


def _within(ids: Int32Array, count: int) -> bool:
    return not len(ids) or int(ids.max()) < count


def _known(ids: Int32Array) -> Int32Array:
    return ids[ids >= 0]


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise UnableToReverse(otherwise)
