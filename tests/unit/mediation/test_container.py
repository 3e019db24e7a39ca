"""Containers: plain and gzip files, whole, damaged, concatenated, oversized, in bounded memory."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest

from pipelines.mediation import container
from pipelines.mediation.container import ContainerInfo, UnableToReadFile, check_container, open_container

TEXT = b"id,at\n" + b"".join(b"%d,2026-05-01 10:00:00\n" % n for n in range(5_000))
LIMITS = {"bytes_max": 1 << 30, "ratio_max": 1000}


def write(tmp_path: Path, data: bytes) -> Path:
    """Write a file and return where it is."""
    path = tmp_path / "usage.csv"
    path.write_bytes(data)
    return path


def check(path: Path, **bounds: int) -> ContainerInfo:
    """Verify all bytes of a container."""
    return check_container(path, size=path.stat().st_size if path.is_file() else 1, **bounds)


def code_of(path: Path, *, bytes_max: int = 1 << 30, ratio_max: int = 1000) -> str:
    """Return the code with which a file is refused."""
    with pytest.raises(UnableToReadFile) as failure:
        check(path, bytes_max=bytes_max, ratio_max=ratio_max)
    assert failure.value.message
    return failure.value.code


def read_all(path: Path) -> bytes:
    """Return all that a verified container holds."""
    info = check(path, **LIMITS)
    with open_container(path, info.kind, size=info.stored_bytes) as stream:
        data = bytes(stream.read())
    assert len(data) == info.decoded_bytes
    return data


@pytest.mark.parametrize("data", [b"", b"\x1f", b"x", TEXT, b"P", b"BZ", b"\xfd7zXZ"])
def test_a_plain_file_is_what_it_is(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    assert check(path, **LIMITS) == ContainerInfo("plain", len(data), len(data))
    assert read_all(path) == data


MEMBERS = [gzip.compress(part, mtime=0) for part in (TEXT[:50], b"", TEXT[50:])]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (gzip.compress(TEXT, mtime=0), TEXT),
        (gzip.compress(TEXT, 0, mtime=0), TEXT),
        (gzip.compress(b"", mtime=0), b""),
        (b"".join(MEMBERS), TEXT),
        (b"".join(MEMBERS) + bytes(70_000), TEXT),
        (MEMBERS[0] + bytes(512) + MEMBERS[2], TEXT),
        (gzip.compress(TEXT, mtime=0)[:3] + b"\x08" + gzip.compress(TEXT, mtime=0)[4:10] + b"name.csv\x00"
         + gzip.compress(TEXT, mtime=0)[10:], TEXT),
    ],
    ids=["usual", "stored", "empty", "members", "padded", "padding between", "named"],
)  # fmt: skip
@pytest.mark.parametrize("read_bytes", [1, 1 << 16])
def test_a_gzip_file_is_expanded_to_its_last_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, text: bytes, read_bytes: int
) -> None:
    monkeypatch.setattr(container, "READ_BYTES", read_bytes)
    path = write(tmp_path, data)
    assert check(path, **LIMITS) == ContainerInfo("gzip", len(data), len(text))
    assert read_all(path) == text


WHOLE = gzip.compress(TEXT, mtime=0)  # the time would be in the names of the tests


def _flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 0x10
    return bytes(changed)


@pytest.mark.parametrize(
    "data",
    [
        *[WHOLE[:cut] for cut in (2, 9, 10, 11, 500, len(WHOLE) - 9, len(WHOLE) - 8, len(WHOLE) - 1)],
        *[_flip(WHOLE, at) for at in (2, len(WHOLE) // 2, len(WHOLE) - 8, len(WHOLE) - 1)],
        WHOLE + b"junk",
        WHOLE + b"\x1f",
        WHOLE + bytes(100) + b"junk",
        WHOLE + WHOLE[:-1],
        b"\x1f\x8b" + TEXT,
        zlib.compress(TEXT).replace(b"\x78", b"\x1f\x8b", 1),
    ],
)
def test_a_damaged_gzip_file_is_refused_before_anything_inside_is_used(tmp_path: Path, data: bytes) -> None:
    assert code_of(write(tmp_path, data)) == "CORRUPT_ARCHIVE"


@pytest.mark.parametrize(
    "head", [b"PK\x03\x04", b"PK\x05\x06", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"]
)
def test_other_archives_are_named(tmp_path: Path, head: bytes) -> None:
    assert code_of(write(tmp_path, head + bytes(50))) == "UNSUPPORTED_ARCHIVE"


def test_sizes_are_bounded_to_the_byte(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    assert check(path, bytes_max=len(TEXT), ratio_max=1).decoded_bytes == len(TEXT)
    assert code_of(path, bytes_max=len(TEXT) - 1) == "FILE_TOO_LARGE"
    path = write(tmp_path, gzip.compress(TEXT))
    assert check(path, bytes_max=len(TEXT), ratio_max=1000).decoded_bytes == len(TEXT)
    assert code_of(path, bytes_max=len(TEXT) - 1) == "ARCHIVE_BOMB"


def test_a_bomb_stops_at_its_bound_and_takes_no_memory(tmp_path: Path) -> None:
    member = gzip.compress(bytes(20 << 20), 9)
    path = write(tmp_path, member * 20)
    tracemalloc.start()
    try:
        assert code_of(path, ratio_max=100) == "ARCHIVE_BOMB"
        assert code_of(path, bytes_max=50 << 20, ratio_max=10_000) == "ARCHIVE_BOMB"
        assert check(path, bytes_max=1 << 30, ratio_max=10_000).decoded_bytes == 400 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_the_expansion_of_a_small_file_does_not_matter(tmp_path: Path) -> None:
    small, larger = gzip.compress(bytes(1 << 20)), gzip.compress(bytes((1 << 20) + 1))
    assert check(write(tmp_path, small), bytes_max=1 << 30, ratio_max=2).decoded_bytes == 1 << 20
    assert code_of(write(tmp_path, larger), ratio_max=2) == "ARCHIVE_BOMB"


def test_what_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.csv") == "UNREADABLE"
    assert code_of(tmp_path) == "UNREADABLE"
    loop = tmp_path / "loop"
    os.symlink(loop, loop)
    assert code_of(loop) == "UNREADABLE"
    for kind in ("plain", "gzip"):
        with pytest.raises(UnableToReadFile, match="UNREADABLE"):
            open_container(tmp_path / "none.csv", kind, size=1).__enter__()


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT, mtime=0)], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "later", [b"1", b"6,2026-05-01 10:00:00\n", gzip.compress(b"6\n", mtime=0)], ids=["1", "line", "gz"]
)
def test_bytes_that_come_after_the_claim_do_not_count(tmp_path: Path, data: bytes, later: bytes) -> None:
    path = write(tmp_path, data + later)
    info = check_container(path, size=len(data), **LIMITS)
    assert (info.stored_bytes, info.decoded_bytes) == (len(data), len(TEXT))
    with open_container(path, info.kind, size=len(data)) as stream:
        assert bytes(stream.read()) == TEXT


@pytest.mark.parametrize("data", [b"", TEXT[:-1], gzip.compress(TEXT, mtime=0)[:-1]], ids=["empty", "plain", "gzip"])
def test_a_file_shorter_than_it_was_is_unreadable(tmp_path: Path, data: bytes) -> None:
    path, size = write(tmp_path, data), len(data) + 1
    with pytest.raises(OSError, match="lost bytes"), open_container(path, "plain", size=size) as stream:
        stream.read()
