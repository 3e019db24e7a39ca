"""Damaged and unfinished snapshots: noticed, passed over, and never built upon."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from resource_account import Line
from resource_world import START_US, Row, held_keys

from pipelines import snapshot
from pipelines.snapshot import StageState, UnableToReadSnapshot, read_latest_snapshot, write_snapshot


class Killed(BaseException):
    """The process ends here."""


def two_snapshots(directory: Path) -> tuple[Line, Path, Path]:
    """Return a line with its two snapshots; nothing is linked between them but what they share."""
    line = Line().activate()
    line.take([Row(key=index + 1, access=index % 3 + 1, at=START_US) for index in range(20)])
    first = write_snapshot(directory, line.state)
    line.take([Row(key=index + 1, access=index % 3 + 1, at=START_US) for index in range(20, 40)], claim=2)
    return line, first, write_snapshot(directory, line.state)


def read(directory: Path, *, set_aside: bool = False) -> tuple[StageState | None, list[str]]:
    told: list[str] = []
    return read_latest_snapshot(directory, told.append, set_aside=set_aside), told


def files_of(path: Path) -> list[str]:
    return sorted(found.name for found in path.iterdir())


def unlinked(path: Path) -> None:
    """Give a snapshot files of its own, so that damage stays in it."""
    for found in path.iterdir():
        content = found.read_bytes()
        found.unlink()
        found.write_bytes(content)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("state")
    _, _, latest = two_snapshots(directory)
    unlinked(latest)
    return directory


def test_any_flipped_bit_in_any_file_is_noticed_and_the_one_before_is_read(pristine: Path) -> None:
    latest = pristine / "0000000002-00000001"
    for name in files_of(latest):
        path = latest / name
        content = path.read_bytes()
        for offset in {0, len(content) // 3, len(content) // 2, len(content) - 1} if content else set():
            for bit in (0, 5):
                path.write_bytes(content[:offset] + bytes([content[offset] ^ (1 << bit)]) + content[offset + 1 :])
                state, told = read(pristine)
                assert state is not None
                assert state.position == (1, 1), (name, offset, bit)
                assert len(told) == 1
                assert told[0].startswith("snapshot 0000000002-00000001 is passed over")
        path.write_bytes(content)
    state, told = read(pristine)
    assert state is not None
    assert (state.position, told) == ((2, 1), [])


def test_any_flipped_bit_of_a_manifest_is_noticed(pristine: Path) -> None:
    """A manifest that says another position would make records be taken twice, or not at all."""
    content = (pristine / "0000000002-00000001" / "manifest.json").read_bytes()
    assert snapshot._unsealed(content)["claim"] == 2
    for offset in range(len(content)):
        for bit in range(8):
            damaged = content[:offset] + bytes([content[offset] ^ (1 << bit)]) + content[offset + 1 :]
            with pytest.raises((UnableToReadSnapshot, ValueError, TypeError, KeyError)):
                snapshot._unsealed(damaged)


def test_any_truncated_lengthened_or_missing_file_is_noticed(pristine: Path) -> None:
    latest = pristine / "0000000002-00000001"
    for name in files_of(latest):
        path = latest / name
        content = path.read_bytes()
        for size in {0, 1, len(content) // 2, len(content) - 1} - {len(content)} if content else set():
            path.write_bytes(content[:size])
            state, told = read(pristine)
            assert state is not None
            assert (state.position, len(told)) == ((1, 1), 1), (name, size)
        for spoiled in (content + b"x", None):
            path.unlink()
            if spoiled is not None:
                path.write_bytes(spoiled)
            state, told = read(pristine)
            assert state is not None
            assert (state.position, len(told)) == ((1, 1), 1), name
        path.write_bytes(content)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b"null", b"5", b'{"sha256": 1, "manifest": 2}', b"\xff\xfe"])
def test_a_manifest_of_any_other_content_is_passed_over(tmp_path: Path, manifest: bytes) -> None:
    _, _, latest = two_snapshots(tmp_path)
    (latest / "manifest.json").write_bytes(manifest)
    state, told = read(tmp_path)
    assert state is not None
    assert (state.position, len(told)) == ((1, 1), 1)


def test_another_format_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, _, latest = two_snapshots(tmp_path)
    shutil.rmtree(latest)
    monkeypatch.setattr(snapshot, "FORMAT", 99)
    write_snapshot(tmp_path, line.state)
    monkeypatch.undo()
    state, told = read(tmp_path)
    assert state is not None
    assert state.position == (1, 1)
    assert "its format is 99, this release reads 1, 2, 3, 4, 5 and 6" in told[0]


def test_when_all_are_damaged_the_log_is_replayed_from_its_start(tmp_path: Path) -> None:
    _, first, latest = two_snapshots(tmp_path)
    (first / "manifest.json").unlink()
    (latest / "manifest.json").unlink()
    state, told = read(tmp_path)
    assert state is None
    assert len(told) == 2


def test_a_damage_heals_once_the_owner_has_passed_it_over(tmp_path: Path) -> None:
    """Later snapshots are not linked to damaged files, and a damaged one does not take the place of a whole one."""
    line, first, latest = two_snapshots(tmp_path)
    shared = latest / "register.key_hi.bin"
    assert shared.samefile(first / shared.name)
    shared.write_bytes(bytes([shared.read_bytes()[0] ^ 1]) + shared.read_bytes()[1:])
    state, told = read(tmp_path, set_aside=True)
    assert state is None
    assert len(told) == 2
    assert files_of(tmp_path) == [".0000000001-00000001.damaged", ".0000000002-00000001.damaged"]
    write_snapshot(tmp_path, line.state)  # replayed: the same position again
    state, told = read(tmp_path)
    assert state is not None
    assert (state.position, told) == ((2, 1), [])
    assert held_keys(state.resource) == held_keys(line.state.resource)


def test_who_does_not_own_the_directory_moves_nothing(tmp_path: Path) -> None:
    _, _, latest = two_snapshots(tmp_path)
    (latest / "manifest.json").write_bytes(b"{}")
    before = files_of(tmp_path)
    read(tmp_path)
    assert files_of(tmp_path) == before


def test_setting_the_same_position_aside_twice_keeps_the_later(tmp_path: Path) -> None:
    line, _, latest = two_snapshots(tmp_path)
    for content in (b"1", b"2"):
        (latest / "manifest.json").write_bytes(content)
        read(tmp_path, set_aside=True)
        assert (tmp_path / f".{latest.name}.damaged" / "manifest.json").read_bytes() == content
        write_snapshot(tmp_path, line.state)


@pytest.mark.parametrize("name", [".0000000009-00000000.tmp", "lost+found", "notes.txt", "0000000009-00000000.bak"])
def test_what_is_no_snapshot_is_neither_read_nor_counted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    line, _, _ = two_snapshots(tmp_path)
    for claim in (3, 4, 5):
        line.state.claim = claim
        write_snapshot(tmp_path, line.state)
    state, told = read(tmp_path)
    assert state is not None
    assert (state.claim, told) == (5, [])
    kept = [found for found in files_of(tmp_path) if found != name]
    assert kept == ["0000000003-00000001", "0000000004-00000001", "0000000005-00000001"]


def test_an_unfinished_directory_is_removed_by_the_next_snapshot(tmp_path: Path) -> None:
    left = tmp_path / ".0000000001-00000001.tmp"
    left.mkdir()
    (left / "dedup.1.0.table.bin").write_bytes(b"half")
    two_snapshots(tmp_path)
    assert files_of(tmp_path) == ["0000000001-00000001", "0000000002-00000001"]


def counted(calls: list[str], stop_at: int, error: BaseException, name: str, real: Any) -> Any:
    """Return a call to the disk that is counted, and fails when it is the `stop_at`th."""

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) == stop_at:
            raise error
        return real(*args, **kwargs)

    return call


DISK = ((os, "fsync"), (os, "link"), (Path, "open"), (Path, "replace"), (Path, "rename"), (Path, "mkdir"))


@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full"])
def test_failing_at_any_step_leaves_the_latest_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = tmp_path / "before"
    line, _, _ = two_snapshots(before)
    line.take([Row(key=99, access=3, at=START_US)], claim=3)
    expected = held_keys(line.state.resource)
    finished = False
    step = 0
    while not finished:
        step += 1
        directory = tmp_path / str(step)
        shutil.copytree(before, directory)
        calls: list[str] = []
        with monkeypatch.context() as patch:
            for owner, name in DISK:
                patch.setattr(owner, name, counted(calls, step, error, name, getattr(owner, name)))
            with suppress(type(error)):
                write_snapshot(directory, line.state)
        finished = len(calls) < step
        state, told = read(directory)
        assert state is not None
        assert (state.claim, told) in ((2, []), (3, []))
        if isinstance(error, OSError):
            assert not list(directory.glob(".*")), "nothing unfinished is left"
        write_snapshot(directory, line.state)  # and the next one succeeds
        state, told = read(directory)
        assert state is not None
        assert (state.claim, told, held_keys(state.resource)) == (3, [], expected)
        assert not list(directory.glob(".*"))
        shutil.rmtree(directory)
    assert step > 40
