"""Notifications of a block: which levels its items crossed, derived from what they did to counters, accumulators and wallets.

A level is crossed upwards by a counter, from < level <= to, and downwards by a wallet, from > level >= to. A value that
went back crosses again. What one journal entry takes back and rates again is one step: it tells of what was on the near
side before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.account.before import ACCUMULATOR, COUNTER, WALLET, Before
from rating.accumulate import no_growths
from rating.crossings import crossed, plus, saturated
from rating.image_levels import Levels, Notices
from rating.kernels.layout import PERIOD_DAY, PERIOD_MONTH, PERIOD_YEAR
from rating.reversal import find_counters
from rating.state import MASK
from rating.tariff_image import TariffImage
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.money import AMOUNT_ONE
from schemas.notification import NOTIFICATION_SCHEMA
from schemas.rated_item import RatedBlock
from schemas.wallets import WalletMovement

_UNITS = {PERIOD_DAY: "D", PERIOD_MONTH: "M", PERIOD_YEAR: "Y"}
AnyArray = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Crossings:
    """k crossings of things of one kind, in the order of rows and levels.

    Attributes:
        row: (k,) of the block. at: (k,) index in the levels. which: (k,) index of the counter or accumulator in the image, 0 of
            a wallet. slot: (k,) id of its state, or the wallet. period: (k,) number * 4 + kind, 0 of a wallet.
        before, after: (hi, lo), each (k,), the values in base steps or billionths.
    """

    kind: int
    row: Int64Array
    at: Int64Array
    which: Int64Array
    slot: Int64Array
    period: Int64Array
    before: tuple[Int64Array, UInt64Array]
    after: tuple[Int64Array, UInt64Array]

    def take(self, places: Int64Array) -> Crossings:
        """Return some of them."""
        return Crossings(
            self.kind,
            self.row[places],
            self.at[places],
            self.which[places],
            self.slot[places],
            self.period[places],
            (self.before[0][places], self.before[1][places]),
            (self.after[0][places], self.after[1][places]),
        )

    def told_after(self, before: Before, levels: Levels) -> Crossings:
        """Return those of things that were on the near side of the level before."""
        things = zip(self.slot.tolist(), self.period.tolist(), levels.level[self.at].tolist(), strict=True)
        near = [not before.is_beyond((self.kind, slot, period), level) for slot, period, level in things]
        return self.take(np.flatnonzero(near))


def notifications(
    edrs: EdrBlock,
    rated: RatedBlock,
    account: Int32Array,
    image: TariffImage,
    vocabulary: Vocabulary,
    before: Before | None = None,
) -> pa.RecordBatch | None:
    """Return the notifications of a block that was rated by an image; None where it has none.

    Args:
        edrs, rated: row for row. account: (n,) ids of who pays.
        before: what was there before the journal entry, where it took items back first.
    """
    notices = image.notices
    if notices is None:
        return None
    batches = []
    for levels, find in (
        (notices.counters, _counters),
        (notices.accumulators, _accumulators),
        (notices.wallets, _wallets),
    ):
        if levels is None:
            continue
        found = find(edrs, rated, image, notices, levels)
        found = found if before is None else found.told_after(before, levels)
        if len(found.row):
            batches.append((found, _columns(found, levels, edrs, account, image, vocabulary, notices)))
    return _joined(batches) if batches else None


def _counters(edrs: EdrBlock, rated: RatedBlock, image: TariffImage, notices: Notices, levels: Levels) -> Crossings:
    rows = np.flatnonzero(rated.reason == 0)
    which = notices.counter_of[rated.charge_version[rows]]
    rows, which = rows[which >= 0], which[which >= 0]
    start = rated.counter_before[rows]
    end = start + rated.rated_quantity[rows]
    place, at = crossed(levels, which, start, end)
    row = rows[place]
    slot, _, period = find_counters(edrs.event_at[row], edrs.subscription[row], rated.charge_version[row], image.tariff)
    return Crossings(
        COUNTER,
        row,
        at,
        which[place].astype(np.int64),
        slot.astype(np.int64),
        period.astype(np.int64),
        widened(start[place]),
        widened(end[place]),
    )


def _accumulators(edrs: EdrBlock, rated: RatedBlock, image: TariffImage, notices: Notices, levels: Levels) -> Crossings:
    grown = rated.growths if rated.growths is not None else no_growths(0)
    hi, lo = plus(grown.before_hi, grown.before_lo, grown.by)
    place, at = crossed(levels, grown.accumulator, saturated(grown.before_hi, grown.before_lo), saturated(hi, lo))
    return Crossings(
        ACCUMULATOR,
        grown.row[place],
        at,
        grown.accumulator[place].astype(np.int64),
        grown.slot[place].astype(np.int64),
        grown.period[place].astype(np.int64),
        (grown.before_hi[place], grown.before_lo[place]),
        (hi[place], lo[place]),
    )


def _wallets(edrs: EdrBlock, rated: RatedBlock, image: TariffImage, notices: Notices, levels: Levels) -> Crossings:
    """Return crossings of balances that fall, with changed signs so that they rise; an item's wallets in drawing order."""
    single = np.flatnonzero(rated.wallet >= 0)
    row = np.concatenate([single, rated.split_row])
    order = np.argsort(row, kind="stable")
    wallet = np.concatenate([rated.wallet[single], rated.split_wallet])[order]
    hi = np.concatenate([rated.balance_hi[single], rated.split_balance_hi])[order]
    lo = np.concatenate([rated.balance_lo[single], rated.split_balance_lo])[order]
    start_hi, start_lo = plus(hi, lo, np.concatenate([rated.amount[single], rated.split_amount])[order])
    place, at = crossed(levels, wallet, -saturated(start_hi, start_lo), -saturated(hi, lo))
    nothing = np.zeros(len(place), np.int64)
    return Crossings(
        WALLET,
        row[order][place],
        at,
        nothing,
        wallet[place].astype(np.int64),
        nothing,
        (start_hi[place], start_lo[place]),
        (hi[place], lo[place]),
    )


def notifications_of_movements(
    movements: Sequence[WalletMovement], branch: int, image: TariffImage, vocabulary: Vocabulary
) -> pa.RecordBatch | None:
    """Return the notifications of movements of one entry that no usage causes, numbered by `row`; None where there are none.

    Args:
        branch: OF_REQUEST or OF_EXPIRY.
    """
    notices = image.notices
    if notices is None or notices.wallets is None or not movements:
        return None
    wallet = np.array([one.wallet for one in movements], np.int32)
    after = np.array([[one.balance_after >> 64, one.balance_after & MASK] for one in movements], object)
    hi, lo = after[:, 0].astype(np.int64), after[:, 1].astype(np.uint64)
    start_hi, start_lo = plus(hi, lo, np.array([-one.amount for one in movements], np.int64))
    place, at = crossed(notices.wallets, wallet, -saturated(start_hi, start_lo), -saturated(hi, lo))
    if not len(place):
        return None
    count, nothing = len(movements), np.zeros(len(place), np.int64)
    nobody = np.full(count, -1, np.int32)
    entry = EdrBlock(
        position=BlockPosition(movements[0].claim, 0, 0),
        record=np.array([one.row for one in movements], np.int64),
        branch=np.full(count, branch, np.uint8),
        event_at=np.array([one.at for one in movements], np.int64),
        span_s=np.zeros(count, np.int64),
        quantity=np.zeros(count, np.int64),
        event_type=np.zeros(count, np.uint16),
        attributes=np.zeros((count, ATTRIBUTE_SLOTS), np.int32),
        access_point=nobody,
        subscription=nobody,
    )
    moved = wallet[place].astype(np.int64)
    before = (start_hi[place], start_lo[place])
    found = Crossings(WALLET, place, at, nothing, moved, nothing, before, (hi[place], lo[place]))
    account = np.array([one.account for one in movements], np.int32)
    return _joined([(found, _columns(found, notices.wallets, entry, account, image, vocabulary, notices))])


# ---- in words


def _columns(
    found: Crossings,
    levels: Levels,
    edrs: EdrBlock,
    account: Int32Array,
    image: TariffImage,
    vocabulary: Vocabulary,
    notices: Notices,
) -> dict[str, Any]:
    """Return the columns of NOTIFICATION_SCHEMA but `part`."""
    row, count = found.row, len(found.row)
    level = levels.level[found.at]
    columns: dict[str, Any] = {
        "record": edrs.record[row],
        "branch": edrs.branch[row],
        "account": account[row],
        "subscription": edrs.subscription[row],
        "event_at": edrs.event_at[row],
        "before": _decimals(*found.before),
        "after": _decimals(*found.after),
    }
    if found.kind == WALLET:
        names = vocabulary.currencies.names
        held = np.full(image.wallet_count, -1, np.int32)
        held[image.account_wallet] = image.wallet_currency
        nothing = np.full(count, "", object)
        return columns | {
            **dict.fromkeys(("counter", "holder", "period", "zone", "written"), nothing),
            "wallet": found.slot,
            "unit": names.gather(held[found.slot]).to_numpy(),
            "unit_steps": np.full(count, AMOUNT_ONE),
            "level": _decimals(*widened(-level)),
        }
    words = notices.counter_words if found.kind == COUNTER else notices.accumulator_words
    of = vocabulary.counters if found.kind == COUNTER else vocabulary.accumulators
    code = np.array([each.code for each in words], object)[found.which]
    return columns | {
        "counter": code,
        "holder": np.array([name.rpartition("/")[0] for name in of.names.gather(found.slot).to_list()], object),
        "period": _periods(found.period),
        "zone": np.array([each.zone for each in words], object)[found.which],
        "wallet": np.full(count, -1),
        "written": np.array(levels.written, object)[found.at],
        "unit": np.array([each.unit.code for each in words], object)[found.which],
        "unit_steps": np.array([each.unit.step_count for each in words])[found.which],
        "level": _decimals(*widened(level)),
    }


def _periods(period: Int64Array) -> AnyArray:
    """Return (k,) texts: the day, month or year; empty of a counter that has one period only."""
    texts = np.full(len(period), "", object)
    for kind, unit in _UNITS.items():
        chosen = period & 3 == kind
        texts[chosen] = (period[chosen] >> 2).astype(f"datetime64[{unit}]").astype(str)
    return texts


def _joined(found: list[tuple[Crossings, dict[str, Any]]]) -> pa.RecordBatch:
    """Return one batch of all kinds, in the order of rows; the crossings of one EDR are numbered."""
    row = np.concatenate([crossings.row for crossings, _ in found])
    order = np.argsort(row, kind="stable")
    columns = {name: np.concatenate([of[name] for _, of in found])[order] for name in found[0][1]}
    edr = columns["record"] * 256 + columns["branch"]
    first = np.concatenate([[True], edr[1:] != edr[:-1]])
    starts = np.flatnonzero(first)
    columns["part"] = np.arange(len(edr)) - np.repeat(starts, np.diff(np.append(starts, len(edr))))
    arrays = [
        pa.Array.from_buffers(field.type, len(edr), [None, pa.py_buffer(columns[field.name].tobytes())])
        if pa.types.is_decimal(field.type)
        else pa.array(columns[field.name], field.type)
        for field in NOTIFICATION_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=NOTIFICATION_SCHEMA)


def widened(values: Int64Array) -> tuple[Int64Array, UInt64Array]:
    """Return (hi, lo) of int64 values."""
    return values >> 63, values.view(np.uint64)


def _decimals(hi: Int64Array, lo: UInt64Array) -> AnyArray:
    """Return (k, 2) int64 the 128-bit values as Arrow keeps them."""
    return np.stack([lo.view(np.int64), hi], axis=1)
