"""Conversion into the currency of the account: who pays in another currency buys variants of offers, cut where rates change.

They are variants as those of `rating.contracts`, in images only. A version of one says by which rate it is converted; the
amount is rounded as its plan says, then converted and rounded once more as the rates say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl

from rating.contracts import VARIANT, NegotiatedVersion, negotiate, own_code
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog, ExchangeTable
from schemas.exchange import Conversion
from schemas.money import PRICE_DECIMALS_MAX
from schemas.price_plan import PricePlan, PriceVersion, utc_microseconds

Stretch = tuple[int, int, Fraction | None]
"""[start, end) in microseconds UTC, and the rate in force, None where there is none."""
_ONE = 10**PRICE_DECIMALS_MAX
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CONVERTED = re.compile(r"\*([A-Z]{3})/([A-Z]{3})@(?:(\d+)(?:\.(\d+))?(?:/(\d+))?|none)$")


def converted_mark(conversion: Conversion | None) -> str:
    """Return what the name of a charge version ends with that is converted, such as "*USD/EUR@0.92"."""
    return "" if conversion is None else f"*{conversion.base}/{conversion.currency}@{conversion.text or 'none'}"


def named_conversions(catalog: Catalog, name: str) -> Iterator[Conversion]:
    """Yield the conversions that the name of a charge version may stand for."""
    found = _CONVERTED.search(name)
    if found is None:
        return
    base, currency, whole, decimals, denominator = found.groups()
    rate = None
    if whole is not None:
        rate = Fraction(int(whole + (decimals or "")), 10 ** len(decimals or "") * int(denominator or 1))
    for code, table in catalog.exchange_rates.items():
        yield conversion_of(code, table, base, currency, rate)


def conversion_of(code: str, table: ExchangeTable, base: str, currency: str, rate: Fraction | None) -> Conversion:
    """Return a conversion by a rate of a table, None where none is in force."""
    return Conversion(
        rates=code,
        base=base,
        currency=currency,
        numerator=0 if rate is None else rate.numerator,
        denominator=1 if rate is None else rate.denominator,
        rounding=table.terms.rounding,
    )


def with_conversion(version: PriceVersion, price_plan: str, conversion: Conversion) -> NegotiatedVersion:
    """Return a version of a plan, or what a contract makes of one, as it is converted."""
    if not isinstance(version, NegotiatedVersion):
        version = negotiate(version, price_plan, None, None)
    return version.model_copy(update={"conversion": conversion})


def with_conversions(catalog: Catalog) -> Catalog:
    """Return a catalog in which subscriptions that pay in another currency have variants of their offers, as images need it."""
    selling = [code for code, offer in catalog.offers.items() if offer.exchange_rates is not None]
    if not selling:
        return catalog
    bought = catalog.subscriptions.join(catalog.accounts, on="account", how="left", maintain_order="left")
    charges, plans, offers = dict(catalog.charges), dict(catalog.price_plans), dict(catalog.offers)
    pairs = bought.filter(pl.col("offer").is_in(selling)).select("offer", "currency").unique().sort("offer", "currency")
    variants = []
    for offer, currency in pairs.iter_rows():
        sold = []
        table = catalog.exchange_rates[str(offers[offer].exchange_rates)]
        for code in offers[offer].charges:
            charge = catalog.charges[code]
            plan = catalog.price_plans[charge.price_plan]
            pieces = pieces_of(catalog, plan, table, currency)
            sold.append(code if pieces is None else f"{code}{VARIANT}{VARIANT}{currency}{VARIANT}{table.terms.code}")
            if pieces is not None and sold[-1] not in charges:
                charges[sold[-1]] = charge.model_copy(update={"code": sold[-1], "price_plan": sold[-1]})
                plans[sold[-1]] = plan.model_copy(update={"code": sold[-1], "versions": pieces})
        if tuple(sold) != offers[offer].charges:
            variant = f"{offer}{VARIANT}{VARIANT}{currency}"
            offers[variant] = offers[offer].model_copy(update={"code": variant, "charges": tuple(sold)})
            variants.append((offer, currency, variant))
    known = pl.DataFrame(variants, schema=dict.fromkeys(("offer", "currency", "variant"), pl.String), orient="row")
    subscriptions = bought.join(known, on=("offer", "currency"), how="left", maintain_order="left").select(
        "subscription", "account", pl.coalesce("variant", "offer").alias("offer")
    )
    return replace(catalog, charges=charges, price_plans=plans, offers=offers, subscriptions=subscriptions)


def pieces_of(
    catalog: Catalog, plan: PricePlan, table: ExchangeTable, currency: str
) -> tuple[PriceVersion, ...] | None:
    """Return the versions of a plan, cut where the rate into a currency changes, None where none has to be converted."""
    pieces: list[PriceVersion] = []
    for version in plan.versions:
        named = version.price_plan if isinstance(version, NegotiatedVersion) else own_code(plan.code)
        source = catalog.price_plans[named]
        if source.in_units or source.currency == currency:
            pieces.append(version)
            continue
        priced_since = utc_microseconds((version.whole if isinstance(version, NegotiatedVersion) else version).start)
        low, high = utc_microseconds(version.start), TIME_MAX if version.end is None else utc_microseconds(version.end)
        for start, end, rate in stretches(table, source.currency, currency, priced_since, low, high):
            conversion = conversion_of(table.terms.code, table, source.currency, currency, rate)
            cut = {"start": _instant(start)} if start > low else {}
            cut |= {"end": _instant(end)} if end < high else {}
            pieces.append(with_conversion(version, named, conversion).model_copy(update=cut))
    return tuple(pieces) if any(getattr(piece, "conversion", None) is not None for piece in pieces) else None


def stretches(table: ExchangeTable, base: str, quote: str, priced_since: int, low: int, high: int) -> list[Stretch]:
    """Return which rate counts when in [low, high), without gaps, by the date that the table names.

    `priced_since`: from when the price is in force, microseconds UTC.
    """
    timeline = timeline_of(table, base, quote)
    if table.terms.dated == "price":
        rate = next((rate for start, end, rate in timeline if start <= priced_since < end), None)
        return [(low, high, rate)]
    clock = None if table.terms.dated == "usage" else ZoneInfo(table.terms.zone)
    borders = {low}
    for start, _, _ in timeline:
        begins = (
            start if clock is None or start == TIME_MIN else _next_begin(start, clock, table.terms.dated == "month")
        )
        if low < begins < high:
            borders.add(begins)
    ordered = [*sorted(borders), high]
    found: list[Stretch] = []
    place = 0
    for start, end in pairwise(ordered):
        counts = start if clock is None or start == TIME_MIN else _begin(start, clock, table.terms.dated == "month")
        while timeline[place][1] <= counts:
            place += 1
        rate = timeline[place][2]
        if found and found[-1][2] == rate:
            found[-1] = found[-1][0], end, rate
        else:
            found.append((start, end, rate))
    return found


def timeline_of(table: ExchangeTable, base: str, quote: str) -> list[Stretch]:
    """Return the rates from one currency to another from TIME_MIN to TIME_MAX, without gaps."""
    known = _written(table, base, quote)
    through = table.terms.through
    if known is not None or through is None or through in (base, quote):
        return known or [(TIME_MIN, TIME_MAX, None)]
    legs = [_written(table, base, through), _written(table, through, quote)]
    if legs[0] is None or legs[1] is None:
        return [(TIME_MIN, TIME_MAX, None)]
    borders = sorted({border for leg in legs for stretch in leg or () for border in stretch[:2]})
    found, places = [], [0, 0]
    for start, end in pairwise(borders):
        rates = []
        for number, leg in enumerate(legs):
            assert leg is not None
            while leg[places[number]][1] <= start:
                places[number] += 1
            rates.append(leg[places[number]][2])
        found.append((start, end, None if rates[0] is None or rates[1] is None else rates[0] * rates[1]))
    return found


def _written(table: ExchangeTable, base: str, quote: str) -> list[Stretch] | None:
    """Return the rates of a pair as it is written, or where they serve both ways as the other one is; None where neither is."""
    for first, second, turned in ((base, quote, False), (quote, base, True)):
        rows = table.frame.filter((pl.col("base") == first) & (pl.col("quote") == second))
        if len(rows) and (table.terms.inverse or not turned):
            return _without_gaps(rows, turned=turned)
    return None


def _without_gaps(rows: pl.DataFrame, *, turned: bool) -> list[Stretch]:
    found: list[Stretch] = []
    last = TIME_MIN
    for rate, start, end in rows.select("rate", "start_at", "end_at").iter_rows():
        if last < start:
            found.append((last, start, None))
        found.append((start, end, Fraction(_ONE, rate) if turned else Fraction(rate, _ONE)))
        last = end
    return [*found, (last, TIME_MAX, None)] if last < TIME_MAX else found


def _begin(at: int, clock: ZoneInfo, months: bool) -> int:  # noqa: FBT001
    """Return when the local day or month of an instant begins, microseconds UTC."""
    day = (_EPOCH + at * _MICROSECOND).astimezone(clock).date()
    first = datetime.combine(day.replace(day=1) if months else day, time(), clock)
    return (first.astimezone(UTC) - _EPOCH) // _MICROSECOND


def _next_begin(at: int, clock: ZoneInfo, months: bool) -> int:  # noqa: FBT001
    """Return when the first local day or month begins that does not begin before an instant, microseconds UTC."""
    begin = _begin(at, clock, months)
    if begin >= at:
        return begin
    day = (_EPOCH + at * _MICROSECOND).astimezone(clock).date()
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1) if months else day + timedelta(days=1)
    return (datetime.combine(following, time(), clock).astimezone(UTC) - _EPOCH) // _MICROSECOND


def _instant(at: int) -> datetime:
    return _EPOCH + at * _MICROSECOND
