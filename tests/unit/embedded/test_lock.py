"""One owner per data directory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.embedded.lock import DirectoryIsOwned, OwnerLock

HOLD = """
import sys
from pathlib import Path
from apps.embedded.lock import OwnerLock
lock = OwnerLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock."""
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    with another_owner(path) as owner:
        with pytest.raises(DirectoryIsOwned, match=rf"another octroi process \(pid {owner.pid}\) owns {tmp_path}"):
            OwnerLock(path)
        owner.kill()  # however it ends
        owner.wait()
        OwnerLock(path).release()


def test_the_same_process_cannot_own_twice(tmp_path: Path) -> None:
    with OwnerLock(tmp_path / "lock"), pytest.raises(DirectoryIsOwned, match=f"pid {os.getpid()}"):
        OwnerLock(tmp_path / "lock")


@pytest.mark.parametrize("stale", ["", "1\n", "999999999\n", "\xff rubbish" * 100])
def test_a_lock_file_that_nobody_holds_is_no_obstacle(tmp_path: Path, stale: str) -> None:
    path = tmp_path / "owner.lock"
    path.write_text(stale)
    with OwnerLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_an_owner_that_has_not_said_its_pid_yet_still_owns(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    with OwnerLock(path):
        os.truncate(path, 0)
        with pytest.raises(DirectoryIsOwned, match=r"another octroi process owns"):
            OwnerLock(path)


def test_releasing_gives_the_directory_up(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    OwnerLock(path).release()
    with OwnerLock(path):
        pass
    OwnerLock(path).release()


def test_nobody_else_may_read_or_write_the_lock(tmp_path: Path) -> None:
    with OwnerLock(tmp_path / "owner.lock"):
        assert (tmp_path / "owner.lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_fails_otherwise_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "owner.lock"

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            OwnerLock(path)
    OwnerLock(path).release()


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OwnerLock(tmp_path / "missing" / "owner.lock")
