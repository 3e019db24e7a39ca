"""The stage of online charging: a frame of requests becomes answers, reservations, and facts of what is final.

Pure: state and facts are a function of the frames and of the blocks between which they come.
Twin: `tests/support/charging_twin.py`.

Money that a reservation holds has left the balances of `AccountState` and is in its `reserved`; a wallet's *open* balance is
both together: what was credited less what is final. Facts tell open balances, which chain whatever is reserved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from pipelines.account.chain import Chain
from pipelines.account.charging_items import edrs_of, rated_block, refund_block
from pipelines.account.charging_rating import INSUFFICIENT, RatedRequests, rate_requests, without_accumulators
from pipelines.account.kept import KEPT, SECOND_US, Items, KeptRequests
from pipelines.account.stage import ClaimContext, finish_rated
from rating.accumulate import accumulate, find_growths, said_by
from rating.kernels.layout import ACCOUNT
from rating.periods import rolling_slots
from rating.reversal import ReversedItems, reverse
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.trial import reached_wallets
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.charging import ANSWER, ChargingCode, ChargingKind, Rows, Standing
from schemas.output import OutputBlock
from schemas.quantity import QUANTITY_MAX
from schemas.rated_item import Growths
from schemas.rejection import Outcome, Reason

RESERVE, CONFIRM, CANCEL, CHARGE, REFUND = map(int, ChargingKind)
ENDED, OPEN, CONFIRMED, CANCELLED, EXPIRED, CHARGED, REFUNDED = map(int, Standing)
DONE = int(ChargingCode.DONE)
"""Plain integers: comparing a column with a member of an enumeration takes eight times as long."""
USAGE = ("event_at", "access_point", "subscription", "event_type", "attributes", "values")
"""What a request says of usage besides its quantity: columns of REQUEST."""
RESERVED_MAX = 2**62
"""What the reservations of one wallet may hold together, billionths."""


class UnableToCharge(Exception):
    """A frame moved other amounts than its facts say: a programming error."""


@dataclass(slots=True)
class ChargingState:
    """What online charging knows.

    Attributes:
        kept: requests that were taken. segment: the entry of the journal whose frames come next, 0 before the first one.
        frame, record, block: numbers of the next frame, request and block of facts in it.
        at: microseconds UTC, when the latest frame was taken.
    """

    kept: KeptRequests = field(default_factory=KeptRequests)
    segment: int = 0
    frame: int = 0
    record: int = 0
    block: int = 0
    at: int = 0

    def open_segment(self, claim: int) -> None:
        """Go on in the segment of another entry."""
        self.segment, self.frame, self.record, self.block = claim, 0, 0, 0


class Ground(NamedTuple):
    """What a frame is taken on. `keep_s`: for how long requests are remembered, and how long one may be open: seconds."""

    image: TariffImage
    account: AccountState
    vocabulary: Vocabulary
    tenant: str
    source: int
    keep_s: int


def take_frame(requests: Rows, at: int, state: ChargingState, ground: Ground) -> tuple[Rows, list[OutputBlock]]:
    """Take the requests of the next frame; updates `state` and the account state.

    Args:
        requests: (n,) of REQUEST. No id comes twice, and none that another request of the frame confirms, cancels or refunds.
        at: microseconds UTC, stage time.

    Returns:
        (n,) answers of ANSWER, and the blocks of facts.
    """
    requests = requests.copy()
    requests["event_at"][requests["event_at"] == 0] = at
    kept = state.kept
    late = kept.expired(at)
    if len(late):
        _expire(late, kept, ground)
    answers, fresh = answer_again(requests, kept)
    blocks = _Taken(requests, at, state, ground, answers, fresh).take() if len(requests) else []
    kept.forget(at - (ground.keep_s + 2) * SECOND_US)  # what is that old has expired
    state.at = at
    state.frame += 1
    state.record += len(requests)
    state.block += len(blocks)
    return answers, blocks


def answer_again(requests: Rows, kept: KeptRequests) -> tuple[Rows, BoolArray]:
    """Return (n,) of ANSWER, of requests (n,) that were taken before as they were answered then, and (n,) which were not."""
    answers = np.zeros(len(requests), ANSWER)
    place = kept.index.find(np.array(requests["hi"]), np.array(requests["lo"]))
    known = np.flatnonzero(place >= 0)
    if len(known):
        there = kept.rows(place[known])
        answers[known] = there["answer"]
        other = there["request"]["content"] != requests["content"][known]
        answers[known[other]] = np.zeros((), ANSWER)
        answers["code"][known[other]] = ChargingCode.ANOTHER_REQUEST
    return answers, place < 0


def _expire(places: Int64Array, kept: KeptRequests, ground: Ground) -> None:
    _release(kept.items(places), ground)
    kept.set_standing(places, Standing.EXPIRED)


def _release(items: Items, ground: Ground) -> None:
    """Take back items of reservations, which then hold nothing."""
    _give_back(items, ground)
    wallet, amount = items.movements()
    ground.account.reserve(wallet, -amount)


def _give_back(items: Items, ground: Ground, growths: Growths | None = None) -> ReversedItems:
    """Take items back, below zero where usage was taken back meanwhile.

    A counter that rolls over, whose usage is never taken back, may have been counted again without them: where it no longer
    holds what they consumed, it is left.
    """
    rated, account = items.rated(), ground.account
    if growths is not None:
        rated = replace(rated, grown_slot=growths.slot, grown_period=growths.period, grown_by=growths.by)
    counted = np.flatnonzero(rated.counter_slot >= 0)
    if not len(counted):
        return reverse(rated, account, below_zero=True)
    slot, at = rated.counter_slot[counted], rated.counter_cell[counted]
    same = account.counter_period[slot, at] == rated.counter_period[counted]
    counted, cell = counted[same], slot[same].astype(np.int64) * 4 + at[same]
    cells, which = np.unique(cell, return_inverse=True)
    consumed = np.zeros(len(cells), np.int64)
    np.add.at(consumed, which, rated.rated_quantity[counted])
    short = consumed > account.counter_used[cells // 4, cells % 4]
    if short.any():
        below = consumed - QUANTITY_MAX > account.counter_used[cells // 4, cells % 4]
        short &= below | np.isin(cells // 4, rolling_slots(ground.vocabulary.counters)[:, 0])
    rated.counter_slot[counted[short[which]]] = -1
    return reverse(rated, account, below_zero=True)


@dataclass(slots=True)
class _Taken:
    """One frame on its way. Arrays over its n requests.

    Attributes:
        requests: (n,) of REQUEST. answers: (n,) of ANSWER. fresh: (n,) whether a request was not known.
    """

    requests: Rows
    at: int
    state: ChargingState
    ground: Ground
    answers: Rows
    fresh: BoolArray

    def take(self) -> list[OutputBlock]:
        requests, ground, kept = self.requests, self.ground, self.state.kept
        kind = np.array(requests["kind"])
        fresh = self.fresh
        target, ended = self._targets(kind, fresh)
        live = fresh & (self.answers["code"] == DONE)
        ends = np.flatnonzero(live & (target >= 0))
        held = kept.items(target[ends])  # what the requests that end others move back, or make final
        wallets = self._wallets(requests["subscription"][live], ended["request"]["subscription"][ends], held)
        chain = Chain.of(wallets, ground.account)

        granted = np.where(ended["standing"] == OPEN, ended["answer"]["granted"], -1)
        confirms, cancels = live & (kind == CONFIRM), live & (kind == CANCEL)
        as_reserved = confirms & (requests["quantity"] == granted) & (ended["image"] == ground.image.image_id)
        released = np.flatnonzero(cancels | confirms & (granted >= 0) & ~as_reserved)
        refunded = np.flatnonzero(live & (kind == REFUND))
        equal = np.flatnonzero(as_reserved)
        if len(released):
            back = _of_rows(held, ends, released)
            _release(back, ground)
            self.answers["amount"][released] = back.amounts(ground.image)
        refunds = _of_rows(held, ends, refunded)
        if len(refunded):
            returned = _give_back(refunds, ground, self._growths(refunds, ended["request"][refunded]))
        final = _of_rows(held, ends, equal)
        if len(equal):
            wallet, amount = final.movements()
            ground.account.reserve(wallet, -amount)

        begin = live & ((kind == RESERVE) | (kind == CHARGE))
        usage = _said(requests, ended["request"], confirms)
        # what a reservation gives back pays for what was used of it, before anybody else has it
        rows = np.concatenate([np.flatnonzero(confirms & ~as_reserved), np.flatnonzero(begin)])
        rated = self._rate(rows, kind, usage, confirms)

        items = Items.join([rated.items, final])
        of_row = np.full(len(requests), len(items.ptr) - 1)
        of_row[rows], of_row[equal] = np.arange(len(rows)), len(rows) + np.arange(len(equal))
        self._answer(rows, kind, rated, equal, final, refunded, refunds, ended)
        blocks = self._facts(rows, equal, kind, rated, items, of_row, usage, confirms, chain)
        if len(refunded):
            blocks += self._refunds(refunded, refunds, returned, target, chain, len(blocks))
        self._keep(fresh, kind, items, of_row, usage)
        for places, standing in (
            (target[confirms], Standing.CONFIRMED),
            (target[cancels], Standing.CANCELLED),
            (target[refunded], Standing.REFUNDED),
        ):
            kept.set_standing(places, standing)
        if not chain.holds_as(ground.account):
            raise UnableToCharge("what the facts of a frame say is not what its wallets lost")
        return blocks

    # ---- before anything moves

    def _targets(self, kind: UInt8Array, fresh: BoolArray) -> tuple[Int64Array, Rows]:
        """Find what requests end; answer those that cannot end it."""
        requests, answers, kept = self.requests, self.answers, self.state.kept
        confirms, refunds = kind == CONFIRM, kind == REFUND
        cancels = kind == CANCEL
        ending = np.flatnonzero(fresh & (confirms | cancels | refunds))
        target = np.full(len(requests), -1, np.int64)
        ended = np.zeros(len(requests), KEPT)
        if not len(ending):
            return target, ended
        place = kept.index.find(np.array(requests["of_hi"][ending]), np.array(requests["of_lo"][ending]))
        answers["code"][ending[place < 0]] = ChargingCode.UNKNOWN_RESERVATION
        there = place >= 0
        target[ending[there]] = place[there]
        ended[ending[there]] = kept.rows(place[there])
        standing = ended["standing"]
        opened = standing == OPEN
        fits = (confirms | cancels) & opened | confirms & (standing == EXPIRED) | refunds & (standing == CHARGED)
        if self.ground.image.accumulators is not None:  # what its items added is known of the image in force only
            other = refunds & fits & (ended["image"] != self.ground.image.image_id)
            answers["code"][other] = ChargingCode.RATING_FAILED
        # an account that the image does not have has no currency in which it could be told what comes back
        gone = refunds & fits & (self.ground.image.account_currency[np.maximum(ended["account"], 0)] < 0)
        answers["code"][gone] = ChargingCode.RATING_FAILED
        over = np.flatnonzero((target >= 0) & ~fits)
        if len(over):
            never = (standing == ENDED) | refunds & (standing < CHARGED)
            answers["code"][over] = np.where(never[over], ChargingCode.UNKNOWN_RESERVATION, ChargingCode.NOT_OPEN)
        return target, ended

    def _wallets(self, begun: Int32Array, ended: Int32Array, held: Items) -> Int64Array:
        """Return every wallet that the frame may move: of subscriptions, and of items that are moved back."""
        drawn, _ = held.movements()
        return reached_wallets(np.concatenate([begun, ended]), self.ground.image, drawn)

    # ---- what moves

    def _rate(self, rows: Int64Array, kind: UInt8Array, usage: Mapping[str, Any], confirms: BoolArray) -> RatedRequests:
        state, account = self.state, self.ground.account
        position = BlockPosition(state.segment, state.block, state.record)
        said = {name: column[rows] for name, column in usage.items()}
        edrs = edrs_of(said, self.requests["quantity"][rows], position, state.record + rows)
        reserves = np.flatnonzero(kind[rows] == RESERVE)
        increment = np.zeros(len(rows), np.int64)
        increment[reserves] = self.requests["increment"][rows[reserves]]
        rated = rate_requests(edrs, increment, confirms[rows], without_accumulators(self.ground.image), account)
        if len(reserves):
            account.reserve(*self._allowed(rated, reserves))
        return rated

    def _allowed(self, rated: RatedRequests, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Take back reservations of wallets that would hold more than they may; return (wallet, amount) of what others draw."""
        items = rated.items if len(rows) == len(rated.reason) else rated.items.take(rows)
        wallet, amount = items.movements()
        held = self.ground.account.reserved
        largest = 0 if held is None or not len(wallet) else int(held[wallet].max())
        if largest + sum(amount.tolist()) <= RESERVED_MAX:
            return wallet, amount
        over = [
            place
            for place in range(len(rows))
            if sum(items.take(np.array([place])).movements()[1].tolist()) + largest > RESERVED_MAX // len(rows)
        ]
        refused = rows[over]
        _give_back(items.take(np.array(over)), self.ground)
        reason = np.full(len(refused), Reason.AMOUNT_OVERFLOW, np.uint16)
        rated.put(refused, RatedRequests.refused(reason, rated.version[refused]))
        return rated.items.take(rows).movements()

    def _growths(self, items: Items, requests: Rows) -> Growths | None:
        """Return what the items of requests (k,) added to accumulators."""
        if self.ground.image.accumulators is None:
            return None
        rows = items.rows
        said = requests[np.repeat(np.arange(len(requests)), np.diff(items.ptr))]
        edrs = edrs_of(said, np.array(rows["quantity"]), BlockPosition(0, 0, 0), np.arange(len(rows)))
        return find_growths(
            np.arange(len(rows)),
            edrs.event_at,
            edrs.subscription,
            np.array(rows["charge_version"]),
            np.array(rows["rated_quantity"]),
            np.array(rows["amount"]),
            said_by(edrs, self.ground.image),
            self.ground.image,
        )

    # ---- what comes of it

    def _answer(
        self,
        rows: Int64Array,
        kind: UInt8Array,
        rated: RatedRequests,
        equal: Int64Array,
        final: Items,
        refunded: Int64Array,
        refunds: Items,
        ended: Rows,
    ) -> None:
        answers, requests = self.answers, self.requests
        failed = rated.reason != 0
        answers["granted"][rows], answers["amount"][rows] = rated.quantity, rated.items.amounts(self.ground.image)
        if failed.any():
            code = np.where(rated.reason == INSUFFICIENT, ChargingCode.CREDIT_LIMIT_REACHED, ChargingCode.RATING_FAILED)
            answers["code"][rows[failed]], answers["reason"][rows[failed]] = code[failed], rated.reason[failed]
            answers["granted"][rows[failed]] = 0
        opened = rows[(kind[rows] == RESERVE) & ~failed]
        held_s = np.minimum(requests["validity_s"][opened], self.ground.keep_s).astype(np.int64)
        answers["expires_at"][opened] = self.at + held_s * SECOND_US
        if len(equal):
            answers["granted"][equal], answers["amount"][equal] = (
                requests["quantity"][equal],
                final.amounts(self.ground.image),
            )
        if len(refunded):
            answers["amount"][refunded] = refunds.amounts(self.ground.image)
            for name in ("granted", "claim", "record"):
                answers[name][refunded] = ended["answer"][name][refunded]

    def _facts(
        self,
        rows: Int64Array,
        equal: Int64Array,
        kind: UInt8Array,
        rated: RatedRequests,
        items: Items,
        of_row: Int64Array,
        usage: Mapping[str, Any],
        confirms: BoolArray,
        chain: Chain,
    ) -> list[OutputBlock]:
        """Return the block of what is final: usage that was confirmed or charged, also when it could not be rated."""
        requests, answers, state = self.requests, self.answers, self.state
        charged = np.zeros(len(requests), np.bool_)
        charged[rows] = confirms[rows] | (kind[rows] == CHARGE) & (rated.reason == 0)
        charged[equal] = True
        final = np.flatnonzero(charged)
        if not len(final):
            return []
        reason, version = np.zeros(len(requests), np.uint16), np.full(len(requests), -1, np.int32)
        before = np.zeros(len(requests), np.int64)
        reason[rows], version[rows], before[rows] = rated.reason, rated.version, rated.before
        position = BlockPosition(state.segment, state.block, state.record + int(final[0]))
        said = {name: column[final] for name, column in usage.items()}
        edrs = edrs_of(said, requests["quantity"][final], position, state.record + final)
        mine = items.take(of_row[final])
        block = rated_block(mine, edrs.quantity, reason[final], version[final], before[final], chain)
        outcomes = np.zeros(len(Outcome), np.int64)
        outcomes[Outcome.ACCEPTED] = len(final)
        answers["claim"][final], answers["record"][final] = state.segment, state.record + final
        ground = self.ground
        block = replace(block, growths=accumulate(edrs, block, ground.image, ground.account))
        context = ClaimContext(ground.tenant, ground.source, self.at)
        return [finish_rated(edrs, block, outcomes, None, ground.image, ground.vocabulary, context)]

    def _refunds(
        self,
        rows: Int64Array,
        items: Items,
        returned: ReversedItems,
        target: Int64Array,
        chain: Chain,
        block: int,
    ) -> list[OutputBlock]:
        """Return the blocks of what was given back, one for each image that had rated it."""
        kept = self.state.kept.rows(target[rows])
        context = ClaimContext(self.ground.tenant, self.ground.source, self.at, 1)
        blocks: list[OutputBlock] = []
        of = np.repeat(np.arange(len(rows)), np.diff(items.ptr))
        for image in np.unique(kept["image"]).tolist():
            mine = np.flatnonzero(kept["image"] == image)
            theirs = np.isin(of, mine)
            first = self.state.record + int(rows[mine[0]])
            position = BlockPosition(self.state.segment, self.state.block + block + len(blocks), first)
            record = self.state.record + rows[mine]
            found = items.take(mine)
            blocks.append(
                refund_block(
                    kept[mine],
                    found,
                    returned.counter_fate[theirs],
                    returned.counter_before[theirs],
                    position,
                    record,
                    context,
                    self.ground.image,
                    chain,
                )
            )
        return blocks

    def _keep(
        self, fresh: BoolArray, kind: UInt8Array, items: Items, of_row: Int64Array, usage: Mapping[str, Any]
    ) -> None:
        answers, ground = self.answers, self.ground
        done = answers["code"] == DONE
        kept = np.zeros(len(kind), KEPT)
        _bytes(kept["request"])[:], _bytes(kept["answer"])[:] = _bytes(self.requests), _bytes(answers)
        for name, column in usage.items():
            kept["request"][name] = column
        kept["standing"][done & (kind == RESERVE)] = OPEN
        kept["standing"][done & ((kind == CONFIRM) | (kind == CHARGE))] = CHARGED
        kept["at"], kept["image"] = self.at, ground.image.image_id
        subscription = usage["subscription"]
        known = np.maximum(subscription, 0)
        kept["account"] = np.where(subscription >= 0, ground.image.tariff.subscription_row[known, ACCOUNT], -1)
        ptr = np.empty(len(items.ptr) + 1, np.int64)
        ptr[:-1], ptr[-1] = items.ptr, items.ptr[-1]  # and none, of requests that have no items
        items = Items(ptr, items.rows, items.parts)
        if not fresh.all():
            kept, of_row = kept.take(np.flatnonzero(fresh)), of_row[fresh]
        self.state.kept.keep(kept, items.take(of_row))


def _said(requests: Rows, ended: Rows, confirms: BoolArray) -> dict[str, Any]:
    """Return what n requests say of usage, by column: of a confirmation, what its reservation said."""
    if not confirms.any():
        return {name: requests[name] for name in USAGE}
    of = {1: confirms, 2: confirms[:, None]}
    return {name: np.where(of[requests[name].ndim], ended[name], requests[name]) for name in USAGE}


def _of_rows(held: Items, ends: Int64Array, rows: Int64Array) -> Items:
    """Return of the items of requests at `ends`, ascending, those of requests at `rows`, which are among them."""
    if not len(rows):
        return Items.none(0)
    return held if len(rows) == len(ends) else held.take(np.searchsorted(ends, rows))


def _bytes(rows: Rows) -> Rows:
    """Return rows (n,), or one field of them, as they lie, (n,) each as a whole: copied at once, not field by field."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize)))
