"""From what was sold to draft invoices: for columns of any number of accounts at once, exact in 128 bits.

The order of a bill is fixed: sums, discounts, threshold, tax (once per tax and rate on the summed base), what was paid before,
rounding to coins. What is here knows neither files nor the store, and whatever accounts come together come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from billing.invoicing.rules_residue import parts_of, rounded_columns, shared_taxes
from rating.amounts import rounded_column
from schemas.billing_cycle import BillingCycle
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, to_scaled
from schemas.price_plan import Rounding
from schemas.tax import RATE_ONE, PriceBasis, TaxRounding

NO_TAX = "NO_TAX"
SOLD = pl.Schema(
    {
        "group": pl.UInt32,  # row of its own; null of a discount
        "account": pl.String,  # who gets the invoice
        "holder": pl.String,  # whose usage it is
        "seller": pl.String,
        "currency": pl.String,
        "subscription": pl.String,
        "offer": pl.String,
        "charge": pl.String,
        "price_plan": pl.String,
        "event_type": pl.String,
        "unit": pl.String,
        "step_count": pl.UInt64,
        "bucket": pl.String,
        "discount_plan": pl.String,  # this and the next two are empty of usage
        "discount_item": pl.String,
        "assigned": pl.String,
        "tax_status": pl.String,
        "tax": pl.String,
        "tax_rate": pl.Int64,
        "tax_parts": pl.UInt32,  # place among the lists of taxes that are due together
        "tax_reason": pl.String,
        "items": pl.UInt64,
        "quantity": pl.Int128,
        "amount": pl.Int128,  # billionths, exact
        "paid": pl.Int128,  # of that, what prepaid wallets paid
        "first_at": pl.Int64,
        "last_at": pl.Int64,
    }
)
INVOICE_KEY = ("account", "seller", "currency", "split")
_TAX_KEY = ("tax_status", "tax", "tax_rate", "tax_reason")
_LINE_TEXTS = ("subscription", "offer", "charge", "price_plan", "event_type", "unit", "bucket")
_DISCOUNT = ("discount_plan", "discount_item", "assigned")
_ORDER = ("row", "kind", *_LINE_TEXTS, *_DISCOUNT, *_TAX_KEY)
_ZERO = pl.lit(0, pl.Int128)
Parts = Sequence[tuple[tuple[str, int], ...]]
"""Lists of (tax, rate by 10**-8) that are due together."""


@dataclass(frozen=True, slots=True)
class SellerTerms:
    """How invoices of a seller are computed."""

    prices: PriceBasis = "net"
    rounding: TaxRounding = field(default_factory=TaxRounding)


@dataclass(frozen=True, slots=True)
class Drafts:
    """Draft invoices of some accounts.

    Attributes:
        invoices: `row`, INVOICE_KEY, prices, items and amounts in billionths, in the order of INVOICE_KEY.
        lines: `row` of the invoice, `line` from 1, and what `schemas.invoicing.LINE_SCHEMA` says of it.
        taxes: `row`, and what TAX_SCHEMA says.
        placed: `group`, `row` and `line` of all that is on an invoice.
        left: `group` and `why` of the rest.
    """

    invoices: pl.DataFrame
    lines: pl.DataFrame
    taxes: pl.DataFrame
    placed: pl.DataFrame
    left: pl.DataFrame


def split_of(terms: BillingCycle) -> pl.Expr:
    """Return what tells invoices of one account, seller and currency apart, as a text."""
    names = {"account": "holder"}
    said = [pl.lit(f"{key}=") + pl.col(names.get(key, key)) for key in terms.split]
    return pl.concat_str(said, separator=",") if said else pl.lit("")


def with_invoices(sold: pl.DataFrame, terms: BillingCycle) -> pl.DataFrame:
    """Return what was sold with `split` and `row`: the number of the invoice it belongs to, in the order of INVOICE_KEY."""
    told = sold.with_columns(split=split_of(terms))
    rows = told.select(INVOICE_KEY).unique().sort(INVOICE_KEY).with_row_index("row")
    return told.join(rows, on=INVOICE_KEY, how="left", maintain_order="left")


def draft(
    sold: pl.DataFrame, terms: BillingCycle, sellers: Mapping[str, SellerTerms], parts: Parts, discounts: pl.DataFrame
) -> Drafts:
    """Return the draft invoices of what was sold.

    Args:
        sold: as `with_invoices` returns it. discounts: rows of the same columns, negative, without a group.
    """
    kept, left = _without_what_is_too_little(_with_discounts(sold, discounts), terms)
    rows = kept.select("row", *INVOICE_KEY).unique("row").sort("row").with_row_index("place")
    kept = kept.join(rows.select("row", "place"), on="row").drop("row").rename({"place": "row"})
    lines, placed = _lines(kept, terms)
    found = [
        _amounts(some, told_terms, told_terms.rounding.of(str(currency)), parts)
        for (seller, currency), some in lines.partition_by("seller", "currency", as_dict=True).items()
        for told_terms in (sellers.get(str(seller), SellerTerms()),)
    ] or [_amounts(lines, SellerTerms(), TaxRounding().of("EUR"), parts)]
    lines = pl.concat([each[0] for each in found]).sort("row", "line")
    taxes = pl.concat([each[1] for each in found]).sort("row", "tax_status", "tax", "tax_rate", "tax_reason")
    told_rows = rows.drop("row").rename({"place": "row"})
    prices = {seller: sellers.get(seller, SellerTerms()).prices for seller in told_rows["seller"].unique()}
    told_rows = told_rows.with_columns(prices=pl.col("seller").replace_strict(prices, return_dtype=pl.String))
    invoices = _invoices(told_rows, lines, taxes, terms)
    return Drafts(invoices, lines.drop("seller", "currency", "parts"), taxes, placed, left)


def rows_left_out(sold: pl.DataFrame, terms: BillingCycle, discounts: pl.DataFrame) -> set[int]:
    """Return the `row` of each invoice that `draft` leaves out."""
    every = _with_discounts(sold, discounts)
    kept, _ = _without_what_is_too_little(every, terms)
    return set(every["row"].to_list()) - set(kept["row"].to_list())


def _with_discounts(sold: pl.DataFrame, discounts: pl.DataFrame) -> pl.DataFrame:
    kind = pl.when(pl.col("discount_plan") == "").then(pl.lit("usage")).otherwise(pl.lit("discount"))
    return pl.concat([sold, discounts.select(sold.columns)]).with_columns(kind=kind)


def _without_what_is_too_little(told: pl.DataFrame, terms: BillingCycle) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is invoiced, and `group` and `why` of what is not: unknown tax, below the threshold, or nothing at all."""
    usage = pl.col("kind") == "usage"
    sums = told.group_by("row").agg(
        account=pl.col("account").first(),
        currency=pl.col("currency").first(),
        seller=pl.col("seller").first(),
        before=pl.col("amount").filter(usage).sum(),
        after=pl.col("amount").sum(),
        positive=pl.col("amount").filter(usage, pl.col("amount") > 0).sum(),
        unknown=(pl.col("tax_status") == NO_TAX).any(),
        nothing=(pl.col("amount") == 0).all(),
    )
    compared = pl.col({"after_discount": "after", "before_discount": "before"}.get(terms.threshold_on, "positive"))
    if terms.threshold_of == "account":
        compared = compared.sum().over("account", "currency")
    least = to_scaled(terms.threshold, AMOUNT_DECIMALS) if terms.threshold is not None else None
    too_little = compared < pl.lit(least, pl.Int128) if least is not None else pl.lit(value=False)
    why = (
        pl.when("unknown")
        .then(pl.lit("tax_unknown"))
        .when(too_little)
        .then(pl.lit("below_threshold"))
        .when(pl.col("nothing") & pl.lit(terms.zero == "leave_out"))
        .then(pl.lit("nothing_to_pay"))
    )
    marked = told.join(sums.select("row", why=why), on="row", how="left", maintain_order="left")
    left = marked.filter(pl.col("why").is_not_null(), pl.col("group").is_not_null()).select("group", "why")
    return marked.filter(pl.col("why").is_null()).drop("why"), left


def _lines(kept: pl.DataFrame, terms: BillingCycle) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines, numbered, with their exact sums; and on which of them each group is."""
    asked = {"event_type", "unit", *terms.lines} | ({"bucket"} if {"day", "month"} & set(terms.lines) else set())
    blank = {name: pl.lit("") for name in _LINE_TEXTS if name not in asked}
    usage = pl.col("kind") == "usage"
    keyed = kept.with_columns(
        **{name: pl.when(usage).then(blank.get(name, pl.col(name))).otherwise(pl.lit("")) for name in _LINE_TEXTS},
        step_count=pl.when(usage).then("step_count").otherwise(pl.lit(1, pl.UInt64)),
        order=usage.not_(),
    )
    keys = ("row", "order", *_ORDER[1:], "step_count", "tax_parts", "seller", "currency")
    lines = (
        keyed.group_by(keys)
        .agg(
            pl.col("items", "quantity", "amount", "paid").sum(),
            group=pl.col("group"),
            first_at=pl.col("first_at").min(),
            last_at=pl.col("last_at").max(),
        )
        .sort("row", "order", *_ORDER[1:], "step_count", "tax_parts")
        .with_columns(line=(pl.int_range(pl.len()).over("row") + 1).cast(pl.UInt32))
    )
    placed = lines.select("group", "row", "line").explode("group").drop_nulls("group")
    return lines.drop("order", "group").rename({"amount": "exact", "tax_parts": "parts"}), placed.sort("group")


def _amounts(
    lines: pl.DataFrame, terms: SellerTerms, rounding: Rounding, parts: Parts
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return lines of one seller and currency with `amount` and `net`, and the taxes of their invoices."""
    keys = lines.select("row", "parts").unique().sort("row", "parts").with_row_index("group")
    grouped = lines.join(keys, on=["row", "parts"], how="left", maintain_order="left")
    told = rounded_columns(grouped, rounding).rename({"part": "amount"})
    rates = pl.DataFrame(
        [(place, sum(rate for _, rate in each)) for place, each in enumerate(parts)],
        schema={"parts": pl.UInt32, "rate": pl.Int128},
        orient="row",
    )
    sums = told.group_by("row", "parts", "group").agg(whole=pl.col("whole").first()).join(rates, on="parts")
    if terms.prices == "net":
        told, sums = told.with_columns(net="amount"), sums.with_columns(base="whole", between=_ZERO)
    else:
        told, sums = _net_of_gross(told, sums, rounding)
    taxes = pl.concat([_due(sums, terms.prices, rounding, parts), _not_due(told, parts)])
    return told.drop("group", "whole"), taxes


def _net_of_gross(told: pl.DataFrame, sums: pl.DataFrame, rounding: Rounding) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return lines with their part of the net amount, and sums with `base`, and the tax `between` it and the gross one."""
    over = pl.lit(RATE_ONE, pl.Int128) + pl.col("rate")
    exact = rounded_column(pl.col("whole") * pl.lit(RATE_ONE, pl.Int128), over, rounding)
    base = pl.when(pl.col("rate") == 0).then("whole").otherwise(exact)
    sums = sums.with_columns(base=base).with_columns(between=pl.col("whole") - pl.col("base"))
    wide = told.join(sums.select("group", "rate", "base"), on="group", how="left", maintain_order="left")
    cut = pl.col("amount").sign() * ((pl.col("amount").abs() * pl.lit(RATE_ONE, pl.Int128)) // over)
    part = parts_of(wide.select("group", exact=cut, whole="base"), rounding)["part"]
    return told.with_columns(net=part), sums


def _due(sums: pl.DataFrame, prices: PriceBasis, rounding: Rounding, parts: Parts) -> pl.DataFrame:
    """Return the taxes of invoices: each computed once on its summed base; of gross prices shared out where several are due."""
    each = pl.DataFrame(
        [(place, tax, rate) for place, some in enumerate(parts) for tax, rate in some],
        schema={"parts": pl.UInt32, "tax": pl.String, "tax_rate": pl.Int64},
        orient="row",
    )
    if prices == "net":
        bases = sums.join(each, on="parts").group_by("row", "tax", "tax_rate").agg(pl.col("base").sum())
        amount = rounded_column(
            pl.col("base") * pl.col("tax_rate").cast(pl.Int128), pl.lit(RATE_ONE, pl.Int128), rounding
        )
        found = bases.with_columns(tax_amount=amount)
    else:
        alone = [place for place, some in enumerate(parts) if len(some) == 1]
        single = sums.filter(pl.col("parts").is_in(alone)).join(each, on="parts")
        rows = [single.select("row", "tax", "tax_rate", "base", tax_amount="between")]
        for place, some in enumerate(parts):
            if len(some) < 2:
                continue
            for row, base, between in sums.filter(parts=place).select("row", "base", "between").iter_rows():
                shares = shared_taxes(between, [rate for _, rate in some], rounding)
                told = [(row, tax, rate, base, share) for (tax, rate), share in zip(some, shares, strict=True)]
                rows.append(pl.DataFrame(told, schema=rows[0].schema, orient="row"))
        found = pl.concat(rows).group_by("row", "tax", "tax_rate").agg(pl.col("base", "tax_amount").sum())
    return found.select(
        "row",
        pl.lit("taxed").alias("tax_status"),
        "tax",
        "tax_rate",
        pl.lit("").alias("tax_reason"),
        "base",
        "tax_amount",
    )


def _not_due(told: pl.DataFrame, parts: Parts) -> pl.DataFrame:
    """Return what no tax is due on, by why."""
    without = [place for place, some in enumerate(parts) if not some]
    free = told.filter(pl.col("parts").is_in(without)).group_by("row", "tax_status", "tax_reason")
    return free.agg(base=pl.col("net").sum()).select(
        "row", "tax_status", pl.lit("").alias("tax"), pl.lit(0, pl.Int64).alias("tax_rate"), "tax_reason", "base",
        _ZERO.alias("tax_amount"),
    )  # fmt: skip


def _invoices(rows: pl.DataFrame, lines: pl.DataFrame, taxes: pl.DataFrame, terms: BillingCycle) -> pl.DataFrame:
    sums = lines.group_by("row").agg(
        line_count=pl.len().cast(pl.UInt32),
        items=pl.col("items").filter(pl.col("kind") == "usage").sum(),
        discount=pl.col("amount").filter(pl.col("kind") == "discount").sum(),
        net=pl.col("net").sum(),
        amount=pl.col("amount").sum(),
        paid=pl.col("paid").sum(),
    )
    told = (
        rows.join(sums, on="row", how="left", maintain_order="left")
        .join(taxes.group_by("row").agg(tax=pl.col("tax_amount").sum()), on="row", how="left", maintain_order="left")
        .with_columns(gross=pl.col("net") + pl.col("tax"))
    )
    decimals = {code: 10 ** (AMOUNT_DECIMALS - places) for code, places in CURRENCY_DECIMALS.items()}
    step = pl.col("currency").replace_strict(decimals, return_dtype=pl.Int64).cast(pl.Int128)
    due = pl.col("gross") - pl.col("paid")
    # what wallets paid, and what a seller rounds finer, has more decimals than what can be paid
    coin = step
    if terms.cash_rounding is not None:  # coins are of one currency: 0.05 is no part of what is paid in yen
        asked = pl.lit(to_scaled(terms.cash_rounding, AMOUNT_DECIMALS), pl.Int128)
        coin = pl.when(asked % step == 0).then(asked).otherwise(step)
    coins = due.sign() * ((2 * due.abs() + coin) // (2 * coin)) * coin
    told = told.with_columns(to_pay=coins).with_columns(cash_rounding=pl.col("to_pay") - due)
    odd = [
        pl.when(pl.col("gross") == 0).then(pl.lit("zero")),
        pl.when(pl.col("gross") < 0).then(pl.lit("negative")),
    ]
    return told.with_columns(suspect=pl.concat_str(odd, separator=",", ignore_nulls=True)).drop("amount").sort("row")
