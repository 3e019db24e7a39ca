"""Late parts: sessions that have ended are opened again for them, one entry of the log per file."""

from __future__ import annotations

from typing import Any

from apps.embedded.back_out import billed_places, journal_cancel
from apps.embedded.cancel import Withdrawal
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile
from apps.embedded.parked import settle_parked
from apps.embedded.reopen import again, standing_of_each, unrated_of, with_files_gone
from apps.embedded.reports import ClaimReport
from apps.embedded.say_again import records_of
from pipelines.resource.kernels.assembly import CLOSED, find_session
from pipelines.resource.reopening import CLAIM_END
from pipelines.spool.journal import FileClaim, refusal
from pipelines.spool.lifecycle import decisions
from schemas.rejection import Reason

REASON = "a part of its session came late"
Place = tuple[int, int]
"""Claim and record."""


def settle_late(engine: Engine) -> list[ClaimReport]:
    """Open the sessions again that parked parts belong to, and try those parts again; return what became of them.

    A part whose session is billed stays parked, as one whose session ended before releases that can open it again.
    """
    sources = engine.active.catalog.sources.values() if engine.active is not None else ()
    mappings = (getattr(source, "mapping", None) for source in sources)
    if not any(mapping is not None and mapping.assembly and mapping.assembly.late == "reopen" for mapping in mappings):
        return []
    waits = "late parts wait: the sessions that they belong to are billed, unknown by now, or lack files"
    return settle_parked(engine, Reason.REOPENS_SESSION, _settle_file, waits)


def _settle_file(engine: Engine, root: FileClaim, rows: list[dict[str, Any]]) -> tuple[ClaimReport | None, int]:
    """Return what became of the late parts of one file, and how many of them have to wait."""
    file = engine.inspect(root)
    if isinstance(file, QuarantinedFile) or engine.active is None:
        return None, len(rows)
    parked = {(row["claim"], row["record"]): row["retry_count"] for row in rows}
    ended = _ended(engine, root, file, {record for _, record in parked})
    edr_of = {place: ended.get(place[1], ()) for place in parked}
    places = standing_of_each(engine, {edr for found in edr_of.values() for edr in found})
    billed = billed_places(engine, {place for found in places.values() for place in found})
    gone = with_files_gone(engine, {edr for found in edr_of.values() for edr in found if edr[0] < CLAIM_END})
    if gone:
        engine.report(f"{len(gone):,} sessions cannot be opened again for late parts: {next(iter(gone.values()))}")
    stay = {
        place
        for place, edrs in edr_of.items()
        if any(edr[0] >= CLAIM_END or edr in gone or billed & places[edr] for edr in edrs) or place[1] not in ended
    }
    going = {place: count for place, count in parked.items() if place not in stay}
    if not going:
        return None, len(stay)
    withdrawal = Withdrawal(engine, decisions(engine.journal.entries))
    plan = again(engine, withdrawal, {edr for place in going for edr in edr_of[place]})
    batches = list(plan.withdrawals(engine, withdrawal))
    report = journal_cancel(
        engine,
        iter(batches),
        plan.table(),
        cause="reopened",
        reason=REASON,
        source=root.source,
        refused=tuple(unrated_of(batches)),
        replayed=tuple(refusal(claim, record, 0) for claim, record in sorted(going)),
        file_claim=root.claim,
        records=tuple(sorted({record for _, record in going})),
        retry_count=max(going.values()) + 1,
    )
    return report, len(stay)


def _ended(engine: Engine, root: FileClaim, file: Any, records: set[int]) -> dict[int, tuple[Place, ...]]:
    """Return, of some records of a file, the EDR of the session that has ended; none where it waits, or is unknown."""
    engine.state.resource.assembly.settle()
    sessions = engine.state.resource.assembly.sessions
    found: dict[int, tuple[Place, ...]] = {}
    for cdrs, row in records_of(engine, root, file, records):
        if cdrs.parts is None:
            continue
        slot = int(find_session(sessions, cdrs.parts.key_hi[row], cdrs.parts.key_lo[row]))
        is_over = sessions.status[slot] == CLOSED
        edr = (int(sessions.deadline[slot]), int(sessions.quantity[slot]))
        found[int(cdrs.record[row])] = (edr,) if is_over else ()
    return found
