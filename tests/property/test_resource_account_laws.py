"""Laws of both stages together: blocks may be cut anywhere, and a snapshot may be taken anywhere."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from resource_account import CALLS, Line, facts
from resource_world import START_US, Row, held_keys, held_registers

from pipelines import key_files
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from pipelines.snapshot_copy import StateCopy
from schemas.rejection import Outcome, Reason

calls = st.builds(
    Row,
    key=st.integers(1, 12),
    access=st.sampled_from([1, 2, 3, 4]),
    at=st.integers(START_US, START_US + 3),
    quantity=st.integers(0, 4),
    content=st.integers(1, 2),
    reason=st.sampled_from([0, 0, 0, int(Reason.FIELD_COUNT), int(Reason.FILTERED_BY_SOURCE)]),
    event_type=st.sampled_from([0, 0, 0, 1]),
    series=st.sampled_from([0, 0, 5, 6]),
)
usage = st.lists(calls, max_size=25)
cuts = st.lists(st.integers(0, 25), max_size=4).map(sorted)
FEW = settings(max_examples=40)


def take_in_pieces(line: Line, rows: list[Row], where: list[int]) -> None:
    bounds = [0, *(min(cut, len(rows)) for cut in where), len(rows)]
    for block, (start, end) in enumerate(pairwise(bounds)):
        line.take(rows[start:end], block=block, first_record=start)


def describe(state: StageState) -> tuple:
    """Return all that a state knows, in plain Python."""
    words = {name: table.names.to_list() for name, table in state.vocabulary.tables().items()}
    dedup = state.resource.dedup
    held = (held_keys(state.resource), held_registers(state.resource))
    return (*held, dedup.window_days, dedup.first_day, state.account.checksum(), words, state.position, state.image)


@FEW
@given(rows=usage, where=cuts)
def test_a_block_is_processed_like_its_pieces(rows: list[Row], where: list[int]) -> None:
    whole, pieces = Line().activate(), Line().activate()
    whole.take(rows)
    take_in_pieces(pieces, rows, where)
    assert facts(whole.outputs) == facts(pieces.outputs)
    assert describe(whole.state)[:5] == describe(pieces.state)[:5]


@FEW
@given(rows=usage, where=cuts)
def test_every_record_ends_in_one_outcome_and_every_edr_too(rows: list[Row], where: list[int]) -> None:
    line = Line().activate()
    take_in_pieces(line, rows, where)
    for output in line.outputs:
        header = output.header
        assert header.received == sum(getattr(header, outcome.name.lower()) for outcome in Outcome)
        assert header.edrs == header.accepted == header.rated + header.unrated == len(output.edrs)
        assert header.usage_rows == header.rated == (output.rated.reason == 0).sum()
        assert header.operation_rows == len(output.rated.split_row)
        assert header.rejection_rows == output.rejections.num_rows == header.rejected + header.parked + header.unrated
        assert header.quantity == sum(output.edrs.quantity[output.rated.reason == 0].tolist())
        assert sum(header.amounts.values()) == sum(output.rated.amount.tolist())
    assert sum(output.header.received for output in line.outputs) == len(rows)


@FEW
@given(
    rows=usage,
    where=cuts,
    at=st.integers(0, 4),
    window=st.sampled_from([None, 3]),
    small=st.sampled_from([0, 3, 4096]),
    awake=st.sampled_from([-100, 0, 3]),
)
def test_going_on_from_a_snapshot_is_like_never_having_stopped(
    rows: list[Row], where: list[int], at: int, window: int | None, small: int, awake: int
) -> None:
    bounds = list(pairwise([0, *(min(cut, len(rows)) for cut in where), len(rows)]))
    straight, stopped = Line().activate(), Line().activate()
    straight.state.resource.dedup.window_days = stopped.state.resource.dedup.window_days = window
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("os.fsync"),
        mock.patch.object(key_files, "SMALL_KEYS", small),
        mock.patch.object(key_files, "AWAKE_DAYS", awake),
    ):
        for block, (start, end) in enumerate(bounds):
            if block == at:
                write_snapshot(Path(folder), stopped.state)
                read = read_latest_snapshot(Path(folder), lambda told: None)
                assert read is not None
                assert describe(read) == describe(stopped.state)
                outputs = stopped.outputs
                stopped = Line(read, outputs=outputs).activate()  # the image is compiled again, as after a restart
            if block == 2:
                straight.activate(CALLS % "3")
                stopped.activate(CALLS % "3")
            for line in (straight, stopped):
                line.take(rows[start:end], block=block, first_record=start)
    assert facts(straight.outputs) == facts(stopped.outputs)
    assert describe(straight.state) == describe(stopped.state)


@FEW
@given(rows=usage, where=cuts, begin=st.integers(0, 2), run=st.integers(0, 2), finish=st.integers(0, 2))
def test_a_copy_that_is_made_meanwhile_is_the_state_where_it_is_finished(
    rows: list[Row], where: list[int], begin: int, run: int, finish: int
) -> None:
    bounds = list(pairwise([0, *(min(cut, len(rows)) for cut in where), len(rows)]))
    line, copy = Line().activate(), None
    for block, (start, end) in enumerate(bounds):
        if block == begin:
            copy = StateCopy.begin(line.state)
        if block == begin + run and copy is not None:
            copy.run(lambda: True)
        line.take(rows[start:end], block=block, first_record=start)
        if block == begin + run + finish and copy is not None:
            exact = copy.finish()
            assert exact is not None
            assert describe(exact) == describe(line.state)
