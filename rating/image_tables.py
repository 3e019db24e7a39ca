"""Price tables as arrays: how their rows are found, and which terms of their own they have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from rating.contracts import percentage_of, pico_off
from rating.image_matrix import CompiledMatrix, compile_matrix
from rating.image_prices import TablePrices, UnableToCompileImage
from rating.kernels import layout
from rating.kernels.destination import DIGITS_BITS, begin_prefixes, fill_root, nest
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog, PriceRows
from schemas.contract import taken_off
from schemas.money import AMOUNT_DECIMALS, PRICE_DECIMALS_MAX, RoundingMode, from_scaled
from schemas.price_plan import Calendar, EventType, Increments, PriceVersion
from schemas.values import BASE, DIGITS_MAX

TERMS = ("first", "next", "minimum_quantity", "connection_fee")
ROOT_BITS_MAX = 20
VARIANTS_MAX = 65_535


@dataclass(frozen=True, slots=True)
class DestinationIndex:
    """How the r rows of a destination table are found.

    Attributes:
        start, end: (r,) int64 when each is in force.
        parent: (p,) int32 of the prefixes; prefix_row: (p + 1,) int32 where the rows of each start.
        cut: (c, CUT_COLUMNS) int64, see `layout`. root: int32 buckets of 2**shift numbers.
    """

    start: Int64Array
    end: Int64Array
    parent: Int32Array
    prefix_row: Int32Array
    cut: Int64Array
    root: Int32Array
    shift: int


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """A price table for one event type.

    Attributes:
        order: (r,) which rows of the table have a price, in the order of the index.
        variant: (r,) int32 which of `terms` a row has. terms: distinct (first, next, minimum_quantity, connection_fee).
        lookup: a LOOKUP_ constant of `layout`. slot: of a destination table, the slot of the value that it looks up.
        index: how the rows are found.
    """

    order: Int64Array
    variant: Int32Array
    terms: tuple[tuple[str | None, str | None, str | None, int | None], ...]
    lookup: int
    slot: int
    index: DestinationIndex | CompiledMatrix


TableKey = tuple[str, str]
"""A price table and the event type that it is compiled for."""


def compile_tables(catalog: Catalog, vocabulary: Vocabulary) -> dict[TableKey, CompiledTable]:
    """Return the index of every price table for every event type whose charges use it.

    Raises:
        UnableToCompileImage: when one has too many groups, or too many different terms.
    """
    used = {
        (version.prices, charge.event_type)
        for charge in catalog.charges.values()
        for version in catalog.price_plans[charge.price_plan].versions
        if version.prices is not None
    }
    return {
        key: _compile(catalog.price_tables[key[0]], catalog.event_types[key[1]], vocabulary, key[0])
        for key in sorted(used)
    }


def _compile(rows: PriceRows, event_type: EventType, vocabulary: Vocabulary, where: str) -> CompiledTable:
    if rows.kind == "destination_table":
        order, index = compile_destinations(rows)
        variant, terms = _variants(rows.frame.select(TERMS)[order], where)
        slot = list(event_type.values).index(rows.value)
        return CompiledTable(order, variant, terms, layout.LOOKUP_DESTINATION, slot, index)
    found = compile_matrix(rows, event_type, vocabulary, where)
    variant, terms = _variants(rows.frame.select(TERMS)[found.order], where)
    return CompiledTable(found.order, variant, terms, layout.LOOKUP_MATRIX, 0, found)


def compile_destinations(rows: PriceRows) -> tuple[Int64Array, DestinationIndex]:
    """Return which rows of a destination table have a price, in the order of its index, and the index."""
    frame = rows.frame.select("prefix", "start_at", "end_at", "price.0").with_row_index("row")
    frame = frame.filter(pl.col("price.0").is_not_null()).drop("price.0")
    length = frame["prefix"].str.len_bytes().cast(pl.Int32)
    begin = np.empty(len(frame), np.int64)
    number = frame["prefix"].cast(pl.Int64, strict=False).fill_null(0)
    begin_prefixes(_int64(number), _int64(length), np.int64(BASE), np.int64(DIGITS_MAX), begin)
    frame = frame.with_columns(length.alias("length"), pl.Series("begin", begin)).drop("prefix")
    frame = frame.sort("begin", "length", "start_at")
    begin, lengths = frame["begin"].to_numpy(), frame["length"].to_numpy()
    fresh = np.ones(len(frame), np.bool_)
    fresh[1:] = (begin[1:] != begin[:-1]) | (lengths[1:] != lengths[:-1])
    at = np.flatnonzero(fresh)
    starts, sizes = begin[at].astype(np.int64), lengths[at].astype(np.int32)
    ends = starts + BASE ** (DIGITS_MAX - sizes.astype(np.int64))
    parent = np.empty(len(at), np.int32)
    cut_start, cut_prefix = np.empty(2 * len(at) + 1, np.int64), np.empty(2 * len(at) + 1, np.int32)
    cuts = int(nest(starts, ends, parent, cut_start, cut_prefix))
    bits = min(ROOT_BITS_MAX, cuts.bit_length() + 2)
    root = np.empty((1 << bits) + 1, np.int32)
    fill_root(cut_start[:cuts], DIGITS_BITS - bits, root)
    starting, ending = frame["start_at"].to_numpy().astype(np.int64), frame["end_at"].to_numpy().astype(np.int64)
    always = np.where((starting[at] == TIME_MIN) & (ending[at] == TIME_MAX), at, -1)
    prefix = cut_prefix[:cuts].astype(np.int64)
    cut = np.zeros((cuts, layout.CUT_COLUMNS), np.int64)
    cut[:, layout.CUT_START], cut[:, layout.CUT_PREFIX] = cut_start[:cuts], prefix
    cut[:, layout.CUT_ROW] = np.where(prefix >= 0, np.append(always, -1)[prefix], -1)
    return frame["row"].to_numpy().astype(np.int64), DestinationIndex(
        start=starting,
        end=ending,
        parent=parent,
        prefix_row=np.append(at, len(frame)).astype(np.int32),
        cut=cut,
        root=root,
        shift=DIGITS_BITS - bits,
    )


def _int64(column: pl.Series) -> Int64Array:
    return np.array(column.to_numpy(), np.int64)


def _variants(
    frame: pl.DataFrame, where: str
) -> tuple[Int32Array, tuple[tuple[str | None, str | None, str | None, int | None], ...]]:
    """Return (which of the terms each row has, the distinct terms)."""
    if all(column.null_count() == len(column) for column in frame):
        return np.zeros(len(frame), np.int32), ((None, None, None, None),) if len(frame) else ()
    distinct = frame.unique(maintain_order=True).with_row_index("variant")
    if len(distinct) > VARIANTS_MAX:
        raise UnableToCompileImage(f"{where}: more than {VARIANTS_MAX} different increments, minimums and fees")
    found = frame.join(distinct, on=TERMS, how="left", nulls_equal=True, maintain_order="left")
    return found["variant"].to_numpy().astype(np.int32), tuple(distinct.select(TERMS).iter_rows())


def table_prices(rows: PriceRows, table: CompiledTable, version: PriceVersion, catalog: Catalog) -> TablePrices:
    """Return the prices of a table for a version, by row of the index and band of its calendar."""
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    columns = [rows.frame[f"price.{place}"].to_numpy() for place in range(max(1, len(rows.bands)))]
    chosen = [columns[place][table.order] for place in _price_columns(rows, calendar)]
    fees = [version.connection_fee or Decimal(0), *(_fee(fee, version) for *_, fee in table.terms)]
    pico, percentage = np.stack(chosen, axis=1).astype(np.int64), percentage_of(version)
    return TablePrices(pico if percentage is None else pico_off(pico, percentage), tuple(fees))


def _price_columns(rows: PriceRows, calendar: Calendar | None) -> list[int]:
    """Return which column of prices each band of a calendar has."""
    names = [band.name for band in calendar.bands] if calendar is not None else [""]
    return [rows.bands.index(name) if rows.bands else 0 for name in names]


def _fee(pico: int | None, version: PriceVersion) -> Decimal:
    if pico is None:
        return version.connection_fee or Decimal(0)
    fee, percentage = from_scaled(pico, PRICE_DECIMALS_MAX), percentage_of(version)
    return fee if percentage is None else taken_off(fee, percentage, AMOUNT_DECIMALS)


def _increments(version: PriceVersion, first: str, following: str) -> Increments:
    """Return increments of other lengths, rounded as those of the version are."""
    mode = version.increments.mode if version.increments is not None else RoundingMode.UP
    return Increments(first=first, next=following, mode=mode)


def variants_of(version: PriceVersion, table: CompiledTable) -> list[PriceVersion]:
    """Return a version once for each of the terms that rows of its table have."""
    return [
        version.model_copy(
            update={
                "increments": version.increments if first is None else _increments(version, first, following or first),
                "minimum_quantity": minimum or version.minimum_quantity,
                "connection_fee": _fee(fee, version),
            }
        )
        for first, following, minimum, fee in table.terms
    ]
