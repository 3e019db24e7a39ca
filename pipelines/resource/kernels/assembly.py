"""Assembly: partial records of one session become one EDR when their set is complete, or when nothing more came.

A session is a slot of an open-addressing table and a linked list of parts, newest first. Each part keeps all its owners, as
a list of its own. A session that ended stays as a mark, so that what comes later is known to be late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64

SINGLE = 0
FIRST = 1
MIDDLE = 2
LAST = 3

PLAIN = 0
ABSORBED = 1
COMPLETE = 2
LATE = 3
CONFLICT = 4
TOO_LARGE = 5
SAME = 6
OTHER = 7
UNUSABLE = 8

FREE = 0
OPEN = 1
CLOSED = 2

HAS_FIRST = 1
HAS_LAST = 2
NONE = -1
VALUE_ABSENT = -(2**63)
QUANTITY_MAX = 2**62
PARTS_MAX = 4096
"""Most parts of one session: looking for a repeated sequence number goes through all of them."""


@njit(cache=True, nogil=True)
def find_session(sessions: Any, hi: Any, lo: Any) -> Any:
    """Return the slot of a session, or the free one where it belongs; the table is never full."""
    mask = U(len(sessions.key_hi) - 1)
    slot = lo & mask
    while sessions.status[slot] != FREE and not (sessions.key_hi[slot] == hi and sessions.key_lo[slot] == lo):
        slot = (slot + U(1)) & mask
    return np.int64(slot)


@njit(cache=True, nogil=True)
def _fits(sessions: Any, parts: Any, slot: Any, part: Any, sequence: Any) -> Any:
    """Return whether a part may belong to an open session: no second first, last or sequence number, none out of bounds."""
    flags = sessions.flags[slot]
    if (part == FIRST and flags & HAS_FIRST) or (part == LAST and flags & HAS_LAST):
        return False
    if sequence < 0 or sessions.part_count[slot] == 0:
        return True
    if part == FIRST and sequence > sessions.lowest[slot]:
        return False
    if part == LAST and sequence < sessions.highest[slot]:
        return False
    if flags & HAS_FIRST and sequence < sessions.lowest[slot]:
        return False
    if flags & HAS_LAST and sequence > sessions.highest[slot]:
        return False
    at = sessions.head[slot]
    while at >= 0:
        if parts.sequence[at] == sequence:
            return False
        at = parts.next[at]
    return True


@njit(cache=True, nogil=True)
def _take(parts: Any, heap: Any) -> Any:
    """Return a free row of the parts; heap is (first free row, rows ever used)."""
    at = heap[0]
    if at >= 0:
        heap[0] = parts.next[at]
        return at
    at = heap[1]
    heap[1] += 1
    return at


@njit(cache=True, nogil=True)
def absorb(
    sessions: Any,
    parts: Any,
    heap: Any,
    rows: Any,
    given: Any,
    first: Any,
    usable: Any,
    owner_ptr: Any,
    owner_subscription: Any,
    owner_access_point: Any,
    claim: Any,
    source: Any,
    stage_time: Any,
    held: Any,
    answer: Any,
    done: Any,
) -> Any:
    """Put the rows of a block into their sessions, in order.

    Args:
        sessions, parts: see `pipelines.resource.assembly`; with room for every row and every owner. heap: (2,) int64.
        rows: (m,) int64 rows that took a key or ask for one taken in this block.
        given: `pipelines.resource.assembly.Given`, the block's columns.
        first: (n,) int64 the row that took the same key first. usable: (n,) bool: a subscription owns it.
        owner_ptr: (m + 1,) int64: row j has the owners owner_ptr[j] .. owner_ptr[j + 1].
        owner_subscription, owner_access_point: (k,) int32.
        claim, source, stage_time: int64.
        held: (n,) uint64 zeros; on return held[first] is the content of the row that has the key, 0 when all were refused.
        answer: (n,) uint8, written: PLAIN, ABSORBED, COMPLETE (with this one), LATE, CONFLICT or TOO_LARGE, which leave
            session and key as they were, SAME or OTHER content as the row that has the key, UNUSABLE.
        done: (m, 2) int64, written: row and slot of each session that is complete.

    Returns:
        (sessions that are complete, slots that were free before).
    """
    complete = 0
    fresh = 0
    for j in range(len(rows)):
        i = rows[j]
        holder = held[first[i]]
        if holder != U(0):
            answer[i] = SAME if holder == given.content[i] else OTHER
            continue
        if not usable[i]:
            answer[i] = UNUSABLE
            continue
        if given.part[i] == SINGLE:
            answer[i] = PLAIN
            held[first[i]] = given.content[i]
            continue
        slot = find_session(sessions, given.key_hi[i], given.key_lo[i])
        is_new = sessions.status[slot] == FREE
        if not is_new and (sessions.status[slot] == CLOSED or sessions.deadline[slot] <= stage_time):
            answer[i] = LATE
            continue
        if is_new:
            sessions.part_count[slot] = 0
            sessions.flags[slot] = 0
            sessions.head[slot] = NONE
            sessions.quantity[slot] = 0
        elif sessions.event_type[slot] != given.event_type[i] or not _fits(
            sessions, parts, slot, given.part[i], given.sequence[i]
        ):
            answer[i] = CONFLICT
            continue
        if sessions.part_count[slot] >= PARTS_MAX or given.quantity[i] > QUANTITY_MAX - sessions.quantity[slot]:
            answer[i] = TOO_LARGE
            continue
        if is_new:
            fresh += 1
            sessions.key_hi[slot] = given.key_hi[i]
            sessions.key_lo[slot] = given.key_lo[i]
            sessions.status[slot] = OPEN
            sessions.event_type[slot] = given.event_type[i]
            sessions.source[slot] = source
            sessions.latest[slot] = given.event_at[i]
            sessions.deadline[slot] = stage_time + given.time_out
            sessions.lowest[slot] = given.sequence[i]
            sessions.highest[slot] = given.sequence[i]
        at = NONE
        for k in range(owner_ptr[j], owner_ptr[j + 1]):
            own = _take(parts, heap)
            parts.subscription[own] = owner_subscription[k]
            parts.access_point[own] = owner_access_point[k]
            parts.sibling[own] = NONE
            if at < 0:
                parts.next[own] = sessions.head[slot]
                sessions.head[slot] = own
            else:
                parts.sibling[at] = own
                parts.next[own] = NONE
            at = own
        at = sessions.head[slot]
        parts.claim[at] = claim
        parts.record[at] = given.record[i]
        parts.sequence[at] = given.sequence[i]
        parts.part[at] = given.part[i]
        parts.event_at[at] = given.event_at[i]
        parts.quantity[at] = given.quantity[i]
        parts.attributes[at] = given.attributes[i]
        for value in range(parts.values.shape[1]):
            parts.values[at, value] = given.values[i, value] if given.values.shape[1] > 0 else VALUE_ABSENT
        sessions.part_count[slot] += 1
        sessions.quantity[slot] += given.quantity[i]
        sessions.latest[slot] = max(sessions.latest[slot], given.event_at[i])
        sessions.deadline[slot] = max(sessions.deadline[slot], stage_time + given.time_out)
        sessions.lowest[slot] = min(sessions.lowest[slot], given.sequence[i])
        sessions.highest[slot] = max(sessions.highest[slot], given.sequence[i])
        if given.part[i] == FIRST:
            sessions.flags[slot] |= HAS_FIRST
        elif given.part[i] == LAST:
            sessions.flags[slot] |= HAS_LAST
        held[first[i]] = given.content[i]
        answer[i] = ABSORBED
        if sessions.flags[slot] == HAS_FIRST | HAS_LAST:
            whole = sessions.highest[slot] - sessions.lowest[slot] + 1
            if sessions.highest[slot] < 0 or sessions.part_count[slot] == whole:
                answer[i] = COMPLETE
                sessions.status[slot] = CLOSED
                done[complete, 0] = i
                done[complete, 1] = slot
                complete += 1
    return complete, fresh


@njit(cache=True, nogil=True)
def _is_before(parts: Any, one: Any, other: Any) -> Any:
    """Return whether a part leads another: the first one, then by sequence number, event time, claim, record."""
    if (parts.part[one] == FIRST) != (parts.part[other] == FIRST):
        return parts.part[one] == FIRST
    if parts.sequence[one] != parts.sequence[other]:
        return parts.sequence[one] < parts.sequence[other]
    if parts.event_at[one] != parts.event_at[other]:
        return parts.event_at[one] < parts.event_at[other]
    if parts.claim[one] != parts.claim[other]:
        return parts.claim[one] < parts.claim[other]
    return parts.record[one] < parts.record[other]


@njit(cache=True, nogil=True)
def lead(sessions: Any, parts: Any, slots: Any, leader: Any, branches: Any) -> Any:
    """Choose the part whose time, attributes and owners each session's EDR has.

    Args:
        slots: (d,) int64 sessions with parts. leader, branches: (d,) int64, written: its row, and how many owners it has.

    Returns:
        How many parts the sessions have together.
    """
    total = 0
    for d in range(len(slots)):
        best = sessions.head[slots[d]]
        at = best
        while at >= 0:
            total += 1
            if _is_before(parts, at, best):
                best = at
            at = parts.next[at]
        leader[d] = best
        branches[d] = 0
        at = best
        while at >= 0:
            branches[d] += 1
            at = parts.sibling[at]
    return total


@njit(cache=True, nogil=True)
def release(sessions: Any, parts: Any, heap: Any, slots: Any, leader: Any, edr: Any, owner: Any, pointer: Any) -> None:
    """Write down what sessions were made of, and give their parts back.

    Args:
        slots, leader: of `lead`.
        edr: (b,) int64, written: which session (index in `slots`) each EDR is of; owner: (b,) int64, written: the row of
            `parts` that holds its owner (read it before the next block).
        pointer: (k, 3) int64, written: session, claim and record of each part.
    """
    b = 0
    k = 0
    for d in range(len(slots)):
        at = leader[d]
        while at >= 0:
            edr[b] = d
            owner[b] = at
            b += 1
            at = parts.sibling[at]
        at = sessions.head[slots[d]]
        while at >= 0:
            pointer[k, 0] = d
            pointer[k, 1] = parts.claim[at]
            pointer[k, 2] = parts.record[at]
            k += 1
            following = parts.next[at]
            own = at
            while own >= 0:
                sibling = parts.sibling[own]
                parts.next[own] = heap[0]
                heap[0] = own
                own = sibling
            at = following
        sessions.head[slots[d]] = NONE
        sessions.status[slots[d]] = CLOSED
        sessions.part_count[slots[d]] = 0


@njit(cache=True, nogil=True)
def move_sessions(old: Any, new: Any, keep: Any) -> int:
    """Put the sessions `keep` ((m,) int64 slots) of one table into another, empty and large enough; return how many."""
    for j in range(len(keep)):
        at = keep[j]
        slot = find_session(new, old.key_hi[at], old.key_lo[at])
        new.key_hi[slot] = old.key_hi[at]
        new.key_lo[slot] = old.key_lo[at]
        new.status[slot] = old.status[at]
        new.flags[slot] = old.flags[at]
        new.head[slot] = old.head[at]
        new.part_count[slot] = old.part_count[at]
        new.quantity[slot] = old.quantity[at]
        new.deadline[slot] = old.deadline[at]
        new.lowest[slot] = old.lowest[at]
        new.highest[slot] = old.highest[at]
        new.latest[slot] = old.latest[at]
        new.source[slot] = old.source[at]
        new.event_type[slot] = old.event_type[at]
    return len(keep)
