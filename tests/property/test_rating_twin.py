"""The kernels and their twin give the same answer to the last unit, on whole random catalogs and usage."""

from __future__ import annotations

from pathlib import Path

from catalog_texts import CATALOG, write_catalog
from hypothesis import given, settings
from numba import config
from rating_strategies import catalogs, usage, yaml_of
from rating_world import Use, World, catalog_from

from billing.catalog.store import load_catalog
from rating.kernels.rate import rate_rows

EXAMPLES = 25 if config.DISABLE_JIT else 150


@settings(max_examples=EXAMPLES)
@given(documents=catalogs(), first=usage, second=usage)
def test_kernels_and_twin_agree(documents: list[dict], first: list[Use], second: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    for uses in (first, second):
        assert world.items(world.rate(uses)) == world.rate_twin(uses)
    assert {wallet: world.balance(wallet) for wallet in world.twin_state.balances} == world.twin_state.balances
    for (holder, counter, cell), kept in world.twin_state.counters.items():
        slot = world.vocabulary.counters.id(f"{holder}/{counter}")
        assert world.state.counter_used[slot, cell] == kept.used


@settings(max_examples=EXAMPLES // 3)
@given(documents=catalogs(), changed=catalogs(), first=usage, second=usage)
def test_they_agree_when_another_catalog_takes_over(
    documents: list[dict], changed: list[dict], first: list[Use], second: list[Use]
) -> None:
    before = World(catalog_from(*yaml_of(documents)))
    assert before.items(before.rate(first)) == before.rate_twin(first)
    after = World(catalog_from(*yaml_of(changed)), before)
    assert after.items(after.rate(second)) == after.rate_twin(second)


def test_the_kernels_are_compiled(tmp_path: Path) -> None:
    World(load_catalog(write_catalog(tmp_path, CATALOG))).rate([])
    assert rate_rows.signatures
