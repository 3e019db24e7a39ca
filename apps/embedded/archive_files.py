"""Archives of several files in the spool, tar or zip: every file in one becomes a claim of its own, all of them exactly once.

The files are extracted aside, the archive is renamed to a hidden name that says which claim its first file was going to be,
the files are claimed together, the archive is removed. After a crash, what is not claimed yet is extracted again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.mediation.container import open_archive
from pipelines.mediation.unpack import UnableToReadFile
from pipelines.spool.claims import Arrival, Spool, Terms, UnableToClaim, put_back
from pipelines.spool.files import sync_directory, sync_file
from pipelines.spool.journal import FileClaim, Journal

LEFT_OUT_TOLD = 5
_TAKEN = re.compile(r"\.(\d{10})~(.+)\.taken")


@dataclass(frozen=True, slots=True)
class ArchiveFiles:
    """Claims the files in archives.

    Attributes:
        spool: where archives are dropped. journal: the log. say: told, in a sentence, what is left out of one.
    """

    spool: Spool
    journal: Journal
    say: Callable[[str], None]

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
        arrivals: list[Arrival] = []
        size = path.stat().st_size
        try:
            with open_archive(path, size=size, bytes_max=terms.bytes_max, ratio_max=terms.expansion_max) as archive:
                if archive is None:
                    return []
                aside.mkdir(parents=True)
                for place, member in enumerate(archive.members()):
                    target = aside / str(place)
                    with target.open("xb") as file:
                        for chunk in archive.chunks():
                            file.write(chunk)
                        file.flush()
                        os.fsync(file.fileno())
                    arrivals.append(Arrival(source, f"{name}!{member.name}", target))
                if left := archive.left_out:
                    told = ", ".join(left[:LEFT_OUT_TOLD]) + (", …" if len(left) > LEFT_OUT_TOLD else "")
                    self.say(f"left out of {name} ({source}), because a file manager put them there: {told}")
        except UnableToReadFile:  # it becomes one claim, and is quarantined with the reason
            return []
        return arrivals


def _remove(path: Path) -> None:
    """Remove an archive whose files are all journaled; what cannot be removed, the next start removes."""
    with suppress(OSError):  # raised, it would keep the claims from being processed
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
