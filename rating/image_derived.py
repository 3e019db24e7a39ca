"""What event types look up, as cuts of the integers that attributes and values are: codes by time from each cut on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rating.image_prices import UnableToCompileImage
from rating.image_timelines import Row, Timelines, always, of_prefixes, of_ranges
from rating.kernels import layout
from rating.kernels.destination import nest
from rating.price_plugins import LoadedPrice, UnableToUsePricePlugin, check_price
from rating.vocabulary import Vocabulary
from schemas.arrays import Int64Array
from schemas.catalog import Catalog, LookupRows
from schemas.edr import EdrBlock
from schemas.price_plan import EventType, PricePlugin
from schemas.values import VALUE_ABSENT, cell_range, prefix_range

AnyArray = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """One lookup of one event type.

    Attributes:
        event_type: its id. slot: of the columns behind the values, from 0.
        source: an attribute slot, or ATTRIBUTE_SLOTS plus a value slot.
        found: what is found, by key and time.
    """

    event_type: int
    slot: int
    source: int
    found: Timelines


@dataclass(frozen=True, slots=True)
class PriceColumn:
    """What a price plug-in makes of the usage of one event type.

    Attributes:
        event_type: its id; declared: its document. column: where its amounts go.
        texts: (ids,) object, the texts of `Vocabulary.attribute_values`.
    """

    event_type: int
    declared: EventType
    column: int
    plugin: PricePlugin
    loaded: LoadedPrice
    texts: AnyArray


def price_columns(catalog: Catalog) -> dict[tuple[str, str], int]:
    """Return the columns of price plug-ins behind values and lookups, by event type and plug-in (as JSON)."""
    used = {
        (charge.event_type, version.plugin.model_dump_json())
        for charge in catalog.charges.values()
        for version in catalog.price_plans[charge.price_plan].versions
        if version.plugin is not None
    }
    return {key: layout.VALUE_SLOTS + layout.LOOKUP_SLOTS + place for place, key in enumerate(sorted(used))}


def compile_plugins(catalog: Catalog, vocabulary: Vocabulary) -> tuple[PriceColumn, ...]:
    """Return the price plug-ins of all charges, each compared with its twin.

    Raises:
        UnableToCompileImage: when one cannot be used.
    """
    texts = np.array(vocabulary.attribute_values.names.to_list(), object)
    found = []
    for (event_type, written), column in price_columns(catalog).items():
        plugin, declared = PricePlugin.model_validate_json(written), catalog.event_types[event_type]
        try:
            loaded = check_price(plugin, declared, texts.tolist())
        except UnableToUsePricePlugin as error:
            raise UnableToCompileImage(f"price plug-in for {event_type}: {error}") from error
        found.append(PriceColumn(vocabulary.event_types.id(event_type), declared, column, plugin, loaded, texts))
    return tuple(found)


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
            timelines = _timelines(catalog.lookup_tables[lookup.table], decimals, vocabulary)
            found.append(DerivedColumn(vocabulary.event_types.id(code), slot, source, timelines))
    return tuple(found)


def _timelines(rows: LookupRows, decimals: int, vocabulary: Vocabulary) -> Timelines:
    codes = vocabulary.attribute_values.ids(rows.frame["code"]).astype(np.int64)
    dated = list(zip(rows.frame["start_at"].to_list(), rows.frame["end_at"].to_list(), codes.tolist(), strict=True))
    if rows.key == "digits":
        return _prefix_timelines(rows, codes, dated)
    if rows.key == "code":
        ids = vocabulary.attribute_values.ids(rows.frame["key"]).astype(np.int64)
        spans = np.stack([ids, ids + 1], axis=1)
    else:
        spans = np.array(
            [cell_range(key, rows.key, decimals) for key in rows.frame["key"].to_list()], np.int64
        ).reshape(-1, 2)
    # a range that lies between two numbers of so many decimals holds none
    some = np.flatnonzero(spans[:, 0] < spans[:, 1])
    if rows.dated:
        return of_ranges(spans[some].tolist(), [dated[place] for place in some.tolist()])
    some = some[np.argsort(spans[some, 0], kind="stable")]
    cut = spans[some].reshape(-1)
    code = np.stack([codes[some], np.zeros(len(some), np.int64)], axis=1).reshape(-1)
    last = np.append(cut[1:] != cut[:-1], True) if len(cut) else np.zeros(0, np.bool_)
    return always(cut[last], code[last])


def _prefix_timelines(rows: LookupRows, codes: Int64Array, dated: list[Row]) -> Timelines:
    """Return cuts at the ends of all prefixes, with what the longest ones find there."""
    keys = rows.frame["key"].to_list()
    places: dict[tuple[int, int], list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(prefix_range("" if key == "*" else key), []).append(place)
    ranges = sorted(places, key=lambda span: (span[0], -span[1]))
    start, end = (np.array([span[side] for span in ranges], np.int64) for side in (0, 1))
    parent = np.empty(len(ranges), np.int32)
    cut, prefix = np.empty(2 * len(ranges) + 1, np.int64), np.empty(2 * len(ranges) + 1, np.int32)
    count = int(nest(start, end, parent, cut, prefix))
    cut, longest = cut[:count].copy(), prefix[:count].astype(np.int64)
    if rows.dated:
        own = [[dated[place] for place in places[span]] for span in ranges]
        return of_prefixes(cut, longest, parent.tolist(), own)
    of_prefix = codes[[places[span][0] for span in ranges]]
    return always(cut, np.where(longest >= 0, of_prefix[longest], 0))


def with_derived(edrs: EdrBlock, derived: tuple[DerivedColumn, ...], plugins: tuple[PriceColumn, ...] = ()) -> AnyArray:
    """Return (n, columns) int64: the values of EDRs, behind them what their event types look up, then what plug-ins compute.

    A plug-in that fails refuses all usage of the block.
    """
    width = layout.VALUE_SLOTS + layout.LOOKUP_SLOTS + len(plugins)
    columns = np.full((len(edrs), width), VALUE_ABSENT, np.int64)
    if edrs.values is not None:
        columns[:, : layout.VALUE_SLOTS] = edrs.values
    columns[:, layout.VALUE_SLOTS : layout.VALUE_SLOTS + layout.LOOKUP_SLOTS] = 0
    for each in derived:
        rows = np.flatnonzero(edrs.event_type == each.event_type)
        if each.source < layout.ATTRIBUTE_SLOTS:
            said = edrs.attributes[rows, each.source].astype(np.int64)
        else:
            said = columns[rows, each.source - layout.ATTRIBUTE_SLOTS]
        columns[rows, layout.VALUE_SLOTS + each.slot] = each.found.codes_at(said, edrs.event_at[rows])
    for price in plugins:
        rows = np.flatnonzero(edrs.event_type == price.event_type)
        if len(rows):
            try:
                columns[rows, price.column] = price.loaded.amounts(
                    _given(edrs, rows, columns, price), price.plugin.options
                )
            except UnableToUsePricePlugin:
                columns[rows, price.column] = VALUE_ABSENT
    return columns


def _given(edrs: EdrBlock, rows: Int64Array, columns: AnyArray, price: PriceColumn) -> dict[str, AnyArray]:
    """Return some rows as the columns that a plug-in is given."""
    given: dict[str, AnyArray] = {"quantity": edrs.quantity[rows], "at": edrs.event_at[rows]}
    for slot, name in enumerate(price.declared.attributes):
        given[name] = price.texts[edrs.attributes[rows, slot]]
    for slot, name in enumerate(price.declared.lookups):
        given[name] = price.texts[columns[rows, layout.VALUE_SLOTS + slot]]
    for slot, name in enumerate(price.declared.values):
        given[name] = columns[rows, slot].copy()
    return given
