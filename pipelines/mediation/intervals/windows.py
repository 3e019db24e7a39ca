"""Demand over all intervals of a channel, whatever files and blocks they came in: a function of the set of intervals.

Of several that state an interval the highest version counts, of equal ones the shortest, then the largest: no order of arrival
decides. Windows are those of `pipelines.mediation.intervals.demand`, which is the twin, and works out what is no whole number
of millionths, or too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import EPOCH, number, parsed, plain, written
from pipelines.mediation.intervals.demand import FLOW, WEEKDAYS, with_demand
from pipelines.mediation.kernels.nem12 import NO_VALUE
from pipelines.mediation.meters.steps import Steps
from rating.zones import zone_transitions
from schemas.arrays import Int64Array
from schemas.energy import DEMAND_KEY
from schemas.source import Filter

INTERVAL_COLUMNS = ("point", "channel", "measure", "direction", "unit", "start", "end", "value", "version")
"""Columns of intervals that are needed, whatever a mapping reads."""
STATED = ("end", "demand", "local_date", "weekday", "hour")
"""What a statement says: another text of one of these is another statement."""
ENERGIES = ("Wh", "VArh", "VAh")
TOTAL = "_total"
"""Of the measure of what says again what a curve of the same channel says."""
VERSION_FIRST = 10**17
"""Above the versions that flows have, which grow with time, so that a statement takes the place of what one file told."""
MILLIONTHS, SECOND_US, HOUR_S, DAY_S = 1_000_000, 1_000_000, 3600, 86_400
VALUE_LIMIT, SUM_LIMIT = 2**61, 2**62
START, STEP, VALUE, VERSION = range(4)
Key = tuple[str, str]


@dataclass(slots=True)
class _Series:
    """Intervals of a channel, in the order in which they came.

    Attributes:
        known: what they have in common. parts: (n, 4) start and length in s, value in millionths or `NO_VALUE`, version.
        rows: those of the part that is being filled. odd: those whose values are no such numbers.
    """

    known: Row
    parts: list[Int64Array] = field(default_factory=list)
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    odd: list[tuple[int, int, Decimal, int]] = field(default_factory=list)


@dataclass(slots=True)
class Intervals:
    """All intervals that were stated of some channels, in 32 bytes each."""

    series: dict[Key, _Series] = field(default_factory=dict)

    def take(self, piece: Steps | list[Row]) -> None:
        """Take intervals in; what is doubted, covered, no energy, or lies between whole seconds is passed over."""
        if isinstance(piece, Steps):
            self._take_steps(piece)
            return
        for row in piece:
            self._take_row(row)

    def _of(self, row: Row) -> _Series | None:
        told_again = row.get("covered") or row.get("measure", "").endswith(TOTAL)
        if row.get("doubt") or told_again or row.get("unit") not in ENERGIES:
            return None
        known = {name: row.get(name, "") for name in ("point", "channel", "measure", "direction", "unit")}
        return self.series.setdefault((known["point"], known["channel"]), _Series(known))

    def _take_steps(self, steps: Steps) -> None:
        table = np.column_stack((steps.start, steps.step_s, steps.value, steps.version))
        order = np.argsort(steps.head, kind="stable")
        edges = np.searchsorted(steps.head[order], np.arange(len(steps.heads) + 1))
        for place, known in enumerate(steps.heads):
            mine = order[edges[place] : edges[place + 1]]
            if len(mine) and (series := self._of(known)) is not None:
                series.parts.append(table[mine])

    def _take_row(self, row: Row) -> None:
        series, start, end = self._of(row), parsed(row.get("start", "")), parsed(row.get("end", ""))
        if series is None or start is None or end is None or start.microsecond or end.microsecond:
            return
        version, text = row.get("version", ""), row.get("value", "")
        first, step_s = (start - EPOCH) // timedelta(seconds=1), (end - start) // timedelta(seconds=1)
        ranked = int(version) if version.isdecimal() else 0
        value = number(text)
        scaled = None if value is None else value * MILLIONTHS
        if step_s <= 0 or (value is None and text):
            return
        if scaled is None:
            series.rows.append((first, step_s, NO_VALUE, ranked))
        elif scaled == int(scaled) and abs(scaled) < VALUE_LIMIT:
            series.rows.append((first, step_s, int(scaled), ranked))
        else:
            series.odd.append((first, step_s, Decimal(value or 0), ranked))


def demands(
    intervals: Intervals, window_s: int, zone: str | None, *, fixed: bool, filters: tuple[Filter, ...] = ()
) -> Iterator[Row]:
    """Yield the demand of all windows that are whole, by channel and time, without a version; of 0 W none.

    Args:
        zone: whose local time is told, and whose midnight fixed windows count from; None for UTC, and no local time.
        filters: those of the source that states them: what they leave out is not stated.
    """
    for key in sorted(intervals.series):
        series = intervals.series[key]
        fixes = {name: series.known[name] for name in ("point", "channel", "measure", "direction", "unit")}
        if not all(passes(one, fixes) for one in filters if one.field in fixes):
            continue
        for row in _windows(series, window_s, zone, fixed=fixed):
            if all(passes(one, row) for one in filters):
                yield row


def passes(condition: Filter, row: Row) -> bool:
    """Return whether a filter keeps a row."""
    text = row.get(condition.field, "")
    if condition.keep:
        return text in condition.keep
    if condition.drop:
        return text not in condition.drop
    if condition.prefix:
        return text.startswith(condition.prefix)
    if condition.present is not None:
        return bool(text) == condition.present
    value = number(text)
    return value is None or not (
        (condition.min is not None and value < condition.min) or (condition.max is not None and value > condition.max)
    )


def key_of(row: Row) -> tuple[str, ...]:
    """Return what names a window."""
    return tuple(row.get(name, "") for name in DEMAND_KEY)


def restated(wanted: Iterable[Row], stated: Mapping[tuple[str, ...], Row], claim: int) -> Iterator[Row]:
    """Yield what has to be said for `wanted` to stand: what is new or other than it was, and 0 W of what is no more.

    Args:
        wanted: all windows. stated: the latest statement of each that was made before. claim: of the file in which it is said,
            above those of all before.
    """
    seen = set[tuple[str, ...]]()
    version = {"version": str(VERSION_FIRST + claim)}
    for row in wanted:
        key = key_of(row)
        seen.add(key)
        before = stated.get(key)
        if before is None or any(before.get(name, "") != row.get(name, "") for name in STATED):
            yield {name: text for name, text in row.items() if text} | version
    for key in sorted(stated.keys() - seen):
        if stated[key]["demand"] != "0":
            yield {name: text for name, text in stated[key].items() if name != "line"} | {"demand": "0"} | version


def _windows(series: _Series, window_s: int, zone: str | None, *, fixed: bool) -> Iterator[Row]:
    table = np.concatenate([*series.parts, np.array(series.rows, np.int64).reshape(-1, 4)])
    table = table[table[:, STEP] > 0]
    if series.odd or not _is_small(table, window_s):
        yield from _slowly(series, table, window_s, zone, fixed=fixed)
        return
    latest = _latest(table)
    start, step, value = latest[:, START], latest[:, STEP], latest[:, VALUE]
    end = start + step
    run = np.cumsum(np.append(True, start[1:] != end[:-1])) if len(start) else start
    total = np.append(0, np.cumsum(value))
    first = np.searchsorted(start, end - window_s)
    place = np.minimum(first, np.arange(len(start)))
    whole = np.flatnonzero((start[place] == end - window_s) & (run[place] == run))
    energy = total[whole + 1] - total[place[whole]]
    power, rest = np.divmod(energy * HOUR_S, window_s)
    power += (2 * rest > window_s) | ((2 * rest == window_s) & (power % 2 == 1))
    local, local_end = _local(start[whole], zone), _local(end[whole], zone)
    counts = power != 0
    if fixed:
        counts &= local_end % DAY_S % window_s == 0
    for n in np.flatnonzero(counts).tolist():
        at = whole[n]
        yield _row(series.known, int(start[at]), int(end[at]), plain(Decimal(int(power[n])) / MILLIONTHS)) | (
            {} if zone is None else _told(int(local[n]))
        )


def _is_small(table: Int64Array, window_s: int) -> bool:
    """Return whether neither sums nor powers can be beyond 64 bits."""
    values = table[table[:, VALUE] != NO_VALUE, VALUE]
    if not len(values):
        return True
    largest = max(int(values.max()), -int(values.min()))
    return largest * len(values) < SUM_LIMIT and largest * (window_s + 1) < SUM_LIMIT // HOUR_S


def _latest(table: Int64Array) -> Int64Array:
    """Return the interval that counts of each start, by start, without those that have no value."""
    table = table[np.lexsort((table[:, VALUE], -table[:, STEP], table[:, VERSION], table[:, START]))]
    last = np.append(table[1:, START] != table[:-1, START], True)[: len(table)]
    latest: Int64Array = table[last & (table[:, VALUE] != NO_VALUE)]
    return latest


def _slowly(series: _Series, table: Int64Array, window_s: int, zone: str | None, *, fixed: bool) -> Iterator[Row]:
    """Yield the windows of a series by the twin, in decimals."""
    lowest = Decimal("-Infinity")  # a value is more than none
    found: dict[int, tuple[int, int, Decimal]] = {}
    stated = [
        (start, step, lowest if value == NO_VALUE else Decimal(value) / MILLIONTHS, version)
        for start, step, value, version in table.tolist()
    ]
    for start, step, value, version in [*stated, *series.odd]:
        found[start] = max(found.get(start, (version, -step, value)), (version, -step, value))
    rows = [
        _row(series.known, start, start - less, "") | {"flow": "", "value": format(value, "f")}
        for start, (_, less, value) in sorted(found.items())
        if value != lowest
    ]
    place = None if zone is None else ZoneInfo(zone)
    for row in next(with_demand(iter([rows]), window_s, place, fixed=fixed)):
        if row["demand"] not in ("", "0"):
            yield {name: text for name, text in row.items() if name != "value"} | {"flow": FLOW}


def _row(known: Row, start: int, end: int, demand: str) -> Row:
    begins, ends = EPOCH + timedelta(seconds=start), EPOCH + timedelta(seconds=end)
    return known | {
        "flow": FLOW,
        "start": written(begins),
        "end": written(ends),
        "step_s": str(end - start),
        "demand": demand,
    }


def _local(at: Int64Array, zone: str | None) -> Int64Array:
    """Return local seconds since 1970 of instants."""
    if zone is None:
        return at
    instants, offsets_us = zone_transitions(zone)
    local: Int64Array = at + offsets_us[np.searchsorted(instants, at * SECOND_US, side="right") - 1] // SECOND_US
    return local


def _told(local: int) -> Row:
    clock = EPOCH + timedelta(seconds=local)
    return {
        "local_date": clock.date().isoformat(),
        "weekday": WEEKDAYS[clock.weekday()],
        "hour": f"{clock.hour:02}",
    }
