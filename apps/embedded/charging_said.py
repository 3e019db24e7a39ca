"""What usage that was charged online says, read again from the charging log before it is rated once more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.spool.charging_log import read_frames
from pipelines.spool.journal import Charging, JournalEntry
from schemas.arrays import Int64Array
from schemas.charging import REQUEST, ChargingKind, Rows


def said_in_log(directory: Path, entries: Sequence[JournalEntry], claim: int, record: Int64Array) -> Int64Array:
    """Return (k, words) attributes and values, as EDRs are packed, of the records (k,) of a segment.

    A confirmation says what its reservation said. Texts that no catalog named when they came have no code.

    Raises:
        UnableToReadChargingLog: when a segment is gone or damaged.
    """
    rows = _requests(directory, claim)
    asked = rows[record]
    confirms = np.flatnonzero(asked["kind"] == ChargingKind.CONFIRM).tolist()
    left = {place: (int(asked["of_hi"][place]), int(asked["of_lo"][place])) for place in confirms}
    segment, latest = claim, record
    while left and segment:
        reserves = np.flatnonzero(
            (rows["kind"] == ChargingKind.RESERVE) & np.isin(rows["lo"], asked["of_lo"][list(left)])
        )
        where = {(int(rows["hi"][row]), int(rows["lo"][row])): row for row in reserves.tolist()}
        for place, key in list(left.items()):
            found = where.get(key)
            if found is not None and (segment < claim or found < latest[place]):
                for name in ("attributes", "values"):
                    asked[name][place] = rows[name][found]
                del left[place]
        segment = max((one.claim for one in entries[: segment - 1] if isinstance(one, Charging)), default=0)
        rows = _requests(directory, segment) if left and segment else rows
    return np.concatenate([asked["attributes"].astype(np.int64), asked["values"]], axis=1)


def _requests(directory: Path, claim: int) -> Rows:
    frames = read_frames(directory, claim)
    return np.concatenate([np.zeros(0, REQUEST), *(frame.requests for frame in frames)])
