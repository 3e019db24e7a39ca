"""Where a worker keeps copies of states: a directory of its own, and nothing left of workers that are gone."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

from apps.embedded.lock import DirectoryIsOwned, OwnerLock


def own_directory(scratch: Path) -> Path:
    """Return an empty directory that is this process's until it ends; those of processes that have ended are removed."""
    workers = scratch / "workers"
    workers.mkdir(parents=True, exist_ok=True)
    for lock in sorted(workers.glob("*.lock")):
        try:
            with OwnerLock(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
        except DirectoryIsOwned:
            continue
    for number in count():  # numbers come again: a process id may be that of another container's worker
        lock = workers / f"{number}.lock"
        try:
            OwnerLock(lock)  # the kernel releases it when the process ends, however that is
        except DirectoryIsOwned:
            continue
        lock.with_suffix("").mkdir()
        return lock.with_suffix("")
    raise AssertionError
