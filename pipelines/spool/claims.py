"""Claiming: a dropped file becomes part of the log by two durable steps, rename into the archive, then a journal entry.

A crash between the two leaves an archived file without an entry; it is adopted at the next start, in order of its number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.spool.files import copy_durably, sync_directory, sync_file
from pipelines.spool.journal import FileClaim, Journal

_STORED = re.compile(r"(\d{10})~([^~]+)~([^~]+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
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
                names = sorted(path.name for path in directory.iterdir()) if directory.exists() else []
            except OSError as error:
                raise UnableToClaim(f"cannot list {directory}: {error.strerror}") from error
            for name in names:
                path = directory / name
                if not name.startswith(".") and not name.endswith(_UNFINISHED) and path.is_file():
                    found.append((source, path))
        return found

    def unknown(self, sources: list[str]) -> list[str]:
        """Return the directories below incoming that belong to no source."""
        if not self.incoming.exists():
            return []
        return sorted(p.name for p in self.incoming.iterdir() if p.is_dir() and p.name not in sources)

    def stored_name(self, claim: int, source: str, name: str) -> str:
        """Return the archive name of a claimed file."""
        return f"{claim:010d}~{source}~{_UNSAFE.sub('_', name)[:120]}"

    def claim(self, journal: Journal, source: str, path: Path, *, now: int, terms: Terms) -> FileClaim:
        """Move a dropped file into the archive and journal it.

        Raises:
            UnableToClaim: when the file cannot be read or moved; it is where it was.
        """
        stored = self.archive / self.stored_name(journal.next_claim, source, path.name)
        try:
            sync_file(path)
            path.replace(stored)
            sync_directory(self.archive)
        except OSError as error:
            raise UnableToClaim(f"cannot claim {path}: {error.strerror}") from error
        try:
            return self._journal(journal, source, path.name, stored, now, terms)
        except OSError as error:
            stored.replace(path)
            raise UnableToClaim(f"cannot journal the claim of {path}: {error.strerror}") from error

    def take_copy(self, journal: Journal, source: str, path: Path, *, now: int, terms: Terms) -> FileClaim:
        """Copy a file that is not ours to move into the archive and journal it.

        Raises:
            UnableToClaim: when the file cannot be read or copied; nothing is left of it.
        """
        stored = self.archive / self.stored_name(journal.next_claim, source, path.name)
        try:
            with path.open("rb") as handle:
                copy_durably(handle, stored)
            return self._journal(journal, source, path.name, stored, now, terms)
        except OSError as error:
            stored.unlink(missing_ok=True)
            raise UnableToClaim(f"cannot take {path}: {error.strerror}") from error

    def adopt(self, journal: Journal, *, now: int, terms: Terms) -> list[FileClaim]:
        """Journal archived files that a crash left without an entry."""
        adopted = []
        for path in sorted(self.archive.iterdir()):
            match = _STORED.fullmatch(path.name)
            if match and int(match[1]) == journal.next_claim and path.is_file():
                adopted.append(self._journal(journal, match[2], match[3], path, now, terms))
        return adopted

    def _journal(self, journal: Journal, source: str, name: str, stored: Path, now: int, terms: Terms) -> FileClaim:
        entry = FileClaim(
            claim=journal.next_claim,
            received_at=journal.stage_time(now),
            source=source,
            name=name,
            stored=stored.name,
            size=stored.stat().st_size,
            block_bytes=terms.block_bytes,
            window_days=terms.window_days,
            bytes_max=terms.bytes_max,
            expansion_max=terms.expansion_max,
        )
        journal.append(entry)
        return entry
