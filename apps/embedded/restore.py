"""Restoring a backup: every file is checked while it is copied, the log is replayed, and the facts are compared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.embedded.access import open_owned, take_over
from apps.embedded.backup import LAYOUT, Fingerprint, Manifest, copy_file, fingerprints, read_manifest
from apps.embedded.facts import differences_as_json
from apps.embedded.files import sha256_of
from apps.embedded.layout import DataDirectory, TenantDiffers
from pipelines.spool.files import sync_directory

if TYPE_CHECKING:
    from apps.settings import Settings

_MADE_AGAIN = ("state/", "store/")


class UnableToRestore(Exception):
    """The backup is damaged, or the place is not free."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to.

    Attributes:
        differences: what does not balance, as `octroi balance` finds it.
        facts: by table of facts that differs, its fingerprint when it was backed up, and now.
    """

    manifest: Manifest
    differences: list[dict[str, Any]]
    facts: dict[str, tuple[Fingerprint, Fingerprint]]

    @property
    def is_right(self) -> bool:
        """Whether everything balances and the facts are those that were backed up."""
        return not self.differences and not self.facts


def check(backup: Path, progress: Callable[[int], None] = lambda _: None) -> Manifest:
    """Read every file of a backup and compare it with what the backup says of it.

    Raises:
        UnableToBackUp: when it is no backup. UnableToRestore: naming the files that are gone or damaged.
    """
    manifest = read_manifest(backup)
    _refuse(path for path in manifest.files if not _is_as_saved(backup, manifest, path, progress))
    return manifest


def _is_as_saved(backup: Path, manifest: Manifest, path: str, progress: Callable[[int], None]) -> bool:
    saved, there = manifest.files[path], backup / path
    try:
        if saved.link:
            return os.readlink(there) == saved.link
        progress(saved.size)
        return there.stat().st_size == saved.size and sha256_of(there, saved.size) == saved.sha256
    except OSError:
        return False


def _refuse(paths: Iterator[str]) -> None:
    damaged = list(paths)
    if damaged:
        more = f" and {len(damaged) - 5:,} more" if len(damaged) > 5 else ""
        raise UnableToRestore(f"the backup is damaged: {', '.join(damaged[:5])}{more} is gone or has other content")


def restore(
    backup: Path,
    directory: DataDirectory,
    settings: Settings,
    *,
    again: bool,
    say: Callable[[str], None],
    progress: Callable[[int], None] = lambda _: None,
) -> Restored:
    """Make a data directory from a backup, replay its log, and compare its facts with those that were backed up.

    Args:
        directory: not there yet, or empty.
        again: leave out store and snapshots, so that all facts are made again.
        say: told what an operator must see while the log is replayed.

    Raises:
        UnableToBackUp: when it is no backup. UnableToRestore: when it is damaged, or something is there already; then there is
            nothing more than there was.
        TenantDiffers and what else opening a data directory raises: the files are there, and it may be opened later.
    """
    manifest, root = read_manifest(backup), directory.root
    if manifest.tenant != settings.tenant:
        raise TenantDiffers(
            f"{backup} is of tenant {manifest.tenant!r}, but the setting `tenant` is {settings.tenant!r}"
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UnableToRestore(f"{root} is not empty: a restore never replaces anything")
    root.parent.mkdir(parents=True, exist_ok=True)
    aside = root.with_name(f".{root.name}.restoring")
    if aside.exists():
        shutil.rmtree(aside)
    try:
        _copy(backup, manifest, aside, again=again, progress=progress)
        if root.exists():
            root.rmdir()
        aside.rename(root)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync_directory(root.parent)
    with take_over(directory):
        engine, store = open_owned(directory, settings, say)
        try:
            engine.recover()
            engine.snapshot()
            now = fingerprints(store, manifest.before, manifest.without)
            differences = differences_as_json(store)
        finally:
            engine.close()
    return Restored(manifest, differences, _changed(manifest, now))


def _changed(manifest: Manifest, now: dict[str, Fingerprint]) -> dict[str, tuple[Fingerprint, Fingerprint]]:
    """Return the tables whose facts differ; a store of another layout has other columns: then only rows are counted."""
    return {
        table: (saved, now[table])
        for table, saved in manifest.facts.items()
        if now[table].rows != saved.rows or (manifest.layout == LAYOUT and now[table].hash != saved.hash)
    }


def _copy(backup: Path, manifest: Manifest, target: Path, *, again: bool, progress: Callable[[int], None]) -> None:
    damaged = []
    target.mkdir()
    for path, saved in manifest.files.items():
        if again and path.startswith(_MADE_AGAIN):
            continue
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if saved.link:
            place.symlink_to(saved.link)
            continue
        try:
            if copy_file(backup / path, place, None, progress) != saved:
                damaged.append(path)
        except FileNotFoundError:
            damaged.append(path)
    _refuse(iter(damaged))
    for within, _, _ in os.walk(target):
        sync_directory(Path(within))
