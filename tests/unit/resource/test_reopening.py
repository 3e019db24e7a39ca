"""Opening sessions again, against what they would be if the parts that left had never come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from assembly_world import HOUR_US, Assembler, Piece, Rules
from hypothesis import given
from hypothesis import strategies as st
from resource_world import START_US

from pipelines.resource.kernels.assembly import CLOSED, OPEN, VACANT, find_session
from pipelines.resource.reopening import Returned, batch_of, open_parts, reopen, revise, revision_of, saying
from schemas.cdr import ATTRIBUTE_SLOTS, ELAPSED, STRICT, Late, Part
from schemas.rejection import Reason
from schemas.reopening import REOPENING_SCHEMA
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

FIRST, MIDDLE, LAST = Part.FIRST, Part.MIDDLE, Part.LAST
NOW = START_US
Placed = tuple[Piece, int, int]
"""A part, and the claim and record that brought it."""


def _rows(placed: list[Placed], *, leaves: bool, owners: tuple[int, ...] = (10,), mode: int = 0) -> pa.RecordBatch:
    """Return commands about parts; each has these owners."""
    spread = [(piece, claim, record, owner) for piece, claim, record in placed for owner in owners]
    k = len(spread)

    def column(values: list[int], kind: type) -> np.ndarray:
        return np.array(values, kind)

    returned = Returned(
        np.zeros(k, np.uint64),
        column([piece.session for piece, *_ in spread], np.uint64),
        np.zeros(k, np.int32),
        column([piece.event_type for piece, *_ in spread], np.uint16),
        np.full(k, mode, np.uint8),
        column([claim for _, claim, _, _ in spread], np.int64),
        column([record for _, _, record, _ in spread], np.int64),
        column([piece.number for piece, *_ in spread], np.int64),
        column([piece.part for piece, *_ in spread], np.uint8),
        column([START_US + piece.second * 1_000_000 for piece, *_ in spread], np.int64),
        column([piece.quantity for piece, *_ in spread], np.int64),
        np.zeros((k, ATTRIBUTE_SLOTS), np.int32),
        np.full((k, VALUE_SLOTS), VALUE_ABSENT, np.int64),
        column([owner for *_, owner in spread], np.int32),
        column([10 * owner for *_, owner in spread], np.int32),
    )
    return batch_of(returned, np.full(k, HOUR_US, np.int64), leaves=leaves)


def _apply(stage: Assembler, *batches: pa.RecordBatch, at: int = NOW) -> None:
    commands = pa.Table.from_batches(batches, REOPENING_SCHEMA).combine_chunks().to_batches()[0]
    reopen(stage.state.assembly, commands, stage_time=at, window_start=0)


def test_parts_that_wait_say_something_else_and_others_do_not() -> None:
    stage = Assembler()
    stage.take(
        [Piece(1, FIRST, 1), Piece(1, MIDDLE, 2), Piece(2, FIRST, 1), Piece(3, FIRST, 1), Piece(3, LAST, 2)], 1, NOW
    )
    places = np.array(
        [[1, 1], [1, 2], [1, 3], [2, 0]], np.int64
    )  # the third one's session has ended, the last never came
    attributes = np.arange(16, dtype=np.int32).reshape(4, ATTRIBUTE_SLOTS)
    values = np.arange(16, dtype=np.int64).reshape(4, VALUE_SLOTS)
    table = stage.state.assembly
    revise(table, revision_of(places[:, 0], places[:, 1], attributes, values))
    found = open_parts(table)
    said = {
        int(record): (table.parts.attributes[row].tolist(), table.parts.values[row].tolist())
        for record, row in zip(found.record, found.row, strict=True)
    }
    nothing = [VALUE_ABSENT] * VALUE_SLOTS
    assert said == {0: ([0] * 4, nothing), 1: ([0, 1, 2, 3], [0, 1, 2, 3]), 2: ([4, 5, 6, 7], [4, 5, 6, 7])}
    revise(table, revision_of(places[:0, 0], places[:0, 1], attributes[:0], values[:0]))
    revise(table, revision_of(places[:1, 0], places[:1, 1], attributes[3:], np.full((1, VALUE_SLOTS), VALUE_ABSENT)))
    row = int(found.row[found.record == 1][0])
    assert table.parts.attributes[row].tolist() == [12, 13, 14, 15]
    assert table.parts.values[row].tolist() == nothing


def test_parts_that_come_back_say_what_they_are_told() -> None:
    rows = _rows([(Piece(1, FIRST, 1), 1, 5), (Piece(1, LAST, 2), 1, 7)], leaves=False, owners=(10, 20))
    attributes = np.arange(12, dtype=np.int32).reshape(3, ATTRIBUTE_SLOTS)
    said = saying(rows, np.array([5, 6, 7]), attributes, np.full((3, VALUE_SLOTS), VALUE_ABSENT, np.int64))
    assert said.schema == REOPENING_SCHEMA
    assert said["attributes"].to_pylist() == [[0, 1, 2, 3]] * 2 + [[8, 9, 10, 11]] * 2
    assert said.drop_columns(["attributes"]) == rows.drop_columns(["attributes"])


def _status(stage: Assembler, session: int) -> int:
    sessions = stage.state.assembly.sessions
    return int(sessions.status[find_session(sessions, np.uint64(0), np.uint64(session))])


def _three(session: int = 1) -> list[Piece]:
    kinds = ((FIRST, 1, 100), (MIDDLE, 2, 20), (LAST, 3, 3))
    return [Piece(session, kind, number, quantity, second=number) for kind, number, quantity in kinds]


def test_a_waiting_session_loses_a_part_and_gets_more_time() -> None:
    stage = Assembler()
    stage.take(_three()[:2], 2, NOW)
    assert [list(column) for column in open_parts(stage.state.assembly)][1:3] == [[2, 2], [1, 0]]
    _apply(stage, _rows([(_three()[0], 2, 0)], leaves=True), at=NOW + HOUR_US // 2)
    assert stage.tick(3, NOW + HOUR_US) == []
    ended = stage.tick(3, NOW + 3 * HOUR_US // 2)
    assert ended == [((3, 0), START_US + 2_000_000, 20, 10, ((2, 1),))]


def test_what_a_part_leaves_behind_says_what_the_others_say() -> None:
    stage = Assembler()
    stage.take([Piece(1, FIRST, 1, 100, second=9), Piece(1, MIDDLE, 2, 20, second=6), Piece(1, MIDDLE, 4, 7)], 2, NOW)
    assembly = stage.state.assembly
    used = int(assembly.heap[1])
    _apply(stage, _rows([(_three()[0], 2, 0)], leaves=True))
    slot = find_session(assembly.sessions, np.uint64(0), np.uint64(1))
    held = {name: int(getattr(assembly.sessions, name)[slot]) for name in ("lowest", "highest", "latest", "quantity")}
    assert held == {"lowest": 2, "highest": 4, "latest": START_US + 6_000_000, "quantity": 27}
    stage.take([Piece(1, FIRST, 1, 100, second=1)], 3, NOW)
    assert int(assembly.heap[1]) == used, "the row of the part that left is used again"


def test_a_part_that_comes_back_gives_a_waiting_session_more_time() -> None:
    stage = Assembler()
    stage.take(_three()[:1], 2, NOW)
    _apply(stage, _rows([(_three()[1], 3, 0)], leaves=False), at=NOW + HOUR_US // 2)  # another file's part, alone
    both = [(Piece(1, MIDDLE, number, number, second=number), claim, 0) for number, claim in ((4, 4), (5, 5))]
    _apply(stage, _rows(both, leaves=False))  # takes no time away
    assert stage.tick(6, NOW + HOUR_US) == []
    ((_, at, quantity, _, made_of),) = stage.tick(6, NOW + 3 * HOUR_US // 2)
    assert (at, quantity, made_of) == (START_US + 1_000_000, 129, ((2, 0), (3, 0), (4, 0), (5, 0)))


def test_without_parts_a_session_may_begin_again() -> None:
    stage = Assembler()
    stage.take([_three()[0]], 2, NOW)
    stage.take(_three(2), 2, NOW, first_record=5)
    assert (_status(stage, 1), _status(stage, 2)) == (OPEN, CLOSED)
    everything = [(_three()[0], 2, 0), *((piece, 2, 5 + place) for place, piece in enumerate(_three(2)))]
    _apply(stage, _rows(everything, leaves=True))
    assert (_status(stage, 1), _status(stage, 2)) == (VACANT, VACANT)
    assert stage.state.assembly.open_count == 0
    for session in (1, 2):
        reasons, (edr,) = stage.take(_three(session), 3 + session, NOW)
        assert (reasons[-1], edr[2]) == (Reason.NONE, 123)
    assert stage.state.assembly.used == 2


def test_what_is_left_of_an_ended_session_waits_again() -> None:
    stage = Assembler()
    stage.take(_three(), 2, NOW)
    left, right = [(_three()[1], 2, 1)], [(_three()[0], 2, 0), (_three()[2], 2, 2)]
    _apply(stage, _rows(left, leaves=True), _rows(right, leaves=False, owners=(10, 11)), at=NOW + 5 * HOUR_US)
    assert _status(stage, 1) == OPEN
    assert stage.take([Piece(1, FIRST, 1, second=1)], 3, NOW + 5 * HOUR_US)[0] == [Reason.PART_CONFLICT]
    corrected = Piece(1, MIDDLE, 2, 30, second=2)
    reasons, edrs = stage.take([corrected], 4, NOW + 6 * HOUR_US - 1)
    made_of = ((2, 0), (2, 2), (4, 0))
    assert reasons == [Reason.NONE]
    assert edrs == [((4, 0), START_US + 1_000_000, 133, owner, made_of) for owner in (10, 11)]
    assert stage.state.assembly.waiting in (-1, 0)


def test_a_session_that_is_forgotten_is_opened_again_too() -> None:
    stage = Assembler(rules=Rules(mode=ELAPSED | STRICT))
    right = [(Piece(7, FIRST, second=0), 2, 0), (Piece(7, MIDDLE, second=60), 2, 1)]
    _apply(stage, _rows(right, leaves=False, mode=ELAPSED | STRICT))
    reasons, (edr,) = stage.take([Piece(7, LAST, second=90)], 3, NOW)
    assert (reasons, edr[2]) == ([Reason.NONE], 90_000)
    assert stage.state.assembly.used == 1


def test_an_elapsed_session_of_which_nobody_owns_a_part_comes_back_as_it_was() -> None:
    stage = Assembler(rules=Rules(mode=ELAPSED | STRICT, late=Late.REOPEN))
    pieces = [Piece(1, FIRST, second=1), Piece(1, LAST, second=5, access=99)]
    _, (edr,) = stage.take(pieces, 2, NOW)
    assert edr[2] == 4000
    assert stage.take([Piece(1, FIRST, second=0)], 3, NOW)[0] == [Reason.REOPENS_SESSION]
    mode = ELAPSED | STRICT
    one = _rows([(pieces[0], 2, 0)], leaves=False, mode=mode)
    _apply(stage, one, _rows([(pieces[1], 2, 1)], leaves=False, owners=(-1,), mode=mode))
    _, (edr,) = stage.take([Piece(1, FIRST, second=0)], 4, NOW)
    assert (edr[1], edr[2], edr[3]) == (START_US, 5000, 10)


parts = st.lists(
    st.builds(
        Piece,
        session=st.integers(1, 3),
        part=st.sampled_from([FIRST, MIDDLE, LAST]),
        number=st.integers(0, 5),
        quantity=st.integers(0, 9),
        second=st.integers(0, 5),
    ),
    max_size=14,
)


@given(pieces=parts, gone=st.sets(st.integers(0, 13)))
def test_sessions_are_as_if_the_parts_that_left_had_never_come(pieces: list[Piece], gone: set[int]) -> None:
    """One claim brings all; some of those that wait leave: the sessions that waited are those of the others alone."""
    stage, without = Assembler(), Assembler()
    reasons, edrs = stage.take(pieces, 2, NOW)
    done = {where for edr in edrs for where in edr[4]}
    waits = [place for place, reason in enumerate(reasons) if reason == Reason.ABSORBED_PART and (2, place) not in done]
    leaving = [place for place in waits if place in gone]
    if leaving:
        _apply(stage, _rows([(pieces[place], 2, place) for place in leaving], leaves=True))
    stays = [place for place in waits if place not in gone]
    for place in stays:
        assert without.take([pieces[place]], 2, NOW, first_record=place) == ([Reason.ABSORBED_PART], [])
    assert stage.state.assembly.open_count == without.state.assembly.open_count
    assert stage.tick(3, NOW + HOUR_US) == without.tick(3, NOW + HOUR_US)


@given(pieces=parts, gone=st.sets(st.integers(0, 13)))
def test_what_comes_back_is_what_would_have_waited(pieces: list[Piece], gone: set[int]) -> None:
    """Sessions end by a tick, lose some parts, and end again: as sessions of the others alone."""
    stage, without = Assembler(), Assembler()
    middles = [piece for piece in pieces if piece.part is MIDDLE]
    reasons, _ = stage.take(middles, 2, NOW)
    held = [place for place, reason in enumerate(reasons) if reason == Reason.ABSORBED_PART]
    stage.tick(3, NOW + HOUR_US)
    leaving = [(middles[place], 2, place) for place in held if place in gone]
    back = [(middles[place], 2, place) for place in held if place not in gone]
    back = [row for row in back if any(row[0].session == piece.session for piece, _, _ in leaving)]
    if not leaving:
        return
    _apply(stage, _rows(leaving, leaves=True), _rows(back, leaves=False), at=NOW + HOUR_US)
    for piece, _, place in back:
        without.take([piece], 2, NOW + HOUR_US, first_record=place)
    assert stage.tick(4, NOW + 2 * HOUR_US) == without.tick(4, NOW + 2 * HOUR_US)
