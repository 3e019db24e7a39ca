"""Claiming: a dropped file becomes part of the log by two durable steps, rename into the archive, then a journal entry.

A crash between the two leaves an archived file without an entry; it is adopted at the next start, whatever number it was
going to have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.spool.files import copy_durably, sync_directory, sync_file
from pipelines.spool.journal import FileClaim, Journal

_STORED = re.compile(r"(\d{10})~([^~]+)~([^~]+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_UNSAFE_IN_SOURCE = re.compile(r"[^A-Za-z0-9._:@+-]")
_NAME_MAX, _SOURCE_MAX = 100, 128
"""Characters of an archive name: with its number and a temporary suffix it stays below the usual 255 bytes."""
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart")


class UnableToClaim(Exception):
    """A file cannot be claimed; it stays where it is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claim fixes for good.

    Attributes:
        block_bytes: bytes per block. window_days: deduplication window, None for unlimited.
        bytes_max, expansion_max: largest decoded size, in bytes and as a multiple of the stored size.
    """

    block_bytes: int
    window_days: int | None
    bytes_max: int
    expansion_max: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole file whose content is durable already and that is nobody's but ours: `path` is where, `name` its name."""

    source: str
    name: str
    path: Path


def _never(_source: str, _path: Path) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Spool:
    """The directories of the spool.

    Attributes:
        incoming: one directory per source; files appear there by rename, or under a name that is not finished yet
            (leading dot, or .tmp, .part, .partial, .filepart) until they are whole.
        archive: claimed files, `CLAIM~SOURCE~NAME`, kept because rejections are retried from them.
    """

    incoming: Path
    archive: Path

    def prepare(self, sources: list[str]) -> None:
        """Create the directories."""
        self.archive.mkdir(parents=True, exist_ok=True)
        for source in sources:
            (self.incoming / source).mkdir(parents=True, exist_ok=True)

    def waiting(self, sources: list[str]) -> list[tuple[str, Path]]:
        """Return (source, path) of the files ready to be claimed, by source then name.

        Raises:
            UnableToClaim: when a directory cannot be listed.
        """
        found = []
        for source in sorted(sources):
            directory = self.incoming / source
            try:
                paths = sorted(directory.iterdir()) if directory.exists() else []
                found += [(source, path) for path in paths if _is_finished(path.name) and path.is_file()]
            except OSError as error:
                raise UnableToClaim(f"cannot list {directory}: {error.strerror}") from error
        return found

    def unknown(self, sources: list[str]) -> list[str]:
        """Return what lies in incoming and is no source's directory, files included.

        Raises:
            UnableToClaim: when incoming cannot be listed.
        """
        try:
            names = [path.name for path in self.incoming.iterdir()] if self.incoming.exists() else []
        except OSError as error:
            raise UnableToClaim(f"cannot list {self.incoming}: {error.strerror}") from error
        return sorted(_readable(name) for name in names if name not in sources and _is_finished(name))

    def stored_name(self, claim: int, source: str, name: str) -> str:
        """Return the archive name of a claimed file."""
        source = _UNSAFE_IN_SOURCE.sub("_", source)[:_SOURCE_MAX]
        return f"{claim:010d}~{source}~{_UNSAFE.sub('_', name)[:_NAME_MAX]}"

    def claim(
        self, journal: Journal, source: str, path: Path, *, now: int, terms: Terms, sealed: bool = False
    ) -> FileClaim:
        """Move a dropped file into the archive and journal it; `sealed` as the entry says it.

        Raises:
            UnableToClaim: when the file cannot be read, moved or journaled, or is a link; it is where it was, or beside
                it when its name was taken meanwhile.
        """
        if path.is_symlink():
            raise UnableToClaim(f"cannot claim {path}: it is a link, and what it points to could change; drop the file")
        stored = self._place(journal, source, path)
        try:
            sync_file(path)
            path.replace(stored)
        except OSError as error:
            raise UnableToClaim(f"cannot claim {path}: {error.strerror}") from error
        try:
            sync_directory(self.archive)
            return self._journal(journal, source, path.name, stored, now, terms, sealed)
        except OSError as error:
            back = put_back(stored, path)
            raise UnableToClaim(f"cannot journal the claim of {path}: {error.strerror}; it is {back}") from error

    def claim_all(self, journal: Journal, arrivals: Sequence[Arrival], *, now: int, terms: Terms) -> list[FileClaim]:
        """Move files into the archive and journal them: two syncs, however many they are.

        Raises:
            UnableToClaim: when they cannot be moved or journaled; none is claimed then, and each is where it was.
        """
        moved: list[tuple[Path, Path]] = []
        try:
            for place, arrival in enumerate(arrivals):
                stored = self.archive / self.stored_name(journal.next_claim + place, arrival.source, arrival.name)
                if stored.exists():
                    raise UnableToClaim(f"{stored} waits to be journaled; start again to adopt it")
                arrival.path.replace(stored)
                moved.append((stored, arrival.path))
            sync_directory(self.archive)
            received_at = journal.stage_time(now)
            entries = [
                _entry(journal.next_claim + place, received_at, arrival.source, arrival.name, stored, terms)
                for place, (arrival, (stored, _)) in enumerate(zip(arrivals, moved, strict=True))
            ]
            journal.append_all(entries)
        except (OSError, UnableToClaim) as error:
            for stored, path in moved:
                with suppress(OSError):  # what cannot be moved back either is adopted at the next start
                    stored.replace(path)
            if isinstance(error, UnableToClaim):
                raise
            raise UnableToClaim(f"cannot claim what arrived: {error.strerror}") from error
        return entries

    def take_copy(
        self, journal: Journal, source: str, path: Path, *, now: int, terms: Terms, sealed: bool = False
    ) -> FileClaim:
        """Copy a file that is not ours to move into the archive and journal it; `sealed` as the entry says it.

        Raises:
            UnableToClaim: when the file cannot be read or copied; nothing is left of it.
        """
        stored = self._place(journal, source, path)
        try:
            with path.open("rb") as handle:
                copy_durably(handle, stored)
            return self._journal(journal, source, path.name, stored, now, terms, sealed)
        except OSError as error:
            stored.unlink(missing_ok=True)
            raise UnableToClaim(f"cannot take {path}: {error.strerror}") from error

    def adopt(
        self, journal: Journal, *, now: int, terms: Terms, sealed: Callable[[str, Path], bool] = _never
    ) -> list[FileClaim]:
        """Journal archived files that a crash left without an entry, in order of the number they were going to have.

        `sealed` tells, of a source and a file, what `FileClaim.sealed` says.

        Copies that a crash left unfinished are removed: what they were copied from is where it was.

        Raises:
            UnableToClaim: when the archive cannot be listed or an entry cannot be written; the rest stays for next time.
        """
        known = {entry.stored for entry in journal.entries if isinstance(entry, FileClaim)}
        adopted = []
        try:
            for path in sorted(self.archive.iterdir()):
                if path.name.startswith(".") and path.name.endswith(".tmp"):
                    path.unlink()
                    continue
                match = _STORED.fullmatch(path.name)
                if match and path.name not in known and path.is_file():
                    entry = self._journal(journal, match[2], match[3], path, now, terms, sealed(match[2], path))
                    adopted.append(entry)
        except OSError as error:
            raise UnableToClaim(f"cannot adopt what is left in {self.archive}: {error.strerror}") from error
        return adopted

    def _place(self, journal: Journal, source: str, path: Path) -> Path:
        """Return where the next claim's file goes; what a crash left there is adopted, never overwritten."""
        stored = self.archive / self.stored_name(journal.next_claim, source, path.name)
        if stored.exists():
            raise UnableToClaim(f"cannot claim {path}: {stored} waits to be journaled; start again to adopt it")
        return stored

    def _journal(
        self,
        journal: Journal,
        source: str,
        name: str,
        stored: Path,
        now: int,
        terms: Terms,
        sealed: bool = False,  # noqa: FBT001, FBT002
    ) -> FileClaim:
        entry = _entry(journal.next_claim, journal.stage_time(now), source, name, stored, terms, sealed=sealed)
        journal.append(entry)
        return entry


def _entry(
    claim: int, received_at: int, source: str, name: str, stored: Path, terms: Terms, *, sealed: bool = False
) -> FileClaim:
    return FileClaim(
        claim=claim,
        received_at=received_at,
        source=source,
        name=_readable(name),
        stored=stored.name,
        size=stored.stat().st_size,
        block_bytes=terms.block_bytes,
        window_days=terms.window_days,
        bytes_max=terms.bytes_max,
        expansion_max=terms.expansion_max,
        sealed=sealed,
    )


def _is_finished(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_UNFINISHED)


def _readable(name: str) -> str:
    """Return a file name as text: bytes outside UTF-8, which no JSON can hold, become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def put_back(stored: Path, path: Path) -> Path:
    """Undo the move of a file; its sender may have dropped the next one under the same name meanwhile."""
    free, attempt = path, 0
    while free.exists():
        attempt += 1
        free = path.with_name(f"{path.name}.{attempt}")
    stored.replace(free)
    return free
