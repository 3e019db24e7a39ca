"""Taking items back: the kernels against their twin, and rating followed by its reversal is nothing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_items import rated_items
from rating_world import Use, World, catalog_from, instant
from reversal_twin import Books, Item, take_back

from rating.kernels.layout import PERIODS_KEPT
from rating.rate import rate
from rating.reversal import RatedItems, UnableToReverse, find_counters, reverse
from rating.state import AccountState
from schemas.cancellation import CounterFate
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT

FATES = {"none": CounterFate.NONE, "lowered": CounterFate.LOWERED, "left": CounterFate.LEFT}
SLOTS, WALLETS = 2, 3
drawn = st.lists(st.tuples(st.integers(0, WALLETS - 1), st.integers(1, 2**62)), max_size=3).map(tuple)
counter = st.none() | st.tuples(st.integers(0, SLOTS - 1), st.integers(0, PERIODS_KEPT - 1), st.integers(0, 3))
items = st.lists(st.builds(Item, st.integers(0, 1000), counter, drawn), max_size=12)


def columns(given_items: list[Item]) -> RatedItems:
    """Return items as the arrays that `reverse` takes."""
    sizes = [len(item.drawn) if len(item.drawn) > 1 else 0 for item in given_items]
    parts = [part for item in given_items if len(item.drawn) > 1 for part in item.drawn]
    cells = [item.counter or (-1, 0, -1) for item in given_items]
    alone = {0: WALLET_NONE}
    return RatedItems(
        np.array([item.quantity for item in given_items], np.int64),
        # a split item's amount is that of its parts, which is not looked at here
        np.array([item.drawn[0][1] if len(item.drawn) == 1 else 0 for item in given_items], np.int64),
        np.array(
            [
                item.drawn[0][0] if len(item.drawn) == 1 else alone.get(len(item.drawn), WALLET_SPLIT)
                for item in given_items
            ],
            np.int32,
        ),
        *(np.array([cell[place] for cell in cells], np.int32) for place in range(3)),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array([wallet for wallet, _ in parts], np.int32),
        np.array([amount for _, amount in parts], np.int64),
    )


def state_of(books: Books) -> AccountState:
    """Return books as an account state."""
    state = AccountState.from_arrays(
        {
            "counter_period": np.full((SLOTS, PERIODS_KEPT), -1, np.int32),
            "counter_used": np.zeros((SLOTS, PERIODS_KEPT), np.int64),
            "balance_hi": np.zeros(WALLETS, np.int64),
            "balance_lo": np.zeros(WALLETS, np.uint64),
        }
    )
    for (slot, cell), (period, used) in books.counters.items():
        state.counter_period[slot, cell], state.counter_used[slot, cell] = period, used
    for wallet, balance in books.balances.items():
        state.balance_hi[wallet], state.balance_lo[wallet] = balance >> 64, balance & (2**64 - 1)
    return state


@settings(max_examples=200)
@given(
    items=items,
    periods=st.lists(st.integers(-1, 3), min_size=SLOTS * PERIODS_KEPT, max_size=SLOTS * PERIODS_KEPT),
    balances=st.lists(st.integers(-(2**70), 2**70), min_size=WALLETS, max_size=WALLETS),
)
def test_the_kernels_do_what_the_twin_does(items: list[Item], periods: list[int], balances: list[int]) -> None:
    books = Books(
        {(place // PERIODS_KEPT, place % PERIODS_KEPT): [period, 100_000] for place, period in enumerate(periods)},
        dict(enumerate(balances)),
    )
    state = state_of(books)
    given_columns = columns(items)
    done = reverse(given_columns, state)
    told = take_back(items, books)
    expected = state_of(books)
    assert state.checksum() == expected.checksum()
    assert [(FATES[fate], before) for fate, before, _ in told] == [
        (CounterFate(int(fate)), int(before))
        for fate, before in zip(done.counter_fate, done.counter_before, strict=True)
    ]
    for row, (_, _, after) in enumerate(told):
        start, end = given_columns.split_ptr[row : row + 2]
        found = [
            (int(hi) << 64) | int(lo)
            for hi, lo in zip(done.split_balance_hi[start:end], done.split_balance_lo[start:end], strict=True)
        ]
        single = [(int(done.balance_hi[row]) << 64) | int(done.balance_lo[row])]
        assert after == (found if len(after) > 1 else single if after else [])


CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: event_type, code: data, unit: MB}
---
{kind: counter, code: daily, unit: s, period: day, zone: Europe/Paris}
---
{kind: counter, code: monthly, unit: MB, period: month, zone: America/New_York}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: graduated, per: 1 min,
  counter: daily, increments: {first: 60 s, next: 10 s}, tiers: [{up_to: 5 min, price: "0.1"}, {price: "0.3"}]}]}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: graduated, per: 1 MB,
  counter: monthly, tiers: [{up_to: 100 MB, price: "0"}, {price: "0.01"}]}]}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: offer, code: talk, charges: [call, data]}
---
{kind: account, code: both, currency: EUR, wallets: [{code: gift, type: prepaid, opening_balance: "0.5"},
  {code: card, type: prepaid, opening_balance: "0.4"}, {code: bill, type: postpaid}]}
---
{kind: subscription, code: one, account: both, offer: talk, access_points: [{id: "1"}]}
---
{kind: subscription, code: two, account: both, offer: talk, access_points: [{id: "2"}]}
"""
START = instant("2026-03-28T20:00:00Z")
uses = st.lists(
    st.builds(
        Use,
        st.sampled_from(["one", "two"]),
        st.sampled_from(["call", "data"]),
        st.integers(0, 12).map(lambda hours: START + hours * 3_600_000_000),
        st.integers(0, 300_000),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=60)
@given(before=uses, taken_back=uses)
def test_rating_and_taking_back_is_nothing(before: list[Use], taken_back: list[Use]) -> None:
    world = World(catalog_from(CATALOG))
    world.rate(before)
    expected = deepcopy(world.state)
    block = world.block(taken_back)
    rated = rate(block, world.image, world.state)
    done = reverse(rated_items(world, block, rated), world.state)
    assert world.state.balance_lo.tolist() == expected.balance_lo.tolist()
    assert world.state.balance_hi.tolist() == expected.balance_hi.tolist()
    # a period that nothing is left of stays in its cell, at zero
    opened = expected.counter_period == -1
    assert (world.state.counter_used == np.where(opened, 0, expected.counter_used)).all()
    assert set(done.counter_fate.tolist()) <= {CounterFate.LOWERED}


def test_what_another_state_rated_is_refused() -> None:
    world = World(catalog_from(CATALOG))
    block = world.block([Use("one", "call", START, 60_000)])
    item = rated_items(world, block, world.rate([Use("one", "call", START, 60_000)]))
    other = World(catalog_from(CATALOG))
    other.rate([Use("one", "call", START, 30_000)])
    reverse(item, other.state)  # rounded up, it is the same
    with pytest.raises(UnableToReverse, match="item 0 consumed more than its counter holds"):
        reverse(item, other.state)
    with pytest.raises(UnableToReverse, match="a counter is unknown"):
        reverse(item, AccountState())
    with pytest.raises(UnableToReverse, match="another image rated these items"):
        find_counters(block.event_at, block.subscription, np.array([7], np.int32), world.image.tariff)


NONE_COUNTED = Item(5, None, ((1, 7),))
SPLIT = Item(5, None, ((0, 3), (2, 4)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"counter_slot": [SLOTS, -1]}, "a counter is unknown"),
        ({"wallet": [WALLETS, WALLET_SPLIT]}, "a wallet is unknown"),
        ({"split_wallet": [0, WALLETS]}, "a wallet is unknown"),
        ({"amount": [-1, 0]}, "an item is negative"),
        ({"rated_quantity": [0, -1]}, "an item is negative"),
    ],
)
def test_items_that_cannot_be_are_refused(change: dict[str, list[int]], told: str) -> None:
    given_columns = columns([NONE_COUNTED, SPLIT])
    types = {name: getattr(given_columns, name).dtype for name in change}
    changed = replace(given_columns, **{name: np.array(values, types[name]) for name, values in change.items()})
    state = state_of(Books({}, dict.fromkeys(range(WALLETS), 0)))
    with pytest.raises(UnableToReverse, match=told):
        reverse(changed, state)
    reverse(given_columns, state)  # what is wrong was the change
    assert state.balance_lo.tolist() == [3, 7, 4]


def test_a_balance_that_would_exceed_128_bits_is_refused() -> None:
    books = Books({}, {0: 0, 1: 2**127 - 7, 2: 0})
    with pytest.raises(UnableToReverse, match="the balance of a wallet would exceed 128 bits at movement 0"):
        reverse(columns([NONE_COUNTED]), state_of(books))
    state = state_of(Books({}, {0: 0, 1: 2**127 - 8, 2: 0}))
    reverse(columns([NONE_COUNTED]), state)
    assert (int(state.balance_hi[1]), int(state.balance_lo[1])) == (2**63 - 1, 2**64 - 1)


def test_subscriptions_that_the_image_does_not_know_are_refused() -> None:
    world = World(catalog_from(CATALOG))
    block = world.block([Use("one", "call", START, 60_000)])
    version = world.rate([Use("one", "call", START, 60_000)]).charge_version
    known = len(world.image.tariff.subscription_row)
    for subscription in (-1, known):
        with pytest.raises(UnableToReverse, match="another image rated these items"):
            find_counters(block.event_at, np.array([subscription], np.int32), version, world.image.tariff)


def test_a_counter_is_found_among_those_of_its_own_offer() -> None:
    more = "---\n{kind: offer, code: alone, charges: [data]}\n---\n{kind: subscription, code: three, account: both, offer: alone}\n"
    world = World(catalog_from(CATALOG + more))
    use = [Use(name, "data", START, 7_000_000) for name in ("one", "three")]
    block = world.block(use)
    rated = world.rate(use)
    used = world.state.counter_used.copy()
    done = reverse(rated_items(world, block, rated), world.state)
    assert set(done.counter_fate.tolist()) == {CounterFate.LOWERED}
    assert (int(used.sum()), int(world.state.counter_used.sum())) == (14_000_000, 0)
