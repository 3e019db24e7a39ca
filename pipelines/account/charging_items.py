"""Rated items between rating and the store: what a reservation remembers of them, and the blocks that they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.account.cancel import reversal_header
from pipelines.account.chain import Chain
from pipelines.account.kept import ITEM, PART, Items
from pipelines.account.stage import ClaimContext
from pipelines.refusals import NOTHING_REFUSED
from rating.reversal import find_counters
from rating.tariff_image import TariffImage
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.charging import Rows
from schemas.edr import EdrBlock
from schemas.output import OutputBlock, ReversalBlock
from schemas.rated_item import WALLET_NONE, ItemRows, RatedBlock
from schemas.values import VALUE_ABSENT


def items_of(rated: RatedBlock, edrs: EdrBlock, image: TariffImage) -> Items:
    """Return the items of EDRs (n,) as `rate` has just rated them; none of those that were refused."""
    done = np.flatnonzero(rated.reason == 0)
    of, quantity = (done, edrs.quantity) if rated.items is None else (rated.items.row[done], rated.items.quantity)
    ptr = np.zeros(len(edrs) + 1, np.int64)
    np.bincount(of, minlength=len(edrs)).cumsum(out=ptr[1:])
    rows = np.zeros(len(done), ITEM)
    for name in ("charge_version", "tier", "band", "rated_quantity", "counter_before", "amount", "wallet"):
        rows[name] = getattr(rated, name)[done]
    rows["quantity"] = quantity[done]
    rows["slot"], rows["cell"], rows["period"] = find_counters(
        edrs.event_at[of], edrs.subscription[of], rated.charge_version[done], image.tariff
    )
    if len(rated.split_row):
        rows["part_count"] = np.bincount(rated.split_row, minlength=len(rated.reason))[done]
    parts = np.zeros(len(rated.split_row), PART)
    parts["wallet"], parts["amount"] = rated.split_wallet, rated.split_amount
    return Items(ptr, rows, parts)


def edrs_of(
    usage: Rows | Mapping[str, Any], quantity: Int64Array, position: BlockPosition, record: Int64Array
) -> EdrBlock:
    """Return usage (n,) with quantities (n,) as EDRs with record numbers (n,).

    Args:
        usage: by name, what requests say of it (`pipelines.account.charging.USAGE`).
    """
    values = np.ascontiguousarray(usage["values"])
    return EdrBlock(
        position=position,
        record=record,
        branch=np.zeros(len(record), np.uint8),
        event_at=np.array(usage["event_at"]),
        span_s=np.zeros(len(record), np.int64),
        quantity=quantity,
        event_type=np.array(usage["event_type"]),
        attributes=np.ascontiguousarray(usage["attributes"]),
        access_point=np.array(usage["access_point"]),
        subscription=np.array(usage["subscription"]),
        values=None if (values == VALUE_ABSENT).all() else values,
    )


def rated_block(
    items: Items,
    quantity: Int64Array,
    reason: UInt16Array,
    refused_version: Int32Array,
    refused_before: Int64Array,
    chain: Chain,
) -> RatedBlock:
    """Return the items of n requests as one block of facts; `chain` is what each wallet holds before, and then after them.

    Args:
        quantity: (n,) base steps of each request. reason: (n,) 0, or why a request has no item.
        refused_version: (n,) the charge version that refused it, or -1; refused_before: (n,) what its counter had.
    """
    rows = _item_rows(items, quantity)
    of, n = rows.row, len(rows.row)
    reason = reason[of]
    place = np.flatnonzero(reason == 0)
    priced = items.rows
    balance_hi, balance_lo, split_hi, split_lo = chain.follow(items, is_back=False)
    if len(place) < n:
        priced = np.zeros(n, ITEM)
        priced["wallet"] = WALLET_NONE
        priced[place] = items.rows
        refused = np.flatnonzero(reason)
        priced["charge_version"][refused] = refused_version[of[refused]]
        priced["counter_before"][refused] = refused_before[of[refused]]
        alone_hi, alone_lo = balance_hi, balance_lo
        balance_hi, balance_lo = np.zeros(n, np.int64), np.zeros(n, np.uint64)
        balance_hi[place], balance_lo[place] = alone_hi, alone_lo
    return RatedBlock(
        reason=reason,
        charge_version=np.array(priced["charge_version"]),
        rated_quantity=np.array(priced["rated_quantity"]),
        counter_before=np.array(priced["counter_before"]),
        tier=np.array(priced["tier"]),
        band=np.array(priced["band"]),
        amount=np.array(priced["amount"]),
        wallet=np.array(priced["wallet"]),
        balance_hi=balance_hi,
        balance_lo=balance_lo,
        split_row=np.repeat(place, items.rows["part_count"]),
        split_wallet=np.array(items.parts["wallet"]),
        split_amount=np.array(items.parts["amount"]),
        split_balance_hi=split_hi,
        split_balance_lo=split_lo,
        items=rows if n > len(quantity) else None,
    )


def _item_rows(items: Items, quantity: Int64Array) -> ItemRows:
    """Return which rows the items of n requests are, a request without items having one row."""
    count = items.ptr[1:] - items.ptr[:-1]
    if (count == 1).all():
        of = np.arange(len(quantity))
        return ItemRows(of, np.zeros(len(of), np.uint8), np.array(items.rows["quantity"]))
    rows = np.maximum(count, 1)
    of = np.repeat(np.arange(len(quantity)), rows)
    number = np.arange(len(of)) - np.repeat(np.cumsum(rows) - rows, rows)
    priced = quantity[of]
    priced[count[of] > 0] = items.rows["quantity"]
    return ItemRows(of, number.astype(np.uint8), priced)


def refund_block(
    kept: Rows,
    items: Items,
    fate: UInt8Array,
    before: Int64Array,
    position: BlockPosition,
    record: Int64Array,
    context: ClaimContext,
    image: TariffImage,
    chain: Chain,
) -> OutputBlock:
    """Return the facts of taking back the items (m,) of n requests, all rated by one image.

    Args:
        kept: (n,) of KEPT. record: (n,) numbers of the refunds. fate, before: (m,) `CounterFate`, and the counter before.
    """
    whole = np.array(kept["answer"]["granted"])
    mine = _item_rows(items, whole)
    n, of = len(mine.row), mine.row
    request, answer = kept["request"][of], kept["answer"][of]
    balance_hi, balance_lo, split_hi, split_lo = chain.follow(items, is_back=True)
    rows = items.rows
    taken = edrs_of(request, -mine.quantity, position, record[of])
    edrs = replace(taken, attributes=np.zeros((n, ATTRIBUTE_SLOTS), np.int32), values=None)
    rated = RatedBlock(
        reason=np.zeros(n, np.uint16),
        charge_version=np.array(rows["charge_version"]),
        rated_quantity=-np.array(rows["rated_quantity"]),
        counter_before=before,
        tier=np.array(rows["tier"]),
        band=np.array(rows["band"]),
        amount=-np.array(rows["amount"]),
        wallet=np.array(rows["wallet"]),
        balance_hi=balance_hi,
        balance_lo=balance_lo,
        split_row=np.repeat(np.arange(n), rows["part_count"]).astype(np.int64),
        split_wallet=np.array(items.parts["wallet"]),
        split_amount=-np.array(items.parts["amount"]),
        split_balance_hi=split_hi,
        split_balance_lo=split_lo,
        items=replace(mine, quantity=-mine.quantity),
    )
    account = np.array(kept["account"][of])
    amounts: dict[int, int] = {}
    currencies = image.currencies(account, rated.charge_version).tolist()
    for currency, amount in zip(currencies, rated.amount.tolist(), strict=True):
        if amount:
            amounts[currency] = amounts.get(currency, 0) + amount
    header = reversal_header(position, context, edrs, rated, kept["image"], len(kept), amounts)
    reversals = ReversalBlock(
        answer["claim"].astype(np.int64),
        answer["record"].astype(np.int64),
        np.zeros(n, np.uint8),
        mine.number,
        fate,
        "refunded",
    )
    rest = mine.quantity - whole[of]
    return OutputBlock(header, edrs, account, rated, NOTHING_REFUSED, reversals, rest=rest)
