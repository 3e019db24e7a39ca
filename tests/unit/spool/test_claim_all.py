"""Many files are claimed together: all of them or none, each under its own number, with one sync of the journal."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from resource_journal import NOW, TERMS, archived, entries_in, file_claim, spool_in

from pipelines.spool import claims, journal
from pipelines.spool.claims import Arrival, Spool, UnableToClaim
from pipelines.spool.journal import FileClaim, Journal


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return spool_in(tmp_path, "calls", "data")


@pytest.fixture
def log(tmp_path: Path) -> Journal:
    found = Journal(tmp_path / "journal.log")
    found.append(file_claim(1))
    return found


def arrivals(tmp_path: Path, *names: str) -> list[Arrival]:
    found = [
        Arrival("data" if "d" in name else "calls", name, tmp_path / f"aside-{place}")
        for place, name in enumerate(names)
    ]
    for arrival in found:
        arrival.path.write_bytes(arrival.name.encode())
    return found


def test_each_file_has_its_number_and_its_place(tmp_path: Path, spool: Spool, log: Journal) -> None:
    entries = spool.claim_all(log, arrivals(tmp_path, "a", "d", "a"), now=NOW, terms=TERMS)
    assert [(entry.claim, entry.source, entry.name, entry.size) for entry in entries] == [
        (2, "calls", "a", 1),
        (3, "data", "d", 1),
        (4, "calls", "a", 1),
    ]
    assert archived(spool) == {entry.stored: entry.name.encode() for entry in entries}
    assert {entry.received_at for entry in entries} == {log.entries[0].received_at}  # the clock is behind the journal
    assert not list(tmp_path.glob("aside-*"))
    log.close()
    assert entries_in(tmp_path / "journal.log") == [file_claim(1), *entries]


def test_one_sync_of_the_journal_makes_all_durable(
    tmp_path: Path, spool: Spool, log: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(journal.os, "fsync", lambda handle: (synced.append(handle), sync(handle)))
    spool.claim_all(log, arrivals(tmp_path, *"abcdefgh"), now=NOW, terms=TERMS)
    assert len(synced) == 2  # the archive's names, then the journal


def test_nothing_is_claimed_of_nothing(spool: Spool, log: Journal) -> None:
    assert spool.claim_all(log, [], now=NOW, terms=TERMS) == []
    assert log.next_claim == 2


@pytest.mark.parametrize("step", ["archive synced", "journaled", "second moved", "place taken"])
def test_what_fails_leaves_every_file_where_it_was(
    tmp_path: Path, spool: Spool, log: Journal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    found = arrivals(tmp_path, "a", "b")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if step == "archive synced":
            patch.setattr(claims, "sync_directory", full)
        elif step == "journaled":
            patch.setattr(log, "append_all", full)
        elif step == "second moved":
            found[1].path.unlink()
        else:
            (spool.archive / spool.stored_name(3, "calls", "b")).write_bytes(b"a crash left me")
        with pytest.raises(UnableToClaim):
            spool.claim_all(log, found, now=NOW, terms=TERMS)
    assert log.next_claim == 2
    assert found[0].path.read_bytes() == b"a"
    assert set(archived(spool).values()) <= {b"a crash left me"}


def test_a_journal_that_is_full_has_none_of_them(
    tmp_path: Path, spool: Spool, log: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    entries = [file_claim(2), file_claim(3)]
    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            log.append_all(entries)
    log.append_all(entries)
    log.close()
    assert entries_in(tmp_path / "journal.log") == [file_claim(number) for number in (1, 2, 3)]


def test_numbers_and_times_of_many_entries_follow_each_other(log: Journal) -> None:
    for wrong in ([file_claim(3)], [file_claim(2), file_claim(4)], [file_claim(2), file_claim(3, at=NOW)]):
        with pytest.raises(ValueError, match="entry"):
            log.append_all(wrong)
    assert log.next_claim == 2


def test_a_crash_in_the_middle_of_many_entries_leaves_the_first_ones(tmp_path: Path, log: Journal) -> None:
    path = tmp_path / "journal.log"
    before = path.stat().st_size
    log.append_all([file_claim(2), file_claim(3), file_claim(4)])
    log.close()
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(before, len(whole)):
        path.write_bytes(whole[:size])
        found = entries_in(path)
        assert [entry.claim for entry in found] == list(range(1, 1 + sum(end <= size for end in ends)))
        assert all(isinstance(entry, FileClaim) for entry in found)
