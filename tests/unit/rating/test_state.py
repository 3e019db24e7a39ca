"""Account state: growth, credits, snapshots."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rating.kernels.layout import PERIOD_NONE
from rating.state import AccountState, UnableToCredit, UnableToLoadState
from rating.vocabulary import Vocabulary


def vocabulary(counters: int, wallets: int) -> Vocabulary:
    names = Vocabulary()
    names.counters.extend(pl.Series([f"c{index}" for index in range(counters)], dtype=pl.String))
    names.wallets.extend(pl.Series([f"w{index}" for index in range(wallets)], dtype=pl.String))
    return names


def state(counters: int = 2, wallets: int = 3) -> AccountState:
    made = AccountState()
    made.grow(vocabulary(counters, wallets))
    return made


def credit(to: AccountState, *amounts: tuple[int, int]) -> None:
    to.credit(
        np.array([wallet for wallet, _ in amounts], np.int32), np.array([amount for _, amount in amounts], np.int64)
    )


def test_growing_keeps_what_was_there_and_starts_the_rest_at_zero() -> None:
    grown = state()
    credit(grown, (1, -5), (2, 7))
    grown.counter_used[1, 2], grown.counter_period[1, 2] = 9, 4
    grown.grow(vocabulary(4, 5))
    assert [grown.balance(wallet) for wallet in range(5)] == [0, -5, 7, 0, 0]
    assert grown.counter_used[1, 2] == 9
    assert (grown.counter_period[2:] == PERIOD_NONE).all()
    assert grown.counter_used[2:].sum() == 0


def test_growing_never_shrinks() -> None:
    grown = state(4, 5)
    grown.grow(vocabulary(1, 1))
    assert len(grown.counter_used) == 4
    assert grown.wallet_count == 5


def test_credits_and_debits_add_up_beyond_64_bits() -> None:
    rich = state()
    credit(rich, *[(0, 2**63 - 1)] * 4, *[(1, -(2**63))] * 3)
    assert rich.balance(0) == 4 * (2**63 - 1)
    assert rich.balance(1) == -3 * 2**63
    assert rich.balance(2) == 0


def test_a_credit_that_does_not_fit_is_refused() -> None:
    rich = state()
    rich.balance_hi[0], rich.balance_lo[0] = 2**63 - 1, 2**64 - 1
    with pytest.raises(UnableToCredit, match="128 bits"):
        credit(rich, (0, 1))
    assert rich.balance(0) == 2**127 - 1


@pytest.mark.parametrize("wallet", [-1, 3])
def test_a_credit_to_a_wallet_that_does_not_exist_changes_nothing(wallet: int) -> None:
    poor = state()
    before = poor.checksum()
    with pytest.raises(UnableToCredit, match="no such wallet"):
        credit(poor, (0, 1), (wallet, 1))
    assert poor.checksum() == before


def test_a_snapshot_is_a_copy_with_the_same_checksum() -> None:
    original = state()
    credit(original, (1, 5))
    copy = AccountState.from_arrays(original.to_arrays())
    assert copy.checksum() == original.checksum()
    credit(copy, (1, 1))
    assert (original.balance(1), copy.balance(1)) == (5, 6)
    assert copy.checksum() != original.checksum()


def test_arrays_read_from_a_file_become_writable() -> None:
    arrays = {name: np.array(array) for name, array in state().to_arrays().items()}
    for array in arrays.values():
        array.flags.writeable = False
    assert all(array.flags.writeable for array in AccountState.from_arrays(arrays).to_arrays().values())


def test_every_array_counts_in_the_checksum() -> None:
    seen = {state().checksum()}
    for name in state().to_arrays():
        changed = state()
        getattr(changed, name).flat[0] = 3
        seen.add(changed.checksum())
    assert len(seen) == 5


@pytest.mark.parametrize("name", ["counter_period", "counter_used", "balance_hi", "balance_lo"])
def test_a_damaged_snapshot_is_refused(name: str) -> None:
    arrays = state().to_arrays()
    for damaged in (
        {key: value for key, value in arrays.items() if key != name},
        arrays | {name: arrays[name].astype(np.float64)},
        arrays | {name: arrays[name][:1]},
        arrays | {name: arrays[name][..., np.newaxis]},
        arrays | {"more": arrays[name]},
    ):
        with pytest.raises(UnableToLoadState):
            AccountState.from_arrays(damaged)
