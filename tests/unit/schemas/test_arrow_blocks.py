"""Blocks go to Arrow and come back the same."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from schemas.arrow_blocks import (
    EMPTY,
    UnableToReadBlock,
    UnableToWriteBlock,
    edrs_from_arrow,
    edrs_to_arrow,
    rated_from_arrow,
    rated_to_arrow,
)
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.rated_item import ItemRows, RatedBlock, Triggered
from schemas.values import VALUE_SLOTS


def edrs(rows: int) -> EdrBlock:
    columns = {item.name: np.arange(rows) for item in fields(EdrBlock) if item.name not in ("position", "values")}
    typed = {name: columns[name].astype(getattr(edrs_from_arrow(EMPTY), name).dtype) for name in columns}
    typed["attributes"] = np.arange(rows * ATTRIBUTE_SLOTS, dtype=np.int32).reshape(rows, ATTRIBUTE_SLOTS)
    return EdrBlock(BlockPosition(3, 4, 5), **typed)


@pytest.mark.parametrize("valued", [False, True])
@pytest.mark.parametrize("rows", [0, 3])
def test_edrs_come_back(rows: int, *, valued: bool) -> None:
    given = edrs(rows)
    if valued:
        given = replace(given, values=np.arange(rows * VALUE_SLOTS, dtype=np.int64).reshape(rows, VALUE_SLOTS))
    back = edrs_from_arrow(edrs_to_arrow(given))
    assert back.position == given.position
    assert (back.values is not None) == valued
    for item in fields(EdrBlock):
        if item.name != "position" and (valued or item.name != "values"):
            one, other = getattr(given, item.name), getattr(back, item.name)
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), item.name


def test_rows_of_a_longer_batch_come_back() -> None:
    back = edrs_from_arrow(edrs_to_arrow(edrs(5)).slice(2, 2))
    assert back.quantity.tolist() == [2, 3]
    assert back.attributes[:, 0].tolist() == [2 * ATTRIBUTE_SLOTS, 3 * ATTRIBUTE_SLOTS]


def test_what_is_no_block_is_refused() -> None:
    batch = edrs_to_arrow(edrs(2))
    nothing = pa.array([None, 1], pa.int64())
    place = batch.schema.get_field_index("quantity")
    for wrong in (
        batch.replace_schema_metadata(None),
        batch.drop_columns(["quantity"]),
        batch.set_column(place, "quantity", nothing),
        batch.set_column(place, "quantity", pa.array([1, 2], pa.int32())),
    ):
        with pytest.raises(UnableToReadBlock):
            edrs_from_arrow(wrong)


def test_rated_items_come_back_and_amounts_are_decimals() -> None:
    amounts = np.array([0, 1, -1, 2**63 - 1, -(2**63)], np.int64)
    rated = RatedBlock(
        reason=np.arange(5, dtype=np.uint16),
        charge_version=np.arange(5, dtype=np.int32),
        rated_quantity=np.arange(5, dtype=np.int64),
        counter_before=np.arange(5, dtype=np.int64),
        tier=np.arange(5, dtype=np.uint8),
        band=np.arange(5, dtype=np.uint8),
        amount=amounts,
        wallet=np.arange(5, dtype=np.int32),
        balance_hi=np.arange(5, dtype=np.int64),
        balance_lo=np.arange(5, dtype=np.uint64),
        split_row=np.arange(2, dtype=np.int64),
        split_wallet=np.arange(2, dtype=np.int32),
        split_amount=amounts[3:],
        split_balance_hi=np.arange(2, dtype=np.int64),
        split_balance_lo=np.arange(2, dtype=np.uint64),
    )
    items, parts = rated_to_arrow(rated)
    assert items.column("amount").to_pylist() == [Decimal(value).scaleb(-9) for value in amounts.tolist()]
    back = rated_from_arrow(items, parts)
    names = [item.name for item in fields(RatedBlock) if item.name not in ("items", "growths")]
    for name in names:
        one, other = getattr(rated, name), getattr(back, name)
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes()), name
    assert back.items is None
    several = replace(rated, items=ItemRows(np.arange(5) // 2, np.arange(5, dtype=np.uint8), amounts))
    found = rated_from_arrow(*rated_to_arrow(several)).items
    assert found is not None
    assert (found.row.tolist(), found.number.tolist()) == ([0, 0, 1, 1, 2], [0, 1, 2, 3, 4])
    assert found.quantity.tolist() == amounts.tolist()
    tree = Triggered(edrs(5), amounts, np.zeros(5, np.uint8), np.zeros(5, np.uint8), np.zeros((5, 2), np.int32))
    with pytest.raises(UnableToWriteBlock, match="triggered"):
        rated_to_arrow(replace(several, items=replace(found, triggered=tree)))
    sliced = rated_from_arrow(items.slice(2, 2), parts)
    assert sliced.amount.tolist() == [-1, 2**63 - 1]
