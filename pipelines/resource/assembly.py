"""Sessions whose partial records are being put together: state of the resource stage, and the EDRs that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pipelines.resource.attribution import Owners
from pipelines.resource.kernels import assembly as kernels
from pipelines.resource.moving import LOAD_MAX, Keep, Mover
from rating.lines import HUGE_BYTES, longer, touch
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS, ELAPSED, STRICT, BlockPosition, CdrBlock
from schemas.edr import EdrBlock
from schemas.output import AssembledParts
from schemas.values import VALUE_ABSENT

CAPACITY_MIN = 64
NEVER = 2**62
BLOCKS_AHEAD = 24
"""For so many blocks parts have memory: more than there are columns."""
SECOND_US = 1_000_000
ELAPSED_STEPS = 1000
"""Base steps of a second: time is kept in milliseconds (`schemas.quantity`)."""


class Sessions(NamedTuple):
    """Open-addressing table by the session's key; 74 bytes a slot, at most half full.

    Attributes (all (cap,)):
        key_hi, key_lo: its key. status: FREE, OPEN, CLOSED or VACANT. flags: HAS_FIRST, HAS_LAST, WHOLE, and its mode.
        head: its newest part, -1 when it has none. part_count: its parts. quantity: their sum, base steps.
        deadline: stage time at which it ends unless a part comes, microseconds UTC. One that ended has here the claim of its
            EDR, and in `quantity` its record number.
        lowest, highest: sequence numbers, -1 without. latest: the latest event time of its parts.
        source, event_type: ids.
    """

    key_hi: UInt64Array
    key_lo: UInt64Array
    status: UInt8Array
    flags: UInt8Array
    head: Int64Array
    part_count: Int32Array
    quantity: Int64Array
    deadline: Int64Array
    lowest: Int64Array
    highest: Int64Array
    latest: Int64Array
    source: Int32Array
    event_type: UInt16Array


STATUS, DEADLINE, LATEST = map(Sessions._fields.index, ("status", "deadline", "latest"))
DUE_ROOM = 1 << 12
"""Sessions that are due at once, usually at most."""
NONE_GONE: UInt8Array = np.zeros(0, np.uint8)


class Parts(NamedTuple):
    """One row per part and owner; 81 bytes a row, 113 once a part has values.

    Attributes (all (rows,), attributes (rows, ATTRIBUTE_SLOTS), values (rows, 0) or (rows, slots)):
        next: the next part of the session, or the next free row. sibling: the next owner of the same part, -1.
        claim .. attributes: the record, in its first row. subscription, access_point: its owner.
        values: of the record, likewise.
    """

    next: Int64Array
    sibling: Int64Array
    claim: Int64Array
    record: Int64Array
    sequence: Int64Array
    part: UInt8Array
    event_at: Int64Array
    quantity: Int64Array
    attributes: Int32Array
    subscription: Int32Array
    access_point: Int32Array
    values: Int64Array


class Given(NamedTuple):
    """The columns of a block that assembly reads, each (n,)."""

    key_hi: UInt64Array
    key_lo: UInt64Array
    part: UInt8Array
    sequence: Int64Array
    event_at: Int64Array
    quantity: Int64Array
    event_type: UInt16Array
    attributes: Int32Array
    content: UInt64Array
    record: Int64Array
    time_out: int
    values: Int64Array
    mode: int
    late: int
    room: int


_SESSION_TYPES = (
    np.uint64, np.uint64, np.uint8, np.uint8, np.int64, np.int32, np.int64, np.int64, np.int64, np.int64, np.int64,
    np.int32, np.uint16,
)  # fmt: skip
_PART_TYPES = (
    np.int64, np.int64, np.int64, np.int64, np.int64, np.uint8, np.int64, np.int64, np.int32, np.int32, np.int32, np.int64,
)  # fmt: skip


def _sessions(capacity: int) -> Sessions:
    columns: list[Any] = [np.zeros(capacity, dtype) for dtype in _SESSION_TYPES]
    return Sessions(*columns)


def _parts(rows: int, value_slots: int = 0) -> Parts:
    columns: list[Any] = [np.zeros(rows, dtype) for dtype in _PART_TYPES]
    columns[Parts._fields.index("attributes")] = np.zeros((rows, ATTRIBUTE_SLOTS), np.int32)
    columns[Parts._fields.index("values")] = np.full((rows, value_slots), VALUE_ABSENT, np.int64)
    return Parts(*columns)


def parts_of(columns: dict[str, Any]) -> Parts:
    """Return the parts of a snapshot, which has no values if it was written before there were any."""
    return Parts(**({"values": np.empty((len(columns["next"]), 0), np.int64)} | columns))


@dataclass(frozen=True, slots=True)
class Absorption:
    """What became of the rows of a block.

    Attributes:
        held: (n,) uint64 and answer: (n,) uint8, of the assembly kernel.
        done: (d, 2) int64 row and slot of each session that is complete.
    """

    held: UInt64Array
    answer: UInt8Array
    done: Int64Array


@dataclass(frozen=True, slots=True)
class Ended:
    """The EDRs of sessions that ended, and the parts they were made of.

    Attributes:
        session: (b,) which of the sessions asked for each EDR is of; branch: (b,) uint8.
        event_at .. subscription: (b,) columns of an EdrBlock.
        incomplete: (b,) bool: its source wants no EDR of a session that is not complete, or nobody owns what there is.
        part: (k, 3) int64 session, claim and record of every part, in that order.
    """

    session: Int64Array
    branch: UInt8Array
    event_at: Int64Array
    quantity: Int64Array
    event_type: UInt16Array
    attributes: Int32Array
    access_point: Int32Array
    subscription: Int32Array
    part: Int64Array
    incomplete: BoolArray
    values: Int64Array | None = None

    def edrs(self, position: BlockPosition, record: Int64Array) -> EdrBlock:
        """Return the EDRs; `record` numbers the sessions."""
        return EdrBlock(
            position,
            record[self.session],
            self.branch,
            self.event_at,
            np.zeros(len(self.session), np.int64),
            self.quantity,
            self.event_type,
            self.attributes,
            self.access_point,
            self.subscription,
            values=self.values,
        )

    def parts(self, record: Int64Array) -> AssembledParts:
        """Return which parts the EDRs were made of; `record` numbers the sessions."""
        punctual = np.zeros(len(self.part), np.bool_)
        return AssembledParts(record[self.part[:, 0]], self.part[:, 1].copy(), self.part[:, 2].copy(), punctual)


@dataclass(slots=True)
class AssemblyTable:
    """All sessions, open and closed; grows with the blocks (`pipelines.resource.moving`).

    An open session takes 148 to 296 bytes, and each of its parts 81 to 162 (and again for every further owner). A closed one
    keeps its slot until its latest event time is older than the deduplication window, or for ever where that is unlimited.

    Attributes:
        sessions, parts: the tables. heap: (2,) int64: first free row of the parts or -1, rows ever used.
        used: slots that are not free.
        next_deadline: no open session ends before this stage time.
        waiting: open sessions; -1: to be counted.
        mover: what it needs to grow; until it is settled, `sessions` lacks those that have not moved yet. turn: the column of
            parts that got memory last.
    """

    sessions: Sessions = field(default_factory=lambda: _sessions(CAPACITY_MIN))
    parts: Parts = field(default_factory=lambda: _parts(CAPACITY_MIN))
    heap: Int64Array = field(default_factory=lambda: np.array([-1, 0], np.int64))
    used: int = 0
    next_deadline: int = NEVER
    waiting: int = -1
    mover: Mover = field(default_factory=Mover, init=False)
    turn: int = field(default=0, init=False)

    @property
    def is_new(self) -> bool:
        """Whether it is as it was made: its size says when it forgets, so one that has grown is not, empty or not."""
        rows, slots = self.parts.values.shape
        return not self.heap[1] and len(self.sessions.key_hi) == rows == CAPACITY_MIN and not slots

    @property
    def open_count(self) -> int:
        """How many sessions wait for more parts."""
        self.settle()
        return int(np.count_nonzero(self.sessions.status == kernels.OPEN))

    def move_on(self) -> None:
        """Move a piece of it, if it is on its way into a wider table."""
        self.mover.step(self.sessions, 0)

    def settle(self) -> None:
        """Have all sessions in `sessions`."""
        self.mover.finish(self.sessions)

    def bring(self, hi: UInt64Array, lo: UInt64Array) -> None:
        """Have sessions (k,) in `sessions`, as far as they are known: they are about to be asked for."""
        self.mover.bring(self.sessions, hi, lo)

    def make_room(self, rows: int, owners: int, window_start: int, value_slots: int) -> None:
        """Have room for so many more sessions, and parts with owners; forget closed sessions older than the window."""
        if self.used + rows > len(self.sessions.key_hi) * LOAD_MAX:
            self.settle()
            self.used = int(kernels.count_kept(self.sessions.status, self.sessions.latest, window_start))
            wide = self.mover.begin(self.sessions, _capacity(self.used, rows), _kept_since(window_start))
            self.sessions = Sessions(*wide)
        else:
            wider = _capacity(int(len(self.sessions.key_hi) * LOAD_MAX), 1)
            self.mover.prepare(self.sessions, self.used, rows, wider)
        self.mover.step(self.sessions, rows)
        have, slots = self.parts.values.shape
        if self.heap[1] + owners > have or value_slots > slots:
            room = max(have, 1 << (int(self.heap[1] + owners) - 1).bit_length())
            values = self.parts.values
            if value_slots > slots:
                values = np.full((have, value_slots), VALUE_ABSENT, np.int64)
                values[:, :slots] = self.parts.values
            # rows are written before they are read: what is behind those that were there need say nothing
            self.parts = Parts(*(longer(column, room) for column in (*self.parts[:-1], values)))
        self._touch_ahead(owners)

    def _touch_ahead(self, owners: int) -> None:
        """Have the memory of parts that come soon, of one column with each block: all need their next pages at once."""
        self.turn = (self.turn + 1) % len(self.parts)
        column = self.parts[self.turn]
        if column.nbytes < HUGE_BYTES:
            return
        width = column.nbytes // len(column)
        first = int(self.heap[1]) + owners
        touch(column, first * width, min(first + BLOCKS_AHEAD * owners, len(column)) * width)

    def absorb(
        self,
        cdrs: CdrBlock,
        rows: Int64Array,
        first: Int64Array,
        usable: BoolArray,
        owners: Owners,
        *,
        source: int,
        stage_time: int,
        window_start: int,
    ) -> Absorption:
        """Take the rows `rows` of a block in order (arguments and answers of the assembly kernel).

        Args:
            owners: of those of `rows` that are usable, in their order.
            window_start: closed sessions whose latest event is older may be forgotten, microseconds UTC.
        """
        given = cdrs.parts
        assert given is not None
        n = len(cdrs)
        values = np.empty((n, 0), np.int64) if cdrs.values is None else cdrs.values
        nobodys = len(rows) - len(np.unique(owners.row)) if given.mode & ELAPSED else 0
        self.make_room(len(rows), len(owners.row) + nobodys, window_start, values.shape[1])
        self.bring(given.key_hi[rows], given.key_lo[rows])
        if self.waiting < 0:
            self.waiting = self.open_count
        found = Absorption(np.zeros(n, np.uint64), np.zeros(n, np.uint8), np.empty((len(rows), 2), np.int64))
        bounds = np.searchsorted(owners.row, np.append(rows, n)).astype(np.int64)
        complete, fresh, opened = kernels.absorb(
            self.sessions,
            self.parts,
            self.heap,
            rows,
            Given(
                given.key_hi,
                given.key_lo,
                given.part,
                given.sequence,
                cdrs.event_at,
                cdrs.quantity,
                cdrs.event_type,
                cdrs.attributes,
                cdrs.content,
                cdrs.record,
                given.time_out_us,
                values,
                given.mode,
                int(given.late),
                given.open_max - self.waiting,
            ),
            first,
            usable,
            bounds,
            owners.subscription,
            owners.access_point,
            cdrs.position.claim,
            source,
            stage_time,
            found.held,
            found.answer,
            found.done,
        )
        self.used += int(fresh)
        self.waiting += int(opened) - int(complete)
        self.next_deadline = min(self.next_deadline, stage_time + given.time_out_us)
        return Absorption(found.held, found.answer, found.done[:complete])

    def end(self, slots: Int64Array, claim: int, record: Int64Array) -> Ended:
        """End sessions and return what they were: their quantity, with the first part's time, attributes and owners.

        Args:
            slots: (d,) sessions with parts. claim: of the EDRs; record: (d,) their record numbers, kept with the sessions.
        """
        sessions, parts = self.sessions, self.parts
        leader, branches, until = (np.empty(len(slots), np.int64) for _ in range(3))
        total = int(kernels.lead(sessions, parts, slots, leader, branches, until))
        flags, quantity = sessions.flags[slots], sessions.quantity[slots]
        elapsed = (flags & ELAPSED) != 0
        lasted = (until - parts.event_at[leader]) * ELAPSED_STEPS
        quantity[elapsed] = (lasted[elapsed] + SECOND_US // 2) // SECOND_US
        incomplete = ((flags & STRICT) != 0) & ((flags & kernels.WHOLE) == 0)
        incomplete |= parts.subscription[leader] < 0
        if self.waiting >= 0:
            self.waiting -= int(np.count_nonzero(sessions.status[slots] == kernels.OPEN))
        rows = int(branches.sum())
        session, owner = np.empty(rows, np.int64), np.empty(rows, np.int64)
        pointer = np.empty((total, 3), np.int64)
        kernels.release(sessions, parts, self.heap, slots, leader, session, owner, pointer)
        sessions.deadline[slots], sessions.quantity[slots] = claim, record
        start = np.cumsum(branches) - branches
        of_leader = leader[session]
        return Ended(
            session=session,
            branch=(np.arange(rows) - start[session]).astype(np.uint8),
            event_at=parts.event_at[of_leader],
            quantity=quantity[session],
            event_type=sessions.event_type[slots][session],
            attributes=parts.attributes[of_leader],
            access_point=parts.access_point[owner],
            subscription=parts.subscription[owner],
            part=pointer[np.lexsort((pointer[:, 2], pointer[:, 1], pointer[:, 0]))],
            incomplete=incomplete[session],
            values=parts.values[of_leader] if parts.values.shape[1] else None,
        )

    def is_due(self, stage_time: int) -> bool:
        """Return whether any open session ends at this stage time."""
        if stage_time < self.next_deadline:
            return False
        tables = ((self.sessions, NONE_GONE, 0), *self.mover.rest())
        self.next_deadline = min(
            int(kernels.earliest(columns[STATUS], columns[DEADLINE], gone, border)) for columns, gone, border in tables
        )
        return stage_time >= self.next_deadline

    def due(self, stage_time: int) -> Int64Array:
        """Return the slots of the open sessions that end at this stage time, by source, deadline and first part's record."""
        for columns, gone, border in self.mover.rest():
            self.mover.bring_slots(self.sessions, _due(columns, gone, border, stage_time))
        sessions, parts = self.sessions, self.parts
        slots = _due(sessions, NONE_GONE, 0, stage_time)
        leader = np.empty(len(slots), np.int64)
        kernels.lead(sessions, parts, slots, leader, np.empty(len(slots), np.int64), np.empty(len(slots), np.int64))
        order = np.lexsort(
            (parts.record[leader], parts.claim[leader], sessions.deadline[slots], sessions.source[slots])
        )
        return slots[order]


def _capacity(held: int, rows: int) -> int:
    return max(CAPACITY_MIN, 1 << (int((held + rows) / LOAD_MAX) - 1).bit_length())


def _kept_since(window_start: int) -> Keep:
    """Return which sessions are open, or had a part since then and ended; of rows of the columns."""

    def kept(rows: Any) -> BoolArray:
        ended: BoolArray = (rows[STATUS] == kernels.CLOSED) & (rows[LATEST] >= window_start)
        ended |= rows[STATUS] == kernels.OPEN
        return ended

    return kept


def _due(columns: Any, gone: UInt8Array, border: int, stage_time: int) -> Int64Array:
    """Return the slots of open sessions that end by a stage time."""
    slots = np.empty(DUE_ROOM, np.int64)
    while True:
        found = int(kernels.list_due(columns[STATUS], columns[DEADLINE], gone, border, stage_time, slots))
        if found <= len(slots):
            return slots[:found]
        slots = np.empty(found, np.int64)
