"""Rejections afterwards: replayed or discarded, each once, as entries of the log."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from apps.embedded.engine import ClaimReport, Engine
from apps.embedded.files import QuarantinedFile, UnableToReadArchive
from pipelines.spool.files import write_durably
from pipelines.spool.journal import Discard, EdrRetry, FileClaim, Journal, RecordRetry, refusal, with_branch
from schemas.edr import PACKED_WORDS
from schemas.rejection import Reason, Stage

SELECTED_MAX = 100_000
"""Rejections one command answers at most; the rest stays open for the next."""


class UnableToSelect(ValueError):
    """A selection of rejections is empty, wrong, or names one that was answered already."""


class UnableToRetry(Exception):
    """The records of a file cannot be decoded under the catalog now in force; their rejections stay open."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which open rejections are meant; every given criterion must hold."""

    ids: tuple[tuple[int, int, int], ...] = ()
    code: str | None = None
    source: str | None = None
    claim: int | None = None

    def where(self) -> tuple[str, dict[str, Any]]:
        """Return the SQL predicate over the view `rejection` and its parameters.

        Raises:
            UnableToSelect: when nothing is selected, or the code is none of ours.
        """
        terms: list[str] = []
        values: dict[str, Any] = {}
        if self.ids:
            places = ", ".join(f"({int(claim)}, {int(record)}, {int(branch)})" for claim, record, branch in self.ids)
            terms.append(f"(claim, record, branch) IN ({places})")
        if self.code is not None:
            if self.code not in Reason.__members__:
                raise UnableToSelect(f"{self.code} is no reason code; `octroi rejects list` shows them")
            terms.append("reason = {code:String}")
            values["code"] = self.code
        if self.source is not None:
            terms.append("source = {source:String}")
            values["source"] = self.source
        if self.claim is not None:
            terms.append("claim = {claim:UInt32}")
            values["claim"] = self.claim
        if not terms:
            raise UnableToSelect("say which rejections: ids, --code, --source, --claim or --all")
        return " AND ".join(terms), values


ALL = "1"


def answered(journal: Journal) -> set[tuple[int, int, int]]:
    """Return the rejections, as (claim, record, branch), that entries of the log replayed or discarded already."""
    return {
        with_branch(named)
        for entry in journal.entries
        if isinstance(entry, RecordRetry | EdrRetry | Discard)
        for named in entry.refused
    }


def _open(engine: Engine, selection: Selection | None) -> tuple[list[dict[str, Any]], int]:
    """Return the open rejections that are meant, at most SELECTED_MAX, and how many more there are."""
    engine.flush()
    where, values = (ALL, {}) if selection is None else selection.where()
    rows = engine.store.query(
        "SELECT f.claim AS claim, f.record AS record, f.branch AS branch, f.stage AS stage, "
        "f.retry_count AS retry_count, f.edr AS edr, s.code AS source "
        "FROM fact_rejection AS f LEFT JOIN dim_source AS s ON s.id = f.source "
        f"WHERE (claim, record, branch) IN (SELECT claim, record, branch FROM rejection WHERE status = 'OPEN' AND {where}) "
        f"ORDER BY claim, record, branch LIMIT {SELECTED_MAX}",
        values,
    ).to_pylist()
    closed = answered(engine.journal)
    found = [row for row in rows if (row["claim"], row["record"], row["branch"]) not in closed]
    if not found:
        raise UnableToSelect("no open rejection matches")
    counted = engine.store.query(f"SELECT count() AS n FROM rejection WHERE status = 'OPEN' AND {where}", values)
    return found, int(counted["n"][0].as_py()) - len(rows)


def discard(engine: Engine, selection: Selection | None, reason: str) -> tuple[int, int]:
    """Set open rejections aside for good; return how many, and how many more match.

    Raises:
        UnableToSelect: when none matches, or the reason is empty.
    """
    if not reason.strip():
        raise UnableToSelect("a discard needs a reason")
    rows, left = _open(engine, selection)
    journal = engine.journal
    entry = Discard(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        refused=tuple(refusal(row["claim"], row["record"], row["branch"]) for row in rows),
        reason=reason.strip(),
    )
    journal.append(entry)
    engine.process(entry)
    engine.flush()
    return len(rows), left


def replay(engine: Engine, selection: Selection | None) -> tuple[list[ClaimReport], int, int]:
    """Try open rejections again under the catalog now in force.

    Returns:
        What became of them, how many were tried, and how many more match.

    Raises:
        UnableToSelect: when none matches.
        UnableToReadArchive, UnableToRetry: when a file is gone or cannot be decoded; nothing was tried.
    """
    rows, left = _open(engine, selection)
    records = sorted((row for row in rows if row["stage"] != Stage.ACCOUNT), key=lambda row: _root(engine, row))
    by_file = [(_file(engine, root), list(group)) for root, group in groupby(records, lambda row: _root(engine, row))]
    reports = [_replay_records(engine, file.claim, group) for file, group in by_file]
    edrs = sorted((row for row in rows if row["stage"] == Stage.ACCOUNT), key=lambda row: row["source"])
    for source, group in groupby(edrs, lambda row: row["source"]):
        reports.append(_replay_edrs(engine, source, list(group)))
    engine.flush()
    return reports, len(rows), left


def _root(engine: Engine, row: dict[str, Any]) -> int:
    entry = engine.journal.entries[row["claim"] - 1]
    return entry.file_claim if isinstance(entry, RecordRetry) else entry.claim


def _file(engine: Engine, claim: int) -> FileClaim:
    """Return the claim of a file that can be decoded now: journaled all the same, its retry would close the rejections
    and bring nothing back.
    """
    root = engine.journal.entries[claim - 1]
    if not isinstance(root, FileClaim):
        raise UnableToReadArchive(f"claim {claim} is no file")
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: the records of claim {claim} cannot be tried again")
    found = engine.inspect(root)
    if isinstance(found, QuarantinedFile):
        raise UnableToRetry(f"{root.name} (claim {claim}) cannot be decoded now: {found.code}: {found.message}")
    return root


def _replay_records(engine: Engine, file_claim: int, rows: list[dict[str, Any]]) -> ClaimReport:
    journal = engine.journal
    entry = RecordRetry(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        file_claim=file_claim,
        records=tuple(sorted({row["record"] for row in rows})),
        refused=tuple(refusal(row["claim"], row["record"], row["branch"]) for row in rows),
        retry_count=max(row["retry_count"] for row in rows) + 1,
    )
    journal.append(entry)
    return engine.process(entry)


def _replay_edrs(engine: Engine, source: str, rows: list[dict[str, Any]]) -> ClaimReport:
    journal = engine.journal
    packed = np.concatenate([np.frombuffer(row["edr"], np.int64) for row in rows]).reshape(-1, PACKED_WORDS)
    spool = engine.directory.spool
    stored = spool.stored_name(journal.next_claim, source, "edrs.retry")
    write_durably(spool.archive / f"edrs-{stored}", packed.tobytes())
    entry = EdrRetry(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        source=source,
        stored=f"edrs-{stored}",
        refused=tuple(refusal(row["claim"], row["record"], row["branch"]) for row in rows),
        retry_count=max(row["retry_count"] for row in rows) + 1,
    )
    journal.append(entry)
    return engine.process(entry)
