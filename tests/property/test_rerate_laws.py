"""Laws of rating again: any order of arrival ends as the order of events, and once more changes nothing."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rating_world import Use, World, catalog_from, instant

from rating.history import begin, settle
from rating.periods import (
    MARGIN_US,
    NO_CELL,
    cells_of,
    components,
    extent_of,
    owners_of_slots,
    period_start,
    rolling_slots,
    shared_slots,
    slots_of,
)
from rating.rate import rate
from rating.reversal import RatedItems, find_counters, reverse
from rating.vocabulary import NameTable
from schemas.edr import EdrBlock, select_edrs
from schemas.rated_item import RatedBlock

CATALOG = catalog_from(
    "{kind: event_type, code: voice, unit: s}",
    "{kind: counter, code: day, unit: s, period: day, zone: Europe/Paris}",
    "{kind: counter, code: month, unit: s, period: month}",
    "{kind: counter, code: peak, unit: s, period: day, function: max}",
    "{kind: counter, code: rolling, unit: s, period: day, roll_over: {of: 5 s, periods: 2}}",
    *(
        f"kind: price_plan\ncode: {code}\ncurrency: EUR\nversions:\n- start: '2026-01-01T00:00:00Z'\n  model: graduated\n"
        f"  per: 1 s\n  counter: {code}\n  tiers: [{{up_to: 5 s, price: '0'}}, {{up_to: 9 s, price: '2'}}, {{price: '1'}}]"
        for code in ("day", "month", "peak", "rolling")
    ),
    "{kind: charge, code: day, event_type: voice, price_plan: day}",
    "{kind: charge, code: month, event_type: voice, price_plan: month}",
    "{kind: charge, code: peak, event_type: voice, price_plan: peak}",
    "{kind: charge, code: rolling, event_type: voice, price_plan: rolling}",
    "{kind: offer, code: daily, charges: [day]}",
    "{kind: offer, code: monthly, charges: [month]}",
    "{kind: offer, code: peaks, charges: [peak]}",
    "{kind: offer, code: rolling, charges: [rolling]}",
    "{kind: account, code: ana, currency: EUR}",
    "kind: account\ncode: ben\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: '7'}, "
    "{code: credit, type: prepaid, priority: 2, opening_balance: '9'}]",
    *(
        f"{{kind: subscription, code: {code}, account: {account}, offer: {offer}, access_points: [{{id: '{code}'}}]}}"
        for code, account, offer in (
            ("a1", "ana", "daily"),
            ("a2", "ana", "monthly"),
            ("a3", "ana", "rolling"),
            ("a4", "ana", "peaks"),
            ("b1", "ben", "daily"),
        )
    ),
)
START = instant("2026-03-26T00:00:00Z")
HOUR_US = 3_600_000_000
usage = st.lists(
    st.tuples(st.sampled_from(["a1", "a2", "a3", "a4", "b1"]), st.integers(0, 24 * 12), st.integers(0, 8)),
    min_size=1, max_size=14, unique_by=lambda use: use[1],
).map(lambda uses: [Use(code, "voice", START + hour * HOUR_US, quantity * 1000) for code, hour, quantity in uses])  # fmt: skip
"""Twelve days, of which a counter by the day keeps four; the clock changes on the fourth."""


def take_back(world: World, edrs: EdrBlock, rated: RatedBlock) -> None:
    """Take back every item of a block."""
    rows = np.flatnonzero(rated.reason == 0)
    some = select_edrs(edrs, rows)
    version = np.ascontiguousarray(rated.charge_version[rows])
    counts = np.bincount(rated.split_row, minlength=len(rated.reason))[rows]
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    found = find_counters(some.event_at, some.subscription, version, world.image.tariff)
    items = RatedItems(
        rated.rated_quantity[rows], rated.amount[rows], rated.wallet[rows], *found, ptr, rated.split_wallet,
        rated.split_amount,
    )  # fmt: skip
    reverse(items, world.state)


def again(world: World, edrs: EdrBlock, rated: RatedBlock) -> tuple[EdrBlock, RatedBlock]:
    """Rate everything again, in the order of events."""
    take_back(world, edrs, rated)
    past = begin(world.state)
    order = np.argsort(edrs.event_at, kind="stable")
    names = [item.name for item in fields(edrs) if item.name not in ("position", "values")]
    ordered = replace(edrs, **{name: getattr(edrs, name)[order] for name in names})
    found = rate(ordered, world.image, past)
    settle(world.state, past, rolling_slots(world.vocabulary.counters))
    return ordered, found


def prices(edrs: EdrBlock, rated: RatedBlock) -> dict[int, tuple[int, int]]:
    """Return what each usage costs, or why it costs nothing, by its instant."""
    return {
        int(at): (int(reason), int(amount))
        for at, reason, amount in zip(edrs.event_at, rated.reason, rated.amount, strict=True)
    }


def counted(world: World) -> dict[tuple[int, int], int]:
    """Return what every counter counts, by slot and period, where it is more than nothing."""
    state = world.state
    slot, cell = np.nonzero(state.counter_used)
    periods, used = state.counter_period[slot, cell], state.counter_used[slot, cell]
    return dict(zip(zip(slot.tolist(), periods.tolist(), strict=True), used.tolist(), strict=True))


def is_passed(world: World, slot: int, period: int) -> bool:
    """Return whether a later period took the place of this one, which is closed then, even if nothing counts in the later one."""
    stored = world.state.counter_period[slot]
    kept = int(stored[(period >> 2) % len(stored)])
    return kept > period and kept & 3 == period & 3


def balances(world: World) -> list[int]:
    return [world.state.balance(wallet) for wallet in range(world.state.wallet_count)]


@settings(max_examples=80)
@given(uses=usage)
@example(
    uses=[
        Use("b1", "voice", START + hour * HOUR_US, quantity * 1000)
        for hour, quantity in ((0, 1), (24, 6), (286, 8), (23, 6))
    ]
)  # in the order of events the last one cannot be paid, but its day took the place of the first
def test_any_order_of_arrival_ends_as_the_order_of_events(uses: list[Use]) -> None:
    came, orderly = World(CATALOG), World(CATALOG)
    edrs = came.block(uses)
    ordered, found = again(came, edrs, rate(edrs, came.image, came.state))
    expected = orderly.rate(sorted(uses, key=lambda use: use.at))
    assert prices(ordered, found) == prices(ordered, expected)
    assert balances(came) == balances(orderly)
    assert counted(came) == {key: used for key, used in counted(orderly).items() if not is_passed(came, *key)}
    # and once more changes nothing
    held, counts = balances(came), counted(came)
    once_more, repeated = again(came, ordered, found)
    assert prices(once_more, repeated) == prices(ordered, found)
    assert (balances(came), counted(came)) == (held, counts)
    # what is counted and paid from now on goes on from there
    later = [Use(code, "voice", START + 24 * 13 * HOUR_US, 3000) for code in ("a1", "a2", "a3", "a4", "b1")]
    assert came.rate(later).amount.tolist() == orderly.rate(later).amount.tolist()


def test_usage_of_a_period_that_is_no_longer_kept_is_counted_anew() -> None:
    world = World(CATALOG)
    old, new = Use("a1", "voice", START, 8000), Use("a1", "voice", START + 24 * 8 * HOUR_US, 7000)
    edrs = world.block([new, old])
    rated = rate(edrs, world.image, world.state)
    assert rated.reason[1] != 0
    _, found = again(world, edrs, rated)
    assert found.amount.tolist() == [6 * 10**9, 4 * 10**9]
    # the latest period of the cell is what stays
    assert list(counted(world).values()) == [7000]


def test_a_newer_period_is_left_as_it_is_when_only_an_older_one_is_rated_again() -> None:
    world = World(CATALOG)
    edrs = world.block([Use("a1", "voice", START, 8000)])
    rated = rate(edrs, world.image, world.state)
    world.rate([Use("a1", "voice", START + 24 * 8 * HOUR_US, 7000)])
    held = counted(world)
    _, found = again(world, edrs, rated)
    assert found.amount.tolist() == rated.amount.tolist()
    assert counted(world) == held


# ---- cells and groups


def test_cells_are_of_the_slots_that_subscriptions_own() -> None:
    world = World(CATALOG)
    tariff = world.image.tariff
    for code in ("a1", "a2", "b1"):
        (subscription,) = ids = np.array([world.vocabulary.subscriptions.id(code)])
        slots = slots_of(tariff, ids)
        assert len(slots) == 1
        assert owners_of_slots(tariff, slots).tolist() == [subscription]
    assert owners_of_slots(tariff, np.array([99])).tolist() == []
    found = cells_of(np.array([-1, 2, 2], np.int32), np.array([5, 7, -1], np.int32), np.array([[3, 4]], np.int32))
    assert found.tolist() == [NO_CELL, 2 << 32 | 7, 2 << 32 | 0xFFFFFFFF]
    names = world.vocabulary.counters
    assert not shared_slots(names, np.arange(len(names)))
    assert shared_slots(NameTable(pl.Series(["a1/day", "group/g/day", "account/a/day"])), np.array([0, 2]))
    pairs = rolling_slots(names)
    ((rolling, companion),) = pairs.tolist()
    assert (names.name(rolling), names.name(companion)) == ("a3/rolling", "a3/rolling#left")
    assert extent_of(cells_of(np.array([rolling]), np.array([681 * 4 + 1], np.int32), pairs)) is None


@pytest.mark.parametrize(
    ("kind", "number", "begins", "ends"),
    [
        (0, 20_000, "2024-10-03", "2024-10-06"),
        (1, 681, "2026-09-30", "2026-11-02"),
        (2, 56, "2025-12-31", "2027-01-02"),
    ],
)
def test_a_period_lies_within_its_extent(kind: int, number: int, begins: str, ends: str) -> None:
    extent = extent_of(np.array([7 << 32 | number * 4 + kind]))
    assert extent == (instant(f"{begins}T00:00:00Z"), instant(f"{ends}T00:00:00Z"))
    assert extent_of(np.array([7 << 32 | number * 4 + kind, 7 << 32 | 3])) is None


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2026-10-01"), ("Asia/Tokyo", "2026-10-01"), ("America/New_York", "2026-09-30")]
)
def test_periods_are_looked_for_where_they_begin_in_their_zone(zone: str, day: str) -> None:
    at = instant("2026-10-01T00:30:00Z")
    told = [period_start(at, period, zone) for period in ("day", "month", "year", "ever")]
    begins = [day, f"{day[:7]}-01", "2026-01-01"]
    assert told == [*(instant(f"{one}T00:00:00Z") - MARGIN_US for one in begins), None]


def test_months_that_begin_late_are_looked_for_where_they_do() -> None:
    at = instant("2026-10-14T22:30:00Z")  # the 15th in Paris, the 14th in London
    begins = {zone: period_start(at, "month", zone, 15) for zone in ("Europe/Paris", "Europe/London")}
    assert begins == {
        "Europe/Paris": instant("2026-10-15T00:00:00Z") - MARGIN_US,
        "Europe/London": instant("2026-09-15T00:00:00Z") - MARGIN_US,
    }
    cells = np.array([7 << 32 | 681 * 4 + 1])
    found = extent_of(cells, months_may_begin_late=True)
    assert found == (instant("2026-09-30T00:00:00Z"), instant("2026-11-29T00:00:00Z"))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), max_size=12))
def test_what_shares_a_number_is_in_one_component(pairs: list[tuple[int, int]]) -> None:
    groups = [np.array([pair[place] for pair in pairs], np.int64) for place in (0, 1)]
    label = components(groups, len(pairs)).tolist()
    expected = list(range(len(pairs)))  # the slow way: until nothing moves
    for _ in pairs:
        for one in range(len(pairs)):
            for other in range(len(pairs)):
                if any(pairs[one][place] == pairs[other][place] >= 0 for place in (0, 1)):
                    expected[one] = expected[other] = min(expected[one], expected[other])
    assert label == expected
