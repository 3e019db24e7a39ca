"""Whose a shared counter is: the group of a subscription, its account, or an account above that one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from schemas.account import Wallet
from schemas.arrays import Int32Array
from schemas.price_plan import LEVELS

ACCOUNT_PREFIX, GROUP_PREFIX = "account/", "group/"
"""Before the code of a holder that is no subscription; a code has no "/"."""
NO_ACCOUNT = -1


def with_holders(bought: pl.DataFrame, tree: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the column `holder`: who has the counter that a subscription counts on, null where nobody does.

    Args:
        bought: subscription, account and shared_by (of the counter), in any number of rows and with any other columns.
        tree: ACCOUNT_TREE_FRAME. groups: SUBSCRIPTION_GROUP_FRAME.
    """
    if not len(bought) or bought["shared_by"].eq("subscription").all():
        return bought.with_columns(holder=pl.col("subscription"))
    at_level = holding_accounts(bought.filter(pl.col("shared_by").is_in(LEVELS)), tree)
    named = bought.join(groups, on="subscription", how="left", maintain_order="left").join(
        at_level, on=("account", "shared_by"), how="left", maintain_order="left"
    )
    return named.with_columns(
        holder=pl.when(pl.col("shared_by") == "subscription")
        .then("subscription")
        .when(pl.col("shared_by") == "group")
        .then(pl.lit(GROUP_PREFIX) + pl.col("group"))
        .when(pl.col("shared_by") == "account")
        .then(pl.lit(ACCOUNT_PREFIX) + pl.col("account"))
        .otherwise(pl.lit(ACCOUNT_PREFIX) + pl.col("at_level"))
    ).drop("group", "at_level")


def shared_wallets(terms: Mapping[str, Wallet], accounts: pl.DataFrame, tree: pl.DataFrame) -> pl.DataFrame:
    """Return `name`, `owner`, `distance` and `account`: the accounts that share wallets of others, a row for each of both.

    `distance` tells which of several owners is nearer.

    Args:
        terms: of `schemas.catalog.Catalog`. accounts: ACCOUNT_FRAME. tree: ACCOUNT_TREE_FRAME.
    """
    rows = [
        (name, name.partition("/")[0], wallet.shared_by)
        for name, wallet in terms.items()
        if wallet.shared_by != "account"
    ]
    shared = pl.DataFrame(rows, schema=dict.fromkeys(("name", "account", "shared_by"), pl.String), orient="row")
    asked = accounts.select("account").join(shared.select("shared_by").unique(), how="cross")
    at_level = holding_accounts(asked, tree) if len(shared) else asked.with_columns(at_level=pl.col("account"))
    owners = shared.join(at_level, on=("account", "shared_by")).rename({"account": "owner"})
    rank = {level: place for place, level in enumerate(LEVELS)}
    levels = tree.select(owner="account", distance=pl.col("level").replace_strict(rank, return_dtype=pl.Int32))
    together = owners.join(at_level, on=("shared_by", "at_level")).filter(pl.col("owner") != pl.col("account"))
    return (
        together.join(levels, on="owner", how="left")
        .with_columns(pl.col("distance").fill_null(rank["billing_account"]))
        .select("name", "owner", "distance", "account")
        .sort("account", "name")
    )


def holding_accounts(bought: pl.DataFrame, tree: pl.DataFrame) -> pl.DataFrame:
    """Return account, shared_by (a level) and at_level: the account of that level at or above it, where there is one."""
    rest = bought.select("account", "shared_by").unique().with_columns(at_level=pl.col("account"))
    found = []
    for _ in LEVELS:
        placed = rest.join(tree, left_on="at_level", right_on="account", how="left").with_columns(
            pl.col("level").fill_null("billing_account")
        )
        there = pl.col("level") == pl.col("shared_by")
        found.append(placed.filter(there).select("account", "shared_by", "at_level"))
        rest = placed.filter(~there, pl.col("parent").is_not_null()).select(
            "account", "shared_by", at_level=pl.col("parent")
        )
    return pl.concat(found)


def charge_groups(account: Int32Array, holder: Int32Array, accounts: int) -> Int32Array:
    """Return (accounts,) the charge group of each account: the lowest account id among those that counters connect.

    Args:
        account, holder: (k,) ids, account[i] counts on something that holder[i] has.
    """
    group = np.arange(accounts, dtype=np.int32)
    while True:
        lowest = np.full(int(holder.max(initial=-1)) + 1, accounts, np.int32)
        np.minimum.at(lowest, holder, group[account])
        joined = group.copy()
        np.minimum.at(joined, account, lowest[holder])
        joined = joined[joined]
        if np.array_equal(joined, group):
            return group
        group = joined


def join_groups(group: Int32Array, account: Int32Array, holder: Int32Array) -> Int32Array:
    """Return charge groups (accounts,), NO_ACCOUNT kept, joined where account[i] grows what holder[i], each (k,), has."""
    known = np.flatnonzero(group != NO_ACCOUNT).astype(np.int32)
    beside = group[known] + np.int32(holder.max(initial=-1) + 1)
    accounts, holders = np.concatenate([account, known]), np.concatenate([holder, beside])
    joined = charge_groups(accounts, holders, len(group))
    joined[group == NO_ACCOUNT] = NO_ACCOUNT
    return joined
