"""The index of requests against a dict, while it moves from table to table."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.account.request_index import CAPACITY_MIN, RequestIndex

# few values in the low half: keys crowd at a slot
keys = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=300)


@settings(max_examples=40)
@given(bursts=st.lists(keys, max_size=6), forgotten=st.integers(0, 400))
def test_it_finds_what_a_dict_finds(bursts: list[list[tuple[int, int]]], forgotten: int) -> None:
    index, twin, place = RequestIndex(), {}, 0
    index.table, index.old = np.zeros((4, 3), np.uint64), np.zeros((1, 3), np.uint64)
    for number, burst in enumerate(bursts):
        fresh = [key for key in dict.fromkeys(burst) if key not in twin]
        hi, lo = (np.array([key[half] for key in fresh], np.uint64) for half in (0, 1))
        index.put(hi, lo, np.arange(place, place + len(fresh)))
        twin.update({key: place + offset for offset, key in enumerate(fresh)})
        place += len(fresh)
        if number == 2:
            kept = {key: at for key, at in twin.items() if at >= min(forgotten, place)}
            index.forget(min(forgotten, place), len(twin) - len(kept))
            twin = kept
        every = [(hi, lo) for hi in range(51) for lo in range(4)]
        found = index.find(*(np.array([key[half] for key in every], np.uint64) for half in (0, 1)))
        assert len(index) == len(twin)
        assert found.tolist() == [twin.get(key, -1) for key in every]


def test_a_put_moves_a_few_slots_only_and_what_is_forgotten_takes_no_room() -> None:
    index = RequestIndex()
    most = 0
    for first in range(0, 40_000, 50):
        lo = np.arange(first, first + 50, dtype=np.uint64)
        before = index.swept if index.swept < len(index.old) else 0
        index.put(np.zeros(50, np.uint64), lo * np.uint64(0x9E3779B97F4A7C15), np.arange(first, first + 50))
        if index.swept < len(index.old) and index.swept > before:
            most = max(most, index.swept - before)
        index.forget(max(0, first - 1000), 50 if first > 1000 else 0)
    assert most <= 16 * 50
    assert len(index.table) <= 16 * CAPACITY_MIN
