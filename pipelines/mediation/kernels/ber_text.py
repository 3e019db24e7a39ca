"""Raw BER values to text, by kind: what a mapping reads is always text.

Functions are inlined: a call with two arrays costs more than most values do.

What cannot be read as its kind is written as `0x` and its octets, so that nothing wrong is taken for a value and a refusal
shows what was there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.encoding import is_utf8

U = np.uint64

ABSENT = 0
INTEGER = 1
BOOLEAN = 2
NULL = 3
STRING = 4
OCTETS = 5
BITS = 6
TBCD = 7
BCD = 8
ADDRESS = 9
ADDRESS_INTERNATIONAL = 10
TIMESTAMP = 11
TIME_ZONE = 12
PLMN = 13
IP = 14
SMS_ADDRESS = 15
SMS_ADDRESS_INTERNATIONAL = 16

INTERNATIONAL = 1
"""Type of number in bits 7..5 of the first octet of an address (3GPP TS 24.008 §10.5.4.7)."""
ALPHANUMERIC = 5
FILLER = 15


@njit(cache=True, nogil=True, inline="always")
def _hex(nibble: Any) -> Any:
    return nibble + 48 + (nibble > 9) * 39


@njit(cache=True, nogil=True, inline="always")
def _digit(nibble: Any) -> Any:
    """Return the character of a TBCD nibble (3GPP TS 29.002 §17.7.8): digits, `*`, `#`, a, b, c."""
    if nibble < 10:
        return nibble + 48
    if nibble == 10:
        return 42
    if nibble == 11:
        return 35
    return nibble + 85


@njit(cache=True, nogil=True, inline="always")
def write_octets(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write octets in hexadecimal; return where the text ends."""
    while at < stop:
        byte = np.int64(raw[at])
        text[to] = _hex(byte >> 4)
        text[to + 1] = _hex(byte & 15)
        to += 2
        at += 1
    return to


@njit(cache=True, nogil=True, inline="always")
def _unreadable(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    text[to] = 48
    text[to + 1] = 120
    return write_octets(raw, at, stop, text, to + 2)


@njit(cache=True, nogil=True, inline="always")
def _unsigned(value: Any, text: Any, to: Any) -> Any:
    """Write a uint64 in decimal; return where the text ends."""
    digits = 1
    rest = value // U(10)
    while rest != U(0):
        digits += 1
        rest //= U(10)
    end = to + digits
    at = end
    while at > to:
        at -= 1
        next_value = value // U(10)
        text[at] = np.int64(value - next_value * U(10)) + 48
        value = next_value
    return end


@njit(cache=True, nogil=True, inline="always")
def _integer(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write a two's complement integer of at most 64 bits and a sign (X.690 §8.3)."""
    negative = raw[at] >= 128
    fill = 255 if negative else 0
    first = at
    while stop - first > 8 and raw[first] == fill:
        first += 1
    if stop - first > 8 or (stop - first == 8 and first > at and negative and raw[first] < 128):
        return _unreadable(raw, at, stop, text, to)
    value = U(0)
    if negative:
        value = ~value
    for i in range(first, stop):
        value = (value << U(8)) | U(raw[i])
    if negative:
        text[to] = 45
        return _unsigned(~value + U(1), text, to + 1)
    return _unsigned(value, text, to)


@njit(cache=True, nogil=True, inline="always")
def _nibbles(raw: Any, at: Any, stop: Any, low_first: Any, text: Any, to: Any) -> Any:
    """Write digits, two in an octet; fillers (15) are allowed at the end only: elsewhere return -1."""
    while at < stop:
        byte = np.int64(raw[at])
        if byte & 15 > 9 or byte >> 4 > 9:
            break
        text[to] = (byte & 15 if low_first else byte >> 4) + 48
        text[to + 1] = (byte >> 4 if low_first else byte & 15) + 48
        to += 2
        at += 1
    ended = False
    while at < stop:
        byte = np.int64(raw[at])
        one = byte & 15 if low_first else byte >> 4
        two = byte >> 4 if low_first else byte & 15
        if one == FILLER:
            ended = True
        elif ended:
            return np.int64(-1)
        else:
            text[to] = _digit(one)
            to += 1
        if two == FILLER:
            ended = True
        elif ended:
            return np.int64(-1)
        else:
            text[to] = _digit(two)
            to += 1
        at += 1
    return np.int64(to)


@njit(cache=True, nogil=True, inline="always")
def _address(raw: Any, at: Any, stop: Any, international: Any, text: Any, to: Any) -> Any:
    """Write an address (TS 29.002 AddressString, TS 24.008 §10.5.4.7): octets of type and plan, then TBCD digits."""
    kind = (np.int64(raw[at]) >> 4) & 7
    while at < stop and raw[at] < 128:  # the octet says that another one of its kind follows
        at += 1
    if at >= stop:
        return np.int64(-1)
    if international and kind == INTERNATIONAL and at + 1 < stop:
        text[to] = 43
        to += 1
    return _nibbles(raw, at + 1, stop, True, text, to)


@njit(cache=True, nogil=True, inline="always")
def _sms_address(raw: Any, at: Any, stop: Any, international: Any, text: Any, to: Any) -> Any:
    """Write the address of a short message (TS 23.040 §9.1.2.5): number of digits (may be missing), type and plan, digits."""
    if raw[at] < 128:
        digits = np.int64(raw[at])
        at += 1
        if (digits + 1) // 2 != stop - at - 1:
            return np.int64(-1)
    if at >= stop or raw[at] < 128 or (raw[at] >> 4) & 7 == ALPHANUMERIC:
        return np.int64(-1)
    return _address(raw, at, stop, international, text, to)


@njit(cache=True, nogil=True, inline="always")
def _pair(byte: Any, text: Any, to: Any) -> None:
    text[to] = (byte >> 4) + 48
    text[to + 1] = (byte & 15) + 48


@njit(cache=True, nogil=True, inline="always")
def _timestamp(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write YYMMDDhhmmss±hhmm (TS 32.298 §5.1.2.2 TimeStamp) as ISO 8601 of the years 2000 to 2099."""
    if stop - at != 9 or (raw[at + 6] != 43 and raw[at + 6] != 45):
        return np.int64(-1)
    highest = 0
    for i in range(9):
        if i != 6:
            highest = max(highest, raw[at + i] & 15, raw[at + i] >> 4)
    if highest > 9:
        return np.int64(-1)
    text[to] = 50
    text[to + 1] = 48
    _pair(raw[at], text, to + 2)
    text[to + 4] = 45
    _pair(raw[at + 1], text, to + 5)
    text[to + 7] = 45
    _pair(raw[at + 2], text, to + 8)
    text[to + 10] = 84
    _pair(raw[at + 3], text, to + 11)
    text[to + 13] = 58
    _pair(raw[at + 4], text, to + 14)
    text[to + 16] = 58
    _pair(raw[at + 5], text, to + 17)
    text[to + 19] = raw[at + 6]
    _pair(raw[at + 7], text, to + 20)
    text[to + 22] = 58
    _pair(raw[at + 8], text, to + 23)
    return np.int64(to + 25)


@njit(cache=True, nogil=True, inline="always")
def _time_zone(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write ±hh:mm (TS 29.060 §7.7.52): quarters of an hour, low nibble first, bit 4 the sign; summer time is in them."""
    if stop - at != 2:
        return np.int64(-1)
    byte = np.int64(raw[at])
    tens = byte & 7
    ones = byte >> 4
    if ones > 9:
        return np.int64(-1)
    minutes = (tens * 10 + ones) * 15
    text[to] = 45 if byte & 8 else 43
    text[to + 1] = minutes // 600 + 48
    text[to + 2] = minutes // 60 % 10 + 48
    text[to + 3] = 58
    text[to + 4] = minutes % 60 // 10 + 48
    text[to + 5] = minutes % 10 + 48
    return np.int64(to + 6)


@njit(cache=True, nogil=True, inline="always")
def _plmn(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write country and network code of three octets (TS 24.008 §10.5.1.3): 5 or 6 digits."""
    if stop - at != 3:
        return np.int64(-1)
    a, b, c = np.int64(raw[at]), np.int64(raw[at + 1]), np.int64(raw[at + 2])
    third = b >> 4
    for nibble in (a & 15, a >> 4, b & 15, c & 15, c >> 4):
        if nibble > 9:
            return np.int64(-1)
        text[to] = nibble + 48
        to += 1
    if third != FILLER:
        if third > 9:
            return np.int64(-1)
        text[to] = third + 48
        to += 1
    return np.int64(to)


@njit(cache=True, nogil=True, inline="always")
def _group(raw: Any, at: Any, i: Any) -> Any:
    return (np.int64(raw[at + 2 * i]) << 8) | np.int64(raw[at + 2 * i + 1])


@njit(cache=True, nogil=True, inline="always")
def _ip(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Write an IPv4 or IPv6 address, the latter as RFC 5952 has it."""
    if stop - at == 4:
        for i in range(4):
            if i > 0:
                text[to] = 46
                to += 1
            to = _unsigned(U(raw[at + i]), text, to)
        return np.int64(to)
    if stop - at != 16:
        return np.int64(-1)
    gap = -1  # the longest run of two or more zero groups, the first of equals
    gap_size = 1
    run = 0
    for i in range(8):
        run = run + 1 if _group(raw, at, i) == 0 else 0
        if run > gap_size:
            gap_size = run
            gap = i + 1 - run
    i = 0
    while i < 8:
        if i == gap:
            text[to] = 58
            text[to + 1] = 58
            to += 2
            i += gap_size
            continue
        if i > 0 and (gap < 0 or i != gap + gap_size):
            text[to] = 58
            to += 1
        group = _group(raw, at, i)
        shift = 12
        while shift > 0 and group >> shift == 0:
            shift -= 4
        while shift >= 0:
            text[to] = _hex((group >> shift) & 15)
            to += 1
            shift -= 4
        i += 1
    return np.int64(to)


@njit(cache=True, nogil=True, inline="always")
def _string(raw: Any, at: Any, stop: Any, text: Any, to: Any) -> Any:
    """Copy UTF-8 without control characters."""
    high = False
    for i in range(at, stop):
        byte = raw[i]
        if byte < 32 or byte == 127:
            return np.int64(-1)
        high |= byte >= 128
        text[to] = byte
        to += 1
    return np.int64(-1) if high and not is_utf8(raw, at, stop) else np.int64(to)


@njit(cache=True, nogil=True, inline="always")
def write_value(raw: Any, at: Any, stop: Any, kind: Any, text: Any, to: Any) -> Any:
    """Write raw[at:stop] as text; return where the text ends: at most 4 * (stop - at) + 8 bytes later.

    An empty value gives no text, except NULL, whose presence is what it says.
    """
    if kind == NULL or kind == BOOLEAN:
        if stop - at != (1 if kind == BOOLEAN else 0):
            return _unreadable(raw, at, stop, text, to)
        word = (102, 97, 108, 115, 101) if kind == BOOLEAN and raw[at] == 0 else (116, 114, 117, 101, 0)
        for letter in word:
            if letter != 0:
                text[to] = letter
                to += 1
        return np.int64(to)
    if stop == at:
        return np.int64(to)
    done = np.int64(-1)
    if kind == INTEGER:
        return np.int64(_integer(raw, at, stop, text, to))
    if kind == OCTETS:
        return np.int64(write_octets(raw, at, stop, text, to))
    if kind == TBCD or kind == BCD:
        done = _nibbles(raw, at, stop, kind == TBCD, text, to)
    elif kind == STRING:
        done = _string(raw, at, stop, text, to)
    elif kind == TIMESTAMP:
        done = _timestamp(raw, at, stop, text, to)
    elif kind == ADDRESS or kind == ADDRESS_INTERNATIONAL:
        done = _address(raw, at, stop, kind == ADDRESS_INTERNATIONAL, text, to)
    elif kind == SMS_ADDRESS or kind == SMS_ADDRESS_INTERNATIONAL:
        done = _sms_address(raw, at, stop, kind == SMS_ADDRESS_INTERNATIONAL, text, to)
    elif kind == IP:
        done = _ip(raw, at, stop, text, to)
    elif kind == PLMN:
        done = _plmn(raw, at, stop, text, to)
    elif kind == TIME_ZONE:
        done = _time_zone(raw, at, stop, text, to)
    elif kind == BITS and raw[at] < 8:
        done = np.int64(write_octets(raw, at + 1, stop, text, to))
    if done < 0:
        return np.int64(_unreadable(raw, at, stop, text, to))
    return done


@njit(cache=True, nogil=True)
def render(
    raw: Any,
    rows: Any,
    slot_level: Any,
    slot_choice: Any,
    kind: Any,
    origin: Any,
    choice: Any,
    name_start: Any,
    name_end: Any,
    text: Any,
    to: Any,
    start: Any,
    end: Any,
) -> None:
    """Write the values of `walk_records` as text and turn offsets into `raw` into offsets into `text`.

    Values that rows share are written once.

    Args:
        raw: (b,) uint8; rows: rows in use.
        slot_level, kind, origin, choice: as of `walk_records`.
        slot_choice: (f,) bool: the slot is the name of the record's kind, at name_start[choice] .. name_end[choice] in `text`.
        text: (t,) uint8 with the room that `walk_records` asks for after offset `to`.
        start, end: (f, m) int32, changed; equal where a value is absent or empty.
    """
    for slot in range(len(slot_level)):
        level = slot_level[slot]
        for row in range(rows):
            if slot_choice[slot]:
                node = choice[row]
                start[slot, row] = name_start[node] if node >= 0 else 0
                end[slot, row] = name_end[node] if node >= 0 else 0
                continue
            source = origin[level, row]
            if source != row:
                start[slot, row] = start[slot, source]
                end[slot, row] = end[slot, source]
            elif kind[slot, row] == ABSENT:
                start[slot, row] = 0
                end[slot, row] = 0
            else:
                first = to
                to = write_value(raw, start[slot, row], end[slot, row], kind[slot, row], text, to)
                start[slot, row] = first
                end[slot, row] = to
