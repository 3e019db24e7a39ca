"""Open balances from one fact to the next, against a dict of integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.account.chain import Chain, UnableToChain
from pipelines.account.kept import ITEM, PART, Items
from rating.state import AccountState
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT

WALLETS = (1, 4, 5)
COUNT = 7
amounts = st.sampled_from((0, 1, 2**32, 2**63 - 1, 5 * 10**9))
moved = st.one_of(
    st.just([]),
    st.lists(st.tuples(st.sampled_from(WALLETS), amounts), min_size=1, max_size=3),
)


def state_of(balances: list[int], reserved: list[int] | None, overdraft: list[int] | None) -> AccountState:
    state = AccountState()
    state.balances = (
        np.array([(value >> 64 & 2**64 - 1, value & 2**64 - 1) for value in balances], object)
        .astype(np.uint64)
        .view(np.int64)
    )
    state.reserved, state.overdraft = (None if held is None else np.array(held) for held in (reserved, overdraft))
    return state


def items_of(moves: list[list[tuple[int, int]]]) -> Items:
    rows, parts = np.zeros(len(moves), ITEM), []
    for row, move in zip(rows, moves, strict=True):
        row["wallet"] = {0: WALLET_NONE, 1: move[0][0] if move else 0}.get(len(move), WALLET_SPLIT)
        row["amount"] = move[0][1] if len(move) == 1 else 7
        row["part_count"] = len(move) if len(move) > 1 else 0
        parts += move if len(move) > 1 else []
    return Items(np.arange(len(moves) + 1), rows, np.array(parts, PART))


def told(hi: np.ndarray, lo: np.ndarray) -> list[int]:
    return [(upper << 64) + lower for upper, lower in zip(hi.tolist(), lo.tolist(), strict=True)]


held = st.lists(st.integers(0, 2**62), min_size=COUNT, max_size=COUNT)


@settings(max_examples=60)
@given(
    balances=st.lists(st.integers(-(2**100), 2**100) | st.integers(-3, 3), min_size=COUNT, max_size=COUNT),
    reserved=st.none() | held,
    overdraft=st.none() | held,
    moves=st.lists(moved, max_size=6),
    is_back=st.booleans(),
)
def test_what_wallets_hold_follows_item_by_item(
    balances: list[int],
    reserved: list[int] | None,
    overdraft: list[int] | None,
    moves: list[list[tuple[int, int]]],
    is_back: bool,
) -> None:
    state = state_of(balances, reserved, overdraft)
    wallets = np.array(WALLETS, np.int64)
    chain = Chain.of(wallets, state)
    holds = state.open_balances(wallets)
    assert told(chain.hi, chain.lo) == list(holds.values())
    assert chain.holds_as(state)
    alone: list[int] = []
    after: list[int] = []
    for move in moves:
        for wallet, amount in move:
            holds[wallet] += amount if is_back else -amount
            if len(move) > 1:
                after.append(holds[wallet])
        alone.append(holds[move[0][0]] if len(move) == 1 else 0)
    alone_hi, alone_lo, split_hi, split_lo = chain.follow(items_of(moves), is_back=is_back)
    assert (told(alone_hi, alone_lo), told(split_hi, split_lo)) == (alone, after)
    assert told(chain.hi, chain.lo) == list(holds.values())
    assert chain.holds_as(state) == (holds == state.open_balances(wallets))


@pytest.mark.parametrize(("move", "is_back"), [((3, 1), False), ((6, 1), False), ((4, 1), True), ((5, 1), False)])
def test_what_cannot_be_is_refused(move: tuple[int, int], is_back: bool) -> None:
    state = state_of([0, 0, 0, 0, 2**127 - 1, -(2**127), 0], None, None)
    with pytest.raises(UnableToChain, match="item 1 moves"):
        Chain.of(np.array(WALLETS, np.int64), state).follow(items_of([[(1, 1)], [move]]), is_back=is_back)
