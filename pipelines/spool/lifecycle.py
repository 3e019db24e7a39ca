"""What became of rejections, read from the log alone: the statuses, and which may follow which.

OPEN -> TO_REPROCESS -> REPLAYED, or OPEN -> REPLAYED at once: tried again, and final; what a retry refuses again is a new
rejection, OPEN, with a retry more. OPEN and TO_REPROCESS -> DISCARDED -> OPEN. REPLAYED by a correction -> OPEN, when the
correction is backed out or abandoned. CANCELLED: its file was backed out, or a newer record took its place; final.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.spool.journal import (
    Abandon,
    Cancel,
    Discard,
    EdrRetry,
    FileClaim,
    JournalEntry,
    Mark,
    RecordRetry,
    Refusal,
    Reopen,
    Rerate,
    with_branch,
)

Place = tuple[int, int, int]
"""Claim, record and branch of a rejection."""


class Status(StrEnum):
    """What somebody decided about a rejection."""

    OPEN = "OPEN"
    TO_REPROCESS = "TO_REPROCESS"
    REPLAYED = "REPLAYED"
    DISCARDED = "DISCARDED"
    CANCELLED = "CANCELLED"


class Step(StrEnum):
    """What can be done with rejections."""

    REPLAY = "replay"
    MARK = "mark"
    DISCARD = "discard"
    REOPEN = "reopen"
    CORRECT = "correct"


ALLOWED: dict[Step, frozenset[Status]] = {
    Step.REPLAY: frozenset({Status.OPEN, Status.TO_REPROCESS}),
    Step.MARK: frozenset({Status.OPEN}),
    Step.DISCARD: frozenset({Status.OPEN, Status.TO_REPROCESS}),
    Step.REOPEN: frozenset({Status.TO_REPROCESS, Status.DISCARDED}),
    Step.CORRECT: frozenset({Status.OPEN, Status.TO_REPROCESS}),
}
"""From which statuses each step may be taken. REPLAYED and CANCELLED are frozen."""


@dataclass(slots=True)
class Decisions:
    """The statuses of all rejections that an entry of the log named, and the claims that were backed out."""

    named: dict[Place, Status] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)

    def status(self, place: Place) -> Status:
        """Return the status of a rejection."""
        named = self.named.get(place, Status.OPEN)
        return Status.CANCELLED if place[0] in self.withdrawn and named is not Status.REPLAYED else named


def answered(entry: JournalEntry) -> tuple[Refusal, ...]:
    """Return the rejections that an entry of the log answers for good: tried again, corrected or closed."""
    match entry:
        case RecordRetry() | EdrRetry() | FileClaim() | Rerate():
            return entry.refused
        case Cancel():
            return (*entry.refused, *entry.replayed)
        case _:
            return ()


def decisions(entries: Iterable[JournalEntry]) -> Decisions:
    """Return what the entries of a log decided, in their order."""
    found = Decisions()
    for entry in entries:
        match entry:
            case RecordRetry() | EdrRetry() | FileClaim() | Rerate():
                status = Status.REPLAYED
            case Discard():
                status = Status.DISCARDED
            case Mark():
                status = Status.TO_REPROCESS
            case Reopen():
                status = Status.OPEN
            case Abandon():
                found.named.update(dict.fromkeys(map(with_branch, entry.reopened), Status.OPEN))
                continue
            case Cancel():
                status = Status.CANCELLED
                found.withdrawn.update(entry.claims)
                found.named.update(dict.fromkeys(map(with_branch, entry.replayed), Status.REPLAYED))
                found.named.update(dict.fromkeys(map(with_branch, entry.reopened), Status.OPEN))
            case _:
                continue
        found.named.update(dict.fromkeys(map(with_branch, entry.refused), status))
    return found
