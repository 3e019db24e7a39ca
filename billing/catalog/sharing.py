"""Rules of sharing: accounts are below others, and whoever counts on a shared counter is where it is shared."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Fault
from billing.catalog.rows import Check
from billing.catalog.wording import choose
from rating.image_holders import with_holders
from schemas.price_plan import LEVELS, Charge, Counter, Offer, PricePlan


def check_sharing(
    check: Check, accounts: pl.DataFrame, tree: pl.DataFrame, subscriptions: pl.DataFrame, groups: pl.DataFrame
) -> None:
    """Check the tree of accounts, and that every subscription has a holder of each shared counter of its offer."""
    _check_tree(check, accounts, tree)
    counters = {code: entry.document for code, entry in check.ctx.documents.of(Counter).items()}
    uses = [
        (offer, code, counters[code].shared_by)
        for offer, codes in offer_counters(check.ctx).items()
        for code in codes
        if code in counters and counters[code].shared_by != "subscription"
    ]
    if not uses:
        return
    asking = pl.DataFrame(uses, schema={"offer": pl.String, "counter": pl.String, "shared_by": pl.String}, orient="row")
    first = tree.unique("account", keep="first").drop("origin")
    bought = subscriptions.join(asking, on="offer")
    lacking = with_holders(bought, first, groups.drop("origin")).filter(pl.col("holder").is_null())
    check.refuse(lacking.filter(pl.col("shared_by") == "group"), "group", ("group",), _explain_group)
    check.refuse(lacking.filter(pl.col("shared_by") != "group"), "account", ("account",), _explain_level)


def offer_counters(ctx: Context) -> dict[str, set[str]]:
    """Return the counters and accumulators of every offer, as far as its charges and plans are known."""
    charges, plans = ctx.documents.of(Charge), ctx.documents.of(PricePlan)
    found = {}
    for code, entry in ctx.documents.of(Offer).items():
        used = {charges[charge].document.price_plan for charge in entry.document.charges if charge in charges}
        versions = [version for plan in used if plan in plans for version in plans[plan].document.versions]
        found[code] = {version.counter for version in versions if version.counter is not None}
        found[code].update(entry.document.accumulate)
        found[code].update(*(charges[one].document.accumulate for one in entry.document.charges if one in charges))
    return found


def _check_tree(check: Check, accounts: pl.DataFrame, tree: pl.DataFrame) -> None:
    below = tree.filter(pl.col("parent").is_not_null())
    if not len(below):
        return
    known = accounts.select(parent="account").unique().with_columns(known=pl.lit(value=True))
    levels = tree.unique("account", keep="first").select(parent="account", above="level")
    placed = below.join(known, on="parent", how="left").join(levels, on="parent", how="left")
    if check.ctx.documents.complete:
        broken = [code for kind, code in check.ctx.documents.broken if kind == "account"]
        unknown = placed.filter(pl.col("known").is_null(), ~pl.col("parent").is_in(broken))
        names = accounts["account"].head(1000).to_list()
        check.refuse(
            unknown,
            "parent",
            ("parent",),
            lambda row: (f'the account "{row["parent"]}" is unknown', choose(row["parent"], names)),
            Fault.UNKNOWN_NAME,
        )
    rank = {level: position for position, level in enumerate(LEVELS)}
    placed = placed.filter(pl.col("known")).with_columns(pl.col("above").fill_null("billing_account"))
    ranks = pl.col("level").replace_strict(rank), pl.col("above").replace_strict(rank)
    check.refuse(placed.filter(ranks[0] >= ranks[1]), "parent", ("parent",), _explain_parent)


def _explain_parent(row: dict[str, Any]) -> tuple[str, str]:
    message = f'the account "{row["account"]}" is a {_said(row["level"])}, its parent "{row["parent"]}" a {_said(row["above"])}'
    return message, f"give the parent a higher level: {' < '.join(map(_said, LEVELS))}"


def _explain_group(row: dict[str, Any]) -> tuple[str, str]:
    message = f'the counter "{row["counter"]}" of the offer "{row["offer"]}" is shared by a group'
    message += ", and the subscription is in none"
    return message, "add `group: …`; a group may have one subscription"


def _explain_level(row: dict[str, Any]) -> tuple[str, str]:
    message = (
        f'the counter "{row["counter"]}" of the offer "{row["offer"]}" is shared by a {_said(row["shared_by"])}, '
        f'but the account "{row["account"]}" is none, and is below none'
    )
    return message, f"write `parent: …` where the account is declared, naming one with `level: {row['shared_by']}`"


def _said(level: str) -> str:
    return level.replace("_", " ")
