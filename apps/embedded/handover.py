"""Handing files to the owner: copied into the spool, where it finds them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from apps.embedded.layout import DataDirectory
from pipelines.spool.files import copy_durably, sync_directory


class UnableToHandOver(Exception):
    """There is no such source in the spool of the running owner."""


def hand_over(directory: DataDirectory, source: str, files: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Copy files into the spool of `source`; return the names they have there, and what failed, in words.

    Raises:
        UnableToHandOver: when the owner's catalog has no such source; nothing was copied.
    """
    incoming = directory.spool.incoming
    sources = sorted(path.name for path in incoming.iterdir() if path.is_dir())
    if source not in sources:
        raise UnableToHandOver(
            f"the running catalog defines no source {source!r}; it has {', '.join(sources) or 'none'}"
        )
    handed, failures = [], []
    for path in files:
        try:
            handed.append(_drop(path, incoming / source).name)
        except OSError as error:
            failures.append(f"cannot hand over {path}: {error.strerror}")
    return handed, failures


def _drop(path: Path, target: Path) -> Path:
    """Copy a file to a free name: whatever else is dropped at the same time, under whatever name, stays."""
    aside = target / f".{secrets.token_hex(8)}.tmp"
    try:
        with path.open("rb") as handle:
            copy_durably(handle, aside)
        number = 1
        while True:
            free = target / (path.name if number == 1 else f"{number}-{path.name}")
            try:
                os.link(aside, free)
            except FileExistsError:
                number += 1
                continue
            sync_directory(target)
            return free
    finally:
        aside.unlink(missing_ok=True)
