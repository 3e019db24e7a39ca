"""The claim journal: what is appended is read back, and nothing else."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from resource_journal import NOW, entries_in, every_kind, file_claim, journal_of

from pipelines.spool.journal import Journal, UnableToReadJournal


def line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def test_every_kind_of_entry_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    assert entries_in(path) == every_kind()
    assert path.read_bytes().count(b"\n") == len(every_kind())


def test_a_journal_that_does_not_exist_is_empty_and_made(tmp_path: Path) -> None:
    assert entries_in(tmp_path / "journal.log") == []
    assert (tmp_path / "journal.log").read_bytes() == b""


def test_entries_are_seen_as_they_are_appended(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.log", every_kind())
    assert list(journal.entries) == every_kind()
    assert journal.next_claim == 6
    journal.close()


def test_an_entry_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal = Journal(path)
    for count, entry in enumerate(every_kind(), 1):
        journal.append(entry)
        assert path.read_bytes().count(b"\n") == count
    journal.close()


def test_appending_goes_on_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    for claim in range(1, 5):
        journal = Journal(path)
        assert journal.next_claim == claim
        journal.append(file_claim(claim))
        journal.close()
    assert [entry.claim for entry in entries_in(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("claim", [1, 3, 4])
def test_a_number_that_does_not_follow_is_not_appended(tmp_path: Path, claim: int) -> None:
    path = tmp_path / "journal.log"
    journal = journal_of(path, [file_claim(1)])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"entry {claim} cannot follow entry 1"):
        journal.append(file_claim(claim))
    assert path.read_bytes() == before
    journal.close()


def test_time_never_goes_back(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.log", [file_claim(1, NOW)])
    with pytest.raises(ValueError, match="would be received before entry 1"):
        journal.append(file_claim(2, NOW - 1))
    assert journal.next_claim == 2
    journal.append(file_claim(2, NOW))
    journal.close()


@pytest.mark.parametrize(("now", "stage_time"), [(NOW - 5, NOW), (NOW, NOW), (NOW + 5, NOW + 5)])
def test_stage_time_is_the_latest_of_clock_and_journal(tmp_path: Path, now: int, stage_time: int) -> None:
    path = tmp_path / "journal.log"
    assert Journal(path).stage_time(now) == now
    journal_of(path, [file_claim(1, NOW)]).close()
    journal = Journal(path)  # remembered over a restart
    assert journal.stage_time(now) == stage_time
    journal.close()


@pytest.mark.parametrize("damaged", [0, 1, 3])
def test_a_damaged_entry_before_the_last_is_refused_and_nothing_is_cut(tmp_path: Path, damaged: int) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    lines = path.read_bytes().splitlines(keepends=True)
    for offset in (0, 7, 8, 9, len(lines[damaged]) // 2, len(lines[damaged]) - 2):
        broken = bytearray(lines[damaged])
        broken[offset] ^= 0x01
        content = b"".join([*lines[:damaged], bytes(broken), *lines[damaged + 1 :]])
        path.write_bytes(content)
        with pytest.raises(UnableToReadJournal, match=f"entry {damaged + 1} is damaged"):
            Journal(path)
        assert path.read_bytes() == content


def test_a_missing_entry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(UnableToReadJournal, match="entry 2 is numbered 3"):
        Journal(path)


def test_an_entry_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[0], *lines[1:]]))
    with pytest.raises(UnableToReadJournal, match="entry 2 is numbered 1"):
        Journal(path)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"claim":2,"received_at":1,"kind":"top_up","wallet":4}', "top_up"),
        (b'{"claim":2,"received_at":1,"kind":"image","content_hash":"x","zone":"Paris"}', "zone"),
        (b'{"claim":2,"received_at":1,"kind":"image"}', "content_hash"),
        (b'{"claim":0,"received_at":1,"kind":"image","content_hash":"x"}', "claim"),
    ],
)
def test_an_entry_of_a_newer_release_is_refused_and_kept(tmp_path: Path, body: bytes, told: str) -> None:
    """It is whole: cutting it off would lose what it did."""
    path = tmp_path / "journal.log"
    journal_of(path, [file_claim(1)]).close()
    content = path.read_bytes() + line(body)
    path.write_bytes(content)
    with pytest.raises(UnableToReadJournal, match=f"entry 2 is whole but unknown to this release.*{told}") as caught:
        Journal(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("tail", [b"\0" * 600, b"\n", b"garbage\n", b"00000000 {}\n", b"zzzzzzzz {}\n", b"+1234567 {}"])
def test_what_a_crash_leaves_at_the_end_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert entries_in(path) == every_kind()
    assert path.read_bytes() == whole
