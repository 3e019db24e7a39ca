"""Steps that change the text of one field of every record. All letters and digits meant are ASCII; the rest is UTF-8.

Steps that only leave something out move `start` and `end`; the others write every record's text to `out`, one after the
other, and set `start` and `end` to offsets in it. An empty text stays empty.
"""

from __future__ import annotations

from typing import Any

from numba import njit

PLUS = 43
ZERO = 48
NINE = 57


@njit(cache=True, nogil=True)
def _begins(text: Any, at: Any, stop: Any, affixes: Any, first: Any, last: Any) -> Any:
    """Return whether text[at:stop] begins with affixes[first:last]."""
    if stop - at < last - first:
        return False
    for j in range(last - first):
        if text[at + j] != affixes[first + j]:
            return False
    return True


@njit(cache=True, nogil=True)
def strip_prefixes(text: Any, start: Any, end: Any, affixes: Any, ptr: Any) -> None:
    """Remove the first of the affixes that a text begins with.

    Args:
        text: (b,) uint8; start: (n,) int32, changed; end: (n,) int32.
        affixes: (k,) uint8; ptr: (p + 1,) int32: affix j is affixes[ptr[j]:ptr[j + 1]].
    """
    for i in range(len(start)):
        for j in range(len(ptr) - 1):
            if _begins(text, start[i], end[i], affixes, ptr[j], ptr[j + 1]):
                start[i] += ptr[j + 1] - ptr[j]
                break


@njit(cache=True, nogil=True)
def begin_with(text: Any, start: Any, end: Any, affixes: Any, ptr: Any, found: Any) -> None:
    """Say whether a text begins with one of the affixes.

    Args:
        text, start, end, affixes, ptr: as for `strip_prefixes`; found: (n,) int32, written: 0 or 1.
    """
    for i in range(len(start)):
        found[i] = 0
        for j in range(len(ptr) - 1):
            if _begins(text, start[i], end[i], affixes, ptr[j], ptr[j + 1]):
                found[i] = 1
                break


@njit(cache=True, nogil=True)
def substring(text: Any, start: Any, end: Any, skip: Any, width: Any) -> None:
    """Keep at most `width` characters after the first `skip` ones.

    Args:
        text: (b,) uint8, UTF-8; start, end: (n,) int32, changed; skip, width: how many characters.
    """
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        seen = -1  # characters before `at`, less one: a byte that continues none begins the next
        first = stop
        last = stop
        while at < stop:
            if text[at] & 0xC0 != 0x80:
                seen += 1
                if seen == skip:
                    first = at
                if seen - skip == width:
                    last = at
                    break
            at += 1
        start[i] = first
        end[i] = last


@njit(cache=True, nogil=True)
def split_part(text: Any, start: Any, end: Any, separator: Any, part: Any) -> None:
    """Keep the part after `part` separators, up to the next one; nothing where there are fewer.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed; separator: a byte.
    """
    for i in range(len(start)):
        stop = end[i]
        first = start[i]
        passed = 0
        last = stop
        for at in range(start[i], stop):
            if text[at] == separator:
                if passed == part:
                    last = at
                    break
                passed += 1
                first = at + 1
        if passed < part:
            first = stop
        start[i] = first
        end[i] = last


@njit(cache=True, nogil=True)
def change_case(text: Any, start: Any, end: Any, upper: Any, out: Any) -> None:
    """Write texts with the letters a to z in upper case, or A to Z in lower case.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed; upper: bool; out: (c,) uint8, as long as all texts.
    """
    low = 97 if upper else 65
    to = 0
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        start[i] = to
        while at < stop:
            byte = text[at]
            out[to] = byte ^ 0x20 if low <= byte < low + 26 else byte
            to += 1
            at += 1
        end[i] = to


@njit(cache=True, nogil=True)
def prepend(text: Any, start: Any, end: Any, affix: Any, width: Any, out: Any) -> None:
    """Write texts with `affix` in front: once when `width` is 0, else as often as they lack characters to `width`.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed; affix: (k,) uint8.
        out: (c,) uint8 with room for max(k, k * width) bytes more per record.
    """
    to = 0
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        start[i] = to
        times = 0
        if stop > at:
            times = 1
            if width > 0:
                times = width
                for j in range(at, stop):
                    if text[j] & 0xC0 != 0x80 and times > 0:
                        times -= 1
        for _ in range(times):
            for j in range(len(affix)):
                out[to] = affix[j]
                to += 1
        while at < stop:
            out[to] = text[at]
            to += 1
            at += 1
        end[i] = to


@njit(cache=True, nogil=True)
def replace_texts(text: Any, start: Any, end: Any, found: Any, values: Any, ptr: Any, out: Any) -> None:
    """Write for each text the value found for it, or itself.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed.
        found: (n,) int32 which value, -1 for the text itself; values: (k,) uint8; ptr: (v + 1,) int32.
        out: (c,) uint8 with room for the longest value more per record.
    """
    to = 0
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        start[i] = to
        if found[i] >= 0:
            for j in range(ptr[found[i]], ptr[found[i] + 1]):
                out[to] = values[j]
                to += 1
        else:
            while at < stop:
                out[to] = text[at]
                to += 1
                at += 1
        end[i] = to


@njit(cache=True, nogil=True)
def normalise_numbers(
    text: Any,
    start: Any,
    end: Any,
    country: Any,
    trunk: Any,
    international: Any,
    ptr: Any,
    national: Any,
    short_max: Any,
    out: Any,
) -> None:
    """Write telephone numbers as the digits of E.164; see `schemas.converters.E164`.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed.
        country, trunk: (k,) uint8, trunk may be empty; international: (m,) uint8 prefixes, ptr: (p + 1,) int32.
        national: bool: a number without any prefix gets the country; short_max: int.
        out: (c,) uint8 with room for the country more per record.
    """
    to = 0
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        begin = to
        well = stop > at
        for j in range(at, stop):
            byte = text[j]
            if ZERO <= byte <= NINE or (byte == PLUS and to == begin):
                out[to] = byte
                to += 1
            elif byte != 32 and byte != 45 and byte != 46 and byte != 47 and byte != 40 and byte != 41:
                well = False
                break
        size = to - begin
        cut = 0
        if well:
            for j in range(len(ptr) - 1):
                if ptr[j + 1] > ptr[j] and _begins(out, begin, to, international, ptr[j], ptr[j + 1]):
                    cut = ptr[j + 1] - ptr[j]
                    break
        grow = 0
        if well and cut == 0:
            if out[begin] == PLUS:
                well = False
            elif size > short_max:
                if len(trunk) > 0 and _begins(out, begin, to, trunk, 0, len(trunk)):
                    cut = len(trunk)
                    grow = len(country)
                elif national:
                    grow = len(country)
        if well and (size - cut == 0 or (cut < size and out[begin + cut] == PLUS)):
            well = False
        to = begin
        if not well:  # no telephone number: as it was
            for j in range(at, stop):
                out[to] = text[j]
                to += 1
        else:
            if grow > cut:
                for j in range(size - 1, cut - 1, -1):
                    out[begin + grow + j - cut] = out[begin + j]
            else:
                for j in range(cut, size):
                    out[begin + grow + j - cut] = out[begin + j]
            for j in range(grow):
                out[begin + j] = country[j]
            to = begin + grow + size - cut
        start[i] = begin
        end[i] = to


@njit(cache=True, nogil=True)
def append_texts(text: Any, start: Any, end: Any, out: Any, to: Any) -> Any:
    """Append the texts of a column at offset `to` of `out`; move the column there; return the offset after them.

    Args:
        text: (b,) uint8; start, end: (n,) int32, changed; out: (c,) uint8 with room.
    """
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        start[i] = to
        while at < stop:
            out[to] = text[at]
            to += 1
            at += 1
        end[i] = to
    return to
