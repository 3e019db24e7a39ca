"""Quantities of energy cut where a price may change: at every first of a month, and where the law lets nothing be billed.

Prices, levies and taxes of energy change on the first of a month. A quantity of a longer period is cut there, whatever the
catalog says, so that a file has the same records under every catalog; what lies between two cuts is a share by days, as the
texts on gas networks say. A reading on the day of a change makes a cut of its own, and is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import number, parsed, plain, written
from rating.months import months_later
from schemas.source_energy import EnergySource

PARIS = ZoneInfo("Europe/Paris")
PIECES_MAX = 240
"""Of a longer period nobody believes a word: it stays whole."""
BY_DAYS = "days"
"""How a part of a period was worked out."""
ONE = Decimal(1)
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)


def cut_as_told(rows: Iterator[Row], source: EnergySource, *, day_starts: timedelta = timedelta(0)) -> Iterator[Row]:
    """Return the rows of a file as their source wants them cut (`cut_rows`)."""
    return rows if source.cut == "none" else cut_rows(rows, day_starts=day_starts, months_max=source.months_max)


def cut_rows(
    rows: Iterator[Row], *, day_starts: timedelta = timedelta(0), months_max: int | None = None
) -> Iterator[Row]:
    """Yield quantities cut at the first of every month in Europe/Paris; what is no period, or was cut, stays as it is.

    Args:
        rows: columns of `schemas.energy.Quantity`. day_starts: when a day begins, 06:00 for gas.
        months_max: energy above zero that lies longer before its reading, or before the distributor's file, says so (`beyond`).
    """
    for row in rows:
        if row.get("period_start"):
            yield row
        else:
            yield from _cut(row, day_starts, months_max)


def _cut(row: Row, day_starts: timedelta, months_max: int | None) -> Iterator[Row]:
    start, end = parsed(row.get("start", "")), parsed(row.get("end", ""))
    value, net = number(row.get("value", "")), number(row.get("net", ""))
    if start is None or end is None or value is None or net is None or start >= end:
        yield row
        return
    first, after = _day(start, day_starts), _day(end, day_starts)
    limit = _limit(end, row, months_max, day_starts)
    days = _cuts(first, after, limit)
    if len(days) > PIECES_MAX:
        yield {**row, "doubt": row.get("doubt", "") or f"a period of {(after - first).days} days"}
        return
    whole = (after - first).days
    bounds = [start, *(_instant(day, day_starts) for day in days), end]
    places = [0, *((day - first).days for day in days), whole]
    for (low, high), (from_day, until_day) in zip(pairwise(bounds), pairwise(places), strict=True):
        part = {
            **row,
            "start": written(low),
            "end": written(high),
            "period_start": written(start),
            "period_end": written(end),
            "value": _share(value, from_day, until_day, whole),
            "net": _share(net, from_day, until_day, whole),
        }
        if len(bounds) > 2:
            part["estimated_by"] = BY_DAYS
        if limit is not None and net > 0 and first + timedelta(until_day) <= limit:
            part["beyond"] = f"longer than {months_max} months before {_day(end, day_starts)}"
        yield part


def _limit(end: datetime, row: Row, months_max: int | None, day_starts: timedelta) -> date | None:
    """Return the day before which nothing may be billed."""
    if months_max is None:
        return None
    made = parsed(row.get("created_at", ""))
    return months_later(_day(end if made is None else max(end, made), day_starts), -months_max)


def _cuts(first: date, after: date, limit: date | None) -> list[date]:
    """Return the days inside of a period at which it is cut, ascending."""
    found = {limit} if limit is not None else set()
    month = months_later(first.replace(day=1), 1)
    while month < after and len(found) <= PIECES_MAX:
        found.add(month)
        month = months_later(month, 1)
    return sorted(day for day in found if first < day < after)


def _share(value: Decimal, low: int, high: int, whole: int) -> str:
    """Return what of a quantity lies between two days of its period: shares are whole Wh, and add up to it."""
    if whole == 0:
        return plain(value)
    return plain(_EXACT.subtract(_until(value, high, whole), _until(value, low, whole)))


def _until(value: Decimal, day: int, whole: int) -> Decimal:
    if day == whole:
        return value
    return _EXACT.divide(_EXACT.multiply(value, day), whole).quantize(ONE, context=_EXACT)


def _day(at: datetime, day_starts: timedelta) -> date:
    return (at.astimezone(PARIS).replace(tzinfo=None) - day_starts).date()


def _instant(day: date, day_starts: timedelta) -> datetime:
    return (datetime.combine(day, datetime.min.time()) + day_starts).replace(tzinfo=PARIS).astimezone(UTC)
