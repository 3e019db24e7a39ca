"""Durable files: whole or not there."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.spool import files
from pipelines.spool.files import COPY_BYTES, copy_durably, write_durably


def failing(number: int) -> Any:
    def raising(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    return raising


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 1000])
def test_a_file_is_written_whole_and_nothing_beside_it(tmp_path: Path, content: bytes) -> None:
    write_durably(tmp_path / "a", content)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": content}


def test_permissions_are_those_asked_for_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(os.fstat(handle).st_mode & 0o777))
    write_durably(tmp_path / "secret", b"x", mode=0o600)
    assert seen[0] == 0o600
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [0, 1, COPY_BYTES, COPY_BYTES + 1])
def test_a_copy_has_every_byte_and_says_how_many(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    assert copy_durably(io.BytesIO(content), tmp_path / "a") == size
    assert (tmp_path / "a").read_bytes() == content


@pytest.mark.parametrize("writer", ["write", "copy"])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, step: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    monkeypatch.setattr(os if step == "fsync" else Path, step, failing(errno.ENOSPC))
    write = {"write": lambda: write_durably(path, b"after"), "copy": lambda: copy_durably(io.BytesIO(b"after"), path)}
    with pytest.raises(OSError, match="No space left"):
        write[writer]()
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"a": b"before"}


def test_a_source_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(2)

    with pytest.raises(OSError, match="Input/output"):
        copy_durably(Broken(b"four"), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_name_and_content_are_both_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        kind = "directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file"
        steps.append(f"{kind} {sorted(path.name for path in tmp_path.iterdir())}")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_durably(tmp_path / "a", b"x")
    assert steps == ["file ['.a.tmp']", "directory ['a']"]
    steps.clear()
    files.sync_file(tmp_path / "a")
    assert steps == ["file ['a']"]
