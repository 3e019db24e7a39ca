"""Every file in a dropped tar or zip archive is claimed exactly once, wherever the process dies."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from containers import refusal, zip_of
from resource_journal import NOW, TERMS, archived, spool_in

from apps.embedded import archive_files
from apps.embedded.archive_files import ArchiveFiles
from pipelines.spool import claims
from pipelines.spool.claims import Spool, UnableToClaim
from pipelines.spool.journal import FileClaim, Journal

FILES = {"a.csv": b"one", "deep/b.csv": b"two", "c.csv": b""}


class Killed(BaseException):
    """The process ends here."""


def write_tar(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    path.write_bytes(zip_of(("deep/", b""), *files.items()))
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return spool_in(tmp_path, "calls")


def open_journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.log")


def names(journal: Journal) -> list[str]:
    return [entry.name for entry in journal.entries if isinstance(entry, FileClaim)]


def everything_in(spool: Spool) -> list[str]:
    return sorted(str(path.relative_to(spool.incoming)) for path in spool.incoming.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_each_file_is_a_claim(tmp_path: Path, spool: Spool, form: str) -> None:
    journal = open_journal(tmp_path)
    path = WRITERS[form](spool.incoming / "calls" / "day.tar")
    found = ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS)
    assert found is not None
    assert [entry.name for entry in found] == [f"day.tar!{name}" for name in FILES]
    assert [(spool.archive / entry.stored).read_bytes() for entry in found] == list(FILES.values())
    assert everything_in(spool) == []


CLUTTER = {"__MACOSX/a.csv": b"x", "deep/.DS_Store": b"x", "Thumbs.db": b"x", "deep/._b.csv": b"x"}


@pytest.mark.parametrize("form", ["tar", "zip"])
@pytest.mark.parametrize("files", [FILES, {"a.csv": b"one"}], ids=["several", "one"])
def test_what_file_managers_put_into_an_archive_is_left_out_and_told(
    tmp_path: Path, spool: Spool, form: str, files: dict[str, bytes]
) -> None:
    journal, told = open_journal(tmp_path), []
    path = WRITERS[form](spool.incoming / "calls" / "day.tar", CLUTTER | files)
    found = ArchiveFiles(spool, journal, told.append).claim("calls", path, now=NOW, terms=TERMS)
    assert found is not None
    assert [entry.name for entry in found] == [f"day.tar!{name}" for name in files]
    (sentence,) = told
    assert all(name in sentence for name in CLUTTER)


def test_an_archive_of_nothing_else_is_one_file_that_holds_none(tmp_path: Path, spool: Spool) -> None:
    path = write_zip(spool.incoming / "calls" / "day.zip", CLUTTER)
    assert ArchiveFiles(spool, open_journal(tmp_path), print).claim("calls", path, now=NOW, terms=TERMS) is None
    assert "holds no file" in refusal(path).message


def test_an_archive_that_stays_is_copied(tmp_path: Path, spool: Spool) -> None:
    journal = open_journal(tmp_path)
    path = write_tar(tmp_path / "day.tar")
    found = ArchiveFiles(spool, journal, print).take_copy("calls", path, now=NOW, terms=TERMS)
    assert found is not None
    assert names(journal) == [f"day.tar!{name}" for name in FILES]
    assert path.exists()


def test_what_is_no_good_archive_is_one_file(tmp_path: Path, spool: Spool) -> None:
    journal = open_journal(tmp_path)
    path = spool.incoming / "calls" / "day.tar"
    for data in (b"no tar", write_tar(path).read_bytes()[:700], write_tar(path, {}).read_bytes()):
        path.write_bytes(data)
        assert ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS) is None
        assert everything_in(spool) == ["calls/day.tar"]
    link = spool.incoming / "calls" / "link.tar"
    link.symlink_to(write_tar(tmp_path / "other.tar"))
    assert ArchiveFiles(spool, journal, print).claim("calls", link, now=NOW, terms=TERMS) is None


def test_without_room_the_archive_stays(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for owner, name in ((archive_files, "sync_file"), (claims, "sync_directory"), (archive_files.os, "fsync")):
        journal = open_journal(tmp_path)
        path = write_tar(spool.incoming / "calls" / "day.tar")
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(UnableToClaim):
                ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS)
        assert everything_in(spool) == ["calls/day.tar"]
        assert archived(spool) == {}
        journal.close()


def _die_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, nth: int) -> None:
    """Let the process die when a function was called for the n-th time."""
    original, left = getattr(owner, name), [nth]

    def dying(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, dying)


POINTS = [
    (archive_files.os, "fsync", 1),
    (archive_files, "sync_file", 1),
    (Path, "replace", 1),
    (archive_files, "sync_directory", 1),
    (Path, "replace", 2),
    (Path, "replace", 3),
    (Path, "replace", 4),
    (claims, "sync_directory", 1),
    (Journal, "append_all", 1),
    (archive_files, "sync_directory", 2),
]
WRITERS = {"tar": write_tar, "zip": write_zip}  # fmt: skip


@pytest.mark.parametrize("form", ["tar", "zip"])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]} {point[2]}")
def test_a_crash_claims_each_file_once(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, point: tuple[Any, str, int], form: str
) -> None:
    path = WRITERS[form](spool.incoming / "calls" / "day.tar")
    journal = open_journal(tmp_path)
    with monkeypatch.context() as patch:
        _die_after(patch, *point)
        with pytest.raises(Killed):
            ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS)
    journal.close()
    restarted = open_journal(tmp_path)
    spool.adopt(restarted, now=NOW, terms=TERMS)
    tars = ArchiveFiles(spool, restarted, print)
    tars.resume(["calls"], now=NOW, terms=TERMS)
    for source, waiting in spool.waiting(["calls"]):
        tars.claim(source, waiting, now=NOW, terms=TERMS)
    assert everything_in(spool) == []
    contents = sorted((spool.archive / entry.stored).read_bytes() for entry in restarted.entries)  # type: ignore[union-attr]
    assert contents == sorted(FILES.values())


def test_a_zip_of_one_file_is_that_file(tmp_path: Path, spool: Spool) -> None:
    """And one that is no good is one file, which is refused with the reason."""
    for content in (zip_of(("a.csv", b"one")), zip_of(("a.csv", b"1"), ("a.csv", b"2")), zip_of()):
        path = spool.incoming / "calls" / "day.zip"
        path.write_bytes(content)
        assert ArchiveFiles(spool, open_journal(tmp_path), print).claim("calls", path, now=NOW, terms=TERMS) is None
        assert path.read_bytes() == content


def test_an_archive_that_is_too_large_by_now_is_one_file(tmp_path: Path, spool: Spool) -> None:
    write_tar(spool.incoming / "calls" / ".0000000001~day.tar.taken")
    terms = claims.Terms(block_bytes=4096, window_days=None, bytes_max=2, expansion_max=100)
    assert ArchiveFiles(spool, open_journal(tmp_path), print).resume(["calls"], now=NOW, terms=terms) == []
    assert everything_in(spool) == ["calls/day.tar"]


def test_what_cannot_be_claimed_goes_back_beside_the_next_of_its_name(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, path = open_journal(tmp_path), write_tar(spool.incoming / "calls" / "day.tar")
    first = path.read_bytes()

    def fails(*_: Any, **__: Any) -> None:
        path.write_bytes(b"the next day")
        raise UnableToClaim("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "claim_all", fails)
        with pytest.raises(UnableToClaim):
            ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS)
    assert path.read_bytes() == b"the next day"
    assert path.with_name("day.tar.1").read_bytes() == first
    taken = path.with_name(".0000000001~day.tar.taken")
    taken.write_bytes(b"no archive by now")
    assert ArchiveFiles(spool, journal, print).resume(["calls"], now=NOW, terms=TERMS) == []
    assert everything_in(spool) == ["calls/day.tar", "calls/day.tar.1", "calls/day.tar.2"]


def test_an_archive_that_cannot_be_removed_was_claimed_all_the_same(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that it was not, nobody would process what is in the log."""
    journal, path = open_journal(tmp_path), write_tar(spool.incoming / "calls" / "day.tar")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fails)
        found = ArchiveFiles(spool, journal, print).claim("calls", path, now=NOW, terms=TERMS)
    assert found is not None
    assert len(found) == len(journal.entries) == len(FILES)
    assert ArchiveFiles(spool, journal, print).resume(["calls"], now=NOW, terms=TERMS) == []
    assert everything_in(spool) == []
