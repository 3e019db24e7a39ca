"""What a simulation adds up: exact sums by charge, offer and account, before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from apps.embedded.images import ActiveImage
from rating.kernels.layout import ACCOUNT
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rated_item import RatedBlock
from schemas.rejection import Reason

REASONS = 1000


class Totals:
    """Exact sums of int64 amounts, and how many, by a dense key."""

    def __init__(self, keys: int) -> None:
        """Begin with nothing for `keys` keys."""
        self.items, self._high, self._low = (np.zeros(keys, np.int64) for _ in range(3))

    def add(self, keys: Any, amounts: Int64Array) -> None:
        """Add one amount per key, both (n,)."""
        np.add.at(self.items, keys, 1)
        np.add.at(self._high, keys, amounts >> 32)
        np.add.at(self._low, keys, amounts & 0xFFFFFFFF)

    def sum(self, key: int) -> int:
        """Return the sum of one key."""
        return (int(self._high[key]) << 32) + int(self._low[key])

    def sums(self) -> list[int]:
        """Return the sum of every key."""
        return [(high << 32) + low for high, low in zip(self._high.tolist(), self._low.tolist(), strict=True)]


@dataclass(slots=True)
class Side:
    """One of the two catalogs, with what it comes to.

    Attributes:
        account, offer: (subscriptions,) ids and places in `offers`, -1 where the catalog has no such subscription.
        currency: (accounts,) ids. plans: currency of each charge version. in_money: (charge versions,).
        reasons: (REASONS,) how many EDRs are unrated, by reason. unrated_of: (accounts,) how many of each account.
    """

    account: Int32Array
    currency: Int32Array
    offer: Int64Array
    offers: list[str]
    plans: dict[int, str]
    in_money: BoolArray
    by_version: Totals
    by_offer: Totals
    by_account: Totals
    reasons: Int64Array = field(default_factory=lambda: np.zeros(REASONS, np.int64))
    unrated_of: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, image: ActiveImage, vocabulary: Vocabulary) -> Side:
        """Return the side of an image that knows all names of a vocabulary."""
        bought = image.catalog.subscriptions
        offers = sorted(image.catalog.offers)
        place = {name: index for index, name in enumerate(offers)}
        offer = np.full(len(vocabulary.subscriptions), -1, np.int64)
        known = (
            bought["offer"].replace_strict(place, return_dtype=pl.Int64)
            if len(bought)
            else pl.Series([], dtype=pl.Int64)
        )
        offer[vocabulary.subscriptions.ids(bought["subscription"])] = known.to_numpy()
        accounts = len(vocabulary.accounts)
        return cls(
            account=image.image.tariff.subscription_row[:, ACCOUNT],
            currency=image.image.account_currency,
            offer=offer,
            offers=offers,
            plans={version.id: version.currency for version in image.image.charge_versions},
            in_money=image.image.in_money(np.arange(len(vocabulary.charge_versions), dtype=np.int32)),
            by_version=Totals(len(vocabulary.charge_versions)),
            by_offer=Totals(max(1, len(offers) * len(vocabulary.currencies))),
            by_account=Totals(accounts),
            unrated_of=np.zeros(accounts, np.int64),
        )

    def add(self, subscription: Int32Array, rated: RatedBlock, meant: BoolArray, words: Vocabulary) -> None:
        """Add those rows of a block that are meant, (n,), each usage of a subscription, (n,)."""
        rows, currencies = np.flatnonzero(meant), len(words.currencies)
        fine = rows[rated.reason[rows] == 0]
        refused = rows[rated.reason[rows] != 0]
        amount, owner = rated.amount[fine], subscription[fine]
        account = self.account[owner]
        self.by_version.add(rated.charge_version[fine], amount)
        amount = np.where(self.in_money[rated.charge_version[fine]], amount, 0)
        self.by_account.add(account, amount)
        self.by_offer.add(self.offer[owner] * currencies + self.currency[account], amount)
        np.add.at(self.reasons, rated.reason[refused].astype(np.int64), 1)
        whose = self.account[subscription[refused]]
        np.add.at(self.unrated_of, whose[whose >= 0], 1)


@dataclass(slots=True)
class Ledger:
    """Both sides."""

    vocabulary: Vocabulary
    old: Side
    new: Side
    edrs: int = 0

    def accounts(self) -> pl.DataFrame:
        """Return a row for every account that has usage: decimals as texts."""
        old, new = self.old, self.new
        touched = old.by_account.items + new.by_account.items + old.unrated_of + new.unrated_of > 0
        rows = np.flatnonzero(touched)
        before, after = old.by_account.sums(), new.by_account.sums()
        currency = np.where(new.currency >= 0, new.currency, old.currency)[rows]
        names = self.vocabulary.accounts.names.gather(rows)
        return pl.DataFrame(
            {
                "account": names,
                "items_before": old.by_account.items[rows],
                "items_after": new.by_account.items[rows],
                "unrated_before": old.unrated_of[rows],
                "unrated_after": new.unrated_of[rows],
                "before": [_text(before[row]) for row in rows.tolist()],
                "after": [_text(after[row]) for row in rows.tolist()],
                "difference": [_text(after[row] - before[row]) for row in rows.tolist()],
                "currency": self.vocabulary.currencies.names.gather(currency),
            },
            schema_overrides={"account": pl.String, "before": pl.String, "after": pl.String, "difference": pl.String},
        )


def told(ledger: Ledger, *, top: int) -> dict[str, Any]:
    """Return what a simulation comes to, ready for JSON."""
    before, after = ledger.old.by_account.sums(), ledger.new.by_account.sums()
    change = [later - earlier for earlier, later in zip(before, after, strict=True)]
    moved = sorted((row for row, each in enumerate(change) if each), key=lambda row: (change[row], row))
    return {
        "edrs": ledger.edrs,
        "totals": _totals(ledger),
        "charges": _charges(ledger),
        "offers": _offers(ledger),
        "unrated_before": _reasons(ledger.old),
        "unrated_after": _reasons(ledger.new),
        "accounts_cheaper": sum(each < 0 for each in change),
        "accounts_dearer": sum(each > 0 for each in change),
        "winners": [_account(ledger, row, before, after) for row in moved[:top] if change[row] < 0],
        "losers": [_account(ledger, row, before, after) for row in moved[::-1][:top] if change[row] > 0],
        "largest": [_account(ledger, row, before, after) for row in _largest(before, after)[:top]],
    }


def _largest(before: list[int], after: list[int]) -> list[int]:
    """Return the accounts that pay anything, before or after, by what they pay under either, the most first."""
    paying = (row for row, sums in enumerate(zip(before, after, strict=True)) if any(sums))
    return sorted(paying, key=lambda row: (-max(before[row], after[row]), row))


def _text(amount: int) -> str:
    return f"{from_scaled(amount, AMOUNT_DECIMALS):f}"


def _money(before: int, after: int) -> dict[str, str]:
    return {"before": _text(before), "after": _text(after), "difference": _text(after - before)}


def _account(ledger: Ledger, row: int, before: list[int], after: list[int]) -> dict[str, str]:
    currency = max(int(ledger.new.currency[row]), int(ledger.old.currency[row]))
    names = ledger.vocabulary
    return {
        "account": names.accounts.name(row),
        **_money(before[row], after[row]),
        "currency": names.currencies.name(currency),
    }


def _reasons(side: Side) -> dict[str, int]:
    return {Reason(code).name: int(side.reasons[code]) for code in np.flatnonzero(side.reasons).tolist()}


def _lines(found: dict[tuple[str, str], list[int]], name: str) -> list[dict[str, Any]]:
    return [
        {name: key[0], "items_before": row[0], "items_after": row[2], **_money(row[1], row[3]), "currency": key[1]}
        for key, row in sorted(found.items())
    ]


def _charges(ledger: Ledger) -> list[dict[str, Any]]:
    """Return a line for every charge and currency that priced anything."""
    words = ledger.vocabulary
    found: dict[tuple[str, str], list[int]] = {}
    for place, side in enumerate((ledger.old, ledger.new)):
        for version in np.flatnonzero(side.by_version.items).tolist():
            charge = words.charge_versions.name(version).partition("/")[0]
            row = found.setdefault((charge, side.plans[version]), [0, 0, 0, 0])
            row[2 * place] += int(side.by_version.items[version])
            row[2 * place + 1] += side.by_version.sum(version)
    return _lines(found, "charge")


def _offers(ledger: Ledger) -> list[dict[str, Any]]:
    """Return a line for every offer and currency that has usage."""
    currencies = ledger.vocabulary.currencies
    found: dict[tuple[str, str], list[int]] = {}
    for place, side in enumerate((ledger.old, ledger.new)):
        for key in np.flatnonzero(side.by_offer.items).tolist():
            offer, currency = divmod(key, len(currencies))
            row = found.setdefault((side.offers[offer], currencies.name(currency)), [0, 0, 0, 0])
            row[2 * place] += int(side.by_offer.items[key])
            row[2 * place + 1] += side.by_offer.sum(key)
    return _lines(found, "offer")


def _totals(ledger: Ledger) -> list[dict[str, Any]]:
    """Return a line for every currency."""
    currencies = ledger.vocabulary.currencies
    found: dict[int, list[int]] = {}
    for place, side in enumerate((ledger.old, ledger.new)):
        for key in np.flatnonzero(side.by_offer.items).tolist():
            row = found.setdefault(key % len(currencies), [0, 0, 0, 0])
            row[2 * place] += int(side.by_offer.items[key])
            row[2 * place + 1] += side.by_offer.sum(key)
    return [
        {"currency": currencies.name(code), "items_before": row[0], "items_after": row[2], **_money(row[1], row[3])}
        for code, row in sorted(found.items())
    ]
