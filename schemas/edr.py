"""EDRs: deduplicated, attributed, unit-normalised usage, ready to rate."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.arrays import Int32Array, Int64Array, UInt16Array
from schemas.cdr import BlockPosition


@dataclass(frozen=True, slots=True)
class EdrBlock:
    """The n EDRs that one block yields, in record order.

    Attributes:
        position: the block they come from; EDR i has id (claim, record[i]).
        record: (n,) record number within the claim.
        event_at: (n,) microseconds UTC: start of the usage (for energy: the previous reading's instant).
        span_s: (n,) seconds from event_at to the end of the metered period; 0 for plain usage.
        quantity: (n,) scaled by the unit of the event type, >= 0.
        event_type: (n,) code in the image's vocabulary.
        attributes: (n, ATTRIBUTE_SLOTS) codes in the image's vocabulary.
        access_point: (n,) access point id.
        subscription: (n,) subscription id.
    """

    position: BlockPosition
    record: Int64Array
    event_at: Int64Array
    span_s: Int64Array
    quantity: Int64Array
    event_type: UInt16Array
    attributes: Int32Array
    access_point: Int32Array
    subscription: Int32Array

    def __len__(self) -> int:
        """Return the number of EDRs."""
        return len(self.record)
