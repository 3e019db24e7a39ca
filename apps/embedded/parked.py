"""Records that are parked until something else was withdrawn: looked at file by file, each settled by one entry of the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.embedded.back_out import UnableToBackOut
from apps.embedded.engine import Engine
from apps.embedded.files import UnableToReadArchive
from apps.embedded.images import UnableToReadImage
from apps.embedded.reports import ClaimReport
from apps.embedded.selection import by_file
from pipelines.spool.journal import FileClaim
from pipelines.spool.lifecycle import ALLOWED, Step, decisions
from schemas.rejection import Reason

PARKED_MAX = 100_000
"""Records that one look takes at most; the rest follows in the next."""
_PARKED = f"""
SELECT claim, record, retry_count FROM rejection
WHERE code = {{code:UInt16}} AND status IN ('OPEN', 'TO_REPROCESS')
ORDER BY claim, record LIMIT {PARKED_MAX} OFFSET {{waiting:UInt32}}
"""
Settle = Callable[[Engine, FileClaim, list[dict[str, Any]]], tuple[ClaimReport | None, int]]
"""Settles parked records of one file: what became of them, None for nothing, and how many have to wait."""


def settle_parked(engine: Engine, reason: Reason, settle: Settle, waits: str) -> list[ClaimReport]:
    """Settle the records that are parked for a reason; return what became of them.

    Those whose file, or another one that is needed, is gone wait until it is there again.

    Args:
        waits: told an operator behind the number of those that have to wait.
    """
    reports: list[ClaimReport] = []
    waiting = 0
    while True:
        engine.flush()
        decided = decisions(engine.journal.entries)
        found = engine.store.query(_PARKED, {"code": int(reason), "waiting": waiting}).to_pylist()
        rows = [row for row in found if decided.status((row["claim"], row["record"], 0)) in ALLOWED[Step.REPLAY]]
        if not rows:
            return reports
        stay = 0
        for root, group in by_file(engine, rows):
            journaled = engine.journal.next_claim
            try:
                report, left = settle(engine, root, group)
            except (UnableToBackOut, UnableToReadArchive, UnableToReadImage) as error:
                if engine.journal.next_claim != journaled:
                    raise  # the log needs it
                report, left = None, 0
                stay += len(group)
                engine.report(f"{len(group):,} parked records of {root.name} (claim {root.claim}) wait: {error}")
            stay += left
            if left:
                engine.report(f"{left:,} {waits}")
            if report is not None:
                reports.append(report)
        waiting += stay
