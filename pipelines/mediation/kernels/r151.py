"""Enedis R151 in its usual form: nested elements without attributes, comments, CDATA or entities in what is read.

PRM elements stand directly below the root.

Layout: Enedis.SGE.XSD.0315 Flux R151 v1.2.0. Whatever else is well-formed XML is left to a full parser.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.words import controls, find, first, matches, repeat
from rating.kernels.hashing import load64

U = np.uint64

NAMES = (
    b"PRM",
    b"Id_PRM",
    b"Donnees_Releve",
    b"Date_Releve",
    b"Id_Calendrier_Fournisseur",
    b"Id_Calendrier_Distributeur",
    b"Classe_Temporelle",
    b"Classe_Temporelle_Distributeur",
    b"Puissance_Maximale",
    b"Id_Classe_Temporelle",
    b"Valeur",
    b"Indice_Vraisemblance",
)
"""Element names by number; the constants below are these numbers."""
PRM = 0
ID_PRM = 1
DAY = 2
DATE = 3
SUPPLIER_CALENDAR = 4
DISTRIBUTOR_CALENDAR = 5
SUPPLIER_INDEX = 6
DISTRIBUTOR_INDEX = 7
MAXIMUM_POWER = 8
CLASS = 9
VALUE = 10
DOUBT = 11
UNKNOWN = -1

PRM_SLOT = 0
DATE_SLOT = 1
CALENDAR_SLOT = 2
CLASS_SLOT = 3
VALUE_SLOT = 4
DOUBT_SLOT = 5
SLOTS = 6
RECORD_BYTES_MIN = 39
"""Length of an empty Classe_Temporelle, the shortest record."""


@njit(cache=True, nogil=True)
def _same(a: Any, b: Any, length: Any) -> Any:
    """Return whether `length` bytes at two addresses are equal (8 bytes after them must be readable)."""
    while length >= 8:
        if load64(a) != load64(b):
            return False
        a += 8
        b += 8
        length -= 8
    if length == 0:
        return True
    return (load64(a) ^ load64(b)) << U(8 * (8 - length)) == U(0)


@njit(cache=True, nogil=True)
def _number(address: Any, length: Any, names: Any, bounds: Any) -> Any:
    """Return the number of the element name at `address`, or UNKNOWN."""
    base = names.ctypes.data
    for i in range(len(bounds) - 1):
        if bounds[i + 1] - bounds[i] == length and _same(address, base + bounds[i], length):
            return i
    return UNKNOWN


@njit(cache=True, nogil=True)
def _name_end(base: Any, at: Any, size: Any) -> Any:
    """Return the first offset >= `at` of white space or `>`, or `size`."""
    blank = repeat(32)
    closing = repeat(62)
    while at < size:
        word = load64(base + at)
        mask = matches(word, blank) | matches(word, closing) | controls(word)
        if mask != U(0):
            return min(at + first(mask), size)
        at += 8
    return size


@njit(cache=True, nogil=True)
def _is_declaration(buffer: Any, at: Any) -> Any:
    """Return whether the `<?` at `at` begins an XML declaration, which holds no `>` but its last byte."""
    return buffer[at + 2] == 120 and buffer[at + 3] == 109 and buffer[at + 4] == 108 and buffer[at + 5] <= 32


@njit(cache=True, nogil=True)
def _expected(context: Any, number: Any) -> Any:
    """Return whether an element may stand in its context: 0 the flow, 1 PRM, 2 Donnees_Releve, 3 an index."""
    if number == UNKNOWN:
        return True
    if context == 1:
        return number == ID_PRM or number == DAY
    if context == 2:
        return DATE <= number <= MAXIMUM_POWER
    return context == 3 and number >= CLASS


@njit(cache=True, nogil=True)
def _forget(held: Any, first: Any, last: Any) -> None:
    for number in range(first, last + 1):
        held[number, 0] = 0
        held[number, 1] = 0


@njit(cache=True, nogil=True)
def scan_prms(
    buffer: Any,
    size: Any,
    depth: Any,
    names: Any,
    bounds: Any,
    held: Any,
    holders: Any,
    start: Any,
    end: Any,
    raw_start: Any,
    raw_end: Any,
    kind: Any,
) -> Any:
    """Read the PRM elements that are complete; each index and each maximum power is one record.

    Args:
        buffer: (b,) uint8 with 16 readable bytes after `size`; size: bytes to read.
        depth: elements open before the first byte: 0 at the head of a document, 1 after a PRM.
        names, bounds: (k,) uint8 and (13,) int64: NAMES joined, and where each begins; padded.
        held: (12, 2) int32 working space: where the text of each element was last met.
        holders: (4,) int64 working space: PRM, PRM, DAY and any: the element that each context stands in.
        start, end: (SLOTS, m) int32, written; text without white space around it; zero where an element is absent.
        raw_start, raw_end: (m,) int64 the record's element, written.
        kind: (m,) int32, written: SUPPLIER_INDEX, DISTRIBUTOR_INDEX or MAXIMUM_POWER.

    Returns:
        (rows, consumed, simple): up to the last complete PRM; simple is false where something needs a full parser.
    """
    base = buffer.ctypes.data
    opening = repeat(60)
    closing = repeat(62)
    context = 0
    row = 0
    rows = 0
    consumed = np.int64(0)
    at = np.int64(0)
    while True:
        at = find(base, at, size, opening)
        tag_end = find(base, at, size, closing)
        if tag_end >= size:
            return rows, consumed, True
        byte = buffer[at + 1]
        if byte == 33:
            return rows, consumed, False
        if byte == 63:
            if context > 0 or depth > 0 or not _is_declaration(buffer, at):
                return rows, consumed, False
            at = tag_end + 1
            continue
        if byte == 47:
            if context == 0:
                depth -= 1
            else:
                if _number(base + at + 2, tag_end - at - 2, names, bounds) != holders[context]:
                    return rows, consumed, False
                if context == 3:
                    number = holders[3]
                    raw_end[row] = tag_end + 1
                    kind[row] = number
                    calendar = DISTRIBUTOR_CALENDAR if number == DISTRIBUTOR_INDEX else SUPPLIER_CALENDAR
                    for slot in range(SLOTS):
                        source = CLASS + slot - CLASS_SLOT
                        if slot == PRM_SLOT:
                            source = ID_PRM
                        elif slot == DATE_SLOT:
                            source = DATE
                        elif slot == CALENDAR_SLOT:
                            source = calendar
                        start[slot, row] = held[source, 0]
                        end[slot, row] = held[source, 1]
                    row += 1
                context -= 1
                if context == 0:
                    rows = row
                    consumed = tag_end + 1
            at = tag_end + 1
            continue
        name_end = _name_end(base, at + 1, tag_end)
        length = name_end - at - 1
        number = _number(base + at + 1, length, names, bounds)
        if name_end != tag_end and (depth > 0 or number == PRM):  # only the root may have attributes
            return rows, consumed, False
        if context == 0:
            if number == PRM:
                if depth != 1:
                    return rows, consumed, False
                context = 1
                _forget(held, ID_PRM, ID_PRM)
            elif number == DAY or SUPPLIER_INDEX <= number <= MAXIMUM_POWER:
                return rows, consumed, False
            elif buffer[tag_end - 1] != 47:
                depth += 1
            at = tag_end + 1
            continue
        if buffer[tag_end - 1] == 47 or not _expected(context, number):
            return rows, consumed, False
        if number == DAY:
            context = 2
            _forget(held, DATE, DISTRIBUTOR_CALENDAR)
            at = tag_end + 1
            continue
        if SUPPLIER_INDEX <= number <= MAXIMUM_POWER:
            context = 3
            holders[3] = number
            _forget(held, CLASS, DOUBT)
            raw_start[row] = at
            at = tag_end + 1
            continue
        text_end = find(base, tag_end + 1, size, opening)
        last = text_end + 2 + length
        if last >= size:
            return rows, consumed, True
        if buffer[text_end + 1] != 47 or buffer[last] != 62 or not _same(base + at + 1, base + text_end + 2, length):
            return rows, consumed, False
        if number != UNKNOWN:
            begin = tag_end + 1
            stop = text_end
            while begin < stop and buffer[begin] <= 32:
                begin += 1
            while begin < stop and buffer[stop - 1] <= 32:
                stop -= 1
            for i in range(begin, stop):
                if buffer[i] == 38 or buffer[i] == 13:  # an entity; a line end that XML reads as a line feed
                    return rows, consumed, False
            held[number, 0] = begin
            held[number, 1] = stop
        at = last + 1


@njit(cache=True, nogil=True)
def last_prm_end(buffer: Any, size: Any) -> Any:
    """Return the offset after the last `</PRM>` outside comments, CDATA sections and processing instructions, or 0.

    Args:
        buffer: (b,) uint8 with 16 readable bytes after `size`; size: bytes to look at.
    """
    base = buffer.ctypes.data
    opening = repeat(60)
    closing = repeat(62)
    found = np.int64(0)
    at = np.int64(0)
    while True:
        at = find(base, at, size, opening)
        if at + 3 >= size:
            return found
        second = buffer[at + 1]
        if second == 33 and buffer[at + 2] == 45:  # <!-- … -->, at least seven bytes
            at += 6
            lead = 45
        elif second == 33 and buffer[at + 2] == 91:  # <![CDATA[ … ]]>
            at += 9
            lead = 93
        elif second == 63:  # <? … ?>
            at += 2
            lead = 63
        else:
            is_prm = second == 47 and buffer[at + 2] == 80 and buffer[at + 3] == 82 and buffer[at + 4] == 77
            is_prm = is_prm and (buffer[at + 5] == 62 or buffer[at + 5] <= 32)
            at = find(base, at, size, closing) + 1
            if is_prm and at <= size:
                found = at
            continue
        pairs = 1 if lead == 63 else 2
        while True:
            at = find(base, at, size, closing)
            if at >= size:
                return found
            if buffer[at - 1] == lead and (pairs == 1 or buffer[at - 2] == lead):
                break
            at += 1
        at += 1
