"""Write values as text: numbers, octets, addresses and instants, one after the other into a buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64
DAY_S = 86_400
ZERO = 48
DASH = 45
COLON = 58
DOT = 46
SLASH = 47
GROUPS = 8
"""Of an IPv6 address, sixteen bits each."""


@njit(cache=True, nogil=True)
def put_number(text: Any, at: Any, value: Any) -> Any:
    """Write a uint64 in decimal at text[at] (20 bytes of room) and return the offset after it."""
    rest = U(value)
    digits = 1
    limit = U(10)
    while digits < 20 and rest >= limit:
        digits += 1
        if digits < 20:
            limit *= U(10)
    end = at + digits
    place = end
    while place > at:
        place -= 1
        text[place] = ZERO + np.int64(rest % U(10))
        rest //= U(10)
    return end


@njit(cache=True, nogil=True)
def put_digits(text: Any, at: Any, value: Any, width: Any) -> Any:
    """Write the last `width` decimal digits of an int64 >= 0 at text[at] and return the offset after them."""
    end = at + width
    place = end
    while place > at:
        place -= 1
        text[place] = ZERO + value % 10
        value //= 10
    return end


@njit(cache=True, nogil=True)
def hex_digit(nibble: Any) -> Any:
    """Return the lower-case hexadecimal digit of 0 .. 15."""
    return nibble + (ZERO if nibble < 10 else 87)


@njit(cache=True, nogil=True)
def put_hex(text: Any, at: Any, source: Any, begin: Any, end: Any) -> Any:
    """Write source[begin:end] as two hexadecimal digits each (twice the room) and return the offset after them."""
    for i in range(begin, end):
        byte = np.int64(source[i])
        text[at] = hex_digit(byte >> 4)
        text[at + 1] = hex_digit(byte & 15)
        at += 2
    return at


@njit(cache=True, nogil=True)
def number_of(source: Any, at: Any, end: Any) -> Any:
    """Return the unsigned integer of at most eight octets, big-endian."""
    value = U(0)
    for i in range(at, end):
        value = (value << U(8)) | U(source[i])
    return value


@njit(cache=True, nogil=True)
def put_octets(text: Any, at: Any, source: Any, begin: Any, end: Any) -> Any:
    """Write source[begin:end] as `0x` and hexadecimal digits (twice the room and 2) and return the offset after them."""
    text[at] = ZERO
    text[at + 1] = 120
    return put_hex(text, at + 2, source, begin, end)


@njit(cache=True, nogil=True)
def put_ipv4(text: Any, at: Any, source: Any, begin: Any) -> Any:
    """Write the four octets source[begin:] as a dotted address (15 bytes of room) and return the offset after it."""
    for i in range(4):
        if i > 0:
            text[at] = DOT
            at += 1
        at = put_number(text, at, U(source[begin + i]))
    return at


@njit(cache=True, nogil=True)
def _group(source: Any, begin: Any, end: Any, i: Any) -> Any:
    """Return group i of an address of which only source[begin:end] is there; what is missing is zero."""
    high = np.int64(source[begin + 2 * i]) if begin + 2 * i < end else 0
    low = np.int64(source[begin + 2 * i + 1]) if begin + 2 * i + 1 < end else 0
    return np.int64((high << 8) | low)


@njit(cache=True, nogil=True)
def put_ipv6(text: Any, at: Any, source: Any, begin: Any, end: Any) -> Any:
    """Write the octets source[begin:end] (0 to 16) as an IPv6 address in the form of RFC 5952 §4; 39 bytes of room.

    The longest run of at least two zero groups is `::`, of two equally long ones the first.
    """
    best = 0
    best_length = 1
    run = 0
    for i in range(GROUPS):
        run = run + 1 if _group(source, begin, end, i) == 0 else 0
        if run > best_length:
            best_length = run
            best = i + 1 - run
    if best_length < 2:
        best = GROUPS
    i = 0
    while i < GROUPS:
        if i == best:
            text[at] = COLON
            text[at + 1] = COLON
            at += 2
            i += best_length
            continue
        if i > 0 and i != best + best_length:
            text[at] = COLON
            at += 1
        value = _group(source, begin, end, i)
        started = False
        for shift in (12, 8, 4, 0):
            nibble = (value >> shift) & 15
            if nibble != 0 or started or shift == 0:
                text[at] = hex_digit(nibble)
                at += 1
                started = True
        i += 1
    return at


@njit(cache=True, nogil=True)
def put_instant(text: Any, at: Any, seconds: Any) -> Any:
    """Write seconds since 1970-01-01T00:00:00, up to the year 9999, as `YYYY-MM-DDThh:mm:ss` and return the offset after it.

    The civil date of a day: H. Hinnant, "chrono-compatible date algorithms".
    """
    day = seconds // DAY_S
    clock = seconds - day * DAY_S
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    moon = (5 * of_year + 2) // 153
    month = moon + 3 if moon < 10 else moon - 9
    year += era * 400 + (1 if month <= 2 else 0)
    at = put_digits(text, at, year, 4)
    text[at] = DASH
    at = put_digits(text, at + 1, month, 2)
    text[at] = DASH
    at = put_digits(text, at + 1, of_year - (153 * moon + 2) // 5 + 1, 2)
    text[at] = 84
    at = put_digits(text, at + 1, clock // 3_600, 2)
    text[at] = COLON
    at = put_digits(text, at + 1, clock // 60 % 60, 2)
    text[at] = COLON
    return put_digits(text, at + 1, clock % 60, 2)
