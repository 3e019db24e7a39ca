"""Keys that leave the window: exactly those, wherever they are, and for good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_world import DAY_US, START_US, held_keys

from pipelines.resource.dedup import DedupWindow
from pipelines.resource.kernels import dedup as verdicts
from pipelines.resource.release import release_keys
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot

Key = tuple[int, int, int]
"""Identity high and low, event day."""
keys = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 2)), max_size=30)


def columns(found: list[Key]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([hi for hi, _, _ in found], np.uint64),
        np.array([lo for _, lo, _ in found], np.uint64),
        np.array([START_US + day * DAY_US for _, _, day in found], np.int64),
    )


def take(window: DedupWindow, found: list[Key]) -> list[int]:
    """Take keys; return the verdicts."""
    hi, lo, at = columns(found)
    everything = np.ones(len(found), np.bool_)
    return window.decide(hi, lo, np.full(len(found), 7, np.uint64), at, everything, everything).verdict.tolist()


@settings(max_examples=100)
@given(held=keys, gone=keys)
def test_exactly_the_keys_that_are_released_can_come_again(held: list[Key], gone: list[Key]) -> None:
    window = DedupWindow()
    take(window, held)
    assert release_keys(window, *columns(gone)) == len({*held} & {*gone})
    left = sorted({*held} - {*gone})
    assert take(window, left) == [verdicts.DUPLICATE] * len(left)
    back = sorted({*held} & {*gone})
    assert take(window, back) == [verdicts.NEW] * len(back)
    assert window.key_count == len({*held})


def test_a_released_key_stays_away_after_a_snapshot(tmp_path: Path) -> None:
    state = StageState.empty()
    many = [(1, number, 0) for number in range(1, 6000)]
    take(state.resource.dedup, many)
    write_snapshot(tmp_path, state)
    assert release_keys(state.resource.dedup, *columns(many[10:20])) == 10
    state.claim += 1
    write_snapshot(tmp_path, state)
    again = read_latest_snapshot(tmp_path, print)
    assert again is not None
    assert held_keys(again.resource) == held_keys(state.resource)
    assert take(again.resource.dedup, many[9:21]) == [verdicts.DUPLICATE, *[verdicts.NEW] * 10, verdicts.DUPLICATE]


def test_keys_of_a_day_that_nobody_remembers_are_no_matter() -> None:
    window = DedupWindow()
    take(window, [(0, 1, 0)])
    assert release_keys(window, *columns([(0, 1, 1)])) == 0
    assert release_keys(window, *columns([])) == 0
    assert take(window, [(0, 1, 0)]) == [verdicts.DUPLICATE]
