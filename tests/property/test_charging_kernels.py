"""Small kernels of online charging beside the obvious way to say the same."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.account.kept import ITEM, Items
from rating.kernels.balance import WALLET_SPLIT
from rating.kernels.layout import SUBSCRIPTION_COLUMNS, VERSION_COLUMNS, VERSION_ID, WALLET_COUNT, WALLET_PTR
from rating.kernels.reverse import largest_version, locate_versions, unexpected
from rating.kernels.totals import bounds, in_money
from rating.trial import reached_wallets

small = st.integers(-(2**40), 2**40)
units = st.lists(st.integers(-1, 2), max_size=6)


@given(counts=st.lists(st.integers(0, 3), max_size=9), data=st.data(), units=units)
def test_items_of_requests_are_taken_and_summed(counts: list[int], data: st.DataObject, units: list[int]) -> None:
    n = sum(counts)
    rows = np.zeros(n, ITEM)
    rows["amount"] = data.draw(st.lists(small, min_size=n, max_size=n))
    rows["charge_version"] = data.draw(st.lists(st.integers(-1, 8), min_size=n, max_size=n))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items = Items(ends, rows, np.zeros(0, rows.dtype))
    order = data.draw(st.lists(st.integers(0, max(len(counts) - 1, 0)), max_size=9 if counts else 0))
    taken = items.take(np.array(order, np.int64))
    assert taken.rows["amount"].tolist() == [a for i in order for a in rows["amount"][ends[i] : ends[i + 1]].tolist()]
    assert np.diff(taken.ptr).tolist() == [counts[i] for i in order]
    money = [not 0 <= v < len(units) or units[v] < 0 for v in rows["charge_version"].tolist()]
    found = np.empty(n, np.bool_)
    in_money(np.array(rows["charge_version"]), np.array(units, np.int32), found)
    assert found.tolist() == money
    image: Any = SimpleNamespace(in_money=lambda version: found)
    amounts = [a if is_money else 0 for a, is_money in zip(rows["amount"].tolist(), money, strict=True)]
    assert items.amounts(image).tolist() == [sum(amounts[a:b]) for a, b in pairwise(ends)]


@given(wallets=st.lists(st.lists(st.integers(0, 20), max_size=3), min_size=1, max_size=6), data=st.data())
def test_wallets_that_a_frame_may_move_come_once_in_order(wallets: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(-1, len(wallets) - 1), max_size=8))
    more = data.draw(st.lists(st.integers(0, 20), max_size=4))
    rows = np.zeros((len(wallets), SUBSCRIPTION_COLUMNS), np.int32)
    rows[:, WALLET_COUNT] = [len(some) for some in wallets]
    rows[:, WALLET_PTR] = np.cumsum(rows[:, WALLET_COUNT]) - rows[:, WALLET_COUNT]
    joined = np.array([number for some in wallets for number in some], np.int32)
    image: Any = SimpleNamespace(
        tariff=SimpleNamespace(subscription_row=rows, account_wallet=joined), wallets_max=max(map(len, wallets))
    )
    found = reached_wallets(np.array(chosen, np.int32), image, np.array(more, np.int64))
    assert found.tolist() == sorted({*more, *(number for at in chosen if at >= 0 for number in wallets[at])})


@given(ids=st.lists(st.integers(0, 12), unique=True, max_size=6), data=st.data())
def test_charge_versions_are_found_where_the_tariff_has_them(ids: list[int], data: st.DataObject) -> None:
    asked = data.draw(st.lists(st.integers(-1, 14), max_size=5))
    owners = data.draw(st.lists(st.integers(-1, 3), min_size=len(asked), max_size=len(asked)))
    rows = np.zeros((len(ids), VERSION_COLUMNS), np.int32)
    rows[:, VERSION_ID] = ids
    assert largest_version(rows) == max(ids, default=-1)
    version = np.empty(len(asked), np.int64)
    places = np.empty(max(ids, default=-1) + 1, np.int64)
    known = locate_versions(np.array(asked, np.int32), np.array(owners, np.int32), rows, 3, places, version)
    assert known == all(one in ids and 0 <= owner < 3 for one, owner in zip(asked, owners, strict=True))
    if known:
        assert version.tolist() == [ids.index(one) for one in asked]


@given(rows=st.lists(st.tuples(small, st.integers(-1, 2**31 - 1)), min_size=1, max_size=6))
def test_bounds_of_usage(rows: list[tuple[int, int]]) -> None:
    quantity, subscription = zip(*rows, strict=True)
    found = bounds(np.array(quantity, np.int64), np.array(subscription, np.int32))
    assert tuple(map(int, found)) == (min(quantity), max(quantity), min(subscription), max(subscription))


@pytest.mark.parametrize(
    ("slot", "wallet", "quantity", "amount", "found"),
    [
        (1, 1, 5, 5, 0),
        (-1, -2, 0, 0, 0),
        (2, 1, 5, 5, 1),
        (1, 3, 5, 5, 2),
        (1, 1, 5, -1, 3),
        (1, 1, -5, -1, 0),
        (1, 1, -5, 1, 3),
        (1, WALLET_SPLIT, -5, -1, 3),
        (1, WALLET_SPLIT, 5, 1, 0),
    ],
)
def test_items_that_no_state_rated_are_told(slot: int, wallet: int, quantity: int, amount: int, found: int) -> None:
    columns = (np.array([slot], np.int32), np.array([wallet], np.int32), np.array([quantity]), np.array([amount]))
    assert unexpected(*columns, 2, 3) == found
