"""Abandoning a file that stops the log wherever it is read, so that what came after it is processed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from apps.embedded.facts import open_store
from apps.embedded.files import QuarantinedFile
from apps.embedded.layout import DataDirectory
from pipelines.spool.charging_log import read_frames
from pipelines.spool.journal import Abandon, Charging, FileClaim, Journal, JournalEntry
from sinks.clickhouse.client import UnableToStore


class UnableToAbandon(ValueError):
    """There is no such file, or it was read to its end."""


def abandoned(entries: Iterable[JournalEntry]) -> dict[int, Abandon]:
    """Return by claim what says that a file is not to be read on."""
    return {entry.file_claim: entry for entry in entries if isinstance(entry, Abandon)}


@contextmanager
def naming(file: FileClaim, flush: Callable[[], None]) -> Iterator[None]:
    """Let whatever stops the log while a file is read say which file that is, and what there is to be done.

    What was read before is stored then, by `flush`, so that abandoning the file keeps it.
    """
    try:
        yield
    except (OSError, UnableToStore):  # nothing that the file is to blame for
        raise
    except Exception as error:
        error.add_note(
            f"This came while {_told(file)} was read. If it can never be read, `octroi files abandon {file.claim} "
            "--reason TEXT` leaves out the rest of it, and the next run goes on behind it"
        )
        with suppress(Exception):  # it is made again by the next run
            flush()
        raise


def refusal_of(entry: Abandon) -> QuarantinedFile:
    """Return the refusal of an abandoned file."""
    from_where = f"from block {entry.block} on, what lies before it counts" if entry.block else "whole"
    return QuarantinedFile("ABANDONED", f"{entry.reason} (by entry {entry.claim}, {from_where})")


def abandon(directory: DataDirectory, file: str, reason: str, now: int) -> dict[str, Any]:
    """Write down that a file is not to be read on, and return what was written; nothing else is done.

    The file is read up to the last block of which the store holds anything, and up to the last one before which something was
    charged online: for that much could be read. The caller holds the lock of the directory: the log is stopped.

    Args:
        file: its name, or the number of its claim. now: microseconds UTC.

    Raises:
        UnableToAbandon: when there is nothing to abandon.
        UnableToReadChargingLog: when the segment in hand is gone or damaged.
    """
    journal = Journal(directory.journal)
    try:
        entry = _named(journal.entries, file)
        if entry.claim in abandoned(journal.entries):
            raise UnableToAbandon(f"{_told(entry)} is abandoned already: run octroi again")
        block, records = _read_before(directory, entry)
        charged = _charged_before(directory, journal.entries, entry)
        if entry.refused and charged > block:
            raise UnableToAbandon(_in_part(entry))
        decision = Abandon(
            claim=journal.next_claim,
            received_at=journal.stage_time(now),
            file_claim=entry.claim,
            block=max(block, charged),
            reason=reason,
            reopened=entry.refused[records:],
        )
        journal.append(decision)
    finally:
        journal.close()
    return {
        "entry": decision.claim,
        "claim": entry.claim,
        "source": entry.source,
        "name": entry.name,
        "block": decision.block,
        "reopened": len(decision.reopened),
    }


def _named(entries: Iterable[JournalEntry], file: str) -> FileClaim:
    found = [entry for entry in entries if isinstance(entry, FileClaim) and file in (entry.name, str(entry.claim))]
    if not found:
        raise UnableToAbandon(f"no file {file} was taken")
    if len(found) > 1:
        claims = ", ".join(str(entry.claim) for entry in found)
        raise UnableToAbandon(f"{file} was taken {len(found)} times: name one of the claims {claims}")
    return found[0]


def _told(entry: FileClaim) -> str:
    return f"{entry.name} (claim {entry.claim}, source {entry.source})"


def _in_part(entry: FileClaim) -> str:
    return f"{_told(entry)} is stored in part: run octroi once more, then abandon it"


def _charged_before(directory: DataDirectory, entries: Sequence[JournalEntry], entry: FileClaim) -> int:
    """Return before which block of a file something was charged online for the last time, 0 for none."""
    segments = [one.claim for one in entries[: entry.claim] if isinstance(one, Charging)]
    frames = read_frames(directory.charging, segments[-1]) if segments else []
    return max((frame.block for frame in frames if frame.claim == entry.claim), default=0)


def _read_before(directory: DataDirectory, entry: FileClaim) -> tuple[int, int]:
    """Return how many blocks of a file the store knows, and how many records entered with them."""
    store = open_store(directory)
    try:
        finished = store.query("SELECT max(claim) AS latest FROM fact_claim").to_pylist()[0]["latest"]
        known = store.completeness(entry.claim, 0)
        entered = store.query(
            "SELECT sum(received) AS records FROM fact_block WHERE claim = {claim:UInt32}", {"claim": entry.claim}
        )
    finally:
        store.close()
    places = {place for table in known.present.values() for place in table}
    if finished >= entry.claim or any(claim > entry.claim for claim, _ in places):
        raise UnableToAbandon(f"{_told(entry)} was read to its end; `octroi files back-out` takes it back")
    if entry.refused and places != known.complete:
        raise UnableToAbandon(_in_part(entry))
    return 1 + max((block for _, block in places), default=-1), int(entered.to_pylist()[0]["records"] or 0)
