"""Newer records in the place of earlier ones: what was parked is settled outside the stages, one entry of the log per file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.back_out import billed_places, journal_cancel
from apps.embedded.cancel import Keys, Withdrawal
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile
from apps.embedded.late import settle_late
from apps.embedded.parked import settle_parked
from apps.embedded.reopen import standing_of_each, unrated_of
from apps.embedded.reports import ClaimReport
from apps.embedded.say_again import records_of
from pipelines.spool.journal import FileClaim, refusal
from pipelines.spool.lifecycle import decisions
from schemas.rejection import Reason

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
    """
    if not engine.newer_came or engine.state.claim < engine.journal.next_claim:
        return []
    engine.newer_came = False
    reports = settle_late(engine)
    if engine.state.resource.versions.count:
        waits = "newer records wait: what they replace is billed, or the catalog in force cannot read their file"
        reports += settle_parked(engine, Reason.SUPERSEDES_EARLIER, _settle_file, waits)
    return reports


def _settle_file(engine: Engine, root: FileClaim, rows: list[dict[str, Any]]) -> tuple[ClaimReport | None, int]:
    """Return what became of the parked records of one file, and how many of them have to wait."""
    parked = {(row["claim"], row["record"]): row["retry_count"] for row in rows}
    source = engine.active.catalog.sources.get(root.source) if engine.active is not None else None
    file = engine.inspect(root)
    if isinstance(file, QuarantinedFile) or source is None:
        return None, len(parked)
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
        return None, len(waits)
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
    return report, len(waits)


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
