"""What event types look up, as cuts of the integers that attributes and values are: a code from each cut on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from rating.kernels import layout
from rating.kernels.destination import nest
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog, LookupRows
from schemas.edr import EdrBlock
from schemas.values import VALUE_ABSENT, cell_range, prefix_range

AnyArray = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """One lookup of one event type.

    Attributes:
        event_type: its id. slot: of the columns behind the values, from 0.
        source: an attribute slot, or ATTRIBUTE_SLOTS plus a value slot.
        cut: (c,) int64 ascending, where each code begins to be found. code: (c,) int64, 0 where nothing is found.
    """

    event_type: int
    slot: int
    source: int
    cut: Int64Array
    code: Int64Array


def lookup_codes(catalog: Catalog) -> set[str]:
    """Return the texts that lookup tables find, and those that they look for."""
    used = {lookup.table for event_type in catalog.event_types.values() for lookup in event_type.lookups.values()}
    texts: set[str] = set()
    for rows in (catalog.lookup_tables[code] for code in used):
        texts.update(rows.frame["code"].to_list())
        if rows.key == "code":
            texts.update(rows.frame["key"].to_list())
    return texts


def compile_derived(catalog: Catalog, vocabulary: Vocabulary) -> tuple[DerivedColumn, ...]:
    """Return the lookups of all event types, whose names and texts the vocabulary knows."""
    found = []
    for code, event_type in sorted(catalog.event_types.items()):
        for slot, lookup in enumerate(event_type.lookups.values()):
            decimals = 0
            if lookup.of in event_type.attributes:
                source = event_type.attributes.index(lookup.of)
            else:
                source = layout.ATTRIBUTE_SLOTS + list(event_type.values).index(lookup.of)
                decimals = event_type.values[lookup.of].decimals
            cut, codes = _cuts(catalog.lookup_tables[lookup.table], decimals, vocabulary)
            found.append(DerivedColumn(vocabulary.event_types.id(code), slot, source, cut, codes))
    return tuple(found)


def _cuts(rows: LookupRows, decimals: int, vocabulary: Vocabulary) -> tuple[Int64Array, Int64Array]:
    codes = vocabulary.attribute_values.ids(rows.frame["code"]).astype(np.int64)
    if rows.key == "digits":
        return _prefix_cuts(rows.frame["key"], codes)
    if rows.key == "code":
        ids = vocabulary.attribute_values.ids(rows.frame["key"]).astype(np.int64)
        spans = np.stack([ids, ids + 1], axis=1)
    else:
        spans = np.array(
            [cell_range(key, rows.key, decimals) for key in rows.frame["key"].to_list()], np.int64
        ).reshape(-1, 2)
    order = np.argsort(spans[:, 0], kind="stable")
    spans, codes = spans[order], codes[order]
    # a range that lies between two numbers of so many decimals holds none
    some = spans[:, 0] < spans[:, 1]
    spans, codes = spans[some], codes[some]
    cut = spans.reshape(-1)
    code = np.stack([codes, np.zeros(len(codes), np.int64)], axis=1).reshape(-1)
    last = np.append(cut[1:] != cut[:-1], True) if len(cut) else np.zeros(0, np.bool_)
    return cut[last], code[last]


def _prefix_cuts(keys: pl.Series, codes: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return cuts at the ends of all prefixes, each with the code of the longest one there."""
    ranges = [prefix_range("" if key == "*" else key) for key in keys.to_list()]
    order = sorted(range(len(ranges)), key=lambda place: (ranges[place][0], -ranges[place][1]))
    start = np.array([ranges[place][0] for place in order], np.int64)
    end = np.array([ranges[place][1] for place in order], np.int64)
    cut, prefix = np.empty(2 * len(order) + 1, np.int64), np.empty(2 * len(order) + 1, np.int32)
    count = int(nest(start, end, np.empty(len(order), np.int32), cut, prefix))
    found: Int32Array = prefix[:count]
    return cut[:count].copy(), np.where(found >= 0, codes[order][found], 0)


def with_derived(edrs: EdrBlock, derived: tuple[DerivedColumn, ...]) -> AnyArray:
    """Return (n, VALUE_SLOTS + LOOKUP_SLOTS) int64: the values of EDRs, and behind them what their event types look up."""
    columns = np.full((len(edrs), layout.VALUE_SLOTS + layout.LOOKUP_SLOTS), VALUE_ABSENT, np.int64)
    if edrs.values is not None:
        columns[:, : layout.VALUE_SLOTS] = edrs.values
    columns[:, layout.VALUE_SLOTS :] = 0
    for each in derived:
        rows = np.flatnonzero(edrs.event_type == each.event_type)
        if each.source < layout.ATTRIBUTE_SLOTS:
            said = edrs.attributes[rows, each.source].astype(np.int64)
        else:
            said = columns[rows, each.source - layout.ATTRIBUTE_SLOTS]
        place = np.searchsorted(each.cut, said, side="right") - 1
        columns[rows, layout.VALUE_SLOTS + each.slot] = (
            np.where(place >= 0, each.code[place], 0) if len(each.cut) else 0
        )
    return columns
