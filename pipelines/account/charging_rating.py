"""Rating what is charged online: grants that the wallets can pay, and usage that must be paid whatever they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.account.charging_items import items_of
from pipelines.account.kept import Items
from rating.kernels.layout import ACCOUNT, WALLET_COUNT, WALLET_PTR
from rating.rate import rate
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.trial import on_trial
from rating.triggers import may_trigger
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt16Array
from schemas.edr import EdrBlock, select_edrs
from schemas.rejection import Reason

ADVANCE = 2**63 - 1
"""What the last wallet is lent while usage is rated that must be paid: more than any amount."""
INSUFFICIENT, USED_UP = int(Reason.INSUFFICIENT_BALANCE), int(Reason.COUNTER_USED_UP)


@dataclass(slots=True)
class RatedRequests:
    """How n requests were rated; refused ones have no items, and moved nothing.

    Attributes:
        quantity: (n,) base steps that were rated: of a partial grant, less than asked for.
        reason: (n,) `Reason`, 0 when rated. version: (n,) charge version that rated or refused it, or -1; before: (n,) what
            its counter had.
        items: of all of them.
    """

    quantity: Int64Array
    reason: UInt16Array
    version: Int32Array
    before: Int64Array
    items: Items

    @classmethod
    def refused(cls, reason: UInt16Array, version: Int32Array) -> RatedRequests:
        """Return k requests that are refused for reasons (k,), by charge versions (k,)."""
        nothing = np.zeros(len(reason), np.int64)
        return cls(nothing, reason, version, nothing.copy(), Items.none(len(reason)))

    def put(self, rows: Int64Array, other: RatedRequests) -> None:
        """Let requests `rows` be rated as those of `other` are, one by one."""
        if not len(rows):
            return
        order = np.arange(len(self.reason))
        order[rows] = len(order) + np.arange(len(rows))
        self.items = Items.join([self.items, other.items]).take(order)
        self.quantity[rows], self.reason[rows] = other.quantity, other.reason
        self.version[rows], self.before[rows] = other.version, other.before


def without_accumulators(image: TariffImage) -> TariffImage:
    """Return an image by which rating adds nothing to accumulators: only what is final does."""
    return image if image.accumulators is None else replace(image, accumulators=None)


def rate_requests(
    edrs: EdrBlock, increment: Int64Array, must_pay: BoolArray, image: TariffImage, state: AccountState
) -> RatedRequests:
    """Rate usage (n,) in order, then what the wallets could not pay for; updates `state`.

    Usage that may trigger other usage is refused: what it comes to is nothing that can be granted, or held, in part.

    Args:
        increment: (n,) base steps, above 0 where less may be granted, in whole multiples of it.
        must_pay: (n,) usage that has happened: its last wallet goes below zero rather than refuse.
    """
    if not len(edrs):
        return RatedRequests.refused(np.zeros(0, np.uint16), np.zeros(0, np.int32))
    apart = may_trigger(edrs, image)
    if apart.any():
        refused = np.full(len(edrs), Reason.NOT_CHARGED_ONLINE, np.uint16)
        done, rows = RatedRequests.refused(refused, np.full(len(edrs), -1, np.int32)), np.flatnonzero(~apart)
        done.put(rows, rate_requests(select_edrs(edrs, rows), increment[rows], must_pay[rows], image, state))
        return done
    if must_pay.any() and not must_pay.all():  # nothing is granted by money that is owed for what was used
        done = RatedRequests.refused(np.zeros(len(edrs), np.uint16), np.full(len(edrs), -1, np.int32))
        for rows in (np.flatnonzero(must_pay), np.flatnonzero(~must_pay)):
            some = select_edrs(edrs, rows)
            done.put(rows, rate_requests(some, increment[rows], must_pay[rows], image, state))
        return done
    done = _rated(edrs, image, state)
    short = done.reason == INSUFFICIENT
    too_much = short | (done.reason == USED_UP)
    if not too_much.any():
        return done
    for row in np.flatnonzero(short & must_pay).tolist():
        only = np.array([row])
        done.put(only, _rate_on_credit(select_edrs(edrs, only), image, state))
    rows = np.flatnonzero(too_much & ~must_pay & (increment > 0))
    group = image.charge_group[image.tariff.subscription_row[edrs.subscription[rows], ACCOUNT]]
    while len(rows):
        _, first = np.unique(group, return_index=True)  # those of one group wait for each other
        chosen = rows[first]
        granted, less = _rate_affordable(_pick(edrs, chosen), increment[chosen], image, state)
        done.put(chosen[granted], less)
        rows, group = np.delete(rows, first), np.delete(group, first)
    return done


def _pick(edrs: EdrBlock, rows: Int64Array) -> EdrBlock:
    """Return the EDRs at `rows`, whichever order they are in."""
    picked = select_edrs(edrs, rows) if len(rows) < len(edrs) else edrs
    return picked if len(rows) < len(edrs) or (np.diff(rows) > 0).all() else _reordered(edrs, rows)


def _reordered(edrs: EdrBlock, rows: Int64Array) -> EdrBlock:
    columns = {name: getattr(edrs, name) for name in EdrBlock.__slots__ if name != "position"}
    return replace(edrs, **{name: column[rows] for name, column in columns.items() if column is not None})


def _rated(edrs: EdrBlock, image: TariffImage, state: AccountState) -> RatedRequests:
    rated = rate(edrs, image, state)
    items, several = items_of(rated, edrs, image), rated.items
    first = np.arange(len(edrs)) if several is None else np.flatnonzero(several.number == 0)
    return RatedRequests(
        edrs.quantity.copy(), rated.reason[first], rated.charge_version[first], rated.counter_before[first], items
    )


def _rate_on_credit(edr: EdrBlock, image: TariffImage, state: AccountState) -> RatedRequests:
    """Rate one usage while its account's last wallets have an advance, as few as it takes, which is then taken back."""
    owner = image.tariff.subscription_row[edr.subscription[0]]
    first = int(owner[WALLET_PTR])
    wallets = image.tariff.account_wallet[first : first + int(owner[WALLET_COUNT])]
    lent = len(wallets)
    while True:
        # the last one pays, unless it does not pay for such usage
        lent -= 1
        last = wallets[max(lent, 0) :]
        state.credit(last, np.full(len(last), ADVANCE))
        done = _rated(edr, image, state)
        state.credit(last, np.full(len(last), -ADVANCE))
        if lent <= 0 or done.reason[0] != INSUFFICIENT:
            return done


def _rate_affordable(
    edrs: EdrBlock, increment: Int64Array, image: TariffImage, state: AccountState
) -> tuple[Int64Array, RatedRequests]:
    """Rate as many increments (k,) of each usage as its wallets and ceilings let; return which have at least one, and those.

    No two of them may move the same counter or wallet. Prices are taken to rise with the quantity; where one does not, what is
    granted can still be paid, but more might have been.
    """
    low = np.zeros(len(edrs), np.int64)
    high = edrs.quantity // increment + (edrs.quantity % increment > 0)
    while (high - low > 1).any():
        middle = (low + high) // 2
        with on_trial(edrs.subscription, image, state):
            paid = _rated(replace(edrs, quantity=middle * increment), image, state).reason == 0
        narrow = high - low > 1
        low = np.where(narrow & paid, middle, low)
        high = np.where(narrow & ~paid, middle, high)
    granted = np.flatnonzero(low > 0)
    if not len(granted):
        return granted, RatedRequests.refused(np.zeros(0, np.uint16), np.zeros(0, np.int32))
    some = replace(select_edrs(edrs, granted), quantity=(low * increment)[granted])
    return granted, _rated(some, image, state)
