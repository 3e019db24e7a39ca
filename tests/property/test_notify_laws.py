"""The law of notifications: an entry of the log tells exactly of the levels between what was before it and what is after it.

Hence no level of a counter's period, or of a wallet, is told of twice unless the value was on its near side in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from notify_twin import Told, balances_told, levels, told_in
from rating_world import Use, World, catalog_from, instant

from pipelines.account.before import Before, before_rerating
from pipelines.account.notify import notifications
from rating.accumulate import find_growths, said_by
from rating.history import begin, settle
from rating.periods import rolling_slots
from rating.rate import account_of, rate
from rating.reversal import RatedItems, find_counters, reverse
from rating.state import AccountState
from schemas.edr import EdrBlock, join_edrs, select_edrs
from schemas.rated_item import RatedBlock

CATALOG = catalog_from(
    "{kind: event_type, code: data, unit: B}",
    "{kind: counter, code: day, unit: B, period: day, notify: ['50 %', '100 %', 8 B]}",
    "{kind: counter, code: rolling, unit: B, period: day, roll_over: {of: 5 B, periods: 1}, notify: ['100 %']}",
    "{kind: counter, code: peak, unit: B, period: day, function: max, notify: [3 B]}",
    "{kind: counter, code: spend, unit: EUR, function: amount, period: month, shared_by: account, notify: [2 EUR, 5 EUR]}",
    *(
        f"kind: price_plan\ncode: {code}\ncurrency: EUR\nversions:\n- start: '2026-01-01T00:00:00Z'\n  model: graduated\n"
        f"  per: 1 B\n  counter: {code}\n  tiers: [{{up_to: 5 B, price: '0'}}, {{price: '1'}}]"
        for code in ("day", "rolling", "peak")
    ),
    *(f"{{kind: charge, code: {code}, event_type: data, price_plan: {code}}}" for code in ("day", "rolling", "peak")),
    *(f"{{kind: offer, code: {code}, charges: [{code}], accumulate: [spend]}}" for code in ("day", "rolling", "peak")),
    "{kind: account, code: ana, currency: EUR, wallets: [{code: main, type: postpaid, notify_below: ['-2', '-6']}]}",
    "kind: account\ncode: ben\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: '4', notify_below: ['3', '0']}, "
    "{code: bill, type: postpaid, notify_below: ['-1']}]",
    *(
        f"{{kind: subscription, code: {code}, account: {account}, offer: {offer}, access_points: [{{id: {code}}}]}}"
        for code, account, offer in (("a1", "ana", "day"), ("a2", "ana", "peak"), ("b1", "ben", "day"), ("b2", "ben", "rolling"))
    ),
)  # fmt: skip
START = instant("2026-03-26T00:00:00Z")
HOUR_US = 3_600_000_000
DAYS = 4
"""As many as a counter keeps, so that the state knows all of them."""
usage = st.lists(
    st.tuples(st.sampled_from(["a1", "a2", "b1", "b2"]), st.integers(0, 24 * DAYS - 1), st.integers(0, 6)), max_size=8
)
Thing = tuple[str, ...]


@dataclass
class Stage:
    """An account stage that takes usage, takes blocks back, and rates everything that stands again."""

    world: World = field(default_factory=lambda: World(CATALOG))
    standing: list[tuple[EdrBlock, RatedBlock]] = field(default_factory=list)

    def take(self, edrs: EdrBlock) -> list[Told]:
        rated = rate(edrs, self.world.image, self.world.state)
        self.standing.append((edrs, rated))
        return self._told(edrs, rated, None)

    def back_out(self) -> list[Told]:
        if self.standing:
            items = self._items(*self.standing.pop())
            reverse(items, self.world.state)
        return []

    def rerate(self) -> list[Told]:
        state, words = self.world.state, self.world.vocabulary
        before = before_rerating(self.world.image, words.counters)
        assert before is not None
        for edrs, rated in self.standing:
            items = self._items(edrs, rated)
            before.note(items, state)
            reverse(items, state)
        if not self.standing:
            return []
        edrs = self.standing[0][0]
        for more, _ in self.standing[1:]:
            edrs = join_edrs(edrs, more)
        edrs = select_all(edrs, np.argsort(edrs.event_at, kind="stable"))
        past = begin(state)
        rated = rate(edrs, self.world.image, past)
        settle(state, past, rolling_slots(words.counters))
        self.standing = [(edrs, rated)]
        return self._told(edrs, rated, before)

    def _told(self, edrs: EdrBlock, rated: RatedBlock, before: Before | None) -> list[Told]:
        account = account_of(edrs, self.world.image)
        batch = notifications(edrs, rated, account, self.world.image, self.world.vocabulary, before)
        return told_in(batch, self.world)

    def _items(self, edrs: EdrBlock, rated: RatedBlock) -> RatedItems:
        rows = np.flatnonzero(rated.reason == 0)
        some, version = select_edrs(edrs, rows), np.ascontiguousarray(rated.charge_version[rows])
        counts = np.bincount(rated.split_row, minlength=len(rated.reason))[rows]
        found = find_counters(some.event_at, some.subscription, version, self.world.image.tariff)
        grown = find_growths(
            rows,
            edrs.event_at,
            edrs.subscription,
            rated.charge_version,
            rated.rated_quantity,
            rated.amount,
            said_by(edrs, self.world.image),
            self.world.image,
        )
        return RatedItems(
            rated.rated_quantity[rows], rated.amount[rows], rated.wallet[rows], *found,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rated.split_wallet, rated.split_amount,
            grown.slot, grown.period, grown.by,
        )  # fmt: skip


def select_all(edrs: EdrBlock, order: np.ndarray) -> EdrBlock:
    names = [name for name in EdrBlock.__dataclass_fields__ if name not in ("position", "values")]
    return replace(edrs, **{name: getattr(edrs, name)[order] for name in names})


def held(world: World, *, rolling: bool) -> dict[Thing, int]:
    """Return what counters (those that roll over, or the others), accumulators and wallets have, by name."""
    state: AccountState = world.state
    found: dict[Thing, int] = {}
    for slot, name in enumerate(world.vocabulary.counters.names.to_list()):
        holder, _, code = name.rpartition("/")
        for cell, tag in enumerate(state.counter_period[slot].tolist()):
            if tag >= 0 and (code == "rolling") == rolling and not code.endswith("#left"):
                day = str(np.datetime64(tag >> 2, "D"))
                found["counter", holder, code, day] = int(state.counter_used[slot, cell])
    for slot, name in enumerate(world.vocabulary.accumulators.names.to_list()):
        holder, _, code = name.rpartition("/")
        for cell, tag in enumerate(state.accumulated_period[slot].tolist()):
            if tag >= 0:
                month = str(np.datetime64(tag >> 2, "M"))
                found["counter", holder, code.partition("#")[0], month] = state.accumulator(slot, cell)
    for wallet, name in enumerate(world.vocabulary.wallets.names.to_list()):
        found["wallet", name] = state.balance(wallet)
    return found


def passed(before: dict[Thing, int], after: dict[Thing, int]) -> Counter[tuple[Thing, int]]:
    """Return the levels that lie between two moments."""
    told: Counter[tuple[Thing, int]] = Counter()
    for thing, value in after.items():
        if thing[0] == "wallet":
            for level in balances_told(CATALOG, thing[1]):
                told[thing, level] += before.get(thing, 0) > level >= value
        else:
            for level in levels(CATALOG, CATALOG.counters[thing[2]]):
                told[thing, level] += before.get(thing, 0) < level <= value
    return +told


steps = st.lists(
    st.one_of(st.tuples(st.just("take"), usage), st.tuples(st.sampled_from(["back_out", "rerate"]), st.just([]))), max_size=8
)  # fmt: skip


def uses_of(drawn: list[tuple[str, int, int]]) -> list[Use]:
    return [Use(code, "data", START + hour * HOUR_US, quantity) for code, hour, quantity in drawn]


@settings(max_examples=60)
@given(done=steps)
def test_an_entry_tells_of_the_levels_between_what_was_before_and_what_is_after_it(
    done: list[tuple[str, list[tuple[str, int, int]]]],
) -> None:
    stage = Stage()
    first = 0
    for step, drawn in done:
        before = held(stage.world, rolling=False)
        if step == "take":
            edrs = stage.world.block(uses_of(drawn))
            edrs = replace(edrs, record=edrs.record + first)
            first += len(edrs)
            told = stage.take(edrs)
        else:
            told = stage.back_out() if step == "back_out" else stage.rerate()
        counted = Counter((one.thing, one.level) for one in told if one.thing[2:3] != ("rolling",))
        assert counted == passed(before, held(stage.world, rolling=False))
        event(f"{step} tells: {bool(counted)}")


def test_rating_again_tells_of_what_was_not_reached_before() -> None:
    stage = Stage()
    late = stage.world.block(uses_of([("b1", 10, 4), ("b1", 11, 5)]))
    assert [(one.thing, one.level) for one in stage.take(late) if one.thing[0] == "counter"] == [
        (("counter", "b1", "day", "2026-03-26"), 3),
        (("counter", "b1", "day", "2026-03-26"), 5),
        (("counter", "b1", "day", "2026-03-26"), 8),
        (("counter", "account/ben", "spend", "2026-03"), 2 * 10**9),
    ]
    assert stage.rerate() == []
    assert stage.back_out() == []
    assert len(stage.take(late)) > 0  # taken back, and crossed once more


def test_what_rolls_over_is_not_told_of_again() -> None:
    stage = Stage()
    edrs = stage.world.block(uses_of([("b2", 1, 2), ("b2", 30, 7), ("b2", 31, 2)]))
    told = [(one.thing[3], one.before, one.after) for one in stage.take(edrs) if one.thing[2:3] == ("rolling",)]
    # three of the first day are there on the second: five of its own are used up with the eighth
    assert told == [("2026-03-27", 4, 6)]
    assert [one for one in stage.rerate() if one.thing[0] == "counter"] == []
