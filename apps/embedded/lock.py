"""One owner per data directory: the embedded store allows one process, and so does a log with one writer."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class DirectoryIsOwned(Exception):
    """Another process owns the data directory."""


class OwnerLock:
    """An advisory lock, released by the kernel when its process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            DirectoryIsOwned: when another process holds it.
        """
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, 0)
            os.write(self._handle, f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            pid = os.pread(self._handle, 32, 0).decode("ascii", "replace").strip()
            os.close(self._handle)
            owner = f" (pid {pid})" if pid else ""
            raise DirectoryIsOwned(f"another octroi process{owner} owns {path.parent}") from error
        except OSError:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Give the directory up."""
        os.close(self._handle)

    def __enter__(self) -> OwnerLock:
        """Return the held lock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the directory up."""
        self.release()
