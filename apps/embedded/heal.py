"""Late activation: what was refused because nobody owned its access point is tried again once a catalog says who does."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from apps.embedded.engine import Engine
from apps.embedded.files import UnableToReadArchive
from apps.embedded.reports import ClaimReport
from apps.embedded.retry import UnableToRetry, replay_records
from apps.embedded.selection import SELECTED_MAX, by_file, place_of
from pipelines.resource.attribution import attribute
from pipelines.resource.kernels import attribute as answers
from pipelines.spool.journal import ImageClaim
from pipelines.spool.lifecycle import Status, decisions
from rating.image_access import hash_identifiers
from schemas.rejection import Reason

_UNOWNED = f"""
SELECT claim, record, branch, retry_count, access_point, toInt64(toUnixTimestamp64Micro(event_at)) AS event_at
FROM fact_rejection WHERE reason IN ({int(Reason.UNKNOWN_ACCESS_POINT)}, {int(Reason.ACCESS_POINT_NOT_VALID_AT)})
  AND claim < {{image:UInt32}} AND (claim, record) IN (
    SELECT claim, record FROM rejection WHERE status = 'OPEN' AND claim < {{image:UInt32}}
  )
ORDER BY claim, record LIMIT {SELECTED_MAX}
"""
INSTANT_US = 1
"""A reading belongs to whoever owned the instant before it; trying one microsecond earlier as well finds both."""


def heal(engine: Engine) -> list[ClaimReport]:
    """Try again what was refused before the latest catalog took effect, and has an owner by it; return what became of it.

    Each is tried once for a catalog: what is refused again is a rejection of a later entry.

    Raises:
        UnableToReadArchive: when bytes that the log needs cannot be read.
    """
    latest = next((entry.claim for entry in reversed(engine.journal.entries) if isinstance(entry, ImageClaim)), 0)
    if not latest or not engine.settings.heal_on_activation or engine.active is None:
        return []
    engine.flush()
    decided = decisions(engine.journal.entries)
    rows = [
        row
        for row in engine.store.query(_UNOWNED, {"image": latest}).to_pylist()
        if decided.status(place_of(row)) is Status.OPEN
    ]
    owned = [row for row, found in zip(rows, _owned(engine, rows), strict=True) if found]
    reports = []
    for root, group in by_file(engine, owned):
        journaled = engine.journal.next_claim
        try:
            reports.append(replay_records(engine, root.claim, group))
        except (UnableToRetry, UnableToReadArchive) as error:
            if engine.journal.next_claim != journaled:
                raise  # the log needs it
            engine.report(f"not tried again, though it has an owner now: {error}")
    engine.flush()
    return reports


def _owned(engine: Engine, rows: list[dict[str, Any]]) -> list[bool]:
    """Return, of each rejection, whether somebody owns its access point at its time by the active image."""
    if not rows or engine.active is None:
        return []
    access = engine.active.image.access
    hi, lo = hash_identifiers(pl.Series([row["access_point"] for row in rows], dtype=pl.String))
    at = np.array([row["event_at"] for row in rows], np.int64)
    everything = np.ones(len(rows), np.bool_)
    found = np.zeros(len(rows), np.bool_)
    for instant in (at, at - INSTANT_US):
        answer = attribute(access, hi, lo, instant, everything).answer
        found |= ~np.isin(answer, (answers.UNKNOWN, answers.NOT_VALID_AT))
    owned: list[bool] = found.tolist()
    return owned
