"""Features beside each other in one catalog: kernels and twin agree, where blocks are cut is no matter, and neither is the order
in which usage arrives, once it is settled in the order of events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_strategies import mixed_catalogs, mixed_usage, sold
from numba import config
from rating_items import rated_items
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from

from pipelines.account.stage import with_reserved
from rating.history import begin, settle
from rating.periods import rolling_slots
from rating.rate import rate
from rating.reversal import reverse
from schemas.edr import EdrBlock
from schemas.rated_item import RatedBlock

EXAMPLES = 5 if config.DISABLE_JIT else 25


@settings(max_examples=EXAMPLES)
@given(documents=mixed_catalogs(), uses=mixed_usage(-90_000), cut=st.integers(0, 18))
def test_kernels_and_twin_agree_and_halves_are_the_block(
    documents: list[dict[str, Any]], uses: list[Use], cut: int
) -> None:
    catalog, uses = catalog_from(*yaml_of(documents)), sold(uses, documents)
    world, halves = World(catalog), World(catalog)
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    assert {wallet: world.balance(wallet) for wallet in world.twin_state.balances} == world.twin_state.balances
    for (holder, counter, cell), kept in world.twin_state.counters.items():
        slot = world.vocabulary.counters.id(f"{holder}/{counter}")
        assert world.state.counter_used[slot, cell] == kept.used
    assert items == [item for some in (uses[:cut], uses[cut:]) for item in halves.items(halves.rate(some))]
    assert world.state.checksum() == halves.state.checksum()


@settings(max_examples=EXAMPLES)
@given(documents=mixed_catalogs(), uses=mixed_usage())
def test_any_order_of_arrival_ends_as_the_order_of_events(documents: list[dict[str, Any]], uses: list[Use]) -> None:
    catalog, uses = catalog_from(*yaml_of(documents)), sold(uses, documents)
    came, orderly = World(catalog), World(catalog)
    ordered = sorted(uses, key=lambda use: use.at)
    edrs = came.block(uses)
    first = _again(came, edrs, rate(edrs, came.image, came.state), ordered)
    expected = orderly.items(orderly.rate(ordered))
    assert came.items(first) == expected
    assert _stands(came) == _stands(orderly)
    # and once more changes nothing
    assert came.items(_again(came, came.rated, first, ordered)) == expected
    assert _stands(came) == _stands(orderly)


def _again(world: World, edrs: EdrBlock, rated: RatedBlock, ordered: list[Use]) -> RatedBlock:
    """Take back every item of a block and rate its usage again, in the order of events."""
    items = rated_items(world, edrs, rated)
    grown = rated.growths
    if grown is not None:
        items = replace(items, grown_slot=grown.slot, grown_period=grown.period, grown_by=grown.by)
    reverse(items, world.state)
    past = begin(world.state)
    world.rated = world.block(ordered)
    found = with_reserved(rate(world.rated, world.image, past), past)
    settle(world.state, past, rolling_slots(world.vocabulary.counters))
    return found


def _stands(world: World) -> dict[tuple[str, str, int], int]:
    """Return what is in wallets, counters and accumulators, the latter by cell, where that is anything."""
    state, names = world.state, world.vocabulary
    found = {("wallet", name, 0): world.balance(name) for name in names.wallets.names.to_list()}
    found |= {
        ("counter", name, int(period)): int(used)
        for slot, name in enumerate(names.counters.names.to_list())
        for period, used in zip(state.counter_period[slot], state.counter_used[slot], strict=True)
    }
    found |= {
        ("accumulator", name, cell): state.accumulator(slot, cell)
        for slot, name in enumerate(names.accumulators.names.to_list())
        for cell in range(state.accumulated_period.shape[1])
    }
    return {key: value for key, value in found.items() if value}
