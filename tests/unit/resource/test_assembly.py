"""Sessions in parts: what is missing, what comes late, what does not fit, and what is remembered of it all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from assembly_world import HOUR_US, Assembler, Piece, pieces_block
from resource_world import DAY_US, FOREVER_US, START_US, Row, access_index, cdr_block, held_keys

from pipelines.resource.assembly import CAPACITY_MIN, NEVER
from pipelines.resource.kernels import assembly as kernels
from pipelines.resource.stage import process
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.cdr import Part, select_records
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason

FIRST, MIDDLE, LAST, SINGLE = Part.FIRST, Part.MIDDLE, Part.LAST, Part.SINGLE
ABSORBED, LATE, CONFLICT = Reason.ABSORBED_PART, Reason.LATE_PART, Reason.PART_CONFLICT
NOW = START_US


def _three(session: int = 1) -> list[Piece]:
    return [
        Piece(session, kind, number, quantity, second=number)
        for kind, number, quantity in ((FIRST, 1, 100), (MIDDLE, 2, 20), (LAST, 3, 3))
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_the_part_that_completes_the_set_becomes_the_edr(order: tuple[int, ...]) -> None:
    pieces = [_three()[place] for place in order]
    reasons, (edr,) = Assembler().take(pieces, 7, NOW, first_record=40)
    assert reasons == [ABSORBED, ABSORBED, Reason.NONE]
    assert edr == ((7, 42), START_US + 1_000_000, 123, 10, ((7, 40), (7, 41), (7, 42)))


@pytest.mark.parametrize(
    ("missing", "at", "quantity"),
    [(0, START_US + 2_000_000, 23), (1, START_US + 1_000_000, 103), (2, START_US + 1_000_000, 120)],
)
def test_a_session_in_which_a_part_is_missing_ends_with_what_there_is(missing: int, at: int, quantity: int) -> None:
    stage = Assembler()
    pieces = [piece for place, piece in enumerate(_three()) if place != missing]
    assert stage.take(pieces, 2, NOW) == ([ABSORBED, ABSORBED], [])
    assert stage.tick(3, NOW + HOUR_US - 1) == []
    assert stage.tick(3, NOW + HOUR_US) == [((3, 0), at, quantity, 10, ((2, 0), (2, 1)))]
    # the missing one comes after all: it is parked, takes no key, and bills nothing twice
    keys = held_keys(stage.state)
    assert stage.take([_three()[missing]], 4, NOW + HOUR_US) == ([LATE], [])
    assert held_keys(stage.state) == keys
    assert stage.tick(5, FOREVER_US) == []


def test_a_part_is_late_from_its_deadline_on_whether_or_not_there_was_a_tick() -> None:
    stage = Assembler()
    stage.take(_three()[:2], 2, NOW)
    assert stage.take(_three()[2:], 3, NOW + HOUR_US)[0] == [LATE]
    stage = Assembler()
    stage.take(_three()[:2], 2, NOW)
    assert stage.take(_three()[2:], 3, NOW + HOUR_US - 1)[0] == [Reason.NONE]


def test_every_part_gives_the_session_more_time() -> None:
    stage = Assembler()
    for place, piece in enumerate(_three()):
        reasons, _ = stage.take([piece], place + 2, NOW + place * (HOUR_US - 1))
    assert reasons == [Reason.NONE]


@pytest.mark.parametrize(
    "second",
    [
        Piece(1, FIRST, 1),
        Piece(1, FIRST, 2),
        Piece(1, LAST, 3),
        Piece(1, MIDDLE, 1),
        Piece(1, MIDDLE, 4),
        Piece(1, MIDDLE, 0),
        Piece(1, MIDDLE, 2, event_type=1),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_session_alone(second: Piece) -> None:
    stage = Assembler()
    stage.take([_three()[0], _three()[2]], 2, NOW)
    assert stage.take([second], 3, NOW)[0] == [CONFLICT]
    reasons, (edr,) = stage.take([_three()[1]], 4, NOW)
    assert (reasons, edr[2]) == ([Reason.NONE], 123)


def test_without_numbers_first_and_last_are_enough() -> None:
    stage = Assembler()
    reasons, edrs = stage.take([Piece(1, LAST), Piece(1, MIDDLE), Piece(1, FIRST), Piece(1, MIDDLE)], 2, NOW)
    assert reasons == [ABSORBED, ABSORBED, Reason.NONE, LATE]
    assert [edr[2] for edr in edrs] == [3]


def test_a_part_that_is_sent_twice_is_a_duplicate_before_it_is_a_part() -> None:
    stage = Assembler()
    part = Piece(1, FIRST, 1, key=9)
    other = Piece(1, MIDDLE, 2, key=9, content=2)
    assert stage.take([part, part, other], 2, NOW)[0] == [ABSORBED, Reason.DUPLICATE, Reason.SAME_KEY_OTHER_CONTENT]
    assert stage.take([part], 3, NOW)[0] == [Reason.DUPLICATE]


def test_a_refused_part_lets_the_next_one_with_its_identity_in() -> None:
    stage = Assembler()
    stage.take([_three()[0]], 2, NOW)
    wrong, right = Piece(1, FIRST, 1, key=9), Piece(1, MIDDLE, 2, key=9, content=3)
    assert stage.take([wrong, right, right], 3, NOW)[0] == [CONFLICT, ABSORBED, Reason.DUPLICATE]


def test_parts_without_usage_and_records_that_are_whole_pass() -> None:
    stage = Assembler()
    pieces = [Piece(1, SINGLE, quantity=4), Piece(1, FIRST, 1, 0), Piece(1, LAST, 2, 0), Piece(1, SINGLE, quantity=5)]
    reasons, edrs = stage.take(pieces, 2, NOW)
    assert reasons == [Reason.NONE, ABSORBED, Reason.NONE, Reason.NONE]
    assert [(edr[0][1], edr[2], len(edr[4])) for edr in edrs] == [(0, 4, 0), (2, 0, 2), (3, 5, 0)]


def test_one_edr_holds_so_many_parts_and_so_much_usage() -> None:
    stage = Assembler()
    most = [Piece(1, MIDDLE, number) for number in range(kernels.PARTS_MAX)]
    assert set(stage.take(most, 2, NOW)[0]) == {ABSORBED}
    assert stage.take([Piece(1, LAST, 9999)], 3, NOW)[0] == [Reason.SESSION_TOO_LARGE]
    reasons, _ = stage.take([Piece(2, FIRST, 1, QUANTITY_MAX), Piece(2, LAST, 2, 1)], 4, NOW)
    assert reasons == [ABSORBED, Reason.SESSION_TOO_LARGE]


def test_the_edr_goes_to_all_who_owned_the_first_part() -> None:
    change = START_US + 2_000_000
    stage = Assembler({1: [(0, change, 11, 1), (0, FOREVER_US, 10, 1), (change, FOREVER_US, 12, 1)]})
    _, edrs = stage.take(_three(), 2, NOW)
    assert [(edr[0], edr[2], edr[3]) for edr in edrs] == [((2, 2), 123, 10), ((2, 2), 123, 11)]


def test_tables_grow_and_forget_only_what_is_older_than_the_window() -> None:
    stage = Assembler()
    stage.state.dedup.window_days = 1
    for claim in range(2, 12):
        stage.take([piece for session in range(100) for piece in _three(claim * 1000 + session)], claim, NOW)
    stage.take([_three(5)[0]], 12, NOW)
    sessions = stage.state.assembly.sessions
    assert np.count_nonzero(sessions.status == kernels.CLOSED) == 1000
    assert stage.state.assembly.used <= len(sessions.key_hi) / 2
    assert stage.state.assembly.heap[1] == 300  # parts are given back: never more than one block's were in use
    stage.take([_three(2000)[1]], 13, NOW)  # still known: late
    later = NOW + 3 * DAY_US
    capacity = len(sessions.key_hi)
    pieces = [Piece(10**6 + number, FIRST, 1, second=3 * 86_400) for number in range(capacity)]
    reasons, _ = stage.take(pieces, 14, later)
    assert set(reasons) == {ABSORBED}
    assert np.count_nonzero(stage.state.assembly.sessions.status == kernels.CLOSED) == 0
    assert stage.state.assembly.open_count == capacity + 1  # the one that waits is not forgotten
    assert capacity > CAPACITY_MIN


def test_sessions_outlive_a_snapshot(tmp_path: Path) -> None:
    state = StageState.empty()
    stage = Assembler(state=state.resource)
    stage.take([*_three()[:2], *_three(2)], 2, NOW)
    state.claim = 3
    write_snapshot(tmp_path, state)
    read = read_latest_snapshot(tmp_path, print)
    assert read is not None
    again = Assembler(state=read.resource)
    for reader in (stage, again):
        assert reader.take(_three(2)[1:2], 4, NOW)[0] == [LATE]
    assert stage.tick(5, NOW + HOUR_US) == again.tick(5, NOW + HOUR_US) != []
    assert again.tick(6, FOREVER_US) == []


@pytest.mark.parametrize("came", [True, False])
def test_an_empty_table_comes_back_as_wide_as_it_was(tmp_path: Path, *, came: bool) -> None:
    """When it forgets what has ended depends on its size, which a restart must not change."""
    state = StageState.empty()
    stage, written = Assembler(state=state.resource), state.resource.assembly
    if came:
        stage.take([piece for session in range(100) for piece in _three(session)], 1, NOW)
    written.make_room(2 * len(written.sessions.key_hi), 300, NEVER, 2)
    assert written.used == 0
    write_snapshot(tmp_path, state)
    read = read_latest_snapshot(tmp_path, print)
    assert read is not None
    found = read.resource.assembly
    assert len(found.sessions.key_hi) == len(written.sessions.key_hi) > CAPACITY_MIN
    assert found.parts.values.shape == written.parts.values.shape
    assert (found.used, found.heap.tolist()) == (0, written.heap.tolist())


def test_chosen_records_of_a_block_keep_their_sessions() -> None:
    block = select_records(pieces_block(_three(), 2), np.array([0, 2]))
    assert block.parts is not None
    assert (block.parts.part.tolist(), block.parts.sequence.tolist()) == ([FIRST, LAST], [1, 3])
    assert select_records(cdr_block([Row(key=1), Row(key=2)]), np.array([1])).parts is None


def test_a_block_of_whole_records_needs_no_session() -> None:
    stage = Assembler()
    found = process(
        pieces_block([Piece(0, SINGLE)] * 3, 2),
        access_index(stage.windows),
        stage.state,
        stage_time=NOW,
        conflict_is_duplicate=False,
    )
    assert (len(found.edrs), found.assembled, stage.state.assembly.used) == (3, None, 0)
