"""All price tables of an image, one after the other, as kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rating.image_matrix import CompiledMatrix
from rating.image_tables import CompiledTable, DestinationIndex
from rating.kernels import layout
from schemas.arrays import Int32Array, Int64Array


@dataclass(frozen=True, slots=True)
class LookupTables:
    """The parts of `rating.kernels.layout.Tariff` that find rows of price tables."""

    table: Int64Array
    row_variant: Int32Array
    row_start: Int64Array
    row_end: Int64Array
    root: Int32Array
    cut: Int64Array
    prefix_parent: Int32Array
    prefix_row: Int32Array
    source: Int32Array
    group: Int64Array
    slot_row: Int64Array
    row_key: Int32Array
    row_rank: Int32Array
    range_low: Int64Array
    range_high: Int64Array


class _Parts:
    """Arrays of one name, and how long they are together."""

    def __init__(self, dtype: Any) -> None:
        self._parts: list[Any] = []
        self._dtype = dtype
        self.length = 0

    def add(self, array: Any) -> None:
        self._parts.append(array)
        self.length += len(array)

    def joined(self, *shape: int) -> Any:
        empty = np.empty((0, *shape), self._dtype)
        return np.concatenate([empty, *self._parts], dtype=self._dtype)


def join_tables(tables: Sequence[CompiledTable]) -> LookupTables:
    """Return tables one after the other, their pointers counted from the beginning of all of them.

    Rows are numbered through all tables; those of destination tables have no key and no rank, those of matrices no period.
    """
    wide = (np.int64, np.int32)
    parts = {name: _Parts(wide[kind == "Int32Array"]) for name, kind in LookupTables.__annotations__.items()}
    about = np.zeros((len(tables), layout.TABLE_COLUMNS), np.int64)
    for one, table in zip(about, tables, strict=True):
        one[layout.ROW_PTR] = parts["row_variant"].length
        if isinstance(table.index, DestinationIndex):
            _add_destinations(one, table.index, parts)
        else:
            _add_matrix(one, table.index, parts)
        parts["row_variant"].add(table.variant)
    # the rows of the last prefix end where all rows of destination tables do
    rows = parts["row_start"].length
    parts["prefix_row"].add([rows])
    shapes = {"cut": (layout.CUT_COLUMNS,), "row_key": (layout.KEY_COLUMNS,), "group": (layout.GROUP_COLUMNS,)}
    joined = {name: part.joined(*shapes.get(name, ())) for name, part in parts.items() if name != "table"}
    return LookupTables(table=about, **joined)


def _add_destinations(one: Int64Array, index: DestinationIndex, parts: dict[str, _Parts]) -> None:
    one[layout.ROOT_PTR], one[layout.ROOT_SHIFT] = parts["root"].length, index.shift
    rows, prefixes = parts["row_start"].length, parts["prefix_parent"].length
    one[layout.FOUND_PTR] = rows
    parts["root"].add(index.root + parts["cut"].length)
    cut = index.cut.copy()
    cut[cut[:, layout.CUT_PREFIX] >= 0, layout.CUT_PREFIX] += prefixes
    cut[cut[:, layout.CUT_ROW] >= 0, layout.CUT_ROW] += rows
    parts["cut"].add(cut)
    parts["prefix_parent"].add(np.where(index.parent >= 0, index.parent + prefixes, -1))
    parts["prefix_row"].add(index.prefix_row[:-1] + rows)  # its end is where the next table's rows start
    parts["row_start"].add(index.start)
    parts["row_end"].add(index.end)


def _add_matrix(one: Int64Array, index: CompiledMatrix, parts: dict[str, _Parts]) -> None:
    rows = parts["row_rank"].length
    one[layout.FOUND_PTR] = rows
    one[layout.SOURCE_PTR], one[layout.SOURCE_COUNT] = parts["source"].length, len(index.source)
    one[layout.GROUP_PTR], one[layout.GROUP_COUNT] = parts["group"].length, len(index.group)
    group = index.group.copy()
    group[:, layout.SLOT_PTR] += parts["slot_row"].length
    for place in range(layout.KEY_COLUMNS):
        column = layout.GROUP_RANGES + 2 * place
        group[group[:, column + 1] > 0, column] += parts["range_low"].length
    parts["source"].add(index.source)
    parts["group"].add(group)
    parts["slot_row"].add(np.where(index.slot_row >= 0, index.slot_row + rows, -1))
    parts["row_key"].add(index.row_key)
    parts["row_rank"].add(index.row_rank)
    parts["range_low"].add(index.range_low)
    parts["range_high"].add(index.range_high)
