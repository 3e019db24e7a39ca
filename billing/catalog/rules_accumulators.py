"""Rules of accumulators: counters that grow by what charges price, and price nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from schemas.price_plan import Charge, Counter, EventType, Offer, PricePlan


def check_accumulators(ctx: Context, entry: Entry[Any], codes: tuple[str, ...], charges: Sequence[Charge]) -> None:
    """Check the counters that a charge or an offer grows by what some charges price."""
    if not codes:
        return
    ctx.unique(entry, ("accumulate",), codes, "counter")
    priced = priced_counters(ctx)
    for index, code in enumerate(codes):
        here: Path = ("accumulate", index)
        counter = ctx.reference(entry, here, Counter, "counter", code)
        if counter is None:
            continue
        if code in priced:
            message = f'the price plan "{priced[code]}" runs on the counter "{code}": it would count usage twice'
            ctx.problems.at(entry, here, message, "accumulate on a counter of its own")
        elif counter.function == "max" or counter.roll_over is not None:
            what = "holds the largest usage" if counter.function == "max" else "has an allowance that rolls over"
            ctx.problems.at(entry, here, f'"{code}" {what}, which is for prices', "use a counter without it")
        else:
            for charge in charges:
                if not isinstance(entry.document, Offer) or not _in_units(ctx, charge, counter):
                    _check_measure(ctx, entry, here, counter, charge)
            _check_values(ctx, entry, here, counter, charges)


def check_offer_accumulators(ctx: Context, entry: Entry[Offer]) -> None:
    """Check the accumulators of an offer: none is one of its charges', too."""
    offer, known = entry.document, ctx.documents.of(Charge)
    charges = [known[code].document for code in offer.charges if code in known]
    check_accumulators(ctx, entry, offer.accumulate, charges)
    for index, code in enumerate(offer.accumulate):
        twice = next((charge.code for charge in charges if code in charge.accumulate), None)
        if twice is not None:
            message = f'the charge "{twice}" accumulates on "{code}" already'
            ctx.problems.at(entry, ("accumulate", index), message, "remove one of them: it would count twice")


def priced_counters(ctx: Context) -> dict[str, str]:
    """Return the counters on which price plans run, and one such plan of each."""
    plans = ctx.documents.of(PricePlan).items()
    return {
        version.counter: code
        for code, entry in plans
        for version in entry.document.versions
        if version.counter is not None
    }


def converts(ctx: Context, charge: str) -> bool:
    """Return whether every offer with a charge converts amounts into the currency of the account, and there is one."""
    offers = [entry.document for entry in ctx.documents.of(Offer).values() if charge in entry.document.charges]
    return bool(offers) and all(offer.exchange_rates is not None for offer in offers)


def _check_values(ctx: Context, entry: Entry[Any], path: Path, counter: Counter, charges: Sequence[Charge]) -> None:
    """Check that usage says what a counter counts by: that of one charge at least, as an attribute or a lookup."""
    known = ctx.documents.of(EventType)
    types = [known[charge.event_type].document for charge in charges if charge.event_type in known]
    names = {name for each in types for name in (*each.attributes, *each.lookups)}
    if counter.by is not None and types and counter.by not in names:
        codes = ", ".join(sorted({each.code for each in types}))
        message = f'"{counter.code}" counts by {counter.by}, which no usage of {codes} says'
        ctx.problems.at(entry, path, message, choose(counter.by, names, otherwise="add it to the event type"))


def _in_units(ctx: Context, charge: Charge, counter: Counter) -> bool:
    """Return whether a counter counts money and a charge costs units: it adds nothing to what the others add."""
    plan = ctx.documents.of(PricePlan).get(charge.price_plan)
    return counter.function == "amount" and plan is not None and plan.document.in_units


def _check_measure(ctx: Context, entry: Entry[Any], path: Path, counter: Counter, charge: Charge) -> None:
    """Check that a counter counts what a charge gives: its currency, or what its event type measures."""
    plan = ctx.documents.of(PricePlan).get(charge.price_plan)
    event_type = ctx.documents.of(EventType).get(charge.event_type)
    if counter.function == "amount":
        if plan is not None and plan.document.currency != counter.unit and not converts(ctx, charge.code):
            message = f'"{counter.code}" counts {counter.unit}, but the charge "{charge.code}" is priced in '
            fix = "use a counter per currency"
            if plan.document.in_units:
                message, fix = (
                    f"{message}units, ",
                    "remove it here: units are no money; an offer may name it for its other charges",
                )
            ctx.problems.at(entry, path, message + plan.document.currency, fix)
        return
    unit = ctx.units.get(event_type.document.unit) if event_type is not None else None
    counted = ctx.units.get(counter.unit)
    if unit is not None and counted is not None and unit.dimension != counted.dimension:
        message = f'"{counter.code}" counts {counted.dimension}, but the charge "{charge.code}" prices {unit.dimension}'
        fix = f"use a counter whose unit measures {unit.dimension}, or list it under the charges that do"
        ctx.problems.at(entry, path, message, fix)
