"""Rejections of one block as an Arrow batch: refused records with their bytes, unrated EDRs with what a retry needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.resource.kernels.gather import gather
from schemas.arrays import Int64Array, UInt8Array, UInt16Array
from schemas.cdr import BlockPosition, CdrBlock
from schemas.edr import EdrBlock, pack
from schemas.rejection import EXPLANATIONS, OUTCOMES, RAW_BYTES_MAX, REJECTION_SCHEMA, Outcome, Reason, Stage

NOTHING_REFUSED = pa.RecordBatch.from_pylist([], REJECTION_SCHEMA)
DESCRIBED_MAX = 1000
"""Rows per block that get a sentence of their own; a file of nothing but rejections must not run at Python speed."""
FIRST_RESOURCE_REASON = 200

OUTCOME_OF = np.full(1000, int(Outcome.REJECTED), np.uint8)
"""Outcome by reason code, for whole columns."""
for _reason, _outcome in OUTCOMES.items():
    OUTCOME_OF[_reason] = _outcome
OUTCOME_OF.setflags(write=False)


def refused_rows(reason: UInt16Array) -> Int64Array:
    """Return the rows, of (n,) reasons, that are rejected or parked: what is filtered or absorbed is not kept."""
    outcome = OUTCOME_OF[reason]
    return np.flatnonzero((outcome == Outcome.REJECTED) | (outcome == Outcome.PARKED)).astype(np.int64)


def refused_records(
    cdrs: CdrBlock, reason: UInt16Array, describe: Callable[[CdrBlock, int], str], retry_count: int
) -> pa.RecordBatch:
    """Return the rejected and parked records of a block (REJECTION_SCHEMA), in order.

    Args:
        cdrs: the block; reason: (n,) final reason of each row. describe: says, in words, what the decoder has against a row.
        retry_count: how often these records were replayed before.
    """
    outcome = OUTCOME_OF[reason]
    rows = refused_rows(reason)
    m = len(rows)
    raw_start, raw_end = cdrs.raw_start[rows], cdrs.raw_end[rows]
    raw_length = np.minimum(raw_end - raw_start, RAW_BYTES_MAX)
    codes = reason[rows]
    named = codes >= Reason.UNKNOWN_EVENT_TYPE  # earlier reasons leave the field offsets undefined
    length = np.where(named, cdrs.access_end[rows] - cdrs.access_start[rows], 0)
    timed = codes >= Reason.INVALID_QUANTITY
    details = [
        describe(cdrs, row) if code < FIRST_RESOURCE_REASON and index < DESCRIBED_MAX else EXPLANATIONS[Reason(code)]
        for index, (row, code) in enumerate(zip(rows.tolist(), codes.tolist(), strict=True))
    ]
    return _batch(
        cdrs.position,
        cdrs.record[rows],
        np.zeros(m, np.uint8),
        stage=np.where(codes < FIRST_RESOURCE_REASON, Stage.DECODE, Stage.RESOURCE).astype(np.uint8),
        reason=codes,
        outcome=outcome[rows],
        event_at=np.where(timed, cdrs.event_at[rows], 0),
        access_point=_text(cdrs.text, cdrs.access_start[rows], length),
        detail=pa.array(details, pa.string()),
        raw=_binary(cdrs.raw, raw_start, raw_length),
        raw_truncated=raw_end - raw_start > RAW_BYTES_MAX,
        edr=pa.array([b""] * m, pa.binary()),
        retry_count=retry_count,
    )


def unrated_edrs(
    edrs: EdrBlock,
    reason: UInt16Array,
    access_point: Callable[[Int64Array], pa.Array[Any]],
    retry_count: int,
    describe: Callable[[int], str] | None = None,
) -> pa.RecordBatch:
    """Return the EDRs that the account stage refused (REJECTION_SCHEMA), in order.

    Args:
        edrs: the block; reason: (n,) the account stage's reasons. access_point: names of access point ids.
        retry_count: how often they were replayed before. describe: says why a row was refused, if more than its reason.
    """
    rows = np.flatnonzero(reason).astype(np.int64)
    m = len(rows)
    details = [
        describe(row) if describe is not None and index < DESCRIBED_MAX else EXPLANATIONS[Reason(code)]
        for index, (row, code) in enumerate(zip(rows.tolist(), reason[rows].tolist(), strict=True))
    ]
    words = pack(edrs, rows)
    packed, width = words.view(np.uint8).reshape(-1), words.shape[1] * 8
    return _batch(
        edrs.position,
        edrs.record[rows],
        edrs.branch[rows],
        stage=np.full(m, Stage.ACCOUNT, np.uint8),
        reason=reason[rows],
        outcome=np.full(m, Outcome.ACCEPTED, np.uint8),
        event_at=edrs.event_at[rows],
        access_point=access_point(edrs.access_point[rows].astype(np.int64)),
        detail=pa.array(details, pa.string()),
        raw=pa.array([b""] * m, pa.binary()),
        raw_truncated=np.zeros(m, np.bool_),
        edr=_binary(packed, np.arange(m, dtype=np.int64) * width, np.full(m, width, np.int64)),
        retry_count=retry_count,
    )


def _binary(data: UInt8Array, start: Int64Array, length: Int64Array) -> pa.Array[Any]:
    offsets = np.zeros(len(start) + 1, np.int64)
    np.cumsum(length, out=offsets[1:])
    if offsets[-1] >= 2**31:
        raise OverflowError("the rejections of one block exceed 2 GiB")
    offsets32 = offsets.astype(np.int32)
    out = np.empty(int(offsets[-1]), np.uint8)
    gather(data, start, offsets32, out)
    return pa.Array.from_buffers(pa.binary(), len(start), [None, pa.py_buffer(offsets32.data), pa.py_buffer(out.data)])


def _text(data: UInt8Array, start: Int64Array, length: Int64Array) -> pa.Array[Any]:
    found = _binary(data, start, length)
    try:
        return found.cast(pa.string())
    except pa.ArrowInvalid:  # an identifier outside UTF-8: shown with replacement characters, kept whole in `raw`
        return pa.array([bytes(value or b"").decode("utf-8", "replace") for value in found.to_pylist()], pa.string())


def _batch(
    position: BlockPosition,
    record: Int64Array,
    branch: UInt8Array,
    *,
    stage: UInt8Array,
    reason: UInt16Array,
    outcome: UInt8Array,
    event_at: Int64Array,
    access_point: pa.Array[Any],
    detail: pa.Array[Any],
    raw: pa.Array[Any],
    raw_truncated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    edr: pa.Array[Any],
    retry_count: int,
) -> pa.RecordBatch:
    m = len(record)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.full(m, position.claim, np.uint32)),
            pa.array(record.astype(np.uint32)),
            pa.array(branch),
            pa.array(np.full(m, position.block, np.uint32)),
            pa.array(stage),
            pa.array(reason),
            pa.array(outcome),
            pa.array(event_at.astype(np.int64)),
            access_point,
            detail,
            raw,
            pa.array(raw_truncated),
            edr,
            pa.array(np.full(m, retry_count, np.uint16)),
        ],
        schema=REJECTION_SCHEMA,
    )
