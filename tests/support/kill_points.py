"""Named boundaries of a run, wrapped around the product's own functions in a process of their own. No part of the product.

A boundary is reached as "before NAME" and "after NAME"; some can also be left half done. What happens there is decided by
whoever installs them: the process dies, the disk is full, or the name is noted, so that a killed process tells how far it
came.
"""

from __future__ import annotations

import errno
import functools
import importlib
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Reach = Callable[[str], bool]
"""Told the boundary's name; for "half NAME" says whether the process shall do half of it and die."""

PHASE_BYTES = 80
DIED = 41
"""Exit code of a process that died at its boundary."""


def install(reach: Reach) -> None:
    """Wrap every boundary of the embedded engine."""
    import apps.embedded.activation as activation
    import apps.embedded.back_out as back_out
    import apps.embedded.billing_files as billing_files
    import apps.embedded.billing_issue as billing_issue
    import apps.embedded.correct as correct
    import apps.embedded.engine as engine
    import apps.embedded.rerate as rerate
    import apps.embedded.retry as retry
    import apps.embedded.snapshots as snapshots
    import pipelines.snapshot as snapshot
    import pipelines.spool.claims as claims
    from apps.embedded.unsettled import Unsettled
    from pipelines.spool.charging_log import Segment
    from pipelines.spool.journal import Journal
    from sinks.clickhouse.client import Connection

    def wrap(owner: Any, attribute: str, name: Callable[..., str], half: Callable[..., None] | None = None) -> None:
        original = getattr(owner, attribute)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            text = name(*args, **kwargs)
            reach(f"before {text}")
            if half is not None and reach(f"half {text}"):
                half(*args)
                os._exit(DIED)
            result = original(*args, **kwargs)
            reach(f"after {text}")
            return result

        setattr(owner, attribute, wrapped)

    wrap(Connection, "execute", lambda _, sql: f"statement {' '.join(sql.split()[:2])}")
    for insert in ("insert_native", "insert_arrow"):
        wrap(Connection, insert, lambda _, table, *__: f"insert {table.removeprefix('octroi.')}")
    wrap(Journal, "append", lambda _, entry: f"journal {entry.kind}", _half_entry)
    wrap(Journal, "append_all", lambda _, entries: "journal files" if entries else "journal nothing", _half_entries)
    wrap(Segment, "append", lambda *_: "frame", _half_frame)
    wrap(Segment, "synced", lambda *_: "synced frame")
    wrap(claims, "copy_durably", lambda *_: "copy", lambda source, path: _half_file(path, source.read()))
    wrap(activation, "archive_catalog", lambda *_: "keep catalog")
    wrap(engine.Engine, "recover", lambda _: "recover")
    wrap(engine.Engine, "process", lambda _, entry: f"process {entry.kind}")
    wrap(engine, "process", lambda *_, **__: "block")
    for write in ("write_snapshot", "publish_snapshot"):
        wrap(snapshots, write, lambda *_: "snapshot")
    wrap(snapshots.StateCopy, "run", lambda *_: "copy")
    wrap(snapshots.StateCopy, "finish", lambda *_: "place")
    wrap(Unsettled, "settle", lambda *_: "settle")
    wrap(snapshot, "_write_array", lambda *_: "array", _half_array)
    wrap(snapshot, "sync_directory", lambda path: "unnamed snapshot" if path.name.startswith(".") else "named snapshot")
    wrap(correct, "write_durably", lambda *_: "keep corrections", _half_file)
    wrap(retry, "write_durably", lambda *_: "keep EDRs", _half_file)
    wrap(back_out, "write_commands", lambda *_: "keep commands", lambda path, *_: _half_file(path, b"ARROW1" * 9))
    wrap(rerate, "write_commands", lambda *_: "keep reratings", lambda path, *_: _half_file(path, b"ARROW1" * 9))
    wrap(billing_files, "write_durably", lambda path, _: f"keep {path.suffix} of run", _half_file)
    wrap(billing_files, "keep_table", lambda *_: "keep drafts", lambda path, _: _half_file(path, b"ARROW1" * 9))
    wrap(billing_issue, "keep_table", lambda *_: "keep invoices", lambda path, _: _half_file(path, b"ARROW1" * 9))
    wrap(shutil, "rmtree", lambda path, *_, **__: f"remove from {Path(path).parent.name}", _half_directory)


def _half_entry(journal: Any, entry: Any) -> None:
    from pipelines.spool.journal import _line

    line = _line(entry)
    journal._handle.write(line[: len(line) // 2])
    journal._handle.flush()


def _half_frame(segment: Any, frame: Any) -> None:
    from pipelines.spool.charging_log import pack_frame

    packed = pack_frame(frame)
    os.pwrite(segment._handle, packed[: len(packed) // 2], segment.size)


def _half_entries(journal: Any, entries: Any) -> None:
    _half_entry(journal, entries[0])


def _half_file(path: Path, content: bytes) -> None:
    path.with_name(f".{path.name}.tmp").write_bytes(content[: len(content) // 2])


def _half_array(directory: Path, key: str, array: Any, *_: Any) -> None:
    (directory / f"{key}.bin").write_bytes(array.tobytes()[: array.nbytes // 2])


def _half_directory(path: Path) -> None:
    for file in sorted(path.iterdir())[::2]:
        file.unlink()


def die_at(point: str, nth: int) -> Reach:
    """Return a reach at whose `nth` time at `point` the process ends, with nothing flushed, closed or unlocked."""
    arrived = _counter(point, nth)

    def reach(name: str) -> bool:
        if arrived(name) and not name.startswith("half "):
            os._exit(DIED)
        return arrived.now

    return reach


def fill_at(point: str, nth: int) -> Reach:
    """Return a reach after whose `nth` time at `point` no file of this process can grow: a disk that is full.

    A system call says EFBIG where a full disk says ENOSPC (Python ignores the signal); it fails all the same, in the
    middle of a file.
    """
    arrived = _counter(point, nth)

    def reach(name: str) -> bool:
        if arrived(name):
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        return False

    return reach


class _counter:
    """Whether a name is the n-th `point`."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left, self.now = point, nth, False

    def __call__(self, name: str) -> bool:
        self._left -= name == self._point
        self.now = name == self._point and self._left == 0
        return self.now


def note_in(path: Path) -> Reach:
    """Return a reach that keeps the latest name in a file, which outlives the process."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)

    def reach(name: str) -> bool:
        if not name.startswith("half "):
            os.pwrite(handle, name.encode().ljust(PHASE_BYTES)[:PHASE_BYTES], 0)
        return False

    return reach


def refuse_sync(module: str, nth: int) -> None:
    """Let every fsync that a module asks for fail with ENOSPC, from the `nth` on: delayed allocation finds no room."""
    target = importlib.import_module(module)
    left = nth

    def fsync(handle: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)

    proxy = ModuleType("os")
    proxy.__dict__.update(os.__dict__, fsync=fsync)
    target.os = proxy  # type: ignore[attr-defined]
