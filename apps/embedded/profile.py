"""The profile of a usage file: counts and sums over all of its records, taken from arrays block by block.

Its size does not depend on the file's: access points are told apart exactly up to a bound, beyond which their number is a
lower bound and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.refusals import OUTCOME_OF
from pipelines.resource.attribution import attribute
from pipelines.resource.kernels.attribute import UNKNOWN
from rating.image_access import AccessIndex
from rating.rate import exact_sum
from schemas.arrays import BoolArray, Int64Array, UInt16Array, UInt64Array
from schemas.cdr import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US, CdrBlock
from schemas.edr import EdrBlock
from schemas.rejection import Outcome, Reason

DISTINCT_MAX = 1 << 22
"""Most access points told apart: 64 MiB of hashes, five times as much while they are merged."""
_PENDING_MIN = 1 << 16


@dataclass(slots=True)
class ReasonCount:
    """How many records or EDRs have one reason, and the first of them."""

    records: int
    first_record: int


@dataclass(slots=True)
class TypeSums:
    """Usage of one event type.

    Attributes:
        records: decoded without objection; quantity: their sum in base steps. Readings (`readings` of the records) are
            indexes, whose sum means nothing, so they are left out of it.
        edrs, edr_quantity: of them, what was not known before and has an owner.
    """

    records: int = 0
    readings: int = 0
    quantity: int = 0
    edrs: int = 0
    edr_quantity: int = 0


class DistinctKeys:
    """Counts distinct 128-bit keys, exactly up to `most`; what is beyond is not kept."""

    def __init__(self, most: int = DISTINCT_MAX) -> None:
        """Start with none."""
        self._most = most
        self._hi, self._lo = np.empty(0, np.uint64), np.empty(0, np.uint64)
        self._pending: list[tuple[UInt64Array, UInt64Array]] = []
        self._pending_keys = 0
        self._exact = True

    def add(self, hi: UInt64Array, lo: UInt64Array) -> None:
        """Count the keys of one block."""
        if not self._exact:
            return
        fresh = _distinct(hi, lo)
        self._pending.append(fresh)
        self._pending_keys += len(fresh[0])
        if self._pending_keys > max(len(self._hi), _PENDING_MIN):  # so that all merges together take n log² n
            self._merge()

    def keys(self) -> tuple[UInt64Array, UInt64Array, bool]:
        """Return (hi, lo) of the keys told apart, and whether they are all there are."""
        self._merge()
        return self._hi, self._lo, self._exact

    def _merge(self) -> None:
        hi = np.concatenate([self._hi, *(hi for hi, _ in self._pending)])
        lo = np.concatenate([self._lo, *(lo for _, lo in self._pending)])
        self._pending, self._pending_keys = [], 0
        hi, lo = _distinct(hi, lo)
        if len(hi) > self._most:
            hi, lo, self._exact = hi[: self._most], lo[: self._most], False
        self._hi, self._lo = hi, lo


def _distinct(hi: UInt64Array, lo: UInt64Array) -> tuple[UInt64Array, UInt64Array]:
    """Return the keys in order, each once."""
    order = np.lexsort((lo, hi))
    hi, lo = hi[order], lo[order]
    first = np.ones(len(hi), np.bool_)
    first[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
    return hi[first], lo[first]


@dataclass(slots=True)
class Profile:
    """Counts and sums over the records seen so far.

    Attributes:
        records: how many. outcomes: (7,) by `Outcome`. reasons: by reason code, those of the account stage included.
        first_at, last_at: microseconds UTC, the bounds of readable event times; equal to their limits when there is none.
        event_types: by event type id.
        access_points: of records that no filter excludes and whose fields are readable.
    """

    records: int = 0
    outcomes: Int64Array = field(default_factory=lambda: np.zeros(len(Outcome), np.int64))
    reasons: dict[int, ReasonCount] = field(default_factory=dict)
    first_at: int = TIMESTAMP_MAX_US
    last_at: int = TIMESTAMP_MIN_US - 1
    event_types: dict[int, TypeSums] = field(default_factory=dict)
    access_points: DistinctKeys = field(default_factory=DistinctKeys)

    def add(self, cdrs: CdrBlock, reason: UInt16Array, edrs: EdrBlock, unrated: UInt16Array) -> None:
        """Count one block.

        Args:
            cdrs: the block; reason: (n,) final reason of each record.
            edrs: the EDRs of the block; unrated: (m,) reason for which each stays unrated, 0 when it is rated.
        """
        self.records += len(cdrs)
        self.outcomes += np.bincount(OUTCOME_OF[reason], minlength=len(Outcome))
        self._count_reasons(reason, cdrs.record)
        self._count_reasons(unrated, edrs.record)
        times = cdrs.event_at[readable_from(Reason.INVALID_QUANTITY, reason)]
        if len(times):
            self.first_at, self.last_at = min(self.first_at, int(times.min())), max(self.last_at, int(times.max()))
        named = readable_from(Reason.UNKNOWN_EVENT_TYPE, reason)
        self.access_points.add(cdrs.access_hi[named], cdrs.access_lo[named])
        self._sum_quantities(cdrs, edrs)

    @property
    def is_dated(self) -> bool:
        """Whether any event time was readable."""
        return self.first_at <= self.last_at

    def unknown_access_points(self, access: AccessIndex) -> tuple[int, int, bool]:
        """Return (how many access points, how many of them the image does not know, whether that is all of them)."""
        hi, lo, exact = self.access_points.keys()
        n = len(hi)
        found = attribute(access, hi, lo, np.zeros(n, np.int64), np.ones(n, np.bool_))
        return n, int(np.count_nonzero(found.answer == UNKNOWN)), exact

    def _count_reasons(self, reason: UInt16Array, record: Int64Array) -> None:
        codes, first, counts = np.unique(reason, return_index=True, return_counts=True)
        for code, row, count in zip(codes.tolist(), first.tolist(), counts.tolist(), strict=True):
            if code in self.reasons:
                self.reasons[code].records += count
            elif code:
                self.reasons[code] = ReasonCount(count, int(record[row]))

    def _sum_quantities(self, cdrs: CdrBlock, edrs: EdrBlock) -> None:
        decoded = cdrs.reason == 0
        is_reading = (cdrs.series_hi != 0) | (cdrs.series_lo != 0)
        for code in np.unique(cdrs.event_type[decoded]).tolist():
            rows = decoded & (cdrs.event_type == code)
            sums = self.event_types.setdefault(code, TypeSums())
            sums.records += int(np.count_nonzero(rows))
            sums.readings += int(np.count_nonzero(rows & is_reading))
            sums.quantity += exact_sum(cdrs.quantity[rows & ~is_reading])
        for code in np.unique(edrs.event_type).tolist():
            of_type = edrs.event_type == code
            sums = self.event_types.setdefault(code, TypeSums())
            sums.edrs += int(np.count_nonzero(of_type))
            sums.edr_quantity += exact_sum(edrs.quantity[of_type])


def readable_from(least: Reason, reason: UInt16Array) -> BoolArray:
    """Return which records the decoder could read up to the objection `least`: decoders object in the order of the codes."""
    readable: BoolArray = (reason == 0) | (reason >= least)
    return readable
