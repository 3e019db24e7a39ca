"""The twin of conversions: which rate counts for one usage, read from the rows, and what an amount becomes by it."""

from __future__ import annotations

from datetime import UTC, datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo

from rating.contracts import NegotiatedVersion
from rating.exchange import conversion_of, with_conversion
from rating.reference_clock import to_datetime
from rating.reference_shapes import round_fraction
from schemas.catalog import Catalog, ExchangeTable
from schemas.exchange import Conversion
from schemas.money import AMOUNT_DECIMALS, PRICE_DECIMALS_MAX
from schemas.price_plan import PriceVersion, utc_microseconds


def converted_version(
    catalog: Catalog, version: PriceVersion, price_plan: str, offer: str, currency: str, event_at: int
) -> PriceVersion:
    """Return a version as an account with a currency pays it for a usage at an instant."""
    rates, plan = catalog.offers[offer].exchange_rates, catalog.price_plans[price_plan]
    if rates is None or plan.in_units or plan.currency == currency:
        return version
    table = catalog.exchange_rates[rates]
    whole = version.whole if isinstance(version, NegotiatedVersion) else version
    counts = _date(table, utc_microseconds(whole.start), event_at)
    rate = rate_at(table, plan.currency, currency, counts)
    return with_conversion(version, price_plan, conversion_of(rates, table, plan.currency, currency, rate))


def is_without_rate(version: PriceVersion) -> bool:
    """Return whether a version would have to be converted, and no rate is in force."""
    return (
        isinstance(version, NegotiatedVersion) and version.conversion is not None and version.conversion.numerator == 0
    )


def converted(amount: int, conversion: Conversion) -> int:
    """Return what an amount, billionths, is in the other currency, rounded once."""
    rounding = conversion.rounding
    exact = Fraction(amount, 10**AMOUNT_DECIMALS) * Fraction(conversion.numerator, conversion.denominator)
    step: int = 10 ** (AMOUNT_DECIMALS - rounding.decimals)
    return round_fraction(exact, rounding.decimals, rounding.mode) * step


def rate_at(table: ExchangeTable, base: str, quote: str, at: int) -> Fraction | None:
    """Return the rate in force at an instant, None where there is none."""
    for first, second in ((base, quote), (quote, base)):
        if first == base or table.terms.inverse:
            rows = [row for row in table.frame.to_dicts() if (row["base"], row["quote"]) == (first, second)]
            for row in rows:
                if row["start_at"] <= at < row["end_at"]:
                    rate = Fraction(row["rate"], 10**PRICE_DECIMALS_MAX)
                    return rate if first == base else 1 / rate
            if rows:
                return None
    through = table.terms.through
    if through is None or through in (base, quote):
        return None
    one, other = rate_at(table, base, through, at), rate_at(table, through, quote, at)
    return None if one is None or other is None else one * other


def _date(table: ExchangeTable, priced_since: int, event_at: int) -> int:
    """Return the instant whose rate counts, microseconds UTC."""
    if table.terms.dated == "usage":
        return event_at
    if table.terms.dated == "price":
        return priced_since
    day = to_datetime(event_at).astimezone(ZoneInfo(table.terms.zone)).date()
    first = day.replace(day=1) if table.terms.dated == "month" else day
    return utc_microseconds(datetime.combine(first, time(), ZoneInfo(table.terms.zone)).astimezone(UTC))
