"""Keys in snapshots: many of them, days that sleep, damage that shows when they wake, and the layouts of the releases before."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from resource_world import DAY_US, START_US, held_keys

from pipelines import key_files, snapshot
from pipelines.key_files import VERIFY_MARK, DamagedKeys
from pipelines.resource import key_log
from pipelines.resource.dedup import DedupWindow
from pipelines.resource.kernels import dedup as verdicts
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.arrays import UInt64Array

START_DAY = START_US // DAY_US


def fail(told: str) -> None:
    raise AssertionError(told)


def read(directory: Path) -> StageState:
    state = read_latest_snapshot(directory, fail, set_aside=True)
    assert state is not None
    return state


def columns(first: int, count: int) -> tuple[UInt64Array, UInt64Array, UInt64Array]:
    """Return keys number `first`, … and their contents: spread, and different."""
    number = np.arange(first, first + count, dtype=np.uint64)
    return number * np.uint64(0x9E3779B97F4A7C15), number, number + np.uint64(1)


def take(window: DedupWindow, first: int, count: int, day: int = 0) -> list[int]:
    """Decide keys; return how many got each verdict, UNSEEN to UNUSABLE."""
    hi, lo, content = columns(first, count)
    at = np.full(count, START_US + day * DAY_US, np.int64)
    everything = np.ones(count, bool)
    verdict = window.decide(hi, lo, content, at, everything, everything).verdict
    return np.bincount(verdict, minlength=5).tolist()


def new(count: int) -> list[int]:
    return [0, count, 0, 0, 0]


def duplicate(count: int) -> list[int]:
    return [0, 0, count, 0, 0]


def at_day(state: StageState, day: int) -> None:
    state.resource.dedup.move_to(START_US + day * DAY_US)


def write_quiet(directory: Path, state: StageState) -> Path:
    """Write two snapshots: at the second all days are quiet, and those that are over go to sleep."""
    write_snapshot(directory, state)
    state.claim += 1
    return write_snapshot(directory, state)


def test_a_day_of_many_chunks_and_pages_is_exact_and_is_read_back(tmp_path: Path) -> None:
    """1.2 million keys: five chunks of the log, and an index of some pages in the middle of a sweep."""
    state = StageState.empty()
    window = state.resource.dedup
    take(window, 0, 100)  # layouts grow from here
    for first in range(100, 1_199_992, 99_991):
        assert take(window, first, 99_991) == new(99_991)
        assert take(window, max(first - 50_000, 0), 50_000) == duplicate(50_000)
    assert take(window, 1_199_992, 8) == new(8)
    (bucket,) = window.buckets.values()
    assert bucket.log.index.border > 0
    assert len(bucket.log.index.old.pages) > 2
    assert len(bucket.log.index.wide.pages) > 1
    assert window.nbytes < 48 * 1_200_000  # whole pages; with ten times the keys it is 41
    write_snapshot(tmp_path, state)
    found = read(tmp_path).resource.dedup
    assert found.key_count == 1_200_000
    assert take(found, 600_000, 700_000) == [0, 100_000, 600_000, 0, 0]
    hi, lo, _ = columns(0, 1000)
    other = np.full(1000, 2**63, np.uint64)
    everything = np.ones(1000, bool)
    verdict = found.decide(hi, lo, other, np.full(1000, START_US, np.int64), everything, everything).verdict
    assert set(verdict.tolist()) == {verdicts.CONFLICT}


def test_work_to_widen_is_in_proportion_to_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a rehash: however many keys are held, a block of rows moves a few words for each of them."""
    window = DedupWindow()
    for first in range(0, 1_000_000, 100_000):
        take(window, first, 100_000)
    (bucket,) = window.buckets.values()
    index = bucket.log.index
    before = (index.old.capacity, index.border)
    moved = []
    for first in range(1_000_000, 1_400_000, 1_000):
        take(window, first, 1_000)
        swept = index.border - before[1] if index.old.capacity == before[0] else before[0] - before[1] + index.border
        before = (index.old.capacity, index.border)
        moved.append(8 * swept)
    assert sum(moved) > 400_000
    assert max(moved) < 8_000


def test_days_that_are_over_sleep_and_wake_when_their_records_come(tmp_path: Path) -> None:
    state = StageState.empty()
    for day in range(8):
        at_day(state, day)
        assert take(state.resource.dedup, 0, 5_000, day) == new(5_000)
    write_snapshot(tmp_path, state)
    assert all(bucket.is_awake for bucket in state.resource.dedup.buckets.values())
    assert take(state.resource.dedup, 5_000, 1, 3) == new(1)
    state.claim += 1
    path = write_snapshot(tmp_path, state)
    assert state.resource.dedup.buckets[START_DAY + 3].is_awake  # a key came since the snapshot before
    assert not list(path.glob(f"dedup.{START_DAY + 3}.index"))
    state.claim += 1
    path = write_snapshot(tmp_path, state)
    awake = {day - START_DAY for day, bucket in state.resource.dedup.buckets.items() if bucket.is_awake}
    assert awake == {4, 5, 6, 7}
    assert state.resource.dedup.nbytes < 4 * 5_000 * 44 * 2
    assert sorted(found.name for found in path.glob("*.index")) == [
        f"dedup.{START_DAY + day}.index" for day in range(4)
    ]
    for window in (state.resource.dedup, read(tmp_path).resource.dedup):
        assert take(window, 4_000, 2_000, 0) == [0, 1_000, 1_000, 0, 0]
        assert window.buckets[START_DAY].is_awake
        assert not window.buckets[START_DAY + 1].is_awake
        assert window.key_count == 8 * 5_000 + 1_001


def test_a_late_record_rewrites_the_last_chunk_of_its_day_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_log, "CHUNK_BITS", 11)
    state = StageState.empty()
    at_day(state, 9)
    for day in (0, 1):
        take(state.resource.dedup, 0, 5_000, day)
    first = write_quiet(tmp_path, state)
    take(state.resource.dedup, 9_999, 1, 1)
    state.claim += 1
    second = write_snapshot(tmp_path, state)
    written = {path.name for path in second.glob("dedup.2*") if not path.samefile(first / path.name)}
    assert written == {f"dedup.{START_DAY + 1}.2.keys"}
    for chunk in range(2):
        take(state.resource.dedup, 10_000 + chunk * 500, 500, 1)
    state.claim += 1
    third = write_quiet(tmp_path, state)
    written = {
        path.name
        for path in third.glob("dedup.2*")
        if not (second / path.name).exists() or not path.samefile(second / path.name)
    }
    assert written == {f"dedup.{START_DAY + 1}.2.keys", f"dedup.{START_DAY + 1}.index"}
    assert held_keys(read(tmp_path).resource) == held_keys(state.resource)


def damage(path: Path) -> None:
    """Flip a bit in a file of a snapshot and in all that is linked to it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    with path.open("r+b") as handle:
        handle.write(content)


@pytest.mark.parametrize("kind", ["0.keys", "index"])
def test_damage_of_a_sleeping_day_shows_before_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(key_files, "VERIFY_BYTES", 0)
    state = StageState.empty()
    at_day(state, 9)
    take(state.resource.dedup, 0, 5_000, 0)
    path = write_quiet(tmp_path, state)
    damage(path / f"dedup.{START_DAY}.{kind}")
    woken = read(tmp_path)  # not looked at yet
    with pytest.raises(DamagedKeys, match="start again"):
        take(woken.resource.dedup, 0, 1, 0)
    assert (tmp_path / VERIFY_MARK).exists()
    told: list[str] = []
    older = read_latest_snapshot(tmp_path, told.append, set_aside=True)
    assert "does not match its checksum" in told[0]
    assert (older is None) == (kind == "0.keys")  # the snapshot before has the same keys, but no index of them


def test_a_mark_goes_when_everything_was_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_files, "VERIFY_BYTES", 0)
    state = StageState.empty()
    at_day(state, 9)
    take(state.resource.dedup, 0, 5_000, 0)
    write_quiet(tmp_path, state)
    (tmp_path / VERIFY_MARK).touch()
    (bucket,) = read(tmp_path).resource.dedup.buckets.values()
    assert bucket.stored is not None
    assert bucket.stored.verified
    assert not (tmp_path / VERIFY_MARK).exists()


@pytest.mark.parametrize("how", ["gone", "short", "long"])
def test_a_sleeping_file_of_another_size_is_noticed_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(key_files, "VERIFY_BYTES", 0)
    state = StageState.empty()
    at_day(state, 9)
    take(state.resource.dedup, 0, 5_000, 0)
    path = write_quiet(tmp_path, state) / f"dedup.{START_DAY}.index"
    size = path.stat().st_size
    if how == "gone":
        path.unlink()
    else:
        os.truncate(path, size - 8 if how == "short" else size + 8)
    told: list[str] = []
    assert read_latest_snapshot(tmp_path, told.append) is not None  # the one before
    assert path.name in told[0]


def write_format_1(directory: Path, state: StageState, segments: dict[int, list[dict[int, int]]]) -> None:
    """Write a snapshot as releases before 0.2 did: per day a list of segments, key -> content (0 for a void key).

    Its tables are open addressing from `lo & mask`; the smaller ones share a file.
    """
    path = write_snapshot(directory, state)
    manifest = snapshot._unsealed((path / "manifest.json").read_bytes())
    arrays, small, facts = {}, [np.zeros((0, 3), np.uint64)], {}
    for day, found in segments.items():
        facts[str(day)] = []
        for number, keys in enumerate(found):
            slots = 1 << max(6, (2 * len(keys)).bit_length())
            table = np.zeros((slots, 3), np.uint64)
            for key, content in keys.items():
                slot = key & (slots - 1)
                while table[slot, :2].any():
                    slot = (slot + 1) % slots
                table[slot] = key >> 64, key & (2**64 - 1), content
            facts[str(day)].append([slots, len(keys)])
            if slots < 4096:
                small.append(table)
            else:
                arrays[f"dedup.{day}.{number}.table"] = table[:, :2].reshape(-1)
                arrays[f"dedup.{day}.{number}.contents"] = table[:, 2]
    together = np.concatenate(small)
    arrays |= {"dedup.small.table": together[:, :2].reshape(-1), "dedup.small.contents": together[:, 2]}
    files = manifest["files"]
    del files["dedup.small"]
    for name, array in arrays.items():
        files[name] = snapshot._write_array(path, name, np.ascontiguousarray(array), None)
    dedup = manifest.pop("dedup")
    manifest |= {"format": 1, "window_days": 40, "first_day": dedup["first_day"], "segments": facts, "files": files}
    (path / "manifest.json").write_bytes(snapshot._sealed(json.loads(json.dumps(manifest))))


def write_format_2(path: Path) -> None:
    """Make of a snapshot what the release before wrote: the index of a day that sleeps has another layout."""
    manifest = snapshot._unsealed((path / "manifest.json").read_bytes())
    manifest["format"] = 2
    for day, facts in manifest["dedup"]["days"].items():
        assert facts.pop("asleep") == (facts["index"] is not None)
        if facts["index"] is not None:
            words = np.arange(facts["count"] * 3, dtype=np.uint64)
            facts["index"] = [key_files._write(path / f"dedup.{day}.index", [words]), facts["count"], 1, len(words)]
    (path / "manifest.json").write_bytes(snapshot._sealed(manifest))


def test_a_snapshot_of_format_2_is_read_and_its_sleeping_days_are_indexed_as_they_wake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_log, "CHUNK_BITS", 11)
    state = StageState.empty()
    at_day(state, 9)
    for day in (0, 1, 9):
        take(state.resource.dedup, 0, 5_000, day)
    write_format_2(write_quiet(tmp_path, state))
    found = read(tmp_path)
    window = found.resource.dedup
    found.claim += 1
    path = write_snapshot(tmp_path, found)  # days that still sleep are linked as they are
    assert not list(path.glob("*.index"))
    assert not window.buckets[START_DAY].is_awake
    found = read(tmp_path)
    window = found.resource.dedup
    assert take(window, 4_000, 2_000, 0) == [0, 1_000, 1_000, 0, 0]
    assert take(window, 4_000, 2_000, 9) == [0, 1_000, 1_000, 0, 0]
    assert not window.buckets[START_DAY + 1].is_awake
    found.claim += 1
    path = write_quiet(tmp_path, found)
    assert [name.name for name in path.glob("*.index")] == [f"dedup.{START_DAY}.index"]
    assert snapshot._unsealed((path / "manifest.json").read_bytes())["format"] == 3
    window = read(tmp_path).resource.dedup
    for day, count in ((0, 6_000), (1, 5_000), (9, 6_000)):
        assert take(window, 0, count, day) == duplicate(count)
    damage(path / f"dedup.{START_DAY + 1}.0.keys")
    told: list[str] = []
    read_latest_snapshot(tmp_path, told.append)
    assert "does not match its checksum" in told[0]


def test_damage_of_a_day_without_an_index_shows_before_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_files, "VERIFY_BYTES", 0)
    state = StageState.empty()
    at_day(state, 9)
    take(state.resource.dedup, 0, 5_000, 0)
    path = write_quiet(tmp_path, state)
    write_format_2(path)
    damage(path / f"dedup.{START_DAY}.0.keys")
    with pytest.raises(DamagedKeys, match="start again"):
        take(read(tmp_path).resource.dedup, 0, 1, 0)
    assert (tmp_path / VERIFY_MARK).exists()


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_damage_of_a_day_that_is_awake_is_noticed_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Full chunks are mapped and the last one is read: all are verified."""
    monkeypatch.setattr(key_log, "CHUNK_BITS", 11)
    state = StageState.empty()
    take(state.resource.dedup, 0, 5_000)
    path = write_snapshot(tmp_path, state)
    damage(path / f"dedup.{START_DAY}.{chunk}.keys")
    told: list[str] = []
    assert read_latest_snapshot(tmp_path, told.append) is None
    assert f"dedup.{START_DAY}.{chunk}.keys does not match its checksum" in told[0]


def test_a_restored_day_goes_on_when_its_snapshot_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are mapped, and a mapped file outlives its name; nothing is ever written into one."""
    monkeypatch.setattr(key_log, "CHUNK_BITS", 11)
    state = StageState.empty()
    take(state.resource.dedup, 0, 4_096)
    path = write_snapshot(tmp_path, state)
    before = {found.name: found.read_bytes() for found in path.iterdir()}
    found = read(tmp_path)
    window = found.resource.dedup
    hi, lo, content = columns(4_000, 200)
    everything, at = np.ones(200, bool), np.full(200, START_US, np.int64)
    decision = window.decide(hi, lo, content, at, everything, everything)
    decision.settle(np.where(np.arange(200) % 2, content, 0))
    assert {found.name: found.read_bytes() for found in path.iterdir()} == before
    shutil.rmtree(path)
    assert take(window, 0, 4_096) == duplicate(4_096)
    assert take(window, 4_096, 104) == [0, 52, 52, 0, 0]


def test_a_snapshot_of_format_1_is_read(tmp_path: Path) -> None:
    state = StageState.empty()
    state.claim, state.image = 7, "cd" * 32
    state.resource.dedup.first_day = 3
    large = {(number * 0x9E3779B97F4A7C15 % 2**128) << 1 | 1: number % 5 for number in range(1, 3_000)}
    segments = {
        START_DAY: [{5: 1, 6: 0, 1 << 64 | 5: 2**64 - 1}, large, {7: 3}],
        START_DAY + 1: [{5: 9}],
        START_DAY + 2: [{6: 0}],
    }
    write_format_1(tmp_path, state, segments)
    found = read(tmp_path)
    assert (found.position, found.image) == ((7, 0), "cd" * 32)
    dedup = found.resource.dedup
    assert (dedup.window_days, dedup.first_day) == (40, 3)
    held = {
        (day, key): content
        for day, parts in segments.items()
        for part in parts
        for key, content in part.items()
        if content
    }
    assert held_keys(found.resource) == held
    found.claim = 8
    path = write_snapshot(tmp_path, found)
    assert snapshot._unsealed((path / "manifest.json").read_bytes())["format"] == 3
    assert held_keys(read(tmp_path).resource) == held


def test_full_chunks_give_way_to_their_files_once_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory holds the last chunk and the index; answers, and what the next snapshots write, are the same."""
    monkeypatch.setattr(key_log, "CHUNK_BITS", 12)
    state = StageState.empty()
    window = state.resource.dedup
    assert take(window, 0, 10_000) == new(10_000)
    state.claim = 2
    write_snapshot(tmp_path, state)
    (bucket,) = window.buckets.values()
    assert [chunk.flags.writeable for chunk in bucket.log.chunks] == [False, False, True]
    assert take(window, 9_000, 5_000) == [0, 4_000, 1_000, 0, 0]
    state.claim = 3
    write_snapshot(tmp_path, state)
    shutil.rmtree(tmp_path / "0000000002-00000000")
    assert [chunk.flags.writeable for chunk in bucket.log.chunks] == [False, False, False, True]
    assert take(window, 0, 14_000) == duplicate(14_000)
    assert held_keys(read(tmp_path).resource) == held_keys(state.resource)


def test_a_chunk_that_cannot_be_mapped_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_log, "CHUNK_BITS", 12)
    state = StageState.empty()
    window = state.resource.dedup
    take(window, 0, 10_000)

    def no_room(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(np, "memmap", no_room)
    write_snapshot(tmp_path, state)
    (bucket,) = window.buckets.values()
    assert all(chunk.flags.writeable for chunk in bucket.log.chunks)
    assert take(window, 0, 10_000) == duplicate(10_000)
