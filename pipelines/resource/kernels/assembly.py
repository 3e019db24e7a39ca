"""Assembly: partial records of one session become one EDR when their set is complete, or when nothing more came.

A session is a slot of an open-addressing table and a linked list of parts, newest first. Each part keeps all its owners, as
a list of its own. A session that ended stays as a mark, so that what comes later is known to be late. Opening sessions
again is in `pipelines.resource.kernels.reopening`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.resource.kernels.moving import is_gone

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
SEPARATE = 9
REOPENS = 10
FULL = 11

FREE = 0
OPEN = 1
CLOSED = 2
VACANT = 3
"""All its parts were taken away again: it may begin anew."""

HAS_FIRST = 1
HAS_LAST = 2
WHOLE = 4
"""It ended because its set was complete."""
ELAPSED = 8
STRICT = 16
"""`schemas.cdr.ELAPSED` and `STRICT`."""
IN_DONE = 32
"""Complete, and in `done` already; until the end of the block."""
NOT_DONE = 0xFF ^ IN_DONE
BOTH = HAS_FIRST | HAS_LAST
LATE_SEPARATE = 1
LATE_REOPEN = 2
"""`schemas.cdr.Late`."""
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
def _within(sessions: Any, slot: Any, part: Any, sequence: Any) -> Any:
    """Return whether a part may belong to a session by its ends: no second first or last, no number out of bounds."""
    flags = sessions.flags[slot]
    if part == LAST and flags & HAS_LAST:
        return False
    if part == FIRST and flags & HAS_FIRST and not flags & ELAPSED:
        return False
    if sequence < 0:
        return True
    if part == FIRST and sequence > sessions.lowest[slot]:
        return False
    if part == LAST and sequence < sessions.highest[slot]:
        return False
    if flags & HAS_FIRST and sequence < sessions.lowest[slot]:
        return False
    return not (flags & HAS_LAST and sequence > sessions.highest[slot])


@njit(cache=True, nogil=True)
def _fits(sessions: Any, parts: Any, slot: Any, part: Any, sequence: Any, event_at: Any) -> Any:
    """Return whether a part may belong to an open session: `_within`, no number twice, and no end before the beginning."""
    if sessions.part_count[slot] == 0:
        return True
    if not _within(sessions, slot, part, sequence):
        return False
    flags = sessions.flags[slot]
    if flags & ELAPSED:
        earliest = event_at if part == FIRST else np.int64(QUANTITY_MAX)
        end = event_at if part == LAST else np.int64(QUANTITY_MAX)
        at = sessions.head[slot]
        while at >= 0:
            if parts.part[at] == FIRST:
                earliest = min(earliest, parts.event_at[at])
            elif parts.part[at] == LAST:
                end = min(end, parts.event_at[at])
            at = parts.next[at]
        both = (flags & HAS_FIRST or part == FIRST) and (flags & HAS_LAST or part == LAST)
        return not both or earliest <= end
    if sequence < 0:
        return True
    at = sessions.head[slot]
    while at >= 0:
        if parts.sequence[at] == sequence:
            return False
        at = parts.next[at]
    return True


@njit(cache=True, nogil=True)
def _late(sessions: Any, slot: Any, given: Any, i: Any) -> Any:
    """Return the answer to a part whose session has ended."""
    if given.late != LATE_SEPARATE and given.late != LATE_REOPEN:
        return LATE
    numbered = given.sequence[i] >= 0
    if sessions.event_type[slot] != given.event_type[i] or (numbered and sessions.flags[slot] & WHOLE):
        return CONFLICT
    if not _within(sessions, slot, given.part[i], given.sequence[i]):
        return CONFLICT
    return SEPARATE if given.late == LATE_SEPARATE else REOPENS


@njit(cache=True, nogil=True)
def take_row(parts: Any, heap: Any) -> Any:
    """Return a free row of the parts; heap is (first free row, rows ever used)."""
    at = heap[0]
    if at >= 0:
        heap[0] = parts.next[at]
        return at
    at = heap[1]
    heap[1] += 1
    return at


@njit(cache=True, nogil=True)
def write_part(parts: Any, at: Any, claim: Any, record: Any, given: Any, i: Any) -> None:
    """Write what row `i` of `given` (sequence, part, event_at, quantity, attributes, values) says into row `at`."""
    parts.claim[at] = claim
    parts.record[at] = record
    parts.sequence[at] = given.sequence[i]
    parts.part[at] = given.part[i]
    parts.event_at[at] = given.event_at[i]
    parts.quantity[at] = given.quantity[i]
    parts.attributes[at] = given.attributes[i]
    for value in range(parts.values.shape[1]):
        parts.values[at, value] = given.values[i, value] if given.values.shape[1] > 0 else VALUE_ABSENT


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
        given: `pipelines.resource.assembly.Given`, the block's columns; `room`: how many sessions may be opened.
        first: (n,) int64 the row that took the same key first. usable: (n,) bool: a subscription owns it, or
            it is a part that needs none, as others have one.
        owner_ptr: (m + 1,) int64: row j has the owners owner_ptr[j] .. owner_ptr[j + 1].
        owner_subscription, owner_access_point: (k,) int32.
        claim, source, stage_time: int64.
        held: (n,) uint64 zeros; on return held[first] is the content of the row that has the key, 0 when all were refused.
        answer: (n,) uint8, written: PLAIN, ABSORBED, COMPLETE (with this one), SEPARATE (late, and usage of its own); LATE,
            REOPENS, CONFLICT, TOO_LARGE or FULL, which leave session and key as they were; SAME or OTHER content as the row
            that has the key; UNUSABLE.
        done: (m, 2) int64, written: row and slot of each session that is complete.

    Returns:
        (sessions that are complete, slots that were free before, sessions that were opened).
    """
    complete = 0
    fresh = 0
    opened = 0
    room = given.room
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
        status = sessions.status[slot]
        is_new = status == FREE or status == VACANT
        is_nobodys = owner_ptr[j] == owner_ptr[j + 1]
        if is_nobodys and given.part[i] == FIRST and (is_new or not sessions.flags[slot] & HAS_FIRST):
            answer[i] = UNUSABLE
            continue
        is_over = status == CLOSED or (status == OPEN and sessions.deadline[slot] <= stage_time)
        if status == OPEN and given.late == LATE_REOPEN:
            is_over = False  # nothing was made of it yet: there is nothing to open again
        if is_over:
            answer[i] = _late(sessions, slot, given, i)
            if answer[i] == SEPARATE and is_nobodys:
                answer[i] = UNUSABLE
            elif answer[i] == SEPARATE:
                held[first[i]] = given.content[i]
            continue
        if is_new:
            sessions.part_count[slot] = 0
            sessions.flags[slot] = given.mode
            sessions.head[slot] = NONE
            sessions.quantity[slot] = 0
        elif sessions.event_type[slot] != given.event_type[i] or not _fits(
            sessions, parts, slot, given.part[i], given.sequence[i], given.event_at[i]
        ):
            answer[i] = CONFLICT
            continue
        if sessions.part_count[slot] >= PARTS_MAX or given.quantity[i] > QUANTITY_MAX - sessions.quantity[slot]:
            answer[i] = TOO_LARGE
            continue
        if is_new and room <= 0:
            answer[i] = FULL
            continue
        if is_new:
            room -= 1
            opened += 1
            fresh += status == FREE
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
        for k in range(owner_ptr[j], max(owner_ptr[j + 1], owner_ptr[j] + 1)):
            own = take_row(parts, heap)
            parts.subscription[own] = NONE if is_nobodys else owner_subscription[k]
            parts.access_point[own] = NONE if is_nobodys else owner_access_point[k]
            parts.sibling[own] = NONE
            if at < 0:
                parts.next[own] = sessions.head[slot]
                sessions.head[slot] = own
            else:
                parts.sibling[at] = own
                parts.next[own] = NONE
            at = own
        write_part(parts, sessions.head[slot], claim, given.record[i], given, i)
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
        if sessions.flags[slot] & BOTH == BOTH and not sessions.flags[slot] & IN_DONE:
            whole = sessions.highest[slot] - sessions.lowest[slot] + 1
            if sessions.highest[slot] < 0 or sessions.part_count[slot] == whole:
                answer[i] = COMPLETE
                room += 1
                if sessions.flags[slot] & ELAPSED:
                    sessions.flags[slot] |= IN_DONE  # an earlier beginning may follow in this block
                else:
                    sessions.status[slot] = CLOSED
                sessions.flags[slot] |= WHOLE
                done[complete, 0] = i
                done[complete, 1] = slot
                complete += 1
    for d in range(complete):
        sessions.status[done[d, 1]] = CLOSED
        sessions.flags[done[d, 1]] &= NOT_DONE
    return complete, fresh, opened


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
def lead(sessions: Any, parts: Any, slots: Any, leader: Any, branches: Any, until: Any) -> Any:
    """Choose the part whose time, attributes and owners each session's EDR has.

    Args:
        slots: (d,) int64 sessions with parts. leader, branches: (d,) int64, written: its row, and how many owners it has.
        until: (d,) int64, written: event time of the last part, or of the latest where the last is missing.

    Returns:
        How many parts the sessions have together.
    """
    total = 0
    for d in range(len(slots)):
        best = sessions.head[slots[d]]
        until[d] = sessions.latest[slots[d]]
        at = best
        while at >= 0:
            total += 1
            if parts.part[at] == LAST:
                until[d] = parts.event_at[at]
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
def earliest(status: Any, deadline: Any, gone: Any, border: Any) -> Any:
    """Return the earliest deadline of open sessions, 2**62 without any.

    Args:
        status: (cap,) uint8; deadline: (cap,) int64. gone: (cap / 8,) uint8 bits of slots that are not to be looked at, or
            (0,); border: nor are those before it.
    """
    found = np.int64(2**62)
    for slot in range(border, len(status)):
        if status[slot] == OPEN and deadline[slot] < found and (len(gone) == 0 or not is_gone(gone, slot)):
            found = deadline[slot]
    return found


@njit(cache=True, nogil=True)
def list_due(status: Any, deadline: Any, gone: Any, border: Any, stage_time: Any, slots: Any) -> Any:
    """Return how many open sessions end by a stage time, and write down where they are, as far as there is room.

    Args:
        status, deadline, gone, border: as for `earliest`. slots: (k,) int64, written.
    """
    found = 0
    for slot in range(border, len(status)):
        if status[slot] == OPEN and deadline[slot] <= stage_time and (len(gone) == 0 or not is_gone(gone, slot)):
            if found < len(slots):
                slots[found] = slot
            found += 1
    return found


@njit(cache=True, nogil=True)
def count_kept(status: Any, latest: Any, window_start: Any) -> Any:
    """Return how many sessions are open, or have ended and had a part since then; status, latest: (cap,)."""
    kept = 0
    for slot in range(len(status)):
        kept += status[slot] == OPEN or (status[slot] == CLOSED and latest[slot] >= window_start)
    return kept
