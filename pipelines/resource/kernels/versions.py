"""Versions of records: of several contents under one identity the newest counts, in whatever order they come.

The newest is the one with the highest version. Only one content can hold the identity; a newer one is parked until the earlier
EDR is withdrawn outside the stage, and everything older than the newest one *seen* is superseded at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.resource.kernels.moving import home

U = np.uint64
I64 = np.int64
ACCEPTED = 0
SAME = 1
OLDER = 2
NEWER = 3
UNUSABLE = 4
UNPLACED = 5
CONFLICT = 3
"""Verdict of the dedup kernels: the key is held with another content."""


@njit(cache=True, nogil=True)
def find_version(key_hi: Any, key_lo: Any, key_day: Any, hi: Any, lo: Any, day: Any) -> Any:
    """Return the slot of a key in a table that is never full, or ~slot of the empty one where it would go.

    Args:
        key_hi, key_lo: (cap,) uint64, (0, 0) empty; key_day: (cap,) int32; cap a power of two. hi, lo, day: the key.
    """
    mask = U(len(key_hi) - 1)
    slot = home(lo, day, mask)
    while True:
        a = key_hi[slot]
        b = key_lo[slot]
        if a == hi and b == lo and key_day[slot] == day:
            return I64(slot)
        if a == U(0) and b == U(0):
            return ~I64(slot)
        slot = (slot + U(1)) & mask


@njit(cache=True, nogil=True)
def decide_versions(
    key_hi: Any,
    key_lo: Any,
    key_day: Any,
    holder_claim: Any,
    holder_record: Any,
    held: Any,
    highest: Any,
    rows: Any,
    hi: Any,
    lo: Any,
    day: Any,
    content: Any,
    version: Any,
    claim: Any,
    record: Any,
    first: Any,
    verdict: Any,
    usable: Any,
    holds: Any,
    answer: Any,
) -> int:
    """Decide rows of a block whose identity is known, or was taken in this block, in order.

    Args:
        key_hi, key_lo, key_day: (cap,) the table, with room for every row. holder_claim, holder_record: (cap,) int64 place of
            the record that holds the identity; claim 0: nobody does. held: (cap,) int64 its version, -1 when nobody;
            highest: (cap,) int64 of all that were seen.
        rows: (m,) int64 rows to decide. hi, lo: (n,) uint64, day: (n,) int32 identities; content: (n,) uint64, never 0;
            version: (n,) int64 >= 0; record: (n,) int64; claim: int64 of the block.
        first: (n,) int64 the row that took the identity in this block, -1 when it was known before. verdict: (n,) of the dedup
            kernels. usable: (n,) bool: a subscription owns it.
        holds: (n,) uint64 zeros; on return holds[first] is the content that has the identity, 0 when all were refused.
        answer: (n,) uint8, written: ACCEPTED; SAME content as the newest, or as an older one; OLDER than the newest; NEWER, to
            be parked; UNUSABLE; UNPLACED: another content holds the identity, from before versions were kept.

    Returns:
        How many identities were added to the table.
    """
    added = 0
    for j in range(len(rows)):
        i = rows[j]
        slot = find_version(key_hi, key_lo, key_day, hi[i], lo[i], day[i])
        known = slot >= 0
        f = first[i]
        if f >= 0 and holds[f] == U(0):
            if not usable[i]:
                answer[i] = UNUSABLE
                continue
            if known and highest[slot] > version[i]:
                answer[i] = OLDER
                continue
            if not known:
                slot = ~slot
                key_hi[slot] = hi[i]
                key_lo[slot] = lo[i]
                key_day[slot] = day[i]
                added += 1
            holder_claim[slot] = claim
            holder_record[slot] = record[i]
            held[slot] = version[i]
            highest[slot] = version[i]
            holds[f] = content[i]
            answer[i] = ACCEPTED
            continue
        same = holds[f] == content[i] if f >= 0 else verdict[i] != CONFLICT
        if not known:
            answer[i] = SAME if same else UNPLACED
            continue
        if same and (version[i] <= highest[slot] or highest[slot] == held[slot]):
            answer[i] = SAME
            if version[i] > highest[slot]:
                held[slot] = version[i]
                highest[slot] = version[i]
            continue
        if not usable[i]:
            answer[i] = UNUSABLE
        elif version[i] < highest[slot] or (version[i] == highest[slot] and highest[slot] == held[slot]):
            answer[i] = OLDER
        else:  # newer than the holder, and not older than what is parked: that one may be coming again itself
            highest[slot] = version[i]
            answer[i] = NEWER
    return added


@njit(cache=True, nogil=True)
def vacate(
    key_hi: Any,
    key_lo: Any,
    key_day: Any,
    holder_claim: Any,
    holder_record: Any,
    held: Any,
    highest: Any,
    hi: Any,
    lo: Any,
    day: Any,
    forget: Any,
) -> None:
    """Let nobody hold some identities (k,) any more; with `forget` (bool) any version may come again.

    Args:
        key_hi .. highest: as for `decide_versions`. hi, lo: (k,) uint64; day: (k,) int32.
    """
    for i in range(len(hi)):
        slot = find_version(key_hi, key_lo, key_day, hi[i], lo[i], day[i])
        if slot < 0:
            continue
        holder_claim[slot] = 0
        holder_record[slot] = 0
        held[slot] = -1
        if forget:
            highest[slot] = -1


@njit(cache=True, nogil=True)
def count_from(key_hi: Any, key_lo: Any, key_day: Any, first_day: Any) -> int:
    """Return how many keys are of a day or later; key_hi, key_lo, key_day: as for `find_version`."""
    found = 0
    for slot in range(len(key_day)):
        if key_day[slot] >= first_day and (key_hi[slot] != U(0) or key_lo[slot] != U(0)):
            found += 1
    return found
