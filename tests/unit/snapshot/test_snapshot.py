"""Snapshots: what is written is read back, the latest three are kept, and unchanged arrays are not written again."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from resource_account import CALLS, Line
from resource_world import DAY_US, START_US, Row, held_keys, held_registers, openings
from snapshot_world import busy_line, fail

from pipelines import key_files
from pipelines.snapshot import KEPT, StageState, read_latest_snapshot, write_snapshot


def read(directory: Path) -> StageState:
    state = read_latest_snapshot(directory, fail)
    assert state is not None
    return state


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_nothing_written_is_nothing_read(tmp_path: Path) -> None:
    assert read_latest_snapshot(tmp_path, fail) is None
    assert read_latest_snapshot(tmp_path / "missing", fail) is None


def test_an_empty_state_is_read_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path, StageState.empty())
    state = read(tmp_path)
    assert state.position == (1, 0)
    assert (held_keys(state.resource), held_registers(state.resource), state.image) == ({}, {}, "")
    assert state.account.wallet_count == 0
    assert len(state.vocabulary.attribute_values) == 1  # the blank one


def test_everything_of_a_state_is_read_back(tmp_path: Path) -> None:
    line = busy_line()
    written = line.state
    write_snapshot(tmp_path / "deep" / "state", written)
    state = read(tmp_path / "deep" / "state")
    assert state.position == written.position == (1, 1)
    assert state.image == "ab" * 32
    assert held_keys(state.resource) == held_keys(written.resource)
    assert len(held_keys(state.resource)) == 50
    assert held_registers(state.resource) == {5: (START_US, 40), 1 << 64: (START_US, 41)}
    assert state.resource.registers.forgotten == {0: 7, 2**32 - 1: START_US}
    assert (state.resource.dedup.window_days, state.resource.dedup.first_day) == (30, 4)
    assert state.account.checksum() == written.account.checksum()
    assert state.vocabulary.wallets.names.to_list() == written.vocabulary.wallets.names.to_list()


def test_a_state_that_was_read_can_be_written_to(tmp_path: Path) -> None:
    write_snapshot(tmp_path, busy_line().state)
    line = Line(read(tmp_path)).activate(CALLS % "2")
    output = line.take([Row(key=1, access=3), Row(key=1000, access=3)], block=1)
    assert (output.header.duplicate, output.header.rated) == (1, 1)
    line.state.resource.registers.open(*openings((9, START_US, 1)))
    assert line.state.resource.registers.count == 3


def test_the_latest_by_position_is_read_and_three_are_kept(tmp_path: Path) -> None:
    state = busy_line().state
    for claim, block in ((2, 0), (2, 9), (10, 0), (9, 0), (100_000, 3)):
        state.claim, state.block = claim, block
        write_snapshot(tmp_path, state)
    assert names(tmp_path) == ["0000000009-00000000", "0000000010-00000000", "0000100000-00000003"]
    assert KEPT == 3
    assert read(tmp_path).position == (100_000, 3)


def test_writing_the_same_position_again_writes_nothing(tmp_path: Path) -> None:
    line = busy_line()
    path = write_snapshot(tmp_path, line.state)
    before = {found.name: found.stat().st_mtime_ns for found in path.iterdir()}
    assert write_snapshot(tmp_path, line.state) == path
    assert {found.name: found.stat().st_mtime_ns for found in path.iterdir()} == before


@pytest.mark.parametrize("small", [1, 4096])
def test_what_did_not_change_is_linked_and_what_did_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(key_files, "SMALL_KEYS", small)
    line = busy_line()
    first = write_snapshot(tmp_path, line.state)
    line.take([Row(key=1_000, at=START_US + DAY_US, access=3)], claim=2)
    second = write_snapshot(tmp_path, line.state)
    files = {path.name for kind in ("*.bin", "*.keys") for path in second.glob(kind)}
    linked = {name for name in files if (second / name).samefile(first / name)}
    today = (START_US // DAY_US) + 1
    assert files - linked == {
        "dedup.small.bin" if small > 1 else f"dedup.{today}.0.keys",
        "account.balance_lo.bin",
        "account.counter_used.bin",
        "account.accumulated.bin",
    }
    assert small > 1 or f"dedup.{today - 1}.0.keys" in linked
    assert read(tmp_path).position == (2, 1)


def test_the_older_snapshot_does_not_change_when_a_newer_one_is_linked_to_it(tmp_path: Path) -> None:
    line = busy_line()
    first = write_snapshot(tmp_path, line.state)
    content = {path.name: path.read_bytes() for path in first.iterdir()}
    for claim in (2, 3):
        line.take([Row(key=1_000 + claim, access=2)], claim=claim)
        write_snapshot(tmp_path, line.state)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == content


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    line = busy_line()
    write_snapshot(tmp_path, line.state)
    line.state.claim = 2
    second = write_snapshot(tmp_path, line.state)
    assert {path.stat().st_nlink for path in second.iterdir()} == {1}
    assert read(tmp_path).position == (2, 1)


def test_days_that_were_forgotten_are_not_in_the_next_snapshot(tmp_path: Path) -> None:
    line = busy_line()
    write_snapshot(tmp_path, line.state)
    line.state.resource.dedup.window_days = 0
    line.state.resource.dedup.move_to(START_US + DAY_US)
    line.state.claim = 2
    write_snapshot(tmp_path, line.state)
    assert {day for day, _ in held_keys(read(tmp_path).resource)} == {START_US // DAY_US + 1}


def test_small_and_large_days_are_told_apart(tmp_path: Path) -> None:
    line = Line().activate()
    for first, count in ((1, 3), (10, 8_000), (10_000, 2)):
        rows = [Row(key=key, access=3, at=START_US) for key in range(first, first + count)]
        line.take([*rows, Row(key=first, access=3, at=START_US + DAY_US)], block=first)
    written = line.state.resource
    path = write_snapshot(tmp_path, line.state)
    assert [found.name for found in path.glob("*.keys")] == [f"dedup.{START_US // DAY_US}.0.keys"]
    assert held_keys(read(tmp_path).resource) == held_keys(written)


def test_usage_strewn_over_many_days_stays_bounded(tmp_path: Path) -> None:
    """One record a day for a lifetime: a bad clock, or an attack."""
    line = Line().activate()
    days = 20_000
    rows = [Row(key=1, access=3, at=START_US - DAY_US * day) for day in range(days // 2)]
    line.take(rows)
    line.take([Row(key=1, access=3, at=START_US + DAY_US * day) for day in range(1, days // 2)], block=1)
    assert len(line.state.resource.dedup.buckets) == days - 1
    assert line.state.resource.dedup.nbytes <= 1_000 * days
    assert len(list(write_snapshot(tmp_path, line.state).iterdir())) < 50
    assert held_keys(read(tmp_path).resource) == held_keys(line.state.resource)


def test_names_with_every_character_survive(tmp_path: Path) -> None:
    state = StageState.empty()
    state.vocabulary.accounts.extend(pl.Series(["é", "", "a\nb", "\0", "😀", "~" * 300]))
    write_snapshot(tmp_path, state)
    assert read(tmp_path).vocabulary.accounts.names.to_list() == state.vocabulary.accounts.names.to_list()
