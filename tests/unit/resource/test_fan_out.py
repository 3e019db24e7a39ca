"""Shared access points: one record with one key, and an EDR for every subscription that has the access point then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_world import START_US, Row, Stage, Window, access_index, cdr_block, held_keys, openings

from pipelines.resource.kernels import attribute as kernels
from pipelines.resource.stage import ResourceState, process
from schemas.cdr import BlockPosition
from schemas.edr import EdrBlock
from schemas.rejection import Reason

SHARED: dict[int, list[Window]] = {
    1: [(0, START_US + 100, 12, 1), (0, START_US + 200, 10, 1), (START_US + 50, START_US + 300, 11, 1)],
    2: [(0, START_US + 1000, 20, 2)],
}


def _branches(edrs: EdrBlock) -> list[tuple[int, int, int]]:
    """Return (record, branch, subscription) of every EDR."""
    return list(zip(edrs.record.tolist(), edrs.branch.tolist(), edrs.subscription.tolist(), strict=True))


def _processed(rows: list[Row], state: ResourceState | None = None) -> tuple[list[int], EdrBlock]:
    block = cdr_block(rows, BlockPosition(3, 0, 40))
    found = process(
        block,
        access_index(SHARED),
        state if state is not None else ResourceState(),
        stage_time=START_US,
        conflict_is_duplicate=False,
    )
    return found.reason.tolist(), found.edrs


@pytest.mark.parametrize(
    ("at", "owners"),
    [
        (START_US - 1, [10, 12]),  # the same start: by subscription
        (START_US + 50, [10, 12, 11]),
        (START_US + 99, [10, 12, 11]),
        (START_US + 100, [10, 11]),
        (START_US + 200, [11]),
        (START_US + 300, None),
    ],
)
def test_every_window_that_contains_the_instant_gives_a_branch(at: int, owners: list[int] | None) -> None:
    reason, edrs = _processed([Row(key=1, at=at)])
    if owners is None:
        assert (reason, len(edrs)) == ([Reason.ACCESS_POINT_NOT_VALID_AT], 0)
    else:
        assert reason == [0]
        assert _branches(edrs) == [(40, branch, owner) for branch, owner in enumerate(owners)]


def test_records_that_are_shared_and_records_that_are_not_stay_in_order() -> None:
    rows = [Row(key=1, access=2), Row(key=2, at=START_US + 60, quantity=7), Row(key=3, access=9), Row(key=4, access=2)]
    reason, edrs = _processed(rows)
    assert reason == [0, 0, Reason.UNKNOWN_ACCESS_POINT, 0]
    assert _branches(edrs) == [(40, 0, 20), (41, 0, 10), (41, 1, 12), (41, 2, 11), (43, 0, 20)]
    assert edrs.quantity.tolist() == [1, 7, 7, 7, 1]
    assert edrs.event_at.tolist() == [START_US, *[START_US + 60] * 3, START_US]


def test_a_shared_record_takes_one_key_and_keeps_its_first_owners() -> None:
    state = ResourceState()
    _processed([Row(key=1, at=START_US + 60)], state)
    assert sum(bucket.count for bucket in state.dedup.buckets.values()) == 1
    reason, edrs = _processed([Row(key=1, at=START_US + 60)], state)
    assert (reason, len(edrs)) == ([Reason.DUPLICATE], 0)


def test_a_shared_record_that_nobody_owns_then_takes_no_key() -> None:
    stage = Stage(SHARED)
    assert stage.take([Row(key=1, at=START_US + 300)]) == [Reason.ACCESS_POINT_NOT_VALID_AT]
    assert held_keys(stage.state) == {}


def test_consumption_of_a_shared_meter_goes_to_each_subscription() -> None:
    state = ResourceState()
    state.registers.open(*openings((5, START_US - 1000, 40)))
    reason, edrs = _processed([Row(key=1, at=START_US + 1, series=5, quantity=100)], state)
    assert reason == [0]
    assert [(row[1], row[2]) for row in _branches(edrs)] == [(0, 10), (1, 12)]
    assert edrs.quantity.tolist() == [60, 60]


windows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(0, 99)).map(
        lambda window: (window[0], window[0] + window[1], window[2], 0)
    ),
    min_size=1,
    max_size=6,
)


@given(points=st.dictionaries(st.sampled_from([1, 2, 1 << 64 | 1]), windows), instants=st.lists(st.integers(-1, 13)))
def test_the_kernels_list_what_the_twin_lists(points: dict[int, list[Window]], instants: list[int]) -> None:
    """The twin looks at every window of the identifier."""
    rows = [Row(key=index + 1, access=[1, 2, 1 << 64 | 1][index % 3], at=at) for index, at in enumerate(instants)]
    block = cdr_block(rows)
    index = access_index(points)
    columns = (
        index.slots, index.windows, block.access_hi, block.access_lo, block.event_at,
    )  # fmt: skip
    expected = [
        (i, branch, window[2])
        for i, row in enumerate(rows)
        for branch, window in enumerate(
            sorted(
                (window for window in points.get(row.access, []) if window[0] <= row.at < window[1]),
                key=lambda window: (window[0], window[2]),
            )
        )
    ]
    n, room = len(rows), len(expected)
    first, point, answer = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint8)
    kernels.attribute(*columns, np.ones(n, np.bool_), first, point, answer)
    found = np.flatnonzero((answer == kernels.FOUND) | (answer == kernels.SHARED))
    assert found.tolist() == sorted({i for i, _, _ in expected})
    assert first[found].tolist() == [owner for _, branch, owner in expected if branch == 0]
    row, branch = np.empty(room, np.int64), np.empty(room, np.uint8)
    owner, at_point = np.empty(room, np.int32), np.empty(room, np.int32)
    assert kernels.fan_out(*columns, found, row, branch, owner, at_point) == room
    assert list(zip(row.tolist(), branch.tolist(), owner.tolist(), strict=True)) == expected
    alone = {i for i, _, _ in expected} - {i for i, branch, _ in expected if branch}
    overlapping = [i for i in found.tolist() if answer[i] == kernels.SHARED]
    assert set(found.tolist()) - alone <= set(overlapping)
