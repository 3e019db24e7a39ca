"""Claiming: which files are taken, in which order, and what the log knows of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from resource_journal import NOW, TERMS, archived, entries_in, file_claim, spool_in

from pipelines.spool.claims import Terms, UnableToClaim
from pipelines.spool.journal import FileClaim, Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.log")


def test_files_wait_by_source_then_name(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, "b", "a")
    for name in ("b/1.csv", "a/2.csv", "a/10.csv", "a/1.csv"):
        (spool.incoming / name).touch()
    assert [(source, path.name) for source, path in spool.waiting(["b", "a"])] == [
        ("a", "1.csv"),
        ("a", "10.csv"),
        ("a", "2.csv"),
        ("b", "1.csv"),
    ]


@pytest.mark.parametrize("name", [".calls.csv", "calls.csv.tmp", "a.part", "a.partial", "a.filepart", ".a.csv.tmp"])
def test_what_is_not_finished_does_not_wait(tmp_path: Path, name: str) -> None:
    spool = spool_in(tmp_path)
    (spool.incoming / "calls" / name).touch()
    assert spool.waiting(["calls"]) == []
    (spool.incoming / "calls" / name).rename(spool.incoming / "calls" / "whole.csv")
    assert [path.name for _, path in spool.waiting(["calls"])] == ["whole.csv"]


def test_only_files_wait(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    inside = spool.incoming / "calls"
    (inside / "folder").mkdir()
    os.mkfifo(inside / "pipe")
    (inside / "nowhere").symlink_to(tmp_path / "missing")
    assert spool.waiting(["calls"]) == []


def test_a_source_without_a_directory_has_nothing_waiting(tmp_path: Path) -> None:
    assert spool_in(tmp_path).waiting(["calls", "other"]) == []


def test_what_belongs_to_no_source_is_named_and_left(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, "calls", "typo")
    (spool.incoming / "stray.csv").touch()
    (spool.incoming / ".hidden").touch()
    (spool.incoming / os.fsdecode(b"\xff")).mkdir()
    assert spool.unknown(["calls"]) == ["stray.csv", "typo", "\N{REPLACEMENT CHARACTER}"]
    assert spool.unknown(["calls", "typo"]) == ["stray.csv", "\N{REPLACEMENT CHARACTER}"]
    assert spool.waiting(["calls"]) == []


def test_no_spool_yet_has_nothing_unknown(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    (spool.incoming / "calls").rmdir()
    spool.incoming.rmdir()
    assert spool.unknown(["calls"]) == []


def test_a_claim_moves_the_file_and_fixes_its_terms(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a b.csv"
    path.write_bytes(b"some usage")
    terms = Terms(block_bytes=8192, window_days=7, bytes_max=99, expansion_max=3)
    entry = spool.claim(journal, "calls", path, now=NOW, terms=terms)
    assert entry == FileClaim(
        claim=1,
        received_at=NOW,
        source="calls",
        name="a b.csv",
        stored="0000000001~calls~a_b.csv",
        size=10,
        block_bytes=8192,
        window_days=7,
        bytes_max=99,
        expansion_max=3,
    )
    assert not path.exists()
    assert archived(spool) == {entry.stored: b"some usage"}
    assert entries_in(tmp_path / "journal.log") == [entry]


def test_a_claim_never_goes_back_in_time(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    journal.append(file_claim(1, NOW))
    path = spool.incoming / "calls" / "a.csv"
    path.touch()
    assert spool.claim(journal, "calls", path, now=NOW - 100, terms=TERMS).received_at == NOW


NAMES = {
    "plain": (b"calls.csv", "calls.csv", "calls.csv"),
    "not UTF-8": (b"d\xe9j\xe0.csv", "d\ufffdj\ufffd.csv", "d_j_.csv"),
    "UTF-8": ("déjà.csv".encode(), "déjà.csv", "d_j_.csv"),
    "separators": (b"a~b~c", "a~b~c", "a_b_c"),
    "newline": (b"a\nb", "a\nb", "a_b"),
    "spaces": (b"  ", "  ", "__"),
    "longest": (b"x" * 255, "x" * 255, "x" * 100),
    "control": (b"\x01\x7f", "\x01\x7f", "__"),
}


@pytest.mark.parametrize("how", ["claim", "take_copy", "adopt"])
@pytest.mark.parametrize(("name", "shown", "kept"), NAMES.values(), ids=NAMES)
def test_any_name_is_claimed(tmp_path: Path, journal: Journal, how: str, name: bytes, shown: str, kept: str) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / os.fsdecode(name)
    path.write_bytes(b"usage")
    if how == "adopt":  # the crash came after the move: the sender's own name is lost
        path.rename(spool.archive / spool.stored_name(1, "calls", path.name))
        (entry,) = spool.adopt(journal, now=NOW, terms=TERMS)
        assert entry.name == kept
    else:
        entry = getattr(spool, how)(journal, "calls", path, now=NOW, terms=TERMS)
        assert entry.name == shown
    assert entry.stored == f"0000000001~calls~{kept}"
    assert archived(spool) == {entry.stored: b"usage"}
    assert entries_in(tmp_path / "journal.log") == [entry]


def test_whether_a_file_is_sealed_is_found_out_again_when_it_is_adopted(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path, "calls", "flows")
    for place, source in enumerate(("calls", "flows"), 1):
        (spool.archive / spool.stored_name(place, source, "a")).write_bytes(b"usage")
    adopted = spool.adopt(
        journal, now=NOW, terms=TERMS, sealed=lambda source, path: source == "flows" and path.exists()
    )
    assert [(entry.source, entry.sealed) for entry in adopted] == [("calls", False), ("flows", True)]


@pytest.mark.parametrize("source", ["s" * 128, "a:b@c+d.e-f_g"])
def test_any_source_that_a_catalog_may_have_is_adopted(tmp_path: Path, journal: Journal, source: str) -> None:
    spool = spool_in(tmp_path, source)
    path = spool.incoming / source / ("n" * 255)
    path.write_bytes(b"usage")
    entry = spool.take_copy(journal, source, path, now=NOW, terms=TERMS)  # its temporary name is longer still
    (tmp_path / "journal.log").unlink()
    assert spool.adopt(Journal(tmp_path / "journal.log"), now=NOW, terms=TERMS) == [
        entry.model_copy(update={"name": "n" * 100})
    ]


@pytest.mark.parametrize("source", ["../../etc", "a/b", "a~b", "a\0b", "x" * 400])
def test_a_source_that_no_catalog_can_have_stays_in_the_archive(tmp_path: Path, journal: Journal, source: str) -> None:
    spool = spool_in(tmp_path)
    path = tmp_path / "usage.csv"
    path.write_bytes(b"usage")
    entry = spool.take_copy(journal, source, path, now=NOW, terms=TERMS)
    assert entry.source == source
    assert archived(spool) == {entry.stored: b"usage"}


def test_the_same_name_again_is_another_claim(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    path = spool.incoming / "calls" / "a.csv"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        spool.claim(journal, "calls", path, now=NOW, terms=TERMS)
    assert archived(spool) == {"0000000001~calls~a.csv": b"first", "0000000002~calls~a.csv": b"second"}


def test_a_link_is_refused_and_left(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    target = tmp_path / "elsewhere.csv"
    target.write_bytes(b"usage")
    link = spool.incoming / "calls" / "a.csv"
    link.symlink_to(target)
    with pytest.raises(UnableToClaim, match="it is a link"):
        spool.claim(journal, "calls", link, now=NOW, terms=TERMS)
    assert link.is_symlink()
    assert (archived(spool), list(journal.entries)) == ({}, [])


def test_a_copy_leaves_the_original(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    original = tmp_path / "mine.csv"
    original.write_bytes(b"usage")
    entry = spool.take_copy(journal, "calls", original, now=NOW, terms=TERMS)
    original.write_bytes(b"changed afterwards")
    assert archived(spool) == {entry.stored: b"usage"}
    assert entry.size == 5


def test_a_link_may_be_copied(tmp_path: Path, journal: Journal) -> None:
    spool = spool_in(tmp_path)
    (tmp_path / "mine.csv").write_bytes(b"usage")
    link = tmp_path / "link.csv"
    link.symlink_to("mine.csv")
    entry = spool.take_copy(journal, "calls", link, now=NOW, terms=TERMS)
    assert not (spool.archive / entry.stored).is_symlink()
    assert archived(spool) == {entry.stored: b"usage"}
