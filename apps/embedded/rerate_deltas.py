"""What a rerating changes, for people: per account and in all, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from apps.embedded.engine import Engine
from rating.rate import exact_sum
from schemas.arrays import Int32Array, Int64Array
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rejection import Reason

if TYPE_CHECKING:
    from apps.embedded.rerate import Plan

ACCOUNTS_TOLD_MAX = 1000
DELTAS = pl.Schema(
    {
        "account": pl.String,
        "items_changed": pl.Int64,
        "before": pl.String,
        "after": pl.String,
        "difference": pl.String,
        "currency": pl.String,
    }
)
"""What is told of an account; amounts are decimals."""


def deltas_of(engine: Engine, plan: Plan, csv: str | None = None) -> dict[str, Any]:
    """Return, ready for JSON, what is selected, what changes, and amounts before and after by account and by currency.

    The first ACCOUNTS_TOLD_MAX accounts are told, by how much changes; every one goes to the file `csv`, None for nowhere.

    Raises:
        OSError: when the file cannot be written.
    """
    edrs, after = plan.scope.edrs, plan.rated.reason == 0
    words = engine.state.vocabulary
    stood, stands = edrs.rated[plan.first], plan.rated_now
    account = plan.account
    # units that wallets held are no money
    stood_for = (edrs.account[edrs.rated], _in_money(plan, edrs.charge_version, edrs.amount)[edrs.rated])
    now = _in_money(plan, plan.rated.charge_version, plan.rated.amount)[after]
    rows = _by_account(stood_for, (account[after], now), _payers(plan, account))
    currencies = plan.reader.image.image.account_currency
    accounts = []
    totals: dict[int, list[int]] = {}
    for payer, items, old, new in rows:
        currency = int(currencies[payer]) if payer < len(currencies) else -1
        sums = totals.setdefault(currency, [0, 0])
        sums[0] += old
        sums[1] += new
        if items or old != new:
            accounts.append((payer, items, old, new, currency))
    accounts.sort(key=lambda row: (-abs(row[3] - row[2]), words.accounts.name(row[0])))
    if csv is not None:
        _accounts(engine, accounts).write_csv(Path(csv))
    unrated = np.bincount(plan.rated.reason[~after], minlength=1)
    return {
        "image": plan.reader.image.catalog.content_hash,
        "selected": len(plan.first),
        "meant": plan.scope.meant,
        "rated_before": int(stood.sum()),
        "rated_after": int(stands.sum()),
        "unrated_after": {Reason(int(code)).name: int(unrated[code]) for code in np.flatnonzero(unrated).tolist()},
        "changed": int(plan.changed.sum()),
        "replaced": int((plan.taken & stood).sum()),
        "refunds": _refunds(engine, plan),
        "newly_rated": int((plan.changed & ~stood).sum()),
        "no_longer_rated": int((plan.changed & ~stands).sum()),
        "accounts": _accounts(engine, accounts[:ACCOUNTS_TOLD_MAX]).to_dicts(),
        "accounts_changed": len(accounts),
        "totals": [
            {"currency": _currency(engine, currency), **_money(old, new)}
            for currency, (old, new) in sorted(totals.items())
        ],
    }


def _accounts(engine: Engine, accounts: list[tuple[int, int, int, int, int]]) -> pl.DataFrame:
    """Return a row for each (account, EDRs changed, amount before, amount after, currency): decimals as texts."""
    names = engine.state.vocabulary.accounts
    rows = [
        {
            "account": names.name(account),
            "items_changed": items,
            **_money(old, new),
            "currency": _currency(engine, currency),
        }
        for account, items, old, new, currency in accounts
    ]
    return pl.DataFrame(rows, schema=DELTAS)


def _in_money(plan: Plan, version: Int32Array, amount: Int64Array) -> Int64Array:
    """Return amounts (n,) of charge versions (n,), 0 of those in units."""
    return np.where(plan.reader.image.image.in_money(version), amount, 0)


def _payers(plan: Plan, account: Int32Array) -> Int32Array:
    """Return who pays the EDRs that change: of each, once, every account that pays a part of it, or did where nobody does now.

    Args:
        account: (m,) of the rows that there are now.
    """
    edrs, edr = plan.scope.edrs, plan.edr
    now = np.flatnonzero(plan.changed[plan.of] & (plan.rated.reason == 0))
    gone = np.flatnonzero((plan.changed & ~plan.rated_now)[edr] & edrs.rated)
    of, payer = np.concatenate([plan.of[now], edr[gone]]), np.concatenate([account[now], edrs.account[gone]])
    return np.unique(np.stack([of, payer], axis=1), axis=0)[:, 1].astype(np.int32)


def _refunds(engine: Engine, plan: Plan) -> list[dict[str, Any]]:
    """Return how many items are refunded because an invoice holds them, and what of, by currency."""
    edrs, found = plan.scope.edrs, np.flatnonzero(plan.billed)
    currency = plan.reader.image.image.currencies(edrs.account[found], edrs.charge_version[found])
    return [
        {
            "currency": _currency(engine, code),
            "items": int((currency == code).sum()),
            "amount": f"{from_scaled(exact_sum(edrs.amount[found[currency == code]]), AMOUNT_DECIMALS):f}",
        }
        for code in np.unique(currency).tolist()
    ]


def _currency(engine: Engine, currency: int) -> str:
    return engine.state.vocabulary.currencies.name(currency) if currency >= 0 else ""


def _money(old: int, new: int) -> dict[str, str]:
    told = {"before": old, "after": new, "difference": new - old}
    return {name: f"{from_scaled(amount, AMOUNT_DECIMALS):f}" for name, amount in told.items()}


def _by_account(
    old: tuple[Int32Array, Int64Array], new: tuple[Int32Array, Int64Array], payer: Int32Array
) -> list[tuple[int, int, int, int]]:
    """Return (account, EDRs changed, amount before, amount after) of every account that has any.

    Args:
        old, new: accounts and amounts of the items before and after. payer: who pays the EDRs that change.
    """
    names = np.unique(np.concatenate([old[0], new[0]]))
    before = _sums(names, *old)
    later = _sums(names, *new)
    items = np.bincount(np.searchsorted(names, payer), minlength=len(names))[: len(names)]
    return list(zip(names.tolist(), items.tolist(), before, later, strict=True))


def _sums(names: Int32Array, account: Int32Array, amount: Int64Array) -> list[int]:
    """Return the exact sum of amounts of each of some accounts."""
    order = np.argsort(account, kind="stable")
    ends = np.searchsorted(account[order], names, side="right")
    starts = np.searchsorted(account[order], names, side="left")
    ordered = amount[order]
    high, low = (np.concatenate([[0], np.cumsum(part)]) for part in (ordered >> 32, ordered & 0xFFFFFFFF))
    return [
        (int(high[end] - high[start]) << 32) + int(low[end] - low[start])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
