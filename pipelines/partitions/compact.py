"""Some rows of a block with just their own bytes, so that a block that is split is not sent several times over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.resource.kernels.gather import gather
from schemas.arrays import Int64Array, UInt8Array
from schemas.cdr import BlockPosition, CdrBlock, select_records
from schemas.rejection import Reason


def compact_rows(cdrs: CdrBlock, rows: Int64Array) -> CdrBlock:
    """Return the records at `rows`, ascending, numbered from 0, as a plain block that holds no byte of any other record."""
    kept = select_records(cdrs, rows)
    undefined = (kept.reason != 0) & (kept.reason < Reason.UNKNOWN_EVENT_TYPE)  # of these no field has a place
    raw, raw_start, raw_end = _gathered(cdrs.raw, kept.raw_start, kept.raw_end)
    start = np.where(undefined, 0, kept.access_start)
    text, access_start, access_end = _gathered(cdrs.text, start, np.where(undefined, 0, kept.access_end))
    names = [name for name in CdrBlock.__dataclass_fields__]
    plain = CdrBlock(**{name: getattr(kept, name) for name in names})
    return replace(
        plain,
        position=BlockPosition(0, 0, 0),
        record=np.arange(len(rows), dtype=np.int64),
        raw=raw,
        raw_start=raw_start,
        raw_end=raw_end,
        text=text,
        access_start=access_start,
        access_end=access_end,
        runs=cdrs.runs if len(rows) == len(cdrs) else None,
    )


def _gathered(data: UInt8Array, start: Int64Array, end: Int64Array) -> tuple[UInt8Array, Int64Array, Int64Array]:
    offsets = np.zeros(len(start) + 1, np.int64)
    np.cumsum(end.astype(np.int64) - start, out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    gather(data, start.astype(np.int64), offsets.astype(np.int32), out)
    return out, offsets[:-1].copy(), offsets[1:].copy()
