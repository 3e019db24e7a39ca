"""Files that survive a crash: written aside, synced, renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

COPY_BYTES = 8 << 20


def sync_directory(directory: Path) -> None:
    """Make renames and creations inside `directory` durable."""
    _sync(directory, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    _sync(path, 0)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes | memoryview, mode: int = 0o666) -> None:
    """Write `content` to `path`, with permissions `mode`, so that after a crash the file is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def durable_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write into; when the block ends well it is at `path`, whole, and otherwise nothing is."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def copy_durably(source: IO[bytes], path: Path) -> int:
    """Copy a readable stream to `path`, whole or not at all; return the number of bytes."""
    temporary = path.with_name(f".{path.name}.tmp")
    size = 0
    try:
        with temporary.open("wb") as handle:
            while chunk := source.read(COPY_BYTES):
                handle.write(chunk)
                size += len(chunk)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return size
