"""Rules of fees: when they are due can be told, and what they cost is a price."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context, fits
from billing.catalog.fees import FEE_TYPE, fee_codes
from billing.catalog.models import Entry, Path
from schemas.fees import SCOPES, MinimumCharge, OneShotCharge, PeriodicFee, ProductCharge, Purchase, RecurringCharge
from schemas.price_plan import Charge, EventType, Offer, PricePlan, PriceVersion

FEE_DECIMALS_MAX = 6
"""Of the price of a whole fee: of at most 12 months, any share of it is rounded as if it were exact."""
_MONTHS = ("month", "year")
_OF_MONTHS = ("thirty_360", "actual_360", "actual_365", "actual_actual", "month_12")
_NOT_OF_FEES = ("prices", "calendar", "connection_fee", "floor", "cap", "increments", "minimum_quantity")


def check_recurring(ctx: Context, entry: Entry[RecurringCharge]) -> None:
    """Check the zone of a recurring charge, and that its basis can measure its periods."""
    fee = entry.document
    _check_periods(ctx, entry, fee)
    if fee.priced_per == "year" and fee.every.split()[1] not in _MONTHS:
        message = f"the price is that of a year, and a period is {fee.every}"
        ctx.problems.at(entry, ("priced_per",), message, "price a period, or use periods of months")


def check_minimum(ctx: Context, entry: Entry[MinimumCharge]) -> None:
    """Check a minimum: what it counts is sold with it, in its currency, and is no minimum."""
    fee = entry.document
    _check_periods(ctx, entry, fee)
    ctx.unique(entry, ("of",), fee.of, "charge")
    charges, plans = ctx.documents.of(Charge), ctx.documents.of(PricePlan)
    for index, code in enumerate(fee.of):
        here: Path = ("of", index)
        charge = ctx.reference(entry, here, Charge, "charge", code)
        plan = plans.get(charge.price_plan) if charge is not None else None
        least = ctx.documents.of(MinimumCharge).get(code)
        if least is not None and SCOPES.index(least.document.scope) >= SCOPES.index(fee.scope):
            fix = "name what it counts; minimums of narrower scopes are among these"
            ctx.problems.at(entry, here, f'"{code}" is a minimum itself', fix)
        elif plan is not None and plan.document.in_units:
            ctx.problems.at(entry, here, f'"{code}" is priced in {plan.document.currency}', "name charges in money")
    for offer in ctx.documents.of(Offer).values():
        if fee.code not in offer.document.charges:
            continue
        if offer.document.exchange_rates is not None:
            message = f'the offer "{offer.document.code}" ({offer.place()}) converts, and a minimum has one currency'
            ctx.problems.at(entry, ("code",), message, "sell it in an offer of one currency")
        for index, code in enumerate(fee.of):
            if fee.scope == "subscription" and code in charges and code not in offer.document.charges:
                message = f'the offer "{offer.document.code}" ({offer.place()}) has the minimum, but no charge "{code}"'
                ctx.problems.at(entry, ("of", index), message, "add it to the offer, or make a minimum of its own")


def _check_periods(ctx: Context, entry: Entry[Any], fee: PeriodicFee) -> None:
    ctx.zone(entry, ("zone",), fee.zone)
    if fee.basis in _OF_MONTHS and fee.every.split()[1] not in _MONTHS:
        message = f"{fee.basis} counts months, and a period is {fee.every}"
        ctx.problems.at(entry, ("basis",), message, "use `basis: actual`, or periods of months")


def check_zone(ctx: Context, entry: Entry[OneShotCharge] | Entry[ProductCharge]) -> None:
    """Check the zone of a charge that is made once, or for each product."""
    ctx.zone(entry, ("zone",), entry.document.zone)


def check_purchase(ctx: Context, entry: Entry[Purchase]) -> None:
    """Check that a purchase is of a product, and comes back after it was made; who makes it is checked with subscriptions."""
    purchase = entry.document
    ctx.reference(entry, ("product",), ProductCharge, "product_charge", purchase.product)
    if purchase.returned_at is not None and purchase.returned_at <= purchase.at:
        ctx.problems.at(entry, ("returned_at",), "it comes back before it is bought", "write a later instant, or none")


def check_fee_plan(ctx: Context, entry: Entry[Charge], event_type: EventType, plan: PricePlan) -> None:
    """Check that the plan of a fee prices fees, and nothing else."""
    if event_type is not FEE_TYPE:
        return
    for index, version in enumerate(plan.versions):
        wrong = _wrong(version)
        if wrong is not None:
            place = ctx.documents.of(PricePlan)[plan.code].place(("versions", index, *wrong[1]))
            message = f'the price plan "{plan.code}" prices no fee: {wrong[0]} ({place})'
            ctx.problems.at(
                entry, ("price_plan",), message, "use a plan whose versions have `model: event` and a price"
            )
    charges = ctx.documents.of(Charge).values()
    fees = fee_codes(ctx.documents)
    other = next(
        (one for one in charges if one.document.price_plan == plan.code and one.document.code not in fees), None
    )
    if other is not None:
        message = f'the price plan "{plan.code}" prices usage, too: by "{other.document.code}" ({other.place()})'
        ctx.problems.at(entry, ("price_plan",), message, "give fees a plan of their own")


def _wrong(version: PriceVersion) -> tuple[str, Path] | None:
    """Return what keeps a version from pricing fees, and where it says so."""
    if version.model == "formula":
        return None
    if version.model != "event":
        return f"its model is {version.model}", ("model",)
    for name in _NOT_OF_FEES:
        if getattr(version, name) is not None:
            return f"it has `{name}`", (name,)
    if version.price is not None and not isinstance(version.price, dict) and not fits(version.price, FEE_DECIMALS_MAX):
        return f"the price of a fee has at most {FEE_DECIMALS_MAX} decimals", ("price",)
    return None
