"""Blocks on their way through a stage as a log keeps them: none is acknowledged before it is on the disk."""

from __future__ import annotations

import os
import queue
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

FRAME = struct.Struct("<II")
"""Bytes of a frame, and their CRC-32."""
BUFFERS_MAX = 512
"""Buffers of one write: the system takes 1024."""


class DurableLog:
    """A file of frames. Those that wait together are synced together."""

    def __init__(self, path: Path) -> None:
        """Begin an empty one."""
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.syncs = 0

    def append(self, frames: Sequence[bytes]) -> None:
        """Append frames; they are durable when this returns."""
        buffers: list[bytes] = []
        for frame in frames:
            buffers += [FRAME.pack(len(frame), zlib.crc32(frame)), frame]
        for first in range(0, len(buffers), BUFFERS_MAX):
            _write_all(self._handle, buffers[first : first + BUFFERS_MAX])
        os.fdatasync(self._handle)
        self.syncs += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _write_all(handle: int, buffers: Sequence[bytes]) -> None:
    left = sum(map(len, buffers)) - os.writev(handle, buffers)
    if left:  # the rest at once: a write of this size is rarely cut
        whole = b"".join(buffers)
        while left:
            left -= os.write(handle, whole[len(whole) - left :])


def read_frames(path: Path) -> list[bytes]:
    """Return the frames of a log, read back.

    Raises:
        ValueError: when a checksum is wrong.
    """
    content, frames, at = path.read_bytes(), list[bytes](), 0
    while at < len(content):
        length, checksum = FRAME.unpack_from(content, at)
        at += FRAME.size
        frame = content[at : at + length]
        if zlib.crc32(frame) != checksum:
            raise ValueError(f"{path}: frame {len(frames)} is damaged")
        frames.append(frame)
        at += length
    return frames


@dataclass(slots=True)
class Passage:
    """One run of frames through a stage: a thread logs them, the caller's applies them, a third logs what came of it.

    Attributes:
        frames: what enters, in order. stage: takes a frame and returns what comes of it.
        incoming: the log of frames. outgoing: of what comes of them; None: no log.
        in_flight: frames that may wait for their acknowledgement. latency_s: of each frame, from entry to acknowledgement.
    """

    frames: Sequence[bytes]
    stage: Callable[[bytes], bytes]
    incoming: DurableLog
    outgoing: DurableLog | None
    in_flight: int
    latency_s: list[float] = field(default_factory=list)
    _entered: list[float] = field(default_factory=list)
    _logged: queue.SimpleQueue[range | BaseException] = field(default_factory=queue.SimpleQueue)
    _done: queue.SimpleQueue[tuple[int, bytes] | None] = field(default_factory=queue.SimpleQueue)
    _failures: list[BaseException] = field(default_factory=list)
    _room: threading.Semaphore = field(init=False)

    def run(self) -> float:
        """Return the seconds from the first frame's entry to the last acknowledgement.

        Raises:
            Exception: whatever a log or the stage raised.
        """
        self._room = threading.Semaphore(self.in_flight)
        started = time.perf_counter()
        threads = [threading.Thread(target=self._log, name="log"), threading.Thread(target=self._store, name="store")]
        for thread in threads:
            thread.start()
        try:
            self._apply()
        finally:
            self._room.release(len(self.frames))  # nobody waits for room any more
            self._done.put(None)
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]
        return time.perf_counter() - started

    def _apply(self) -> None:
        taken = 0
        while taken < len(self.frames) and not self._failures:
            numbers = self._logged.get()
            if isinstance(numbers, BaseException):
                raise numbers
            for number in numbers:
                frame = self.stage(self.frames[number])
                if self.outgoing is not None:
                    self._done.put((number, frame))
            if self.outgoing is None:
                self._acknowledge(numbers)
            taken += len(numbers)

    def _acknowledge(self, numbers: Sequence[int]) -> None:
        now = time.perf_counter()
        self.latency_s += [now - self._entered[number] for number in numbers]
        self._room.release(len(numbers))

    def _log(self) -> None:
        try:
            while (number := len(self._entered)) < len(self.frames):
                self._room.acquire()
                end = number + 1
                most = min(len(self.frames), number + max(1, self.in_flight // 4))  # or all of them would move in step
                while end < most and self._room.acquire(blocking=False):
                    end += 1
                self._entered += [time.perf_counter()] * (end - number)
                self.incoming.append(self.frames[number:end])
                self._logged.put(range(number, end))
        except BaseException as error:
            self._logged.put(error)

    def _store(self) -> None:
        try:
            while (first := self._done.get()) is not None:
                waiting = [first]
                with suppress(queue.Empty):
                    while (more := self._done.get_nowait()) is not None:
                        waiting.append(more)
                    self._done.put(None)
                assert self.outgoing is not None
                self.outgoing.append([frame for _, frame in waiting])
                self._acknowledge([number for number, _ in waiting])
        except BaseException as error:
            self._failures.append(error)
            self._room.release(len(self.frames))
