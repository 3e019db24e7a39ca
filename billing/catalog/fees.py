"""Fees as usage: each is a charge of an event type of its own, on an access point of its own, from a source of its own.

So what is due is priced, taxed, discounted, drawn, explained and rated again as all usage is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Documents, Entry, Fault, Problems
from billing.catalog.origins import Origins
from billing.catalog.resellers import overlap, resold_code, span
from billing.catalog.rows import Check
from billing.catalog.scopes import check_scopes
from schemas.catalog import SUBSCRIPTION_TERM_FRAME, SUBSCRIPTION_UNIT_FRAME, TIME_MAX, TIME_MIN
from schemas.contract import Contract
from schemas.fees import (
    DAY_AFTER,
    DENOMINATOR,
    FEE,
    FEE_FORMULA,
    FEES,
    FIRST_DAY,
    NUMERATOR,
    POINT_PREFIX,
    PRICE,
    FeeBase,
    MinimumCharge,
    OneShotCharge,
    ProductCharge,
    Purchase,
    RecurringCharge,
)
from schemas.price_plan import Charge, EventType, Offer, PricePlan, PriceVersion, Subscription, utc_microseconds
from schemas.source import SourceBase
from schemas.source_columns import ParquetSource

FEE_TYPE = EventType.model_validate(
    {
        "kind": "event_type",
        "code": FEE,
        "unit": "event",
        "attributes": (FEE,),
        "values": {NUMERATOR: "number", DENOMINATOR: "number", FIRST_DAY: "date", DAY_AFTER: "date"},
    }
)
FEE_SOURCE = ParquetSource.model_validate(
    {
        "kind": "source",
        "code": FEES,
        "format": "parquet",
        "mapping": {
            "identity": ("subscription", FEE, "key_at", "nth"),
            "access_point": "access_point",
            "time": {"field": "key_at", "format": "epoch_us"},
            "quantity": {"field": "quantity", "unit": "event", "negative": "take_back"},
            "event_type": {"constant": FEE},
            "attributes": {FEE: FEE},
            "values": {name: name for name in (NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER)},
        },
    }
)
_ASKING = dict.fromkeys(("offer", "charge", "unit"), pl.String)
_MODELS: tuple[type[FeeBase], ...] = (RecurringCharge, OneShotCharge, ProductCharge, MinimumCharge)


def add_fees(documents: Documents, problems: Problems) -> None:
    """Add the charges of fees, their event type and their source to the documents of a catalog that has any fee."""
    for kind, code in tuple(documents.broken):
        if kind in ("recurring_charge", "one_shot_charge", "product_charge", "minimum_charge"):
            documents.broken.add(("charge", code))
    fees = [entry for model in _MODELS for entry in documents.of(model).values()]
    for entry in fees:
        fee = entry.document
        charge = Charge(
            kind="charge",
            code=fee.code,
            event_type=FEE,
            filters={FEE: fee.code},
            price_plan=fee.price_plan,
            tax_class=fee.tax_class,
            accumulate=fee.accumulate,
        )
        _add(documents, problems, Charge, entry, charge, f'the charge "{fee.code}" is declared twice')
    for model, document, what in (
        (EventType, FEE_TYPE, f'the event type "{FEE}" is that of fees'),
        (SourceBase, FEE_SOURCE, f'the source "{FEES}" is that of fees'),
    ):
        for entry in fees[:1]:
            _add(documents, problems, model, entry, document, what)


def _add(
    documents: Documents, problems: Problems, model: type[Any], entry: Entry[Any], document: Any, told: str
) -> None:
    table = documents.tables.setdefault(model, {})
    other = table.get(document.code)
    if other is not None:
        problems.at(
            other, ("code",), f"{told} (see {entry.place(('code',))})", "rename one of them", Fault.DECLARED_TWICE
        )
    table[document.code] = Entry(document, entry.file, entry.node)


def fee_codes(documents: Documents) -> set[str]:
    """Return the codes of the charges that are fees."""
    return {code for model in _MODELS for code in documents.of(model)}


def _fee_offers(documents: Documents) -> list[str]:
    codes = fee_codes(documents)
    return [code for code, entry in documents.of(Offer).items() if not codes.isdisjoint(entry.document.charges)]


def fee_plans(documents: Documents) -> set[str]:
    """Return the price plans of fees, those included that are negotiated for them."""
    codes, offers = fee_codes(documents), documents.of(Offer).values()
    plans = {entry.document.price_plan for code, entry in documents.of(Charge).items() if code in codes}
    sold = [(entry.document.code, code) for entry in offers for code in entry.document.charges if code in codes]
    items = (item for entry in documents.of(Contract).values() for item in entry.document.items)
    return plans | {
        item.price_plan
        for item in items
        if item.price_plan is not None and any(item.matches(offer, charge, FEE) for offer, charge in sold)
    }


def by_share(plan: PricePlan) -> PricePlan:
    """Return a price plan of whole fees as one of shares of them."""
    return plan.model_copy(update={"versions": tuple(map(_version_by_share, plan.versions))})


def _version_by_share(version: PriceVersion) -> PriceVersion:
    if version.model != "event":
        return version
    changed = {"model": "formula", "formula": FEE_FORMULA, "constants": {PRICE: version.price}, "price": None}
    return version.model_copy(update=changed)


def gather_terms(
    ctx: Context, tables: list[pl.DataFrame], subscriptions: pl.DataFrame, origins: Origins
) -> pl.DataFrame:
    """Return when the subscriptions to offers with fees are in force: SUBSCRIPTION_TERM_FRAME, `offer` and `origin`, sorted.

    Args:
        tables: of subscriptions, those of resellers included. subscriptions: all, with their offers.
    """
    schema = pl.Schema({**SUBSCRIPTION_TERM_FRAME, "origin": pl.Int64()})
    offers = _fee_offers(ctx.documents)
    if not offers:
        return pl.DataFrame(schema={**schema, "offer": pl.String})
    rows = list(_term_rows(ctx.documents.of(Subscription).values(), origins))
    terms = [pl.DataFrame(rows, schema=schema, orient="row"), *(table.select(schema.names()) for table in tables)]
    paying = subscriptions.filter(pl.col("offer").is_in(offers)).unique("subscription", keep="first")
    return pl.concat(terms).join(paying.select("subscription", "offer"), on="subscription").sort("subscription")


def _term_rows(entries: Iterable[Entry[Subscription]], origins: Origins) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each subscription, and for what a reseller has of it: TIME_MIN where neither says since when."""
    for entry in entries:
        bought, reseller = entry.document, entry.document.reseller
        yield (bought.code, *span(bought), origins.value(entry, ()))
        if reseller is not None:
            code = resold_code(bought.code, reseller.account)
            yield (code, *overlap(span(bought), span(reseller)), origins.value(entry, ("reseller",)))


def gather_units(documents: Documents) -> pl.DataFrame:
    """Return how many of something subscriptions have, those of resellers as those that they sold: SUBSCRIPTION_UNIT_FRAME."""
    rows = []
    for entry in documents.of(Subscription).values():
        bought = entry.document
        codes = [bought.code, *([resold_code(bought.code, bought.reseller.account)] if bought.reseller else [])]
        rows += [
            (code, unit, TIME_MIN if each.start is None else utc_microseconds(each.start), each.count)
            for code in codes
            for unit, counts in bought.units.items()
            for each in counts
        ]
    return pl.DataFrame(rows, schema=SUBSCRIPTION_UNIT_FRAME, orient="row").sort("subscription", "unit", "start_at")


def _check_units(check: Check, terms: pl.DataFrame) -> None:
    """Say which subscriptions do not have a number of what fees of their offers are due for."""
    documents = check.ctx.documents
    units = {code: entry.document.per_unit for code, entry in documents.of(RecurringCharge).items()}
    asked = [
        (offer, charge, unit)
        for offer, entry in documents.of(Offer).items()
        for charge in entry.document.charges
        if (unit := units.get(charge)) is not None
    ]
    asking = pl.DataFrame(asked, schema=["offer", "charge", "unit"], orient="row", schema_overrides=_ASKING)
    lacking = terms.join(asking, on="offer").join(gather_units(documents), on=["subscription", "unit"], how="anti")
    check.refuse(
        lacking.sort("subscription", "charge").unique("subscription", keep="first", maintain_order=True),
        "units",
        ("units",),
        lambda row: (
            f'the fee "{row["charge"]}" is due for each {row["unit"]}, and the subscription does not say how many it has',
            f"add `units: {{{row['unit']}: 6}}`, or another number",
        ),
    )


def check_terms(check: Check, terms: pl.DataFrame, subscriptions: pl.DataFrame, tree: pl.DataFrame) -> None:
    """Say which subscriptions to offers with fees do not say since when, or for how many, or have a minimum over nobody.

    Args:
        terms: of `gather_terms`. subscriptions: all, with their accounts. tree: ACCOUNT_TREE_FRAME.
    """
    _check_units(check, terms)
    check_scopes(check, terms, subscriptions, tree)
    check.refuse(
        terms.filter(pl.col("start_at") == TIME_MIN),
        "start",
        ("start",),
        lambda row: (
            f'the offer "{row["offer"]}" has fees, and the subscription does not say since when they are due',
            "add its `start`, the instant from which it is in force",
        ),
    )


def check_purchases(check: Check, terms: pl.DataFrame, subscriptions: pl.DataFrame) -> None:
    """Say which products are bought by subscriptions that are unknown, have no such product, or are not in force then.

    Args:
        terms: of `gather_terms`. subscriptions: all, with their offers.
    """
    documents = check.ctx.documents
    bought, products = documents.of(Purchase).values(), documents.of(ProductCharge)
    if not bought or not documents.complete:
        return
    offers = {code: entry.document for code, entry in documents.of(Offer).items()}
    asked = pl.DataFrame(
        {"subscription": [entry.document.subscription for entry in bought]}, schema={"subscription": pl.String}
    )
    held = dict(subscriptions.join(asked, on="subscription", how="semi").select("subscription", "offer").iter_rows())
    lasting = terms.join(asked, on="subscription", how="semi").select("subscription", "start_at", "end_at")
    spans = {code: (start, end) for code, start, end in lasting.iter_rows()}
    for entry in bought:
        purchase, at = entry.document, utc_microseconds(entry.document.at)
        offer = offers.get(held.get(purchase.subscription, ""))
        if purchase.subscription not in held:
            if not documents.may_be("subscription", purchase.subscription):
                message = f'the subscription "{purchase.subscription}" is unknown'
                check.ctx.problems.at(
                    entry, ("subscription",), message, "declare it with `kind: subscription`", Fault.UNKNOWN_NAME
                )
        elif offer is not None and purchase.product in products and purchase.product not in offer.charges:
            message = f'the offer "{offer.code}" of the subscription has no product "{purchase.product}"'
            check.ctx.problems.at(entry, ("product",), message, "add it to the `charges` of the offer")
        elif purchase.subscription in spans:
            start, end = spans[purchase.subscription]
            if not start <= at < end:
                message = f'the subscription "{purchase.subscription}" is not in force then'
                check.ctx.problems.at(entry, ("at",), message, "write an instant between its start and its end")


def fee_points(terms: pl.DataFrame) -> pl.DataFrame:
    """Return the access points on which fees are charged, as rows of ACCESS_POINT_FRAME: at all times."""
    return terms.select(
        pl.concat_str(pl.lit(POINT_PREFIX), "subscription").alias("access_point"),
        "subscription",
        pl.lit(TIME_MIN, pl.Int64).alias("start_at"),
        pl.lit(TIME_MAX, pl.Int64).alias("end_at"),
    )
