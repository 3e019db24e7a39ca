"""The benchmark of wallets runs all its suites, and its recount and its logs can find fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cli_octroi import octroi

from apps.bench_wallets import WALLET_SUITES
from benchmarks import durable
from benchmarks.durable import DurableLog, Passage, read_frames
from benchmarks.growing import KINDS, Feed
from benchmarks.wallets import World, edrs_of, measure_load
from schemas.cdr import Part

FRAMES = [bytes([number]) * (number + 1) for number in range(40)]


@pytest.fixture
def world() -> World:
    return World.of(50)


def test_the_command_measures_every_suite(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    octroi("bench", "wallets", "--records", 2000, "--runs", 1, "--json", out).ok()
    results = {result["name"]: result for result in json.loads(out.read_text())["results"]}
    suites = {*WALLET_SUITES, "restore", "snapshot_pause", *(f"growing_{kind}" for kind in KINDS)} - {"growing"}
    assert set(results) == {f"wallets.{name}" for name in suites}
    for result in results.values():
        assert result["recount_ok"]
        assert result["problems"] == []
        assert result["value"] >= 0
        assert result["peak_memory_mib"] > 0
    assert results["wallets.stage"]["accounts"] == 10_000
    assert results["wallets.stage"]["bytes_per_account"]["state"] == 80
    assert octroi("bench", "wallets", "--only", "debit").code == 2


def test_usage_that_nobody_drew_is_found(world: World) -> None:
    world.debit(world.frames("data", records=100, rows=100, seed=1)[0])
    world.to_output(world.frames("call", records=1000, rows=1000, seed=2, subscription=7)[0])
    assert world.recount() == []
    world.state.credit(np.array([3], np.int32), np.array([-1], np.int64))
    (told,) = world.recount()
    assert told.startswith("account ")
    assert not measure_load(world, "hot_account", records=100, seed=3, runs=1).recount_ok
    world.state.credit(np.array([3], np.int32), np.array([1], np.int64))
    assert world.recount() == []
    world.frames("call", records=1, rows=1, seed=4, subscription=7)  # never rated
    assert world.recount() != []
    world.seconds[:] = 0
    assert len(world.recount()) == 1


@pytest.mark.parametrize("kind", ["registers", "versions", "sessions"])
def test_what_was_not_taken_is_found(kind: str) -> None:
    feed = Feed(kind)
    feed.take(feed.block(1, np.arange(40), 1, Part.FIRST))
    assert feed.problems(41)[0] == f"40 {kind} instead of 41"
    other = Feed(kind)
    other.take(other.block(1, np.arange(1, 41), 3, Part.FIRST))
    assert other.problems(40) == [f"{kind} do not answer what they took"]


def test_blocks_say_where_they_are(world: World) -> None:
    first, second = world.frames("data", records=5, rows=3, seed=5)
    at = edrs_of(first).position
    assert (edrs_of(second).position.first_record, len(edrs_of(second))) == (at.first_record + 3, 2)


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "BUFFERS_MAX", 6)
    path = tmp_path / "log"
    log = DurableLog(path)
    log.append(FRAMES[:7])
    log.append(FRAMES[7:])
    log.close()
    assert log.syncs == 2
    assert read_frames(path) == FRAMES
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="frame 39 is damaged"):
        read_frames(path)


def test_a_write_that_was_cut_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = durable.os.writev
    monkeypatch.setattr(durable.os, "writev", lambda handle, buffers: whole(handle, buffers[:3]))
    log = DurableLog(tmp_path / "log")
    log.append(FRAMES)
    log.close()
    assert read_frames(tmp_path / "log") == FRAMES


@pytest.mark.parametrize("has_outputs", [False, True])
def test_every_frame_is_staged_in_order_and_acknowledged_once(tmp_path: Path, *, has_outputs: bool) -> None:
    staged: list[bytes] = []

    def stage(frame: bytes) -> bytes:
        staged.append(frame)
        return frame[::-1]

    logs = [DurableLog(tmp_path / name) for name in ("incoming", "outgoing")]
    passage = Passage(FRAMES, stage, logs[0], logs[1] if has_outputs else None, 8)
    assert passage.run() > 0
    assert staged == FRAMES == read_frames(tmp_path / "incoming")
    assert len(passage.latency_s) == len(FRAMES)
    assert read_frames(tmp_path / "outgoing") == (FRAMES if has_outputs else [])


def test_no_frame_is_staged_before_it_is_synced(tmp_path: Path) -> None:
    synced: set[bytes] = set()

    class Watched(DurableLog):
        def append(self, frames: Sequence[bytes]) -> None:
            super().append(frames)
            synced.update(frames)

    log = Watched(tmp_path / "log")

    def stage(frame: bytes) -> bytes:
        assert frame in synced
        return frame

    Passage(FRAMES, stage, log, None, 8).run()
    assert log.syncs >= len(FRAMES) // 2  # a quarter of what may be in flight at most


@pytest.mark.parametrize("broken", ["stage", "incoming", "outgoing"])
def test_whatever_fails_ends_the_run(tmp_path: Path, broken: str) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    logs = {name: DurableLog(tmp_path / name) for name in ("incoming", "outgoing")}
    if broken in logs:
        logs[broken].close()
    passage = Passage(FRAMES, fail if broken == "stage" else bytes, logs["incoming"], logs["outgoing"], 8)
    with pytest.raises(OSError, match=r"No space|Bad file"):
        passage.run()
