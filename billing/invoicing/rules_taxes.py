"""How much tax: of single items, for whole columns, and of an invoice, once per tax on the summed base.

Amounts are integers in billionths (`schemas.money`), rates by 10**-8 (`schemas.tax`). Net prices: the tax comes on top of the
rounded net amount. Gross prices: the net amount is taken out of the rounded gross one, and the tax is what is between them, so
that net + tax = gross always. Negative amounts mirror positive ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from rating.amounts import allocate, rounded, rounded_column, rounding_step
from schemas.price_plan import Rounding
from schemas.tax import RATE_ONE, PriceBasis


def tax_amounts(amount: int, rate: int, prices: PriceBasis, rounding: Rounding) -> tuple[int, int, int]:
    """Return (net, tax, gross) of an amount that has been rounded already: a net one or a gross one."""
    if prices == "net":
        tax = rounded(amount * rate, RATE_ONE, rounding)
        return amount, tax, amount + tax
    net = rounded(amount * RATE_ONE, RATE_ONE + rate, rounding) if rate else amount
    return net, amount - net, amount


def tax_columns(amount: pl.Series, rate: pl.Series, prices: PriceBasis, rounding: Rounding) -> pl.DataFrame:
    """Return the columns net, tax and gross (Int128, billionths) of n items; `tax_amounts` is the twin.

    Args:
        amount, rate: (n,) Int64; a null rate makes a null tax.
    """
    told = pl.DataFrame({"amount": amount, "rate": rate}).select(pl.all().cast(pl.Int128))
    given = pl.col("amount")
    if prices == "net":
        tax = rounded_column(given * pl.col("rate"), pl.lit(RATE_ONE, pl.Int128), rounding)
        return told.select(net=given, tax=tax, gross=given + tax)
    exact = rounded_column(given * RATE_ONE, pl.col("rate") + RATE_ONE, rounding)
    net = pl.when(pl.col("rate") == 0).then(given).otherwise(exact)
    return told.select(net=net, tax=given - net, gross=given)


@dataclass(frozen=True, slots=True)
class TaxedSum:
    """What items with the same taxes come to: `parts` are (tax, rate), none where no tax is due; amount in billionths."""

    parts: tuple[tuple[str, int], ...]
    amount: int


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One tax of an invoice: its rate by 10**-8, the sum that it is due on, and what it comes to, in billionths."""

    tax: str
    rate: int
    base: int
    amount: int


@dataclass(frozen=True, slots=True)
class InvoiceTaxes:
    """The taxes of an invoice, in the order of taxes and rates, and its totals in billionths: net + tax = gross."""

    lines: tuple[TaxLine, ...]
    net: int
    tax: int
    gross: int


def invoice_taxes(sums: Iterable[TaxedSum], prices: PriceBasis, rounding: Rounding) -> InvoiceTaxes:
    """Return the taxes of an invoice: each computed and rounded once, on the sum of all that it is due on.

    The sums of items with the same taxes are rounded first, and are what the totals are made of. Gross prices: what is between
    gross and net is shared among the taxes that are due together, by their rates, with the largest remainder.
    """
    alike: dict[tuple[tuple[str, int], ...], int] = {}
    for each in sums:
        alike[each.parts] = alike.get(each.parts, 0) + each.amount
    bases: dict[tuple[str, int], int] = {}
    taxes: dict[tuple[str, int], int] = {}
    net = gross = 0
    step = rounding_step(rounding)
    for parts, amount in alike.items():
        rates = [rate for _, rate in parts]
        base, tax, whole = tax_amounts(rounded(amount, 1, rounding), sum(rates), prices, rounding)
        shares = allocate(tax // step, rates) if parts and prices == "gross" else []
        net += base
        gross += whole if prices == "gross" else base
        for place, part in enumerate(parts):
            bases[part] = bases.get(part, 0) + base
            taxes[part] = taxes.get(part, 0) + (shares[place] * step if shares else 0)
    if prices == "net":
        taxes = {part: rounded(base * part[1], RATE_ONE, rounding) for part, base in bases.items()}
        gross = net + sum(taxes.values())
    lines = tuple(TaxLine(tax, rate, bases[tax, rate], taxes[tax, rate]) for tax, rate in sorted(bases))
    return InvoiceTaxes(lines, net, sum(taxes.values()), gross)
