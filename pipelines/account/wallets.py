"""Movements of wallets that no usage causes: requests are checked against what is there, then applied; credit expires.

Pure: applying what was checked cannot fail, and a replay does the same. Twin: `tests/support/lots_twin.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.spool.journal import WalletRequest
from rating.lots import Lots
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.vocabulary import NameTable, Vocabulary
from schemas.account import unit_mark
from schemas.money import AMOUNT_MAX, CURRENCY_DECIMALS
from schemas.wallets import MovementKind, WalletMovement

BALANCE_MAX = 2**120
"""What a wallet may hold or owe after a request, billionths: far from what 128 bits can."""
HELD_AGAIN_US = 60_000_000
"""After how long it is looked at again what reservations held of credit that was due."""
SCANNED = 16
"""Names that are looked for one by one; more of them are looked up together."""
KINDS = {
    "top_up": MovementKind.TOP_UP,
    "adjustment": MovementKind.ADJUSTMENT,
    "transfer": MovementKind.TRANSFER,
}


class UnableToChange(Exception):
    """Wallets did not move as they had to: a programming error."""


@dataclass(frozen=True, slots=True)
class Place:
    """A wallet of a request: ids of it and of whose it is, -1 where there is no such thing."""

    account: int
    wallet: int


def places_of(requests: Sequence[WalletRequest], vocabulary: Vocabulary) -> list[tuple[Place, Place]]:
    """Return the wallet of each request, and the one that a transfer goes to (else both -1)."""
    pairs = [
        pair for asked in requests for pair in ((asked.account, asked.wallet), (asked.to_account, asked.to_wallet))
    ]
    accounts = _ids(vocabulary.accounts, [account for account, _ in pairs])
    marks = [unit_mark(None if one.currency in CURRENCY_DECIMALS else one.currency) for one in requests for _ in "ab"]
    names = [f"{account}/{wallet}{mark}" for (account, wallet), mark in zip(pairs, marks, strict=True)]
    wallets = _ids(vocabulary.wallets, names)
    found = [Place(*pair) for pair in zip(accounts, wallets, strict=True)]
    return list(zip(found[::2], found[1::2], strict=True))


def _ids(table: NameTable, names: list[str]) -> list[int]:
    if len(names) > SCANNED:
        found: list[int] = table.ids(pl.Series(names, dtype=pl.String)).tolist()
        return found
    each = [(table.names == name).arg_true() for name in names]  # a dictionary of all of them may be of millions
    return [int(found[0]) if len(found) else -1 for found in each]


@dataclass(slots=True)
class Checker:
    """Checks requests one after another, as if those before had been applied.

    Attributes:
        moved: by wallet, what the requests before come to, billionths.
    """

    image: TariffImage
    state: AccountState
    at: int
    moved: dict[int, int] = field(default_factory=dict)

    def refuse(self, asked: WalletRequest, place: Place, to: Place, currency: int) -> tuple[str, str]:
        """Return a code and why a request in a currency (its id) cannot be done; ("", "") when it can: it counts as done."""
        sums = {place.wallet: asked.amount}
        if asked.kind == "transfer":
            sums = {place.wallet: -asked.amount, to.wallet: asked.amount}
        refusal = (
            self._names(asked, place, to, currency) or self._expiry(asked, place) or self._balances(asked, place, sums)
        )
        if refusal is not None:
            return refusal
        for wallet, amount in sums.items():
            self.moved[wallet] = self.moved.get(wallet, 0) + amount
        return "", ""

    def _names(self, asked: WalletRequest, place: Place, to: Place, currency: int) -> tuple[str, str] | None:
        ends = [(place, asked.account, asked.wallet)]
        if asked.kind == "transfer":
            ends.append((to, asked.to_account, asked.to_wallet))
        for end, account, wallet in ends:
            if self._row(end) < 0:
                return "UNKNOWN_WALLET", f"the catalog in force has no wallet {wallet!r} of account {account!r}"
        if currency != self.image.wallet_currency[self._row(place)]:
            return "INVALID_REQUEST", f"account {asked.account!r} has no wallets in {asked.currency}"
        if asked.kind != "transfer":
            return None
        if place.wallet == to.wallet:
            return "INVALID_REQUEST", "a transfer goes to another wallet"
        if self._of(place.account) != self._of(to.account):
            return "NOT_ONE_GROUP", f"accounts {asked.account!r} and {asked.to_account!r} share nothing, or no currency"
        return None

    def _expiry(self, asked: WalletRequest, place: Place) -> tuple[str, str] | None:
        if asked.expires_at and not self._is_prepaid(place):
            return "INVALID_REQUEST", f"wallet {asked.wallet!r} is postpaid: its credit does not expire"
        if asked.expires_at and asked.expires_at <= self.at:
            return "INVALID_REQUEST", "the credit would have expired already"
        return None

    def _balances(self, asked: WalletRequest, place: Place, sums: dict[int, int]) -> tuple[str, str] | None:
        wallets = np.array(list(sums), np.int64)
        for wallet, balance in self.state.open_balances(wallets).items():
            if abs(balance + self.moved.get(wallet, 0) + sums[wallet]) > BALANCE_MAX:
                return "INVALID_REQUEST", "the balance would be too large"
        fall = sums[place.wallet]
        if fall < 0 and self._is_prepaid(place):
            available = self.state.balance(place.wallet) + self.moved.get(place.wallet, 0)
            if available + fall < 0:
                return "INSUFFICIENT_BALANCE", f"wallet {asked.wallet!r} of account {asked.account!r} has not that much"
        return None

    def _row(self, place: Place) -> int:
        """Return where a wallet is in the image, -1 where it is not."""
        ptr = self.image.account_wallet_ptr
        if not 0 <= place.account < len(ptr) - 1:
            return -1
        first, end = ptr[place.account : place.account + 2].tolist()
        found = np.flatnonzero(self.image.account_wallet[first:end] == place.wallet)
        return first + int(found[0]) if len(found) else -1

    def _is_prepaid(self, place: Place) -> bool:
        return bool(self.image.wallet_prepaid[self._row(place)])

    def _of(self, account: int) -> tuple[int, int]:
        return int(self.image.charge_group[account]), int(self.image.account_currency[account])


def apply_requests(
    requests: Sequence[WalletRequest],
    claim: int,
    at: int,
    vocabulary: Vocabulary,
    state: AccountState,
    lots: Lots,
) -> list[WalletMovement]:
    """Apply requests that were checked, in order; updates `state` and `lots`. A transfer takes what expires first with it."""
    done = []
    for row, (asked, (place, to)) in enumerate(zip(requests, places_of(requests, vocabulary), strict=True)):
        kind = KINDS[asked.kind]
        if kind is not MovementKind.TRANSFER:
            done.append(_move(claim, row, 0, kind, place, asked.amount, at, state))
            if asked.expires_at:
                lots.add(place.account, place.wallet, asked.amount, asked.expires_at, done[-1].balance_after)
            else:
                lots.settle(place.wallet, done[-1].balance_after - max(asked.amount, 0))
                lots.settle(place.wallet, done[-1].balance_after)
            continue
        balance = state.open_balances(np.array([place.wallet]))[place.wallet]
        lots.settle(place.wallet, balance)
        drawn = lots.drawn_by(place.wallet, asked.amount)
        done.append(_move(claim, row, 0, kind, place, -asked.amount, at, state))
        lots.settle(place.wallet, done[-1].balance_after)
        done.append(_move(claim, row, 1, kind, to, asked.amount, at, state))
        after = done[-1].balance_after - asked.amount
        lots.settle(to.wallet, after)
        for expires_at, part in drawn:
            after += part
            lots.add(to.account, to.wallet, part, expires_at, after)
        lots.settle(to.wallet, done[-1].balance_after)
    return done


def expire(claim: int, at: int, state: AccountState, lots: Lots) -> list[WalletMovement]:
    """Let all credit that is due expire; updates `state` and `lots`. What reservations hold of it is looked at again later."""
    done: list[WalletMovement] = []
    if at < lots.next_due:
        return done
    for wallet in lots.due(at).tolist():
        balance = state.open_balances(np.array([wallet]))[wallet]
        held = 0 if state.reserved is None else int(state.reserved[wallet])
        gone = lots.expire(wallet, balance, balance - held, at, at + HELD_AGAIN_US)
        left = 0 if gone is None else gone.left
        while gone is not None and left:  # several lots together may be more than one amount can be
            part = min(left, AMOUNT_MAX)
            left -= part
            place = Place(gone.account, wallet)
            done.append(_move(claim, len(done), 0, MovementKind.EXPIRY, place, -part, at, state))
    lots.look_ahead()
    return done


def _move(
    claim: int, row: int, part: int, kind: MovementKind, place: Place, amount: int, at: int, state: AccountState
) -> WalletMovement:
    wallet = np.array([place.wallet], np.int64)
    before = state.open_balances(wallet)[place.wallet]
    state.credit(wallet.astype(np.int32), np.array([amount], np.int64))
    after = state.open_balances(wallet)[place.wallet]
    if after != before + amount:
        raise UnableToChange(f"wallet {place.wallet} was to move by {amount} and moved by {after - before}")
    return WalletMovement(claim, row, place.account, place.wallet, amount, after, at, kind, part)
