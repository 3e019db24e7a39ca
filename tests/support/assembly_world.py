"""Parts of sessions from plain Python rows, and the obvious twin of assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from resource_world import ALWAYS, START_US, Row, Window, access_index, cdr_block

from pipelines.resource.kernels.assembly import PARTS_MAX
from pipelines.resource.stage import ResourceState, process
from schemas.cdr import BlockPosition, CdrBlock, Part, PartColumns
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


def pieces_block(pieces: Sequence[Piece], claim: int, first_record: int = 0, time_out_us: int = HOUR_US) -> CdrBlock:
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
        time_out_us,
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

    def take(
        self, pieces: Sequence[Piece], claim: int, stage_time: int, first_record: int = 0
    ) -> tuple[list[Reason], list[Assembled]]:
        """Process one block; return every record's reason, and the EDRs."""
        found = process(
            pieces_block(pieces, claim, first_record),
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
        return reasons, _assembled(found.edrs, claim, made_of)

    def tick(self, claim: int, stage_time: int) -> list[Assembled]:
        """End the sessions that are due; they are numbered from 0."""
        assembly = self.state.assembly
        if not assembly.is_due(stage_time):
            return []
        slots = assembly.due(stage_time)
        ended = assembly.end(slots)
        made_of: dict[int, list[tuple[int, int]]] = {}
        for session, *pointer in ended.part.tolist():
            made_of.setdefault(session, []).append((pointer[0], pointer[1]))
        edrs = ended.edrs(BlockPosition(claim, 0, 0), np.arange(len(slots), dtype=np.int64))
        return _assembled(edrs, claim, made_of)


@dataclass
class Twin:
    """Assembly on dictionaries: one session after the other, one part after the other."""

    windows: dict[int, list[Window]] = field(default_factory=lambda: ALWAYS)
    open: dict[int, tuple[int, list[tuple[tuple[int, int], Piece]]]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    seen: dict[int, int] = field(default_factory=dict)

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
            if piece.access not in self.windows:
                reasons.append(Reason.UNKNOWN_ACCESS_POINT)
                continue
            reason, edr = self._add(piece, place, stage_time)
            if reason in (Reason.NONE, Reason.ABSORBED_PART):
                self.seen[key] = piece.content
            reasons.append(reason)
            edrs += edr
        return reasons, edrs

    def _add(self, piece: Piece, place: tuple[int, int], stage_time: int) -> tuple[Reason, list[Assembled]]:
        if piece.part is Part.SINGLE:
            return Reason.NONE, [self._edr(place, [(place, piece)], ())]
        deadline, held = self.open.get(piece.session, (stage_time + HOUR_US, []))
        if piece.session in self.closed or deadline <= stage_time:
            return Reason.LATE_PART, []
        parts = [part for _, part in held]
        if not _consistent([*parts, piece]):
            return Reason.PART_CONFLICT, []
        if len(parts) >= PARTS_MAX or sum(part.quantity for part in [*parts, piece]) > QUANTITY_MAX:
            return Reason.SESSION_TOO_LARGE, []
        held = [*held, (place, piece)]
        if not _complete([part for _, part in held]):
            self.open[piece.session] = (max(deadline, stage_time + HOUR_US), held)
            return Reason.ABSORBED_PART, []
        self.open.pop(piece.session, None)
        self.closed.add(piece.session)
        return Reason.NONE, [self._edr(place, held, tuple(sorted(where for where, _ in held)))]

    def tick(self, claim: int, stage_time: int) -> list[Assembled]:
        """End the sessions that are due, by deadline and first part."""
        due = sorted(
            ((deadline, session) for session, (deadline, _) in self.open.items() if deadline <= stage_time),
            key=lambda item: (item[0], _leader(self.open[item[1]][1])[0]),
        )
        edrs = []
        for record, (_, session) in enumerate(due):
            _, held = self.open.pop(session)
            self.closed.add(session)
            edrs.append(self._edr((claim, record), held, tuple(sorted(where for where, _ in held))))
        return edrs

    def _edr(
        self,
        place: tuple[int, int],
        held: list[tuple[tuple[int, int], Piece]],
        made_of: tuple[tuple[int, int], ...],
    ) -> Assembled:
        _, leader = min(
            held, key=lambda item: (item[1].part is not Part.FIRST, item[1].number, item[1].second, item[0])
        )
        owner = self.windows[leader.access][0][2]
        total = sum(piece.quantity for _, piece in held)
        return place, START_US + leader.second * 1_000_000, total, owner, made_of


def _leader(held: list[tuple[tuple[int, int], Piece]]) -> tuple[tuple[int, int], Piece]:
    """Return the part whose time and owner the EDR has."""
    return min(held, key=lambda item: (item[1].part is not Part.FIRST, item[1].number, item[1].second, item[0]))


def _consistent(parts: list[Piece]) -> bool:
    """Return whether parts may be of one session."""
    numbers = [part.number for part in parts]
    for end in (Part.FIRST, Part.LAST):
        ends = [part.number for part in parts if part.part is end]
        if len(ends) > 1:
            return False
        if ends and ends[0] >= 0 and ends[0] != (min(numbers) if end is Part.FIRST else max(numbers)):
            return False
    known = [number for number in numbers if number >= 0]
    return len(set(known)) == len(known) and len({part.event_type for part in parts}) == 1


def _complete(parts: list[Piece]) -> bool:
    """Return whether first and last are there, and nothing between them is missing."""
    first = [part.number for part in parts if part.part is Part.FIRST]
    last = [part.number for part in parts if part.part is Part.LAST]
    return bool(first and last) and (first[0] < 0 or last[0] - first[0] + 1 == len(parts))
