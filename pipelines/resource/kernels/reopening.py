"""Opening sessions again: parts leave them when what brought them is backed out, and come back into those that had ended."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.resource.kernels.assembly import (
    BOTH,
    CLOSED,
    FIRST,
    FREE,
    HAS_FIRST,
    HAS_LAST,
    LAST,
    NONE,
    OPEN,
    VACANT,
    find_session,
    take_row,
    write_part,
)


@njit(cache=True, nogil=True)
def list_parts(sessions: Any, parts: Any, place: Any) -> Any:
    """Write down where the parts of open sessions are.

    Args:
        sessions, parts: see `pipelines.resource.assembly`. place: (rows ever used, 4) int64, written: slot, claim,
            record, and its row of `parts`.

    Returns:
        How many parts there are.
    """
    found = 0
    for slot in range(len(sessions.status)):
        if sessions.status[slot] != OPEN:
            continue
        at = sessions.head[slot]
        while at >= 0:
            place[found, 0] = slot
            place[found, 1] = parts.claim[at]
            place[found, 2] = parts.record[at]
            place[found, 3] = at
            found += 1
            at = parts.next[at]
    return found


@njit(cache=True, nogil=True)
def find_sessions(sessions: Any, key_hi: Any, key_lo: Any, slot: Any) -> None:
    """Write the slots of sessions, or the free ones where they belong; key_hi, key_lo: (k,) uint64, slot: (k,) int64."""
    for row in range(len(key_hi)):
        slot[row] = find_session(sessions, key_hi[row], key_lo[row])


@njit(cache=True, nogil=True)
def _survey(sessions: Any, parts: Any, slot: Any) -> None:
    """Make a session say what its parts say; without any it is vacant."""
    at = sessions.head[slot]
    if at < 0:
        sessions.status[slot] = VACANT
        sessions.part_count[slot] = 0
        return
    sessions.part_count[slot] = 0
    sessions.quantity[slot] = 0
    sessions.flags[slot] &= 0xFF ^ BOTH
    sessions.lowest[slot] = parts.sequence[at]
    sessions.highest[slot] = parts.sequence[at]
    sessions.latest[slot] = parts.event_at[at]
    while at >= 0:
        sessions.part_count[slot] += 1
        sessions.quantity[slot] += parts.quantity[at]
        sessions.lowest[slot] = min(sessions.lowest[slot], parts.sequence[at])
        sessions.highest[slot] = max(sessions.highest[slot], parts.sequence[at])
        sessions.latest[slot] = max(sessions.latest[slot], parts.event_at[at])
        if parts.part[at] == FIRST:
            sessions.flags[slot] |= HAS_FIRST
        elif parts.part[at] == LAST:
            sessions.flags[slot] |= HAS_LAST
        at = parts.next[at]


@njit(cache=True, nogil=True)
def take_away(
    sessions: Any, parts: Any, heap: Any, key_hi: Any, key_lo: Any, claim: Any, record: Any, deadline: Any
) -> None:
    """Take parts out of their sessions; one that had ended is vacant after that.

    Args:
        sessions, parts, heap: as for `absorb`.
        key_hi, key_lo: (k,) uint64 sessions; claim, record: (k,) int64 their parts; deadline: (k,) int64 until when what is
            left of the session waits, at least.
    """
    for row in range(len(claim)):
        slot = find_session(sessions, key_hi[row], key_lo[row])
        if sessions.status[slot] == CLOSED:
            sessions.status[slot] = VACANT
        if sessions.status[slot] != OPEN:
            continue
        before = np.int64(NONE)
        at = sessions.head[slot]
        while at >= 0 and not (parts.claim[at] == claim[row] and parts.record[at] == record[row]):
            before = at
            at = parts.next[at]
        if at < 0:
            continue
        if before < 0:
            sessions.head[slot] = parts.next[at]
        else:
            parts.next[before] = parts.next[at]
        while at >= 0:
            sibling = parts.sibling[at]
            parts.next[at] = heap[0]
            heap[0] = at
            at = sibling
        sessions.deadline[slot] = max(sessions.deadline[slot], deadline[row])
        _survey(sessions, parts, slot)


@njit(cache=True, nogil=True)
def put_back(sessions: Any, parts: Any, heap: Any, given: Any, deadline: Any) -> Any:
    """Open sessions again with parts that they had.

    Args:
        sessions, parts, heap: as for `absorb`, with room for every row.
        given: `pipelines.resource.reopening.Returned`, k rows: one per part and owner, those of a part next to each other.
        deadline: (k,) int64 until when the session waits.

    Returns:
        How many slots were free before.
    """
    fresh = 0
    at = np.int64(NONE)
    for row in range(len(given.claim)):
        slot = find_session(sessions, given.key_hi[row], given.key_lo[row])
        status = sessions.status[slot]
        if status != OPEN:
            fresh += status == FREE
            sessions.key_hi[slot] = given.key_hi[row]
            sessions.key_lo[slot] = given.key_lo[row]
            sessions.status[slot] = OPEN
            sessions.flags[slot] = given.mode[row]
            sessions.head[slot] = NONE
            sessions.deadline[slot] = deadline[row]
            sessions.source[slot] = given.source[row]
            sessions.event_type[slot] = given.event_type[row]
        own = take_row(parts, heap)
        parts.subscription[own] = given.subscription[row]
        parts.access_point[own] = given.access_point[row]
        parts.sibling[own] = NONE
        again = (
            row > 0
            and status == OPEN
            and given.claim[row] == given.claim[row - 1]
            and given.record[row] == given.record[row - 1]
        )
        if again:
            parts.sibling[at] = own
            parts.next[own] = NONE
            at = own
            continue
        at = own
        parts.next[own] = sessions.head[slot]
        sessions.head[slot] = own
        write_part(parts, own, given.claim[row], given.record[row], given, row)
        sessions.deadline[slot] = max(sessions.deadline[slot], deadline[row])
    for row in range(len(given.claim)):
        _survey(sessions, parts, find_session(sessions, given.key_hi[row], given.key_lo[row]))
    return fresh
