"""Parts of sessions from plain Python rows, and the obvious twin of assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from resource_world import ALWAYS, START_US, Row, Window, access_index, cdr_block

from pipelines.resource.kernels.assembly import PARTS_MAX
from pipelines.resource.stage import ResourceState, process
from schemas.cdr import ELAPSED, OPEN_MAX, STRICT, BlockPosition, CdrBlock, Late, Part, PartColumns
from schemas.edr import EdrBlock
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Piece:
    """One record: part `part` of session `session` with number `number` (-1: none), one second after another."""

    session: int
    part: Part
    number: int = -1
    quantity: int = 1
    second: int = 0
    key: int = 0
    content: int = 1
    event_type: int = 0
    access: int = 1


Assembled = tuple[tuple[int, int], int, int, int, tuple[tuple[int, int], ...]]
"""(claim, record) of an EDR, its event_at, quantity, subscription, and the records it was put together from."""


@dataclass(frozen=True)
class Rules:
    """What a source says of its sessions."""

    mode: int = 0
    late: Late = Late.REJECT
    open_max: int = OPEN_MAX

    @property
    def elapsed(self) -> bool:
        return bool(self.mode & ELAPSED)


PLAIN = Rules()


def pieces_block(pieces: Sequence[Piece], claim: int, first_record: int = 0, rules: Rules = PLAIN) -> CdrBlock:
    """Return pieces as a block; without a key of its own a piece is known by its place."""
    rows = [
        Row(
            key=piece.key or (claim << 32) + first_record + i + 1,
            access=piece.access,
            at=START_US + piece.second * 1_000_000,
            quantity=piece.quantity,
            content=piece.content,
            event_type=piece.event_type,
        )
        for i, piece in enumerate(pieces)
    ]
    sessions = np.array([piece.session for piece in pieces], np.uint64)
    parts = PartColumns(
        np.zeros(len(pieces), np.uint64),
        sessions,
        np.array([piece.part for piece in pieces], np.uint8),
        np.array([piece.number for piece in pieces], np.int64),
        HOUR_US,
        rules.mode,
        rules.late,
        rules.open_max,
    )
    return replace(cdr_block(rows, BlockPosition(claim, 0, first_record)), parts=parts)


def _assembled(edrs: EdrBlock, claim: int, made_of: dict[int, list[tuple[int, int]]]) -> list[Assembled]:
    columns = (edrs.record, edrs.event_at, edrs.quantity, edrs.subscription)
    return [
        ((claim, record), at, quantity, owner, tuple(made_of.get(record, [])))
        for record, at, quantity, owner in zip(*(column.tolist() for column in columns), strict=True)
    ]


@dataclass
class Assembler:
    """The resource stage over pieces."""

    windows: dict[int, list[Window]] = field(default_factory=lambda: ALWAYS)
    state: ResourceState = field(default_factory=ResourceState)
    rules: Rules = PLAIN
    incomplete: list[bool] = field(default_factory=list)

    def take(
        self, pieces: Sequence[Piece], claim: int, stage_time: int, first_record: int = 0
    ) -> tuple[list[Reason], list[Assembled]]:
        """Process one block; return every record's reason, and the EDRs."""
        found = process(
            pieces_block(pieces, claim, first_record, self.rules),
            access_index(self.windows),
            self.state,
            stage_time=stage_time,
            conflict_is_duplicate=False,
        )
        made_of: dict[int, list[tuple[int, int]]] = {}
        if found.assembled is not None:
            columns = (found.assembled.record, found.assembled.part_claim, found.assembled.part_record)
            for record, *pointer in zip(*(column.tolist() for column in columns), strict=True):
                made_of.setdefault(record, []).append((pointer[0], pointer[1]))
        reasons = [Reason(code) for code in found.reason.tolist()]
        assert found.settles == (Reason.REOPENS_SESSION in reasons)
        return reasons, _assembled(found.edrs, claim, made_of)

    def tick(self, claim: int, stage_time: int) -> list[Assembled]:
        """End the sessions that are due; they are numbered from 0, and `incomplete` says which are not to be rated."""
        assembly = self.state.assembly
        self.incomplete = []
        if not assembly.is_due(stage_time):
            return []
        slots = assembly.due(stage_time)
        records = np.arange(len(slots), dtype=np.int64)
        ended = assembly.end(slots, claim, records)
        self.incomplete = ended.incomplete.tolist()
        made_of: dict[int, list[tuple[int, int]]] = {}
        for session, *pointer in ended.part.tolist():
            made_of.setdefault(session, []).append((pointer[0], pointer[1]))
        edrs = ended.edrs(BlockPosition(claim, 0, 0), records)
        return _assembled(edrs, claim, made_of)


Held = list[tuple[tuple[int, int], Piece]]


@dataclass
class Twin:
    """Assembly on dictionaries: one session after the other, one part after the other.

    `open`: session -> deadline and parts; `closed`: session -> its parts, and whether it was complete; `ready`: sessions of
    this block that are complete, and the record that made them so.
    """

    windows: dict[int, list[Window]] = field(default_factory=lambda: ALWAYS)
    rules: Rules = PLAIN
    open: dict[int, tuple[int, Held]] = field(default_factory=dict)
    closed: dict[int, tuple[Held, bool]] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    ready: dict[int, tuple[int, int]] = field(default_factory=dict)
    incomplete: list[bool] = field(default_factory=list)

    def take(
        self, pieces: Sequence[Piece], claim: int, stage_time: int, first_record: int = 0
    ) -> tuple[list[Reason], list[Assembled]]:
        """Process one block."""
        reasons, edrs = [], []
        for i, piece in enumerate(pieces):
            place = (claim, first_record + i)
            key = piece.key or (claim << 32) + first_record + i + 1
            if key in self.seen:
                same = self.seen[key] == piece.content
                reasons.append(Reason.DUPLICATE if same else Reason.SAME_KEY_OTHER_CONTENT)
                continue
            if piece.access not in self.windows and not self._needs_nobody(piece):
                reasons.append(Reason.UNKNOWN_ACCESS_POINT)
                continue
            reason, edr = self._add(piece, place, stage_time)
            if reason in (Reason.NONE, Reason.ABSORBED_PART):
                self.seen[key] = piece.content
            reasons.append(reason)
            edrs += edr
        for session, place in self.ready.items():
            _, held = self.open.pop(session)
            self.closed[session] = (held, True)
            edrs.append(self._edr(place, held, tuple(sorted(where for where, _ in held))))
        self.ready = {}
        return reasons, sorted(edrs)

    def _known(self, session: int) -> Held:
        return self.open[session][1] if session in self.open else self.closed.get(session, ([], False))[0]

    def _needs_nobody(self, piece: Piece) -> bool:
        """Return whether it does not matter whose a part is."""
        begun = any(part.part is Part.FIRST for _, part in self._known(piece.session))
        return self.rules.elapsed and (piece.part is not Part.FIRST or begun)

    def _add(self, piece: Piece, place: tuple[int, int], stage_time: int) -> tuple[Reason, list[Assembled]]:
        if piece.part is Part.SINGLE:
            return Reason.NONE, [self._edr(place, [(place, piece)], ())]
        deadline, held = self.open.get(piece.session, (stage_time + HOUR_US, []))
        is_due = deadline <= stage_time and self.rules.late is not Late.REOPEN
        if piece.session in self.closed or is_due:
            return self._late(piece, place)
        parts = [part for _, part in held]
        if not _consistent([*parts, piece], elapsed=self.rules.elapsed):
            return Reason.PART_CONFLICT, []
        if len(parts) >= PARTS_MAX or sum(part.quantity for part in [*parts, piece]) > QUANTITY_MAX:
            return Reason.SESSION_TOO_LARGE, []
        if not held and len(self.open) - len(self.ready) >= self.rules.open_max:
            return Reason.TOO_MANY_SESSIONS, []
        held = [*held, (place, piece)]
        self.open[piece.session] = (max(deadline, stage_time + HOUR_US), held)
        if piece.session in self.ready or not _complete([part for _, part in held]):
            return Reason.ABSORBED_PART, []
        if self.rules.elapsed:
            self.ready[piece.session] = place
            return Reason.NONE, []
        del self.open[piece.session]
        self.closed[piece.session] = (held, True)
        return Reason.NONE, [self._edr(place, held, tuple(sorted(where for where, _ in held)))]

    def _late(self, piece: Piece, place: tuple[int, int]) -> tuple[Reason, list[Assembled]]:
        if self.rules.late is Late.REJECT:
            return Reason.LATE_PART, []
        whole = self.closed.get(piece.session, ([], False))[1]
        parts = [part for _, part in self._known(piece.session)]
        if (whole and piece.number >= 0) or not _may_follow(parts, piece, elapsed=self.rules.elapsed):
            return Reason.PART_CONFLICT, []
        if self.rules.late is Late.REOPEN:
            return Reason.REOPENS_SESSION, []
        if piece.access not in self.windows:
            return Reason.UNKNOWN_ACCESS_POINT, []
        return Reason.NONE, [
            (*self._edr(place, [(place, piece)], ())[:2], piece.quantity, self._owner(piece), (place,))
        ]

    def tick(self, claim: int, stage_time: int) -> list[Assembled]:
        """End the sessions that are due, by deadline and first part."""
        due = sorted(
            ((deadline, session) for session, (deadline, _) in self.open.items() if deadline <= stage_time),
            key=lambda item: (item[0], _leader(self.open[item[1]][1])[0]),
        )
        edrs = []
        self.incomplete = []
        for record, (_, session) in enumerate(due):
            _, held = self.open.pop(session)
            self.closed[session] = (held, False)
            edrs.append(self._edr((claim, record), held, tuple(sorted(where for where, _ in held))))
            self.incomplete.append(bool(self.rules.mode & STRICT) or edrs[-1][3] < 0)
        return edrs

    def _owner(self, piece: Piece) -> int:
        return self.windows[piece.access][0][2] if piece.access in self.windows else -1

    def _edr(self, place: tuple[int, int], held: Held, made_of: tuple[tuple[int, int], ...]) -> Assembled:
        _, leader = _leader(held)
        total = sum(piece.quantity for _, piece in held)
        if self.rules.elapsed:
            ends = [piece.second for _, piece in held if piece.part is Part.LAST]
            total = 1000 * ((ends[0] if ends else max(piece.second for _, piece in held)) - leader.second)
        return place, START_US + leader.second * 1_000_000, total, self._owner(leader), made_of


def _leader(held: Held) -> tuple[tuple[int, int], Piece]:
    """Return the part whose time and owner the EDR has."""
    return min(held, key=lambda item: (item[1].part is not Part.FIRST, item[1].number, item[1].second, item[0]))


def _consistent(parts: list[Piece], *, elapsed: bool = False) -> bool:
    """Return whether parts may be of one session."""
    if len({part.event_type for part in parts}) > 1:
        return False
    numbers = [part.number for part in parts]
    for end in (Part.FIRST, Part.LAST):
        ends = [part.number for part in parts if part.part is end]
        if len(ends) > 1 and not (elapsed and end is Part.FIRST):
            return False
        if ends and ends[0] >= 0 and ends[0] != (min(numbers) if end is Part.FIRST else max(numbers)):
            return False
    if elapsed:
        begins = [part.second for part in parts if part.part is Part.FIRST]
        over = [part.second for part in parts if part.part is Part.LAST]
        return not begins or not over or min(begins) <= over[0]
    known = [number for number in numbers if number >= 0]
    return len(set(known)) == len(known)


def _may_follow(parts: list[Piece], late: Piece, *, elapsed: bool) -> bool:
    """Return whether a late part may be of a session that has ended, as far as is remembered of it."""
    apart = [replace(part, number=-1, second=0) for part in [*parts, late]] if elapsed else [*parts, late]
    if elapsed or late.number < 0:
        return _consistent([replace(part, second=0) for part in apart], elapsed=elapsed)
    others = [part for part in parts if part.number != late.number or part.part in (Part.FIRST, Part.LAST)]
    return _consistent([*others, late]) or _repeats_a_number(parts, late)


def _repeats_a_number(parts: list[Piece], late: Piece) -> bool:
    """Return whether all that is wrong is a number that is there already: that is not remembered."""
    ends = {part.part: part.number for part in parts}
    low, high = min(part.number for part in parts), max(part.number for part in parts)
    if len({part.event_type for part in [*parts, late]}) > 1 or (late.part in ends and late.part is not Part.MIDDLE):
        return False
    if (late.part is Part.FIRST and late.number > low) or (late.part is Part.LAST and late.number < high):
        return False
    inside = (Part.FIRST not in ends or late.number >= low) and (Part.LAST not in ends or late.number <= high)
    return inside and any(part.number == late.number for part in parts)


def _complete(parts: list[Piece]) -> bool:
    """Return whether first and last are there, and nothing between them is missing."""
    first = [part.number for part in parts if part.part is Part.FIRST]
    last = [part.number for part in parts if part.part is Part.LAST]
    return bool(first and last) and (first[0] < 0 or last[0] - first[0] + 1 == len(parts))
