"""What is asked at the end of a period because too little was paid for it, or beyond a commitment: minimums of a scope.

A minimum is a fee whose share is worked out from what was rated: of the `price` of a whole period it is what is lacking, or
what usage beyond it costs more. So what comes late, is rated again or taken back changes what is owed, and the next run asks
the difference, as of all fees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

import polars as pl

from billing.invoicing.rules_minimums import FACTOR_DECIMALS, SCOPE_FRAME, minimum_lines
from billing.subscriptions.rules_asking import difference, recurring_shares
from billing.subscriptions.rules_periods import first_instant
from rating.contracts import own_code, with_contracts
from rating.image_holders import holding_accounts
from schemas.catalog import TIME_MAX, Catalog
from schemas.fees import DAY_AFTER, DENOMINATOR, FEE, FIRST_DAY, NUMERATOR, PRICE, SCOPES, MinimumCharge, Scope
from schemas.money import AMOUNT_DECIMALS, to_scaled
from schemas.price_plan import PriceVersion, utc_microseconds

SPENT_FRAME = pl.Schema({"whose": pl.String, "rated": pl.Int128, "items": pl.Int64})
"""What was rated of subscriptions or accounts, billionths, and how many items that is; what was taken back counts as none."""


class Counting(NamedTuple):
    """What is summed up: of some charges, in a currency, by subscription or account, of [begin, end) by the start of usage."""

    by: Literal["subscription", "account"]
    charges: tuple[str, ...]
    currency: str
    begin: int
    end: int


Spent = Callable[[Counting], pl.DataFrame]
"""Returns SPENT_FRAME."""
_OWED = ("subscription", FEE, "key_at", NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER)


def minimums_to_ask(
    catalog: Catalog, asked: pl.DataFrame, until: date, spent: Spent, scope: Scope = "subscription"
) -> pl.DataFrame:
    """Return what is to be asked of minimums of a scope until a day: ASKED_FRAME; `to_ask` says what cannot be.

    All else is rated by then, minimums of narrower scopes too.

    Args:
        asked: ASKED_FRAME, all that was asked before. spent: what was rated of charges in a time.
    """
    owed, having = _owed(catalog, until, spent, scope)
    return difference(owed, having, asked, {code: fee.terms for code, fee in catalog.fees.items()})


def _owed(catalog: Catalog, until: date, spent: Spent, scope: Scope) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is owed of minimums of periods that have ended by a day, and which subscription has which."""
    varied = with_contracts(catalog)
    sold = varied.subscriptions.select("subscription", "account", "offer")
    bought = catalog.subscription_terms.join(sold, on="subscription")
    held = _held(catalog, scope)
    rows: list[tuple[object, ...]] = []
    having = [pl.DataFrame(schema={"subscription": pl.String, FEE: pl.String})]
    for (offer,), terms in bought.sort("offer", "subscription").group_by("offer", maintain_order=True):
        for charge in varied.offers[str(offer)].charges:
            fee = catalog.minimum_charges.get(own_code(charge))
            if fee is None or fee.scope != scope:
                continue
            having.append(terms.select("subscription", pl.lit(fee.code).alias(FEE)))
            counted = fee.of or counted_by(catalog, own_code(str(offer)), scope)
            plan = varied.price_plans[varied.charges[charge].price_plan]
            periods = recurring_shares(fee, terms, until, [])
            for (begin, after), due in periods.group_by("key_at", DAY_AFTER, maintain_order=True):
                end = first_instant(after, fee.zone)
                by: Literal["subscription", "account"] = "subscription" if scope == "subscription" else "account"
                found = spent(Counting(by, counted, plan.currency, int(begin), end))
                version = _in_force(plan.versions, int(begin))
                rows += _of_period(fee, due, version, found if held is None else _together(due, found, held))
    schema = {"subscription": pl.String, FEE: pl.String, "key_at": pl.Int64, NUMERATOR: pl.Int64}
    schema |= {DENOMINATOR: pl.Int64, FIRST_DAY: pl.Date, DAY_AFTER: pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.concat(having)


def _held(catalog: Catalog, scope: Scope) -> pl.DataFrame | None:
    """Return `account` and `at_level`: which account of the scope each is, or is below of; None where that is not asked."""
    if scope == "subscription":
        return None
    accounts = catalog.accounts.select("account", shared_by=pl.lit(scope))
    if scope == "account":
        return accounts.select("account", at_level="account")
    return holding_accounts(accounts, catalog.account_tree).select("account", "at_level")


def _together(due: pl.DataFrame, spent: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return SPENT_FRAME of the subscriptions that owe a minimum: what was rated of all accounts that it is over."""
    sums = (
        spent.join(held, left_on="whose", right_on="account").group_by("at_level").agg(pl.col("rated", "items").sum())
    )
    over = due.select("subscription", "account").join(held, on="account").join(sums, on="at_level")
    return over.select("rated", "items", whose="subscription").select(SPENT_FRAME.names())


def counted_by(catalog: Catalog, offer: str, scope: Scope = "subscription") -> tuple[str, ...]:
    """Return the charges that minimums of an offer count where they name none: those in money.

    Of a subscription those of its offer, without minimums; of a wider scope all, minimums of narrower scopes included.
    """
    narrower = {
        code for code, each in catalog.minimum_charges.items() if SCOPES.index(each.scope) < SCOPES.index(scope)
    }
    return tuple(
        code
        for code in (catalog.offers[offer].charges if scope == "subscription" else sorted(catalog.charges))
        if (code not in catalog.minimum_charges or code in narrower)
        and not catalog.price_plans[catalog.charges[code].price_plan].in_units
    )


def _of_period(
    fee: MinimumCharge, due: pl.DataFrame, version: PriceVersion | None, spent: pl.DataFrame
) -> list[tuple[object, ...]]:
    """Return what is owed of one period; without a price all of it is asked, and refused where it is priced."""
    price = version.constants.get(PRICE) if version is not None else None
    if version is None or not isinstance(price, Decimal):
        return due.select("subscription", pl.lit(fee.code), *_OWED[2:]).rows()
    whole = to_scaled(price, AMOUNT_DECIMALS)
    if whole == 0:
        return []
    scopes = due.join(spent, left_on="subscription", right_on="whose", how="left").select(
        scope="subscription",
        level=pl.lit("subscription"),
        above=pl.lit(None, pl.String),
        rated=pl.col("rated").fill_null(0),
        items=pl.col("items").fill_null(0),
        minimum=pl.lit(whole, pl.Int128),
        share_numerator=NUMERATOR,
        share_denominator=DENOMINATOR,
        overage_factor=pl.lit(to_scaled(fee.overage_factor, FACTOR_DECIMALS), pl.Int64),
        true_up=pl.lit(fee.true_up),
        when_unused=pl.lit(fee.when_unused),
    )
    lines = minimum_lines(scopes.cast(SCOPE_FRAME), version.rounding).group_by("scope").agg(pl.col("amount").sum())
    parts = {scope: Fraction(int(amount), whole) for scope, amount in lines.iter_rows()}
    asked = ("subscription", "key_at", FIRST_DAY, DAY_AFTER)
    return [
        (subscription, fee.code, key_at, parts[subscription].numerator, parts[subscription].denominator, first, after)
        for subscription, key_at, first, after in due.select(asked).iter_rows()
        if subscription in parts
    ]


def _in_force(versions: Sequence[PriceVersion], at: int) -> PriceVersion | None:
    for version in versions:
        end = TIME_MAX if version.end is None else utc_microseconds(version.end)
        if utc_microseconds(version.start) <= at < end:
            return version
    return None
