"""No answer depends on where a table's move stands: tables that move a slot at a time answer as those that move at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from assembly_world import HOUR_US, Piece, Rules, pieces_block
from at_once import at_once_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resource_world import ALWAYS, DAY_US, START_US, Row, access_index, cdr_block, held_registers

from pipelines.resource import assembly, moving, series, versions
from pipelines.resource.kernels import moving as kernels
from pipelines.resource.kernels.assembly import FREE
from pipelines.resource.moving import Mover
from pipelines.resource.stage import ResourceState, process
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.cdr import BlockPosition, CdrBlock, Late, Part, ReadingRules

ACCESS = access_index(ALWAYS)
LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
GOLDEN = 0x9E3779B97F4A7C15


@pytest.fixture(autouse=True)
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables be small, and move a slot or two with each block."""
    for module in (series, versions, assembly):
        monkeypatch.setattr(module, "CAPACITY_MIN", 8)
    for name, value in {"AT_ONCE_BELOW": 0, "SLOTS_A_BLOCK": 1, "SLOTS_A_ROW": 0, "PIECE": 3}.items():
        monkeypatch.setattr(moving, name, value)


def _numbers(most: int) -> st.SearchStrategy[int]:
    # keys that crowd, at the end of the table too, and keys that do not
    return st.one_of(st.integers(1, most), st.integers(1, most).map(lambda n: n * GOLDEN % 2**64 | 1))


READINGS = st.lists(
    st.tuples(
        st.lists(st.tuples(_numbers(60), st.integers(0, 3)), min_size=1, max_size=12),
        st.integers(0, 3),  # days of stage time that pass before the block
        st.sampled_from([(0, 0), (2, 5), (4, 5), (2, 6)]),  # after how many days series are over, and whose rule it is
        st.booleans(),
    ),
    max_size=25,
)


def _same(one: Any, other: Any) -> None:
    assert one.reason.tolist() == other.reason.tolist()
    for name in ("record", "event_at", "quantity", "subscription"):
        assert getattr(one.edrs, name).tolist() == getattr(other.edrs, name).tolist()
    assert (one.assembled is None) == (other.assembled is None)
    if one.assembled is not None:
        assert one.assembled.part_record.tolist() == other.assembled.part_record.tolist()


def _again(tmp_path: Path, state: ResourceState) -> ResourceState:
    """Return a state as a snapshot has it."""
    whole = StageState.empty()
    whole.resource = state
    whole.claim = 1 + sum(1 for _ in tmp_path.iterdir()) + 10**6
    write_snapshot(tmp_path / str(whole.claim), whole)
    read = read_latest_snapshot(tmp_path / str(whole.claim), print)
    assert read is not None
    return read.resource


@LAW
@given(blocks=READINGS)
def test_meters_answer_the_same(tmp_path_factory: pytest.TempPathFactory, blocks: list[Any]) -> None:
    state, twin, at, claim = ResourceState(), at_once_state(), START_US, 0
    for rows, days, (idle, space), is_last_before_restart in blocks:
        claim, at = claim + 1, at + days * DAY_US
        said = [
            Row(key=(claim << 32) + i + 1, at=at - ago * DAY_US, quantity=100 * claim + i, series=number)
            for i, (number, ago) in enumerate(rows)
        ]
        cdrs = cdr_block(said, BlockPosition(claim, 0, 0), ReadingRules(idle_days=idle, space=space, series_max=50))
        found, wanted = (
            process(cdrs, ACCESS, each, stage_time=at, conflict_is_duplicate=False) for each in (state, twin)
        )
        _same(found, wanted)
        assert state.registers.count == twin.registers.count
        assert state.registers.forgotten == twin.registers.forgotten
        assert len(state.registers.key_hi) == len(twin.registers.key_hi)
        if is_last_before_restart and claim % 5 == 0:
            state = _again(tmp_path_factory.mktemp("again"), state)
    state.settle()
    assert not state.is_moving
    assert held_registers(state) == held_registers(twin)


@LAW
@given(
    blocks=st.lists(
        st.tuples(
            st.lists(st.tuples(_numbers(40), st.integers(0, 2), st.integers(1, 3), st.integers(0, 5)), max_size=12),
            st.integers(0, 2),
            st.sampled_from(["ask", "vacate", "forget", "unsee", "restart", "nothing"]),
        ),
        max_size=20,
    )
)
def test_versions_answer_the_same(tmp_path_factory: pytest.TempPathFactory, blocks: list[Any]) -> None:
    state, twin, at, claim = ResourceState(), at_once_state(), START_US, 0
    for each in (state, twin):
        each.dedup.window_days = 3
    for rows, days, then in blocks:
        claim, at = claim + 1, at + days * DAY_US
        said = [Row(key=number, at=at - ago * DAY_US, content=content) for number, ago, content, _ in rows]
        cdrs: CdrBlock = replace(
            cdr_block(said, BlockPosition(claim, 0, 0)), version=np.array([row[3] for row in rows], np.int64)
        )
        found, wanted = (
            process(cdrs, ACCESS, each, stage_time=at, conflict_is_duplicate=False, superseding_file=claim)
            for each in (state, twin)
        )
        _same(found, wanted)
        assert state.versions.count == twin.versions.count
        assert len(state.versions.key_hi) == len(twin.versions.key_hi)
        keys = [(row.key >> 64, row.key & (1 << 64) - 1, row.at) for row in said[::2]]
        for each in (state, twin):
            if then == "unsee":
                each.versions.unsee(keys)
            elif then in ("vacate", "forget") and keys:
                hi, lo, event_at = zip(*keys, strict=True)
                columns = np.array(hi, np.uint64), np.array(lo, np.uint64), np.array(event_at, np.int64)
                each.versions.vacate(*columns, forget=then == "forget")
        if then == "ask":
            assert [state.versions.holder(*key) for key in keys] == [twin.versions.holder(*key) for key in keys]
        elif then == "restart" and claim % 3 == 0:
            state = _again(tmp_path_factory.mktemp("again"), state)


@LAW
@given(
    blocks=st.lists(
        st.tuples(
            st.lists(st.tuples(_numbers(40), st.sampled_from(list(Part)), st.integers(1, 9)), max_size=12),
            st.integers(0, 50),  # minutes of stage time
            st.sampled_from(["tick", "move on", "restart", "nothing"]),
        ),
        max_size=25,
    ),
    late=st.sampled_from(list(Late)),
)
def test_sessions_answer_the_same(tmp_path_factory: pytest.TempPathFactory, blocks: list[Any], late: Late) -> None:
    state, twin, at, claim = ResourceState(), at_once_state(), START_US, 0
    for each in (state, twin):
        each.dedup.window_days = 0
    for rows, minutes, then in blocks:
        claim, at = claim + 1, at + minutes * HOUR_US // 20
        said = [Piece(number, part, quantity=quantity) for number, part, quantity in rows]
        cdrs = pieces_block(said, claim, rules=Rules(late=late, open_max=30))
        found, wanted = (
            process(cdrs, ACCESS, each, stage_time=at, conflict_is_duplicate=False) for each in (state, twin)
        )
        _same(found, wanted)
        assert state.assembly.used == twin.assembly.used
        assert len(state.assembly.sessions.key_hi) == len(twin.assembly.sessions.key_hi)
        if then == "tick":
            claim += 1
            assert state.assembly.is_due(at) == twin.assembly.is_due(at)
            ended = []
            for each in (state, twin):
                slots = each.assembly.due(at)
                done = each.assembly.end(slots, claim, np.arange(len(slots), dtype=np.int64))
                ended.append([done.quantity.tolist(), done.part.tolist(), done.event_at.tolist()])
            assert ended[0] == ended[1]
            assert state.assembly.next_deadline == twin.assembly.next_deadline
        elif then == "move on":
            state.move_on()
        elif then == "restart" and claim % 4 == 0:
            state = _again(tmp_path_factory.mktemp("again"), state)
            state.dedup.window_days = 0
    assert state.assembly.open_count == twin.assembly.open_count
    assert np.count_nonzero(state.assembly.sessions.status != FREE) == state.assembly.used


@LAW
@given(
    commands=st.lists(
        st.tuples(st.sampled_from(["put", "take", "step", "widen"]), st.lists(_numbers(60), max_size=9, unique=True)),
        max_size=60,
    )
)
def test_a_table_that_moves_knows_what_a_dictionary_knows(commands: list[tuple[str, list[int]]]) -> None:
    """Keys are put and asked for; what was even when the table widened is kept, the rest is forgotten by and by."""
    mover, columns, known = Mover(), _table(8), dict[int, int]()
    for at, (what, numbers) in enumerate(commands):
        hi, lo = np.zeros(len(numbers), np.uint64), np.array(numbers, np.uint64)
        if what == "widen":
            mover.finish(columns)
            known = {number: value for number, value in known.items() if value % 2 == 0}
            capacity = 1 << (4 * len(known) + 40).bit_length()
            mover.prepare(columns, len(columns[0]), 0, capacity)
            columns = mover.begin(columns, capacity, lambda rows: rows[2] % 2 == 0)
        elif what == "step":
            mover.step(columns, 0)
        mover.bring(columns, hi, lo)
        found = {number: _find(columns, number) for number in numbers}
        assert {n: int(columns[2][slot]) for n, slot in found.items() if slot >= 0} == {
            n: known[n] for n in numbers if n in known
        }
        if what == "put" and len(known) + len(numbers) <= len(columns[0]) // 2:
            new = np.array([number for number in numbers if number not in known], np.uint64)
            place = np.empty(len(new), np.int64)
            kernels.put_in(*columns[:2], moving.NO_DAYS, np.zeros(len(new), np.uint64), new, moving.NO_DAYS, place)
            columns[2][place] = at + np.arange(len(new))
            known |= dict(zip(new.tolist(), (at + np.arange(len(new))).tolist(), strict=True))
    mover.finish(columns)
    there = columns[1] != 0
    assert dict(zip(columns[1][there].tolist(), columns[2][there].tolist(), strict=True)) == known


def _table(capacity: int) -> Any:
    return np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64), np.zeros(capacity, np.int64)


def _find(columns: Any, number: int) -> int:
    slot = np.flatnonzero(columns[1] == np.uint64(number))
    return int(slot[0]) if len(slot) else -1
