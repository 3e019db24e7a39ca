"""The resource stage against its twin: same reasons, same EDRs, same state, however blocks are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from resource_world import DAY_US, FOREVER_US, START_US, Row, Stage, Twin, held_keys, held_registers

from pipelines.resource import key_index, key_log, series
from schemas.rejection import Reason

CHANGE_US = START_US + 5 * 3_600_000_000
WINDOWS = {
    1: [(0, FOREVER_US, 10, 100)],
    2: [(START_US - DAY_US, CHANGE_US, 20, 200), (CHANGE_US, START_US + DAY_US, 21, 201)],
    1 << 64 | 1: [(CHANGE_US, CHANGE_US + 1, 30, 300)],
}
BORDERS = sorted(
    {bound for windows in WINDOWS.values() for window in windows for bound in window[:2]} - {0, FOREVER_US}
)
# keys that meet in the same slots, and differ in one of the 128 bits only
KEYS = [1, 2, 1 << 63, 1 << 64, 1 << 127, 1 << 64 | 1, (1 << 40) + 1, (1 << 50) + 1, 2**128 - 1]

instants = st.one_of(
    st.builds(lambda border, off: border + off, st.sampled_from(BORDERS), st.integers(-1, 1)),
    st.builds(lambda day, off: START_US + day * DAY_US + off, st.integers(-4, 2), st.integers(-1, 1)),
)
plain = st.builds(
    Row,
    key=st.sampled_from(KEYS),
    access=st.sampled_from([1, 2, 3, 1 << 64 | 1]),
    at=instants,
    content=st.sampled_from([1, 2, 2**64 - 1]),
    quantity=st.integers(0, 3),
    reason=st.sampled_from([0, 0, 0, 0, int(Reason.FIELD_COUNT)]),
)
readings = st.builds(
    Row,
    key=st.sampled_from(KEYS),
    access=st.sampled_from([1, 1, 1, 2, 3]),
    at=st.one_of(instants, st.integers(START_US, START_US + 3)),
    content=st.sampled_from([1, 2]),
    quantity=st.integers(0, 3),
    series=st.sampled_from([1, 1, 1 << 64, (1 << 70) + 1]),
)
records = st.lists(st.one_of(plain, readings), max_size=30)
blocks = st.lists(
    st.tuples(records, st.integers(0, 3 * DAY_US), st.sampled_from([None, 0, 1, 2, 9])), min_size=1, max_size=5
)


@contextmanager
def small_tables() -> Iterator[None]:
    """Make tables so small that they grow, run over and collide, and chunks so small that there are many."""
    with (
        mock.patch.object(key_index, "CAPACITY_MIN", 2),
        mock.patch.object(key_index, "SPARE", 1),
        mock.patch.object(key_log, "CHUNK_BITS", 2),
        mock.patch.object(key_log, "ENTRIES_MIN", 1),
        mock.patch.object(series, "CAPACITY_MIN", 4),
    ):
        yield


@given(blocks=blocks, drops=st.booleans())
def test_the_stage_says_what_its_twin_says(blocks: list[tuple[list[Row], int, int | None]], drops: bool) -> None:
    with small_tables():
        stage, twin = Stage(WINDOWS, conflict_is_duplicate=drops), Twin(WINDOWS, conflict_is_duplicate=drops)
        stage_time = START_US
        for rows, later, window_days in blocks:
            stage_time += later
            stage.state.dedup.window_days = twin.window_days = window_days
            assert stage.answers(rows, stage_time) == twin.answers(rows, stage_time)
            assert held_keys(stage.state) == twin.seen
            assert held_registers(stage.state) == twin.registers


@given(rows=records, cuts=st.lists(st.integers(0, 30), max_size=4).map(sorted), drops=st.booleans())
def test_a_block_is_decided_like_its_pieces(rows: list[Row], cuts: list[int], drops: bool) -> None:
    with small_tables():
        whole, pieces = Stage(WINDOWS, conflict_is_duplicate=drops), Stage(WINDOWS, conflict_is_duplicate=drops)
        together = whole.answers(rows)
        bounds = [0, *cuts, len(rows)]
        apart = [answer for a, b in pairwise(bounds) for answer in pieces.answers(rows[a:b])]
        assert together == apart
        assert held_keys(whole.state) == held_keys(pieces.state)
        assert held_registers(whole.state) == held_registers(pieces.state)


@given(rows=st.lists(plain, max_size=30), data=st.data())
def test_counts_do_not_depend_on_the_order(rows: list[Row], data: st.DataObject) -> None:
    """Records that repeat an identity say the same."""
    saying = {(row.key, row.at // DAY_US): row for row in rows}
    same = [saying[row.key, row.at // DAY_US] for row in rows]
    mixed = data.draw(st.permutations(same))
    assert Counter(Stage(WINDOWS).take(same)) == Counter(Stage(WINDOWS).take(mixed))


@given(rows=records, again=records)
def test_sending_everything_twice_makes_no_edr_twice(rows: list[Row], again: list[Row]) -> None:
    stage = Stage(WINDOWS)
    first = stage.answers([*rows, *again])
    accepted = [row for row, (reason, _) in zip([*rows, *again], first, strict=True) if reason == 0]
    assert set(stage.take(accepted)) <= {Reason.DUPLICATE}


@given(rows=records)
def test_a_refused_record_leaves_no_trace(rows: list[Row]) -> None:
    stage, without = Stage(WINDOWS), Stage(WINDOWS)
    answers = stage.answers(rows)
    kept = [row for row, (reason, _) in zip(rows, answers, strict=True) if reason in (0, Reason.OPENING_READING)]
    without.answers(kept)
    assert held_keys(stage.state) == held_keys(without.state)
    assert held_registers(stage.state) == held_registers(without.state)
