"""The charging log: frames that are acknowledged are there, whatever is torn behind them."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from pipelines.spool.charging_log import (
    FRAME,
    Frame,
    Segment,
    UnableToReadChargingLog,
    UnableToWriteChargingLog,
    read_frames,
    segment_path,
)
from schemas.charging import REQUEST

FRAMES = 4


def frame(number: int, requests: int = 2) -> Frame:
    rows = np.zeros(requests, REQUEST)
    rows["lo"] = np.arange(requests) + 10 * number
    return Frame(number, 5 + number, number % 2, 1_000_000 + number, rows)


def told(frames: list[Frame]) -> list[tuple[int, tuple[int, int], int, list[int]]]:
    return [(one.number, one.position, one.at, one.requests["lo"].tolist()) for one in frames]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    segment = Segment(tmp_path / "charging", 3, fresh=True)
    for number in range(FRAMES):
        segment.append(frame(number, number))
        segment.synced()
    segment.close()
    return tmp_path / "charging"


def test_what_was_appended_is_read(directory: Path) -> None:
    assert told(read_frames(directory, 3)) == told([frame(number, number) for number in range(FRAMES)])
    with pytest.raises(ValueError, match="cannot follow"):
        Segment(directory, 3).append(frame(FRAMES + 1))


def test_a_torn_last_frame_is_cut_off_wherever_it_is_torn(directory: Path) -> None:
    path = segment_path(directory, 3)
    whole = path.read_bytes()
    last = FRAME.size + (FRAMES - 1) * REQUEST.itemsize
    for kept in (len(whole) - last + 1, len(whole) - last + FRAME.size, len(whole) - 1):
        for rest in (b"", b"\xff" * 100):
            path.write_bytes(whole[:kept] + rest)
            if kept == len(whole) - 1 and not rest:
                assert len(read_frames(directory, 3)) == FRAMES - 1
            segment = Segment(directory, 3)
            assert segment.frames == FRAMES - 1
            segment.append(frame(FRAMES - 1, 1))
            segment.close()
            assert told(read_frames(directory, 3)) == told(
                [frame(number, number) for number in range(FRAMES - 1)] + [frame(FRAMES - 1, 1)]
            )


def test_damage_before_the_last_frame_is_refused(directory: Path) -> None:
    path = segment_path(directory, 3)
    whole = path.read_bytes()
    for at in range(0, len(whole) - FRAME.size - 3 * REQUEST.itemsize, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UnableToReadChargingLog, match="is damaged"):
            Segment(directory, 3)


def test_a_segment_that_is_gone_is_refused(directory: Path) -> None:
    with pytest.raises(UnableToReadChargingLog, match="needed to continue"):
        Segment(directory, 4)
    with pytest.raises(UnableToReadChargingLog, match="needed to continue"):
        read_frames(directory, 4)


def test_a_frame_that_fails_is_taken_back(directory: Path) -> None:
    segment = Segment(directory, 3)
    full = OSError(errno.ENOSPC, "no space")
    write, calls = os.pwrite, iter([True, False])

    def half(handle: int, data: bytes, at: int) -> int:
        if next(calls):
            return write(handle, data[:50], at)
        raise full

    with mock.patch("os.pwrite", side_effect=half), pytest.raises(OSError, match="no space"):
        segment.append(frame(FRAMES))
    assert segment_path(directory, 3).stat().st_size == segment.size
    assert len(read_frames(directory, 3)) == FRAMES
    segment.append(frame(FRAMES))
    segment.synced()
    assert len(read_frames(directory, 3)) == FRAMES + 1
    with (
        mock.patch("os.pwrite", side_effect=full),
        mock.patch("os.ftruncate", side_effect=full),
        pytest.raises(UnableToWriteChargingLog, match="cannot be taken back"),
    ):
        segment.append(frame(FRAMES + 1))
    segment.close()


def test_a_frame_that_cannot_be_synced_is_in_doubt(directory: Path) -> None:
    segment = Segment(directory, 3)
    with mock.patch("os.fdatasync", side_effect=OSError(errno.EIO, "broken")):
        segment.append(frame(FRAMES))
        with pytest.raises(
            UnableToWriteChargingLog, match=f"not known whether frame {FRAMES} is on the disk \\(broken"
        ):
            segment.synced()
    segment.close()


def test_a_frame_is_durable_once_its_sync_is_over_and_not_before(directory: Path) -> None:
    segment, called, let = Segment(directory, 3), threading.Event(), threading.Event()

    def slow(_: int) -> None:
        called.set()
        assert let.wait(60)

    with mock.patch("os.fdatasync", side_effect=slow):
        segment.append(frame(FRAMES))  # returns while it is synced
        assert called.wait(60)
        with pytest.raises(ValueError, match="one that is not synced"):
            segment.append(frame(FRAMES + 1))
        ended = threading.Thread(target=segment.synced)
        ended.start()
        ended.join(0.05)
        assert ended.is_alive()
        let.set()
        ended.join(60)
        assert not ended.is_alive()
    segment.synced()  # nothing is left
    segment.close()


def test_a_write_that_is_cut_short_goes_on(directory: Path) -> None:
    segment = Segment(directory, 3)
    write = os.pwrite
    with mock.patch("os.pwrite", side_effect=lambda handle, data, at: write(handle, data[:50], at)):
        segment.append(frame(FRAMES))
    segment.close()
    assert told(read_frames(directory, 3))[-1] == told([frame(FRAMES)])[0]
