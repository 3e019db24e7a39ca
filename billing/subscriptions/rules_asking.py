"""What is asked for fees: the difference between what is due and what was asked before.

What is due is worked out from the start of a subscription each time. So asking twice asks nothing, what was paid in advance and
is cut short is taken back by its part, and a price that changes afterwards takes back and asks again. A fee that a
subscription has no more, and a subscription that is gone, stay as they were asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import polars as pl

from billing.subscriptions.rules_fees import day_at, days_in_force, pieces
from billing.subscriptions.rules_periods import first_instant
from rating.contracts import own_code, with_contracts
from schemas.catalog import SUBSCRIPTION_UNIT_FRAME, TIME_MIN, Catalog
from schemas.fees import (
    DAY_AFTER,
    DENOMINATOR,
    FEE,
    FIRST_DAY,
    NUMERATOR,
    POINT_PREFIX,
    MinimumCharge,
    OneShotCharge,
    PeriodicFee,
    ProductCharge,
)
from schemas.price_plan import PriceVersion, utc_microseconds
from schemas.tax import TaxVersion

ASKED_FRAME = pl.Schema(
    {
        "subscription": pl.String,
        FEE: pl.String,
        "key_at": pl.Int64,  # when what it is for begins, microseconds UTC: at that price it is charged
        "nth": pl.Int64,  # of what is asked for the same, from 0
        "quantity": pl.Int64,  # 1, or -1 to take it back
        NUMERATOR: pl.Int64,  # of the share of the price, above zero, in lowest terms
        DENOMINATOR: pl.Int64,
        FIRST_DAY: pl.Date,
        DAY_AFTER: pl.Date,
        "access_point": pl.String,
        "terms": pl.String,  # how its periods were counted
        "scope": pl.String,  # of a minimum, whose usage counts; null of other fees
        "over": pl.String,  # of a minimum of a wider scope, the account that it is over
        "counted": pl.String,  # of a minimum, the charges that counted, by blanks: none where all did
    }
)
OF_MINIMUMS = ("scope", "over", "counted")
"""Columns that files from before minimums were told apart do not have: null there."""
KEY = ["subscription", FEE, "key_at"]
NO_UNITS = pl.DataFrame(schema=SUBSCRIPTION_UNIT_FRAME)
_SPAN = ["start_at", "end_at", "changed_at"]
_OWED = [*KEY, NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER]
_PIECE = pl.Schema(
    {
        "begin_at": pl.Int64,
        NUMERATOR: pl.Int64,
        DENOMINATOR: pl.Int64,
        FIRST_DAY: pl.Date,
        DAY_AFTER: pl.Date,
    }
)
_FAR = utc_microseconds(datetime(9999, 1, 1, tzinfo=UTC))
"""A subscription that ends later goes on."""


class TermsDiffer(ValueError):
    """A fee was charged by other periods than its document has now."""


def to_ask(catalog: Catalog, asked: pl.DataFrame, until: date) -> pl.DataFrame:
    """Return what is to be asked until a day, in order of subscription, fee and key: ASKED_FRAME.

    In advance that is what begins before the day, otherwise what has ended by then. All is charged, and corrected, at the
    price of the moment in which it begins.

    Args:
        asked: ASKED_FRAME, all that was asked before, never until a later day.

    Raises:
        TermsDiffer: when a fee was asked by other periods.
    """
    terms = {code: fee.terms for code, fee in catalog.fees.items()}
    for code, before in asked.select(FEE, "terms").unique().sort(FEE, "terms").iter_rows():
        if terms.get(code, before) != before:
            raise TermsDiffer(
                f'the fee "{code}" was charged {before}, and is to be charged {terms[code]} now: give the new periods a fee '
                "of their own, and end the subscriptions that have the old one"
            )
    return difference(*_owed(catalog, until), asked, terms)


def difference(owed: pl.DataFrame, having: pl.DataFrame, asked: pl.DataFrame, terms: dict[str, str]) -> pl.DataFrame:
    """Return what is owed and was not asked, and what was asked and is not owed, below zero: ASKED_FRAME.

    Of those `having` a fee; others keep what they were asked. `owed`: KEY, share and days.
    """
    before = asked.join(having, on=["subscription", FEE], how="semi")
    settled = _settled(owed, before)
    owed, before = owed.join(settled, on=KEY, how="anti"), before.join(settled, on=KEY, how="anti")
    joined = owed.join(before.group_by(KEY).agg(last=pl.col("nth").max()), on=KEY, how="left")
    fresh = joined.filter(pl.col("last").is_null()).with_columns(nth=pl.lit(0, pl.Int64), quantity=pl.lit(1, pl.Int64))
    corrected = pl.DataFrame(list(_corrections(joined.drop_nulls("last"), before)), schema=_asked_of(), orient="row")
    return (
        pl.concat([fresh.select(_asked_of().names()), corrected])
        .with_columns(
            access_point=pl.lit(POINT_PREFIX) + pl.col("subscription"),
            terms=pl.col(FEE).replace_strict(terms, return_dtype=pl.String),
            **{name: pl.lit(None, pl.String) for name in OF_MINIMUMS},
        )
        .select(ASKED_FRAME.names())
        .cast(ASKED_FRAME)
        .sort(KEY)
    )


def _asked_of() -> pl.Schema:
    return pl.Schema(
        {name: type_ for name, type_ in ASKED_FRAME.items() if name not in ("access_point", "terms", *OF_MINIMUMS)}
    )


def _owed(catalog: Catalog, until: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is owed until a day, and which subscription has which fee."""
    varied = with_contracts(catalog)
    bought = catalog.subscription_terms.join(varied.subscriptions.select("subscription", "offer"), on="subscription")
    owed = [pl.DataFrame(schema={name: ASKED_FRAME[name] for name in _OWED})]
    having = [pl.DataFrame(schema={"subscription": pl.String, FEE: pl.String})]
    for (offer,), terms in bought.sort("offer", "subscription").group_by("offer", maintain_order=True):
        for charge in varied.offers[str(offer)].charges:
            fee = catalog.fees.get(own_code(charge))
            if fee is None or isinstance(fee, MinimumCharge):
                continue
            having.append(terms.select("subscription", pl.lit(fee.code).alias(FEE)))
            if isinstance(fee, OneShotCharge):
                found = _once(fee, terms, until)
            elif isinstance(fee, ProductCharge):
                found = _bought(fee, terms, catalog, until)
            else:
                versions: list[PriceVersion | TaxVersion] = [
                    *varied.price_plans[varied.charges[charge].price_plan].versions
                ]
                if fee.cut_at_tax:
                    versions += [version for tax in catalog.taxes.values() for version in tax.versions or ()]
                had = catalog.subscription_units.filter(pl.col("unit") == (fee.per_unit or ""))
                found = recurring_shares(fee, terms, until, _changes(versions), had)
                if fee.per_unit is not None:
                    found = _for_each(found, had)
            owed.append(found.with_columns(pl.lit(fee.code).alias(FEE)).select(_OWED))
    return pl.concat(owed), pl.concat(having)


def _for_each(found: pl.DataFrame, had: pl.DataFrame) -> pl.DataFrame:
    """Return what is owed for each of so many units that a subscription has when a piece begins.

    Args:
        had: SUBSCRIPTION_UNIT_FRAME of one unit.
    """
    joined = found.sort("key_at").join_asof(
        had.sort("start_at"), left_on="key_at", right_on="start_at", by="subscription", check_sortedness=False
    )
    shares = joined.select(NUMERATOR, DENOMINATOR, "count").unique()
    exact = [Fraction(row[0] * row[2], row[1]) for row in shares.iter_rows()]
    known = shares.with_columns(
        pl.Series("all_of", [share.numerator for share in exact], pl.Int64),
        pl.Series("over", [share.denominator for share in exact], pl.Int64),
    )
    return joined.join(known, on=[NUMERATOR, DENOMINATOR, "count"]).with_columns(
        pl.col("all_of").alias(NUMERATOR), pl.col("over").alias(DENOMINATOR)
    )


def _changes(versions: Sequence[PriceVersion | TaxVersion]) -> list[int]:
    """Return when other versions come into force, or none does."""
    ends = (version.end for version in versions if version.end is not None)
    return sorted({utc_microseconds(each) for each in (*ends, *(version.start for version in versions))})


def _once(fee: OneShotCharge, terms: pl.DataFrame, until: date) -> pl.DataFrame:
    limit = first_instant(until, fee.zone)
    begins = fee.at == "start"
    found = terms.select("subscription", key_at="start_at" if begins else "end_at")
    found = found.filter(pl.col("key_at") < limit if begins else pl.col("key_at") <= limit)
    days = {at: day_at(at, fee.zone) for at in found["key_at"].unique().to_list()}
    first = pl.col("key_at").replace_strict(days, return_dtype=pl.Date) if days else pl.lit(None, pl.Date)
    return found.with_columns(
        pl.lit(1, pl.Int64).alias(NUMERATOR),
        pl.lit(1, pl.Int64).alias(DENOMINATOR),
        first.alias(FIRST_DAY),
        first.dt.offset_by("1d").alias(DAY_AFTER),
    )


def _bought(fee: ProductCharge, terms: pl.DataFrame, catalog: Catalog, until: date) -> pl.DataFrame:
    """Return what is owed for products that were bought before a day, and did not come back before it."""
    limit = first_instant(until, fee.zone)
    rows = [
        (each.subscription, at, each.quantity, day_at(at, fee.zone))
        for each in catalog.purchases.values()
        if each.product == fee.code
        and (at := utc_microseconds(each.at)) < limit
        and (each.returned_at is None or utc_microseconds(each.returned_at) >= limit)
    ]
    schema = {"subscription": pl.String, "key_at": pl.Int64, NUMERATOR: pl.Int64, FIRST_DAY: pl.Date}
    found = pl.DataFrame(rows, schema=schema, orient="row").join(terms, on="subscription", how="semi")
    together = found.group_by("subscription", "key_at", FIRST_DAY).agg(pl.col(NUMERATOR).sum())
    return together.with_columns(
        pl.lit(1, pl.Int64).alias(DENOMINATOR), pl.col(FIRST_DAY).dt.offset_by("1d").alias(DAY_AFTER)
    )


def recurring_shares(
    fee: PeriodicFee, terms: pl.DataFrame, until: date, changes: list[int], had: pl.DataFrame = NO_UNITS
) -> pl.DataFrame:
    """Return what is owed by subscriptions: those in force on the same days, and cut on the same, owe the same pieces.

    Args:
        changes: instants at which the price may change. had: SUBSCRIPTION_UNIT_FRAME, of what the price is due for each.
    """
    others = had.filter(pl.col("start_at") > TIME_MIN).sort("start_at").group_by("subscription", maintain_order=True)
    changed = others.agg(changed_at=pl.col("start_at").cast(pl.String).str.join(" "))
    terms = terms.join(changed, on="subscription", how="left").with_columns(pl.col("changed_at").fill_null(""))
    spans = terms.select(_SPAN).unique().rows()
    days = [(days_in_force(fee, start, None if end >= _FAR else end), changed) for start, end, changed in spans]
    number = {span: place for place, span in enumerate(dict.fromkeys(days))}
    known = pl.DataFrame(
        [(*span, number[which]) for span, which in zip(spans, days, strict=True)],
        schema={**dict.fromkeys(_SPAN, pl.Int64), "changed_at": pl.String, "number": pl.Int64},
        orient="row",
    )
    rows = [
        (place, first_instant(piece.days.start, fee.zone), piece.quantity.numerator, piece.quantity.denominator,
         piece.days.start, piece.days.end)
        for ((first, after), changed), place in number.items()
        for piece in pieces(fee, first, after, until, [*changes, *map(int, changed.split())])
    ]  # fmt: skip
    found = pl.DataFrame(rows, schema={"number": pl.Int64, **_PIECE}, orient="row")
    return (
        terms.join(known, on=_SPAN)
        .join(found, on="number")
        .with_columns(key_at=pl.max_horizontal("begin_at", "start_at"))
    )


def _settled(owed: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the keys of what was asked once, as it is owed: nearly all."""
    once = before.filter(pl.len().over(KEY) == 1, pl.col("quantity") == 1)
    return once.join(owed, on=[*KEY, NUMERATOR, DENOMINATOR], how="semi").select(KEY)


def _corrections(joined: pl.DataFrame, before: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Yield rows for what was asked otherwise than it is owed, and for what was asked and is owed no more."""
    asked: dict[tuple[Any, ...], list[Any]] = {}
    for row in before.select(*KEY, "quantity", NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER, "nth").iter_rows():
        held = asked.setdefault(row[:3], [Fraction(0), 0, row[6], row[7]])
        held[0] += row[3] * Fraction(row[4], row[5])
        held[1] = max(held[1], row[8] + 1)  # some that was asked before may be backed out
    for row in joined.select(*KEY, NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER).iter_rows():
        held = asked.pop(row[:3])
        yield from _correction(row[:3], Fraction(row[3], row[4]) - held[0], held[1], row[5], row[6])
    for key, (quantity, nth, first, after) in asked.items():
        yield from _correction(key, -quantity, nth, first, after)


def _correction(
    key: tuple[Any, ...], quantity: Fraction, nth: int, first: date, after: date
) -> Iterator[tuple[Any, ...]]:
    if quantity:
        sign = 1 if quantity > 0 else -1
        yield (*key, nth, sign, abs(quantity).numerator, quantity.denominator, first, after)
