"""Values of records reach their EDRs, through sessions, shared access points, snapshots, and retries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from assembly_world import Piece, pieces_block
from resource_world import ALWAYS, FOREVER_US, START_US, Row, Window, access_index, cdr_block

from pipelines.resource.assembly import Parts, parts_of
from pipelines.resource.stage import ResourceState, process
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.cdr import BlockPosition, CdrBlock, Part
from schemas.edr import PACKED_WORDS, PACKED_WORDS_VALUED, EdrBlock, join_packed, pack, unpack
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

SHARED: dict[int, list[Window]] = {1: [(0, FOREVER_US, 10, 100), (0, FOREVER_US, 11, 100)]}


def valued(cdrs: CdrBlock, first: int) -> CdrBlock:
    """Return a block whose records have the values first, first + 1 and so on."""
    values = np.arange(first, first + len(cdrs) * VALUE_SLOTS, dtype=np.int64).reshape(-1, VALUE_SLOTS)
    return replace(cdrs, values=values)


def edrs_of(cdrs: CdrBlock, state: ResourceState, windows: dict[int, list[Window]] = ALWAYS) -> EdrBlock:
    """Return what a block yields."""
    return process(cdrs, access_index(windows), state, stage_time=START_US, conflict_is_duplicate=False).edrs


def test_every_owner_of_a_shared_access_point_gets_the_values() -> None:
    cdrs = valued(cdr_block([Row(key=1, access=1), Row(key=2, access=1)], BlockPosition(1, 0, 0)), 5)
    edrs = edrs_of(cdrs, ResourceState(), SHARED)
    assert edrs.values is not None
    assert edrs.values[:, 0].tolist() == [5, 5, 9, 9]


def test_a_session_has_the_values_of_its_first_part_also_after_a_restart(tmp_path: Path) -> None:
    first, last = Piece(1, Part.FIRST, 1), Piece(1, Part.LAST, 2)
    state = StageState.empty()
    edrs_of(pieces_block([Piece(2, Part.FIRST, 1)], 1, 0), state.resource)  # no values: no room for them
    assert state.resource.assembly.parts.values.shape[1] == 0
    edrs_of(valued(pieces_block([first], 2, 0), 7), state.resource)
    assert state.resource.assembly.parts.values.shape[1] == VALUE_SLOTS
    write_snapshot(tmp_path, state)
    loaded = read_latest_snapshot(tmp_path, report=print)
    assert loaded is not None
    edrs = edrs_of(valued(pieces_block([last], 3, 0), 70), loaded.resource)
    assert edrs.values is not None
    assert edrs.values.tolist() == [[7, 8, 9, 10]]
    without = edrs_of(pieces_block([Piece(2, Part.LAST, 2)], 4, 0), loaded.resource)
    assert without.values is not None
    assert without.values.tolist() == [[VALUE_ABSENT] * VALUE_SLOTS]


def test_parts_of_a_snapshot_from_before_there_were_values_have_none() -> None:
    columns = {name: np.zeros(3, np.int64) for name in Parts._fields if name != "values"}
    assert parts_of(columns).values.shape == (3, 0)


def test_packed_edrs_with_and_without_values_are_retried_together() -> None:
    plain = edrs_of(cdr_block([Row(key=1, access=1)], BlockPosition(1, 0, 0)), ResourceState())
    other = edrs_of(valued(cdr_block([Row(key=2, access=1)], BlockPosition(1, 0, 0)), 3), ResourceState())
    rows = [pack(block, np.zeros(1, np.int64))[0] for block in (plain, other)]
    assert [len(row) for row in rows] == [PACKED_WORDS, PACKED_WORDS_VALUED]
    assert unpack(join_packed(rows[:1]), BlockPosition(2, 0, 0)).values is None
    back = unpack(join_packed(rows), BlockPosition(2, 0, 0))
    assert back.values is not None
    assert back.values.tolist() == [[VALUE_ABSENT] * VALUE_SLOTS, [3, 4, 5, 6]]
    assert back.attributes.tolist() == [plain.attributes[0].tolist(), other.attributes[0].tolist()]
    assert back.quantity.tolist() == [plain.quantity[0], other.quantity[0]]
