"""Cancelling: EDRs are withdrawn by complete commands, prepared outside the stage and applied here as a pure function.

Nothing that was written is changed: a rated item is taken back by another one with negative quantity and amount, so that every
sum over both is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.account.stage import ClaimContext, with_reserved
from pipelines.refusals import NOTHING_REFUSED
from rating.rate import exact_sum
from rating.reversal import RatedItems, expect_reversible, reverse
from rating.state import AccountState
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt64Array
from schemas.cancellation import CANCELLATION_SCHEMA, LISTS, CancelledKind
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.output import BlockHeader, OutputBlock, ReversalBlock
from schemas.rated_item import ItemRows, RatedBlock, Triggered
from schemas.rejection import Outcome


def cancel_block(
    commands: pa.RecordBatch,
    position: BlockPosition,
    state: AccountState,
    context: ClaimContext,
    *,
    cause: str,
    replaced_by: Int64Array | None = None,
) -> OutputBlock:
    """Withdraw the EDRs of a block of commands: wallets and counters get back what they gave. Updates `state`.

    Args:
        commands: rows of CANCELLATION_SCHEMA, those of RATED items of one image.
        position: the block; its reversals are numbered from `first_record` on.
        cause: why, as `fact_reversal` says it. replaced_by: (n,) of each RATED row, the record that takes its place.

    Raises:
        rating.reversal.UnableToReverse: when the commands are not of items that this state rated.
    """
    given = {name: _column(commands, name) for name in CANCELLATION_SCHEMA.names if name not in LISTS}
    kind = given["kind"]
    rows = np.flatnonzero(kind == CancelledKind.RATED)
    column = {name: np.ascontiguousarray(values[rows]) for name, values in given.items()}
    items = _items(commands, column, rows)
    if context.before is not None:
        context.before.note(items, state)
    done = reverse(items, state, below_zero=True)  # whoever journaled the commands has checked them
    edrs = _edrs(column, position)
    split_row = np.repeat(np.arange(len(items)), np.diff(items.split_ptr))
    rated = RatedBlock(
        reason=np.zeros(len(items), np.uint16),
        charge_version=column["charge_version"],
        rated_quantity=-items.rated_quantity,
        counter_before=done.counter_before,
        tier=column["tier"],
        band=column["band"],
        amount=-items.amount,
        wallet=items.wallet,
        balance_hi=done.balance_hi,
        balance_lo=done.balance_lo,
        split_row=split_row.astype(np.int64),
        split_wallet=items.split_wallet,
        split_amount=-items.split_amount,
        split_balance_hi=done.split_balance_hi,
        split_balance_lo=done.split_balance_lo,
        items=ItemRows(np.arange(len(items), dtype=np.int64), column["item"], edrs.quantity, _triggered(column, edrs)),
    )
    reversals = ReversalBlock(
        column["claim"].astype(np.int64),
        column["record"].astype(np.int64),
        column["branch"],
        column["item"],
        done.counter_fate,
        cause,
        replaced_by,
    )
    rated_edrs = (kind == CancelledKind.RATED) & (given["item"] == 0)
    withdrawn = int(np.count_nonzero(rated_edrs | (kind == CancelledKind.UNRATED)))
    header = reversal_header(position, context, edrs, rated, column["image"], withdrawn, _amounts(column))
    rated = with_reserved(rated, state)
    return OutputBlock(header, edrs, column["account"], rated, NOTHING_REFUSED, reversals, rest=-column["rest"])


def _triggered(column: dict[str, Any], edrs: EdrBlock) -> Triggered | None:
    by = column["triggered_by"]
    if not by.any():
        return None
    return Triggered(edrs, -column["rest"], by, column["trigger"], np.full((len(by), 2), -1, np.int32))


def expect_applicable(batches: Iterable[pa.RecordBatch], state: AccountState, *, below_zero: bool) -> None:
    """Check that blocks of commands can be applied one after another: once journaled, they must be.

    Args:
        below_zero: as in `rating.reversal.reverse`.

    Raises:
        rating.reversal.UnableToReverse: when they cannot.
    """
    expect_reversible(map(_items_of, batches), state, below_zero=below_zero)


def _items_of(commands: pa.RecordBatch) -> RatedItems:
    rows = np.flatnonzero(_column(commands, "kind") == CancelledKind.RATED)
    names = ("rated_quantity", "amount", "wallet", "counter_slot", "counter_cell", "counter_period")
    return _items(commands, {name: np.ascontiguousarray(_column(commands, name)[rows]) for name in names}, rows)


def keys_of(batches: Iterable[pa.RecordBatch]) -> tuple[UInt64Array, UInt64Array, Int64Array]:
    """Return (identity high, low, event time) of the keys that commands release, each (k,)."""
    return _keys(batches, versions=False)


def unseen_of(batches: Iterable[pa.RecordBatch]) -> tuple[UInt64Array, UInt64Array, Int64Array]:
    """Return (identity high, low, event time) of the records of which commands say that they were never seen, each (k,)."""
    return _keys(batches, versions=True)


def _keys(batches: Iterable[pa.RecordBatch], *, versions: bool) -> tuple[UInt64Array, UInt64Array, Int64Array]:
    found: dict[str, list[Any]] = {"key_hi": [], "key_lo": [], "key_at": []}
    for commands in batches:
        keyed = (_column(commands, "key_hi") != 0) | (_column(commands, "key_lo") != 0)
        keyed &= (_column(commands, "kind") == CancelledKind.VERSION) == versions
        for name, chunks in found.items():
            chunks.append(_column(commands, name)[keyed])
    hi, lo = (np.concatenate([np.zeros(0, np.uint64), *found[name]]) for name in ("key_hi", "key_lo"))
    return hi, lo, np.concatenate([np.zeros(0, np.int64), *found["key_at"]])


def _column(commands: pa.RecordBatch, name: str) -> Any:
    if name not in commands.schema.names:  # an earlier release wrote them
        return np.zeros(len(commands), CANCELLATION_SCHEMA.field(name).type.to_pandas_dtype())
    return commands.column(name).to_numpy()


def _items(commands: pa.RecordBatch, column: dict[str, Any], rows: Int64Array) -> RatedItems:
    ptr, split_wallet = _lists(commands, "split_wallet", rows)
    _, split_amount = _lists(commands, "split_amount", rows)
    grown = (_lists(commands, name, rows)[1] for name in ("grown_slot", "grown_period", "grown_by"))
    grown_slot, grown_period, grown_by = grown
    return RatedItems(
        rated_quantity=column["rated_quantity"],
        amount=column["amount"],
        wallet=column["wallet"],
        counter_slot=column["counter_slot"],
        counter_cell=column["counter_cell"],
        counter_period=column["counter_period"],
        split_ptr=ptr,
        split_wallet=split_wallet.astype(np.int32),
        split_amount=split_amount.astype(np.int64),
        grown_slot=grown_slot.astype(np.int32),
        grown_period=grown_period.astype(np.int32),
        grown_by=grown_by.astype(np.int64),
    )


def _lists(commands: pa.RecordBatch, name: str, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return (k + 1,) where the lists of k rows start, and the values of all of them; none of a release without."""
    if name not in commands.schema.names:
        return np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int64)
    lists: Any = commands.column(name)
    taken = lists.take(pa.array(rows))
    offsets = taken.offsets.to_numpy()
    return (offsets - offsets[0]).astype(np.int64), np.array(taken.flatten().to_numpy())


def _edrs(column: dict[str, Any], position: BlockPosition) -> EdrBlock:
    n = len(column["amount"])
    return EdrBlock(
        position=position,
        record=np.arange(position.first_record, position.first_record + n, dtype=np.int64),
        branch=np.zeros(n, np.uint8),
        event_at=column["event_at"],
        span_s=column["span_s"],
        quantity=-column["quantity"],
        event_type=column["event_type"],
        attributes=np.zeros((n, ATTRIBUTE_SLOTS), np.int32),
        access_point=column["access_point"],
        subscription=column["subscription"],
    )


def _amounts(column: dict[str, Any]) -> dict[int, int]:
    amount: Int64Array = column["amount"]
    currency: Int32Array = column["currency"]
    moved: BoolArray = amount != 0
    return {
        int(code): -exact_sum(np.ascontiguousarray(amount[moved & (currency == code)]))
        for code in np.unique(currency[moved])
    }


def reversal_header(
    position: BlockPosition,
    context: ClaimContext,
    edrs: EdrBlock,
    rated: RatedBlock,
    image: np.ndarray[Any, Any],
    withdrawn: int,
    amounts: dict[int, int],
) -> BlockHeader:
    """Return the header of a block that takes n items back, rated by `image`, (n,); `amounts` are by currency."""
    return BlockHeader(
        claim=position.claim,
        block=position.block,
        first_record=position.first_record,
        tenant=context.tenant,
        source=context.source,
        image=int(image[0]) if len(image) else 0,
        received_at=context.received_at,
        retry=True,
        received=0,
        **{outcome.name.lower(): 0 for outcome in Outcome},
        edrs=withdrawn,
        rated=0,
        unrated=0,
        cancelled=withdrawn,
        usage_rows=len(edrs),
        operation_rows=len(rated.split_row),
        rejection_rows=0,
        reversal_rows=len(edrs),
        quantity=exact_sum(edrs.quantity),
        amounts=amounts,
    )
