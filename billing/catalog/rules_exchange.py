"""Rules of exchange rates: whoever pays in another currency than prices are written in has a rate, and counts what he pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.parties import Parties
from billing.catalog.rows import Check
from rating.exchange import stretches, timeline_of
from schemas.catalog import TIME_MAX, TIME_MIN, ExchangeTable
from schemas.contract import Contract
from schemas.exchange import ExchangeRates
from schemas.money import CURRENCY_DECIMALS
from schemas.price_plan import Charge, Counter, Offer, PricePlan

PIECES_MAX = 100_000
"""Pieces into which the rates of all pairs that are used may cut the versions of all charges that are sold so."""


def check_exchange_rates(ctx: Context, entry: Entry[ExchangeRates]) -> None:
    """Check the zone and the currency through which rates are made; rows are checked where they are read."""
    ctx.zone(entry, ("zone",), entry.document.zone)
    if entry.document.through is not None:
        ctx.currency(entry, ("through",), entry.document.through)


def check_conversions(check: Check, parties: Parties, tables: Mapping[str, ExchangeTable]) -> None:
    """Check that there are rates for all that is sold in other currencies than accounts pay in, and not too many."""
    ctx = check.ctx
    offers = {code: entry for code, entry in ctx.documents.of(Offer).items() if entry.document.exchange_rates in tables}
    if not offers or not ctx.documents.complete:
        return
    bought = (
        parties.subscriptions.filter(pl.col("offer").is_in(list(offers)))
        .join(parties.accounts.unique("account", keep="first").select("account", "currency"), on="account")
        .filter(pl.col("currency").is_in(list(CURRENCY_DECIMALS)))
    )
    pieces = 0
    wrong: dict[tuple[str, str], tuple[str, str]] = {}
    for offer, currency in bought.select("offer", "currency").unique().sort("offer", "currency").iter_rows():
        table = tables[str(offers[offer].document.exchange_rates)]
        for base, versions in _priced_in(ctx, offers[offer].document).items():
            if base == currency:
                continue
            if not any(rate is not None for _, _, rate in timeline_of(table, base, currency)):
                wrong.setdefault((offer, currency), _no_rate(offer, currency, base, table))
            pieces += versions * len(stretches(table, base, currency, 0, TIME_MIN, TIME_MAX))
        counted = _counted_in(ctx, offers[offer].document)
        other = next((code for code, unit in counted.items() if unit != currency), None)
        if other is not None:
            wrong.setdefault((offer, currency), _other_counter(offer, currency, other, counted[other]))
    if wrong:
        rows = pl.DataFrame([*wrong], schema={"offer": pl.String, "currency": pl.String}, orient="row")
        refused = bought.join(rows, on=["offer", "currency"], how="semi").sort("origin")
        check.refuse(refused, "currency", ("offer",), lambda row: wrong[row["offer"], row["currency"]])
    if pieces > PIECES_MAX:
        entry = next(iter(offers.values()))
        message = f"prices would be cut into {pieces} pieces by exchange rates; {PIECES_MAX} is the limit"
        ctx.problems.at(entry, ("exchange_rates",), message, "use rates with `dated: month`, or older ones no longer")


def _priced_in(ctx: Context, offer: Offer) -> dict[str, int]:
    """Return how many versions of prices each currency has in which charges of an offer are, or may be, priced."""
    plans, found = ctx.documents.of(PricePlan), dict[str, int]()
    for code in _plans(ctx, offer):
        plan = plans[code].document if code in plans else None
        if plan is not None and not plan.in_units:
            found[plan.currency] = found.get(plan.currency, 0) + len(plan.versions)
    return found


def _plans(ctx: Context, offer: Offer) -> Iterator[str]:
    charges = [ctx.documents.of(Charge)[code].document for code in offer.charges if code in ctx.documents.of(Charge)]
    yield from (charge.price_plan for charge in charges)
    for entry in ctx.documents.of(Contract).values():
        for item in entry.document.items:
            matched = any(item.matches(offer.code, charge.code, charge.event_type) for charge in charges)
            if item.price_plan is not None and matched:
                yield item.price_plan


def _counted_in(ctx: Context, offer: Offer) -> dict[str, str]:
    """Return the counters that grow by amounts of an offer, and their currencies."""
    charges, counters = ctx.documents.of(Charge), ctx.documents.of(Counter)
    codes = [
        *offer.accumulate,
        *(code for one in offer.charges if one in charges for code in charges[one].document.accumulate),
    ]
    known = [counters[code].document for code in codes if code in counters]
    return {counter.code: counter.unit for counter in known if counter.function == "amount"}


def _no_rate(offer: str, currency: str, base: str, table: ExchangeTable) -> tuple[str, str]:
    message = (
        f'the offer "{offer}" has prices in {base}, and "{table.terms.code}" has no rate from {base} to {currency}'
    )
    return message, f'add the pair "{base}/{currency}", or say `inverse` or `through` if rates may be made of others'


def _other_counter(offer: str, currency: str, counter: str, unit: str) -> tuple[str, str]:
    message = f'the offer "{offer}" grows "{counter}", which counts {unit}, and the account pays in {currency}'
    return message, f"sell accounts in {currency} an offer that accumulates {currency}"
