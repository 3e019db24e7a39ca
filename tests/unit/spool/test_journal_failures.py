"""A journal whose disk fails: an entry that was not acknowledged is not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from resource_journal import entries_in, every_kind, file_claim, journal_of

from pipelines.spool.journal import Journal, UnableToWriteJournal

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Failing:
    """The journal's file, failing at one of the two steps of a write; what it wrote until then is in the file."""

    def __init__(self, handle: Any, *, after: int) -> None:
        self._handle = handle
        self._after = after

    def write(self, content: bytes) -> int:
        written: int = self._handle.write(content[: self._after])
        self._handle.flush()
        if self._after < len(content):
            raise FULL
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


def raising(error: OSError) -> Callable[..., None]:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("after", [0, 1, 8, 9, 40, 10_000])
def test_a_failed_append_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    path = tmp_path / "journal.log"
    journal = journal_of(path, every_kind())
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_handle", Failing(journal._handle, after=after))
        if after == 10_000:  # everything is written, but not known to be on disk
            patch.setattr(os, "fsync", raising(FULL))
        with pytest.raises(OSError, match="No space left"):
            journal.append(file_claim(6))
        reopened = journal._handle
    assert path.read_bytes() == before
    assert list(journal.entries) == every_kind()
    journal._handle = reopened
    journal.append(file_claim(6))
    journal.close()
    assert entries_in(path) == [*every_kind(), file_claim(6)]


def test_failing_again_and_again_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.log"
    journal = journal_of(path, every_kind())
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(FULL))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                journal.append(file_claim(6))
            assert path.read_bytes() == before
    journal.append(file_claim(6))
    journal.close()
    assert len(entries_in(path)) == 6


def test_an_entry_that_cannot_be_taken_back_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether it is in the file; whoever went on could number two entries alike."""
    path = tmp_path / "journal.log"
    journal = journal_of(path, every_kind())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(FULL))
        patch.setattr(os, "truncate", raising(OSError(errno.EIO, os.strerror(errno.EIO))))
        with pytest.raises(UnableToWriteJournal, match=r"entry 6 failed \(No space left.*\(Input/output error\)"):
            journal.append(file_claim(6))
    with pytest.raises(ValueError, match="closed file"):
        journal.append(file_claim(6))
    assert entries_in(path) == [*every_kind(), file_claim(6)]  # here it was


def test_a_tail_that_cannot_be_cut_off_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    path.write_bytes(path.read_bytes()[:-3])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(FULL))
        with pytest.raises(OSError, match="No space left"):
            Journal(path)
    assert entries_in(path) == every_kind()[:-1]
