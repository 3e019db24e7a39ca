"""Copies of a state that are made while it changes: exact at the position where they are finished, whatever happened before."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from resource_account import CALLS, Line, facts
from resource_world import DAY_US, START_US, Row
from snapshot_world import busy_line, fail

from pipelines import snapshot
from pipelines.key_files import adopt_keys
from pipelines.snapshot import StageState, publish_snapshot, read_latest_snapshot, write_snapshot
from pipelines.snapshot_copy import StateCopy


def files(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.iterdir()}


def as_written(directory: Path, state: StageState) -> dict[str, bytes]:
    return files(publish_snapshot(directory, state).path)


def rows(first: int, count: int) -> list[Row]:
    return [Row(key=key, at=START_US + key % 2 * DAY_US, access=key % 3 + 1) for key in range(first, first + count)]


def test_a_copy_is_the_state_where_it_is_finished_and_not_where_it_went_on(tmp_path: Path) -> None:
    line = busy_line()
    copy = StateCopy.begin(line.state)
    line.take(rows(1000, 30), block=1)
    copy.run(lambda: True)
    line.take(rows(2000, 30), block=2)
    line.state.account.credit(np.array([1], np.int32), np.array([5 * 10**9]))
    exact = copy.finish()
    assert exact is not None
    expected = as_written(tmp_path / "state", line.state)
    line.take(rows(3000, 30), block=3)
    assert as_written(tmp_path / "copy", exact) == expected


def test_a_copy_of_a_state_that_grew_is_begun_anew(tmp_path: Path) -> None:
    line = busy_line()
    copy = StateCopy.begin(line.state)
    copy.run(lambda: True)
    line.activate(CALLS % "3")
    assert copy.finish() is None
    again = StateCopy.begin(line.state)
    again.run(lambda: True)
    exact = again.finish()
    assert exact is not None
    assert as_written(tmp_path / "copy", exact) == as_written(tmp_path / "state", line.state)


def test_a_copy_that_is_given_up_is_not_told_of_changes() -> None:
    line = busy_line()
    copy = StateCopy.begin(line.state)
    copy.run(lambda: False)
    copy.give_up()
    line.take(rows(1000, 3), block=1)
    assert not copy.following.changes
    assert line.state.account.following is None
    other = StateCopy.begin(line.state)
    copy.give_up()
    assert line.state.account.following is other.following


def test_a_thread_copies_while_blocks_are_taken(tmp_path: Path) -> None:
    line = busy_line()
    for number in range(3):
        copy = StateCopy.begin(line.state)
        thread = threading.Thread(target=copy.run, args=(lambda: True,))
        thread.start()
        block = 0
        while thread.is_alive() or block < 3:
            block += 1
            line.take(rows(10_000 * number + 100 * block, 20), block=1000 * number + block)
        thread.join()
        exact = copy.finish()
        assert exact is not None
        expected = as_written(tmp_path / f"state{number}", line.state)
        line.take(rows(5_000_000 + number, 1), block=1000 * number + 999)
        assert as_written(tmp_path / f"copy{number}", exact) == expected


def test_keys_that_came_while_a_snapshot_was_written_are_in_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days that are over do not go to sleep over them, nor those that another bucket took the place of."""
    monkeypatch.setattr("pipelines.key_files.SMALL_KEYS", 1)
    line = Line().activate()
    window = line.state.resource.dedup
    for day in (0, 1, 2):
        line.take([Row(key=key, at=START_US + day * DAY_US, access=1) for key in range(1, 9)], block=day)
    window.stage_day = START_US // DAY_US + 90
    write_snapshot(tmp_path, line.state)
    copy = StateCopy.begin(line.state)
    copy.run(lambda: True)
    line.state.block += 1
    exact = copy.finish()
    assert exact is not None
    line.take([Row(key=99, at=START_US, access=1)], block=5)
    published = publish_snapshot(tmp_path, exact)
    assert {keys.asleep for keys in published.keys.values()} == {True}
    days = sorted(window.buckets)
    window.buckets[days[1]] = type(window.buckets[days[1]])()
    adopt_keys(window, published.keys, published.path, copy.buckets)
    assert [window.buckets[day].is_awake for day in days] == [True, True, False]
    assert window.buckets[days[1]].stored is None
    output = line.take([Row(key=99, at=START_US, access=1), Row(key=3, at=START_US + 2 * DAY_US, access=1)], block=6)
    assert output.header.duplicate == 2
    state = read_latest_snapshot(tmp_path, fail)
    assert state is not None
    again = Line(state, outputs=[]).activate()
    assert again.take([Row(key=99, at=START_US, access=1)], block=9).header.duplicate == 0
    assert facts(again.outputs)


def test_a_snapshot_that_is_not_wanted_any_more_leaves_nothing(tmp_path: Path) -> None:
    line = busy_line()
    before = write_snapshot(tmp_path, line.state)
    line.state.claim += 1

    def refuse() -> None:
        raise RuntimeError

    for waits in ({"before_file": refuse}, {"before_publishing": refuse}):
        with pytest.raises(RuntimeError):
            publish_snapshot(tmp_path, line.state, **waits)
        assert list(tmp_path.iterdir()) == [before]


def test_names_that_are_as_many_as_before_are_linked_and_others_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "NAMES_ROWS", 2)
    line = busy_line()
    first = write_snapshot(tmp_path, line.state)
    line.state.claim += 1
    line.state.vocabulary.sources.extend(line.state.vocabulary.wallets.names)
    second = write_snapshot(tmp_path, line.state)
    linked = {path.name for path in second.glob("names.*") if path.samefile(first / path.name)}
    assert {path.name for path in second.glob("names.*")} - linked == {"names.sources.arrow"}
    state = read_latest_snapshot(tmp_path, fail)
    assert state is not None
    for kind, table in line.state.vocabulary.tables().items():
        assert state.vocabulary.tables()[kind].names.to_list() == table.names.to_list()
