"""Identities near midnight: two records of one usage are one, whichever side they are on, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_world import ALWAYS, DAY_US, START_US, Row, access_index, cdr_block, held_keys

from pipelines.resource.neighbours import NearMidnight, dated, near_midnight
from pipelines.resource.release import release_keys
from pipelines.resource.stage import ResourceState, process
from schemas.cdr import CdrBlock
from schemas.rejection import Reason

MIDNIGHT = START_US // DAY_US * DAY_US + DAY_US
TOLERANCE = 60_000_000
NONE, SAME, OTHER, NOBODYS = Reason.NONE, Reason.DUPLICATE, Reason.SAME_KEY_OTHER_CONTENT, Reason.UNKNOWN_ACCESS_POINT


def _at(second: int, key: int = 1, content: int = 1, access: int = 1) -> Row:
    """Return a record so many seconds after midnight."""
    return Row(key=key, at=MIDNIGHT + second * 1_000_000, content=content, access=access)


def _take(state: ResourceState, rows: Sequence[Row], tolerance_us: int = TOLERANCE) -> list[Reason]:
    found = process(
        cdr_block(list(rows)),
        access_index(ALWAYS),
        state,
        stage_time=START_US,
        conflict_is_duplicate=False,
        tolerance_us=tolerance_us,
    )
    return [Reason(code) for code in found.reason.tolist()]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (_at(-1), _at(1), SAME),
        (_at(1), _at(-1), SAME),
        (_at(-60), _at(59), SAME),
        (_at(0), _at(-60), SAME),
        (_at(-1), _at(1, content=2), OTHER),
        (_at(-61), _at(1), NONE),  # too far from midnight on one side
        (_at(-1), _at(60), NONE),
        (_at(-1), _at(1, key=2), NONE),
        (_at(-1), _at(1, key=1 << 64 | 1), NONE),
        (_at(-1 - 86_400), _at(1), NONE),  # another midnight
        (_at(1), _at(-61), NONE),
        (_at(60), _at(-1), NONE),
        (_at(-1), _at(-2), SAME),
        (_at(-1, access=9), _at(1), NONE),  # what nobody owns holds no key
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_record_is_known_across_midnight(first: Row, second: Row, reason: Reason, *, together: bool) -> None:
    state = ResourceState()
    if together:
        answers = _take(state, [first, second])
    else:
        answers = _take(state, [first]) + _take(state, [second])
    assert answers == [NONE if first.access == 1 else NOBODYS, reason]
    # whatever came of them, all of it is known when it comes again
    assert _take(state, [second]) == [SAME if reason is not OTHER else OTHER]


def test_without_a_tolerance_days_are_apart() -> None:
    state = ResourceState()
    assert _take(state, [_at(-1), _at(1)], 0) == [NONE, NONE]


def test_a_key_that_is_held_on_both_days_stays_on_its_own() -> None:
    state = ResourceState()
    assert _take(state, [_at(-1), _at(1, content=2)], 0) == [NONE, NONE]
    assert _take(state, [_at(-1), _at(1, content=2)]) == [SAME, SAME]


def _near(rows: CdrBlock) -> NearMidnight:
    return near_midnight(rows.key_hi, rows.key_lo, rows.event_at, np.ones(len(rows), np.bool_), TOLERANCE)


def test_a_key_and_its_mark_are_let_go() -> None:
    state = ResourceState()
    _take(state, [_at(-1), _at(30, key=2), _at(61, key=3)])
    rows = cdr_block([_at(-1), _at(30, key=2), _at(61, key=3)])
    near = _near(rows)
    assert near.row.tolist() == [0, 1]
    at = dated(state.dedup, rows.key_hi, rows.key_lo, rows.event_at, near)
    assert release_keys(state.dedup, rows.key_hi, rows.key_lo, at) == 3
    assert release_keys(state.dedup, near.hi, near.lo, near.midnight_at) == 2
    assert held_keys(state) == {}
    assert _take(state, [_at(1), _at(-30, key=2)]) == [NONE, NONE]


def test_days_that_the_window_left_are_not_looked_at() -> None:
    state = ResourceState()
    _take(state, [_at(-1)])
    state.dedup.first_day = MIDNIGHT // DAY_US
    rows = cdr_block([_at(1)])
    assert dated(state.dedup, rows.key_hi, rows.key_lo, rows.event_at, _near(rows)).tolist() == rows.event_at.tolist()


@given(
    rows=st.lists(
        st.builds(_at, st.sampled_from([-90_000, -70, -60, -1, 0, 1, 59, 60, 80, 86_399]), st.integers(1, 2)),
        max_size=12,
    ),
    cuts=st.lists(st.integers(0, 12), max_size=3).map(sorted),
)
def test_a_block_is_decided_like_its_pieces(rows: list[Row], cuts: list[int]) -> None:
    whole, pieces = ResourceState(), ResourceState()
    together = _take(whole, rows)
    assert [answer for a, b in pairwise([0, *cuts, len(rows)]) for answer in _take(pieces, rows[a:b])] == together
    assert held_keys(whole) == held_keys(pieces)


@given(
    rows=st.lists(st.builds(_at, st.integers(-4, 4), st.integers(1, 3)), max_size=14),
    cuts=st.lists(st.integers(0, 14), max_size=3).map(sorted),
)
def test_one_usage_is_one_however_it_comes(rows: list[Row], cuts: list[int]) -> None:
    """Of records that all lie near one midnight, each identity is accepted once."""
    state = ResourceState()
    bounds = [0, *cuts, len(rows)]
    answers = [answer for a, b in pairwise(bounds) for answer in _take(state, rows[a:b])]
    assert answers.count(NONE) == len({row.key for row in rows})
    assert set(answers) <= {NONE, SAME}


def test_a_mark_without_its_identity_says_nothing() -> None:
    state = ResourceState()
    _take(state, [_at(-1)])
    rows = cdr_block([_at(-1)])
    release_keys(state.dedup, rows.key_hi, rows.key_lo, rows.event_at)
    assert _take(state, [_at(1)]) == [NONE]
    assert (MIDNIGHT // DAY_US, 1) in held_keys(state)  # on its own day


def test_a_duplicate_near_midnight_says_nothing_of_the_record_that_it_repeats() -> None:
    rows = [_at(-70), _at(-1), _at(1), _at(2)]
    apart = ResourceState()
    for together in (_take(ResourceState(), rows), [answer for row in rows for answer in _take(apart, [row])]):
        assert together == [NONE, SAME, NONE, SAME]


def test_a_record_repeats_one_of_its_own_day_before_one_of_the_other() -> None:
    rows = [_at(-1), _at(80, content=2), _at(1, content=2)]
    apart = ResourceState()
    for together in (_take(ResourceState(), rows), [answer for row in rows for answer in _take(apart, [row])]):
        assert together == [NONE, NONE, SAME]


def test_identities_that_differ_in_one_half_are_two() -> None:
    assert _take(ResourceState(), [_at(-1), _at(1, key=1 << 64 | 1), _at(1)]) == [NONE, NONE, SAME]


def test_a_record_that_nobody_owns_leads_nobody_across_midnight() -> None:
    state = ResourceState()
    assert _take(state, [_at(-1, access=9), _at(1)]) == [NOBODYS, NONE]
    assert _take(state, [_at(80)]) == [SAME]
