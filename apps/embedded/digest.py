"""The hash of a claimed file, computed beside its decoding."""

from __future__ import annotations

import threading
from pathlib import Path

from apps.embedded.files import UnableToReadArchive, sha256_of

SMALL_BYTES = 1 << 18
"""Up to this size a file is hashed and decoded in the thread that processes it: starting others would take longer."""


class FileDigest:
    """A file's SHA-256, computed beside its decoding."""

    def __init__(self, path: Path, size: int) -> None:
        """Start at once; only the first `size` bytes count."""
        self._result = ""
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None
        if size <= SMALL_BYTES:
            self._run(path, size)
            return
        self._thread = threading.Thread(target=self._run, args=(path, size), name="digest", daemon=True)
        self._thread.start()

    def _run(self, path: Path, size: int) -> None:
        try:
            self._result = sha256_of(path, size)
        except OSError as error:
            self._error = error

    def result(self) -> str:
        """Wait for the hash."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise UnableToReadArchive(f"cannot read a claimed file: {self._error.strerror}") from self._error
        return self._result
