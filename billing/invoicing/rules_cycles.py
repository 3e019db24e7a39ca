"""Who is billed with whom: the billing account of each account, and whether a billing cycle has it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rating.image_holders import holding_accounts
from schemas.billing_cycle import BillingCycle
from schemas.catalog import Catalog
from schemas.price_plan import LEVELS

BUILT_IN = BillingCycle(kind="billing_cycle", code="monthly", default=True)
"""The cycle of a catalog that declares none."""


class UnableToBillCycle(Exception):
    """There is no such cycle, or no such account in it."""


def cycle_called(catalog: Catalog, code: str | None) -> BillingCycle:
    """Return a cycle of a catalog, without a code the default one.

    Raises:
        UnableToBillCycle: when there is none.
    """
    cycles = catalog.billing_cycles or {BUILT_IN.code: BUILT_IN}
    if code is None:
        found = next((cycle for cycle in cycles.values() if cycle.default), None)
        if found is None and len(cycles) == 1:
            found = next(iter(cycles.values()))
        if found is None:
            raise UnableToBillCycle(f"say which billing cycle: {', '.join(sorted(cycles))}")
        return found
    if code not in cycles:
        raise UnableToBillCycle(f'there is no billing cycle "{code}", only {", ".join(sorted(cycles))}')
    return cycles[code]


def default_cycle(catalog: Catalog) -> str | None:
    """Return the cycle of accounts that name none, and have nobody above who does."""
    cycles = catalog.billing_cycles or {BUILT_IN.code: BUILT_IN}
    return next((code for code, cycle in cycles.items() if cycle.default or len(cycles) == 1), None)


def payers(holders: pl.Series, catalog: Catalog, cycle: str, named: Sequence[str] | None) -> pl.DataFrame:
    """Return `holder`, `account` and `billed`: the billing account at or above each account, and whether a run bills it.

    An account above billing accounts gets its invoices itself.

    Args:
        holders: distinct accounts. named: the billing accounts that are meant, None for all of the cycle.
    """
    told = pl.DataFrame({"holder": holders})
    asked = told.select(account="holder", shared_by=pl.lit("billing_account"))
    if len(catalog.account_tree):
        held = holding_accounts(asked, catalog.account_tree).select(holder="account", account="at_level")
        told = told.join(held, on="holder", how="left", maintain_order="left").with_columns(
            pl.col("account").fill_null(pl.col("holder"))
        )
    else:
        told = told.with_columns(account=pl.col("holder"))
    return told.with_columns(billed=_billed(told["account"], catalog, cycle, named))


def _billed(accounts: pl.Series, catalog: Catalog, cycle: str, named: Sequence[str] | None) -> pl.Series:
    told = pl.DataFrame({"account": accounts, "at": accounts}).with_columns(cycle=pl.lit(None, pl.String))
    said = catalog.account_cycles.select(at="account", said="billing_cycle")
    parents = catalog.account_tree.select(at="account", parent="parent")
    for _ in LEVELS if len(said) else ():
        told = (
            told.join(said, on="at", how="left", maintain_order="left")
            .with_columns(cycle=pl.coalesce("cycle", "said"))
            .drop("said")
            .join(parents, on="at", how="left", maintain_order="left")
            .drop("at")
            .rename({"parent": "at"})
        )
    billed = told["cycle"].fill_null(default_cycle(catalog) or "") == cycle
    return billed if named is None else billed & told["account"].is_in(list(named))
