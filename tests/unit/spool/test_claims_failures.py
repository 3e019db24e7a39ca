"""Claiming while things go wrong: a file is in the spool or in the archive, never nowhere, and claimed once."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from resource_journal import NOW, TERMS, archived, entries_in, file_claim, spool_in

from pipelines.spool import claims
from pipelines.spool.claims import UnableToClaim
from pipelines.spool.journal import Journal, UnableToWriteJournal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.log")


def fail(error: BaseException) -> Any:
    def raising(*args: Any, **kwargs: Any) -> None:
        raise error

    return raising


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Killed(BaseException):
    """The process ends here."""


STEPS = {
    "content synced": ("sync_file", False),
    "moved": ("sync_directory", True),
}


@pytest.mark.parametrize(("step", "moved"), STEPS.values(), ids=STEPS)
def test_a_crash_while_claiming_loses_nothing_and_claims_once(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, step: str, moved: bool
) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"usage")
    with monkeypatch.context() as patch:
        patch.setattr(claims, step, fail(Killed()))
        with pytest.raises(Killed):
            spool.claim(journal, "calls", path, now=NOW, terms=TERMS)
    journal.close()
    assert path.exists() is not moved
    restarted = Journal(tmp_path / "journal.log")
    adopted = spool.adopt(restarted, now=NOW, terms=TERMS)
    claimed = [
        spool.claim(restarted, source, found, now=NOW, terms=TERMS) for source, found in spool.waiting(["calls"])
    ]
    assert [(entry.claim, entry.name, entry.size) for entry in adopted + claimed] == [(1, "a.csv", 5)]
    assert archived(spool) == {"0000000001~calls~a.csv": b"usage"}
    assert spool.adopt(restarted, now=NOW, terms=TERMS) == []


@pytest.mark.parametrize("size", range(0, 221, 20))
def test_a_crash_while_journaling_is_adopted(tmp_path: Path, journal: Journal, size: int) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"usage")
    entry = spool.claim(journal, "calls", path, now=NOW, terms=TERMS)
    log = tmp_path / "journal.log"
    assert log.stat().st_size > size
    log.write_bytes(log.read_bytes()[:size])
    assert spool.adopt(Journal(log), now=NOW, terms=TERMS) == [entry]


def test_several_orphans_are_adopted_in_order_with_new_numbers(tmp_path: Path, journal: Journal) -> None:
    """An image may have taken the number that the first of them was going to have."""
    spool = spool_in(tmp_path)
    for number, name in ((3, "c"), (1, "b"), (2, "a")):
        (spool.archive / spool.stored_name(number, "calls", name)).write_bytes(name.encode())
    journal.append(file_claim(1))
    adopted = spool.adopt(journal, now=NOW, terms=TERMS)
    assert [(entry.claim, entry.name) for entry in adopted] == [(2, "b"), (3, "a"), (4, "c")]
    assert len({entry.stored for entry in adopted}) == 3


@pytest.mark.parametrize("name", ["edrs-0000000001~calls~edrs.retry", "notes.txt", "1~calls~a.csv", "0000000001~calls"])
def test_only_claimed_files_are_adopted(tmp_path: Path, journal: Journal, name: str) -> None:
    spool = spool_in(tmp_path)
    (spool.archive / name).write_bytes(b"x")
    (spool.archive / "0000000001~calls~folder").mkdir()
    assert spool.adopt(journal, now=NOW, terms=TERMS) == []


def test_a_copy_that_a_crash_left_unfinished_is_removed(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    original = tmp_path / "a.csv"
    original.write_bytes(b"usage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", fail(Killed()))
        with pytest.raises(Killed):
            spool.take_copy(journal, "calls", original, now=NOW, terms=TERMS)
    assert len(archived(spool)) == 1
    assert spool.adopt(journal, now=NOW, terms=TERMS) == []
    assert archived(spool) == {}
    assert original.read_bytes() == b"usage"


@pytest.mark.parametrize("step", ["sync_file", "replace", "sync_directory", "append"])
def test_a_failed_claim_puts_the_file_back(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"usage")
    owner: Any = {"replace": Path, "append": journal}.get(step, claims)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail(os_error(errno.ENOSPC)))
        with pytest.raises(UnableToClaim, match=r"a\.csv.*No space left") as caught:
            spool.claim(journal, "calls", path, now=NOW, terms=TERMS)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"usage"
    assert (archived(spool), list(journal.entries)) == ({}, [])
    assert spool.claim(journal, "calls", path, now=NOW, terms=TERMS).claim == 1


def test_a_file_put_back_does_not_replace_the_next_of_its_name(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"first")
    (spool.incoming / "calls" / "a.csv.1").write_bytes(b"older")

    def full(*_: Any) -> None:
        path.write_bytes(b"second")  # its sender drops the next one meanwhile
        raise os_error(errno.ENOSPC)

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(UnableToClaim, match=r"it is .*a\.csv\.2"):
        spool.claim(journal, "calls", path, now=NOW, terms=TERMS)
    waiting = {found.name: found.read_bytes() for _, found in spool.waiting(["calls"])}
    assert waiting == {"a.csv": b"second", "a.csv.1": b"older", "a.csv.2": b"first"}


@pytest.mark.parametrize("how", ["claim", "take_copy"])
def test_a_file_whose_entry_is_doubtful_stays_archived(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Its entry may be on disk: putting the file back would leave the log without its content."""
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"usage")
    monkeypatch.setattr(journal, "append", fail(UnableToWriteJournal("doubtful")))
    with pytest.raises(UnableToWriteJournal):
        getattr(spool, how)(journal, "calls", path, now=NOW, terms=TERMS)
    assert archived(spool) == {"0000000001~calls~a.csv": b"usage"}


@pytest.mark.parametrize("how", ["claim", "take_copy"])
def test_a_claim_never_overwrites_what_waits_to_be_adopted(tmp_path: Path, journal: Journal, how: str) -> None:
    spool = spool_in(tmp_path)
    orphan = spool.archive / spool.stored_name(1, "calls", "a.csv")
    orphan.write_bytes(b"not journaled yet")
    path = spool.incoming / "calls" / "a.csv"
    path.write_bytes(b"usage")
    with pytest.raises(UnableToClaim, match="start again to adopt it"):
        getattr(spool, how)(journal, "calls", path, now=NOW, terms=TERMS)
    assert orphan.read_bytes() == b"not journaled yet"
    assert path.read_bytes() == b"usage"


@pytest.mark.parametrize("step", ["copy_durably", "append"])
def test_a_failed_copy_leaves_nothing_and_the_original(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    spool = spool_in(tmp_path)
    original = tmp_path / "a.csv"
    original.write_bytes(b"usage")
    with monkeypatch.context() as patch:
        patch.setattr(journal if step == "append" else claims, step, fail(os_error(errno.ENOSPC)))
        with pytest.raises(UnableToClaim, match=r"cannot take .*a\.csv: No space left"):
            spool.take_copy(journal, "calls", original, now=NOW, terms=TERMS)
    assert original.read_bytes() == b"usage"
    assert archived(spool) == {}
    assert entries_in(tmp_path / "journal.log") == []


@pytest.mark.parametrize(
    ("how", "name", "told"),
    [
        ("claim", "missing.csv", "No such file"),
        ("take_copy", "missing.csv", "No such file"),
        ("take_copy", "folder", "Is a directory"),
        ("take_copy", "missing/a.csv", "No such file"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, journal: Journal, how: str, name: str, told: str) -> None:
    spool = spool_in(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnableToClaim, match=told):
        getattr(spool, how)(journal, "calls", tmp_path / name, now=NOW, terms=TERMS)
    assert (archived(spool), list(journal.entries)) == ({}, [])


@pytest.mark.parametrize("which", ["waiting", "unknown", "adopt"])
def test_a_directory_that_cannot_be_listed_is_named(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    spool = spool_in(tmp_path)
    monkeypatch.setattr(Path, "iterdir", fail(os_error(errno.EACCES)))
    directory, listing = {
        "waiting": (spool.incoming / "calls", lambda: spool.waiting(["calls"])),
        "unknown": (spool.incoming, lambda: spool.unknown(["calls"])),
        "adopt": (spool.archive, lambda: spool.adopt(journal, now=NOW, terms=TERMS)),
    }[which]
    with pytest.raises(UnableToClaim, match=rf"{directory}: Permission denied"):
        listing()


def test_adopting_that_fails_half_way_goes_on_next_time(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spool_in(tmp_path)
    for number in (1, 2, 3):
        (spool.archive / spool.stored_name(number, "calls", f"{number}.csv")).write_bytes(b"x")
    append = journal.append

    def once(entry: Any) -> None:
        if entry.claim > 1:
            raise os_error(errno.ENOSPC)
        append(entry)

    monkeypatch.setattr(journal, "append", once)
    with pytest.raises(UnableToClaim, match="cannot adopt"):
        spool.adopt(journal, now=NOW, terms=TERMS)
    restarted = Journal(tmp_path / "journal.log")
    assert [entry.name for entry in spool.adopt(restarted, now=NOW, terms=TERMS)] == ["2.csv", "3.csv"]
