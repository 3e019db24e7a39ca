"""Blocks of EDRs and of rated items as Arrow record batches: what goes in and out of rating where that is not one process.

Columns keep their memory: nothing is copied but amounts, which are decimals in Arrow.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrays import Int64Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.money import AMOUNT_DECIMALS
from schemas.rated_item import ItemRows, RatedBlock
from schemas.values import VALUE_SLOTS

AMOUNT = pa.decimal128(19, AMOUNT_DECIMALS)
"""Any int64 number of billionths."""
_LISTS = {"attributes": ATTRIBUTE_SLOTS, "values": VALUE_SLOTS}
_POSITION = ("claim", "block", "first_record")
_EDR = tuple(item.name for item in fields(EdrBlock) if item.name not in ("position", "values"))
_PARTS = tuple(item.name for item in fields(RatedBlock) if item.name.startswith("split_"))
_ITEMS = tuple(item.name for item in fields(RatedBlock) if item.name not in (*_PARTS, "items", "growths"))
_OF_ITEMS = {f"item_{item.name}": item.name for item in fields(ItemRows) if item.name != "triggered"}
"""Columns of a block whose EDRs may have several items each."""


class UnableToWriteBlock(ValueError):
    """A block has what no column is for."""


class UnableToReadBlock(ValueError):
    """A record batch is not one that `edrs_to_arrow` writes."""


def edrs_to_arrow(edrs: EdrBlock) -> pa.RecordBatch:
    """Return a block of n EDRs as a batch of n rows on the same memory; its position is in the metadata."""
    names = (*_EDR, "values") if edrs.values is not None else _EDR
    columns = [_column(name, getattr(edrs, name)) for name in names]
    batch = pa.RecordBatch.from_arrays(columns, names=list(names))
    return batch.replace_schema_metadata({name: str(getattr(edrs.position, name)) for name in _POSITION})


def edrs_from_arrow(batch: pa.RecordBatch) -> EdrBlock:
    """Return the block that `edrs_to_arrow` wrote, on the memory of the batch.

    Raises:
        UnableToReadBlock: when a column is missing, of another type, or has nulls, or the position is not there.
    """
    schema = batch.schema
    metadata = schema.metadata or {}
    try:
        position = BlockPosition(*(int(metadata[name.encode()]) for name in _POSITION))
    except (KeyError, ValueError) as error:
        raise UnableToReadBlock("the batch does not say which block it is") from error
    columns = dict(zip(schema.names, batch.columns, strict=True))
    missing = [name for name in _EDR if name not in columns]
    if missing:
        raise UnableToReadBlock(f"the batch has no {', '.join(missing)}")
    found: dict[str, Any] = {}
    for name, wanted in _TYPES.items():
        column = columns.get(name)
        if column is None:
            continue
        if column.type != wanted or column.null_count:
            raise UnableToReadBlock(f"{name} is {column.type} with {column.null_count} nulls")
        found[name] = _array(name, column)
    return EdrBlock(position, **found)


def rated_to_arrow(rated: RatedBlock) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return (items, movements): one row per EDR, or per item where they may have several; what several wallets paid.

    Raises:
        UnableToWriteBlock: when there is usage that other usage triggered, for which the batches have no columns.
    """
    if rated.items is not None and rated.items.triggered is not None:
        raise UnableToWriteBlock("usage that other usage triggered is not written")
    items = [_amounts(rated.amount) if name == "amount" else pa.array(getattr(rated, name)) for name in _ITEMS]
    parts = [
        _amounts(rated.split_amount) if name == "split_amount" else pa.array(getattr(rated, name)) for name in _PARTS
    ]
    names = [*_ITEMS, *_OF_ITEMS] if rated.items is not None else list(_ITEMS)
    items += [pa.array(getattr(rated.items, name)) for name in _OF_ITEMS.values() if rated.items is not None]
    return pa.RecordBatch.from_arrays(items, names=names), pa.RecordBatch.from_arrays(parts, names=list(_PARTS))


def rated_from_arrow(items: pa.RecordBatch, parts: pa.RecordBatch) -> RatedBlock:
    """Return what `rated_to_arrow` wrote."""
    columns: dict[str, Any] = {name: batch.column(name) for batch in (items, parts) for name in batch.schema.names}
    for name, column in columns.items():
        columns[name] = _scaled(column) if column.type == AMOUNT else column.to_numpy()
    of_items = {name: columns.pop(column) for column, name in _OF_ITEMS.items() if column in columns}
    return RatedBlock(**columns, items=ItemRows(**of_items) if of_items else None)


def _column(name: str, array: np.ndarray[Any, Any]) -> Any:
    if name not in _LISTS:
        return pa.array(array)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).reshape(-1)), _LISTS[name])


def _array(name: str, column: Any) -> np.ndarray[Any, Any]:
    if name not in _LISTS:
        return np.asarray(column.to_numpy())
    return np.asarray(column.flatten().to_numpy()).reshape(-1, _LISTS[name])


def _amounts(billionths: Int64Array) -> Any:
    """Return (n,) int64 as decimals: their halves are written, none is parsed."""
    halves = np.empty((len(billionths), 2), np.int64)
    halves[:, 0] = billionths
    np.right_shift(billionths, 63, out=halves[:, 1])
    return pa.Array.from_buffers(AMOUNT, len(billionths), [None, pa.py_buffer(halves.data)])


def _scaled(amounts: Any) -> Int64Array:
    halves = np.frombuffer(amounts.buffers()[1], np.int64).reshape(-1, 2)
    return np.array(halves[amounts.offset : amounts.offset + len(amounts), 0])


EMPTY = edrs_to_arrow(
    EdrBlock(
        position=BlockPosition(0, 0, 0),
        record=np.zeros(0, np.int64),
        branch=np.zeros(0, np.uint8),
        event_at=np.zeros(0, np.int64),
        span_s=np.zeros(0, np.int64),
        quantity=np.zeros(0, np.int64),
        event_type=np.zeros(0, np.uint16),
        attributes=np.zeros((0, ATTRIBUTE_SLOTS), np.int32),
        access_point=np.zeros(0, np.int32),
        subscription=np.zeros(0, np.int32),
        values=np.zeros((0, VALUE_SLOTS), np.int64),
    )
)
"""A block of no EDRs: its schema is that of all blocks, some of which have no values."""
_TYPES = {name: EMPTY.schema.field(name).type for name in (*_EDR, "values")}
