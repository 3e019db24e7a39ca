"""Minimums over several subscriptions: each has an account that it is over, and one subscription at a time that pays it."""

from __future__ import annotations

import polars as pl

from billing.catalog.rows import Check
from rating.image_holders import holding_accounts
from schemas.fees import MinimumCharge
from schemas.price_plan import Offer

_ASKING = {"offer": pl.String, "charge": pl.String, "shared_by": pl.String}


def check_scopes(check: Check, terms: pl.DataFrame, subscriptions: pl.DataFrame, tree: pl.DataFrame) -> None:
    """Say which subscriptions have a minimum over an account that there is not, or that another one has at the same time.

    Args:
        terms: when subscriptions are in force, with `offer` and `origin`. subscriptions: all, with their accounts.
        tree: ACCOUNT_TREE_FRAME.
    """
    documents = check.ctx.documents
    wide = {
        code: entry.document.scope
        for code, entry in documents.of(MinimumCharge).items()
        if entry.document.scope != "subscription"
    }
    sold = [
        (offer, charge, wide[charge])
        for offer, entry in documents.of(Offer).items()
        for charge in entry.document.charges
        if charge in wide
    ]
    if not sold:
        return
    paying = subscriptions.unique("subscription", keep="first").select("subscription", "account")
    asking = terms.join(pl.DataFrame(sold, schema=_ASKING, orient="row"), on="offer").join(paying, on="subscription")
    first = tree.unique("account", keep="first").select("account", "level", "parent")
    above = holding_accounts(asking.filter(pl.col("shared_by") != "account"), first)
    own = asking.filter(shared_by="account").select("account", "shared_by", at_level="account").unique()
    placed = asking.join(pl.concat([above, own]), on=["account", "shared_by"], how="left")
    check.refuse(
        placed.filter(pl.col("at_level").is_null()),
        "account",
        ("account",),
        lambda row: (
            f'the minimum "{row["charge"]}" of the offer "{row["offer"]}" is that of a {row["shared_by"].replace("_", " ")}, '
            f'but the account "{row["account"]}" is none, and is below none',
            f"write `parent: …` where the account is declared, naming one with `level: {row['shared_by']}`",
        ),
    )
    ordered = placed.drop_nulls("at_level").sort("at_level", "charge", "start_at", "subscription")
    whose = ["at_level", "charge"]
    twice = ordered.with_columns(
        other=pl.col("subscription").shift().over(whose), until=pl.col("end_at").cum_max().shift().over(whose)
    ).filter(pl.col("start_at") < pl.col("until"))
    check.refuse(
        twice,
        "offer",
        ("offer",),
        lambda row: (
            f'the minimum "{row["charge"]}" of the account "{row["at_level"]}" would be paid by "{row["other"]}" as well',
            "sell it to one of them at a time",
        ),
    )
