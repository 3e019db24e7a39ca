"""Backing a data directory up: the logs as of one moment, and what they need; all of it where nobody works in it.

Logs only grow, and what they name never changes once it is there, so the owner says how long the logs are between two of its
steps, and goes on while they are copied. Store and snapshots change all the time: they are copied only where no owner runs,
and else made again from the logs. `FINGERPRINTS` says of both what they hold, so that a restore is known to be right.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from apps.embedded.billing_files import decided_runs
from apps.embedded.layout import DataDirectory
from billing.access.store.database import copy_file as copy_database_file
from pipelines.spool.files import sync_directory, sync_file, write_durably
from pipelines.spool.journal import (
    Bill,
    Cancel,
    EdrRetry,
    FileClaim,
    Invoices,
    JournalEntry,
    Renewal,
    Rerate,
    read_entries,
)
from sinks.clickhouse.fingerprint import FINGERPRINTS
from sinks.clickhouse.migrations import MIGRATIONS

if TYPE_CHECKING:
    from apps.embedded.access import Access
    from apps.embedded.engine import Engine

MANIFEST = "backup.json"
"""Written last: a directory without it is no backup."""
LAYOUT = MIGRATIONS[-1].version
NEVER = frozenset({"owner.lock", "owner.sock", MANIFEST})
"""Not part of what is backed up: they belong to the process that has the directory open, or to a backup."""
_NAMED = ("secret", "tenant")
_APART = ("control.db", "tenants/", "publish.lock", ".candidate-", ".scan-")
"""Changed by others than the owner: the tenant's business is copied by its database, other tenants by backups of their own;
results on their way to someone belong to nobody else."""
_TREES = ("catalog", "images")
_UNCHANGING = ("archive/", "images/")
_CHUNK = 8 << 20


class UnableToBackUp(Exception):
    """The backup cannot be made there, or not from there."""


class SavedFile(BaseModel):
    """A file of a backup: its bytes and their SHA-256; of a link, where it points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = 0
    sha256: str = ""
    link: str = ""


class Fingerprint(BaseModel):
    """How many rows of a table of facts there are, and a hash over them (`sinks.clickhouse.fingerprint`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    hash: int


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        version: octroi's version. made_at: microseconds UTC. tenant: whose usage it is.
        whole: whether store and snapshots are in it. layout: number of the store's, by which rows are hashed.
        before, without: of which entries the fingerprints are: those before one, but for the open segment of the charging log.
        facts: by table. files: by path, in the order in which they were copied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["octroi backup"] = "octroi backup"
    format: Literal[1] = 1
    version: str
    made_at: int
    tenant: str
    whole: bool
    layout: int
    before: int
    without: int
    facts: dict[str, Fingerprint]
    files: dict[str, SavedFile]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


def cut(engine: Engine) -> dict[str, Any]:
    """Return how long the logs are between two entries, once the store holds all that came of them."""
    engine.flush(serving=True)
    directory = engine.directory
    segments = sorted(directory.charging.iterdir()) if directory.charging.is_dir() else []
    return {
        "before": engine.state.claim,
        "without": engine.state.charging.segment,
        "journal": directory.journal.stat().st_size,
        "charging": {path.name: path.stat().st_size for path in segments},
        "billing": decided_runs(directory.billing),
    }


def back_up(
    directory: DataDirectory,
    access: Access,
    target: Path,
    *,
    version: str,
    now: int,
    base: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Copy a data directory to `target`, which holds nothing yet, and return what is in it.

    Args:
        access: to the directory, with its lock where no owner runs.
        base: an earlier backup on the same file system: what cannot have changed since is linked rather than copied.
        progress: told the bytes that were copied.

    Raises:
        UnableToBackUp: when `target` is not empty or lies in the data directory, or a file that the logs need is gone.
        OSError: when it cannot be written.
    """
    _check_target(directory, target)
    earlier = {} if base is None else read_manifest(base).files
    found: dict[str, Any] = access.command({"op": "cut"})
    facts = fingerprints(access, found["before"], found["without"])
    whole = access.release()
    target.mkdir(parents=True, exist_ok=True)
    copier = _Copier(directory.root, target, base, earlier, progress, {})
    for path, size in _whole(directory.root) if whole else _logs(directory, found):
        if not path.startswith(_APART):
            copier.copy(path, size)
    copier.copy_business(directory)
    copier.sync()
    manifest = Manifest(
        version=version,
        made_at=now,
        tenant=(directory.root / "tenant").read_text().strip(),
        whole=whole,
        layout=LAYOUT,
        before=found["before"],
        without=found["without"],
        facts=facts,
        files=copier.files,
    )
    write_durably(target / MANIFEST, manifest.model_dump_json(indent=1).encode())
    return manifest


def read_manifest(backup: Path) -> Manifest:
    """Return what a backup says that it holds.

    Raises:
        UnableToBackUp: when it is none, or of another release's form.
    """
    try:
        return Manifest.model_validate_json((backup / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise UnableToBackUp(
            f"{backup} is no backup: it has no {MANIFEST}, which is written when all is copied"
        ) from None
    except ValueError as error:
        raise UnableToBackUp(f"{backup / MANIFEST} is damaged, or was written by a newer release") from error


class Queries(Protocol):
    """What answers a reading statement."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return its result."""


def fingerprints(store: Queries, before: int, without: int) -> dict[str, Fingerprint]:
    """Return what a store holds of the entries before `before`, but for `without`, by table of facts."""
    rows = store.query(FINGERPRINTS, {"before": before, "without": without}).to_pylist()
    return {row["facts"]: Fingerprint(rows=row["rows"], hash=row["hash"]) for row in rows}


def _check_target(directory: DataDirectory, target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UnableToBackUp(f"{target} is not empty: a backup never replaces another")
    if target.resolve().is_relative_to(directory.root.resolve()):
        raise UnableToBackUp(f"{target} lies in the data directory itself")


def _whole(root: Path) -> Iterator[tuple[str, None]]:
    """Yield every file of a directory that nobody works in."""
    for place, names, files in os.walk(root):
        linked = [name for name in names if (Path(place) / name).is_symlink()]
        for name in sorted(files + linked):
            path = (Path(place) / name).relative_to(root).as_posix()
            if path not in NEVER:
                yield path, None


def _logs(directory: DataDirectory, found: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
    """Yield the logs, each with its size at the cut, and the files that they need."""
    yield from ((name, None) for name in _NAMED)
    yield "journal.log", found["journal"]
    yield from ((f"charging/{name}", size) for name, size in found["charging"].items())
    for tree in _TREES:
        for path, size in _whole(directory.root / tree):
            yield f"{tree}/{path}", size
    yield from ((f"billing/{name}", None) for name in found.get("billing", ()))
    content = directory.journal.read_bytes()[: found["journal"]]
    entries = read_entries(directory.journal)[: content.count(b"\n")]
    for name in dict.fromkeys(name for entry in entries for name in archived(entry)):
        yield f"archive/{name}", None


def archived(entry: JournalEntry) -> Iterator[str]:
    """Yield the names of the files in the archive that an entry needs."""
    match entry:
        case FileClaim() | EdrRetry() | Bill() | Renewal():
            yield entry.stored
        case Cancel():
            yield entry.stored
            if entry.reopening:
                yield entry.reopening
        case Rerate():
            yield entry.stored
            yield entry.edrs
        case Invoices():
            yield from (entry.stored, entry.lines, entry.taxes, *(stored for stored, _ in entry.marks))


@dataclass(slots=True)
class _Copier:
    """Copies files of `root` to `target`, and keeps what it copied."""

    root: Path
    target: Path
    base: Path | None
    earlier: dict[str, SavedFile]
    progress: Callable[[int], None]
    files: dict[str, SavedFile]

    def copy(self, path: str, size: int | None) -> None:
        """Copy one file, or its first `size` bytes."""
        source, target = self.root / path, self.target / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
            self.files[path] = SavedFile(link=os.readlink(source))
            return
        known = self.earlier.get(path)
        try:
            if known and path.startswith(_UNCHANGING) and known.size == source.stat().st_size and self._link(path):
                self.files[path] = known
            else:
                self.files[path] = copy_file(source, target, size, self.progress)
        except FileNotFoundError as error:
            raise UnableToBackUp(f"{source} is gone, and the log needs it") from error

    def copy_business(self, directory: DataDirectory) -> None:
        """Copy the tenant's business as of one moment, where it is in SQLite."""
        if not directory.business.exists():
            return
        target = self.target / directory.business.name
        copy_database_file(directory.business, target)
        sync_file(target)
        with target.open("rb") as copied:
            sha256 = hashlib.file_digest(copied, "sha256").hexdigest()
        self.files[directory.business.name] = SavedFile(size=target.stat().st_size, sha256=sha256)
        self.progress(target.stat().st_size)

    def _link(self, path: str) -> bool:
        """Return whether a file could be linked to that of the earlier backup."""
        assert self.base is not None
        try:
            os.link(self.base / path, self.target / path)
        except OSError:  # gone there, or on another file system
            return False
        return True

    def sync(self) -> None:
        """Make the names of all files durable."""
        for place, _, _ in os.walk(self.target):
            sync_directory(Path(place))
        sync_directory(self.target.parent)


def copy_file(source: Path, target: Path, size: int | None, progress: Callable[[int], None]) -> SavedFile:
    """Copy a file, or its first `size` bytes, durably and with its permissions; return what was copied.

    Raises:
        UnableToBackUp: when it is shorter than that.
    """
    digest = hashlib.sha256()
    copied = 0
    with source.open("rb") as reading, target.open("xb") as writing:
        shutil.copymode(source, target)
        while chunk := reading.read(_CHUNK if size is None else min(_CHUNK, size - copied)):
            writing.write(chunk)
            digest.update(chunk)
            copied += len(chunk)
            progress(len(chunk))
    if size is not None and copied < size:
        raise UnableToBackUp(f"{source} has {copied} bytes, and had {size}")
    sync_file(target)
    return SavedFile(size=copied, sha256=digest.hexdigest())
