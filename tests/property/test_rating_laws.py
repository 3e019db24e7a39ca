"""Laws of rating that hold for every catalog and every usage."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rating_strategies import catalogs, usage, yaml_of
from rating_world import Use, World, catalog_from

from rating.rate import account_of, exact_sum
from rating.state import AccountState

EXAMPLES = 40
FEW_CATALOGS = settings(max_examples=EXAMPLES)


@FEW_CATALOGS
@given(documents=catalogs(), uses=usage, cut=st.integers(0, 40))
def test_a_block_is_rated_like_its_halves(documents: list[dict], uses: list[Use], cut: int) -> None:
    catalog = catalog_from(*yaml_of(documents))
    whole, halves = World(catalog), World(catalog)
    together = whole.items(whole.rate(uses))
    apart = halves.items(halves.rate(uses[:cut])) + halves.items(halves.rate(uses[cut:]))
    assert together == apart
    assert whole.state.checksum() == halves.state.checksum()


@FEW_CATALOGS
@given(documents=catalogs(), uses=usage, data=st.data())
def test_the_order_across_charge_groups_does_not_matter(
    documents: list[dict], uses: list[Use], data: st.DataObject
) -> None:
    catalog = catalog_from(*yaml_of(documents))
    world, other = World(catalog), World(catalog)
    group = world.image.charge_group[account_of(world.block(uses), world.image)].tolist()
    lanes = {owner: [row for row, of in enumerate(group) if of == owner] for owner in set(group)}
    order: list[int] = []
    while any(lanes.values()):
        lane = data.draw(st.sampled_from(sorted(owner for owner, rows in lanes.items() if rows)))
        order.append(lanes[lane].pop(0))
    straight = world.items(world.rate(uses))
    mixed = other.items(other.rate([uses[row] for row in order]))
    assert mixed == [straight[row] for row in order]
    assert world.state.checksum() == other.state.checksum()


@FEW_CATALOGS
@given(documents=catalogs(), uses=usage)
def test_wallets_lose_what_items_cost_and_nothing_else(documents: list[dict], uses: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    wallets = world.vocabulary.wallets.names.to_list()
    before = {wallet: world.balance(wallet) for wallet in wallets}
    block = world.block(uses)
    rated = world.rate(uses)
    account = account_of(block, world.image)
    lost = {wallet: before[wallet] - world.balance(wallet) for wallet in wallets}
    assert sum(lost.values()) == exact_sum(rated.amount)
    shared = [
        wallet
        for each in documents
        for wallet in each.get("wallets", ())
        if wallet.get("shared_by", "account") != "account"
    ]
    if not shared:
        for owner in ("a", "b"):
            mine = account == world.vocabulary.accounts.id(owner)
            paid = sum(of for wallet, of in lost.items() if wallet.startswith(f"{owner}/"))
            assert paid == exact_sum(rated.amount[mine])
    assert (rated.amount >= 0).all()
    assert (rated.amount[rated.reason != 0] == 0).all()


@FEW_CATALOGS
@given(documents=catalogs(), first=usage, second=usage)
def test_replaying_from_a_snapshot_changes_nothing(documents: list[dict], first: list[Use], second: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    world.rate(first)
    snapshot = {name: array.copy() for name, array in world.state.to_arrays().items()}
    once, end = world.items(world.rate(second)), world.state.checksum()
    world.state = AccountState.from_arrays(snapshot)
    assert world.items(world.rate(second)) == once
    assert world.state.checksum() == end


@FEW_CATALOGS
@given(documents=catalogs(), uses=usage)
def test_a_refused_event_leaves_no_trace(documents: list[dict], uses: list[Use]) -> None:
    catalog = catalog_from(*yaml_of(documents))
    world, without = World(catalog), World(catalog)
    rated = world.rate(uses)
    without.rate([use for use, reason in zip(uses, rated.reason.tolist(), strict=True) if reason == 0])
    assert world.state.checksum() == without.state.checksum()
