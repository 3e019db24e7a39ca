"""Tar archives: what the standard library packs comes out, whatever the form; anything odd refuses the whole archive."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from pipelines.mediation import untar
from pipelines.mediation.container import check_container, open_archive
from pipelines.mediation.unpack import UnableToReadFile

FORMS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
FILES = {
    "a.csv": b"one",
    "empty": b"",
    "deep/er/b.csv": b"x" * 512,
    "long/" + "n" * 90 + "/" + "m" * 60: b"y" * 70_001,
    "calls.csv.gz": gzip.compress(b"packed"),
}


def packed(files: dict[str, bytes], form: str = "pax", **changes: Any) -> bytes:
    """An archive of files; the last one is changed."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=FORMS[form]) as archive:
        directory = tarfile.TarInfo("deep")
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for place, (name, content) in enumerate(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for attribute, value in changes.items() if place == len(files) - 1 else ():
                setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def unpacked(tmp_path: Path, data: bytes, *, bytes_max: int = 1 << 20, ratio_max: int = 200) -> dict[str, bytes] | None:
    """What is in an archive; None where it is none. As one file it is refused."""
    path = tmp_path / "archive"
    path.write_bytes(data)
    with open_archive(path, size=len(data), bytes_max=bytes_max, ratio_max=ratio_max) as archive:
        if archive is None:
            return None
        return {member.name: b"".join(archive.chunks()) for member in archive.members()}


def refused(tmp_path: Path, data: bytes, **bounds: Any) -> str:
    """The code that refuses an archive, unpacked or as one file."""
    with pytest.raises(UnableToReadFile) as found:
        unpacked(tmp_path, data, **bounds)
    limits = {"bytes_max": 1 << 20, "ratio_max": 200} | bounds
    with pytest.raises(UnableToReadFile) as as_file:
        check_container(tmp_path / "archive", size=len(data), **limits)
    assert as_file.value.code == found.value.code
    return found.value.code


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_what_was_packed_comes_out(tmp_path: Path, form: str, pack: Any) -> None:
    assert unpacked(tmp_path, pack(packed(FILES, form))) == FILES


def test_members_may_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(packed(FILES))
    with open_archive(path, size=path.stat().st_size, bytes_max=1 << 20, ratio_max=9) as archive:
        assert archive is not None
        assert [(member.name, member.size) for member in archive.members()] == [(n, len(c)) for n, c in FILES.items()]


def test_other_files_are_none(tmp_path: Path) -> None:
    for data in (b"", b"id,at\n", gzip.compress(b"id,at\n"), zstd.compress(b"x" * 600), b"PK\x03\x04" + bytes(300)):
        assert unpacked(tmp_path, data) is None


def test_an_archive_is_refused_as_one_file(tmp_path: Path) -> None:
    for pack in (bytes, gzip.compress, zstd.compress):
        path = tmp_path / "archive"
        path.write_bytes(pack(packed(FILES)))
        with pytest.raises(UnableToReadFile, match="drop it into the spool") as found:
            check_container(path, size=path.stat().st_size, bytes_max=1 << 20, ratio_max=200)
        assert found.value.code == "UNSUPPORTED_ARCHIVE"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S", b"M", b"V"]
)
def test_what_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    assert refused(tmp_path, packed({"a": b"x", "b": b""}, "ustar", type=kind, linkname="a")) == "UNSUPPORTED_ARCHIVE"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "a/.."])
@pytest.mark.parametrize("form", FORMS)
def test_a_path_that_leaves_is_refused(tmp_path: Path, name: str, form: str) -> None:
    assert refused(tmp_path, packed({"a": b"x", name: b"y"}, form)) == "UNSUPPORTED_ARCHIVE"
    hidden = {"path": name, "size": "1"}
    assert refused(tmp_path, packed({"a": b"x", "b": b"y"}, "pax", pax_headers=hidden)) == "UNSUPPORTED_ARCHIVE"


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    data = packed({"a": b"x"}, "pax", pax_headers={"GNU.sparse.major": "1"})
    assert refused(tmp_path, data) == "UNSUPPORTED_ARCHIVE"


def test_the_size_of_an_extended_header_counts(tmp_path: Path) -> None:
    body = b"z" * 700
    data = bytearray(packed({"a": body}, "pax", pax_headers={"size": "700"}))
    at = data.rindex(b"ustar") - 257
    data[at + 124 : at + 136] = b"00000000000\x00"
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\x00 " % sum(data[at : at + 512])
    assert unpacked(tmp_path, bytes(data)) == {"a": body}


def test_damage_is_refused_wherever_it_is(tmp_path: Path) -> None:
    data = packed({"a.csv": b"x" * 600, "b.csv": b"y"}, "ustar")
    end = data.rindex(b"y") + 512
    for size in (*range(512, end, 97), end, end + 300):
        assert refused(tmp_path, data[:size]) == "CORRUPT_ARCHIVE", size
    assert refused(tmp_path, data + b"hidden") == "CORRUPT_ARCHIVE"
    header = data.index(b"a.csv")
    for at in (0, 100, 130, 150, 156):
        broken = data[: header + at] + b"\xfe" + data[header + at + 1 :]
        assert refused(tmp_path, broken) == "CORRUPT_ARCHIVE", at
    for records in (b"x", b"9 a=b", b"99 path=a\n", b"6 path\n"):
        pax = tarfile.TarInfo("h")
        pax.type, pax.size = b"x", len(records)
        block = pax.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\x00")
        assert refused(tmp_path, block + data) == "CORRUPT_ARCHIVE", records


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(tmp_path, packed({"a": b"x" * 600, "b": b"y" * 600}), bytes_max=1000) == "ARCHIVE_BOMB"
    assert (
        refused(tmp_path, gzip.compress(packed({"a": bytes(3 << 20)})), bytes_max=1 << 30, ratio_max=20)
        == "ARCHIVE_BOMB"
    )
    endless = tarfile.TarInfo("a")
    endless.size = 1 << 50
    assert refused(tmp_path, endless.tobuf(tarfile.GNU_FORMAT)) == "ARCHIVE_BOMB"
    monkeypatch.setattr(untar, "MEMBERS_MAX", 3)
    assert refused(tmp_path, packed({str(number): b"" for number in range(4)})) == "ARCHIVE_BOMB"
    monkeypatch.setattr(untar, "HEADER_MAX", 100)
    assert refused(tmp_path, packed({"n" * 300: b""}, "gnu")) == "CORRUPT_ARCHIVE"
