"""Price matrices as arrays: cells as ranges of integers, rows as groups whose keys find them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import polars as pl

from rating.image_prices import UnableToCompileImage
from rating.kernels import layout
from rating.kernels.matrix import fill_slots, first_overlap
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog, PriceRows
from schemas.price_plan import EventType
from schemas.values import VALUE_ABSENT, VALUE_DECIMALS_MAX, cell_range

GROUPS_MAX = 1024
PRIORITY = 100
"""Of rows that name none."""
INT64_MAX = 2**63 - 1
BEYOND = 10**40
"""Beyond every number that a cell can hold."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the r priced rows of a matrix ask for, in d columns, the last of which may be the time of the usage.

    Attributes:
        order: (r,) which rows of the table they are.
        low, high: (r, d) int64, half-open; VALUE_ABSENT .. INT64_MAX where any will do.
        asks: (r, d) bool, False where any will do. coded: per column, whether its cells are texts.
        rank: (r,) int64, 0 the best: by priority, then by how many columns the row asks for.
    """

    order: Int64Array
    low: Int64Array
    high: Int64Array
    asks: BoolArray
    coded: tuple[bool, ...]
    rank: Int64Array


@dataclass(frozen=True, slots=True)
class CompiledMatrix:
    """The groups of a matrix, their pointers counted from its own beginnings; see `layout.Tariff`.

    `order`: (r,) which rows of the table they find.
    """

    order: Int64Array
    source: Int32Array
    group: Int64Array
    slot_row: Int64Array
    row_key: Int32Array
    row_rank: Int32Array
    range_low: Int64Array
    range_high: Int64Array


def conditions_of(rows: PriceRows, read: Callable[[str, list[str]], list[tuple[int, int]]]) -> Conditions:
    """Return what the rows of a matrix ask for; `read` gives the ranges of the distinct cells of a column."""
    frame = rows.frame.with_row_index("row").filter(pl.col("price.0").is_not_null())
    lows, highs, asks = [], [], []
    for name in rows.columns:
        texts = frame[f"when.{name}"]
        distinct = texts.drop_nulls().unique(maintain_order=True).to_list()
        found = dict(zip([*distinct, None], [*read(name, distinct), (VALUE_ABSENT, INT64_MAX)], strict=True))
        cells = np.array([found[text] for text in texts.to_list()], np.int64).reshape(-1, 2)
        lows.append(cells[:, 0])
        highs.append(cells[:, 1])
        asks.append(texts.is_not_null().to_numpy())
    priority = frame["priority"].fill_null(PRIORITY).to_numpy().astype(np.int64)
    ranked = np.stack([priority, -np.sum(asks, axis=0)], axis=1)
    rank = np.unique(ranked, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    coded = [kind == "code" for kind in rows.columns.values()]
    dated = (frame["start_at"] != TIME_MIN) | (frame["end_at"] != TIME_MAX)
    if dated.any():
        lows.append(frame["start_at"].to_numpy().astype(np.int64))
        highs.append(frame["end_at"].to_numpy().astype(np.int64))
        asks.append(dated.to_numpy())
        coded.append(False)
    return Conditions(
        frame["row"].to_numpy().astype(np.int64),
        np.ascontiguousarray(np.stack(lows, axis=1)),
        np.ascontiguousarray(np.stack(highs, axis=1)),
        np.stack(asks, axis=1),
        tuple(coded),
        rank,
    )


def matrix_codes(catalog: Catalog) -> set[str]:
    """Return the texts that matrices ask for."""
    return {
        text
        for rows in catalog.price_tables.values()
        for name, kind in rows.columns.items()
        if kind == "code"
        for text in rows.frame[f"when.{name}"].drop_nulls().unique().to_list()
    }


def find_ambiguity(rows: PriceRows) -> tuple[int, int] | None:
    """Return two rows of a matrix between which nothing decides for some usage, None when there are none."""

    def places(name: str, cells: list[str]) -> list[tuple[int, int]]:
        """Return where ranges begin and end among all ends of them: of numbers no integer could hold them all."""
        if rows.columns[name] == "code":
            return [(place, place + 1) for place in range(len(cells))]
        ranges = [cell_range(cell, rows.columns[name], VALUE_DECIMALS_MAX, BEYOND) for cell in cells]
        place = {end: place for place, end in enumerate(sorted({end for ends in ranges for end in ends}))}
        return [(place[low], place[high]) for low, high in ranges]

    asked = conditions_of(rows, places)
    if not len(asked.order):
        return None
    sweep = max(range(asked.low.shape[1]), key=lambda place: len(np.unique(asked.low[:, place])))
    order = np.lexsort((asked.low[:, sweep], asked.rank))
    low, high, rank = (np.ascontiguousarray(array[order]) for array in (asked.low, asked.high, asked.rank))
    one, other = first_overlap(low, high, rank, sweep)
    if one < 0:
        return None
    found = sorted((int(asked.order[order[one]]), int(asked.order[order[other]])))
    return found[0], found[1]


def sources_of(rows: PriceRows, event_type: EventType, dimensions: int) -> list[int]:
    """Return where each column of a matrix reads a usage of an event type: attributes, values, lookups, its time."""
    columns = [*event_type.values, *([None] * (layout.VALUE_SLOTS - len(event_type.values))), *event_type.lookups]
    found = [
        event_type.attributes.index(name)
        if name in event_type.attributes
        else layout.ATTRIBUTE_SLOTS + columns.index(name)
        for name in rows.columns
    ]
    return [*found, *([layout.SOURCE_AT] * (dimensions - len(found)))]


def _groups(asked: Conditions) -> list[Int64Array]:
    """Return the rows of each group, the groups by the best rank of their rows."""
    layers = np.zeros(asked.low.shape, np.int64)
    masks = np.unique(asked.asks, axis=0, return_inverse=True)[1].reshape(-1)
    for mask in range(int(masks.max(initial=-1)) + 1):
        rows = np.flatnonzero(masks == mask)
        for place, coded in enumerate(asked.coded):
            if not coded and asked.asks[rows[0], place]:
                layers[rows, place] = _layers(asked.low[rows, place], asked.high[rows, place])
    kinds = np.unique(np.column_stack([masks, layers]), axis=0, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((asked.rank, kinds))
    members = np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1) if len(order) else []
    return sorted((rows.astype(np.int64) for rows in members), key=lambda rows: int(asked.rank[rows].min()))


def _layers(low: Int64Array, high: Int64Array) -> Int64Array:
    """Return a number for each range, the same only for ranges that are equal or do not overlap; as few as there can be."""
    distinct, index = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    layer = np.zeros(len(distinct), np.int64)
    ends: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(distinct.tolist()):
        layer[number] = heappop(ends)[1] if ends and ends[0][0] <= start else len(ends)
        heappush(ends, (end, int(layer[number])))
    return layer[index.reshape(-1)]


def compile_matrix(rows: PriceRows, event_type: EventType, vocabulary: Vocabulary, where: str) -> CompiledMatrix:
    """Return the groups in which usage of an event type finds the rows of a matrix.

    Raises:
        UnableToCompileImage: when its ranges overlap so much that there are too many groups.
    """

    def read(name: str, cells: list[str]) -> list[tuple[int, int]]:
        if rows.columns[name] == "code":
            return [(number, number + 1) for number in map(vocabulary.attribute_values.id, cells)]
        type_ = event_type.values[name]
        return [cell_range(cell, type_.type, type_.decimals) for cell in cells]

    asked = conditions_of(rows, read)
    members = _groups(asked)
    if len(members) > GROUPS_MAX:
        raise UnableToCompileImage(f"{where}: the ranges of the matrix overlap in more than {GROUPS_MAX} ways")
    row_key = np.full((len(asked.order), layout.KEY_COLUMNS), -1, np.int32)
    group = np.zeros((len(members), layout.GROUP_COLUMNS), np.int64)
    slots: list[Int64Array] = []
    lows: list[int] = []
    highs: list[int] = []
    placed: dict[bytes, int] = {}  # groups that ask for the same ranges search them once
    for number, rows_of in enumerate(members):
        about = group[number]
        about[layout.GROUP_RANK] = asked.rank[rows_of].min()
        for place, coded in enumerate(asked.coded):
            pointer = layout.GROUP_RANGES + 2 * place
            about[pointer + 1] = layout.RANGE_ANY
            row_key[rows_of, place] = 0
            if not asked.asks[rows_of[0], place]:
                continue
            if coded:
                about[pointer + 1] = layout.RANGE_CODE
                row_key[rows_of, place] = asked.low[rows_of, place]
                continue
            ranges = np.stack([asked.low[rows_of, place], asked.high[rows_of, place]], axis=1)
            distinct, index = np.unique(ranges, axis=0, return_inverse=True)
            ends = distinct.tobytes()
            if ends not in placed:
                placed[ends] = len(lows)
                lows += distinct[:, 0].tolist()
                highs += distinct[:, 1].tolist()
            about[pointer], about[pointer + 1] = placed[ends], len(distinct)
            row_key[rows_of, place] = index.reshape(-1) + 1
        room = np.full(1 << (2 * len(rows_of)).bit_length(), -1, np.int64)
        about[layout.SLOT_PTR], about[layout.SLOT_MASK] = sum(map(len, slots)), len(room) - 1
        fill_slots(rows_of, row_key, asked.rank.astype(np.int32), room)
        slots.append(room)
    return CompiledMatrix(
        asked.order,
        np.array(sources_of(rows, event_type, len(asked.coded)), np.int32),
        group,
        np.concatenate([np.empty(0, np.int64), *slots]),
        row_key,
        asked.rank.astype(np.int32),
        np.array(lows, np.int64),
        np.array(highs, np.int64),
    )
