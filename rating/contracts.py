"""Contracts as price plans: whoever has negotiated prices buys variants of offers, whose plans change as contracts do.

A variant is an offer, or a charge and its plan, whose code has "#" and more behind its own; no code in a catalog has one. Only
images are compiled of variants; items, names and the store know of the charges and plans alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from schemas.arrays import Int64Array
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.contract import PERCENTAGE_DECIMALS_MAX, Contract, ContractItem, taken_off
from schemas.exchange import Conversion
from schemas.fees import PRICE
from schemas.money import AMOUNT_DECIMALS, PRICE_DECIMALS_MAX
from schemas.price_plan import LEVELS, Charge, Code, Price, PriceVersion, Tier, utc_microseconds

VARIANT = "#"


class NegotiatedVersion(PriceVersion):
    """A version of a plan as a contract has it, or a part of its time between contracts.

    `whole` is the version as it stands in `price_plan`; `contract` is None where none is in force. `terms` are in words.
    `percentage` is off already in what the version says itself, and to be taken off what it finds in a price table.
    `conversion`: how its amounts become those of the account's currency, None where they are, see `rating.exchange`.
    """

    whole: PriceVersion
    price_plan: Code
    contract: Code | None = None
    terms: str = ""
    item: ContractItem | None = None
    conversion: Conversion | None = None

    @property
    def percentage(self) -> Decimal | None:
        """What is off the prices of a table."""
        return self.item.percentage if self.item is not None else None


def own_code(code: str) -> str:
    """Return the code of a charge or an offer of which something may be a variant."""
    return code.partition(VARIANT)[0]


def percentage_of(version: PriceVersion) -> Decimal | None:
    """Return what is off the prices of a version's table, None where nothing is."""
    return version.percentage if isinstance(version, NegotiatedVersion) else None


def negotiate(
    version: PriceVersion, price_plan: str, contract: Contract | None, item: ContractItem | None
) -> NegotiatedVersion:
    """Return a version of a plan as it is under an item of a contract."""
    said: dict[str, Any] = {name: getattr(version, name) for name in PriceVersion.model_fields}
    terms = ""
    if item is not None and item.price is not None:
        said |= (
            {"constants": {PRICE: item.price}} if PRICE in said["constants"] else {"price": item.price, "prices": None}
        )
        terms = f"its own price in the place of those of {price_plan}"
    elif item is not None and item.percentage is not None:
        said |= _with_percentage(version, item.percentage)
        terms = f"{item.percentage.normalize():f} % off the prices of {price_plan}"
    elif item is not None:
        terms = f"the price plan {price_plan}"
    return NegotiatedVersion.model_construct(
        **said,
        whole=version,
        price_plan=price_plan,
        contract=contract.code if contract is not None else None,
        terms=f"{terms} (contract of {contract.account})" if contract is not None else "",
        item=item,
    )


def _with_percentage(version: PriceVersion, percentage: Decimal) -> dict[str, Any]:
    """Return the prices and amounts of a version with a percentage off, each rounded to the decimals that it may have."""

    def price(of: Price | dict[str, Price] | None) -> Any:
        if isinstance(of, dict):
            return {band: taken_off(each, percentage, PRICE_DECIMALS_MAX) for band, each in of.items()}
        return taken_off(of, percentage, PRICE_DECIMALS_MAX) if of is not None else None

    def amount(of: Decimal | None) -> Decimal | None:
        return taken_off(of, percentage, AMOUNT_DECIMALS) if of is not None else None

    def tier(of: Tier) -> Tier:
        return of.model_copy(update={"price": price(of.price), "amount": amount(of.amount)})

    constants = {PRICE: price(version.constants[PRICE])} if PRICE in version.constants else {}
    return {
        "constants": version.constants | constants,
        "price": price(version.price),
        "tiers": tuple(map(tier, version.tiers)) if version.tiers is not None else None,
        "connection_fee": amount(version.connection_fee),
        "floor": amount(version.floor),
        "cap": amount(version.cap),
    }


def pico_off(pico: Int64Array, percentage: Decimal) -> Int64Array:
    """Return prices in 10**-12 units with a percentage off, rounded as `schemas.contract.taken_off` does."""
    one = 100 * 10**PERCENTAGE_DECIMALS_MAX
    left = one - int(percentage.scaleb(PERCENTAGE_DECIMALS_MAX))
    # the parts stay below 2**63: left is at most `one`, and the rest of a division by it is below 10**8
    whole, rest = np.divmod(pico, one)
    cheaper: Int64Array = whole * left + (rest * left + one // 2) // one
    return cheaper


def with_contracts(catalog: Catalog) -> Catalog:
    """Return a catalog in which subscriptions of accounts with contracts have variants of their offers, as images need it."""
    if not catalog.contracts:
        return catalog
    bought = catalog.subscriptions.join(_chains(catalog), on="account", how="left", maintain_order="left")
    by_account: dict[str, list[Contract]] = {}
    for contract in catalog.contracts.values():
        by_account.setdefault(contract.account, []).append(contract)
    charges, plans, offers = dict(catalog.charges), dict(catalog.price_plans), dict(catalog.offers)
    variants = []
    for offer, chain in bought.select("offer", "chain").drop_nulls().unique().sort("offer", "chain").iter_rows():
        levels = [by_account[account] for account in chain.split(VARIANT)]
        sold = []
        for code in offers[offer].charges:
            charge = catalog.charges[code]
            pieces = pieces_of(catalog, levels, offer, charge)
            sold.append(code if pieces is None else VARIANT.join((code, offer, chain)))
            if pieces is not None:
                charges[sold[-1]] = charge.model_copy(update={"code": sold[-1], "price_plan": sold[-1]})
                plan = catalog.price_plans[charge.price_plan]
                plans[sold[-1]] = plan.model_copy(update={"code": sold[-1], "versions": pieces})
        variant = VARIANT.join((offer, chain))
        if tuple(sold) != offers[offer].charges:
            offers[variant] = offers[offer].model_copy(update={"code": variant, "charges": tuple(sold)})
            variants.append((offer, chain, variant))
    known = pl.DataFrame(variants, schema=dict.fromkeys(("offer", "chain", "variant"), pl.String), orient="row")
    subscriptions = bought.join(known, on=("offer", "chain"), how="left", maintain_order="left").select(
        "subscription", "account", pl.coalesce("variant", "offer").alias("offer")
    )
    return replace(catalog, charges=charges, price_plans=plans, offers=offers, subscriptions=subscriptions)


def _chains(catalog: Catalog) -> pl.DataFrame:
    """Return account and chain: the accounts with contracts from that one upwards, where there are any."""
    holders = sorted({contract.account for contract in catalog.contracts.values()})
    at = catalog.accounts.select("account", at="account", chain=pl.lit("", pl.String))
    parents = catalog.account_tree.select(at="account", parent="parent")
    for _ in LEVELS:
        more = pl.when(pl.col("at").is_in(holders)).then(pl.lit(VARIANT) + pl.col("at")).otherwise(pl.lit(""))
        at = at.with_columns(chain=pl.col("chain") + more).join(parents, on="at", how="left", maintain_order="left")
        at = at.select("account", "chain", at=pl.col("parent"))
    return at.filter(pl.col("chain") != "").select("account", chain=pl.col("chain").str.strip_prefix(VARIANT))


def pieces_of(
    catalog: Catalog, levels: Sequence[Sequence[Contract]], offer: str, charge: Charge
) -> tuple[PriceVersion, ...] | None:
    """Return the versions that price a charge of an offer, one after the other, None where no contract says anything of it.

    Args:
        levels: the contracts of an account, then those of the accounts above it; those of one account do not overlap.
    """
    spans = [
        (*_span(contract.start, contract.end), contract, item)
        for contracts in levels
        for contract in contracts
        if (item := contract.item_for(offer, charge.code, charge.event_type)) is not None
    ]
    if not spans:
        return None
    borders = sorted({TIME_MIN, TIME_MAX, *(border for span in spans for border in span[:2])})
    pieces: list[PriceVersion] = []
    for low, high in pairwise(borders):
        contract, item = next(((span[2], span[3]) for span in spans if span[0] <= low < span[1]), (None, None))
        plan = item.price_plan if item is not None and item.price_plan is not None else charge.price_plan
        pieces += _cut(catalog, plan, contract, item, low, high)
    return tuple(pieces)


def _cut(
    catalog: Catalog, plan: str, contract: Contract | None, item: ContractItem | None, low: int, high: int
) -> Iterator[PriceVersion]:
    """Yield the versions of a plan that are in force in [low, high), microseconds UTC, cut to it."""
    for version in sorted(catalog.price_plans[plan].versions, key=lambda each: each.start):
        start, end = _span(version.start, version.end)
        if start < high and low < end:
            cut = {"start": _instant(low)} if start < low else {}
            cut |= {"end": _instant(high)} if high < end else {}
            yield negotiate(version, plan, contract, item).model_copy(update=cut)


def _instant(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def _span(start: datetime, end: datetime | None) -> tuple[int, int]:
    return utc_microseconds(start), TIME_MAX if end is None else utc_microseconds(end)
