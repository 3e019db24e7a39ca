"""Intervals cut into grains of one length, so that a step that is stated again in another length meets the one before.

The identity of an interval is when it starts. A day of half hours that comes again as steps of 5 minutes has 48 identities that
it shares with the day before and 240 that nobody had; the other way round 240 of the former steps would stand beside the
new ones. Cut into grains, both have the same identities, and of each grain the newest statement counts, as of any record.
A grain is a share of its step by time, in whole units of the record's; what is left is in the last one, so that grains add up
to their step exactly, and rounding each of them rounds the step once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Context, Decimal

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import EPOCH, number, parsed, plain, written

CUT_COLUMNS = ("start", "end", "step_s", "value", "unit", "measure", "channel", "covered", "doubt")
"""Columns that say how an interval is cut, whatever a mapping reads."""
AMOUNTS = frozenset({"Wh", "VArh", "VAh", "m3", "J", "Btu", "therm"})
"""Units of what adds up over time; a power or a voltage has no parts."""
LONG = ".30."
"""Of the channels of steps of a day and more."""
DAY_S = 86_400
SHARED = ("value", "net")
ABOVE_WHOLE = 5 * 10**17
"""Above the versions of flows, ranked or not: the first grain of a step that came whole before takes back all of it."""
_EXACT = Context(prec=80)


def cut_rows(rows: Iterable[Row], minutes: int) -> Iterator[Row]:
    """Yield intervals cut into grains of so many minutes that begin on multiples of them in UTC; `cut_steps` is the kernel.

    What has no parts stays as it is: powers, totals of a day and more (of channels of their own), and what says again what
    others say. Any other step that is no whole number of grains, shorter than a day, is doubted: nobody could tell what it
    replaces. All have a version above those of steps that are whole, so that sources of one identity space may cut, or not.

    Args:
        rows: columns of `schemas.energy.Interval`.
    """
    grain = timedelta(minutes=minutes)
    for row in map(_above_whole, rows):
        start = parsed(row.get("start", ""))
        if start is None or not has_parts(row):
            yield row
            continue
        end = parsed(row.get("end", ""))
        if end is None or _is_between(start - EPOCH, end - EPOCH, grain):
            yield row if row.get("doubt") else row | {"doubt": _told(row, minutes)}
        elif end - start == grain:
            yield row
        else:
            count = (end - start) // grain
            parts = [(name, shares(row[name], count)) for name in SHARED if name in row]
            for place in range(count):
                begin = start + place * grain
                ends = {"start": written(begin), "end": written(begin + grain), "step_s": str(60 * minutes)}
                yield row | ends | {name: texts[place] for name, texts in parts}


def _above_whole(row: Row) -> Row:
    version = row.get("version", "")
    is_below = version.isdecimal() and int(version) < ABOVE_WHOLE  # what was corrected by hand says it already
    return row | {"version": str(int(version) + ABOVE_WHOLE)} if is_below else row


def has_parts(row: Row) -> bool:
    """Return whether a step adds up of its parts; what steps of one series have in common tells."""
    is_total = row.get("measure", "").endswith("_total") or LONG in row.get("channel", "")
    return row.get("unit") in AMOUNTS and not is_total and not row.get("covered")


def _is_between(start: timedelta, end: timedelta, grain: timedelta) -> bool:
    return bool(start % grain or end % grain) or not timedelta(0) < end - start < timedelta(seconds=DAY_S)


def _told(row: Row, minutes: int) -> str:
    period = f"{row['start']} to {row.get('end', '')}"
    return f"{period} is no whole number of {minutes} minutes, from a multiple of them on, shorter than a day"


def shares(text: str, count: int) -> list[str]:
    """Return a number in so many parts that add up to it: whole ones that differ by 1 at most, and the rest in the last.

    A text that is no number is each of its parts.
    """
    value = number(text)
    if value is None:
        return [text] * count
    size = value.copy_abs()
    whole = int(size)
    parts = [Decimal(whole * (place + 1) // count - whole * place // count) for place in range(count)]
    parts[-1] = _EXACT.add(parts[-1], _EXACT.subtract(size, Decimal(whole)))
    return [plain(part.copy_sign(value)) if part else "0" for part in parts]
