"""Which files of which sources did not come: their names, as the journal has them, by the patterns of the catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.spool.completeness import ArrivedFile, find_gaps
from pipelines.spool.journal import FileClaim, JournalEntry, read_entries
from schemas.source import SourceBase

COLUMNS = (
    "source", "stream", "problem", "number_from", "number_to", "part_from", "part_to", "parts", "missing", "claims", "name",
)  # fmt: skip


def gaps_of(journal: Path, sources: Mapping[str, SourceBase], unusable: Collection[int]) -> Iterator[dict[str, Any]]:
    """Yield findings as rows of `COLUMNS`, by source: those whose definition says what names mean.

    Args:
        journal: the log; it may be written to meanwhile.
        sources: definitions by code.
        unusable: claims of files that are quarantined or backed out.
    """
    return gaps_among(read_entries(journal) if journal.exists() else (), sources, unusable)


def gaps_among(
    entries: Iterable[JournalEntry], sources: Mapping[str, SourceBase], unusable: Collection[int]
) -> Iterator[dict[str, Any]]:
    """Yield what `gaps_of` does, of entries of the log that are at hand."""
    arrived: dict[str, list[ArrivedFile]] = {}
    for entry in entries:
        if isinstance(entry, FileClaim) and not entry.corrects and entry.source in sources:
            usable = entry.claim not in unusable and not entry.sealed
            arrived.setdefault(entry.source, []).append(ArrivedFile(entry.claim, entry.name, usable))
    for code, source in sorted(sources.items()):
        if source.file_names is None:
            continue
        for finding in find_gaps(source.file_names.compiled, source.file_names.per, arrived.get(code, [])):
            yield {"source": code, **asdict(finding), "claims": list(finding.claims)}
