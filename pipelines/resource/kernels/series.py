"""Series of cumulative readings: consumption is the difference of consecutive indexes of one register.

A reading that is refused here has no part in deduplication: its key may come again, in the same block too. Hence rows
with the same key are decided here one after the other, whatever came of the first of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64

MEASURED = 0
OPENED = 1
OUT_OF_ORDER = 2
DECREASED = 3
PLAIN = 4
SAME = 5
OTHER = 6
UNUSABLE = 7
REPEATED = 8
OVERFLOW = 9
FULL = 10
FORGOTTEN = 11

DAY_US = 86_400_000_000
REJECT = 0
RESET = 1
WRAP_32 = 2
WRAP_64 = 3
QUANTITY_MAX = 2**62
"""`schemas.cdr.OnDecrease` and `schemas.quantity.QUANTITY_MAX`, for compiled code."""


@njit(cache=True, nogil=True)
def consumption(last: Any, index: Any, on_decrease: Any, modulus: Any) -> Any:
    """Return what a counter counted from `last` to `index` (int64 base steps), -1 when that cannot be.

    Args:
        last, index: 0 .. QUANTITY_MAX; for WRAP_64 the bits of unsigned counters.
        on_decrease: what it means that `index` is lower; modulus: of WRAP_32, at most QUANTITY_MAX.
    """
    if on_decrease == WRAP_64:
        counted = U(index) - U(last)  # modulo 2**64
        return np.int64(counted) if counted <= U(QUANTITY_MAX) else np.int64(-1)
    if index >= last:
        return np.int64(index - last)
    if on_decrease == RESET:
        return np.int64(index)
    if on_decrease == WRAP_32 and last < modulus:
        return np.int64(index - last + modulus)
    return np.int64(-1)


@njit(cache=True, nogil=True)
def difference(
    key_hi: Any,
    key_lo: Any,
    last_at: Any,
    last_index: Any,
    keep_days: Any,
    space: Any,
    rows: Any,
    series_hi: Any,
    series_lo: Any,
    read_at: Any,
    index: Any,
    first: Any,
    usable: Any,
    content: Any,
    begins: Any,
    rolls_over_at: Any,
    opens_at_zero: Any,
    on_decrease: Any,
    modulus: Any,
    absorbs_repeats: Any,
    idle_days: Any,
    own_space: Any,
    stage_time: Any,
    forgotten_until: Any,
    room: Any,
    held: Any,
    start_at: Any,
    consumed: Any,
    answer: Any,
) -> int:
    """Turn readings into consumption since the register's previous reading.

    Args:
        key_hi, key_lo: (cap,) uint64 register table, (0, 0) empty, cap a power of two with room for every row.
        last_at, last_index: (cap,) int64: instant and index of the register's latest accepted reading.
        keep_days: (cap,) uint16: after how many days of stage time without a reading the series is over; 0: never.
        space: (cap,) uint32, whose that rule is.
        rows: (m,) int64 rows of the block, in order: those that took a key or ask for one taken in this block.
        series_hi, series_lo, read_at, index, content: (n,) its columns; series (0, 0) is plain usage.
        first: (n,) int64 the row that took the same key first. usable: (n,) bool: a subscription owns it.
        begins, rolls_over_at: (n,) uint8 and int64, see `schemas.cdr.ReadingMarks`; (0,) where no reading says so.
        opens_at_zero, on_decrease, modulus, absorbs_repeats, idle_days, own_space: `schemas.cdr.ReadingRules`.
        stage_time: microseconds UTC. forgotten_until: latest reading of any register of this space that was forgotten,
            because it was over.
        room: how many registers may be opened.
        held: (n,) uint64 zeros; on return held[first] is the content of the row that has the key, 0 when all were refused.
        start_at, consumed: (n,) int64, written for MEASURED rows: previous instant (its own for a first reading that is
            usage), difference of indexes (>= 0).
        answer: (n,) uint8, written: MEASURED; OPENED (first reading, or one that begins anew); OUT_OF_ORDER (not later than the
            latest), DECREASED, OVERFLOW (a first reading above QUANTITY_MAX), FULL (no room for its register) or FORGOTTEN (its
            register may have been forgotten), which leave the register and the key as they were; REPEATED (nothing new, takes
            its key); PLAIN usage; SAME or OTHER content as the row that has the key; UNUSABLE.

    Returns:
        How many registers were opened.
    """
    mask = U(len(key_hi) - 1)
    opened = 0
    for j in range(len(rows)):
        i = rows[j]
        holder = held[first[i]]
        if holder != U(0):
            answer[i] = SAME if holder == content[i] else OTHER
            continue
        if not usable[i]:
            answer[i] = UNUSABLE
            continue
        hi = series_hi[i]
        lo = series_lo[i]
        if hi == U(0) and lo == U(0):
            answer[i] = PLAIN
            held[first[i]] = content[i]
            continue
        slot = lo & mask
        while not (key_hi[slot] == hi and key_lo[slot] == lo):
            if key_hi[slot] == U(0) and key_lo[slot] == U(0):
                break
            slot = (slot + U(1)) & mask
        begin = len(begins) > 0 and begins[i] != 0
        is_new = key_hi[slot] == U(0) and key_lo[slot] == U(0)
        is_over = not is_new and keep_days[slot] > 0 and last_at[slot] + np.int64(keep_days[slot]) * DAY_US < stage_time
        if is_new or (is_over and read_at[i] > last_at[slot]):
            if opens_at_zero and not begin and U(index[i]) > U(QUANTITY_MAX):
                answer[i] = OVERFLOW
                continue
            if is_new and idle_days > 0 and read_at[i] <= forgotten_until:
                answer[i] = FORGOTTEN
                continue
            if is_new and opened >= room:
                answer[i] = FULL
                continue
            key_hi[slot] = hi
            key_lo[slot] = lo
            last_at[slot] = read_at[i]
            last_index[slot] = index[i]
            keep_days[slot] = idle_days
            space[slot] = own_space
            answer[i] = OPENED
            if opens_at_zero and not begin:
                answer[i] = MEASURED
                start_at[i] = read_at[i]
                consumed[i] = index[i]
            held[first[i]] = content[i]
            opened += is_new
            continue
        if begin and read_at[i] >= last_at[slot]:
            answer[i] = OPENED
            held[first[i]] = content[i]
            last_at[slot] = read_at[i]
            last_index[slot] = index[i]
            keep_days[slot] = idle_days
            space[slot] = own_space
            continue
        if read_at[i] <= last_at[slot]:
            # an equal index at the same instant is the same reading; before it only if the counter never went back
            goes_back = on_decrease != REJECT or len(begins) > 0
            harmless = read_at[i] == last_at[slot] or not goes_back
            if absorbs_repeats and harmless and index[i] == last_index[slot]:
                answer[i] = REPEATED
                held[first[i]] = content[i]
            else:
                answer[i] = OUT_OF_ORDER
            continue
        counted = consumption(last_index[slot], index[i], on_decrease, modulus)
        rolls = rolls_over_at[i] if len(rolls_over_at) > 0 else 0
        if counted < 0 < rolls and rolls > max(last_index[slot], index[i]):
            counted = np.int64(index[i] - last_index[slot] + rolls)
        if counted < 0:
            answer[i] = DECREASED
        else:
            answer[i] = MEASURED
            held[first[i]] = content[i]
            start_at[i] = last_at[slot]
            consumed[i] = counted
            last_at[slot] = read_at[i]
            last_index[slot] = index[i]
            keep_days[slot] = idle_days
            space[slot] = own_space
    return opened


@njit(cache=True, nogil=True)
def open_registers(
    key_hi: Any,
    key_lo: Any,
    last_at: Any,
    last_index: Any,
    keep_days: Any,
    space: Any,
    series_hi: Any,
    series_lo: Any,
    read_at: Any,
    index: Any,
    keep: Any,
    whose: Any,
) -> int:
    """Open the registers that are not known yet with a given reading; leave the others as they are.

    Args:
        key_hi, key_lo, last_at, last_index, keep_days, space: as for `difference`, with room for every row.
        series_hi, series_lo, read_at, index: (m,) the opening readings; keep: (m,) uint16 days; whose: (m,) uint32 spaces.

    Returns:
        How many registers were opened.
    """
    mask = U(len(key_hi) - 1)
    opened = 0
    for i in range(len(series_hi)):
        hi = series_hi[i]
        lo = series_lo[i]
        slot = lo & mask
        while not (key_hi[slot] == hi and key_lo[slot] == lo):
            if key_hi[slot] == U(0) and key_lo[slot] == U(0):
                key_hi[slot] = hi
                key_lo[slot] = lo
                last_at[slot] = read_at[i]
                last_index[slot] = index[i]
                keep_days[slot] = keep[i]
                space[slot] = whose[i]
                opened += 1
                break
            slot = (slot + U(1)) & mask
    return opened


@njit(cache=True, nogil=True)
def survey(
    key_hi: Any, key_lo: Any, last_at: Any, keep_days: Any, space: Any, stage_time: Any, spaces: Any, latest: Any
) -> Any:
    """Find out how many registers are over at a stage time, and until when those of each space were read.

    Args:
        key_hi, key_lo, last_at, keep_days, space: as for `difference`.
        spaces: (k,) uint32, written: the spaces of those that are over. latest: (k,) int64, written: the latest reading of any
            of them in each space.

    Returns:
        (how many registers are over, how many spaces there are: -1 for more than k).
    """
    over = 0
    known = 0
    for slot in range(len(key_hi)):
        if keep_days[slot] == 0 or last_at[slot] + np.int64(keep_days[slot]) * DAY_US >= stage_time:
            continue
        if key_hi[slot] == U(0) and key_lo[slot] == U(0):
            continue
        over += 1
        place = 0
        while place < known and spaces[place] != space[slot]:
            place += 1
        if place == known:
            if known == len(spaces):
                return 0, -1
            spaces[place] = space[slot]
            latest[place] = last_at[slot]
            known += 1
        latest[place] = max(latest[place], last_at[slot])
    return over, known
