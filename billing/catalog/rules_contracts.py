"""Rules of contracts: what they negotiate is sold, can be priced so, and is said once at a time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.catalog.checking import Context, fits
from billing.catalog.fees import fee_codes
from billing.catalog.models import Entry, Path
from billing.catalog.rules_accumulators import converts
from billing.catalog.rules_calendars import SUBSCRIPTION_ZONE
from billing.catalog.rules_fees import FEE_DECIMALS_MAX
from billing.catalog.rules_pricing import check_charge
from billing.catalog.rules_rounding import may_be_rounded
from billing.catalog.rules_tables import PRICE_MAX
from schemas.contract import Contract, ContractItem
from schemas.price_plan import Calendar, Charge, Counter, EventType, Offer, PricePlan, PriceVersion

PRICED_ONCE = ("flat", "package", "event", "value")
"""Models with one price, in whose place another one can stand."""
COMPUTED = ("formula", "plugin")
"""Models without prices: there is nothing to take a percentage off."""
HOWS = ("price_plan", "price", "percentage")


@dataclass(frozen=True, slots=True)
class _Sold:
    """The charges of all offers: by offer, and by event type; those of more than one price, and those without any.

    `fine` are pairs of a plan and a charge of which the first may stand in the place of the second's. `fees` says of each plan
    whether it prices fees, or anything else; `fee_codes` are the charges that are fees, `rounded`
    those whose prices are rounded before they price anything.
    """

    by_offer: dict[str, frozenset[str]]
    by_type: dict[str, frozenset[str]]
    plural: frozenset[str]
    computed: frozenset[str]
    fine: set[tuple[str, str]]
    fees: dict[str, bool]
    fee_codes: set[str]
    rounded: frozenset[str]

    def charges(self, ctx: Context, item: ContractItem) -> frozenset[str]:
        """Return the charges that an item is for."""
        found = self.by_offer.get(item.offer, frozenset()) if item.offer is not None else None
        if item.event_type is not None:
            typed = self.by_type.get(item.event_type, frozenset())
            found = typed if found is None else found & typed
        if found is None:
            found = frozenset().union(*self.by_type.values())
        return found if item.charge is None else found & {item.charge}


def _sold(ctx: Context) -> _Sold:
    documents, fees = ctx.documents.of(Charge), fee_codes(ctx.documents)
    by_offer = {
        code: frozenset(charge for charge in offer.document.charges if charge in documents)
        for code, offer in ctx.documents.of(Offer).items()
    }
    by_type: dict[str, set[str]] = {}
    models: dict[str, set[str]] = {}
    rounded: set[str] = set()
    for code in frozenset().union(*by_offer.values()):
        charge = documents[code].document
        by_type.setdefault(charge.event_type, set()).add(code)
        plan = ctx.documents.of(PricePlan).get(charge.price_plan)
        versions = plan.document.versions if plan is not None else ()
        models[code] = {version.model for version in versions}
        if any(version.rounding.unit_price or version.rounding.increment for version in versions):
            rounded.add(code)
    return _Sold(
        by_offer,
        {event_type: frozenset(codes) for event_type, codes in by_type.items()},
        frozenset(code for code, used in models.items() if not used <= set(PRICED_ONCE)),
        frozenset(code for code, used in models.items() if used & set(COMPUTED)),
        set(),
        {charge.document.price_plan: charge.document.code in fees for charge in documents.values()},
        fees,
        frozenset(rounded),
    )


def check_contracts(ctx: Context) -> None:
    """Check every contract, and that those of an account do not overlap."""
    contracts = ctx.documents.of(Contract)
    if not contracts:
        return
    sold = _sold(ctx)
    by_account: dict[str, list[Entry[Contract]]] = {}
    for entry in contracts.values():
        ctx.period(entry, (), entry.document.start, entry.document.end)
        for place, item in enumerate(entry.document.items):
            _check_item(ctx, entry, ("items", place), item, sold)
        by_account.setdefault(entry.document.account, []).append(entry)
    for entries in by_account.values():
        _check_apart(ctx, sorted(entries, key=lambda each: each.document.start))


def _check_apart(ctx: Context, ordered: list[Entry[Contract]]) -> None:
    """Say which contracts of one account, by start, begin before an earlier one ends."""
    last = ordered[0]
    for entry in ordered[1:]:
        end = last.document.end
        if end is None or entry.document.start < end:
            message = f'the contract "{last.document.code}" of the account is in force then (at {last.place()})'
            ctx.problems.at(entry, ("start",), message, "end one contract before the next one starts")
        if end is not None and (entry.document.end is None or entry.document.end > end):
            last = entry


def _check_item(ctx: Context, entry: Entry[Contract], path: Path, item: ContractItem, sold: _Sold) -> None:
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
    charges = sold.charges(ctx, item)
    if not charges and not ctx.documents.broken and ctx.documents.complete:
        ctx.problems.at(entry, path, "no offer has a charge that it is for", "correct what the item asks for")
    if item.price_plan is not None:
        for charge in sorted(code for code in charges if (item.price_plan, code) not in sold.fine):
            if not _check_plan(ctx, entry, (*path, "price_plan"), item.price_plan, charge):
                return
            sold.fine.add((item.price_plan, charge))
            fee = charge in sold.fee_codes
            if sold.fees.setdefault(item.price_plan, fee) != fee:
                message = f'the price plan "{item.price_plan}" would price fees and usage'
                ctx.problems.at(entry, (*path, "price_plan"), message, "give fees a plan of their own")
                return
        return
    if item.price is not None:
        _check_price(ctx, entry, path, item, of_fee=bool(charges & sold.fee_codes))
    for wrong, name, lacks in (
        (sold.plural, "price", "no single price"),
        (sold.computed, "percentage", "no prices"),
    ):
        if getattr(item, name) is not None and charges & wrong:
            _refuse_model(ctx, entry, (*path, name), min(charges & wrong), lacks)
            return
    if item.price is not None:
        for charge in sorted(charges & sold.rounded):
            if not _check_rounded(ctx, entry, (*path, "price"), item.price, charge):
                return
    if isinstance(item.price, dict):
        for charge in sorted(charges):
            if not _check_bands(ctx, entry, (*path, "price"), item.price, charge):
                return


def _check_price(ctx: Context, entry: Entry[Contract], path: Path, item: ContractItem, *, of_fee: bool) -> None:
    prices = item.price if isinstance(item.price, dict) else {"": item.price}
    for price in prices.values():
        if price is not None and price > PRICE_MAX:
            ctx.problems.at(entry, (*path, "price"), f"{price} is too large", f"write at most {PRICE_MAX}")
        elif price is not None and of_fee and not fits(price, FEE_DECIMALS_MAX):
            message = f"the price of a fee has at most {FEE_DECIMALS_MAX} decimals"
            ctx.problems.at(
                entry, (*path, "price"), message, "round it, or negotiate usage and fees in items of their own"
            )


def _check_rounded(
    ctx: Context, entry: Entry[Contract], path: Path, price: Decimal | dict[str, Decimal], charge: str
) -> bool:
    """Check that a price is none too large once it is that of what the versions in whose place it stands round theirs for."""
    plan = _plan_of(ctx, charge)
    prices = price.values() if isinstance(price, dict) else (price,)
    for version in plan.versions if plan is not None else ():
        if not may_be_rounded(ctx, version, prices):
            assert plan is not None
            message = (
                f'the plan "{plan.code}" of the charge "{charge}" rounds prices for so much that this becomes too large'
            )
            ctx.problems.at(entry, path, message, "write a smaller price, or a plan of its own: `price_plan: …`")
            return False
    return True


def _plan_of(ctx: Context, charge: str) -> PricePlan | None:
    plan = ctx.documents.of(PricePlan).get(ctx.documents.of(Charge)[charge].document.price_plan)
    return plan.document if plan is not None else None


def _refuse_model(ctx: Context, entry: Entry[Contract], path: Path, charge: str, lacks: str) -> None:
    plan = _plan_of(ctx, charge)
    if plan is not None:
        models = sorted({version.model for version in plan.versions} - set(PRICED_ONCE))
        message = f'the plan "{plan.code}" of the charge "{charge}" is {" and ".join(models)} and has {lacks}'
        ctx.problems.at(entry, path, message, "write a plan of its own, and name it: `price_plan: …`")


def _check_bands(ctx: Context, entry: Entry[Contract], path: Path, price: dict[str, Any], charge: str) -> bool:
    """Check that prices by band are for the bands of each version in whose place they stand; return whether they are."""
    plan = _plan_of(ctx, charge)
    if plan is None:
        return True
    for version in plan.versions:
        bands = _bands(ctx, version)
        if sorted(price) != bands:
            message = f'the plan "{plan.code}" of the charge "{charge}" has prices for '
            message += ", ".join(bands) or "no time bands"
            ctx.problems.at(entry, path, message, "write one price, or one for each of its bands")
            return False
    return True


def _bands(ctx: Context, version: PriceVersion) -> list[str]:
    calendar = ctx.documents.of(Calendar).get(version.calendar or "")
    return sorted({band.name for band in calendar.document.bands}) if calendar is not None else []


def _check_plan(ctx: Context, entry: Entry[Contract], path: Path, code: str, charge: str) -> bool:
    """Check that a negotiated plan prices what the charge does, in its currency unless that converts, and asks no more."""
    plan, other = _plan_of(ctx, charge), ctx.documents.of(PricePlan)[code].document
    if plan is None:
        return True
    before = ctx.problems.count
    both_money = not other.in_units and not plan.in_units
    if other.currency != plan.currency and not (both_money and converts(ctx, charge)):
        message = f'"{code}" is in {other.currency}, but the charge "{charge}" is sold in {plan.currency}'
        ctx.problems.at(entry, path, message, f"use a plan in {plan.currency}")
        return False
    priced = ctx.documents.of(Charge)[charge].document.model_copy(update={"price_plan": code})
    check_charge(ctx, Entry(priced, entry.file, _place(entry, path)))
    for asked, used, what in (
        (_shared(ctx, other), _shared(ctx, plan), "the shared counter"),
        (_zoned(ctx, other), _zoned(ctx, plan), "the zone of the subscription, by the calendar"),
    ):
        for name in sorted(asked - used):
            message = f'"{code}" needs {what} "{name}", which the plan "{plan.code}" of the charge "{charge}" does not'
            ctx.problems.at(entry, path, message, "use a plan that needs no more of a subscription than its offer does")
    return ctx.problems.count == before


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
