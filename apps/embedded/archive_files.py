"""Archives of several files in the spool, tar or zip: every file in one becomes a claim of its own, all of them exactly once.
A file that is encrypted is such an archive, of what is in it. Archives may be in archives.

The files are extracted aside, the archive is renamed to a hidden name that says which claim its first file was going to be,
the files are claimed together, the archive is removed. After a crash, what is not claimed yet is extracted again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.mediation.container import Archive, open_archive
from pipelines.mediation.sealed import CLEAR_BYTES, FlowKey, SealedFile, is_clear
from pipelines.mediation.unpack import UnableToReadFile
from pipelines.spool.claims import Arrival, Spool, Terms, UnableToClaim, put_back
from pipelines.spool.files import sync_directory, sync_file
from pipelines.spool.journal import FileClaim, Journal

LEFT_OUT_TOLD = 5
NESTED_MAX = 4
"""Archives within each other that are unpacked; what is packed deeper is claimed as it is, and refused."""
_TAKEN = re.compile(r"\.(\d{10})~(.+)\.taken")


@dataclass(frozen=True, slots=True)
class ArchiveFiles:
    """Claims the files in archives.

    Attributes:
        spool: where archives are dropped. journal: the log. say: told, in a sentence, what is left out of one.
        keys: by source whose files are encrypted, the keys that may fit.
    """

    spool: Spool
    journal: Journal
    say: Callable[[str], None]
    keys: Mapping[str, Sequence[FlowKey]] = field(default_factory=dict)

    def is_sealed(self, source: str, path: Path) -> bool:
        """Return whether a file, of a source whose files are encrypted, is still so: no key fits.

        Raises:
            UnableToClaim: when it cannot be read.
        """
        if source not in self.keys or not path.is_file():
            return False
        try:
            with path.open("rb") as file:
                return not is_clear(file.read(CLEAR_BYTES))
        except OSError as error:
            raise UnableToClaim(f"cannot claim {path}: {error.strerror}") from error

    def claim(self, source: str, path: Path, *, now: int, terms: Terms) -> list[FileClaim] | None:
        """Claim the files in a dropped archive, which is gone then; None when it is none, or not a good one.

        Raises:
            UnableToClaim: when there is no room, or the archive cannot be moved; then it is where it was, or beside it when
                its name was taken meanwhile.
        """
        if path.is_symlink():
            return None
        with self.extracted(source, path, path.name, terms) as arrivals:
            if not arrivals:
                return None
            taken = path.with_name(f".{self.journal.next_claim:010d}~{path.name}.taken")
            try:
                sync_file(path)
                path.replace(taken)
                sync_directory(path.parent)
            except OSError as error:
                raise UnableToClaim(f"cannot claim {path}: {error.strerror}") from error
            try:
                claims = self.spool.claim_all(self.journal, arrivals, now=now, terms=terms)
            except UnableToClaim:
                put_back(taken, path)
                raise
            _remove(taken)
            return claims

    def take_copy(self, source: str, path: Path, *, now: int, terms: Terms) -> list[FileClaim] | None:
        """Claim the files in an archive that stays where it is; None when it is none, or not a good one.

        What is no regular file is none: a pipe can be read only once.

        Raises:
            UnableToClaim: when there is no room.
        """
        if not path.is_file():
            return None
        with self.extracted(source, path, path.name, terms) as arrivals:
            return self.spool.claim_all(self.journal, arrivals, now=now, terms=terms) if arrivals else None

    def resume(self, sources: list[str], *, now: int, terms: Terms) -> list[FileClaim]:
        """Claim what a crash left unclaimed of archives that were being taken; call it once the spool has adopted.

        Raises:
            UnableToClaim: when there is no room.
        """
        claims: list[FileClaim] = []
        for source in sources:
            directory = self.spool.incoming / source
            for path in sorted(directory.glob(".*.taken")):
                found = _TAKEN.fullmatch(path.name)
                if found is None:
                    continue
                resumed = self._resume(source, path, int(found[1]), found[2], now=now, terms=terms)
                if resumed is None:  # under the bounds of today it is one file, which is quarantined
                    put_back(path, path.with_name(found[2]))
                    continue
                claims += resumed
                _remove(path)
        return claims

    def _resume(
        self, source: str, path: Path, first: int, name: str, *, now: int, terms: Terms
    ) -> list[FileClaim] | None:
        known = Counter(
            self.spool.stored_name(0, entry.source, entry.name)
            for entry in self.journal.entries[first - 1 :]
            if isinstance(entry, FileClaim)
        )
        missing = []
        with self.extracted(source, path, name, terms) as arrivals:
            if not arrivals:
                return None
            for arrival in arrivals:
                stored = self.spool.stored_name(0, source, arrival.name)
                if known[stored]:
                    known[stored] -= 1
                else:
                    missing.append(arrival)
            return self.spool.claim_all(self.journal, missing, now=now, terms=terms)

    @contextmanager
    def extracted(self, source: str, path: Path, name: str, terms: Terms) -> Iterator[list[Arrival]]:
        """Yield the files in an archive, durable and aside; none when it is no good one. What is left is removed.

        Raises:
            UnableToClaim: when there is no room.
        """
        aside = self.spool.incoming / ".tar"
        try:
            yield self._extract(source, path, name, aside, terms)
        except OSError as error:
            raise UnableToClaim(f"cannot unpack {path}: {error.strerror}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _extract(self, source: str, path: Path, name: str, aside: Path, terms: Terms) -> list[Arrival]:
        shutil.rmtree(aside, ignore_errors=True)
        unpacking = _Unpacking(source, aside, terms, self.say, 2 * terms.bytes_max)
        try:
            return unpacking.unpack(path, name, self.keys.get(source, ())) or []
        except UnableToReadFile:  # it becomes one claim, and is quarantined with the reason
            return []


@dataclass(slots=True)
class _Unpacking:
    """One archive that is unpacked, with those in it. `bytes_left`: how many may still be written, inner archives included."""

    source: str
    aside: Path
    terms: Terms
    say: Callable[[str], None]
    bytes_left: int
    files: int = 0

    def unpack(
        self, path: Path, name: str, keys: Sequence[FlowKey] = (), depth: int = NESTED_MAX
    ) -> list[Arrival] | None:
        """Return the files in an archive and in those in it, each aside; None when it is no archive.

        Raises:
            UnableToReadFile: when it is no good one.
        """
        bounds = {"bytes_max": self.terms.bytes_max, "ratio_max": self.terms.expansion_max}
        arrivals: list[Arrival] = []
        with open_archive(path, size=path.stat().st_size, **bounds, keys=keys) as archive:
            if archive is None:
                return None
            for member in archive.members():
                target = self._write(archive)
                called = name if isinstance(archive, SealedFile) else f"{name}!{member.name}"
                inner = self._unpack_inner(target, called, depth) if depth else None
                if inner is None:
                    arrivals.append(Arrival(self.source, called, target))
                else:
                    target.unlink()
                    arrivals += inner
            if left := archive.left_out:
                told = ", ".join(left[:LEFT_OUT_TOLD]) + (", …" if len(left) > LEFT_OUT_TOLD else "")
                self.say(f"left out of {name} ({self.source}), because a file manager put them there: {told}")
        return arrivals

    def _unpack_inner(self, path: Path, name: str, depth: int) -> list[Arrival] | None:
        """Return the files in a file of an archive; None when it is no good archive: then it is quarantined by itself.

        Raises:
            UnableToReadFile: when all of them together hold more than is accepted.
        """
        try:
            return self.unpack(path, name, depth=depth - 1)
        except UnableToReadFile:
            if self.bytes_left < 0:
                raise
            return None

    def _write(self, archive: Archive) -> Path:
        self.aside.mkdir(parents=True, exist_ok=True)
        target = self.aside / str(self.files)
        self.files += 1
        with target.open("xb") as file:
            for chunk in archive.chunks():
                self.bytes_left -= len(chunk)
                if self.bytes_left < 0:
                    raise UnableToReadFile("ARCHIVE_BOMB", "the archives within the archive hold more than is accepted")
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return target


def _remove(path: Path) -> None:
    """Remove an archive whose files are all journaled; what cannot be removed, the next start removes."""
    with suppress(OSError):  # raised, it would keep the claims from being processed
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
