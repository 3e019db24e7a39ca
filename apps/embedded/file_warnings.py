"""What is odd about files that were taken: worked out from the archive whenever somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipelines.mediation.container import check_container, open_container
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.oddities import has_oddities, record_oddities, shape_oddities
from pipelines.mediation.unpack import UnableToReadFile
from pipelines.spool.journal import FileClaim, read_entries
from schemas.source import EnedisSource, SourceBase

COLUMNS = ("claim", "source", "name", "line", "warning")


def warnings_of(
    journal: Path, archive: Path, sources: Mapping[str, SourceBase], *, file: str | None, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield warnings as rows of `COLUMNS`, in the order of the log; of each file at most `limit`.

    A file that cannot be read has none: why, the file itself says.

    Args:
        journal: the log; it may be written to meanwhile. archive: where files are.
        sources: definitions by code. file: a name or the number of a claim, None for all.
    """
    for entry in read_entries(journal) if journal.exists() else ():
        if not isinstance(entry, FileClaim) or entry.sealed or entry.corrects:
            continue
        if file not in (None, entry.name, str(entry.claim)):
            continue
        source = sources.get(entry.source)
        if source is None or not has_oddities(source):
            continue
        known = {"claim": entry.claim, "source": entry.source, "name": entry.name}
        for line, warning in islice(_odd(archive / entry.stored, entry, source), limit):
            yield known | {"line": line, "warning": warning}


def _odd(path: Path, entry: FileClaim, source: SourceBase) -> Iterator[tuple[int, str]]:
    try:
        kind = check_container(path, size=entry.size, bytes_max=entry.bytes_max, ratio_max=entry.expansion_max).kind
        with open_container(path, kind, size=entry.size) as shaped, open_container(path, kind, size=entry.size) as read:
            shapes = shape_oddities(shaped) if isinstance(source, EnedisSource) else iter(())
            yield from chain(shapes, record_oddities(source, read))
    except (UnableToReadFile, UnableToDecodeFile, OSError):
        return
