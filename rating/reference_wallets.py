"""The twin's wallets: which of an account's a usage may draw, and what each of them pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rating.reference_conditions import holds
from rating.reference_shapes import steps, what_fits
from rating.reference_tables import Said
from schemas.account import PaysFor, any_of, unit_mark
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS
from schemas.price_plan import LEVELS, Charge, Level, PriceVersion
from schemas.quantity import QUANTITY_MAX


@dataclass(frozen=True)
class ReferenceWallet:
    """A wallet, "account/wallet". `overdraft`: how far below zero it may go, billionths, None for without end."""

    name: str
    overdraft: int | None
    pays_for: tuple[PaysFor, ...]
    unit: str | None = None


class ReferenceWallets:
    """The wallets that each account may draw: its own, and those that are shared with it."""

    def __init__(self, catalog: Catalog) -> None:
        """Put an account's own wallets beside it, and those that are shared beside the account whose members share them."""
        self._tree = {row["account"]: row for row in catalog.account_tree.to_dicts()}
        self._terms = catalog.wallet_terms
        self._own: dict[str, list[dict[str, Any]]] = {}
        self._shared: dict[tuple[Level, str], list[dict[str, Any]]] = {}
        for row in catalog.wallets.to_dicts():
            self._own.setdefault(row["account"], []).append(row)
            terms = self._terms.get(f"{row['account']}/{row['wallet']}")
            if terms is not None and terms.shared_by != "account":
                among = terms.shared_by, _holder(row["account"], terms.shared_by, self._tree)
                self._shared.setdefault(among, []).append(row)
        self._levels = {level for level, _ in self._shared}

    def of(self, account: str) -> list[ReferenceWallet]:
        """Return the wallets that an account may draw, in the order in which they are drawn."""
        rows = list(self._own.get(account, ()))
        for level in self._levels:
            among = self._shared.get((level, _holder(account, level, self._tree)), ())
            rows += [row for row in among if row["account"] != account]
        mine: list[tuple[tuple[bool, bool, int, bool, int, str], ReferenceWallet]] = []
        for row in rows:
            name = f"{row['account']}/{row['wallet']}"
            terms = self._terms.get(name)
            distance = -1 if row["account"] == account else LEVELS.index(_level(row["account"], self._tree))
            only, unit = (terms.pays_for, terms.unit) if terms is not None else ((), None)
            priority = row["priority"] if row["prepaid"] else 0
            order = not row["prepaid"], unit is None, priority, not only, distance, row["wallet"]
            mine.append((order, ReferenceWallet(name + unit_mark(unit), row["overdraft"], only, unit)))
        mine.sort(key=lambda each: (*each[0], each[1].name))
        postpaid = sorted((order[4], wallet.name) for order, wallet in mine if order[0])
        return [wallet for order, wallet in mine if not order[0] or wallet.name == postpaid[0][1]]


def _level(account: str, tree: Mapping[str, Mapping[str, Any]]) -> Level:
    level: Level = tree[account]["level"] if account in tree else "billing_account"
    return level


def _holder(account: str | None, level: str, tree: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the account of a level at or above an account, the account with a mark where there is none."""
    at = account
    while at is not None and _level(at, tree) != level:
        at = tree.get(at, {}).get("parent")
    return at if at is not None else f"{account}#"


def pays_for(
    wallet: ReferenceWallet,
    catalog: Catalog,
    offer: str,
    charge: Charge,
    *,
    said: Mapping[str, Said],
    quantity: int,
    event_at: int,
) -> bool:
    """Return whether a wallet pays for what a charge of an offer prices of a usage.

    Raises:
        UnableToPrice: when it cannot be told, because the usage lacks a value.
    """
    plan, only = catalog.price_plans[charge.price_plan], wallet.pays_for
    if wallet.unit != (plan.currency if plan.in_units else None):
        return False
    sold = offer, charge.code, charge.event_type, charge.price_plan
    matching = [each.condition for each in only if each.matches(*sold)]
    conditions = [each for each in matching if each is not None]
    if not only or len(conditions) < len(matching):
        return True
    if not matching:
        return False
    condition = any_of(conditions)
    event_type = catalog.event_types[charge.event_type]
    unit = catalog.units[event_type.unit]
    return holds(condition, charge, event_type, unit, said=said, quantity=quantity, event_at=event_at)


def covered(
    order: Sequence[ReferenceWallet],
    balances: Mapping[str, int],
    version: PriceVersion,
    price: Decimal,
    due: int,
    catalog: Catalog,
) -> int | None:
    """Return what of a quantity is covered by the units that wallets hold, None where nothing is."""
    held = sum(max(0, balances[wallet.name] + (wallet.overdraft or 0)) for wallet in order)
    if not order or (due >= 0 and not held and price):
        return None
    if due <= 0 or not price:
        return due
    one = 10 ** (AMOUNT_DECIMALS - version.rounding.decimals)
    held = held // one * one
    assert version.per is not None
    room = Fraction(held, 10**AMOUNT_DECIMALS) * steps(version.per, catalog) / Fraction(price)
    return what_fits(due, min(int(room), QUANTITY_MAX), version, catalog) or None


def shares(
    order: Sequence[ReferenceWallet], balances: Mapping[str, int], amount: int
) -> tuple[tuple[str, int], ...] | None:
    """Return what each wallet pays of an amount: all credit before anything below zero; None when they cannot.

    An amount below zero is given back to the wallet that is drawn last.
    """
    if amount < 0:
        return ((order[-1].name, amount),) if order else None
    rest, paid = amount, dict.fromkeys((wallet.name for wallet in order), 0)
    for wallet in order:
        part = min(rest, max(0, balances[wallet.name]))
        paid[wallet.name] += part
        rest -= part
    for wallet in order:
        left = balances[wallet.name] - paid[wallet.name]
        part = rest if wallet.overdraft is None else min(rest, max(0, left + wallet.overdraft))
        paid[wallet.name] += part
        rest -= part
    return None if rest else tuple((name, part) for name, part in paid.items() if part)
