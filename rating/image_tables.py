"""Price tables as arrays: how their rows are found, and which terms of their own they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from rating.image_prices import TablePrices, UnableToCompileImage
from rating.kernels import layout
from rating.kernels.destination import DIGITS_BITS, fill_root, nest
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog, PriceRows
from schemas.money import PRICE_DECIMALS_MAX, from_scaled
from schemas.price_plan import Calendar, Increments, PriceVersion
from schemas.price_table import PREFIX_MAX
from schemas.values import BASE, DIGITS_MAX

TERMS = ("first", "next", "minimum_quantity", "connection_fee")
ROOT_BITS_MAX = 16
VARIANTS_MAX = 65_535


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """How the r priced rows of a table are found.

    Attributes:
        order: (r,) which rows of the table they are, in the order of the index.
        variant: (r,) int32 which of `terms` a row has. terms: distinct (first, next, minimum_quantity, connection_fee).
        start, end: (r,) int64 when each is in force.
        parent: (p,) int32 of the prefixes; prefix_row: (p + 1,) int32 where the rows of each start.
        cut_start, cut_prefix: (c,) the cuts. root: int32 buckets of 2**shift numbers.
    """

    order: Int64Array
    variant: Int32Array
    terms: tuple[tuple[str | None, str | None, str | None, int | None], ...]
    start: Int64Array
    end: Int64Array
    parent: Int32Array
    prefix_row: Int32Array
    cut_start: Int64Array
    cut_prefix: Int32Array
    root: Int32Array
    shift: int


def compile_tables(catalog: Catalog) -> dict[str, CompiledTable]:
    """Return the index of every price table by code."""
    return {code: compile_destinations(rows, code) for code, rows in sorted(catalog.price_tables.items())}


def compile_destinations(rows: PriceRows, where: str) -> CompiledTable:
    """Return the index of a destination table.

    Raises:
        UnableToCompileImage: when its rows have too many different terms.
    """
    frame = rows.frame.with_row_index("row").filter(pl.col("price.0").is_not_null())
    length = pl.col("prefix").str.len_bytes().cast(pl.Int32)
    digit = (pl.col("prefix").str.slice(place, 1).cast(pl.Int64, strict=False) + 1 for place in range(PREFIX_MAX))
    first = pl.sum_horizontal(each.fill_null(0) * BASE ** (DIGITS_MAX - 1 - place) for place, each in enumerate(digit))
    frame = frame.with_columns(length.alias("length"), first.alias("begin")).sort("begin", "length", "start_at")
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
    variant, terms = _variants(frame, where)
    return CompiledTable(
        order=frame["row"].to_numpy().astype(np.int64),
        variant=variant,
        terms=terms,
        start=frame["start_at"].to_numpy().astype(np.int64),
        end=frame["end_at"].to_numpy().astype(np.int64),
        parent=parent,
        prefix_row=np.append(at, len(frame)).astype(np.int32),
        cut_start=cut_start[:cuts],
        cut_prefix=cut_prefix[:cuts],
        root=root,
        shift=DIGITS_BITS - bits,
    )


def _variants(
    frame: pl.DataFrame, where: str
) -> tuple[Int32Array, tuple[tuple[str | None, str | None, str | None, int | None], ...]]:
    """Return (which of the terms each row has, the distinct terms)."""
    distinct = frame.select(TERMS).unique(maintain_order=True).with_row_index("variant")
    if len(distinct) > VARIANTS_MAX:
        raise UnableToCompileImage(f"{where}: more than {VARIANTS_MAX} different increments, minimums and fees")
    found = frame.select(TERMS).join(distinct, on=TERMS, how="left", nulls_equal=True, maintain_order="left")
    return found["variant"].to_numpy().astype(np.int32), tuple(distinct.select(TERMS).iter_rows())


def table_prices(rows: PriceRows, table: CompiledTable, version: PriceVersion, catalog: Catalog) -> TablePrices:
    """Return the prices of a table for a version, by row of the index and band of its calendar."""
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    columns = [rows.frame[f"price.{place}"].to_numpy() for place in range(max(1, len(rows.bands)))]
    chosen = [columns[place][table.order] for place in _price_columns(rows, calendar)]
    fees = [version.connection_fee or Decimal(0), *(_fee(fee, version) for *_, fee in table.terms)]
    return TablePrices(np.stack(chosen, axis=1).astype(np.int64), tuple(fees))


def _price_columns(rows: PriceRows, calendar: Calendar | None) -> list[int]:
    """Return which column of prices each band of a calendar has."""
    names = [band.name for band in calendar.bands] if calendar is not None else [""]
    return [rows.bands.index(name) if rows.bands else 0 for name in names]


def _fee(pico: int | None, version: PriceVersion) -> Decimal:
    return (version.connection_fee or Decimal(0)) if pico is None else from_scaled(pico, PRICE_DECIMALS_MAX)


def variants_of(version: PriceVersion, table: CompiledTable) -> list[PriceVersion]:
    """Return a version once for each of the terms that rows of its table have."""
    return [
        version.model_copy(
            update={
                "increments": version.increments if first is None else Increments(first=first, next=following or first),
                "minimum_quantity": minimum or version.minimum_quantity,
                "connection_fee": _fee(fee, version),
            }
        )
        for first, following, minimum, fee in table.terms
    ]


@dataclass(frozen=True, slots=True)
class LookupTables:
    """The parts of `rating.kernels.layout.Tariff` that find rows of price tables."""

    table: Int64Array
    row_variant: Int32Array
    row_start: Int64Array
    row_end: Int64Array
    root: Int32Array
    cut_start: Int64Array
    cut_prefix: Int32Array
    prefix_parent: Int32Array
    prefix_row: Int32Array


def join_tables(tables: Sequence[CompiledTable]) -> LookupTables:
    """Return tables one after the other, their pointers counted from the beginning of all of them."""
    about = np.zeros((len(tables), layout.TABLE_COLUMNS), np.int64)
    rows = cuts = prefixes = roots = 0
    parents, pointers, cut_prefixes, rooted = [], [], [], []
    for one, table in zip(about, tables, strict=True):
        one[layout.ROW_PTR], one[layout.ROOT_PTR], one[layout.ROOT_SHIFT] = rows, roots, table.shift
        parents.append(np.where(table.parent >= 0, table.parent + prefixes, -1))
        # each table's last pointer is where the next one's rows start
        pointers.append(table.prefix_row[:-1] + rows)
        cut_prefixes.append(np.where(table.cut_prefix >= 0, table.cut_prefix + prefixes, -1))
        rooted.append(table.root + cuts)
        rows += len(table.order)
        cuts += len(table.cut_start)
        prefixes += len(table.parent)
        roots += len(table.root)
    return LookupTables(
        table=about,
        row_variant=_joined([table.variant for table in tables], np.int32),
        row_start=_joined([table.start for table in tables], np.int64),
        row_end=_joined([table.end for table in tables], np.int64),
        root=_joined(rooted, np.int32),
        cut_start=_joined([table.cut_start for table in tables], np.int64),
        cut_prefix=_joined(cut_prefixes, np.int32),
        prefix_parent=_joined(parents, np.int32),
        prefix_row=_joined([*pointers, np.array([rows])], np.int32),
    )


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.ascontiguousarray(np.concatenate([np.empty(0, dtype), *parts]).astype(dtype))
