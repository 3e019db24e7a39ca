"""Rules of wallets that accounts share: there is an account of that level, they have one currency, and somebody pays."""

from __future__ import annotations

import polars as pl

from billing.catalog.checking import Context
from rating.image_holders import shared_wallets
from schemas.account import Account, Wallet


def check_shared_wallets(ctx: Context, terms: dict[str, Wallet], accounts: pl.DataFrame, tree: pl.DataFrame) -> None:
    """Check the wallets that are shared by several accounts, and that no account is left without any.

    Args:
        terms: of the catalog. accounts: ACCOUNT_FRAME. tree: ACCOUNT_TREE_FRAME. Both with whatever columns besides.
    """
    entries = ctx.documents.of(Account)
    known, above = accounts.unique("account", keep="first"), tree.unique("account", keep="first")
    shared = shared_wallets(terms, known, above.select("account", "level", "parent"))
    levels = dict(above.select("account", "level").iter_rows())
    parents = dict(above.select("account", "parent").iter_rows())
    currencies = dict(known.select("account", "currency").iter_rows())
    for code, entry in entries.items():
        for index, wallet in enumerate(entry.document.wallets):
            at: str | None = code
            while at is not None and wallet.shared_by not in ("account", levels.get(at, "billing_account")):
                at = parents.get(at)
            if at is None:
                level = wallet.shared_by.replace("_", " ")
                message = f'the account "{code}" is no {level}, and below none'
                fix = "share it by a level that this account, or one above it, has"
                ctx.problems.at(entry, ("wallets", index, "shared_by"), message, fix)
        if not entry.document.wallets and code not in shared["account"]:
            fix = "add a wallet, or leave `wallets` out for one postpaid wallet"
            ctx.problems.at(entry, ("wallets",), "an account without wallets cannot pay", fix)
    named = shared.with_columns(
        mine=pl.col("account").replace_strict(currencies, default=None, return_dtype=pl.String),
        its=pl.col("owner").replace_strict(currencies, default=None, return_dtype=pl.String),
    )
    for row in (
        named.filter(pl.col("mine") != pl.col("its")).unique("name", keep="first", maintain_order=True).to_dicts()
    ):
        entry = entries[row["owner"]]
        index = [wallet.code for wallet in entry.document.wallets].index(row["name"].partition("/")[2])
        message = f'the account "{row["account"]}", which shares it, is billed in {row["mine"]}, not {row["its"]}'
        fix = "share wallets among accounts of one currency"
        ctx.problems.at(entry, ("wallets", index, "shared_by"), message, fix)
