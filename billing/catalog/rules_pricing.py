"""Rules of what is sold: event types, calendars, counters, price plans, charges, offers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from billing.catalog.checking import Context, fits
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from schemas.money import AMOUNT_DECIMALS
from schemas.price_plan import (
    Band,
    Calendar,
    Charge,
    Counter,
    EventType,
    Offer,
    PricePlan,
    PriceVersion,
    Tier,
)

PRICE_MAX = Decimal(9_000_000)
"""Largest price of `per`, and largest connection fee: with 12 decimals they still fit int64."""
TIERS_MAX = 255
"""A rated item keeps the index of its tier in one byte."""


def check_event_type(ctx: Context, entry: Entry[EventType]) -> None:
    """Check an event type: its unit is known, its attributes are distinct."""
    ctx.unit(entry, ("unit",), entry.document.unit)
    ctx.unique(entry, ("attributes",), entry.document.attributes, "attribute")


def check_counter(ctx: Context, entry: Entry[Counter]) -> None:
    """Check a counter: its unit and zone are known."""
    ctx.unit(entry, ("unit",), entry.document.unit)
    ctx.zone(entry, ("zone",), entry.document.zone)


def check_calendar(ctx: Context, entry: Entry[Calendar]) -> None:
    """Check a calendar: the zone is known; exactly one band, the last, is the rest; times make sense."""
    ctx.zone(entry, ("zone",), entry.document.zone)
    bands = entry.document.bands
    for index, band in enumerate(bands):
        _check_band(ctx, entry, ("bands", index), band)
        last = index == len(bands) - 1
        if _is_rest(band) and not last:
            fix = "move it to the end, or give it days or times"
            ctx.problems.at(entry, ("bands", index), f'the band "{band.name}" is the rest, but not the last band', fix)
        if last and not _is_rest(band):
            fix = "add a last band with only a name"
            ctx.problems.at(entry, ("bands", index), "the last band must be the rest", fix)


def _is_rest(band: Band) -> bool:
    return band.days is None and band.start is None and band.end is None


def _check_band(ctx: Context, entry: Entry[Calendar], path: Path, band: Band) -> None:
    ctx.unique(entry, (*path, "days"), band.days or (), "day")
    if (band.start is None) != (band.end is None):
        lacking, there = ("start", "end") if band.start is None else ("end", "start")
        ctx.problems.at(entry, (*path, lacking), f"the band has a {there} but no {lacking}", f"add `{lacking}: HH:MM`")
    elif band.start == "24:00":
        ctx.problems.at(entry, (*path, "start"), "a band cannot start at 24:00", 'write "00:00", and the next day')
    elif band.start is not None and band.start == band.end:
        fix = "leave both out for the whole day"
        ctx.problems.at(entry, (*path, "end"), f"the band starts and ends at {band.start}", fix)


def check_price_plan(ctx: Context, entry: Entry[PricePlan]) -> None:
    """Check a price plan: the currency, each version, and that versions do not overlap."""
    ctx.currency(entry, ("currency",), entry.document.currency)
    versions = entry.document.versions
    for index, version in enumerate(versions):
        _check_version(ctx, entry, ("versions", index), version)
    order = sorted(range(len(versions)), key=lambda index: (versions[index].start, index))
    for earlier, later in pairwise(order):
        end, start = versions[earlier].end, versions[later].start
        if end is None or end > start:
            until = "has no end" if end is None else f"ends {end.isoformat()}"
            message = f"the version overlaps version {earlier}, which {until}"
            fix = f"end version {earlier} at {start.isoformat()}, or start this one later"
            ctx.problems.at(entry, ("versions", later, "start"), message, fix)


def _check_version(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    ctx.period(entry, path, version.start, version.end)
    dimension = ctx.dimension(version.per)
    ctx.positive(entry, (*path, "per"), version.per, None)
    _check_model(ctx, entry, path, version)
    for index, tier in enumerate(version.tiers or ()):
        _check_up_to(ctx, entry, path, version.tiers or (), index, dimension)
        _check_prices(ctx, entry, (*path, "tiers", index, "price"), tier.price, version)
    if version.price is not None:
        _check_prices(ctx, entry, (*path, "price"), version.price, version)
    if version.increments is not None:
        ctx.positive(entry, (*path, "increments", "first"), version.increments.first, dimension)
        ctx.positive(entry, (*path, "increments", "next"), version.increments.next, dimension)
    if version.connection_fee is not None:
        _check_price(ctx, entry, (*path, "connection_fee"), version.connection_fee, AMOUNT_DECIMALS)
    if version.calendar is not None:
        ctx.reference(entry, (*path, "calendar"), Calendar, "calendar", version.calendar)
    _check_counter_unit(ctx, entry, path, version, dimension)


def _check_model(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check that a version has the fields of its model and no others."""
    flat = version.model == "flat"
    needed, foreign = ("price", "tiers") if flat else ("tiers", "price")
    if getattr(version, foreign) is not None:
        other = "graduated" if flat else "flat"
        fix = f"remove it, or write `model: {other}`"
        ctx.problems.at(entry, (*path, foreign), f"a {version.model} version has no {foreign}", fix, key=True)
    if not getattr(version, needed):
        if flat and version.price is not None:
            return  # no price for any band is told by the bands
        ctx.problems.at(entry, (*path, needed), f"a {version.model} version needs {needed}", f"add `{needed}: …`")
    if len(version.tiers or ()) > TIERS_MAX:
        ctx.problems.at(entry, (*path, "tiers"), f"there are more than {TIERS_MAX} tiers", "use fewer tiers")


def _check_up_to(
    ctx: Context,
    entry: Entry[PricePlan],
    path: Path,
    tiers: tuple[Tier, ...],
    index: int,
    dimension: str | None,
) -> None:
    """Check the bound of one tier: above the one before; the last tier, and only it, is open."""
    here: Path = (*path, "tiers", index, "up_to")
    bound, last = tiers[index].up_to, index == len(tiers) - 1
    if bound is None:
        if not last:
            ctx.problems.at(entry, here, "only the last tier may be open", 'add `up_to: "NUMBER UNIT"`')
        return
    if last:
        ctx.problems.at(entry, here, "the last tier must be open", "remove `up_to`, or add a tier without it")
    steps = ctx.positive(entry, here, bound, dimension)
    before = tiers[index - 1].up_to if index else None
    if steps is None or before is None:
        return
    previous = ctx.steps(before)
    if previous is not None and steps <= previous:
        ctx.problems.at(entry, here, f'"{bound}" is not above "{before}", where the tier before ends', "sort the tiers")


def _check_prices(
    ctx: Context,
    entry: Entry[PricePlan],
    path: Path,
    price: Decimal | dict[str, Decimal],
    version: PriceVersion,
) -> None:
    """Check one price, or that there is one for every band of the calendar and for no other."""
    if not isinstance(price, dict):
        _check_price(ctx, entry, path, price, None)
        return
    for band, value in price.items():
        _check_price(ctx, entry, (*path, band), value, None)
    if version.calendar is None:
        fix = "add `calendar: …` to the version, or write one price"
        ctx.problems.at(entry, path, "prices by band need a calendar", fix)
        return
    calendar = ctx.documents.of(Calendar).get(version.calendar)
    if calendar is None:
        return
    names = list(dict.fromkeys(band.name for band in calendar.document.bands))
    for band in price:
        if band not in names:
            message = f'the calendar "{version.calendar}" has no band "{band}"'
            ctx.problems.at(entry, (*path, band), message, choose(band, names), key=True)
    for name in names:
        if name not in price:
            ctx.problems.at(entry, path, f'the band "{name}" has no price', f'add `{name}: "…"`')


def _check_price(ctx: Context, entry: Entry[PricePlan], path: Path, price: Decimal, decimals: int | None) -> None:
    if price > PRICE_MAX:
        fix = f"write at most {PRICE_MAX}; price a smaller `per`"
        ctx.problems.at(entry, path, f"{price} is too large", fix)
    elif decimals is not None and not fits(price, decimals):
        ctx.problems.at(entry, path, f"{price} has too many decimals", f"write at most {decimals}")


def _check_counter_unit(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    if version.counter is None:
        return
    counter = ctx.reference(entry, (*path, "counter"), Counter, "counter", version.counter)
    unit = ctx.units.get(counter.unit) if counter is not None else None
    if unit is not None and dimension is not None and unit.dimension != dimension:
        message = f'the counter "{version.counter}" counts {unit.dimension}, but the version prices {dimension}'
        ctx.problems.at(entry, (*path, "counter"), message, f"use a counter whose unit measures {dimension}")


def check_charge(ctx: Context, entry: Entry[Charge]) -> None:
    """Check a charge: event type, plan, filters, and that the plan prices what the event type measures."""
    charge = entry.document
    event_type = ctx.reference(entry, ("event_type",), EventType, "event_type", charge.event_type)
    plan = ctx.reference(entry, ("price_plan",), PricePlan, "price_plan", charge.price_plan)
    if event_type is not None:
        _check_filters(ctx, entry, event_type)
    unit = ctx.units.get(event_type.unit) if event_type is not None else None
    if unit is None or plan is None:
        return
    for index, version in enumerate(plan.versions):
        priced = ctx.dimension(version.per)
        if priced is not None and priced != unit.dimension:
            place = ctx.documents.of(PricePlan)[charge.price_plan].place(("versions", index, "per"))
            message = (
                f'the price plan "{plan.code}" prices {priced} ({place}: per "{version.per}"), '
                f'but "{charge.event_type}" measures {unit.dimension}'
            )
            ctx.problems.at(entry, ("price_plan",), message, f"use a plan per unit of {unit.dimension}")


def _check_filters(ctx: Context, entry: Entry[Charge], event_type: EventType) -> None:
    for name, value in entry.document.filters.items():
        if name not in event_type.attributes:
            message = f'the event type "{event_type.code}" has no attribute "{name}"'
            fix = choose(name, event_type.attributes, otherwise=f"add it: `attributes: [{name}]`")
            ctx.problems.at(entry, ("filters", name), message, fix, key=True)
        if not value:
            fix = "remove the filter; a charge with a higher priority number takes what no other matches"
            ctx.problems.at(entry, ("filters", name), "a filter cannot ask for an absent value", fix)


def check_offer(ctx: Context, entry: Entry[Offer]) -> None:
    """Check an offer: its charges are known and distinct, and all their plans have one currency."""
    ctx.unique(entry, ("charges",), entry.document.charges, "charge")
    first: tuple[str, str] | None = None
    for index, charge, plan in _plans(ctx, entry):
        if first is None:
            first = charge, plan.currency
        elif plan.currency != first[1]:
            message = f'the charge "{charge}" is priced in {plan.currency}, but "{first[0]}" in {first[1]}'
            ctx.problems.at(entry, ("charges", index), message, "make one offer per currency")


def _plans(ctx: Context, entry: Entry[Offer]) -> Iterator[tuple[int, str, PricePlan]]:
    plans = ctx.documents.of(PricePlan)
    for index, code in enumerate(entry.document.charges):
        charge = ctx.reference(entry, ("charges", index), Charge, "charge", code)
        if charge is not None and charge.price_plan in plans:
            yield index, code, plans[charge.price_plan].document


def offer_currencies(ctx: Context) -> dict[str, str]:
    """Return the currency of every offer whose plans are known."""
    charges, plans = ctx.documents.of(Charge), ctx.documents.of(PricePlan)
    found = {}
    for code, entry in ctx.documents.of(Offer).items():
        used = [charges[charge].document.price_plan for charge in entry.document.charges if charge in charges]
        currencies = [plans[plan].document.currency for plan in used if plan in plans]
        if currencies:
            found[code] = currencies[0]
    return found
