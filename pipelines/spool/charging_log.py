"""The charging log: requests that were charged online, a frame for all that were taken together, in segments of their own.

The claim journal has a line for each entry and keeps all of them in memory; thousands of requests a second need another form.
A segment belongs to an entry of the journal, whose number is its name. Each frame says before which block of which entry of the
journal it was applied, so that a replay of both applies it there again.

A frame is `FRAME` and the requests, each part with a checksum. A torn last frame is what a crash leaves: it was never
acknowledged, so it is cut off when the segment is opened. Damage anywhere else is refused.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.spool.beside import SyncBeside
from pipelines.spool.files import sync_directory
from schemas.charging import REQUEST, Rows

FRAME = struct.Struct("<IIIIIIqI")
"""Checksum of what follows it, mark, checksum of the requests, number in the segment from 0, position (claim and block), time
(microseconds UTC), number of requests."""
MARK = 0x6F637472
REQUESTS_MAX = 4096
"""Requests of one frame."""


class UnableToReadChargingLog(Exception):
    """A segment is damaged, or gone."""


class UnableToWriteChargingLog(Exception):
    """A frame failed, and it is not known whether it is in the file: only opening the log again tells."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Requests that were taken together.

    Attributes:
        number: of the frame in its segment, from 0. claim, block: the position of the journal before which it was applied.
        at: microseconds UTC, stage time. requests: (n,) of REQUEST, n may be 0: then time passed.
    """

    number: int
    claim: int
    block: int
    at: int
    requests: Rows

    @property
    def position(self) -> tuple[int, int]:
        """Claim and block before which it was applied."""
        return self.claim, self.block


def pack_frame(frame: Frame) -> bytes:
    """Return a frame as it is in the file."""
    requests = frame.requests.tobytes()
    fields = (MARK, zlib.crc32(requests), frame.number, frame.claim, frame.block, frame.at, len(frame.requests))
    head = FRAME.pack(0, *fields)
    return struct.pack("<I", zlib.crc32(head[4:])) + head[4:] + requests


def _unpack(content: bytes, at: int) -> tuple[Frame, int] | None:
    """Return the frame that starts at a byte, and where it ends; None when no whole one does."""
    if at + FRAME.size > len(content):
        return None
    check, mark, of_requests, number, claim, block, instant, count = FRAME.unpack_from(content, at)
    if mark != MARK or zlib.crc32(content[at + 4 : at + FRAME.size]) != check:
        return None
    first, end = at + FRAME.size, at + FRAME.size + count * REQUEST.itemsize
    if end > len(content) or zlib.crc32(content[first:end]) != of_requests:
        return None
    return Frame(number, claim, block, instant, np.frombuffer(content, REQUEST, count, first)), end


def _is_followed(content: bytes, at: int) -> bool:
    """Return whether a whole frame follows what is damaged at a byte: then it was not a crash that tore it."""
    mark = struct.pack("<I", MARK)
    found = content.find(mark, at + 5)
    while found >= 0:
        if _unpack(content, found - 4) is not None:
            return True
        found = content.find(mark, found + 1)
    return False


def _frames(path: Path, content: bytes) -> Iterator[tuple[Frame, int]]:
    """Yield the whole frames of a segment, each with where it ends, as far as they follow each other.

    Raises:
        UnableToReadChargingLog: when one that others follow is damaged, or numbers do not follow.
    """
    at = 0
    number = 0
    while at < len(content):
        found = _unpack(content, at)
        if found is None:
            if _is_followed(content, at):
                raise UnableToReadChargingLog(f"{path}: frame {number} is damaged")
            return
        if found[0].number != number:
            raise UnableToReadChargingLog(f"{path}: frame {number} is numbered {found[0].number}")
        yield found
        at = found[1]
        number += 1


def read_frames(directory: Path, segment: int, *, closed: bool = False) -> list[Frame]:
    """Return the whole frames of a segment, without opening it: also while its owner appends.

    Args:
        closed: whether another segment follows. No crash tore the end of such a one: what was torn was cut off before.

    Raises:
        UnableToReadChargingLog: when it is gone, or damaged.
    """
    path = segment_path(directory, segment)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnableToReadChargingLog(f"{path} is needed to continue the log: {error.strerror}") from error
    found = list(_frames(path, content))
    end = found[-1][1] if found else 0
    if closed and end < len(content):
        raise UnableToReadChargingLog(f"{path}: frame {len(found)} is damaged")
    return [frame for frame, _ in found]


def segment_path(directory: Path, segment: int) -> Path:
    """Return where the frames of an entry of the journal are."""
    return directory / f"{segment:010d}.frames"


class Segment:
    """The open end of the log. One thread appends; a frame is durable when `synced` returns after it."""

    def __init__(self, directory: Path, number: int, *, fresh: bool = False) -> None:
        """Open the segment of an entry, cutting off a torn last frame; a `fresh` one is made when it is not there.

        Raises:
            UnableToReadChargingLog: when it is damaged, or gone.
            OSError: when it cannot be made.
        """
        self.number = number
        self._path = segment_path(directory, number)
        if fresh:
            directory.mkdir(exist_ok=True)
            sync_directory(directory.parent)
            self._path.touch()
            sync_directory(directory)
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise UnableToReadChargingLog(
                f"{self._path} is needed to continue the log: {error.strerror}; restore it from a backup"
            ) from error
        if fresh and content:
            raise UnableToReadChargingLog(
                f"{self._path} belongs to an entry that the journal does not have: restore both from one backup"
            )
        self.size = self.frames = 0
        for frame, end in _frames(self._path, content):
            self.size, self.frames = end, frame.number + 1
        self._handle = os.open(self._path, os.O_WRONLY)
        self._beside = SyncBeside(self._handle)
        if self.size < len(content):
            os.ftruncate(self._handle, self.size)
            os.fsync(self._handle)

    def append(self, frame: Frame) -> None:
        """Append one frame, and begin to sync it: it is durable once `synced` returns, and no other one comes before that.

        Raises:
            OSError: when it cannot be written; the segment is then as it was before.
            UnableToWriteChargingLog: when it cannot even be taken back; the process must end.
            ValueError: when its number does not follow, or the one before was not synced.
        """
        if frame.number != self.frames or len(frame.requests) > REQUESTS_MAX:
            raise ValueError(f"frame {frame.number} of {len(frame.requests)} cannot follow {self.frames} frames")
        if self._beside.is_under_way:
            raise ValueError(f"frame {frame.number} cannot follow one that is not synced")
        packed = pack_frame(frame)
        try:
            written = os.pwrite(self._handle, packed, self.size)
            while written < len(packed):
                written += os.pwrite(self._handle, packed[written:], self.size + written)
        except OSError as error:
            self._take_back(error)
            raise
        self._beside.begin()
        self.size += len(packed)
        self.frames += 1

    def synced(self) -> None:
        """Wait until what was appended is durable.

        Raises:
            UnableToWriteChargingLog: when it is not known whether it is; the process must end. What a system could not sync it
                may take for synced the next time, so nothing is tried again.
        """
        try:
            self._beside.wait()
        except OSError as error:
            raise UnableToWriteChargingLog(
                f"{self._path}: it is not known whether frame {self.frames - 1} is on the disk ({error.strerror}); "
                "start again when the disk is well"
            ) from error

    def _take_back(self, failure: OSError) -> None:
        try:
            os.ftruncate(self._handle, self.size)
            os.fsync(self._handle)
        except OSError as error:
            raise UnableToWriteChargingLog(
                f"{self._path}: frame {self.frames} failed ({failure.strerror}) and cannot be taken back ({error.strerror}); "
                "start again when the disk is well"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._beside.close()
        with suppress(OSError):
            os.close(self._handle)
