"""The resource stage: CDR block in, EDR block and refusals out.

Attribution comes first and deduplication second: a record that no subscription owns consumes no key, so it can be sent
again once the access point exists; a known key gets its first answer whatever the access points say now. A record whose
access point several subscriptions share is one record with one key, and becomes an EDR for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.assembly import Absorption, AssemblyTable
from pipelines.resource.attribution import Owners, attribute, owners_of
from pipelines.resource.dedup import DAY_US, Decision, DedupWindow
from pipelines.resource.kernels import assembly as assembling
from pipelines.resource.kernels import attribute as attribution
from pipelines.resource.kernels import dedup as verdicts
from pipelines.resource.kernels import series as readings
from pipelines.resource.kernels import versions
from pipelines.resource.neighbours import NearMidnight, dated, mark, near_midnight
from pipelines.resource.series import RegisterTable
from pipelines.resource.versions import VersionTable, arrival
from rating.tariff_image import AccessIndex
from schemas.arrays import BoolArray, Int64Array, UInt16Array
from schemas.cdr import ELAPSED, CdrBlock
from schemas.edr import EdrBlock, join_edrs
from schemas.output import AssembledParts
from schemas.rejection import Reason

SECOND_US = 1_000_000
UNOWNED = np.zeros(4, np.uint16)
"""Reason by answer of the attribution kernel."""
UNOWNED[attribution.UNKNOWN] = Reason.UNKNOWN_ACCESS_POINT
UNOWNED[attribution.NOT_VALID_AT] = Reason.ACCESS_POINT_NOT_VALID_AT
REASON_OF_ANSWER = np.zeros(12, np.uint16)
"""Reason by answer of the series kernel; OTHER and UNUSABLE depend on more."""
REASON_OF_ANSWER[readings.OPENED] = Reason.OPENING_READING
REASON_OF_ANSWER[readings.OUT_OF_ORDER] = Reason.READING_OUT_OF_ORDER
REASON_OF_ANSWER[readings.DECREASED] = Reason.INDEX_DECREASED
REASON_OF_ANSWER[readings.SAME] = Reason.DUPLICATE
REASON_OF_ANSWER[readings.REPEATED] = Reason.REPEATED_READING
REASON_OF_ANSWER[readings.OVERFLOW] = Reason.QUANTITY_OVERFLOW
REASON_OF_ANSWER[readings.FULL] = Reason.TOO_MANY_SERIES
REASON_OF_ANSWER[readings.FORGOTTEN] = Reason.BEYOND_WINDOW
REASON_OF_PART = np.zeros(12, np.uint16)
"""Reason by answer of the assembly kernel; OTHER and UNUSABLE depend on more."""
REASON_OF_PART[assembling.ABSORBED] = Reason.ABSORBED_PART
REASON_OF_PART[assembling.LATE] = Reason.LATE_PART
REASON_OF_PART[assembling.CONFLICT] = Reason.PART_CONFLICT
REASON_OF_PART[assembling.TOO_LARGE] = Reason.SESSION_TOO_LARGE
REASON_OF_PART[assembling.SAME] = Reason.DUPLICATE
REASON_OF_PART[assembling.REOPENS] = Reason.REOPENS_SESSION
REASON_OF_PART[assembling.FULL] = Reason.TOO_MANY_SESSIONS


REASON_OF_VERSION = np.zeros(6, np.uint16)
"""Reason by answer of the versions kernel; UNUSABLE depends on more."""
REASON_OF_VERSION[versions.SAME] = Reason.DUPLICATE
REASON_OF_VERSION[versions.OLDER] = Reason.NEWER_VERSION_KNOWN
REASON_OF_VERSION[versions.NEWER] = Reason.SUPERSEDES_EARLIER
REASON_OF_VERSION[versions.UNPLACED] = Reason.SAME_KEY_OTHER_CONTENT


TOOK = np.zeros(1000, np.bool_)
"""Whether a record with a reason took its identity."""
TOOK[[Reason.NONE, Reason.OPENING_READING, Reason.REPEATED_READING, Reason.ABSORBED_PART]] = True


@dataclass(slots=True)
class ResourceState:
    """State of one resource partition, a function of its log."""

    dedup: DedupWindow = field(default_factory=DedupWindow)
    registers: RegisterTable = field(default_factory=RegisterTable)
    versions: VersionTable = field(default_factory=VersionTable)
    assembly: AssemblyTable = field(default_factory=AssemblyTable)

    @property
    def is_moving(self) -> bool:
        """Whether a table is on its way into a wider one."""
        return any(table.mover.is_moving for table in (self.registers, self.versions, self.assembly))

    def move_on(self) -> None:
        """Move a piece of each table that is on its way."""
        for table in (self.registers, self.versions, self.assembly):
            table.move_on()

    def settle(self) -> None:
        """Have everything in the columns of its table: whoever reads them as a whole asks for it."""
        for table in (self.registers, self.versions, self.assembly):
            table.settle()


@dataclass(frozen=True, slots=True)
class ResourceResult:
    """The EDRs of a block and, for each of its n CDRs, the reason why it is none (0 for an EDR).

    `assembled` are the records of which EDRs were put together; None when there are none.
    """

    edrs: EdrBlock
    reason: UInt16Array
    assembled: AssembledParts | None = None

    @property
    def settles(self) -> bool:
        """Whether records were parked that take effect once earlier EDRs are withdrawn."""
        return bool(((self.reason == Reason.SUPERSEDES_EARLIER) | (self.reason == Reason.REOPENS_SESSION)).any())


def process(
    cdrs: CdrBlock,
    access: AccessIndex,
    state: ResourceState,
    *,
    stage_time: int,
    conflict_is_duplicate: bool,
    superseding_file: int = 0,
    source: int = 0,
    tolerance_us: int = 0,
    sent_once: bool = False,
) -> ResourceResult:
    """Attribute, deduplicate, difference and assemble one block, updating `state`.

    Args:
        cdrs: the decoded block; rows with a reason stay refused and touch no state.
        access: the active image's access points.
        state: updated in place.
        stage_time: microseconds UTC at which the block's claim was journaled; moves the window.
        conflict_is_duplicate: the source's `on_same_key` is `duplicate`.
        superseding_file: claim of the file that the records are from when newer ones replace earlier ones
            (`on_same_key` is `supersede` or `reverse`, without readings), else 0.
        source: the source's id, for sessions that time out.
        tolerance_us: how far from midnight records of one identity may be on both sides of it.
        sent_once: whoever sends the records knows which ones it has sent: none is too old to be known.
    """
    reason = cdrs.reason.copy()
    is_reading = (cdrs.series_hi != 0) | (cdrs.series_lo != 0)
    window_start = state.dedup.move_to(stage_time)
    if not sent_once:
        reason[(reason == 0) & (cdrs.event_at < window_start)] = Reason.BEYOND_WINDOW
    if cdrs.readings.idle_days:
        kept_since = stage_time - cdrs.readings.idle_days * DAY_US
        reason[(reason == 0) & is_reading & (cdrs.event_at < kept_since)] = Reason.BEYOND_WINDOW
    candidate = reason == 0
    # a reading closes the period that ends at its instant, so it belongs to whoever owned the instant before
    instant = cdrs.event_at - is_reading
    found = attribute(access, cdrs.access_hi, cdrs.access_lo, instant, candidate)
    unowned = UNOWNED[found.answer]
    usable = unowned == 0
    if cdrs.parts is not None and cdrs.parts.mode & ELAPSED:
        usable[:] = True  # whoever hangs up need not be a customer; who called, assembly sees
    day_at, near = cdrs.event_at, None
    if tolerance_us:
        near = near_midnight(cdrs.key_hi, cdrs.key_lo, cdrs.event_at, candidate, tolerance_us)
        day_at = dated(state.dedup, cdrs.key_hi, cdrs.key_lo, cdrs.event_at, near, candidate & usable)
    decision = state.dedup.decide(cdrs.key_hi, cdrs.key_lo, cdrs.content, day_at, candidate, usable)
    verdict = decision.verdict
    conflict = Reason.DUPLICATE if conflict_is_duplicate else Reason.SAME_KEY_OTHER_CONTENT
    reason[candidate & (verdict == verdicts.DUPLICATE)] = Reason.DUPLICATE
    reason[candidate & (verdict == verdicts.CONFLICT)] = conflict
    unusable = candidate & (verdict == verdicts.UNUSABLE)
    reason[unusable] = unowned[unusable]
    event_at, span_s, quantity = cdrs.event_at, np.zeros(len(cdrs), np.int64), cdrs.quantity
    if is_reading.any():
        event_at, span_s, quantity = _difference(cdrs, state.registers, decision, unowned, conflict, reason, stage_time)
    elif superseding_file:
        version = arrival(superseding_file, cdrs.record) if cdrs.version is None else cdrs.version
        first_day = state.dedup.first_day
        answer = state.versions.decide(cdrs, version, decision, candidate, unowned == 0, first_day=first_day)
        reason[candidate] = REASON_OF_VERSION[answer[candidate]]
        unusable = candidate & (answer == versions.UNUSABLE)
        reason[unusable] = unowned[unusable]
    elif cdrs.parts is not None and cdrs.parts.part.any():
        first = decision.first_rows()
        rows = np.flatnonzero(first >= 0).astype(np.int64)
        owners = owners_of(access, cdrs.access_hi, cdrs.access_lo, instant, rows[unowned[rows] == 0], found)
        taken = state.assembly.absorb(
            cdrs, rows, first, usable, owners, source=source, stage_time=stage_time, window_start=window_start
        )
        decision.settle(taken.held)
        answer = taken.answer[rows]
        reason[rows] = REASON_OF_PART[answer]
        _refused(reason, rows, answer == assembling.OTHER, answer == assembling.UNUSABLE, conflict, unowned)
        _mark(state, near, reason)
        return _assembled(cdrs, taken, owners, state.assembly, reason)
    _mark(state, near, reason)
    rows = np.flatnonzero(reason == 0)
    owners = owners_of(access, cdrs.access_hi, cdrs.access_lo, instant, rows, found)
    return ResourceResult(_edrs(cdrs, owners, event_at, span_s, quantity), reason)


def _difference(
    cdrs: CdrBlock,
    registers: RegisterTable,
    decision: Decision,
    unowned: UInt16Array,
    conflict: Reason,
    reason: UInt16Array,
    stage_time: int,
) -> tuple[Int64Array, Int64Array, Int64Array]:
    first = decision.first_rows()
    rows = np.flatnonzero(first >= 0).astype(np.int64)
    found = registers.read(cdrs, rows, first, unowned == 0, stage_time)
    decision.settle(found.held)
    event_at, quantity = cdrs.event_at.copy(), cdrs.quantity.copy()
    span_s = np.zeros(len(cdrs), np.int64)
    answer = found.answer[rows]
    measured = rows[answer == readings.MEASURED]
    event_at[measured] = found.start_at[measured]
    span_s[measured] = (cdrs.event_at[measured] - found.start_at[measured]) // SECOND_US
    quantity[measured] = found.consumed[measured]
    reason[rows] = REASON_OF_ANSWER[answer]
    _refused(reason, rows, answer == readings.OTHER, answer == readings.UNUSABLE, conflict, unowned)
    return event_at, span_s, quantity


def _refused(
    reason: UInt16Array,
    rows: Int64Array,
    other: BoolArray,
    unusable: BoolArray,
    conflict: Reason,
    unowned: UInt16Array,
) -> None:
    """Write down the reasons of rows whose identity has another content, and of those that nobody owns."""
    reason[rows[other]] = conflict
    reason[rows[unusable]] = unowned[rows[unusable]]


def _mark(state: ResourceState, near: NearMidnight | None, reason: UInt16Array) -> None:
    if near is not None:
        mark(state.dedup, near, TOOK[reason])


def _assembled(
    cdrs: CdrBlock, taken: Absorption, owners: Owners, assembly: AssemblyTable, reason: UInt16Array
) -> ResourceResult:
    """Return the EDRs of plain records and of sessions that were completed, in the order of records and branches."""
    late = np.flatnonzero(taken.answer == assembling.SEPARATE)
    plain = (taken.answer[owners.row] == assembling.PLAIN) | (taken.answer[owners.row] == assembling.SEPARATE)
    plain &= reason[owners.row] == 0
    own = Owners(owners.row[plain], owners.branch[plain], owners.subscription[plain], owners.access_point[plain])
    edrs = _edrs(cdrs, own, cdrs.event_at, np.zeros(len(cdrs), np.int64), cdrs.quantity)
    parts = AssembledParts.late_ones(cdrs.position.claim, cdrs.record[late])
    if len(taken.done):
        record = cdrs.record[taken.done[:, 0]]
        ended = assembly.end(np.ascontiguousarray(taken.done[:, 1]), cdrs.position.claim, record)
        edrs = join_edrs(edrs, ended.edrs(cdrs.position, record))
        parts = ended.parts(record).join(parts)
    return ResourceResult(edrs, reason, parts if len(parts) else None)


def _edrs(cdrs: CdrBlock, owners: Owners, event_at: Int64Array, span_s: Int64Array, quantity: Int64Array) -> EdrBlock:
    rows = owners.row
    if len(rows) == len(cdrs) and not owners.branch.any():
        return EdrBlock(
            cdrs.position,
            cdrs.record,
            owners.branch,
            event_at,
            span_s,
            quantity,
            cdrs.event_type,
            cdrs.attributes,
            owners.access_point,
            owners.subscription,
            values=cdrs.values,
        )
    return EdrBlock(
        cdrs.position,
        cdrs.record[rows],
        owners.branch,
        event_at[rows],
        span_s[rows],
        quantity[rows],
        cdrs.event_type[rows],
        cdrs.attributes[rows],
        owners.access_point,
        owners.subscription,
        values=None if cdrs.values is None else cdrs.values[rows],
    )
