"""Entries of every kind, and a journal and spool on disk to put them in."""

from __future__ import annotations

from pathlib import Path

from pipelines.spool.claims import Spool, Terms
from pipelines.spool.journal import Discard, EdrRetry, FileClaim, ImageClaim, Journal, JournalEntry, RecordRetry

NOW = 1_775_001_600_000_000
TERMS = Terms(block_bytes=4096, window_days=None, bytes_max=1 << 30, expansion_max=100)


def file_claim(claim: int, at: int = 0, name: str = "calls.csv") -> FileClaim:
    """Return the claim of a file, received `claim` microseconds after NOW unless said otherwise."""
    return FileClaim(
        claim=claim,
        received_at=at or NOW + claim,
        source="calls",
        name=name,
        stored=f"{claim:010d}~calls~calls.csv",
        size=12,
        block_bytes=4096,
        window_days=30,
        bytes_max=1 << 30,
        expansion_max=100,
    )


def every_kind(at: int = NOW) -> list[JournalEntry]:
    """Return one entry of each kind, numbered from 1."""
    return [
        ImageClaim(claim=1, received_at=at, content_hash="ab" * 32),
        file_claim(2, at + 1, name='déjà "vu"\n\x00\u2028~.csv'),
        RecordRetry(
            claim=3,
            received_at=at + 1,
            file_claim=2,
            records=(0, 7, 2**32 - 1),
            refused=((2, 0), (2, 7)),
            retry_count=1,
        ),
        EdrRetry(claim=4, received_at=at + 2, source="calls", stored="edrs-x", refused=((2, 5),), retry_count=2),
        Discard(claim=5, received_at=at + 3, refused=((2, 0),), reason="test data, per ticket 5"),
    ]


def journal_of(path: Path, entries: list[JournalEntry]) -> Journal:
    """Return an open journal with these entries."""
    journal = Journal(path)
    for entry in entries:
        journal.append(entry)
    return journal


def entries_in(path: Path) -> list[JournalEntry]:
    """Return what a fresh start would read."""
    journal = Journal(path)
    journal.close()
    return list(journal.entries)


def spool_in(root: Path, *sources: str) -> Spool:
    """Return a prepared spool."""
    spool = Spool(incoming=root / "spool", archive=root / "archive")
    spool.prepare(list(sources) or ["calls"])
    return spool


def archived(spool: Spool) -> dict[str, bytes]:
    """Return name -> bytes of everything in the archive, hidden files too."""
    return {path.name: path.read_bytes() for path in sorted(spool.archive.iterdir())}
