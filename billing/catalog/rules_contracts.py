"""Rules of contracts: what they negotiate is sold, can be priced so, and is said once at a time."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.rules_calendars import SUBSCRIPTION_ZONE
from billing.catalog.rules_pricing import check_charge
from billing.catalog.rules_tables import PRICE_MAX
from schemas.contract import Contract, ContractItem
from schemas.price_plan import Calendar, Charge, Counter, EventType, Offer, PricePlan, PriceVersion

PRICED_ONCE = ("flat", "package", "event", "value")
"""Models with one price, in whose place another one can stand."""
COMPUTED = ("formula", "plugin")
"""Models without prices: there is nothing to take a percentage off."""
HOWS = ("price_plan", "price", "percentage")


def check_contracts(ctx: Context) -> None:
    """Check every contract, and that those of an account do not overlap."""
    by_account: dict[str, list[Entry[Contract]]] = {}
    for entry in ctx.documents.of(Contract).values():
        check_contract(ctx, entry)
        by_account.setdefault(entry.document.account, []).append(entry)
    for entries in by_account.values():
        ordered = sorted(entries, key=lambda each: each.document.start)
        for place, later in enumerate(ordered):
            for before in ordered[:place]:
                if before.document.end is None or later.document.start < before.document.end:
                    message = (
                        f'the contract "{before.document.code}" of the account is in force then (at {before.place()})'
                    )
                    ctx.problems.at(later, ("start",), message, "end one contract before the next one starts")
                    break


def check_contract(ctx: Context, entry: Entry[Contract]) -> None:
    """Check the period of a contract, and each item."""
    ctx.period(entry, (), entry.document.start, entry.document.end)
    for place, item in enumerate(entry.document.items):
        _check_item(ctx, entry, ("items", place), item)


def _check_item(ctx: Context, entry: Entry[Contract], path: Path, item: ContractItem) -> None:
    said = [name for name in HOWS if getattr(item, name) is not None]
    if len(said) != 1:
        message = f"an item has one of {', '.join(HOWS)}, this one has {' and '.join(said) or 'none'}"
        ctx.problems.at(entry, path, message, "write one of them")
        return
    known = [
        item.offer is None or ctx.reference(entry, (*path, "offer"), Offer, "offer", item.offer),
        item.charge is None or ctx.reference(entry, (*path, "charge"), Charge, "charge", item.charge),
        item.event_type is None
        or ctx.reference(entry, (*path, "event_type"), EventType, "event_type", item.event_type),
        item.price_plan is None
        or ctx.reference(entry, (*path, "price_plan"), PricePlan, "price_plan", item.price_plan),
    ]
    if not all(known):
        return
    charges = {
        code: ctx.documents.of(Charge)[code]
        for offer in ctx.documents.of(Offer).values()
        for code in offer.document.charges
        if code in ctx.documents.of(Charge)
        and item.matches(offer.document.code, code, ctx.documents.of(Charge)[code].document.event_type)
    }
    if not charges and not ctx.documents.broken and ctx.documents.complete:
        ctx.problems.at(entry, path, "no offer has a charge that it is for", "correct what the item asks for")
    _check_price(ctx, entry, path, item)
    for code, charge in sorted(charges.items()):
        plan = ctx.documents.of(PricePlan).get(charge.document.price_plan)
        if plan is not None:
            _check_charge(ctx, entry, path, item, code, plan.document)


def _check_price(ctx: Context, entry: Entry[Contract], path: Path, item: ContractItem) -> None:
    prices = item.price if isinstance(item.price, dict) else {"": item.price}
    for price in prices.values():
        if price is not None and price > PRICE_MAX:
            ctx.problems.at(entry, (*path, "price"), f"{price} is too large", f"write at most {PRICE_MAX}")


def _check_charge(
    ctx: Context, entry: Entry[Contract], path: Path, item: ContractItem, charge: str, plan: PricePlan
) -> None:
    """Check what an item makes of the plan of a charge that it is for."""
    if item.price_plan is not None:
        _check_plan(ctx, entry, (*path, "price_plan"), item.price_plan, charge, plan)
        return
    for version in plan.versions:
        where = f'the plan "{plan.code}" of the charge "{charge}"'
        if item.price is not None and version.model not in PRICED_ONCE:
            message = f"{where} is {version.model} and has no single price"
            ctx.problems.at(entry, (*path, "price"), message, "write a plan of its own, and name it: `price_plan: …`")
            return
        if item.price is not None and isinstance(item.price, dict) and sorted(item.price) != _bands(ctx, version):
            message = f"{where} has prices for {', '.join(_bands(ctx, version)) or 'no time bands'}"
            ctx.problems.at(entry, (*path, "price"), message, "write one price, or one for each of its bands")
            return
        if item.percentage is not None and version.model in COMPUTED:
            message = f"{where} is {version.model} and has no prices"
            fix = "write a plan of its own, and name it: `price_plan: …`"
            ctx.problems.at(entry, (*path, "percentage"), message, fix)
            return


def _bands(ctx: Context, version: PriceVersion) -> list[str]:
    calendar = ctx.documents.of(Calendar).get(version.calendar or "")
    return sorted({band.name for band in calendar.document.bands}) if calendar is not None else []


def _check_plan(ctx: Context, entry: Entry[Contract], path: Path, code: str, charge: str, plan: PricePlan) -> None:
    """Check that a negotiated plan prices what the charge does, in its currency, and asks no more of subscriptions."""
    other = ctx.documents.of(PricePlan)[code].document
    if other.currency != plan.currency:
        message = f'"{code}" is in {other.currency}, but the charge "{charge}" is sold in {plan.currency}'
        ctx.problems.at(entry, path, message, f"use a plan in {plan.currency}")
        return
    priced = ctx.documents.of(Charge)[charge].document.model_copy(update={"price_plan": code})
    before = ctx.problems.count
    check_charge(ctx, Entry(priced, entry.file, _place(entry, path)))
    if ctx.problems.count > before:
        return
    for asked, used, what in (
        (_shared(ctx, other), _shared(ctx, plan), "the shared counter"),
        (_zoned(ctx, other), _zoned(ctx, plan), "the zone of the subscription, by the calendar"),
    ):
        for name in sorted(asked - used):
            message = f'"{code}" needs {what} "{name}", which the plan "{plan.code}" of the charge "{charge}" does not'
            ctx.problems.at(entry, path, message, "use a plan that needs no more of a subscription than its offer does")


def _place(entry: Entry[Any], path: Path) -> Any:
    node = entry.node
    for part in path:
        node = node.child(part) or node
    return node


def _shared(ctx: Context, plan: PricePlan) -> set[str]:
    counters = ctx.documents.of(Counter)
    used = {version.counter for version in plan.versions if version.counter in counters}
    return {code for code in used if code is not None and counters[code].document.shared_by != "subscription"}


def _zoned(ctx: Context, plan: PricePlan) -> set[str]:
    calendars = ctx.documents.of(Calendar)
    used = {version.calendar for version in plan.versions if version.calendar in calendars}
    return {code for code in used if code is not None and calendars[code].document.zone == SUBSCRIPTION_ZONE}
