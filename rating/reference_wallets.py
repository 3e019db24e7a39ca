"""The twin's wallets: which of an account's a usage may draw, and what each of them pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rating.reference_conditions import holds
from rating.reference_tables import Said
from schemas.account import PaysFor, any_of
from schemas.catalog import Catalog
from schemas.price_plan import Charge


@dataclass(frozen=True)
class ReferenceWallet:
    """A wallet, "account/wallet". `overdraft`: how far below zero it may go, billionths, None for without end."""

    name: str
    overdraft: int | None
    pays_for: tuple[PaysFor, ...]


def wallets_by_account(catalog: Catalog) -> dict[str, list[ReferenceWallet]]:
    """Return the wallets of every account in the order in which they are drawn."""
    found: dict[str, list[ReferenceWallet]] = {}
    rows = [(row, catalog.wallet_terms.get(f"{row['account']}/{row['wallet']}")) for row in catalog.wallets.to_dicts()]
    for row, terms in sorted(
        rows, key=lambda each: (not each[0]["prepaid"], each[0]["priority"], each[1] is None, each[0]["wallet"])
    ):
        name = f"{row['account']}/{row['wallet']}"
        only = terms.pays_for if terms is not None else ()
        found.setdefault(row["account"], []).append(ReferenceWallet(name, row["overdraft"], only))
    return found


def pays_for(
    only: tuple[PaysFor, ...],
    catalog: Catalog,
    offer: str,
    charge: Charge,
    *,
    said: Mapping[str, Said],
    quantity: int,
    event_at: int,
) -> bool:
    """Return whether a wallet that pays for `only` that, or anything, pays for what a charge of an offer prices of a usage.

    Raises:
        UnableToPrice: when it cannot be told, because the usage lacks a value.
    """
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
