"""The stage of online charging: a frame of requests becomes answers, reservations, and facts of what is final.

Pure: state and facts are a function of the frames and of the blocks between which they come.
Twin: `tests/support/charging_twin.py`.

Money that a reservation holds has left the balances of `AccountState` and is in its `reserved`; a wallet's *open* balance is
both together: what was credited less what is final. Facts tell open balances, which chain whatever is reserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from pipelines.account.charging_items import edrs_of, rated_block, refund_block
from pipelines.account.charging_rating import INSUFFICIENT, RatedRequests, rate_requests, without_accumulators
from pipelines.account.kept import KEPT, SECOND_US, Items, KeptRequests
from pipelines.account.stage import ClaimContext, finish_rated
from rating.accumulate import accumulate, find_growths
from rating.reversal import ReversedItems, reverse
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.trial import reached
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int64Array
from schemas.cdr import BlockPosition
from schemas.charging import ANSWER, ChargingCode, ChargingKind, Rows, Standing
from schemas.output import OutputBlock
from schemas.rated_item import Growths
from schemas.rejection import Outcome, Reason

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
        _expire(late, kept, ground.account)
    answers = np.zeros(len(requests), ANSWER)
    blocks = _Taken(requests, at, state, ground, answers).take() if len(requests) else []
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


def _expire(places: Int64Array, kept: KeptRequests, account: AccountState) -> None:
    items = kept.items(places)
    _give_back(items, account)
    wallet, amount = items.movements()
    account.reserve(wallet, -amount)
    kept.set_standing(places, Standing.EXPIRED)


def _give_back(items: Items, account: AccountState, growths: Growths | None = None) -> ReversedItems:
    """Take items back. A counter that was counted again without them, and no longer holds what they consumed, is left."""
    rated = items.rated()
    counted = np.flatnonzero(rated.counter_slot >= 0)
    slot, at = rated.counter_slot[counted], rated.counter_cell[counted]
    same = account.counter_period[slot, at] == rated.counter_period[counted]
    counted, cell = counted[same], slot[same].astype(np.int64) * 4 + at[same]
    cells, which = np.unique(cell, return_inverse=True)
    total = np.zeros(len(cells), np.int64)
    np.add.at(total, which, rated.rated_quantity[counted])
    short = total > account.counter_used[cells // 4, cells % 4]
    rated.counter_slot[counted[short[which]]] = -1
    if growths is not None:
        rated = replace(rated, grown_slot=growths.slot, grown_period=growths.period, grown_by=growths.by)
    return reverse(rated, account)


@dataclass(slots=True)
class _Taken:
    """One frame on its way. Arrays over its n requests.

    Attributes:
        target: (n,) place of what a request ends, -1 for none. ended: (n,) of KEPT, what is there.
        fresh: (n,) whether it was not known. standing: (n,) what becomes of it.
    """

    requests: Rows
    at: int
    state: ChargingState
    ground: Ground
    answers: Rows

    def take(self) -> list[OutputBlock]:
        requests, answers, ground = self.requests, self.answers, self.ground
        kind = requests["kind"]
        again, fresh = answer_again(requests, self.state.kept)
        answers[:] = again
        target, ended = self._targets(fresh)
        live = fresh & (answers["code"] == ChargingCode.DONE)
        wallets = self._wallets(requests[live], ended["request"][live & (target >= 0)], target[live & (target >= 0)])
        before = ground.account.open_balances(wallets)

        granted = np.where(ended["standing"] == Standing.OPEN, ended["answer"]["granted"], -1)
        confirms = live & (kind == ChargingKind.CONFIRM)
        as_reserved = confirms & (requests["quantity"] == granted) & (ended["image"] == ground.image.image_id)
        released = live & (kind == ChargingKind.CANCEL) | confirms & (granted >= 0) & ~as_reserved
        refunded = np.flatnonzero(live & (kind == ChargingKind.REFUND))
        self._release(np.flatnonzero(released), target)
        equal = np.flatnonzero(as_reserved)
        final = self.state.kept.items(target[equal])
        wallet, amount = final.movements()
        ground.account.reserve(wallet, -amount)
        refunds = self.state.kept.items(target[refunded])
        returned = _give_back(refunds, ground.account, self._growths(refunds, ended["request"][refunded]))

        begin = live & np.isin(kind, (ChargingKind.RESERVE, ChargingKind.CHARGE))
        # what a reservation gives back pays for what was used of it, before anybody else has it
        rows = np.concatenate([np.flatnonzero(confirms & ~as_reserved), np.flatnonzero(begin)])
        said = np.where((confirms & ~as_reserved)[rows], ended["request"][rows], requests[rows])
        rated = self._rate(rows, said, confirms)

        items = Items.join([rated.items, final]).take(np.argsort(np.concatenate([rows, equal]), kind="stable"))
        of_row = np.zeros(len(requests), np.int64)
        of_row[np.sort(np.concatenate([rows, equal]))] = np.arange(len(rows) + len(equal))
        self._answer(rows, rated, equal, final, refunded, refunds, ended)
        chain = dict(before)
        blocks = self._facts(rows, equal, rated, items, of_row, ended, confirms, chain)
        blocks += self._refunds(refunded, refunds, returned, target, chain, len(blocks))
        self._keep(fresh, rows, equal, items, of_row, confirms, ended, blocks)
        self._end(target, confirms, live & (kind == ChargingKind.CANCEL), refunded)
        if chain != ground.account.open_balances(wallets):
            raise UnableToCharge("what the facts of a frame say is not what its wallets lost")
        return blocks

    # ---- before anything moves

    def _targets(self, fresh: BoolArray) -> tuple[Int64Array, Rows]:
        """Find what requests end; answer those that cannot end it."""
        requests, answers, kept = self.requests, self.answers, self.state.kept
        kind = requests["kind"]
        ending = np.flatnonzero(fresh & np.isin(kind, (ChargingKind.CONFIRM, ChargingKind.CANCEL, ChargingKind.REFUND)))
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
        fits = (
            (kind == ChargingKind.CONFIRM) & np.isin(standing, (Standing.OPEN, Standing.EXPIRED))
            | (kind == ChargingKind.CANCEL) & (standing == Standing.OPEN)
            | (kind == ChargingKind.REFUND) & (standing == Standing.CHARGED)
        )
        if self.ground.image.accumulators is not None:  # what its items added is known of the image in force only
            other = (kind == ChargingKind.REFUND) & fits & (ended["image"] != self.ground.image.image_id)
            answers["code"][other] = ChargingCode.RATING_FAILED
        over = np.flatnonzero((target >= 0) & ~fits)
        never = (standing == Standing.ENDED) | (kind == ChargingKind.REFUND) & (standing < Standing.CHARGED)
        answers["code"][over] = np.where(never[over], ChargingCode.UNKNOWN_RESERVATION, ChargingCode.NOT_OPEN)
        return target, ended

    def _wallets(self, requests: Rows, ended: Rows, target: Int64Array) -> Int64Array:
        """Return every wallet that the frame may move."""
        subscriptions = np.concatenate([requests["subscription"], ended["subscription"]])
        wallets = reached(np.unique(subscriptions[subscriptions >= 0]), self.ground.image)[1]
        drawn, _ = self.state.kept.items(target).movements()
        return np.unique(np.concatenate([wallets, drawn])).astype(np.int64)

    # ---- what moves

    def _release(self, rows: Int64Array, target: Int64Array) -> None:
        items = self.state.kept.items(target[rows])
        _give_back(items, self.ground.account)
        wallet, amount = items.movements()
        self.ground.account.reserve(wallet, -amount)
        self.answers["amount"][rows] = items.amounts()

    def _rate(self, rows: Int64Array, said: Rows, confirms: BoolArray) -> RatedRequests:
        position = BlockPosition(self.state.segment, self.state.block, self.state.record)
        quantity = np.array(self.requests["quantity"][rows])
        edrs = edrs_of(said, quantity, position, self.state.record + rows)
        increment = np.where(self.requests["kind"][rows] == ChargingKind.RESERVE, self.requests["increment"][rows], 0)
        image, account = without_accumulators(self.ground.image), self.ground.account
        rated = rate_requests(edrs, increment, confirms[rows], image, account)
        reserves = np.flatnonzero(self.requests["kind"][rows] == ChargingKind.RESERVE)
        self._refuse_too_much(rated, reserves)
        wallet, amount = rated.items.take(reserves).movements()
        account.reserve(wallet, amount)
        return rated

    def _refuse_too_much(self, rated: RatedRequests, rows: Int64Array) -> None:
        """Take back reservations of wallets that would hold more than they may."""
        items = rated.items.take(rows)
        wallet, amount = items.movements()
        held = self.ground.account.reserved
        largest = 0 if held is None or not len(wallet) else int(held[wallet].max())
        if largest + sum(amount.tolist()) <= RESERVED_MAX:
            return
        over = [
            place
            for place in range(len(rows))
            if sum(items.take(np.array([place])).movements()[1].tolist()) + largest > RESERVED_MAX // len(rows)
        ]
        refused = rows[over]
        _give_back(items.take(np.array(over)), self.ground.account)
        n = len(refused)
        reason = np.full(n, Reason.AMOUNT_OVERFLOW, np.uint16)
        rated.put(refused, RatedRequests(np.zeros(n, np.int64), reason, rated.version[refused], Items.none(n)))

    def _growths(self, items: Items, requests: Rows) -> Growths | None:
        """Return what the items of requests (k,), one each, added to accumulators."""
        if self.ground.image.accumulators is None:
            return None
        rows = items.rows
        return find_growths(
            np.arange(len(rows)),
            np.array(requests["event_at"]),
            np.array(requests["subscription"]),
            np.array(rows["charge_version"]),
            np.array(rows["rated_quantity"]),
            np.array(rows["amount"]),
            self.ground.image,
        )

    # ---- what comes of it

    def _answer(
        self,
        rows: Int64Array,
        rated: RatedRequests,
        equal: Int64Array,
        final: Items,
        refunded: Int64Array,
        refunds: Items,
        ended: Rows,
    ) -> None:
        answers, requests = self.answers, self.requests
        failed = rated.reason != 0
        short = failed & (rated.reason == INSUFFICIENT)
        answers["code"][rows[failed]] = ChargingCode.RATING_FAILED
        answers["reason"][rows[failed]] = rated.reason[failed]
        answers["code"][rows[short]] = ChargingCode.CREDIT_LIMIT_REACHED
        answers["granted"][rows] = np.where(failed, 0, rated.quantity)
        answers["amount"][rows] = rated.items.amounts()
        answers["granted"][equal] = requests["quantity"][equal]
        answers["amount"][equal] = final.amounts()
        opened = rows[(requests["kind"][rows] == ChargingKind.RESERVE) & ~failed]
        held_s = np.minimum(requests["validity_s"][opened], self.ground.keep_s).astype(np.int64)
        answers["expires_at"][opened] = self.at + held_s * SECOND_US
        answers["granted"][refunded] = ended["answer"]["granted"][refunded]
        answers["amount"][refunded] = refunds.amounts()
        for name in ("claim", "record"):
            answers[name][refunded] = ended["answer"][name][refunded]

    def _facts(
        self,
        rows: Int64Array,
        equal: Int64Array,
        rated: RatedRequests,
        items: Items,
        of_row: Int64Array,
        ended: Rows,
        confirms: BoolArray,
        chain: dict[int, int],
    ) -> list[OutputBlock]:
        """Return the block of what is final: usage that was confirmed or charged, also when it could not be rated."""
        requests, answers, state = self.requests, self.answers, self.state
        charged = np.zeros(len(requests), np.bool_)
        charged[rows] = confirms[rows] | (requests["kind"][rows] == ChargingKind.CHARGE) & (rated.reason == 0)
        charged[equal] = True
        final = np.flatnonzero(charged)
        if not len(final):
            return []
        reason, version = np.zeros(len(requests), np.uint16), np.full(len(requests), -1, np.int32)
        reason[rows], version[rows] = rated.reason, rated.version
        position = BlockPosition(state.segment, state.block, state.record + int(final[0]))
        said = np.where(confirms[final], ended["request"][final], requests[final])
        edrs = edrs_of(said, np.array(requests["quantity"][final]), position, state.record + final)
        block = rated_block(items.take(of_row[final]), reason[final], version[final], chain)
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
        chain: dict[int, int],
        block: int,
    ) -> list[OutputBlock]:
        """Return the blocks of what was given back, one for each image that had rated it."""
        kept = self.state.kept.rows(target[rows])
        context = ClaimContext(self.ground.tenant, self.ground.source, self.at, 1)
        blocks: list[OutputBlock] = []
        for image in np.unique(kept["image"]).tolist():
            mine = np.flatnonzero(kept["image"] == image)
            first = self.state.record + int(rows[mine[0]])
            position = BlockPosition(self.state.segment, self.state.block + block + len(blocks), first)
            record = self.state.record + rows[mine]
            found = items.take(mine)
            blocks.append(
                refund_block(
                    kept[mine],
                    found,
                    returned.counter_fate[mine],
                    returned.counter_before[mine],
                    position,
                    record,
                    context,
                    self.ground.image,
                    chain,
                )
            )
        return blocks

    def _keep(
        self,
        fresh: BoolArray,
        rows: Int64Array,
        equal: Int64Array,
        items: Items,
        of_row: Int64Array,
        confirms: BoolArray,
        ended: Rows,
        blocks: Sequence[OutputBlock],
    ) -> None:
        requests, answers, ground = self.requests, self.answers, self.ground
        n = len(requests)
        done = answers["code"] == ChargingCode.DONE
        kind = requests["kind"]
        standing = np.zeros(n, np.uint8)
        standing[done & (kind == ChargingKind.RESERVE)] = Standing.OPEN
        standing[done & np.isin(kind, (ChargingKind.CONFIRM, ChargingKind.CHARGE))] = Standing.CHARGED
        kept = np.zeros(n, KEPT)
        kept["request"], kept["answer"], kept["standing"] = requests, answers, standing
        kept["request"][confirms] = _said_again(requests[confirms], ended["request"][confirms])
        kept["at"], kept["image"] = self.at, ground.image.image_id
        subscription = kept["request"]["subscription"]
        known = np.maximum(subscription, 0)
        kept["account"] = np.where(subscription >= 0, ground.image.tariff.subscription_row[known, 0], -1)
        chosen = np.flatnonzero(fresh)
        held = np.zeros(n, np.bool_)
        held[rows] = held[equal] = True
        some = Items.join([items, Items.none(1)])
        self.state.kept.keep(kept[chosen], some.take(np.where(held, of_row, len(items.ptr) - 1)[chosen]))

    def _end(self, target: Int64Array, confirms: BoolArray, cancels: BoolArray, refunded: Int64Array) -> None:
        kept = self.state.kept
        kept.set_standing(target[confirms], Standing.CONFIRMED)
        kept.set_standing(target[cancels], Standing.CANCELLED)
        kept.set_standing(target[refunded], Standing.REFUNDED)


def _said_again(confirms: Rows, reserves: Rows) -> Rows:
    """Return confirmations (k,) with what their reservations said of the usage."""
    said = confirms.copy()
    for name in ("event_at", "access_point", "subscription", "event_type", "attributes", "values"):
        said[name] = reserves[name]
    return said
