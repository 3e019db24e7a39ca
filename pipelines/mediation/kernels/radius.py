"""RADIUS accounting packets (RFC 2865 §3, RFC 2866 §3): from attributes to the text of mapped fields.

Packets are hostile: every attribute is checked against the packet's length before it is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.encoding import is_utf8
from pipelines.mediation.kernels.radius_text import (
    number_of,
    put_instant,
    put_ipv4,
    put_ipv6,
    put_number,
    put_octets,
)
from pipelines.mediation.kernels.reasons import INVALID_ENCODING, MALFORMED_RECORD, NUL_BYTE

U = np.uint64
ACCOUNTING_REQUEST = 4
HEADER_BYTES = 20
PACKET_BYTES_MAX = 4096
VENDOR_SPECIFIC = 26

OCTETS, TEXT, INTEGER, IPV4, IPV6, PREFIX, TIME, STATUS, CAUSE = range(9)
"""How a value reads; a value of another length than its kind has reads as octets."""

STATUS_NAMES = (b"", b"Start", b"Stop", b"Interim-Update", b"", b"", b"", b"Accounting-On", b"Accounting-Off")
"""RFC 2866 §5.1."""
CAUSE_NAMES = (
    b"", b"User-Request", b"Lost-Carrier", b"Lost-Service", b"Idle-Timeout", b"Session-Timeout", b"Admin-Reset",
    b"Admin-Reboot", b"Port-Error", b"NAS-Error", b"NAS-Request", b"NAS-Reboot", b"Port-Unneeded", b"Port-Preempted",
    b"Port-Suspended", b"Service-Unavailable", b"Callback", b"User-Error", b"Host-Request",
)  # fmt: skip
"""RFC 2866 §5.10."""
_WORDS = STATUS_NAMES + CAUSE_NAMES
WORDS = np.frombuffer(b"".join(_WORDS), np.uint8)
WORD_BOUNDS = np.cumsum(np.array([0, *map(len, _WORDS)], np.int64))
STATUS_COUNT = len(STATUS_NAMES)
CAUSE_COUNT = len(CAUSE_NAMES)

INPUT_OCTETS, OUTPUT_OCTETS, INPUT_GIGAWORDS, OUTPUT_GIGAWORDS, EVENT_TIMESTAMP = 42, 43, 52, 53, 55
TEXT_PER_BYTE = 4
TEXT_PER_PACKET = 96
"""Room for text: no attribute's text is longer than four times its octets, and four fields are computed."""


@njit(cache=True, nogil=True)
def split_packets(buffer: Any, size: Any, raw_start: Any, raw_end: Any, reason: Any) -> Any:
    """Split packets that follow each other by the lengths in their headers (RFC 2865 §3).

    Args:
        buffer: (b >= size,) uint8; raw_start, raw_end: (m,) int64, reason: (m,) uint16: written.

    Returns:
        (rows, consumed, sound): false when the packet at `consumed` has a length that none may have.
    """
    at = np.int64(0)
    row = 0
    while row < len(reason) and at + 4 <= size:
        length = (np.int64(buffer[at + 2]) << 8) | np.int64(buffer[at + 3])
        if length < HEADER_BYTES or length > PACKET_BYTES_MAX:
            return row, at, False
        if at + length > size:
            break
        raw_start[row] = at
        raw_end[row] = at + length
        reason[row] = 0
        row += 1
        at += length
    return row, at, True


@njit(cache=True, nogil=True)
def pass_packets(buffer: Any, size: Any) -> Any:
    """Return (consumed, sound) as `split_packets` does, of packets that are only looked over."""
    at = np.int64(0)
    while at + 4 <= size:
        length = (np.int64(buffer[at + 2]) << 8) | np.int64(buffer[at + 3])
        if length < HEADER_BYTES or length > PACKET_BYTES_MAX:
            return at, False
        if at + length > size:
            break
        at += length
    return at, True


@njit(cache=True, nogil=True)
def _nibble(byte: Any) -> Any:
    if 48 <= byte <= 57:
        return np.int64(byte) - 48
    if 97 <= byte <= 102:
        return np.int64(byte) - 87
    if 65 <= byte <= 70:
        return np.int64(byte) - 55
    return np.int64(-1)


@njit(cache=True, nogil=True)
def unhex(buffer: Any, raw_start: Any, raw_end: Any, packets: Any, start: Any, end: Any, reason: Any) -> None:
    """Read lines of hexadecimal digits as packets; blanks around them do not count.

    Args:
        buffer: (b,) uint8; raw_start, raw_end: (n,) int64 the lines.
        packets: (p,) uint8, written: half as long as the lines together.
        start, end: (n,) int64, written: each packet's octets.
        reason: (n,) uint16, changed: MALFORMED_RECORD for a line that is not octets in hexadecimal.
    """
    out = np.int64(0)
    for i in range(len(reason)):
        start[i] = out
        end[i] = out
        if reason[i] != 0:
            continue
        at = raw_start[i]
        stop = raw_end[i]
        while at < stop and (buffer[at] == 32 or buffer[at] == 9):
            at += 1
        while stop > at and (buffer[stop - 1] == 32 or buffer[stop - 1] == 9):
            stop -= 1
        if (stop - at) % 2 != 0 or stop == at:
            reason[i] = MALFORMED_RECORD
            continue
        here = out
        while at < stop:
            high = _nibble(buffer[at])
            low = _nibble(buffer[at + 1])
            if high < 0 or low < 0:
                reason[i] = MALFORMED_RECORD
                break
            packets[here] = (high << 4) | low
            here += 1
            at += 2
        if reason[i] == 0:
            end[i] = here
            out = here


@njit(cache=True, nogil=True)
def add_counts(one: Any, other: Any) -> Any:
    """Return the sum of two uint64, the largest of them when it is more."""
    total = U(one) + U(other)
    return total if total >= U(one) else U(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True)
def put_word(text: Any, out: Any, kind: Any, value: Any) -> Any:
    """Write the name of a status or cause at text[out], or its number (20 bytes of room); return the offset after it."""
    word = -1
    if kind == STATUS and value < U(STATUS_COUNT):
        word = np.int64(value)
    elif kind == CAUSE and value < U(CAUSE_COUNT):
        word = STATUS_COUNT + np.int64(value)
    if word < 0 or WORD_BOUNDS[word] == WORD_BOUNDS[word + 1]:
        return put_number(text, out, value)
    for i in range(WORD_BOUNDS[word], WORD_BOUNDS[word + 1]):
        text[out] = WORDS[i]
        out += 1
    return out


@njit(cache=True, nogil=True)
def put_value(text: Any, out: Any, kind: Any, packets: Any, at: Any, end: Any) -> Any:
    """Write one attribute's value packets[at:end] as its kind reads, and return the offset after it.

    At most `TEXT_PER_BYTE` times the octets of the attribute, whose own header takes two.
    """
    length = end - at
    if kind == TEXT:
        for i in range(at, end):
            text[out] = packets[i]
            out += 1
        return out
    if kind == IPV4 and length == 4:
        return put_ipv4(text, out, packets, at)
    if kind == TIME and length == 4:
        out = put_instant(text, out, np.int64(number_of(packets, at, end)))
        text[out] = 90
        return out + 1
    if kind == IPV6 and length == 16:
        return put_ipv6(text, out, packets, at, end)
    if kind == PREFIX and 2 <= length <= 18 and packets[at + 1] <= 128:
        out = put_ipv6(text, out, packets, at + 2, end)
        text[out] = 47
        return put_number(text, out + 1, U(packets[at + 1]))
    if (kind == STATUS or kind == CAUSE) and length == 4:
        return put_word(text, out, kind, number_of(packets, at, end))
    if kind == INTEGER and 1 <= length <= 8:
        return put_number(text, out, number_of(packets, at, end))
    return put_octets(text, out, packets, at, end)


@njit(cache=True, nogil=True)
def check_text(packets: Any, at: Any, end: Any) -> Any:
    """Return NUL_BYTE, INVALID_ENCODING or 0 for octets that are to be text."""
    for i in range(at, end):
        if packets[i] == 0:
            return NUL_BYTE
    if not is_utf8(packets, at, end):
        return INVALID_ENCODING
    return 0


@njit(cache=True, nogil=True)
def _read_attribute(
    packets: Any, at: Any, end: Any, entry: Any, entries: Any, text: Any, out: Any, start: Any, end_of: Any, row: Any
) -> Any:
    """Write a mapped attribute's value unless one of its type came before; return (offset, reason)."""
    slot = entries[entry, 3]
    if end_of[slot, row] > 0:
        return out, 0
    kind = entries[entry, 2]
    if kind == TEXT:
        found = check_text(packets, at, end)
        if found != 0:
            return out, found
    start[slot, row] = out
    out = put_value(text, out, kind, packets, at, end)
    end_of[slot, row] = out
    return out, 0


@njit(cache=True, nogil=True)
def walk_packets(
    packets: Any,
    first: Any,
    last: Any,
    standard: Any,
    entries: Any,
    virtual: Any,
    text: Any,
    start: Any,
    end: Any,
    reason: Any,
) -> Any:
    """Read the attributes of each packet; of attributes that occur twice the first counts.

    A packet that is no Accounting-Request, is shorter than it says, or whose attributes do not fit it is MALFORMED_RECORD;
    octets after the packet's length are padding (RFC 2865 §3). A vendor's attributes are read in the form that RFC 2865
    §5.26 recommends; of another form nothing is found.

    Args:
        packets: (p,) uint8; first, last: (n,) int64 each packet.
        standard, entries, virtual: see `pipelines.mediation.radius.attributes.FieldTable`.
        text: (t,) uint8, written from offset 1 on: `TEXT_PER_BYTE` * octets + `TEXT_PER_PACKET` * n bytes of room.
        start, end: (f, m >= n) int32, written; equal where a field is absent, zero for a refused packet.
        reason: (n,) uint16, changed where it was 0.

    Returns:
        The offset after the text.
    """
    out = np.int64(1)
    captured = np.zeros(256, np.int64)
    for row in range(len(reason)):
        for slot in range(len(start)):
            start[slot, row] = 0
            end[slot, row] = 0
        if reason[row] != 0:
            continue
        at = first[row]
        stop = last[row]
        begin = out
        found = MALFORMED_RECORD
        if stop - at >= HEADER_BYTES and packets[at] == ACCOUNTING_REQUEST:
            length = (np.int64(packets[at + 2]) << 8) | np.int64(packets[at + 3])
            if HEADER_BYTES <= length <= min(stop - at, PACKET_BYTES_MAX):
                found = 0
                stop = at + length
        for i in (INPUT_OCTETS, OUTPUT_OCTETS, INPUT_GIGAWORDS, OUTPUT_GIGAWORDS, EVENT_TIMESTAMP):
            captured[i] = -1
        at += HEADER_BYTES
        while found == 0 and at < stop:
            if at + 2 > stop:
                found = MALFORMED_RECORD
                break
            number = np.int64(packets[at])
            after = at + np.int64(packets[at + 1])
            if after < at + 2 or after > stop:
                found = MALFORMED_RECORD
                break
            value = at + 2
            if number == VENDOR_SPECIFIC:
                if after - value >= 4:
                    vendor = np.int64(number_of(packets, value, value + 4))
                    inner = value + 4
                    while inner + 2 <= after and found == 0:
                        inner_end = inner + np.int64(packets[inner + 1])
                        if inner_end < inner + 2 or inner_end > after:
                            break
                        for entry in range(len(entries)):
                            if entries[entry, 0] == vendor and entries[entry, 1] == packets[inner] and vendor != 0:
                                out, found = _read_attribute(
                                    packets, inner + 2, inner_end, entry, entries, text, out, start, end, row
                                )
                        inner = inner_end
            else:
                if after - value == 4 and captured[number] == -1:
                    captured[number] = np.int64(number_of(packets, value, after))
                if standard[number] >= 0:
                    out, found = _read_attribute(
                        packets, value, after, standard[number], entries, text, out, start, end, row
                    )
            at = after
        if found != 0:
            reason[row] = found
            out = begin
            for slot in range(len(start)):
                start[slot, row] = 0
                end[slot, row] = 0
            continue
        total = U(0)
        counted = False
        for i in range(2):
            slot = virtual[i]
            octets = captured[INPUT_OCTETS + i]
            if octets < 0:
                continue
            count = (U(max(captured[INPUT_GIGAWORDS + i], 0)) << U(32)) + U(octets)
            total = add_counts(total, count)
            counted = True
            if slot >= 0:
                start[slot, row] = out
                out = put_number(text, out, count)
                end[slot, row] = out
        slot = virtual[3]
        if slot >= 0 and counted:
            start[slot, row] = out
            out = put_number(text, out, total)
            end[slot, row] = out
        slot = virtual[2]
        if slot >= 0 and captured[EVENT_TIMESTAMP] >= 0:
            start[slot, row] = out
            out = put_instant(text, out, captured[EVENT_TIMESTAMP])
            text[out] = 90
            out += 1
            end[slot, row] = out
    return out
