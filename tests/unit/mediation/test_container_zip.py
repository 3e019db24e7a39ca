"""Zip archives (PKWARE APPNOTE): exactly one file is read, each byte of the archive is accounted for, the rest is refused."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from containers import (
    TEXT,
    check,
    code_of,
    flip,
    places,
    read_all,
    refusal,
    text_or_refusal,
    write,
    zip_by_hand,
    zip_of,
    zip_streamed,
    zip_wide,
    zipped,
)

from pipelines.mediation import unpack, unzip
from pipelines.mediation.container import ContainerInfo, open_archive
from pipelines.mediation.unpack import UnableToReadFile

WHOLE = zipped(TEXT)
WIDE = zip_wide(TEXT)
STORED_TWICE = zip_of(("a.csv", TEXT), ("b.csv", TEXT), method=zipfile.ZIP_STORED)
SUMS = struct.pack("<I", zlib.crc32(TEXT))
SIZES = (len(zip_by_hand()) - 30 - 9 - 46 - 9 - 22, len(TEXT))


GOOD = {
    "deflated": (WHOLE, TEXT),
    "stored": (zipped(TEXT, method=zipfile.ZIP_STORED), TEXT),
    "by hand": (zip_by_hand(), TEXT),
    "empty": (zipped(b""), b""),
    "empty, stored": (zipped(b"", method=zipfile.ZIP_STORED), b""),
    "streamed": (zip_streamed(TEXT), TEXT),
    "streamed, zip64": (zip_streamed(TEXT, wide=True), TEXT),
    "streamed, empty": (zip_streamed(b""), b""),
    "zip64": (WIDE, TEXT),
    "descriptor without signature": (zip_by_hand(descriptor=SUMS + struct.pack("<II", *SIZES), flags=8), TEXT),
    "zip64 descriptor without signature": (zip_by_hand(descriptor=SUMS + struct.pack("<QQ", *SIZES), flags=8), TEXT),
    "commented": (zipped(TEXT, comment=b"x" * 0xFFFF), TEXT),
    "in a directory": (zipped(TEXT, name="2026/may/usage.csv"), TEXT),
    "after its directory": (zip_of(("2026/", b""), ("2026/usage.csv", TEXT)), TEXT),
    "before a directory": (zip_of(("usage.csv", TEXT), ("later/", b"")), TEXT),
    "by old Windows programs": (zip_by_hand(name=b"2026\\usage.csv", mode=0), TEXT),
    "from a pipe": (zip_by_hand(name=b"-", mode=0o010600), TEXT),
    "UTF-8": (zipped(TEXT, name="données.csv"), TEXT),
    "dots": (zipped(TEXT, name="a..b/usage..csv"), TEXT),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("read_bytes", [1, 1 << 16])
def test_the_one_file_in_a_zip_archive_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, read_bytes: int
) -> None:
    monkeypatch.setattr(unpack, "READ_BYTES", read_bytes)
    monkeypatch.setattr(unzip, "READ_BYTES", read_bytes)
    data, text = GOOD[name]
    path = write(tmp_path, data)
    assert check(path) == ContainerInfo("zip", len(data), len(text))
    assert read_all(path) == text


def test_no_byte_is_held_back_when_the_output_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zlib may have taken the last byte of a deflate stream before it has given all that it holds."""
    monkeypatch.setattr(unzip, "EXPAND_BYTES", 1)
    for size in range(1, 60):
        text = b"ab" * size
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
        stored = packer.compress(text) + packer.flush()
        assert read_all(write(tmp_path, zip_by_hand(text, stored=stored))) == text


@pytest.mark.parametrize("far", [1 << 20, 1 << 31, (1 << 32) - 2, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("gap", [0, 12])
def test_nothing_is_sought_outside_the_archive(tmp_path: Path, far: int, gap: int) -> None:
    """Such a file is damaged, not unreadable: nobody needs to restore it, and nothing stops."""
    size = far - gap - 30 - len("a/")
    wide = struct.pack("<HHQQQ", 1, 24, 0, size, 0)
    first = _central(b"a/", 0xFFFF_FFFF, 0xFFFF_FFFF, wide)
    second = _central(b"b", 0, 0xFFFF_FFFF, struct.pack("<HHQ", 1, 8, far))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 2, 0) + b"a/"
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2, 2, len(first + second), len(local), 0)
    assert code_of(write(tmp_path, local + first + second + end)) == "CORRUPT_ARCHIVE"


def _central(name: bytes, size: int, offset: int, extra: bytes) -> bytes:
    return struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 0, 45, 0, 0, 0, 33, 0, size, size, len(name), len(extra), 0, 0, 0, 0,
                       offset) + name + extra  # fmt: skip


def test_entries_are_listed_in_any_order(tmp_path: Path) -> None:
    data = zip_of(("2026/", b""), ("2026/usage.csv", TEXT))
    first, second, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    swapped = data[:first] + data[second:end] + data[first:second] + data[end:]
    assert read_all(write(tmp_path, swapped)) == TEXT


UNSUPPORTED = {
    "no file": (zip_of(), "the zip archive holds no file"),
    "only a directory": (zip_of(("a/", b"")), "the zip archive holds no file"),
    "two files": (zip_of(("a.csv", TEXT), ("b.csv", TEXT)), "several files: drop it into the spool, or name it"),
    "two empty files": (zip_of(("a.csv", b""), ("b.csv", b"")), "several files"),
    "two files of one name": (zip_of(("a.csv", TEXT), ("a.csv", b"x")), "two files in the zip archive have one name"),
    "one name with other slashes": (zip_of(("a/b", TEXT), ("a\\b", b"x")), "two files in the zip archive have one name"),
    "one that leaves": (zip_of(("a.csv", TEXT), ("../b.csv", TEXT)), "leaves its directory"),
    "encrypted": (zip_by_hand(flags=1), "is encrypted: send it without a password"),
    "strongly encrypted": (zip_by_hand(flags=1 << 6), "is encrypted"),
    "masked": (zip_by_hand(flags=1 << 13), "is encrypted"),
    "AES": (zip_by_hand(method=99), "is encrypted"),
    "bzip2": (zipped(TEXT, method=zipfile.ZIP_BZIP2), "compressed by bzip2 (method 12): use deflate"),
    "LZMA": (zipped(TEXT, method=zipfile.ZIP_LZMA), "compressed by LZMA (method 14): use deflate"),
    "deflate64": (zip_by_hand(method=9), "compressed by deflate64 (method 9): use deflate"),
    "imploded": (zip_by_hand(method=6), "compressed by a rare method (method 6): use deflate"),
    "patch": (zip_by_hand(flags=1 << 5), "needs a feature that is not read"),
    "parent": (zip_by_hand(name=b"../usage.csv"), "leaves its directory"),
    "parent in between": (zip_by_hand(name=b"a/../usage.csv"), "leaves its directory"),
    "parent of Windows": (zip_by_hand(name=b"a\\..\\usage.csv"), "leaves its directory"),
    "absolute": (zip_by_hand(name=b"/etc/passwd"), "leaves its directory"),
    "share": (zip_by_hand(name=b"\\\\host\\usage.csv"), "leaves its directory"),
    "drive": (zip_by_hand(name=b"C:usage.csv"), "leaves its directory"),
    "NUL": (zip_by_hand(name=b"usage.csv\x00.exe"), "leaves its directory"),
    "no name": (zip_by_hand(name=b""), "leaves its directory"),
    "link": (zip_by_hand(b"/etc/passwd", mode=0o120777), "holds a link"),
    "last of several disks": (zip_by_hand(disk=1), "part of one that was split"),
    "begun on another disk": (zip_by_hand(entry_disk=1), "part of one that was split"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_zip_archives_are_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    data, told = UNSUPPORTED[name]
    refused = refusal(write(tmp_path, data))
    assert refused.code == "UNSUPPORTED_ARCHIVE"
    assert told in refused.message


def test_a_refusal_repeats_nothing_of_the_archive(tmp_path: Path) -> None:
    refused = refusal(write(tmp_path, zip_by_hand(name=b"../33600000001.csv")))
    assert "33600000001" not in refused.message


CORRUPT = {
    "a directory with bytes": zip_of(("a/", b"bytes"), ("b.csv", TEXT)),
    "two files, the second damaged": flip(STORED_TWICE, STORED_TWICE.rindex(b"id,at") + 9),
    "other checksum": zip_by_hand(crc=1),
    "longer": zip_by_hand(decoded_bytes=len(TEXT) - 1),
    "shorter": zip_by_hand(decoded_bytes=len(TEXT) + 1),
    "stored, longer": zip_by_hand(method=0, stored=TEXT, decoded_bytes=len(TEXT) - 1),
    "bytes after the deflate stream": zip_by_hand(stored=zlib.compress(TEXT, wbits=-15) + b"x"),
    "deflate stream cut off": zip_by_hand(stored=zlib.compress(TEXT, wbits=-15)[:-1]),
    "no deflate stream": zip_by_hand(b"", stored=b""),
    "an entry that is not listed": zip_by_hand(before=WHOLE[: WHOLE.index(b"PK\x01\x02")]),
    "other method": zip_by_hand(local_method=0),
    "zip64 record of another length": WIDE.replace(b"PK\x06\x06\x2c", b"PK\x06\x06\x2d"),
    "other name": zip_by_hand(local_name=b"other.csv"),
    "name cut off": zip_by_hand(local_name=b"usage.cs"),
    "entry elsewhere": zip_by_hand(offset=1),
    "entry far away": zip_by_hand(offset=1 << 30),
    "entry in 64 bits that are not there": zip_by_hand(offset=0xFFFF_FFFF),
    "bytes between": zip_by_hand(descriptor=b"6,2026-05-01"),
    "many bytes between": zip_by_hand(descriptor=bytes(30)),
    "descriptor of another file": zip_by_hand(descriptor=SUMS + struct.pack("<II", SIZES[0], SIZES[1] + 1), flags=8),
    "fewer entries than it says": zip_by_hand(count=2),
    "more entries than it says": zip_by_hand(count=0),
    "concatenated": zipped(TEXT) + zipped(TEXT),
    "something before": zipped(TEXT)[:4] + zipped(TEXT),
    "line after": zipped(TEXT) + b"6,2026-05-01\n",
    "zeros after": zipped(TEXT) + bytes(512),
    "an end within the comment": zipped(TEXT, comment=zip_of()),
    "header only": b"PK\x03\x04" + bytes(100),
    "end cut off": b"PK\x05\x06" + bytes(17),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_a_zip_archive_that_contradicts_itself_is_refused(tmp_path: Path, name: str) -> None:
    assert code_of(write(tmp_path, CORRUPT[name])) == "CORRUPT_ARCHIVE"


@pytest.mark.parametrize("data", [WHOLE, zip_streamed(TEXT, wide=True), WIDE], ids=["usual", "streamed", "zip64"])
def test_a_truncated_zip_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    assert {code_of(write(tmp_path, data[:cut])) for cut in places(data, 300) if cut >= 4} == {"CORRUPT_ARCHIVE"}


@pytest.mark.parametrize("data", [WHOLE, zip_streamed(TEXT, wide=True), WIDE], ids=["usual", "streamed", "zip64"])
def test_a_damaged_zip_archive_is_refused_or_holds_the_same(tmp_path: Path, data: bytes) -> None:
    """Times, versions and attributes are read by nobody, so damage there is no damage."""
    found = [
        text_or_refusal(write(tmp_path, flip(data, at, bits))) for at in places(data, 300)[4:] for bits in (1, 0x80)
    ]
    assert set(found) == {TEXT, "CORRUPT_ARCHIVE", "UNSUPPORTED_ARCHIVE"}
    start = data.index(b"usage.csv") + 9
    inside = [text_or_refusal(write(tmp_path, flip(data, at))) for at in range(start + 40, len(data) - 300, 211)]
    assert set(inside) == {"CORRUPT_ARCHIVE"}


def test_a_directory_of_a_million_files_takes_no_memory(tmp_path: Path) -> None:
    entry = zip_by_hand(b"")
    central = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    count = (16 << 20) // len(central)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, count * len(central), 50, 0)
    path = write(tmp_path, b"PK\x03\x04" + bytes(46) + central * count + end)
    tracemalloc.start()
    try:
        assert "holds more than 10000 files" in refusal(path).message
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_files_of_an_archive_are_told_and_read_one_by_one(tmp_path: Path) -> None:
    files = (("données.csv", TEXT), ("deep/", b""), ("deep/b.csv", b""), ("c.csv", b"three"))
    for data in (zip_of(*files), zip_of(*files, method=zipfile.ZIP_STORED)):
        path = write(tmp_path, data)
        for skipped in (False, True):
            with open_archive(path, size=len(data), bytes_max=1 << 20, ratio_max=1000) as archive:
                assert archive is not None
                found = {member: b"" if skipped else b"".join(archive.chunks()) for member in archive.members()}
            assert [(member.name, member.size) for member in found] == [
                (name, len(text)) for name, text in files if name != "deep/"
            ]
            assert skipped or list(found.values()) == [TEXT, b"", b"three"]


def test_a_name_that_is_no_utf8_is_read_as_old_pcs_wrote_it(tmp_path: Path) -> None:
    data = zip_of(("a.csv", b"1"), ("bx.csv", b"2")).replace(b"bx.csv", b"b\x82.csv")
    with open_archive(write(tmp_path, data), size=len(data), bytes_max=9, ratio_max=9) as archive:
        assert archive is not None
        assert [member.name for member in archive.members()] == ["a.csv", "bé.csv"]


@pytest.mark.parametrize(
    ("data", "bytes_max", "ratio_max"),
    [
        (zip_of(("a.csv", TEXT), ("b.csv", TEXT)), 2 * len(TEXT) - 1, 1000),
        (zip_of(("a.csv", bytes(1 << 20)), ("b.csv", b"1")), 1 << 30, 9),
        (zip_of(*((f"{number}", b"") for number in range(unzip.MEMBERS_MAX + 1))), 1 << 30, 1000),
    ],
    ids=["bytes", "ratio", "files"],
)
def test_an_archive_of_too_much_is_a_bomb(tmp_path: Path, data: bytes, bytes_max: int, ratio_max: int) -> None:
    path = write(tmp_path, data)
    with open_archive(path, size=len(data), bytes_max=bytes_max, ratio_max=ratio_max) as archive:
        assert archive is None
    assert code_of(path, bytes_max=bytes_max, ratio_max=ratio_max) == "ARCHIVE_BOMB"


def test_a_file_that_is_larger_than_it_says_is_not_expanded(tmp_path: Path) -> None:
    """What a directory says of the files in it bounds what is read of them."""
    data = zip_of(("a.csv", b"1"), ("b.csv", bytes(1 << 22)))
    lying = data.replace(struct.pack("<I", 1 << 22), struct.pack("<I", 9))
    path = write(tmp_path, lying)
    with open_archive(path, size=len(lying), bytes_max=1 << 20, ratio_max=1000) as archive:
        assert archive is not None
        first, second = archive.members(), archive.chunks
        next(first)
        assert list(second()) == [b"1"]
        next(first)
        with pytest.raises(UnableToReadFile, match="has not the 9 bytes"):
            next(second())
