"""Output blocks: everything that one block of the log makes the store hold, typed and replayable."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array
from schemas.cdr import SequenceRuns
from schemas.edr import EdrBlock
from schemas.rated_item import RatedBlock


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The sheet of one block, stored after its facts: a block whose header is stored is complete.

    Attributes:
        claim, block, first_record: the block's place in the log.
        source: source id; image: image id; tenant: tenant name.
        received_at: microseconds UTC, when the claim was journaled (stage time).
        retry: whether the claim replays rejected records (they were counted as received once already).
        received .. parked: the record sheet; received = the sum of the seven outcomes.
        edrs, rated, unrated, cancelled: the EDR sheet; edrs = rated + unrated + cancelled.
        usage_rows, operation_rows, rejection_rows, reversal_rows: rows that the block puts in each fact table.
        amounts: billionths per currency id, sum of rated amounts (exact, may exceed 64 bits).
        part_rows: the same, of records that became parts of EDRs. run_rows: of runs of numbers seen. notification_rows: of
            notifications.
        quantity: sum of the quantities of rated items in base steps (exact, may exceed 64 bits). Reversals count negative, here
            and in `amounts`.
    """

    claim: int
    block: int
    first_record: int
    tenant: str
    source: int
    image: int
    received_at: int
    retry: bool
    received: int
    accepted: int
    absorbed: int
    duplicate: int
    superseded: int
    filtered: int
    rejected: int
    parked: int
    edrs: int
    rated: int
    unrated: int
    cancelled: int
    usage_rows: int
    operation_rows: int
    rejection_rows: int
    quantity: int = 0
    amounts: dict[int, int] = field(default_factory=dict)
    reversal_rows: int = 0
    part_rows: int = 0
    run_rows: int = 0
    notification_rows: int = 0


@dataclass(frozen=True, slots=True)
class ReversalBlock:
    """Which rated items the n EDRs of a block take back, row for row.

    Attributes:
        claim, record, branch, item: (n,) the item taken back. counter: (n,) `schemas.cancellation.CounterFate`.
        cause: back_out, superseded, reopened or rerated.
        replaced_by: (n,) record of the same entry that takes its place; None where nothing does.
    """

    claim: Int64Array
    record: Int64Array
    branch: UInt8Array
    item: UInt8Array
    counter: UInt8Array
    cause: str
    replaced_by: Int64Array | None = None


@dataclass(frozen=True, slots=True)
class AssembledParts:
    """Which records the EDRs of a block were put together from, k of them.

    Attributes:
        record: (k,) the EDR's record number. part_claim, part_record: (k,) the record that became a part of it.
        late: (k,) bool: it came after its session had ended, and is an EDR of its own.
    """

    record: Int64Array
    part_claim: Int64Array
    part_record: Int64Array
    late: BoolArray

    @classmethod
    def late_ones(cls, claim: int, record: Int64Array) -> AssembledParts:
        """Return records (k,) of a claim that are EDRs of their own, because they were late."""
        return cls(record, np.full(len(record), claim, np.int64), record, np.ones(len(record), np.bool_))

    def join(self, other: AssembledParts) -> AssembledParts:
        """Return these parts, and then those."""
        return AssembledParts(
            np.concatenate([self.record, other.record]),
            np.concatenate([self.part_claim, other.part_claim]),
            np.concatenate([self.part_record, other.part_record]),
            np.concatenate([self.late, other.late]),
        )

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.record)


@dataclass(frozen=True, slots=True)
class OutputBlock:
    """One block's facts.

    Attributes:
        header: its sheet.
        edrs: the EDRs; rows of `rated` answer them one by one. Only rows with `rated.reason` 0 are stored as usage. An EDR of
            several items is there for each of them, with what of its quantity that one prices.
        account: (n,) account id of each EDR.
        rated: the rated items and wallet operations.
        rejections: rows of `schemas.rejection.REJECTION_SCHEMA`: refused records and unrated EDRs.
        reversals: of a block that takes rated items back, which; its EDRs and rated items are their negatives.
        assembled: of EDRs that were put together from several records, which; None when there are none.
        runs: of a source that counts its records, the numbers seen; None for others.
        sources: (n,) source id of each EDR, where they came from several; None where the header says it.
        notifications: rows of `schemas.notification.NOTIFICATION_SCHEMA`; None when there are none.
        rest: (n,) what of the EDR's quantity a row leaves; None where each row has all of it.
    """

    header: BlockHeader
    edrs: EdrBlock
    account: Int32Array
    rated: RatedBlock
    rejections: pa.RecordBatch
    reversals: ReversalBlock | None = None
    assembled: AssembledParts | None = None
    runs: SequenceRuns | None = None
    sources: Int32Array | None = None
    notifications: pa.RecordBatch | None = None
    rest: Int64Array | None = None
