"""The rows of exchange rates: pairs and rates that can be read, one at a time."""

from __future__ import annotations

import polars as pl

from billing.catalog.tables import PLACE, Check
from schemas.catalog import EXCHANGE_RATE_FRAME, TIME_MAX, ExchangeTable
from schemas.exchange import PAIR_PATTERN, ExchangeRates
from schemas.money import CURRENCY_DECIMALS, PRICE_DECIMALS_MAX

RATE_DIGITS = rf"^[0-9]{{1,6}}(\.[0-9]{{1,{PRICE_DECIMALS_MAX}}}0*)?$"
CROSSED_DIGITS = 9
"""Decimals, and digits in all, of rates of which two make one: their product and their quotient are numbers of 63 bits then."""


def rate_rows(check: Check, document: ExchangeRates) -> ExchangeTable:
    """Return the rates of a source, by pair and start; say which of its rows are wrong.

    `check` has its rows with `start_at` and `end_at`, null where open.
    """
    pair, rate = pl.col("pair"), pl.col("rate")
    check.refuse("pair", pair.is_null(), "the pair is empty", 'write it, such as "EUR/USD"')
    check.refuse("pair", ~pair.str.contains(PAIR_PATTERN), '"{}" is no pair', 'write two currencies, such as "EUR/USD"')
    base, quote = pair.str.head(3), pair.str.tail(3)
    listed = list(CURRENCY_DECIMALS)
    unlisted = pair.str.contains(PAIR_PATTERN) & ~(base.is_in(listed) & quote.is_in(listed))
    check.refuse("pair", unlisted, 'octroi does not bill in both of "{}"', f"use two of {', '.join(listed)}")
    check.refuse("pair", base == quote, '"{}" is one currency', "name two")
    fix = f'write a number above zero such as "1.0832", below 1000000 with at most {PRICE_DECIMALS_MAX} decimals'
    check.refuse("rate", rate.is_null(), "the rate is empty", fix)
    check.refuse("rate", ~rate.str.contains(RATE_DIGITS), '"{}" is no rate', fix)
    check.refuse("rate", ~rate.str.contains("[1-9]"), '"{}" is zero', fix)
    if document.through is not None:
        digits = pl.when(rate.str.contains(".", literal=True)).then(rate.str.strip_chars_end("0")).otherwise(rate)
        long = digits.str.replace(".", "", literal=True).str.strip_chars_start("0").str.len_bytes() > CROSSED_DIGITS
        deep = digits.str.extract(r"\.([0-9]*)$").str.len_bytes() > CROSSED_DIGITS
        message = '"{}" has too many digits for a rate that makes others'
        check.refuse(
            "rate", long | deep.fill_null(value=False), message, f"write at most {CROSSED_DIGITS} digits and decimals"
        )
    start = pl.col("start")
    check.refuse("start", start.is_null(), "the rate does not say from when it is in force", "add its `start`")
    check.tell()
    pico = pl.when(rate.str.contains(RATE_DIGITS)).then(rate).cast(pl.Decimal(38, PRICE_DECIMALS_MAX)).to_physical()
    frame = check.frame.with_columns(base=base, quote=quote, rate=pico.cast(pl.Int64))
    _check_twice(Check(frame, check.origins, check.problems), document)
    ordered = frame.sort("base", "quote", "start_at", PLACE)
    following = pl.col("start_at").shift(-1).over("base", "quote")
    ordered = ordered.with_columns(end_at=pl.min_horizontal(pl.col("end_at"), following).fill_null(TIME_MAX))
    terms = document.model_copy(update={"rows": None, "file": None})
    return ExchangeTable(terms, ordered.select(EXCHANGE_RATE_FRAME.names()))


def _check_twice(check: Check, document: ExchangeRates) -> None:
    again = pl.struct("base", "quote", "start_at").is_duplicated() & pl.col("start_at").is_not_null()
    check.refuse("pair", again, 'the pair "{}" has two rates from then on', "remove one of them")
    if document.inverse:
        pairs = pl.concat_str("base", pl.lit("/"), "quote")
        turned = pl.concat_str("quote", pl.lit("/"), "base")
        both = turned.is_in(check.frame.select(pairs).to_series().implode())
        message = '"{}" is written the other way round, too, and rates serve both ways'
        check.refuse("pair", both & (pl.col("base") > pl.col("quote")), message, "remove one, or `inverse`")
    check.tell()
