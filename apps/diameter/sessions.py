"""Sessions of credit control: a memory of what the charging log knows, and how it is found there again.

A session's reservations have names that follow from its Session-Id, the number of the request and the group, so the log is its
directory: whoever has the log finds the latest reservation of a group, and whose it is. What is here only saves looking.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from apps.diameter.credit import Credit, Whose
from apps.embedded.charging_requests import keys_of
from connectors.diameter.identity import Answer
from schemas.charging import ChargingCode

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

SESSIONS_MAX = 100_000
"""Sessions that are remembered; the one that was silent longest is looked up in the log again."""
ANSWERS_KEPT = 2
"""Answers of a session that are remembered as they were sent; earlier ones are made again from the log."""
LOOKED_BACK_MAX = 4096
"""How many requests back a reservation is looked for."""
RESERVED = "r"


@dataclass(slots=True)
class Session:
    """What is known of one session.

    Attributes:
        access_point: whose usage it is, "" when nobody said so yet. number: of the latest request, -1 before the first.
        groups: the number of the request with the open reservation of each group. known: groups that were looked for.
        held: base steps of those reservations that were made here, and until when they are held, microseconds UTC.
        short: groups that were granted less than they asked for last.
        whose: as its network element knows it, and `peer`, by which connection it came last; None where only the log knows it.
        answers: to the latest requests, by type and number.
    """

    access_point: str = ""
    whose: Whose | None = None
    peer: str = ""
    number: int = -1
    groups: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    held: dict[str, tuple[int, int]] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)
    answers: dict[tuple[int, int], Answer] = field(default_factory=dict)

    def remember(self, kind: int, number: int, answer: Answer) -> None:
        """Keep an answer, to send it again."""
        self.answers[kind, number] = answer
        if len(self.answers) > ANSWERS_KEPT:
            del self.answers[next(iter(self.answers))]


class Sessions:
    """Sessions that are remembered.

    Attributes:
        limited: access points of those that were granted less than they asked for, and would like to hear of money.
    """

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        """Remember nothing yet."""
        self._max = sessions_max
        self._known: OrderedDict[str, Session] = OrderedDict()
        self.limited: dict[str, str] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def get(self, name: str) -> Session | None:
        """Return a session that is remembered."""
        found = self._known.get(name)
        if found is not None:
            self._known.move_to_end(name)
        return found

    def forget(self, name: str) -> None:
        """Look a session up in the log when it comes again."""
        self._known.pop(name, None)
        self.limited.pop(name, None)

    def put(self, name: str, session: Session) -> None:
        """Remember a session."""
        self._known[name] = session
        self._known.move_to_end(name)
        while len(self._known) > self._max:
            self.limited.pop(self._known.popitem(last=False)[0], None)

    def names(self) -> list[str]:
        """Return the names of all that are remembered."""
        return list(self._known)


def find_session(engine: Engine, credit: Credit, groups: Sequence[str]) -> Session:
    """Return what the charging log knows of a session before a request: the latest reservation of each of some groups.

    Called by the main loop; changes nothing.
    """
    kept, words = engine.state.charging.kept, engine.state.vocabulary
    session = Session(number=credit.number - 1, known=set(groups))
    numbers = range(credit.number - 1, max(credit.number - 1 - LOOKED_BACK_MAX, -1), -1)
    if not numbers:
        return session
    for group in groups:
        names = [credit.name(group, number, RESERVED) for number in numbers]
        places = kept.index.find(*keys_of(engine.secret, names))
        there = np.flatnonzero(places >= 0)
        if not len(there):
            continue
        rows = kept.rows(places[there])
        done = np.flatnonzero(rows["answer"]["code"] == ChargingCode.DONE)
        if len(done):
            first = int(done[0])
            session.groups[group] = numbers[int(there[first])]
            session.access_point = words.access_points.name(int(rows["request"]["access_point"][first]))
    return session
