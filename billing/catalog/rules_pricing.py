"""Rules of what is sold: event types, price plans, charges, offers."""

from __future__ import annotations

from collections.abc import Iterator

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.rules_accumulators import check_accumulators, check_offer_accumulators
from billing.catalog.rules_calendars import SUBSCRIPTION_ZONE
from billing.catalog.rules_counters import check_used_up
from billing.catalog.rules_expressions import check_conditions, check_formula_use
from billing.catalog.rules_fees import check_fee_plan
from billing.catalog.rules_lookups import check_lookups
from billing.catalog.rules_tables import check_table_dimension, check_table_values, check_value_use
from billing.catalog.rules_taxes import check_class, check_sold_by
from billing.catalog.rules_triggers import check_triggers
from billing.catalog.rules_units import check_unit_plan
from billing.catalog.rules_versions import PRICE_MAX, check_version, priced_quantity
from billing.catalog.wording import choose
from schemas.exchange import ExchangeRates
from schemas.price_plan import Calendar, Charge, EventType, Offer, PricePlan

__all__ = [
    "PRICE_MAX",
    "check_charge",
    "check_event_type",
    "check_offer",
    "check_price_plan",
    "offer_currencies",
    "offers_by_zone",
]


def check_event_type(ctx: Context, entry: Entry[EventType]) -> None:
    """Check an event type: its unit is known, its attributes and values are distinct."""
    ctx.unit(entry, ("unit",), entry.document.unit)
    ctx.unique(entry, ("attributes",), entry.document.attributes, "attribute")
    for name, type_ in entry.document.values.items():
        if name in entry.document.attributes:
            message = f'"{name}" is an attribute already'
            ctx.problems.at(entry, ("values", name), message, "rename one of them", key=True)
        if type_.decimals and type_.type != "number":
            message = f"{type_.type} have no decimals" if type_.type == "digits" else f"a {type_.type} has no decimals"
            ctx.problems.at(entry, ("values", name, "decimals"), message, "remove `decimals`", key=True)
    check_lookups(ctx, entry)


def check_price_plan(ctx: Context, entry: Entry[PricePlan]) -> None:
    """Check a price plan: the currency or unit, each version, and that neither what is published nor drafts overlap."""
    if entry.document.in_units:
        check_unit_plan(ctx, entry)
    versions = entry.document.versions
    for index, version in enumerate(versions):
        check_version(ctx, entry, ("versions", index), version)
    for state in ("published", "draft"):
        places = [index for index, version in enumerate(versions) if version.state == state]
        ctx.apart(entry, ("versions",), [(versions[index].start, versions[index].end) for index in places], places)


def check_charge(ctx: Context, entry: Entry[Charge]) -> None:
    """Check a charge: event type, plan, filters, and that the plan prices what the event type measures."""
    charge = entry.document
    event_type = ctx.reference(entry, ("event_type",), EventType, "event_type", charge.event_type)
    plan = ctx.reference(entry, ("price_plan",), PricePlan, "price_plan", charge.price_plan)
    check_class(ctx, entry)
    check_accumulators(ctx, entry, charge.accumulate, [charge])
    if event_type is not None:
        _check_filters(ctx, entry, event_type)
        check_conditions(ctx, entry, event_type)
        check_triggers(ctx, entry, event_type)
    if plan is not None:
        check_used_up(ctx, entry, plan)
    if event_type is not None and plan is not None:
        check_table_values(ctx, entry, event_type, plan)
        check_value_use(ctx, entry, event_type, plan)
        check_formula_use(ctx, entry, event_type, plan)
        check_fee_plan(ctx, entry, event_type, plan)
    unit = ctx.units.get(event_type.unit) if event_type is not None else None
    if event_type is None or unit is None or plan is None:
        return
    for index, version in enumerate(plan.versions):
        quantity = priced_quantity(version)
        if quantity is None:
            check_table_dimension(ctx, entry, event_type, version)
        priced = ctx.dimension(quantity[0]) if quantity is not None else None
        if quantity is not None and priced is not None and priced != unit.dimension:
            text, path = quantity
            place = ctx.documents.of(PricePlan)[charge.price_plan].place(("versions", index, *path))
            message = (
                f'the price plan "{plan.code}" prices {priced} ({place}: {path[-1]} "{text}"), '
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
    """Check an offer: its charges are known and distinct, and all their plans in money have one currency unless it converts."""
    ctx.unique(entry, ("charges",), entry.document.charges, "charge")
    check_sold_by(ctx, entry)
    check_offer_accumulators(ctx, entry)
    ctx.optional(entry, ("exchange_rates",), ExchangeRates, "exchange_rates", entry.document.exchange_rates)
    first: tuple[str, str] | None = None
    for index, charge, plan in _plans(ctx, entry):
        if plan.in_units or entry.document.exchange_rates is not None:
            continue
        if first is None:
            first = charge, plan.currency
        elif plan.currency != first[1]:
            message = f'the charge "{charge}" is priced in {plan.currency}, but "{first[0]}" in {first[1]}'
            ctx.problems.at(entry, ("charges", index), message, "make one offer per currency, or name `exchange_rates`")
    _check_plugins(ctx, entry)


def _check_plugins(ctx: Context, entry: Entry[Offer]) -> None:
    """Check that no plug-in, which prices whole usage, is left with what another charge did not price."""
    charges = ctx.documents.of(Charge)
    parted = {
        charges[code].document.event_type: code
        for code in entry.document.charges
        if code in charges and charges[code].document.when_used_up == "next"
    }
    for index, code, plan in _plans(ctx, entry):
        other = parted.get(charges[code].document.event_type)
        if other is not None and any(version.plugin is not None for version in plan.versions):
            message = (
                f'the charge "{code}" has a plug-in, which prices whole usage, but "{other}" may price a part of it'
            )
            ctx.problems.at(entry, ("charges", index), message, f'let "{other}" refuse when it is used up')


def _plans(ctx: Context, entry: Entry[Offer]) -> Iterator[tuple[int, str, PricePlan]]:
    plans = ctx.documents.of(PricePlan)
    for index, code in enumerate(entry.document.charges):
        charge = ctx.reference(entry, ("charges", index), Charge, "charge", code)
        if charge is not None and charge.price_plan in plans:
            yield index, code, plans[charge.price_plan].document


def offer_currencies(ctx: Context) -> dict[str, str]:
    """Return the currency of every offer whose plans are known, but not of those that convert."""
    charges, plans = ctx.documents.of(Charge), ctx.documents.of(PricePlan)
    found = {}
    for code, entry in ctx.documents.of(Offer).items():
        used = [charges[charge].document.price_plan for charge in entry.document.charges if charge in charges]
        known = [plans[plan].document for plan in used if plan in plans]
        currencies = [plan.currency for plan in known if not plan.in_units]
        if currencies and entry.document.exchange_rates is None:
            found[code] = currencies[0]
    return found


def offers_by_zone(ctx: Context) -> dict[str, str]:
    """Return the offers with a calendar that asks for the zone of the subscription, and one such calendar."""
    charges, plans, calendars = ctx.documents.of(Charge), ctx.documents.of(PricePlan), ctx.documents.of(Calendar)
    found = {}
    for code, entry in ctx.documents.of(Offer).items():
        used = {charges[charge].document.price_plan for charge in entry.document.charges if charge in charges}
        named = {version.calendar for plan in used if plan in plans for version in plans[plan].document.versions}
        asking = sorted(
            name
            for name in named
            if name is not None and name in calendars and calendars[name].document.zone == SUBSCRIPTION_ZONE
        )
        if asking:
            found[code] = asking[0]
    return found
