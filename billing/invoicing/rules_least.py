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
from billing.invoicing.rules_payers import periods_to_pay
from billing.subscriptions.rules_asking import ASKED_FRAME, KEY, difference, recurring_shares
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
    """What is summed up: in a currency, by subscription or account, of [begin, end) by the start of usage.

    `only` some charges, or, where that is None, all but those `without`: also charges that the catalog has no more.
    """

    by: Literal["subscription", "account"]
    only: tuple[str, ...] | None
    without: tuple[str, ...]
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
    owed, having, compared = _owed(catalog, asked, until, spent, scope)
    terms = {code: fee.terms for code, fee in catalog.fees.items()}
    found = difference(owed, having, asked, terms)
    if scope != "subscription":
        # a period in which nothing is lacking is noted, too: so nobody else is asked for it when another subscription pays
        met = compared.join(asked, on=KEY, how="anti").join(found, on=KEY, how="anti")
        noted = met.select(*KEY, FIRST_DAY, DAY_AFTER).with_columns(
            pl.lit(1, pl.Int64).alias(NUMERATOR), pl.lit(1, pl.Int64).alias(DENOMINATOR)
        )
        nothing = difference(noted, having, asked.clear(), terms).with_columns(quantity=pl.lit(0, pl.Int64))
        found = pl.concat([found, nothing]).sort(KEY)
    told = compared.select(*KEY, scope=pl.lit(scope), now_over="over", now_counted="counted")
    known = found.drop("scope").join(told, on=KEY, how="left", maintain_order="left")
    return (
        known.with_columns(over="now_over", counted="now_counted", scope=pl.lit(scope))
        .select(ASKED_FRAME.names())
        .cast(ASKED_FRAME)
    )


_COMPARED = {"subscription": pl.String, FEE: pl.String, "key_at": pl.Int64, FIRST_DAY: pl.Date, DAY_AFTER: pl.Date}
_COMPARED |= {"over": pl.String, "counted": pl.String}


def _owed(
    catalog: Catalog, asked: pl.DataFrame, until: date, spent: Spent, scope: Scope
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return what is owed of minimums of periods that have ended by a day, who has which, and what was compared."""
    varied = with_contracts(catalog)
    sold = varied.subscriptions.select("subscription", "account", "offer")
    bought = catalog.subscription_terms.join(sold, on="subscription")
    held = _held(catalog, scope)
    by: Literal["subscription", "account"] = "subscription" if held is None else "account"
    without = not_counted(catalog, asked, scope)
    selling: dict[str, set[str]] = {}
    for code, sells in varied.offers.items():
        for charge in sells.charges:
            selling.setdefault(own_code(charge), set()).add(code)
    rows: list[tuple[object, ...]] = []
    compared = [pl.DataFrame(schema=_COMPARED)]
    having = [pl.DataFrame(schema={"subscription": pl.String, FEE: pl.String})]
    for (offer,), terms in bought.sort("offer", "subscription").group_by("offer", maintain_order=True):
        for charge in varied.offers[str(offer)].charges:
            fee = catalog.minimum_charges.get(own_code(charge))
            if fee is None or fee.scope != scope:
                continue
            having.append(terms.select("subscription", pl.lit(fee.code).alias(FEE)))
            plan = varied.price_plans[varied.charges[charge].price_plan]
            paying = bought.filter(pl.col("offer").is_in(sorted(selling[fee.code])))
            periods = _periods(fee, terms, paying, until, sold, held, asked)
            found_of = [FEE, "key_at", FIRST_DAY, DAY_AFTER, "over", "counted"]
            compared.append(periods.with_columns(pl.lit(fee.code).alias(FEE)).select("subscription", *found_of))
            for (key_at, begin, after, of), due in periods.group_by(
                "key_at", "count_from", DAY_AFTER, "counted", maintain_order=True
            ):
                only = tuple(str(of).split()) or None
                end = first_instant(after, fee.zone)
                found = spent(Counting(by, only, without if only is None else (), plan.currency, int(begin), end))
                version = _in_force(plan.versions, int(key_at))
                rows += _of_period(fee, due, version, found if held is None else _together(due, found, held))
    schema = {"subscription": pl.String, FEE: pl.String, "key_at": pl.Int64, NUMERATOR: pl.Int64}
    schema |= {DENOMINATOR: pl.Int64, FIRST_DAY: pl.Date, DAY_AFTER: pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.concat(having), pl.concat(compared)


def _periods(
    fee: MinimumCharge,
    terms: pl.DataFrame,
    paying: pl.DataFrame,
    until: date,
    sold: pl.DataFrame,
    held: pl.DataFrame | None,
    asked: pl.DataFrame,
) -> pl.DataFrame:
    """Return the periods of a minimum, each with `over`, `counted`, and `count_from`, from when on usage counts.

    Usage of other subscriptions counts from the beginning of the first day: who pays may have begun in the middle of it.
    """
    of = " ".join(fee.of)
    if held is None:
        before = asked.filter(pl.col(FEE) == fee.code).drop_nulls("counted")
        known = before.group_by("subscription", "key_at").agg(was_counted=pl.col("counted").first())
        found = recurring_shares(fee, terms, until, []).join(
            known, on=["subscription", "key_at"], how="left", maintain_order="left"
        )
        return found.with_columns(
            over=pl.lit(None, pl.String), counted=pl.col("was_counted").fill_null(of), count_from="key_at"
        )
    found = periods_to_pay(fee, terms, paying, until, sold, held, asked)
    days = found[FIRST_DAY].unique().to_list()
    begins = pl.DataFrame(
        {FIRST_DAY: days, "day_at": [first_instant(day, fee.zone) for day in days]},
        schema={FIRST_DAY: pl.Date, "day_at": pl.Int64},
    )
    legacy = pl.col("asked_before") & pl.col("was_counted").is_null()
    return found.join(begins, on=FIRST_DAY, how="left", maintain_order="left").with_columns(
        over="at_level",
        counted=pl.col("was_counted").fill_null(of),
        count_from=pl.when(legacy).then("key_at").otherwise("day_at"),
    )


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
    over = due.select("subscription", "over").join(sums, left_on="over", right_on="at_level")
    return over.select("rated", "items", whose="subscription").select(SPENT_FRAME.names())


def not_counted(catalog: Catalog, asked: pl.DataFrame, scope: Scope) -> tuple[str, ...]:
    """Return the charges that minimums of a scope do not count where they name none: minimums, but those of narrower scopes.

    Minimums that the catalog has no more are among them. What units pay is no money, and counts in no currency.
    """
    narrower = SCOPES[: SCOPES.index(scope)]
    scopes = dict(asked.drop_nulls("scope").select(FEE, "scope").iter_rows())
    scopes |= {code: each.scope for code, each in catalog.minimum_charges.items()}
    return tuple(sorted(code for code, each in scopes.items() if each not in narrower))


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
