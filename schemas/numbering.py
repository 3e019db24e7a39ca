"""Numbers of invoices: without a gap within a series, whatever crashes. What was given is in the log, so that the log decides.

A pattern makes a *series* of everything but the number: "INV-{year}-{number:6}" of a day in 2026 the series
"INV-2026-{number:6}". The first number of a series is 1 (Directive 2006/112/EC, art. 226 (2): sequential, one or more series).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

_FIELD = re.compile(r"\{([a-z]+)(?::([1-9]|1[0-8]))?\}")
_NAMES = frozenset({"seller", "year", "month", "day", "number"})


class UnableToNumber(Exception):
    """A pattern makes no numbers."""


def check_pattern(pattern: str) -> None:
    """Check that a pattern names what there is, and the number once.

    Raises:
        UnableToNumber: when it does not.
    """
    rest = _FIELD.sub("", pattern)
    names = [name for name, _ in _FIELD.findall(pattern)]
    unknown = sorted(set(names) - _NAMES)
    if unknown or "{" in rest or "}" in rest or ":" in rest:
        raise UnableToNumber(f'"{pattern}" is no pattern: it may name {", ".join(sorted(_NAMES))} in braces')
    if re.search(r"([0-9]|\{seller[^}]*\})\{number|\{number[^}]*\}([0-9]|\{)", pattern):
        raise UnableToNumber(f'"{pattern}" may say one number of two series: write - or / before and after {{number}}')
    if names.count("number") != 1:
        raise UnableToNumber(f'"{pattern}" has no number, or several: write {{number}} once')


def series_of(pattern: str, *, seller: str, day: date) -> str:
    """Return the series of a document: the pattern with all but its number said."""
    said = {"seller": seller, "year": day.year, "month": f"{day.month:02}", "day": f"{day.day:02}"}

    def text(found: re.Match[str]) -> str:
        name, width = found[1], found[2]
        return found[0] if name == "number" else str(said[name]).zfill(int(width or 0))

    return _FIELD.sub(text, pattern)


def number_in(series: str, number: int) -> str:
    """Return the number of a document in its series."""
    return _FIELD.sub(lambda found: str(number).zfill(int(found[2] or 0)), series)


def counted_as(series: str) -> str:
    """Return what the numbers of a series are counted by: leading zeros make no other numbers."""
    return _FIELD.sub("{number}", series)


def next_numbers(blocks: Iterable[tuple[str, int, int]]) -> dict[str, int]:
    """Return the next number of each series, of what was reserved: (series, first, count) in the order of the log.

    Raises:
        UnableToNumber: when the blocks of a series leave a gap, or overlap.
    """
    following: dict[str, int] = {}
    for series, first, count in blocks:
        key = counted_as(series)
        expected = following.get(key, 1)
        if first != expected:
            raise UnableToNumber(f"the series {series} goes on with {first}, and {expected} is next")
        following[key] = first + count
    return following


def reserve(wanted: Iterable[str], following: Mapping[str, int]) -> tuple[list[str], list[tuple[str, int, int]]]:
    """Return the numbers of documents, given the series of each in order, and the blocks that they take."""
    starts: dict[str, int] = {}
    counts: dict[str, int] = {}
    numbers = []
    for series in wanted:  # all of one run, hence of one pattern
        first = starts.setdefault(series, following.get(counted_as(series), 1))
        numbers.append(number_in(series, first + counts.get(series, 0)))
        counts[series] = counts.get(series, 0) + 1
    return numbers, [(series, first, counts[series]) for series, first in starts.items()]
