"""Rejections afterwards: tried again, marked, discarded or reopened, as entries of the log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, ReadableFile, UnableToReadArchive
from apps.embedded.renewal import renew
from apps.embedded.reports import ClaimReport
from apps.embedded.say_again import records_of
from apps.embedded.selection import Selection, UnableToSelect, by_file, place_of, select
from pipelines.spool.files import write_durably
from pipelines.spool.journal import Discard, EdrRetry, FileClaim, Mark, RecordRetry, Reopen, refusal
from pipelines.spool.lifecycle import Step
from schemas.edr import join_packed
from schemas.rejection import Reason, Stage

_ENTRIES: dict[Step, type[Mark | Discard | Reopen]] = {
    Step.MARK: Mark,
    Step.DISCARD: Discard,
    Step.REOPEN: Reopen,
}


class UnableToRetry(Exception):
    """The records of a file cannot be decoded under the catalog now in force; their rejections stay open."""


def decide(engine: Engine, selection: Selection | None, step: Step, reason: str) -> tuple[int, int]:
    """Mark, discard or reopen rejections; return how many, and how many more match.

    Raises:
        UnableToSelect: when none matches, or a discard has no reason.
        UnableToDecide: when one that is named may not be decided so.
    """
    reason = reason.strip()
    if step is Step.DISCARD and not reason:
        raise UnableToSelect("a discard needs a reason")
    rows, left = select(engine, selection, step)
    journal = engine.journal
    unseen = {"unseen": tuple(_newer(engine, rows))} if step is Step.DISCARD else {}
    entry = _ENTRIES[step](
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        refused=tuple(refusal(*place_of(row)) for row in rows),
        reason=reason,
        **unseen,
    )
    journal.append(entry)
    engine.process(entry)
    engine.flush()
    engine.newer_came = True  # newer records may wait for what was decided
    return len(rows), left


def _newer(engine: Engine, rows: list[dict[str, Any]]) -> Iterator[tuple[int, int, int]]:
    """Yield identity and event time of newer records that are parked, of those whose files can be read."""
    for root, group in by_file(engine, (row for row in rows if row["reason"] == Reason.SUPERSEDES_EARLIER)):
        try:
            _, file = archived_file(engine, root.claim)
        except (UnableToReadArchive, UnableToRetry) as error:
            engine.report(f"records older than those that are discarded stay superseded by them: {error}")
            continue
        for cdrs, row in records_of(engine, root, file, {row["record"] for row in group}):
            yield int(cdrs.key_hi[row]), int(cdrs.key_lo[row]), int(cdrs.event_at[row])


def replay(engine: Engine, selection: Selection | None) -> tuple[list[ClaimReport], int, int]:
    """Try rejections again under the catalog now in force.

    Returns:
        What became of them, how many were tried, and how many more match.

    Raises:
        UnableToSelect: when none matches. UnableToDecide: when one that is named was decided.
        UnableToReadArchive, UnableToRetry: when a file is gone or cannot be decoded; nothing was tried.
    """
    rows, left = select(engine, selection, Step.REPLAY)
    files = [
        (archived_file(engine, root.claim)[0], group)
        for root, group in by_file(engine, (row for row in rows if row["stage"] != Stage.ACCOUNT))
    ]
    reports = [_replay_records(engine, file.claim, group) for file, group in files]
    edrs = sorted((row for row in rows if row["stage"] == Stage.ACCOUNT), key=lambda row: row["source"])
    for source, group in groupby(edrs, lambda row: row["source"]):
        reports.append(_replay_edrs(engine, source, list(group)))
    engine.flush()
    return reports, len(rows), left


def archived_file(engine: Engine, claim: int) -> tuple[FileClaim, ReadableFile]:
    """Return the claim of a file, and the file, which can be decoded now: journaled all the same, its retry would close
    the rejections and bring nothing back.

    Raises:
        UnableToReadArchive, UnableToRetry: when it is gone, or cannot be decoded.
    """
    root = engine.journal.entries[claim - 1]
    if not isinstance(root, FileClaim):
        raise UnableToReadArchive(f"claim {claim} is no file")
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: the records of claim {claim} cannot be tried again")
    found = engine.inspect(root)
    if isinstance(found, QuarantinedFile):
        raise UnableToRetry(f"{root.name} (claim {claim}) cannot be decoded now: {found.code}: {found.message}")
    return root, found


def replay_records(engine: Engine, file_claim: int, rows: list[dict[str, Any]]) -> ClaimReport:
    """Try refused records of one file again.

    Raises:
        UnableToReadArchive, UnableToRetry: when the file is gone or cannot be decoded; nothing was tried.
    """
    return _replay_records(engine, archived_file(engine, file_claim)[0].claim, rows)


def _replay_records(engine: Engine, file_claim: int, rows: list[dict[str, Any]]) -> ClaimReport:
    journal = engine.journal
    entry = RecordRetry(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        file_claim=file_claim,
        records=tuple(sorted({row["record"] for row in rows})),
        refused=tuple(refusal(*place_of(row)) for row in rows),
        retry_count=max(row["retry_count"] for row in rows) + 1,
    )
    journal.append(entry)
    return engine.process(entry)


def _replay_edrs(engine: Engine, source: str, rows: list[dict[str, Any]]) -> ClaimReport:
    journal = engine.journal
    place = np.array([row["claim"] << 32 | row["record"] for row in rows], np.int64)
    packed = renew(engine, place, join_packed([np.frombuffer(row["edr"], np.int64) for row in rows]))
    spool = engine.directory.spool
    stored = spool.stored_name(journal.next_claim, source, "edrs.retry")
    write_durably(spool.archive / f"edrs-{stored}", packed.tobytes())
    entry = EdrRetry(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        source=source,
        stored=f"edrs-{stored}",
        refused=tuple(refusal(*place_of(row)) for row in rows),
        retry_count=max(row["retry_count"] for row in rows) + 1,
    )
    journal.append(entry)
    return engine.process(entry)
