"""Containers: plain and gzip files, whole, damaged, concatenated, oversized, in bounded memory; and what holds for all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import TEXT, check, code_of, flip, read_all, refusal, write, zip_repeated, zipped, zstd_frame

from pipelines.mediation import unpack
from pipelines.mediation.container import ContainerInfo, check_container, open_container
from pipelines.mediation.unpack import UnableToReadFile

Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstandard": zstd_frame, "zip": zipped}


@pytest.mark.parametrize(
    "data", [b"", b"\x1f", b"x", TEXT, b"P", b"BZ", b"\xfd7zXZ", b"PK\x03", b"\x28\xb5\x2f", b"\x60*M\x18"]
)
def test_a_plain_file_is_what_it_is(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    assert check(path) == ContainerInfo("plain", len(data), len(data))
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
    monkeypatch.setattr(unpack, "READ_BYTES", read_bytes)
    path = write(tmp_path, data)
    assert check(path) == ContainerInfo("gzip", len(data), len(text))
    assert read_all(path) == text


WHOLE = gzip.compress(TEXT, mtime=0)  # the time would be in the names of the tests


@pytest.mark.parametrize(
    "data",
    [
        *[WHOLE[:cut] for cut in (2, 9, 10, 11, 500, len(WHOLE) - 9, len(WHOLE) - 8, len(WHOLE) - 1)],
        *[flip(WHOLE, at) for at in (2, len(WHOLE) // 2, len(WHOLE) - 8, len(WHOLE) - 1)],
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


def _tar(format_: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as archive:
        entry = tarfile.TarInfo("usage.csv")
        entry.size = len(TEXT)
        archive.addfile(entry, io.BytesIO(TEXT))
    return out.getvalue()


OTHERS = {
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "split zip": b"PK\x07\x08" + zipped(TEXT),
}
TARS = {"tar": _tar(tarfile.PAX_FORMAT), "tar ": _tar(tarfile.GNU_FORMAT)}


@pytest.mark.parametrize("name", OTHERS)
def test_other_archives_are_named(tmp_path: Path, name: str) -> None:
    refused = refusal(write(tmp_path, OTHERS[name]))
    assert refused.code == "UNSUPPORTED_ARCHIVE"
    assert refused.message.startswith(f"{name.strip()} archives are not read: unpack it")


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("inner", [*OTHERS, *PACKERS])
def test_what_is_packed_twice_is_named(tmp_path: Path, inner: str, pack: Pack) -> None:
    data = OTHERS[inner] if inner in OTHERS else PACKERS[inner](TEXT)
    refused = refusal(write(tmp_path, pack(data)))
    assert refused.code == "UNSUPPORTED_ARCHIVE"
    assert f"holds a {inner.strip()} archive: unpack it once" in refused.message


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
@pytest.mark.parametrize("form", TARS)
def test_a_tar_is_no_one_file(tmp_path: Path, form: str, pack: Pack) -> None:
    refused = refusal(write(tmp_path, pack(TARS[form])))
    assert refused.code == "UNSUPPORTED_ARCHIVE"
    assert "a tar archive is several files" in refused.message or "holds a tar archive" in refused.message


def test_the_size_of_a_plain_file_is_bounded_to_the_byte(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    assert check(path, bytes_max=len(TEXT), ratio_max=1).decoded_bytes == len(TEXT)
    assert code_of(path, bytes_max=len(TEXT) - 1) == "FILE_TOO_LARGE"


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_size_of_what_is_packed_is_bounded_to_the_byte(tmp_path: Path, pack: Pack) -> None:
    path = write(tmp_path, pack(TEXT))
    assert check(path, bytes_max=len(TEXT), ratio_max=1000).decoded_bytes == len(TEXT)
    assert code_of(path, bytes_max=len(TEXT) - 1) == "ARCHIVE_BOMB"


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(bytes(20 << 20), 9) * 20,
    "zstandard": lambda: zstd_frame(bytes(20 << 20)) * 20,
    "zip": lambda: zip_repeated(bytes(20 << 20), 20),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_stops_at_its_bound_and_takes_no_memory(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, BOMBS[name]())
    tracemalloc.start()
    try:
        assert code_of(path, ratio_max=100) == "ARCHIVE_BOMB"
        assert code_of(path, bytes_max=50 << 20, ratio_max=100_000) == "ARCHIVE_BOMB"
        info = check(path, ratio_max=100_000)
        assert (info.kind, info.decoded_bytes) == (name, 400 << 20)
        with open_container(path, info.kind, size=info.stored_bytes) as stream:
            buffer, total = bytearray(1 << 20), 0
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                total += count
        assert total == 400 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_expansion_of_a_small_file_does_not_matter(tmp_path: Path, pack: Pack) -> None:
    small, larger = pack(bytes(1 << 20)), pack(bytes((1 << 20) + 1))
    assert check(write(tmp_path, small), ratio_max=2).decoded_bytes == 1 << 20
    assert code_of(write(tmp_path, larger), ratio_max=2) == "ARCHIVE_BOMB"


def test_what_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.csv") == "UNREADABLE"
    assert code_of(tmp_path) == "UNREADABLE"
    loop = tmp_path / "loop"
    os.symlink(loop, loop)
    assert code_of(loop) == "UNREADABLE"
    for kind in ("plain", "gzip", "zstandard", "zip"):
        with pytest.raises(UnableToReadFile, match="UNREADABLE"):
            open_container(tmp_path / "none.csv", kind, size=1).__enter__()


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
@pytest.mark.parametrize("later", [b"1", b"6,2026-05-01 10:00:00\n", "again"])
def test_bytes_that_come_after_the_claim_do_not_count(tmp_path: Path, pack: Pack, later: bytes | str) -> None:
    data = pack(TEXT)
    path = write(tmp_path, data + (later if isinstance(later, bytes) else data))
    info = check_container(path, size=len(data), bytes_max=1 << 30, ratio_max=1000)
    assert (info.stored_bytes, info.decoded_bytes) == (len(data), len(TEXT))
    with open_container(path, info.kind, size=len(data)) as stream:
        assert bytes(stream.read()) == TEXT


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
def test_a_stream_is_read_into_buffers_of_any_size(tmp_path: Path, pack: Pack) -> None:
    path = write(tmp_path, pack(TEXT))
    info = check(path)
    for size in (1, 7, 4096, len(TEXT), 2 * len(TEXT)):
        got, buffer = bytearray(), bytearray(size)
        with open_container(path, info.kind, size=info.stored_bytes) as stream:
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                got += buffer[:count]
        assert got == TEXT


@pytest.mark.parametrize(
    "data", [b"", TEXT[:-1], *(pack(TEXT)[:-1] for pack in PACKERS.values())], ids=["empty", "plain", *PACKERS]
)
def test_a_file_shorter_than_it_was_is_unreadable(tmp_path: Path, data: bytes) -> None:
    path, size = write(tmp_path, data), len(data) + 1
    with pytest.raises(OSError, match="lost bytes"), open_container(path, "plain", size=size) as stream:
        stream.read()


@pytest.mark.parametrize("name", PACKERS)
def test_a_packed_file_shorter_than_it_was_is_unreadable(tmp_path: Path, name: str) -> None:
    whole = PACKERS[name](TEXT)
    path = write(tmp_path, whole[:-1])
    with pytest.raises(UnableToReadFile, match="UNREADABLE"):
        check_container(path, size=len(whole), bytes_max=1 << 30, ratio_max=1000)


@pytest.mark.parametrize("name", PACKERS)
def test_a_file_that_changed_after_it_was_verified_is_never_read_to_its_end(tmp_path: Path, name: str) -> None:
    """Nothing is made of other bytes than those that were verified: the stream fails before it ends."""
    whole = PACKERS[name](TEXT)
    path = write(tmp_path, whole)
    info = check(path)
    write(tmp_path, flip(whole, len(whole) // 2))
    with (
        pytest.raises(UnableToReadFile, match="CORRUPT_ARCHIVE"),
        open_container(path, info.kind, size=len(whole)) as stream,
    ):
        stream.read()
