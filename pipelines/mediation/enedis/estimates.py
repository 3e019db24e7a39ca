"""Estimate the steps that a load curve lacks, by named methods. It says so, and anything measured takes its place.

`index_difference`: what the indexes of a day differ by, less the steps that are known, in equal parts of whole Wh.
`previous_period`: what the same time of the clock had seven days before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words

Method = Literal["index_difference", "previous_period"]
METHODS: tuple[Method, ...] = ("index_difference", "previous_period")
PERIOD = timedelta(days=7)
ACTIVE = "EA"
ESTIMATED = "0"
"""The lowest of versions, so that whatever is measured stands above it."""
Series = tuple[str, str]
"""A point and a direction."""


@dataclass(slots=True)
class Gaps:
    """What is estimated, and what could not be: (point, day, why)."""

    rows: list[Row] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)


def fill(intervals: Iterable[Row], readings: Iterable[Row], method: Method) -> Gaps:
    """Estimate what the curves lack on days of which they have anything.

    Args:
        intervals: rows of curves; only active energy counts. readings: rows of indexes, for `index_difference`.
    """
    known: dict[Series, dict[datetime, Decimal]] = {}
    steps: dict[Series, timedelta] = {}
    days: dict[Series, set[date]] = {}
    for row in intervals:
        start, value = words.parsed(row.get("start", "")), words.number(row.get("value", ""))
        if start is None or row.get("measure") != ACTIVE or not row.get("step_s", "").isdecimal():
            continue
        series = (row["point"], row.get("direction", ""))
        steps[series] = timedelta(seconds=int(row["step_s"]))
        days.setdefault(series, set()).add(start.astimezone(words.PARIS).date())
        found = known.setdefault(series, {})
        if value is not None and not row.get("doubt"):
            found[start] = value
    indexes = _indexes(readings) if method == "index_difference" else {}
    gaps = Gaps()
    for series, found in known.items():
        for day in sorted(days[series]):
            missing = [at for at in _steps_of(day, steps[series]) if at not in found]
            if missing and method == "index_difference":
                _by_index(gaps, series, day, missing, found, indexes, steps[series])
            elif missing:
                _by_week_before(gaps, series, day, missing, found, steps[series])
    return gaps


def _steps_of(day: date, step: timedelta) -> list[datetime]:
    """Return when the steps of a day of Paris begin: 46 or 50 half hours when the clock changes."""
    at, end = words.parsed(day.isoformat()), words.parsed((day + timedelta(days=1)).isoformat())
    steps = list[datetime]()
    while at is not None and end is not None and at < end:
        steps.append(at)
        at += step
    return steps


def _indexes(readings: Iterable[Row]) -> dict[Series, dict[str, dict[str, Decimal]]]:
    """Return by point: by instant: by register of one grid: its index in Wh."""
    found: dict[Series, dict[str, dict[str, Decimal]]] = {}
    for row in readings:
        value = words.number(row.get("value", ""))
        if value is None or row.get("measure") != ACTIVE or row.get("grid") != "supplier" or row.get("doubt"):
            continue
        register = f"{row.get('calendar', '')}/{row.get('time_class', '')}"
        series = (row["point"], row.get("direction", ""))
        found.setdefault(series, {}).setdefault(row["at"], {})[register] = value
    return found


def _by_index(
    gaps: Gaps,
    series: Series,
    day: date,
    missing: list[datetime],
    known: dict[datetime, Decimal],
    indexes: dict[Series, dict[str, dict[str, Decimal]]],
    step: timedelta,
) -> None:
    of_point = indexes.get(series, {})
    before = of_point.get(words.instant(day.isoformat()), {})
    after = of_point.get(words.instant((day + timedelta(days=1)).isoformat()), {})
    if not before or before.keys() != after.keys():
        gaps.left.append((series[0], day.isoformat(), "no index of the same registers at both ends of the day"))
        return
    there = sum((known[at] for at in _steps_of(day, step) if at in known), Decimal(0))
    rest = sum((after[name] - before[name] for name in before), Decimal(0)) - there
    if rest < 0:
        gaps.left.append((series[0], day.isoformat(), f"the steps that are there are {words.plain(-rest)} Wh more"))
        return
    whole, fraction = divmod(rest, 1)
    each, more = divmod(int(whole), len(missing))
    for place, at in enumerate(missing):
        value = Decimal(each + (place < more)) + (fraction if place == 0 else 0)
        gaps.rows.append(_row(series, at, step, value))


def _by_week_before(
    gaps: Gaps, series: Series, day: date, missing: list[datetime], known: dict[datetime, Decimal], step: timedelta
) -> None:
    lacking = 0
    for at in missing:
        local = at.astimezone(words.PARIS)
        value = known.get((local - PERIOD).astimezone(UTC))
        if value is None:
            lacking += 1
        else:
            gaps.rows.append(_row(series, at, step, value))
    if lacking:
        gaps.left.append((series[0], day.isoformat(), f"{lacking} steps are not known of seven days before either"))


def _row(series: Series, at: datetime, step: timedelta, value: Decimal) -> Row:
    return {
        "flow": "estimate",
        "point": series[0],
        "version": ESTIMATED,
        "start": words.written(at),
        "end": words.written(at + step),
        "step_s": str(int(step.total_seconds())),
        "measure": ACTIVE,
        "direction": series[1],
        "value": words.plain(value),
        "unit": "Wh",
        "nature": "E",
        "quality": "estimated",
    }


def as_records(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows without what is empty."""
    return ({name: text for name, text in row.items() if text} for row in rows)
