"""Deduplication: exact over 128 bits, by event day, within a window that never goes back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from resource_world import DAY_US, START_US, Row, Stage, held_keys

from pipelines.resource.dedup import Decision, DedupWindow, open_period_days
from pipelines.resource.kernels import dedup as verdicts
from schemas.rejection import Reason

NONE, DUPLICATE, OTHER = Reason.NONE, Reason.DUPLICATE, Reason.SAME_KEY_OTHER_CONTENT


@pytest.mark.parametrize("bit", [0, 1, 9, 31, 32, 62, 63, 64, 65, 96, 126, 127])
def test_keys_that_differ_in_one_bit_are_two_records(bit: int) -> None:
    key = 0x0123456789ABCDEF_FEDCBA9876543210
    stage = Stage()
    assert stage.take([Row(key=key), Row(key=key ^ (1 << bit))]) == [NONE, NONE]
    assert stage.take([Row(key=key), Row(key=key ^ (1 << bit))]) == [DUPLICATE, DUPLICATE]


@pytest.mark.parametrize(("drops", "answer"), [(False, OTHER), (True, DUPLICATE)])
@pytest.mark.parametrize("together", [True, False])
def test_the_same_identity_with_another_content(drops: bool, answer: Reason, together: bool) -> None:
    stage = Stage(conflict_is_duplicate=drops)
    rows = [Row(key=1), Row(key=1), Row(key=1, content=2), Row(key=1)]
    found = stage.take(rows) if together else [reason for row in rows for reason in stage.take([row])]
    assert found == [NONE, DUPLICATE, answer, DUPLICATE]


def test_an_identity_belongs_to_its_event_day() -> None:
    stage = Stage()
    rows = [Row(key=1, at=START_US), Row(key=1, at=START_US + DAY_US - 1), Row(key=1, at=START_US + DAY_US)]
    assert stage.take(rows) == [NONE, DUPLICATE, NONE]
    assert sorted(held_keys(stage.state)) == [(START_US // DAY_US, 1), (START_US // DAY_US + 1, 1)]


def test_rows_of_many_days_keep_their_order_within_each() -> None:
    stage = Stage()
    days = [2, 0, 1, 0, 2, 1]
    rows = [Row(key=1, at=START_US + day * DAY_US, content=index + 1) for index, day in enumerate(days)]
    assert stage.take(rows) == [NONE, NONE, NONE, OTHER, OTHER, OTHER]
    assert sorted(held_keys(stage.state).values()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("window_days", "at", "reason"),
    [
        (0, START_US, NONE),
        (0, START_US - 1, Reason.BEYOND_WINDOW),
        (3, START_US - 3 * DAY_US, NONE),
        (3, START_US - 3 * DAY_US - 1, Reason.BEYOND_WINDOW),
        (None, 0, NONE),
    ],
)
def test_records_before_the_window_are_parked(window_days: int | None, at: int, reason: Reason) -> None:
    stage = Stage()
    stage.state.dedup.window_days = window_days
    assert stage.take([Row(key=1, at=at)], stage_time=START_US + DAY_US - 1) == [reason]


def test_the_window_moves_with_stage_time_and_forgets_whole_days() -> None:
    stage = Stage()
    stage.state.dedup.window_days = 1
    rows = [Row(key=1, at=START_US - DAY_US), Row(key=1, at=START_US)]
    assert stage.take(rows, START_US) == [NONE, NONE]
    assert stage.take(rows, START_US + DAY_US - 1) == [DUPLICATE, DUPLICATE]
    assert stage.take(rows, START_US + DAY_US) == [Reason.BEYOND_WINDOW, DUPLICATE]
    assert stage.state.dedup.key_count == 1


@pytest.mark.parametrize("widened", [30, None])
def test_a_window_that_is_widened_does_not_reach_days_that_were_forgotten(widened: int | None) -> None:
    """Otherwise what was accepted and forgotten would be accepted, and paid, again."""
    stage = Stage()
    old, kept = Row(key=1, at=START_US - 5 * DAY_US), Row(key=1, at=START_US - DAY_US)
    assert stage.take([old, kept]) == [NONE, NONE]
    stage.state.dedup.window_days = 2
    assert stage.take([]) == []
    stage.state.dedup.window_days = widened
    assert stage.take([old, kept]) == [Reason.BEYOND_WINDOW, DUPLICATE]


def test_a_day_of_duplicates_takes_no_more_room() -> None:
    stage = Stage()
    rows = [Row(key=index + 1) for index in range(100)]
    stage.take(rows)
    stage.take(rows)  # room was made for rows that might have been new; it is there from now on
    before = stage.state.dedup.nbytes
    for _ in range(20):
        assert set(stage.take(rows)) == {DUPLICATE}
    assert stage.state.dedup.nbytes == before


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2026, 11, 25, 21, tzinfo=UTC), date(2026, 8, 31)),
        (datetime(2026, 11, 1, tzinfo=UTC), date(2026, 8, 31)),
        (datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 7, 31)),
        (datetime(2024, 3, 1, tzinfo=UTC), date(2023, 12, 30)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), date(2023, 12, 1)),
    ],
)
def test_the_default_window_is_the_open_month_and_62_days_before_it(now: datetime, first: date) -> None:
    stage_time = round(now.timestamp()) * 1_000_000 - (1 if now.microsecond else 0)
    days = open_period_days(stage_time)
    assert now.date() - timedelta(days=days) == first
    assert now.date().replace(day=1) - first == timedelta(days=62)
    stage = Stage()
    stage.state.dedup.window_days = days
    start = round(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1_000_000
    assert stage.take([Row(key=1, at=start), Row(key=2, at=start - 1)], stage_time) == [NONE, Reason.BEYOND_WINDOW]


def test_a_key_that_is_given_back_comes_again_and_the_keys_behind_it_stay() -> None:
    window = DedupWindow()

    def take(*keys: int) -> Decision:
        key = np.array(keys, np.uint64)
        everything = np.ones(len(keys), bool)
        return window.decide(key, key, key, np.zeros(len(keys), np.int64), everything, everything)

    take(1, 2, 3, 4).settle(np.array([1, 0, 30, 0], np.uint64))
    assert window.key_count == 2
    assert take(4).verdict.tolist() == [verdicts.NEW]
    assert take(1, 2, 3, 4, 2).verdict.tolist() == [
        verdicts.DUPLICATE,
        verdicts.NEW,
        verdicts.CONFLICT,  # it holds content 30 now
        verdicts.DUPLICATE,
        verdicts.DUPLICATE,
    ]
    before = window.nbytes
    for _ in range(100):  # a refused record that is sent again and again takes no more room
        take(9).settle(np.zeros(1, np.uint64))
    assert window.nbytes <= before + 24
    assert window.key_count == 4


def test_keys_that_crowd_at_the_end_of_the_index_are_all_kept() -> None:
    """All of the highest order: hashes never do that, and 10,000 of them are more than the index has spare slots."""
    window = DedupWindow()
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    lo = np.array([(2**64 - 1 - low) * inverse % 2**64 for low in range(10_000)], np.uint64)
    hi, content = np.zeros(10_000, np.uint64), np.ones(10_000, np.uint64)
    everything, at = np.ones(10_000, bool), np.zeros(10_000, np.int64)
    for _ in range(3):
        decision = window.decide(hi[:100], lo[:100], content[:100], at[:100], everything[:100], everything[:100])
    assert set(decision.verdict.tolist()) == {verdicts.DUPLICATE}
    assert window.decide(hi, lo, content, at, everything, everything).verdict.tolist() == [
        *[verdicts.DUPLICATE] * 100,
        *[verdicts.NEW] * 9_900,
    ]
    assert set(window.decide(hi, lo, content, at, everything, everything).verdict.tolist()) == {verdicts.DUPLICATE}


@pytest.mark.parametrize(
    ("now", "then", "after"), [(60, 10, 60), (10, 60, 60), (None, 10, None), (10, None, None), (None, None, None)]
)
def test_what_is_tried_again_narrows_no_window(now: int | None, then: int | None, after: int | None) -> None:
    window = DedupWindow()
    window.take_terms(now, again=False)
    window.take_terms(then, again=True)
    assert window.window_days == after
    window.take_terms(then, again=False)
    assert window.window_days == then
