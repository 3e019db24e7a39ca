"""The one public verb of rating: price a block of EDRs and draw from wallets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rating.accumulate import accumulate
from rating.following import Reached
from rating.image_derived import with_derived
from rating.kernels import layout
from rating.kernels.layout import (
    ACCOUNT,
    COUNTER_WORDS,
    COURSE_COLUMNS,
    ROLL_COLUMNS,
    SUBSCRIPTION_COLUMNS,
    Answer,
    Items,
    Usage,
)
from rating.kernels.rate import rate_rows
from rating.kernels.scratch import rate_scratch
from rating.kernels.totals import bounds, total_by_payer
from rating.kernels.wide import join
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.triggers import Trees, item_rows, trees_of
from schemas.arrays import Int32Array, Int64Array
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.edr import EdrBlock
from schemas.quantity import QUANTITY_MAX
from schemas.rated_item import ItemRows, RatedBlock
from schemas.values import VALUE_SLOTS

AnyArray = np.ndarray[Any, Any]


class UnableToRate(ValueError):
    """A block, an image and a state do not fit together, or an amount was lost: a programming error."""


def rate(edrs: EdrBlock, image: TariffImage, state: AccountState) -> RatedBlock:
    """Rate a block of EDRs in order, updating counters, wallets and accumulators in `state`.

    Args:
        edrs: quantities in -QUANTITY_MAX .. QUANTITY_MAX, below 0 what is taken back; ids of the image's vocabulary.
        image: the tariff image in force.
        state: grown to the image's vocabulary; updated in place.

    Returns:
        One row per EDR, or one per item where an EDR may have several (`RatedBlock.items`). Refused rows (reason >= 300) have
        moved nothing: all zero, WALLET_NONE, and the charge version that refused them or -1.

    Raises:
        UnableToRate: before anything moved when the arguments do not fit together; afterwards when the amounts of the
            rated items are not what the balances lost.
    """
    trees = trees_of(edrs, image)
    whole = edrs if trees is None else trees.edrs
    usage, lowest = _usage(whole, image, state)
    count = len(whole)
    room = max(count // 4, image.wallets_max)
    answer, items, rolls = _answer(count, room), None, image.rolls
    values = _values(whole, image)
    if image.items.any_several or lowest < 0:
        # one machine code for all that this may come with
        answer, items = _answer(count + room, room), _items(image, count + room, trees)
        values = np.empty((0, VALUE_SLOTS), np.int64) if values is None else values
        rolls = np.zeros((len(image.tariff.counter_kind), ROLL_COLUMNS), np.int64) if rolls is None else rolls
    accounts, scratch = state.kernel_view(), rate_scratch()
    row = int(rate_rows(0, usage, image.tariff, accounts, answer, values, rolls, scratch, items))
    while row < count:
        answer = _with_split_room(answer)
        if items is not None:
            answer, items = _with_item_room(answer, items)
        row = int(rate_rows(row, usage, image.tariff, accounts, answer, values, rolls, scratch, items))
    rated = _block(answer) if items is None else _item_block(answer, items, image, trees, usage.quantity)
    check_conservation(rated, moved=join(answer.moved_hi[0], answer.moved_lo[0]))
    growths = accumulate(edrs, rated, image, state)
    state.touched(Reached(image.tariff, usage.subscription))
    return rated if growths is None else replace(rated, growths=growths)


def account_of(edrs: EdrBlock, image: TariffImage) -> Int32Array:
    """Return (n,) the account id of each EDR, -1 where the image does not know the subscription."""
    rows = image.tariff.subscription_row
    if not len(rows):
        return np.full(len(edrs), -1, np.int32)
    account = np.take(
        rows.reshape(-1), edrs.subscription.astype(np.int64) * SUBSCRIPTION_COLUMNS + ACCOUNT, mode="clip"
    )
    account[edrs.subscription < 0] = -1
    return account


def exact_sum(values: Int64Array) -> int:
    """Return the sum of int64 values without overflow."""
    low = values & 0xFFFFFFFF
    return (int((values >> 32).sum(dtype=np.int64)) << 32) + int(low.sum(dtype=np.int64))


def _usage(edrs: EdrBlock, image: TariffImage, state: AccountState) -> tuple[Usage, int]:
    """Return the usage and its lowest quantity, which is 0 for none."""
    count, lowest = len(edrs), 0
    usage = Usage(
        event_at=_column(edrs.event_at, np.int64),
        quantity=_column(edrs.quantity, np.int64),
        event_type=_column(edrs.event_type, np.uint16),
        attributes=_column(edrs.attributes, np.int32),
        subscription=_column(edrs.subscription, np.int32),
    )
    _require(all(len(column) == count for column in usage), "columns of different lengths")
    _require(usage.attributes.shape == (count, ATTRIBUTE_SLOTS), "attributes are not (n, ATTRIBUTE_SLOTS)")
    _require(state.counter_count >= image.counter_count, "the state has not grown to the image's counters")
    _require(state.wallet_count >= image.wallet_count, "the state has not grown to the image's wallets")
    _require(state.accumulator_count >= image.accumulator_count, "the state has not grown to the image's accumulators")
    if count:
        lowest, most, first, last = bounds(usage.quantity, usage.subscription)
        _require(lowest >= -QUANTITY_MAX, "a quantity is below -QUANTITY_MAX")
        _require(most <= QUANTITY_MAX, "a quantity exceeds QUANTITY_MAX")
        _require(first >= -1, "a subscription id is negative")
        _require(last < len(image.tariff.subscription_row), "a subscription is not in the image")
    return usage, lowest


def _values(edrs: EdrBlock, image: TariffImage) -> AnyArray | None:
    """Return the values of the EDRs, None where no version of the image looks at them."""
    if edrs.values is not None:
        _require(edrs.values.shape == (len(edrs), VALUE_SLOTS), "values are not (n, VALUE_SLOTS)")
    if not image.reads_values and image.rolls is None:
        return None
    if image.derived or image.plugins:
        return with_derived(edrs, image.derived, image.plugins)
    return _column(np.empty((0, VALUE_SLOTS), np.int64) if edrs.values is None else edrs.values, np.int64)


def _column(array: AnyArray, dtype: type) -> AnyArray:
    if array.dtype != dtype:
        raise UnableToRate(f"a column is {array.dtype}, not {np.dtype(dtype)}")
    # a read-only or strided array would make numba compile the kernel once more
    return array if array.flags.carray else np.require(array, requirements=["C", "W"])


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise UnableToRate(otherwise)


def _answer(count: int, room: int) -> Answer:
    return Answer(
        reason=np.empty(count, np.uint16),
        charge_version=np.empty(count, np.int32),
        rated_quantity=np.empty(count, np.int64),
        counter_before=np.empty(count, np.int64),
        tier=np.empty(count, np.uint8),
        band=np.empty(count, np.uint8),
        amount=np.empty(count, np.int64),
        wallet=np.empty(count, np.int32),
        balance_hi=np.empty(count, np.int64),
        balance_lo=np.empty(count, np.uint64),
        split_row=np.empty(room, np.int64),
        split_wallet=np.empty(room, np.int32),
        split_amount=np.empty(room, np.int64),
        split_balance_hi=np.empty(room, np.int64),
        split_balance_lo=np.empty(room, np.uint64),
        split_count=np.zeros(1, np.int64),
        moved_hi=np.zeros(1, np.int64),
        moved_lo=np.zeros(1, np.uint64),
    )


def _items(image: TariffImage, room: int, trees: Trees | None) -> Items:
    tables = image.items
    return Items(
        cell_several=tables.cell_several,
        candidate_next=tables.candidate_next,
        candidate_refuses=tables.candidate_refuses,
        ceiling=tables.ceiling,
        offer_slots=tables.offer_slots,
        kept_counter=np.empty((int(tables.offer_slots.max(initial=0)), COUNTER_WORDS), np.int64),
        kept_balance=np.empty((image.wallets_max, 2), np.int64),
        kept_sums=np.empty(3, np.int64),
        course=np.zeros(COURSE_COLUMNS, np.int64),
        row=np.empty(room, np.int64),
        item=np.empty(room, np.uint8),
        quantity=np.empty(room, np.int64),
        count=np.zeros(1, np.int64),
        trees=_trees(image, room, trees),
    )


def _trees(image: TariffImage, room: int, trees: Trees | None) -> layout.Trees:
    rows = 0 if trees is None else len(trees.parent)
    tables = image.triggers
    slots = wallets = 0
    if trees is not None:
        slots = trees.rows_max * int(image.items.offer_slots.max(initial=0))
        wallets = trees.rows_max * image.wallets_max
    return layout.Trees(
        parent=np.zeros(0, np.int64) if trees is None else np.ascontiguousarray(trees.parent, np.int64),
        by=np.zeros(0, np.int32) if trees is None else trees.by,
        trigger=np.zeros(0, np.int64) if trees is None else trees.trigger.astype(np.int64),
        need=np.zeros((0, 2), np.int64) if trees is None else trees.need,
        when=np.zeros(0, np.int32) if tables is None else tables.when,
        formula=np.zeros(0, np.int32) if tables is None else tables.formula,
        ratio=np.zeros((0, 2), np.int64) if tables is None else tables.ratio,
        origin=np.full(rows, -1, np.int64),
        candidate=np.full(room, -1, np.int32),
        state=np.zeros(layout.TREE_COLUMNS, np.int64),
        kept_slot=np.zeros(slots, np.int64),
        kept_counter=np.zeros((slots, COUNTER_WORDS), np.int64),
        kept_wallet=np.zeros(wallets, np.int64),
        kept_balance=np.zeros((wallets, 2), np.int64),
    )


_SPLIT = ("split_row", "split_wallet", "split_amount", "split_balance_hi", "split_balance_lo")
_ROWS = Answer._fields[: Answer._fields.index("split_row")]


def _with_split_room(answer: Answer) -> Answer:
    longer = {name: np.resize(getattr(answer, name), 2 * len(answer.split_row)) for name in _SPLIT}
    return answer._replace(**longer)


_ITEM = ("row", "item", "quantity")


def _with_item_room(answer: Answer, items: Items) -> tuple[Answer, Items]:
    room = 2 * len(items.row)
    longer = {name: np.resize(getattr(answer, name), room) for name in _ROWS}
    more = {name: np.resize(getattr(items, name), room) for name in _ITEM}
    trees = items.trees._replace(candidate=np.resize(items.trees.candidate, room))
    return answer._replace(**longer), items._replace(**more, trees=trees)


def _item_block(
    answer: Answer, items: Items, image: TariffImage, trees: Trees | None, quantities: Int64Array
) -> RatedBlock:
    """Return the rows that were written; `quantities` are those of all usage, also what the kernel found to be triggered."""
    count = int(items.count[0])
    answer = answer._replace(**{name: getattr(answer, name)[:count].copy() for name in _ROWS})
    row, quantity = items.row[:count].copy(), items.quantity[:count].copy()
    rows = ItemRows(row, items.item[:count].copy(), quantity)
    if trees is not None:
        rows = item_rows(row, quantity, quantities, items.trees.origin, trees, image)
    return replace(_block(answer), items=rows)


def _block(answer: Answer) -> RatedBlock:
    splits = int(answer.split_count[0])
    return RatedBlock(
        reason=answer.reason,
        charge_version=answer.charge_version,
        rated_quantity=answer.rated_quantity,
        counter_before=answer.counter_before,
        tier=answer.tier,
        band=answer.band,
        amount=answer.amount,
        wallet=answer.wallet,
        balance_hi=answer.balance_hi,
        balance_lo=answer.balance_lo,
        split_row=answer.split_row[:splits].copy(),
        split_wallet=answer.split_wallet[:splits].copy(),
        split_amount=answer.split_amount[:splits].copy(),
        split_balance_hi=answer.split_balance_hi[:splits].copy(),
        split_balance_lo=answer.split_balance_lo[:splits].copy(),
    )


def check_conservation(rated: RatedBlock, *, moved: int) -> None:
    """Check that what was rated is what balances lost, and that split parts add up to their items.

    Raises:
        UnableToRate: when it is not.
    """
    hi, lo, split_hi, split_lo, unpaid = total_by_payer(rated.amount, rated.wallet)
    _require(join(hi, lo) == moved, f"items of {join(hi, lo)} billionths moved {moved}")
    of_split_items, split_total = (
        join(split_hi, split_lo),
        exact_sum(rated.split_amount) if len(rated.split_amount) else 0,
    )
    _require(split_total == of_split_items, f"split items of {of_split_items} billionths drew {split_total}")
    _require(not unpaid, "an item moved nothing but has an amount")
