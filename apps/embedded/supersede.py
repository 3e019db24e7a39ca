"""Newer records in the place of earlier ones: what was parked is settled outside the stages, one entry of the log per file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.back_out import billed_places, journal_cancel
from apps.embedded.cancel import Keys, Withdrawal
from apps.embedded.engine import ClaimReport, Engine
from apps.embedded.files import QuarantinedFile
from apps.embedded.late import settle_late
from apps.embedded.reopen import records_of, root_of, standing_of_each, unrated_of
from pipelines.spool.journal import FileClaim, refusal
from pipelines.spool.lifecycle import ALLOWED, Step, decisions
from schemas.rejection import Reason

PARKED_MAX = 100_000
"""Newer records that one entry puts in the place of earlier ones at most; the rest follows in the next."""
_PARKED = f"""
SELECT claim, record, retry_count FROM rejection
WHERE code = {int(Reason.SUPERSEDES_EARLIER)} AND status IN ('OPEN', 'TO_REPROCESS')
ORDER BY claim, record LIMIT {PARKED_MAX}
"""
REASON = "a newer record took its place"
Place = tuple[int, int]
"""Claim and record."""
Key = tuple[int, int, int]
"""Identity high and low, event time."""


def settle_newer(engine: Engine) -> list[ClaimReport]:
    """Withdraw the EDRs that parked newer records replace, and try those records again; return what became of them.

    Late parts that open their sessions again come first (`apps.embedded.late`). A record whose earlier one is billed stays
    parked where the source says `supersede`. While journaled entries are still to be processed nothing is done: what is
    journaled now comes after them.

    Raises:
        UnableToReadArchive: when a file that the log needs is gone.
    """
    reports: list[ClaimReport] = []
    waiting: set[Place] = set()
    if not engine.newer_came or engine.state.claim < engine.journal.next_claim:
        return reports
    engine.newer_came = False
    reports += settle_late(engine)
    while engine.state.resource.versions.pending:
        engine.flush()
        decided = decisions(engine.journal.entries)
        rows = [
            row
            for row in engine.store.query(_PARKED).to_pylist()
            if decided.status((row["claim"], row["record"], 0)) in ALLOWED[Step.REPLAY]
            and (row["claim"], row["record"]) not in waiting
        ]
        if not rows:
            break
        by_file = sorted(rows, key=lambda row: (root_of(engine, row["claim"]).claim, row["claim"], row["record"]))
        for _, group in groupby(by_file, key=lambda row: root_of(engine, row["claim"]).claim):
            report, left = _settle_file(engine, list(group))
            waiting |= left
            if left:
                engine.report(
                    f"{len(left):,} newer records wait: what they replace is billed, or their file is unreadable"
                )
            if report is not None:
                reports.append(report)
    return reports


def _settle_file(engine: Engine, rows: list[dict[str, Any]]) -> tuple[ClaimReport | None, set[Place]]:
    """Return what became of the parked records of one file, and which of them have to wait."""
    root = root_of(engine, rows[0]["claim"])
    parked = {(row["claim"], row["record"]): row["retry_count"] for row in rows}
    source = engine.active.catalog.sources.get(root.source) if engine.active is not None else None
    file = engine.inspect(root)
    if isinstance(file, QuarantinedFile) or source is None:
        return None, set(parked)
    keys = dict(_keys(engine, root, file, {record for _, record in parked}))
    versions = engine.state.resource.versions
    held = {place: versions.holder(*keys[place[1]]) for place in parked if place[1] in keys}
    stands = standing_of_each(engine, {holder for holder in held.values() if holder is not None})
    billed = billed_places(engine, {place for places in stands.values() for place in places})
    waits = set()
    if source.on_same_key == "supersede":
        waits = {place for place, holder in held.items() if holder is not None and billed & stands[holder]}
    going = {place: count for place, count in parked.items() if place not in waits}
    if not going:
        return None, waits
    wanted: dict[int, dict[int, Key]] = {}
    for place in going:
        holder = held.get(place)
        for claim, record in stands[holder] if holder is not None else ():
            wanted.setdefault(claim, {})[record] = keys[place[1]]
    withdrawal = Withdrawal(engine, decisions(engine.journal.entries))
    batches = [batch for claim in sorted(wanted) for batch in _commands(engine, withdrawal, claim, wanted[claim])]
    report = journal_cancel(
        engine,
        iter(batches),
        cause="superseded",
        reason=REASON,
        source=root.source,
        refused=tuple(unrated_of(batches)),
        replayed=tuple(refusal(claim, record, 0) for claim, record in sorted(going)),
        file_claim=root.claim,
        records=tuple(sorted({record for _, record in going})),
        retry_count=max(going.values()) + 1,
    )
    return report, waits


def _keys(engine: Engine, root: FileClaim, file: Any, records: set[int]) -> Iterator[tuple[int, Key]]:
    """Yield (record, its identity and event time) of some records of a file, as the active image reads them."""
    for cdrs, row in records_of(engine, root, file, records):
        yield int(cdrs.record[row]), (int(cdrs.key_hi[row]), int(cdrs.key_lo[row]), int(cdrs.event_at[row]))


def _commands(engine: Engine, withdrawal: Withdrawal, claim: int, wanted: dict[int, Key]) -> Iterator[pa.RecordBatch]:
    records = np.array(sorted(wanted), np.int64)
    of = [wanted[record] for record in records.tolist()]
    keys = Keys(
        records,
        np.array([key[0] for key in of], np.uint64),
        np.array([key[1] for key in of], np.uint64),
        np.array([key[2] for key in of], np.int64),
    )
    for block in withdrawal.blocks(claim, records):
        yield from withdrawal.commands(claim, block, keys, set(wanted))
