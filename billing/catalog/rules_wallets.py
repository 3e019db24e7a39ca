"""Rules of wallets written as documents: what they may hold, how far they may fall, and which usage they pay for."""

from __future__ import annotations

from decimal import Decimal

from billing.catalog.checking import Context, fits
from billing.catalog.models import Entry, Path
from billing.catalog.rules_expressions import check_condition
from billing.catalog.rules_units import check_held_unit
from schemas.account import Account, PaysFor, Wallet, any_of
from schemas.money import AMOUNT_DECIMALS, AMOUNT_MAX, from_scaled
from schemas.price_plan import Charge, EventType, Offer, PricePlan

BALANCE_MAX = from_scaled(AMOUNT_MAX, AMOUNT_DECIMALS)
"""Largest opening balance of one wallet."""


def check_wallet(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    """Check a wallet of an account; only the one that is drawn last may go below zero, so that credit is used up before."""
    _check_amount(ctx, entry, (*path, "opening_balance"), wallet.opening_balance, "write 0 or more")
    if wallet.overdraft is not None:
        here = (*path, "overdraft")
        fine = _check_amount(ctx, entry, here, wallet.overdraft, "write 0 or more: how far below zero it may go")
        last = max(entry.document.wallets, key=drawing_order)
        if fine and wallet.overdraft and wallet is not last and wallet.unit is None:
            message = f'the wallet "{last.code}" is drawn after this one'
            ctx.problems.at(entry, here, message, "give the overdraft to the wallet that is drawn last")
    _check_levels(ctx, entry, (*path, "notify_below"), wallet)
    if wallet.unit is not None:
        check_held_unit(ctx, entry, (*path, "unit"), wallet.unit)
        if wallet.type == "postpaid":
            ctx.problems.at(entry, (*path, "unit"), "units are paid in advance", "write `type: prepaid`")
    for index, pays_for in enumerate(wallet.pays_for):
        _check_pays_for(ctx, entry, (*path, "pays_for", index), pays_for)
    _check_together(ctx, entry, (*path, "pays_for"), wallet)


def drawing_order(wallet: Wallet) -> tuple[bool, bool, int, bool, str]:
    """Return what sorts the wallets of an account as they are drawn."""
    return wallet.type == "postpaid", wallet.unit is None, wallet.priority, not wallet.pays_for, wallet.code


def _check_amount(ctx: Context, entry: Entry[Account], path: Path, amount: Decimal, otherwise: str) -> bool:
    """Return whether an amount is one that a wallet may hold, having said what is wrong with it."""
    before = ctx.problems.count
    if amount < 0:
        ctx.problems.at(entry, path, f"{amount} is negative", otherwise)
    elif amount > BALANCE_MAX:
        ctx.problems.at(entry, path, f"{amount} is too large", f"write at most {BALANCE_MAX}")
    elif not fits(amount, AMOUNT_DECIMALS):
        ctx.problems.at(entry, path, f"{amount} has too many decimals", f"write at most {AMOUNT_DECIMALS}")
    return ctx.problems.count == before


def _check_levels(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    """Check that every level is a balance that the wallet can fall to, and written once."""
    seen: set[object] = set()
    for index, level in enumerate(wallet.notify_below):
        here: Path = (*path, index)
        if wallet.type == "prepaid" and level < -(wallet.overdraft or 0):
            message = f"a prepaid wallet does not fall to {level}"
            ctx.problems.at(entry, here, message, "write 0 or more, or give it an overdraft")
        elif _check_amount(ctx, entry, here, abs(level), "") and level in seen:
            ctx.problems.at(entry, here, f"the level {level} is repeated", "remove the repetition")
        seen.add(level)


def _check_pays_for(ctx: Context, entry: Entry[Account], path: Path, pays_for: PaysFor) -> None:
    """Check that what a wallet pays for is there, and sold together, and that its condition is one."""
    ctx.optional(entry, (*path, "offer"), Offer, "offer", pays_for.offer)
    ctx.optional(entry, (*path, "price_plan"), PricePlan, "price_plan", pays_for.price_plan)
    ctx.optional(entry, (*path, "event_type"), EventType, "event_type", pays_for.event_type)
    charge = ctx.optional(entry, (*path, "charge"), Charge, "charge", pays_for.charge)
    if charge is not None and pays_for.event_type not in (None, charge.event_type):
        message = f'the charge "{charge.code}" prices "{charge.event_type}"'
        ctx.problems.at(entry, (*path, "event_type"), message, "remove the event type, or correct it")
    if pays_for.condition is None:
        return
    if pays_for.charge is None and pays_for.event_type is None:
        fix = "add `event_type: …` or `charge: …`"
        ctx.problems.at(entry, (*path, "condition"), "what it may ask for depends on the event type", fix)
    event_type = _event_type(ctx, pays_for)
    if event_type is not None:
        check_condition(ctx, entry, event_type, (*path, "condition"), pays_for.condition)


def _check_together(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    """Check that the conditions on which a wallet pays for usage of one event type are not too long together."""
    by_type: dict[str, list[str]] = {}
    for pays_for in wallet.pays_for:
        event_type = _event_type(ctx, pays_for)
        if event_type is not None and pays_for.condition is not None:
            by_type.setdefault(event_type.code, []).append(pays_for.condition)
    for code, conditions in by_type.items():
        if len(conditions) > 1:
            check_condition(ctx, entry, ctx.documents.of(EventType)[code].document, path, any_of(conditions))


def _event_type(ctx: Context, pays_for: PaysFor) -> EventType | None:
    """Return the event type of usage that a wallet pays for, None where it may be any, or is unknown."""
    code, charges, known = pays_for.event_type, ctx.documents.of(Charge), ctx.documents.of(EventType)
    if pays_for.charge in charges:
        code = charges[pays_for.charge or ""].document.event_type
    return known[code].document if code in known else None
