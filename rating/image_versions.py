"""Price versions as rows of the tariff: what their models ask for, and where their tiers and prices are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from rating.contracts import percentage_of
from rating.image_calendars import CalendarTables
from rating.image_derived import price_columns
from rating.image_formulas import with_formula
from rating.image_prices import CompiledVersion, TablePrices, UnableToCompileImage, compile_version, period_of
from rating.image_rounding import rounded_for, rounded_table
from rating.image_tables import CompiledTable, TableKey, table_prices, variants_of
from rating.kernels import layout
from schemas.arrays import Int64Array
from schemas.catalog import Catalog
from schemas.price_plan import Charge, PriceVersion
from schemas.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class PricedVersion:
    """A version, and the variants of it that the terms of its price table's rows make; without a table, none.

    Attributes:
        table: its price table. slot: of the value that it prices. peak: whether its counter holds a maximum.
        prices: tier by tier, band by band, and of a table row by row of its index.
    """

    document: PriceVersion
    table: CompiledTable | None
    slot: int
    whole: CompiledVersion
    variants: tuple[CompiledVersion, ...]
    prices: Int64Array
    peak: bool


def compile_priced(
    charge: Charge,
    document: PriceVersion,
    catalog: Catalog,
    tables: Mapping[TableKey, CompiledTable],
    code_of: Callable[[str], int],
    *,
    where: str,
) -> PricedVersion:
    """Return a version of a charge's plan in integers.

    Args:
        tables: the compiled price tables. code_of: the id of a text that attributes may have. where: what messages call it.

    Raises:
        UnableToCompileImage: when it asks for what the kernels cannot hold.
    """
    measured = catalog.units[catalog.event_types[charge.event_type].unit]
    declared = catalog.event_types[charge.event_type].values
    decimals = {name: type_.decimals for name, type_ in declared.items() if type_.type == "number"}
    slot = list(declared).index(document.value) if document.value in decimals else 0
    if document.plugin is not None:
        slot = price_columns(catalog)[charge.event_type, document.plugin.model_dump_json()]
    peak = document.counter is not None and catalog.counters[document.counter].function == "max"
    if document.prices is None:
        whole = compile_version(document, unit=measured, catalog=catalog, where=where, decimals_of=decimals)
        if document.formula is not None:
            event_type = catalog.event_types[charge.event_type]
            calendar = catalog.calendars[document.calendar] if document.calendar is not None else None
            whole = with_formula(whole, document, event_type, measured, calendar, code_of, where=where)
        return PricedVersion(document, None, slot, whole, (), np.array(whole.price, np.int64), peak)
    table = tables[document.prices, charge.event_type]
    found = _rounded(
        table_prices(catalog.price_tables[document.prices], table, document, catalog), document, catalog, where
    )
    whole, *variants = (
        compile_version(version, unit=measured, catalog=catalog, where=where, table=found, decimals_of=decimals)
        for version in [document, *variants_of(document, table)]
    )
    prices = np.zeros((len(found.pico), max(1, len(whole.tier_upper)), found.pico.shape[1]), np.int64)
    prices[:, -1] = found.pico // whole.table_unit  # a free part is a tier before it that costs nothing
    return PricedVersion(document, table, slot, whole, tuple(variants), prices.reshape(-1), peak)


def _rounded(found: TablePrices, document: PriceVersion, catalog: Catalog, where: str) -> TablePrices:
    """Return the prices of a table, rounded as a version asks for."""

    def steps(text: str) -> int:
        return parse_quantity(text, catalog.units)[0]

    try:
        sold = rounded_for(document, (), steps)
        if sold is None or document.per is None:
            return found
        return replace(found, pico=rounded_table(document, found.pico, steps(document.per), sold[0]))
    except ValueError as error:
        raise UnableToCompileImage(f"{where}: {error}") from error


Compile = Callable[[Charge, PriceVersion, str], PricedVersion]
"""Compiles a version of a charge's plan; the text is what messages call it."""


def with_shared_prices(compile_one: Compile) -> Compile:
    """Return what compiles versions, and compiles those of one price table that differ in nothing but their time only once.

    A table may have a million prices, and contracts many variants of a plan.
    """
    known: dict[tuple[str, str, Decimal | None], PricedVersion] = {}

    def compiled(charge: Charge, document: PriceVersion, where: str) -> PricedVersion:
        if document.prices is None:
            return compile_one(charge, document, where)
        said = document.model_dump_json(include=set(PriceVersion.model_fields) - {"start", "end"})
        key = charge.event_type, said, percentage_of(document)
        if key not in known:
            known[key] = compile_one(charge, document, where)
        start, end = period_of(document)
        return replace(known[key], document=document, whole=replace(known[key].whole, start=start, end=end))

    return compiled


def joined_prices(compiled: Sequence[PricedVersion]) -> tuple[list[int], Int64Array]:
    """Return where the prices of each version are in all of them one after the other; what is shared is there once."""
    found: dict[int, int] = {}
    parts = [np.empty(0, np.int64)]
    length = 0
    for version in compiled:
        if id(version.prices) not in found:
            found[id(version.prices)] = length
            parts.append(version.prices)
            length += len(version.prices)
    return [found[id(version.prices)] for version in compiled], np.concatenate(parts)


def pack_versions(
    ids: list[int],
    compiled: list[PricedVersion],
    calendars: CalendarTables,
    tables: list[CompiledTable],
    programs: int,
    prices: list[int],
) -> Int64Array:
    """Return (versions + variants, VERSION_COLUMNS), see `layout.Tariff`.

    Args:
        ids: of the versions. tables: the price tables in the order of the image. programs: how many come before those
            of the versions. prices: where those of each version are.
    """
    count = len(compiled) + sum(len(version.variants) for version in compiled)
    rows = np.zeros((count, layout.VERSION_COLUMNS), np.int64)
    tiers = 0
    variant = len(compiled)
    for row, id_, version, first in zip(rows, ids, compiled, prices, strict=False):
        _fill(row, id_, version.whole, version.document, calendars, tiers, first)
        row[layout.MEASURE_SLOT] = version.slot
        row[layout.PROGRAM] = programs
        row[layout.PEAK] = version.peak
        programs += len(version.whole.programs)
        if version.table is not None:
            row[layout.LOOKUP] = version.table.lookup
            row[layout.TABLE] = next(place for place, table in enumerate(tables) if table is version.table)
            row[layout.VARIANT_PTR] = variant
            row[layout.VALUE_SLOT] = version.table.slot
            row[layout.ROW_PRICES] = len(version.prices) // max(1, len(version.table.order))
        for own, terms in zip(rows[variant:], version.variants, strict=False):
            _fill(own, id_, terms, version.document, calendars, tiers, first)
        variant += len(version.variants)
        tiers += len(version.whole.tier_upper)
    return rows


def _fill(
    row: Int64Array,
    id_: int,
    version: CompiledVersion,
    document: PriceVersion,
    calendars: CalendarTables,
    tiers: int,
    prices: int,
) -> None:
    """Write one row; `tiers` and `prices` are where those of the version start."""
    row[layout.VERSION_ID] = id_
    row[layout.DIVISOR] = version.divisor
    row[layout.EXTRA] = version.extra
    row[layout.FACTOR] = version.factor
    row[layout.MODE] = version.mode
    row[layout.FEE_HI : layout.FEE_LO + 1] = wide_halves([version.fee])
    row[layout.FIRST] = version.first
    row[layout.NEXT] = version.next
    row[layout.CALENDAR] = -1 if document.calendar is None else calendars.calendars.index(document.calendar)
    row[layout.BANDS] = version.bands
    row[layout.COUNTER] = -1 if document.counter is None else calendars.counters.index(document.counter)
    row[layout.TIER_PTR] = tiers
    row[layout.TIER_COUNT] = len(version.tier_upper)
    row[layout.PRICE_PTR] = prices
    row[layout.SHAPE] = version.model if version.plain else version.model + layout.SPECIAL
    row[layout.CROSSING] = version.crossing
    row[layout.MINIMUM] = version.minimum
    row[layout.INCREMENT_MODE] = version.increment_mode
    row[layout.FLOOR_HI : layout.FLOOR_LO + 1] = wide_halves([version.floor])
    row[layout.CAP_HI : layout.CAP_LO + 1] = wide_halves([version.cap])
    row[layout.ZERO_CHARGED] = version.zero_charged
    row[layout.SIZE] = version.size
    row[layout.FREE] = version.free
    row[layout.ROUND_DOWN] = version.round_down
    row[layout.TIER_STEPS] = any(version.tier_step)
    row[layout.STRAIGHT] = _is_straight(version)


def _is_straight(version: CompiledVersion) -> bool:
    """Return whether all that lies between two changes of the band of a usage is a whole number of its increments."""
    if version.crossing == layout.CROSSING_SECOND:
        return True
    whole = layout.QUARTER_STEPS % version.next == 0 and not any(version.tier_step)
    if version.crossing == layout.CROSSING_SPLIT:
        return whole and version.first <= layout.QUARTER_STEPS and version.first % version.next == 0
    return whole


def wide_halves(values: Iterable[int]) -> Int64Array:
    """Return (n, 2) int64: high and low 64 bits of non-negative integers below 2**127."""
    halves = [(value >> 64, value & (2**64 - 1)) for value in values]
    return np.array(halves, np.uint64).reshape(-1, 2).astype(np.int64)
