"""Rules of versions that take their prices from a price table: its bands, its quantities, and what it looks up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.catalog.checking import Context, fits
from billing.catalog.models import Documents, Entry, Fault, Path
from billing.catalog.wording import choose
from schemas.catalog import PriceRows
from schemas.price_plan import Calendar, Charge, EventType, PricePlan, PriceVersion
from schemas.price_table import DestinationTable, PriceMatrix
from schemas.quantity import QUANTITY_MAX

PRICE_MAX = Decimal(9_000_000)
"""Largest price of `per`, and largest fixed amount: with 12 decimals they still fit int64."""


def price_table_entries(documents: Documents) -> dict[str, Entry[Any]]:
    """Return the documents of price tables of both kinds by code."""
    return {**documents.of(DestinationTable), **documents.of(PriceMatrix)}


def check_table_use(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    """Check that the price table of a version is known, and has prices for its bands and quantities of its dimension."""
    if version.prices is None:
        return
    here: Path = (*path, "prices")
    if version.prices not in price_table_entries(ctx.documents):
        kinds = ("destination_table", "price_matrix")
        if not any(ctx.documents.may_be(kind, version.prices) for kind in kinds):
            fix = choose(version.prices, price_table_entries(ctx.documents), otherwise="add a `kind: price_matrix`")
            ctx.problems.at(entry, here, f'the price table "{version.prices}" is unknown', fix, Fault.UNKNOWN_NAME)
        return
    rows = ctx.price_tables.get(version.prices)
    if rows is None:
        return  # its own problems are said already
    _check_bands(ctx, entry, here, version, rows)
    if dimension is not None:
        _check_dimension(ctx, entry, here, version.prices, dimension)


def _check_dimension(ctx: Context, entry: Entry[Any], path: Path, table: str, dimension: str) -> None:
    """Check that the quantities of a price table measure what is priced."""
    rows = ctx.price_tables.get(table)
    if rows is None:
        return  # its own problems are said already
    for name in ("first", "next", "minimum_quantity"):
        column = rows.frame[name]
        written = [] if column.null_count() == len(column) else column.drop_nulls().unique().sort().to_list()
        for text in written:
            measured = ctx.dimension(text)
            if measured is not None and measured != dimension:
                message = f'"{table}" has {name} "{text}", which measures {measured}, not {dimension}'
                ctx.problems.at(entry, path, message, f"use a table whose {name} measures {dimension}")
                break


def check_table_dimension(ctx: Context, entry: Entry[Charge], event_type: EventType, version: PriceVersion) -> None:
    """Check the quantities of a table by what is charged, where the version has none that tell what it prices."""
    unit = ctx.units.get(event_type.unit)
    if version.prices is not None and unit is not None:
        _check_dimension(ctx, entry, ("price_plan",), version.prices, unit.dimension)


def _check_bands(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, rows: PriceRows) -> None:
    if not rows.bands:
        return
    if version.calendar is None:
        fix = "add `calendar: …` to the version, or use a table with one price"
        ctx.problems.at(entry, path, "prices by band need a calendar", fix)
        return
    calendar = ctx.documents.of(Calendar).get(version.calendar)
    if calendar is None:
        return
    names = list(dict.fromkeys(band.name for band in calendar.document.bands))
    for band in rows.bands:
        if band not in names:
            message = f'"{version.prices}" has the column "price.{band}", but the calendar has no band "{band}"'
            ctx.problems.at(entry, path, message, choose(band, names))
    for name in names:
        if name not in rows.bands:
            message = f'the band "{name}" of the calendar has no price in "{version.prices}"'
            ctx.problems.at(entry, path, message, f"add the column `price.{name}`")


def check_table_values(ctx: Context, entry: Entry[Charge], event_type: EventType, plan: PricePlan) -> None:
    """Check that the event type of a charge has what the price tables of its plan look up."""
    documents = price_table_entries(ctx.documents)
    for code in sorted({version.prices for version in plan.versions if version.prices is not None}):
        table = documents[code].document if code in documents else None
        if isinstance(table, DestinationTable):
            _check_column(ctx, entry, event_type, code, table.value, "digits")
        elif isinstance(table, PriceMatrix):
            for name, kind in table.columns.items():
                _check_column(ctx, entry, event_type, code, name, kind)


def check_value_use(ctx: Context, entry: Entry[Charge], event_type: EventType, plan: PricePlan) -> None:
    """Check that the event type of a charge has the number that its plan multiplies, as fine as the plan's free part."""
    for index, version in enumerate(plan.versions):
        name = version.value
        if name is None or version.model != "value":
            continue
        path: Path = ("price_plan",)
        type_ = event_type.values.get(name)
        if type_ is None:
            message = f'the plan "{plan.code}" prices the value "{name}", which "{event_type.code}" has not'
            fix = choose(
                name, event_type.values, otherwise=f"add it: `values: {{{name}: {{type: number, decimals: 2}}}}`"
            )
            ctx.problems.at(entry, path, message, fix)
        elif type_.type != "number":
            message = f'the plan "{plan.code}" prices the value "{name}", which is no number but {type_.type}'
            ctx.problems.at(entry, path, message, "price a value of the type `number`")
        elif version.free_value is not None and not fits(version.free_value, type_.decimals):
            message = (
                f'the free part {version.free_value} of version {index} of "{plan.code}" has more decimals than "{name}", '
                f"which has {type_.decimals}"
            )
            ctx.problems.at(entry, path, message, f"write at most {type_.decimals} decimals")
        elif version.free_value is not None and version.free_value > QUANTITY_MAX // 10**type_.decimals:
            message = (
                f'the free part {version.free_value} of version {index} of "{plan.code}" is more than "{name}" can be'
            )
            ctx.problems.at(entry, path, message, f"write at most {QUANTITY_MAX // 10**type_.decimals}")


def _check_column(ctx: Context, entry: Entry[Charge], event_type: EventType, table: str, name: str, kind: str) -> None:
    path: Path = ("price_plan",)
    if kind == "code":
        if name not in event_type.attributes and name not in event_type.lookups:
            message = f'"{table}" looks up the attribute "{name}", which "{event_type.code}" has not'
            known = (*event_type.attributes, *event_type.lookups)
            fix = choose(name, known, otherwise=f"add it: `attributes: [{name}]`")
            ctx.problems.at(entry, path, message, fix)
    elif name not in event_type.values:
        message = f'"{table}" looks up the value "{name}", which "{event_type.code}" has not'
        fix = choose(name, event_type.values, otherwise=f"add it: `values: {{{name}: {kind}}}`")
        ctx.problems.at(entry, path, message, fix)
    elif event_type.values[name].type != kind:
        message = (
            f'"{table}" looks up "{name}" as {kind}, but for "{event_type.code}" it is {event_type.values[name].type}'
        )
        ctx.problems.at(entry, path, message, f"write `{name}: {kind}` in the event type")
