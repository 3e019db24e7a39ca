"""Accounts, wallets, subscriptions and counters as tables: vectorised, for millions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_charges import COMPANION, ChargeTables
from rating.image_holders import NO_ACCOUNT, charge_groups, join_groups, shared_wallets, with_holders
from rating.image_prices import UnableToCompileImage
from rating.image_wallets import Terms
from rating.kernels import layout
from rating.lines import zeros_in_lines
from rating.vocabulary import Vocabulary
from schemas.account import unit_mark
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.catalog import Catalog

UNLIMITED = -1
"""The overdraft of a wallet that may go below zero without end."""


@dataclass(frozen=True, slots=True)
class OpeningCredits:
    """What the opening balances of k wallets credit, in the order of wallet ids.

    Attributes:
        account, wallet: (k,) ids.
        amount: (k,) billionths, never 0.
    """

    account: Int32Array
    wallet: Int32Array
    amount: Int64Array


@dataclass(frozen=True, slots=True)
class AccountTables:
    """Who pays for what; arrays by id cover the whole vocabulary, -1 = not in this image.

    Attributes:
        account_currency: (accounts,) id in `Vocabulary.currencies`.
        account_wallet_ptr: (accounts + 1,) into `account_wallet` and `wallet_prepaid`.
        account_wallet: wallet ids in drawing order, those that it shares included: prepaid by priority, then the postpaid one.
        wallet_prepaid: whether each of them is prepaid. wallet_filter: which row of `WalletFilters.draws` is its.
        wallet_currency: id in `Vocabulary.currencies` of what each of them holds: money or a unit.
        wallet_overdraft: billionths, how far below zero each of them may go; UNLIMITED for without end.
        subscription_row, counter_slot: see `rating.kernels.layout.Tariff`.
        charge_group: (accounts,) the lowest account id among those that shared counters and wallets connect, which is one
            writer's. sharing: (accounts,) whether it may draw a wallet that others may draw.
        wallet_count, counter_count: how many wallets and counter slots the vocabulary has.
        opening: every opening balance of the catalog.
    """

    account_currency: Int32Array
    account_wallet_ptr: Int32Array
    account_wallet: Int32Array
    wallet_prepaid: BoolArray
    wallet_overdraft: Int64Array
    wallet_filter: Int32Array
    wallet_currency: Int32Array
    subscription_row: Int32Array
    counter_slot: Int32Array
    charge_group: Int32Array
    sharing: BoolArray
    wallet_count: int
    counter_count: int
    opening: OpeningCredits


def compile_accounts(catalog: Catalog, vocabulary: Vocabulary, charges: ChargeTables) -> AccountTables:
    """Return the tables of accounts, wallets and subscriptions, extending the vocabulary.

    Raises:
        UnableToCompileImage: when an account has several postpaid wallets.
    """
    vocabulary.currencies.extend(catalog.accounts["currency"])
    vocabulary.accounts.extend(catalog.accounts["account"])
    vocabulary.subscriptions.extend(catalog.subscriptions["subscription"])
    currency = np.full(len(vocabulary.accounts), -1, np.int32)
    known = vocabulary.accounts.ids(catalog.accounts["account"])
    currency[known] = vocabulary.currencies.ids(catalog.accounts["currency"])
    wallets = _wallets(catalog, vocabulary, charges.filters.places)
    ptr = ptr_of(wallets["account"].to_numpy(), len(vocabulary.accounts))
    account_wallet, prepaid = _array(wallets["id"], np.int32), _array(wallets["prepaid"], np.bool_)
    row, slots, group = _subscriptions(catalog, vocabulary, charges)
    group[currency < 0] = NO_ACCOUNT
    overdraft = _array(wallets["overdraft"].fill_null(UNLIMITED), np.int64)
    wallet_filter = _array(wallets["filter"], np.int32)
    _add_wallets(row, ptr, account_wallet, overdraft, wallet_filter, charges.filters.in_units)
    currencies = currency[wallets["account"].to_numpy()]
    units = wallets["unit"].to_numpy()
    vocabulary.currencies.extend(pl.Series(units_of(catalog), dtype=pl.String))
    held = units != ""
    currencies[held] = vocabulary.currencies.ids(pl.Series(units[held], dtype=pl.String))
    opening = wallets.filter(pl.col("opening_balance") != 0, pl.col("own")).sort("id")
    sharing = np.zeros(len(vocabulary.accounts), np.bool_)
    lent = wallets.filter(~pl.col("own"))["id"].unique().to_list()
    if lent:
        shared = wallets.filter(pl.col("id").is_in(lent))
        sharing[shared["account"].to_numpy()] = True
        group = join_groups(group, shared["account"].to_numpy(), shared["id"].to_numpy())
    return AccountTables(
        account_currency=currency,
        account_wallet_ptr=ptr,
        account_wallet=account_wallet,
        wallet_prepaid=prepaid,
        wallet_overdraft=overdraft,
        wallet_filter=wallet_filter,
        wallet_currency=currencies,
        subscription_row=row,
        counter_slot=slots,
        charge_group=group,
        sharing=sharing,
        wallet_count=len(vocabulary.wallets),
        counter_count=len(vocabulary.counters),
        opening=OpeningCredits(
            account=_array(opening["account"], np.int32),
            wallet=_array(opening["id"], np.int32),
            amount=_array(opening["opening_balance"], np.int64),
        ),
    )


def _wallets(catalog: Catalog, vocabulary: Vocabulary, filters: Mapping[Terms, int]) -> pl.DataFrame:
    """Return one row per wallet that an account may draw, in drawing order, those that it shares included.

    Account and wallet ids, prepaid, opening_balance, overdraft, filter, and whether it is the account's own.
    """
    codes = catalog.wallets.select(pl.concat_str("account", "wallet", separator="/"))["account"]
    names = wallet_names(codes, catalog)
    vocabulary.wallets.extend(names)
    filtered = {name: filters[terms.pays_for, terms.unit or ""] for name, terms in catalog.wallet_terms.items()}
    asking = [name for name, terms in catalog.wallet_terms.items() if terms.pays_for]
    units = {name: terms.unit for name, terms in catalog.wallet_terms.items() if terms.unit is not None}
    own = catalog.wallets.with_columns(
        codes.alias("name"),
        pl.Series("id", vocabulary.wallets.ids(names)),
        codes.replace_strict(filtered, default=0, return_dtype=pl.Int32).alias("filter"),
        codes.replace_strict(units, default="", return_dtype=pl.String).alias("unit"),
        codes.is_in(asking).not_().alias("general"),
        own=pl.lit(value=True),
        distance=pl.lit(-1, pl.Int32),
    )
    frame = own
    shared = shared_wallets(catalog.wallet_terms, catalog.accounts, catalog.account_tree)
    if len(shared):
        lent = shared.join(own.drop("account", "own", "distance"), on="name").with_columns(own=pl.lit(value=False))
        frame = _one_postpaid(pl.concat([own, lent.select(own.columns)]))
    frame = frame.with_columns(pl.Series("account", vocabulary.accounts.ids(frame["account"]))).sort(
        "account", pl.col("prepaid").not_(), pl.col("unit") == "", "priority", "general", "distance", "wallet", "name"
    )
    postpaid = frame.filter(~pl.col("prepaid"))["account"]
    if postpaid.n_unique() != len(postpaid):
        twice = vocabulary.accounts.name(int(postpaid.filter(postpaid.is_duplicated())[0]))
        raise UnableToCompileImage(f"account {twice} has several postpaid wallets")
    return frame


def wallet_names(codes: pl.Series, catalog: Catalog) -> pl.Series:
    """Return what the vocabulary calls wallets, "account/wallet"."""
    units = {name: f"{name}{unit_mark(terms.unit)}" for name, terms in catalog.wallet_terms.items()}
    return codes.replace(units) if units else codes


def _one_postpaid(frame: pl.DataFrame) -> pl.DataFrame:
    """Return wallets without the shared postpaid ones of accounts that have one of their own, or share a nearer one."""
    shared = frame.filter(~pl.col("prepaid"), ~pl.col("own")).sort("account", "distance", "name")
    nearest = shared.unique("account", keep="first", maintain_order=True)
    paying = frame.filter(~pl.col("prepaid"), pl.col("own"))
    return pl.concat([frame.filter(pl.col("prepaid")), paying, nearest.join(paying, on="account", how="anti")])


def units_of(catalog: Catalog) -> list[str]:
    """Return the units that wallets hold, or that usage is priced in."""
    held = {terms.unit for terms in catalog.wallet_terms.values() if terms.unit is not None}
    return sorted(held | {plan.currency for plan in catalog.price_plans.values() if plan.in_units})


def _subscriptions(
    catalog: Catalog, vocabulary: Vocabulary, charges: ChargeTables
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (subscription_row without its wallet columns, counter_slot, charge_group)."""
    offers = pl.DataFrame({"offer": list(charges.offers)}, schema={"offer": pl.String}).with_row_index("offer_index")
    frame = catalog.subscriptions.join(offers, on="offer", how="left", maintain_order="left")
    ids = vocabulary.subscriptions.ids(frame["subscription"])
    row = zeros_in_lines(len(vocabulary.subscriptions), layout.SUBSCRIPTION_COLUMNS, np.int32)
    for column in (layout.ACCOUNT, layout.OFFER, layout.COUNTER_FIRST, layout.WALLET_FIRST):
        row[:, column] = -1
    row[ids, layout.ACCOUNT] = vocabulary.accounts.ids(frame["account"])
    row[ids, layout.OFFER] = frame["offer_index"].to_numpy()
    names = counter_names(frame.with_columns(id=pl.Series(ids)), catalog, charges.offer_counters)
    vocabulary.counters.extend(names["name"])
    slot = vocabulary.counters.ids(names["name"])
    owner = names["id"].to_numpy()
    group = charge_groups(row[owner, layout.ACCOUNT], slot, len(vocabulary.accounts))
    order = np.argsort(owner, kind="stable")
    slot, ptr = np.ascontiguousarray(slot[order]), ptr_of(owner, len(vocabulary.subscriptions))
    row[:, layout.COUNTER_PTR] = ptr[:-1]
    counting = ptr[:-1] < ptr[1:]
    row[counting, layout.COUNTER_FIRST] = slot[ptr[:-1][counting]]
    return row, slot, group


def counter_names(
    subscriptions: pl.DataFrame, catalog: Catalog, offer_counters: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """Return subscriptions, as often as their offer has counters, with `counter` and `name`, as the vocabulary calls it."""
    uses = [
        (offer, counter, catalog.counters[counter.removesuffix(COMPANION)].shared_by)
        for offer, counters in offer_counters.items()
        for counter in counters
    ]
    schema = {"offer": pl.String, "counter": pl.String, "shared_by": pl.String}
    asking = pl.DataFrame(uses, schema=schema, orient="row")
    bought = subscriptions.join(asking, on="offer", how="inner", maintain_order="left_right")
    held = with_holders(bought, catalog.account_tree, catalog.subscription_groups)
    return held.with_columns(name=pl.concat_str("holder", "counter", separator="/"))


def _add_wallets(
    row: Int32Array,
    ptr: Int32Array,
    account_wallet: Int32Array,
    overdraft: Int64Array,
    wallet_filter: Int32Array,
    in_units: BoolArray,
) -> None:
    present = np.flatnonzero(row[:, layout.ACCOUNT] >= 0)
    account = row[present, layout.ACCOUNT]
    first, end = ptr[account], ptr[account + 1]
    row[present, layout.WALLET_PTR] = first
    row[present, layout.WALLET_COUNT] = end - first
    paying = first < end
    last = np.zeros(len(overdraft), np.bool_)
    last[ptr[1:][ptr[1:] > ptr[:-1]] - 1] = True
    asking = np.append(0, np.cumsum((wallet_filter != 0) | ~last & (overdraft != 0)))
    alike = asking[end[paying]] == asking[first[paying]]
    alike &= ~in_units[row[present[paying], layout.OFFER]]
    row[present[paying], layout.WALLET_FIRST] = np.where(alike, account_wallet[first[paying]], -1)
    # what may go below zero so far is drawn like a prepaid wallet that holds that much more (`AccountState.overdraft`)
    row[present[paying], layout.POSTPAID] = overdraft[end[paying] - 1] == UNLIMITED


def ptr_of(owner: Int32Array, count: int) -> Int32Array:
    """Return (count + 1,) where each owner's items start once they are sorted by owner."""
    ptr = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=count), out=ptr[1:])
    return ptr


def _array(column: pl.Series, dtype: type) -> np.ndarray:
    """Return a column as a writable array of its own."""
    return np.array(column.to_numpy(), dtype)
