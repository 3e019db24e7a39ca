"""Who bought what: documents and tables as frames, and the rules that hold across all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.discount_rows import discount_rows, discount_table
from billing.catalog.fees import check_purchases, check_terms, fee_points, gather_terms
from billing.catalog.models import ANY_KIND, Fault
from billing.catalog.origins import FIRST_OF_TABLES, Origins
from billing.catalog.resellers import overlap, resold_rows, resold_table, span
from billing.catalog.rows import Check
from billing.catalog.rules_discounts import check_discount_currencies, check_limited
from billing.catalog.rules_pricing import offer_currencies, offers_by_zone
from billing.catalog.rules_triggers import check_triggered
from billing.catalog.shared_wallets import check_shared_wallets
from billing.catalog.sharing import check_sharing
from billing.catalog.windows import check_windows
from billing.catalog.wording import choose
from schemas.account import Account, Wallet
from schemas.billing_cycle import BillingCycle
from schemas.catalog import (
    ACCESS_POINT_FRAME,
    ACCOUNT_CYCLE_FRAME,
    ACCOUNT_FRAME,
    ACCOUNT_TAX_FRAME,
    ACCOUNT_TREE_FRAME,
    DISCOUNT_FRAME,
    OPENING_READING_FRAME,
    SUBSCRIPTION_FRAME,
    SUBSCRIPTION_GROUP_FRAME,
    SUBSCRIPTION_ZONE_FRAME,
    TIME_MAX,
    TIME_MIN,
    WALLET_FRAME,
    WALLET_LEVEL_FRAME,
)
from schemas.contract import Contract
from schemas.discount import DiscountPlan
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, to_scaled
from schemas.price_plan import Document, Offer, Subscription, utc_microseconds
from schemas.tax import TaxCategory

PREPAID, PRINCIPAL = "prepaid", "principal"
_ORIGIN = {"origin": pl.Int64()}
_ACCOUNTS = pl.Schema({**ACCOUNT_FRAME, **_ORIGIN})
_SUBSCRIPTIONS = pl.Schema({**SUBSCRIPTION_FRAME, **_ORIGIN})
_ZONES = pl.Schema({**SUBSCRIPTION_ZONE_FRAME, **_ORIGIN})
_TREE = pl.Schema({**ACCOUNT_TREE_FRAME, **_ORIGIN})
_TAXES = pl.Schema({**ACCOUNT_TAX_FRAME, **_ORIGIN})
_CYCLES = pl.Schema({**ACCOUNT_CYCLE_FRAME, **_ORIGIN})
_DISCOUNTS = pl.Schema({**DISCOUNT_FRAME, **_ORIGIN})
_ASSIGNED = pl.Schema({"discount": pl.String(), "discount_start": pl.String(), **_ORIGIN})
_GROUPS = pl.Schema({**SUBSCRIPTION_GROUP_FRAME, **_ORIGIN})
_ACCESS_POINTS = pl.Schema({**ACCESS_POINT_FRAME, "shared": pl.Boolean(), **_ORIGIN})


@dataclass(frozen=True, slots=True)
class Parties:
    """The frames of `schemas.catalog`, sorted, plus `origin` in the first nine and `shared` in `access_points`.

    `resold_points` are those of resellers, who share all that they resell. `terms`: see `fees.gather_terms`.
    `assigned` is what lines of tables say of discounts: `discount`, `discount_start` and `origin`.
    """

    accounts: pl.DataFrame
    tree: pl.DataFrame
    taxes: pl.DataFrame
    cycles: pl.DataFrame
    discounts: pl.DataFrame
    assigned: pl.DataFrame
    subscriptions: pl.DataFrame
    zones: pl.DataFrame
    groups: pl.DataFrame
    access_points: pl.DataFrame
    resold_points: pl.DataFrame
    wallets: pl.DataFrame
    opening_readings: pl.DataFrame
    wallet_levels: pl.DataFrame
    wallet_terms: dict[str, Wallet]
    terms: pl.DataFrame

    @property
    def all_points(self) -> pl.DataFrame:
        """The access points of all subscriptions, sorted, those of resellers behind those of whom they sold to."""
        own = self.access_points.drop("shared", "origin")
        if not len(self.resold_points) and not len(self.terms):
            return own
        together = pl.concat([own, self.resold_points.drop("shared", "origin"), fee_points(self.terms)])
        return together.sort("access_point", "start_at", maintain_order=True)


def gather_parties(ctx: Context, tables: list[pl.DataFrame], origins: Origins) -> Parties:
    """Return the frames of all documents and of `tables` (see `tables.read_table`)."""
    accounts, wallets = _account_rows(ctx, origins)
    subscriptions, points, readings = _subscription_rows(ctx, origins)
    bought, zones, shared = resold_rows(ctx, origins)
    resold = [resold_table(table) for table in tables]
    tables_too = [*tables, *resold]
    levelled = [table.with_columns(level=pl.lit("billing_account")) for table in tables]
    tree = _together(_tree_rows(ctx, origins), _TREE, levelled)
    every = _together([*subscriptions, *bought], _SUBSCRIPTIONS, tables_too).sort("subscription", "origin")
    return Parties(
        accounts=_together(accounts, _ACCOUNTS, tables).sort("account", "origin"),
        tree=tree.filter(pl.col("parent").is_not_null() | (pl.col("level") != "billing_account")).sort(
            "account", "origin"
        ),
        taxes=_together(_tax_rows(ctx, origins), _TAXES, [_exempted(table) for table in tables])
        .filter(pl.any_horizontal(pl.col("tax_category", "country", "exemption").is_not_null()))
        .sort("account", "origin"),
        cycles=_together(_cycle_rows(ctx, origins), _CYCLES, tables)
        .drop_nulls("billing_cycle")
        .sort("account", "origin"),
        discounts=_together(
            discount_rows(ctx, origins), _DISCOUNTS, [discount_table(ctx, table) for table in tables]
        ).sort("holder_kind", "holder", "number", "origin"),
        assigned=_together([], _ASSIGNED, tables).drop_nulls("discount"),
        subscriptions=every,
        zones=_together([*_zone_rows(ctx, origins), *zones], _ZONES, tables_too)
        .drop_nulls("zone")
        .sort("subscription", "origin"),
        groups=_together(_group_rows(ctx, origins), _GROUPS, tables).drop_nulls("group").sort("subscription", "origin"),
        access_points=_together(points, _ACCESS_POINTS, tables).sort("access_point", "start_at", "origin"),
        resold_points=_together(shared, _ACCESS_POINTS, resold).sort("access_point", "start_at", "origin"),
        wallets=_wallets(wallets, tables).sort("account", "wallet"),
        opening_readings=_frame(readings, OPENING_READING_FRAME).sort("access_point", "series", "at"),
        wallet_levels=_wallet_levels(ctx, tables).sort("account", "wallet", "level"),
        wallet_terms=_wallet_terms(ctx),
        terms=gather_terms(ctx, tables_too, every, origins),
    )


def _frame(rows: list[tuple[Any, ...]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def _together(rows: list[tuple[Any, ...]], schema: pl.Schema, tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([_frame(rows, schema), *(table.select(schema.names()) for table in tables)])


def _wallets(rows: list[tuple[Any, ...]], tables: list[pl.DataFrame]) -> pl.DataFrame:
    frames = [_frame(rows, WALLET_FRAME)]
    for table in tables:
        prepaid = table.filter(pl.col("prepaid_balance").is_not_null())
        frames.append(_wallet_frame(prepaid, PREPAID, pl.col("prepaid_balance")))
        frames.append(_wallet_frame(table.filter("postpaid"), PRINCIPAL, pl.lit(0)))
    return pl.concat(frames)


def _wallet_frame(table: pl.DataFrame, wallet: str, balance: pl.Expr) -> pl.DataFrame:
    return table.select(
        "account",
        wallet=pl.lit(wallet),
        prepaid=pl.lit(wallet == PREPAID),
        priority=pl.lit(0, pl.Int32),
        opening_balance=balance.cast(pl.Int64),
        overdraft=pl.lit(0 if wallet == PREPAID else None, pl.Int64),
    )


def _wallet_levels(ctx: Context, tables: list[pl.DataFrame]) -> pl.DataFrame:
    rows = [
        (entry.document.code, wallet.code, _scaled(level))
        for entry in ctx.documents.of(Account).values()
        for wallet in entry.document.wallets
        for level in wallet.notify_below
    ]
    frames = [_frame(rows, WALLET_LEVEL_FRAME)]
    for table in tables:
        told = table.filter(pl.col("prepaid_balance").is_not_null(), pl.col("notify_below").is_not_null())
        frames.append(told.select("account", wallet=pl.lit(PREPAID), level="notify_below"))
    return pl.concat(frames).unique()


def _wallet_terms(ctx: Context) -> dict[str, Wallet]:
    return {
        f"{account}/{wallet.code}": terms
        for account, entry in sorted(ctx.documents.of(Account).items())
        for wallet in entry.document.wallets
        if (terms := wallet.terms) is not None
    }


def _account_rows(ctx: Context, origins: Origins) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    accounts: list[tuple[Any, ...]] = []
    wallets: list[tuple[Any, ...]] = []
    for entry in ctx.documents.of(Account).values():
        account = entry.document
        accounts.append((account.code, account.currency, origins.value(entry, ())))
        for wallet in account.wallets:
            balance = _scaled(wallet.opening_balance)
            overdraft = None if wallet.overdraft is None else _scaled(wallet.overdraft)
            prepaid = wallet.type == "prepaid"
            row = (account.code, wallet.code, prepaid, wallet.priority, balance)
            wallets.append((*row, 0 if prepaid and overdraft is None else overdraft))
    return accounts, wallets


def _scaled(balance: Any) -> int:
    """Return a balance in billionths; 0 for one that the rules have refused already."""
    try:
        scaled = to_scaled(balance, AMOUNT_DECIMALS)
    except (ValueError, ArithmeticError):
        return 0
    return scaled if abs(scaled) < 2**63 else 0


def _subscription_rows(
    ctx: Context, origins: Origins
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    subscriptions: list[tuple[Any, ...]] = []
    points: list[tuple[Any, ...]] = []
    readings: list[tuple[Any, ...]] = []
    for entry in ctx.documents.of(Subscription).values():
        bought = entry.document
        subscriptions.append((bought.code, bought.account, bought.offer, origins.value(entry, ())))
        for index, point in enumerate(bought.access_points):
            start, end = overlap(span(point), span(bought))
            origin = origins.value(entry, ("access_points", index))
            points.append((point.id, bought.code, start, end, point.shared, origin))
            for reading in point.opening_readings:
                steps = ctx.steps(reading.index) or 0
                readings.append((point.id, reading.series, utc_microseconds(reading.at), steps))
    return subscriptions, points, readings


def _zone_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    bought = ctx.documents.of(Subscription).values()
    return [(entry.document.code, entry.document.zone, origins.value(entry, ())) for entry in bought]


def _group_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    bought = ctx.documents.of(Subscription).values()
    return [(entry.document.code, entry.document.group, origins.value(entry, ())) for entry in bought]


def _tree_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    accounts = ((entry.document, entry) for entry in ctx.documents.of(Account).values())
    return [(account.code, account.level, account.parent, origins.value(entry, ())) for account, entry in accounts]


def _tax_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    rows = []
    for entry in ctx.documents.of(Account).values():
        account, exemption = entry.document, entry.document.tax_exemption
        exempt: tuple[Any, ...] = (None, None, None)
        if exemption is not None:
            exempt = (exemption.reason, *span(exemption))
        rows.append((account.code, account.tax_category, account.country, *exempt, origins.value(entry, ())))
    return rows


def _cycle_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    accounts = ((entry.document, entry) for entry in ctx.documents.of(Account).values())
    return [(account.code, account.billing_cycle, origins.value(entry, ())) for account, entry in accounts]


def _exempted(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a table as ACCOUNT_TAX_FRAME: an exemption in it holds at all times."""
    held = pl.col("tax_exemption").is_not_null()
    return table.with_columns(
        exemption=pl.col("tax_exemption"),
        exempt_start_at=pl.when(held).then(TIME_MIN),
        exempt_end_at=pl.when(held).then(TIME_MAX),
    )


def check_parties(ctx: Context, parties: Parties, origins: Origins) -> None:
    """Check what holds across documents and tables.

    Codes are unique, accounts and offers are known, currencies agree, and an identifier belongs to one subscription
    at a time, or to several that all say so.
    """
    check = Check(ctx, origins)
    check.unique(parties.accounts, "account")
    check.unique(parties.subscriptions, "subscription")
    _check_references(check, parties, origins)
    _check_zones(check, parties)
    in_tables = pl.col("origin") >= FIRST_OF_TABLES
    _check_codes(check, parties.taxes.filter(in_tables), "tax_category", TaxCategory, "tax_category")
    _check_codes(check, parties.cycles.filter(in_tables), "billing_cycle", BillingCycle, "billing_cycle")
    _check_codes(check, parties.assigned, "discount", DiscountPlan, "discount_plan")
    check_limited(check, parties.assigned)
    check_triggered(check, parties.subscriptions)
    check_sharing(check, parties.accounts, parties.tree, parties.subscriptions, parties.groups)
    check_shared_wallets(ctx, parties.wallet_terms, parties.accounts, parties.tree)
    check_windows(check, parties.access_points, parties.resold_points)
    check_terms(check, parties.terms, parties.subscriptions, parties.tree)
    check_purchases(check, parties.terms, parties.subscriptions)


def _check_references(check: Check, parties: Parties, origins: Origins) -> None:
    ctx = check.ctx
    currencies = offer_currencies(ctx)
    offers = pl.DataFrame(
        [(code, currencies.get(code)) for code in ctx.documents.of(Offer)],
        schema={"offer": pl.String, "offer_currency": pl.String},
        orient="row",
    ).with_columns(known_offer=pl.col("offer").is_not_null())
    accounts = parties.accounts.unique("account", keep="first").select(
        "account", "currency", known_account=pl.col("account").is_not_null()
    )
    bought = parties.subscriptions.join(accounts, on="account", how="left").join(offers, on="offer", how="left")
    _check_unknown(check, bought.filter(pl.col("known_account").is_null()), "account", accounts["account"])
    contracts = [(entry.document.account, origins.value(entry, ())) for entry in ctx.documents.of(Contract).values()]
    negotiating = pl.DataFrame(contracts, schema={"account": pl.String, "origin": pl.Int64}, orient="row")
    _check_unknown(check, negotiating.join(accounts, on="account", how="anti"), "account", accounts["account"])
    _check_unknown(check, bought.filter(pl.col("known_offer").is_null()), "offer", offers["offer"])
    listed = pl.col("currency").is_in(list(CURRENCY_DECIMALS)), pl.col("offer_currency").is_in(list(CURRENCY_DECIMALS))
    other = bought.filter(pl.col("currency") != pl.col("offer_currency"), *listed)
    check.refuse(other, "currency", ("offer",), _explain_currency)
    if len(parties.discounts):
        held = accounts.select("account", "currency").join(parties.subscriptions, on="account", how="left")
        check_discount_currencies(check, parties.discounts, held)


def _check_zones(check: Check, parties: Parties) -> None:
    """Say which zones are unknown, and which subscriptions lack the one that a calendar of their offer asks for."""
    zones = sorted(check.ctx.zones)
    unknown = parties.zones.filter(~pl.col("zone").is_in(zones))
    check.refuse(
        unknown,
        "zone",
        ("zone",),
        lambda row: (f'the time zone "{row["zone"]}" is unknown', choose(row["zone"], zones)),
        Fault.UNKNOWN_NAME,
    )
    asking = pl.DataFrame(
        list(offers_by_zone(check.ctx).items()), schema={"offer": pl.String, "calendar": pl.String}, orient="row"
    )
    lacking = parties.subscriptions.join(asking, on="offer").join(parties.zones, on="subscription", how="anti")
    check.refuse(
        lacking.sort("origin"),
        "zone",
        ("zone",),
        lambda row: (
            f'the calendar "{row["calendar"]}" of the offer "{row["offer"]}" asks for the time zone of the subscription',
            'add `zone: …`, such as "Europe/Paris"',
        ),
    )


def _check_codes(check: Check, rows: pl.DataFrame, column: str, model: type[Document], kind: str) -> None:
    """Say which rows of tables name a document that is nowhere; those of documents are told where they are written."""
    names = sorted(check.ctx.documents.of(model))
    broken = [code for of, code in check.ctx.documents.broken if of in (kind, ANY_KIND)]
    if not check.ctx.documents.complete:
        return
    words = kind.replace("_", " ")
    check.refuse(
        rows.drop_nulls(column).filter(~pl.col(column).is_in([*names, *broken])),
        column,
        (column,),
        lambda row: (
            f'the {words} "{row[column]}" is unknown',
            choose(row[column], names, otherwise=f"declare it: `kind: {kind}`"),
        ),
        Fault.UNKNOWN_NAME,
    )


def _explain_currency(row: dict[str, Any]) -> tuple[str, str]:
    message = (
        f'the account "{row["account"]}" is billed in {row["currency"]}, '
        f'but the offer "{row["offer"]}" is priced in {row["offer_currency"]}'
    )
    return message, f"choose an offer in {row['currency']}, or an account in {row['offer_currency']}"


def _check_unknown(check: Check, rows: pl.DataFrame, kind: str, known: pl.Series) -> None:
    """Say which rows name an account or offer that is nowhere."""
    documents = check.ctx.documents
    if not documents.complete:
        return
    broken = [code for of, code in documents.broken if of in (kind, ANY_KIND)]
    rows = rows.filter(pl.col(kind).is_not_null(), ~pl.col(kind).is_in(broken))
    names = known.drop_nulls().head(1000).to_list()
    declare = f"declare it with `kind: {kind}`"
    check.refuse(
        rows,
        kind,
        (kind,),
        lambda row: (f'the {kind} "{row[kind]}" is unknown', choose(row[kind], names, otherwise=declare)),
        Fault.UNKNOWN_NAME,
    )
