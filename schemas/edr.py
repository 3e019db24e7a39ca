"""EDRs: deduplicated, attributed, unit-normalised usage, ready to rate."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


@dataclass(frozen=True, slots=True)
class EdrBlock:
    """The n EDRs that one block yields, in the order of records and branches.

    Attributes:
        position: the block they come from; EDR i has id (claim, record[i], branch[i]).
        record: (n,) record number within the claim.
        branch: (n,) which of the record's EDRs, from 0: an access point that is shared gives one to each subscription.
        event_at: (n,) microseconds UTC: start of the usage (for energy: the previous reading's instant).
        span_s: (n,) seconds from event_at to the end of the metered period; 0 for plain usage.
        quantity: (n,) scaled by the unit of the event type, >= 0.
        event_type: (n,) code in the image's vocabulary.
        attributes: (n, ATTRIBUTE_SLOTS) codes in the image's vocabulary.
        access_point: (n,) access point id.
        subscription: (n,) subscription id.
        values: (n, VALUE_SLOTS) `schemas.values` by the slots of the event type; None where no EDR has any.
    """

    position: BlockPosition
    record: Int64Array
    branch: UInt8Array
    event_at: Int64Array
    span_s: Int64Array
    quantity: Int64Array
    event_type: UInt16Array
    attributes: Int32Array
    access_point: Int32Array
    subscription: Int32Array
    values: Int64Array | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        """Return the number of EDRs."""
        return len(self.record)


def select_edrs(edrs: EdrBlock, rows: Int64Array) -> EdrBlock:
    """Return the EDRs at `rows` of a block; all of them as they are."""
    if len(rows) == len(edrs):
        return edrs
    columns = {item.name: getattr(edrs, item.name) for item in fields(edrs) if item.name != "position"}
    return replace(edrs, **{name: column[rows] for name, column in columns.items() if column is not None})


def pick_edrs(edrs: EdrBlock, rows: Int64Array, quantity: Int64Array) -> EdrBlock:
    """Return the EDRs at `rows`, whichever and however often, with other quantities."""
    columns = {item.name: getattr(edrs, item.name) for item in fields(edrs) if item.name != "position"}
    picked = {name: column[rows] for name, column in columns.items() if column is not None}
    return replace(edrs, **{**picked, "quantity": quantity})


def with_items(edrs: EdrBlock, row: Int64Array, quantity: Int64Array) -> EdrBlock:
    """Return EDRs row by row of their items: (m,) which EDR of the block each is of, and what of its quantity it prices."""
    return replace(select_edrs(edrs, row), quantity=quantity)


def join_edrs(one: EdrBlock, other: EdrBlock) -> EdrBlock:
    """Return the EDRs of two parts of one block, in the order of records and branches."""
    record = np.concatenate([one.record, other.record])
    branch = np.concatenate([one.branch, other.branch])
    order = np.lexsort((branch, record))
    return EdrBlock(
        one.position,
        record[order],
        branch[order],
        np.concatenate([one.event_at, other.event_at])[order],
        np.concatenate([one.span_s, other.span_s])[order],
        np.concatenate([one.quantity, other.quantity])[order],
        np.concatenate([one.event_type, other.event_type])[order],
        np.concatenate([one.attributes, other.attributes])[order],
        np.concatenate([one.access_point, other.access_point])[order],
        np.concatenate([one.subscription, other.subscription])[order],
        values=_joined_values(one, other, order),
    )


def _joined_values(one: EdrBlock, other: EdrBlock, order: Int64Array) -> Int64Array | None:
    if one.values is None and other.values is None:
        return None
    return np.concatenate([values_of(one), values_of(other)])[order]


def values_of(edrs: EdrBlock) -> Int64Array:
    """Return (n, VALUE_SLOTS) the values of EDRs, absent ones where the block has none."""
    return np.full((len(edrs), VALUE_SLOTS), VALUE_ABSENT, np.int64) if edrs.values is None else edrs.values


PACKED_WORDS = 6 + ATTRIBUTE_SLOTS
PACKED_WORDS_VALUED = PACKED_WORDS + VALUE_SLOTS
"""Words of an EDR that has values: they follow what all EDRs have."""
EVENT_TYPE_MASK = 0xFFFF
BRANCH_SHIFT = 16
"""The branch lies above the 16 bits of the event type, so that EDRs packed before there were branches have branch 0."""


def pack(edrs: EdrBlock, rows: Int64Array) -> Int64Array:
    """Return (m, PACKED_WORDS) int64: the EDRs `rows` with all that rating needs, so that they can be retried.

    Where the block has values, (m, PACKED_WORDS_VALUED).
    """
    packed = np.empty((len(rows), PACKED_WORDS if edrs.values is None else PACKED_WORDS_VALUED), np.int64)
    packed[:, 0] = edrs.event_at[rows]
    packed[:, 1] = edrs.span_s[rows]
    packed[:, 2] = edrs.quantity[rows]
    packed[:, 3] = edrs.event_type[rows].astype(np.int64) | edrs.branch[rows].astype(np.int64) << BRANCH_SHIFT
    packed[:, 4] = edrs.access_point[rows]
    packed[:, 5] = edrs.subscription[rows]
    packed[:, 6:PACKED_WORDS] = edrs.attributes[rows]
    if edrs.values is not None:
        packed[:, PACKED_WORDS:] = edrs.values[rows]
    return packed


def join_packed(rows: list[Int64Array]) -> Int64Array:
    """Return packed EDRs, each (PACKED_WORDS,) or (PACKED_WORDS_VALUED,), as the rows of one array.

    All of them have values in it as soon as one has.
    """
    width = max(map(len, rows))
    packed = np.full((len(rows), width), VALUE_ABSENT, np.int64)
    for row, words in zip(packed, rows, strict=True):
        row[: len(words)] = words
    return packed


def unpack(packed: Int64Array, position: BlockPosition) -> EdrBlock:
    """Return the EDRs written by `pack`, numbered 0.. within `position`'s claim from its first record.

    They keep their branch, which says nothing more about their id: each has a record number of its own.
    """
    n = len(packed)
    return EdrBlock(
        position,
        np.arange(position.first_record, position.first_record + n, dtype=np.int64),
        (packed[:, 3] >> BRANCH_SHIFT).astype(np.uint8),
        np.ascontiguousarray(packed[:, 0]),
        np.ascontiguousarray(packed[:, 1]),
        np.ascontiguousarray(packed[:, 2]),
        (packed[:, 3] & EVENT_TYPE_MASK).astype(np.uint16),
        np.ascontiguousarray(packed[:, 6:PACKED_WORDS].astype(np.int32)),
        packed[:, 4].astype(np.int32),
        packed[:, 5].astype(np.int32),
        values=np.ascontiguousarray(packed[:, PACKED_WORDS:]) if packed.shape[1] > PACKED_WORDS else None,
    )
