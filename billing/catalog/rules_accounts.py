"""Rules of accounts and subscriptions written as documents; what concerns rows of tables is in `parties`."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context, fits, units_of
from billing.catalog.models import Entry, Path
from billing.catalog.resellers import check_reseller
from billing.catalog.rules_discounts import check_assignments
from billing.catalog.rules_taxes import check_taxed
from schemas.account import Account, Wallet
from schemas.money import AMOUNT_DECIMALS, AMOUNT_MAX, from_scaled
from schemas.price_plan import AccessPoint, Subscription

BALANCE_MAX = from_scaled(AMOUNT_MAX, AMOUNT_DECIMALS)
"""Largest opening balance of one wallet."""


def check_account(ctx: Context, entry: Entry[Account]) -> None:
    """Check an account: the currency; distinct wallets, at least one, at most one of them postpaid."""
    account = entry.document
    ctx.currency(entry, ("currency",), account.currency)
    check_taxed(ctx, entry)
    check_assignments(ctx, entry)
    if not account.wallets:
        fix = "add a wallet, or leave `wallets` out for one postpaid wallet"
        ctx.problems.at(entry, ("wallets",), "an account without wallets cannot pay", fix)
    postpaid = [index for index, wallet in enumerate(account.wallets) if wallet.type == "postpaid"]
    for index in postpaid[1:]:
        message = f'the wallet "{account.wallets[postpaid[0]].code}" is postpaid already'
        ctx.problems.at(entry, ("wallets", index, "type"), message, "keep at most one postpaid wallet")
    seen: set[str] = set()
    for index, wallet in enumerate(account.wallets):
        if wallet.code in seen:
            message = f'the wallet "{wallet.code}" is repeated'
            ctx.problems.at(entry, ("wallets", index, "code"), message, "give each wallet its own code")
        seen.add(wallet.code)
        _check_balance(ctx, entry, ("wallets", index, "opening_balance"), wallet)
        _check_overdraft(ctx, entry, ("wallets", index, "overdraft"), wallet)
        _check_levels(ctx, entry, ("wallets", index, "notify_below"), wallet)


def _check_balance(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    balance = wallet.opening_balance
    if balance < 0:
        ctx.problems.at(entry, path, f"{balance} is negative", "write 0 or more")
    elif balance > BALANCE_MAX:
        ctx.problems.at(entry, path, f"{balance} is too large", f"write at most {BALANCE_MAX}")
    elif not fits(balance, AMOUNT_DECIMALS):
        ctx.problems.at(entry, path, f"{balance} has too many decimals", f"write at most {AMOUNT_DECIMALS}")


def _check_overdraft(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    """Check how far below zero a wallet may go: only the one that is drawn last may, so that credit is used up before."""
    overdraft = wallet.overdraft
    if overdraft is None:
        return
    last = max(entry.document.wallets, key=lambda one: (one.type == "postpaid", one.priority, one.code))
    if overdraft < 0:
        ctx.problems.at(entry, path, f"{overdraft} is negative", "write 0 or more: how far below zero it may go")
    elif overdraft > BALANCE_MAX:
        ctx.problems.at(entry, path, f"{overdraft} is too large", f"write at most {BALANCE_MAX}")
    elif not fits(overdraft, AMOUNT_DECIMALS):
        ctx.problems.at(entry, path, f"{overdraft} has too many decimals", f"write at most {AMOUNT_DECIMALS}")
    elif overdraft and wallet is not last:
        message = f'the wallet "{last.code}" is drawn after this one'
        ctx.problems.at(entry, path, message, "give the overdraft to the wallet that is drawn last")


def _check_levels(ctx: Context, entry: Entry[Account], path: Path, wallet: Wallet) -> None:
    """Check that every level is a balance that the wallet can fall to, and written once."""
    seen: set[object] = set()
    for index, level in enumerate(wallet.notify_below):
        here: Path = (*path, index)
        if wallet.type == "prepaid" and level < -(wallet.overdraft or 0):
            ctx.problems.at(
                entry, here, f"a prepaid wallet does not fall to {level}", "write 0 or more, or give it an overdraft"
            )
        elif abs(level) > BALANCE_MAX:
            ctx.problems.at(entry, here, f"{level} is too large", f"write at most {BALANCE_MAX}")
        elif not fits(level, AMOUNT_DECIMALS):
            ctx.problems.at(entry, here, f"{level} has too many decimals", f"write at most {AMOUNT_DECIMALS}")
        elif level in seen:
            ctx.problems.at(entry, here, f"the level {level} is repeated", "remove the repetition")
        seen.add(level)


def check_subscription(ctx: Context, entry: Entry[Subscription]) -> None:
    """Check the discounts of a subscription, and its access points, each alone."""
    check_assignments(ctx, entry)
    check_reseller(ctx, entry)
    for index, point in enumerate(entry.document.access_points):
        _check_access_point(ctx, entry, ("access_points", index), point)


def _check_access_point(ctx: Context, entry: Entry[Any], path: Path, point: AccessPoint) -> None:
    ctx.period(entry, path, point.start, point.end)
    seen: set[tuple[str, object]] = set()
    for index, reading in enumerate(point.opening_readings):
        here: Path = (*path, "opening_readings", index)
        found = ctx.quantity(entry, (*here, "index"), reading.index)
        if found is not None and found[1].dimension != "energy":
            fix = f"use one of {units_of('energy', ctx.units)}"
            ctx.problems.at(entry, (*here, "index"), f'"{reading.index}" is not energy', fix)
        if (reading.series, reading.at) in seen:
            message = f'the register "{reading.series}" has two opening readings at the same instant'
            ctx.problems.at(entry, (*here, "series"), message, "remove one of them")
        seen.add((reading.series, reading.at))
