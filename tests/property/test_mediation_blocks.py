"""Where blocks are cut: a function of the bytes and the block size, whatever the stream gives and however it is read ahead."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation import blocks
from pipelines.mediation.blocks import SLACK, split_blocks
from pipelines.mediation.extract import PADDING, FieldMatrix
from schemas.arrays import UInt8Array
from schemas.rejection import Reason

RAW_KEPT = 9
"""Bytes kept of a record that is too long; small, so that there are such records."""


class Lines:
    """Records are lines; what comes behind the window is written over, as splitters do."""

    fields = 1

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete lines."""
        buffer[size : size + PADDING] = 255
        ends = np.flatnonzero(buffer[:size] == ord("\n")).astype(np.int64) + 1
        if final and size and (not len(ends) or ends[-1] != size):
            ends = np.append(ends, size)
        starts = np.append(0, ends)[: len(ends)].astype(np.int64)
        none = np.zeros((1, len(ends)), np.int32)
        text = buffer[:size]
        matrix = FieldMatrix(text, starts, ends, text, none, none, np.zeros(len(ends), np.uint16), 1)
        return matrix, int(ends[-1]) if len(ends) else 0

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a line."""
        return buffer[:size].tobytes().find(b"\n") + 1 or -1, state


class Trickle(io.RawIOBase):
    """Gives as many bytes at a time as it is told to, over and over, and fails at the end when it is told to."""

    def __init__(self, data: bytes, sizes: list[int], error: Exception | None = None) -> None:
        """Give `data`."""
        super().__init__()
        self._data, self._sizes, self._at, self._reads, self._error = data, sizes, 0, 0, error

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        """Give a few bytes."""
        self._reads += 1
        count = min(len(target), self._sizes[self._reads % len(self._sizes)], len(self._data) - self._at)
        if not count and self._error and len(target):
            raise self._error
        target[:count] = self._data[self._at : self._at + count]
        self._at += count
        return count


def slowly(data: bytes, *, carried: int, block_bytes: int, record_bytes_max: int) -> Iterator[list[bytes]]:
    """Return the records of each block: the twin, which has all bytes at once."""
    longest = max(block_bytes, record_bytes_max + SLACK, RAW_KEPT + SLACK)
    at, capacity = 0, max(block_bytes, carried)
    while True:
        window = data[at : at + capacity]
        final = len(window) < capacity
        whole = len(window) if final else window.rfind(b"\n") + 1
        if whole:
            yield window[:whole].splitlines(keepends=True)
        at += whole
        if final:
            return
        if whole:
            capacity = max(block_bytes, len(window) - whole)
        elif capacity < longest:
            capacity = min(2 * capacity, longest)
        else:
            yield [window[:RAW_KEPT]]
            end = data.find(b"\n", at) + 1 or len(data)
            read = at + -(-(end - at) // capacity) * capacity
            capacity = max(block_bytes, min(read, len(data)) - end)
            at = end


def found(stream: io.RawIOBase, carried: bytes, block_bytes: int, record_bytes_max: int) -> Iterator[list[bytes]]:
    """Return the records of each block."""
    for matrix in split_blocks(
        stream,  # type: ignore[arg-type]
        Lines(),
        carried=carried,
        block_bytes=block_bytes,
        record_bytes_max=record_bytes_max,
    ):
        if matrix.reason[0] == Reason.RECORD_TOO_LONG:
            assert len(matrix) == 1
        pairs = zip(matrix.raw_start.tolist(), matrix.raw_end.tolist(), strict=True)
        yield [matrix.raw[start:end].tobytes() for start, end in pairs]


line = st.integers(0, 30).map(lambda length: b"abcdefghijklmnopqrstuvwxyz0123"[:length] + b"\n")


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Have little room in front of what is read, and long records that are short."""
    with mock.patch.object(blocks, "HEAD_ROOM", 3), mock.patch.object(blocks, "RAW_KEPT", RAW_KEPT):
        yield


@given(
    lines=st.lists(line, max_size=40),
    last=st.sampled_from([b"", b"z", b"zzzzzzzzzzzzzzz"]),
    carried=st.integers(0, 20),
    block_bytes=st.integers(1, 70),
    record_bytes_max=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
def test_blocks_are_cut_as_if_all_bytes_were_there(
    lines: list[bytes], last: bytes, carried: int, block_bytes: int, record_bytes_max: int, sizes: list[int]
) -> None:
    data = b"".join(lines) + last
    head, rest = data[:carried], data[carried:]
    expected = list(slowly(data, carried=len(head), block_bytes=block_bytes, record_bytes_max=record_bytes_max))
    assert list(found(Trickle(rest, sizes), head, block_bytes, record_bytes_max)) == expected


def test_an_error_surfaces_behind_the_blocks_before_it() -> None:
    stream = Trickle(b"aaaa\nbbbb\ncccc\ndd", [7], OSError("gone"))
    taken = found(stream, b"", 10, 10)
    assert next(taken) == [b"aaaa\n", b"bbbb\n"]
    with pytest.raises(OSError, match="gone"):
        next(taken)


def test_nobody_reads_on_when_the_blocks_are_not_wanted_any_more() -> None:
    before = set(threading.enumerate())
    taken = found(Trickle(b"aaaa\n" * 100, [7]), b"", 10, 10)
    next(taken)
    assert any(thread.name.startswith("read") for thread in set(threading.enumerate()) - before)
    taken.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) == before


def test_a_file_of_one_block_needs_no_thread() -> None:
    before = set(threading.enumerate())
    taken = found(Trickle(b"aaaa\n", [7]), b"", 10, 10)
    assert next(taken) == [b"aaaa\n"]
    assert set(threading.enumerate()) == before
