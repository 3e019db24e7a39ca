"""Demand: the mean power of the minutes before the end of each interval, a window that rolls from interval to interval."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import number, parsed
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.meters.units import power_of

NAMES = ("flow", "point", "created_at", "version", "line", "doubt", "start", "end", "step_s", "measure", "direction",
         "value", "net", "unit", "quality", "nature", "channel", "power", "covered")  # fmt: skip
FLOW = "DEMAND"
"""What statements of demand over several files call themselves."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SERIES_MAX = 100_000
"""Channels whose last minutes are remembered; of more, the ones that were quiet longest begin anew."""


@dataclass(slots=True)
class _Window:
    """The last intervals of a channel, and their sum."""

    held: deque[tuple[datetime, datetime, Decimal]] = field(default_factory=deque)
    total: Decimal = Decimal(0)

    def take(self, start: datetime, end: datetime, value: Decimal, window_s: int) -> str:
        """Take an interval in; return the mean power of the window that ends with it, "" where it is not all there."""
        if self.held and self.held[-1][1] != start:
            self.held.clear()
            self.total = Decimal(0)
        self.held.append((start, end, value))
        self.total += value
        while (end - self.held[0][0]).total_seconds() > window_s:
            self.total -= self.held.popleft()[2]
            if not self.held:
                return ""
        return power_of(self.total, window_s) if (end - self.held[0][0]).total_seconds() == window_s else ""


def with_demand(
    pieces: Iterator[Steps | list[Row]], window_s: int, zone: ZoneInfo | None = None, *, fixed: bool = False
) -> Iterator[list[Row]]:
    """Yield the intervals of a file with their demand and local time. What is doubted, or has no value, ends a window.

    Statements of demand, which were worked out of several files, stay as they are.

    Args:
        fixed: whether only windows count that end on a multiple of their length since local midnight.
    """
    windows: dict[tuple[str, str, str], _Window] = {}
    for piece in pieces:
        rows = piece if isinstance(piece, list) else rows_of(piece)
        yield [row if row.get("flow") == FLOW else _told(row, windows, window_s, zone, fixed=fixed) for row in rows]


def _told(
    row: Row, windows: dict[tuple[str, str, str], _Window], window_s: int, zone: ZoneInfo | None, *, fixed: bool
) -> Row:
    demand = _demand(row, windows, window_s)
    if fixed and demand and (end := parsed(row["end"])) is not None:
        clock = end if zone is None else end.astimezone(zone)
        if (3600 * clock.hour + 60 * clock.minute + clock.second) % window_s:
            demand = ""
    return row | {"demand": demand} | _local(row, zone)


def rows_of(steps: Steps) -> list[Row]:
    """Return intervals as rows."""
    columns = [column.to_pylist() for column in steps.columns(NAMES)]
    return [dict(zip(NAMES, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _local(row: Row, zone: ZoneInfo | None) -> Row:
    """Return the local time at which an interval starts, by which prices of demand have their windows."""
    start = None if zone is None else parsed(row.get("start", ""))
    if start is None:
        return {}
    try:
        local = start.astimezone(zone)
    except OverflowError:
        return {"doubt": row.get("doubt") or f"{row['start']} has no local time in {zone}"}
    return {"local_date": local.date().isoformat(), "weekday": WEEKDAYS[local.weekday()], "hour": f"{local.hour:02}"}


def _demand(row: Row, windows: dict[tuple[str, str, str], _Window], window_s: int) -> str:
    start, end, value = parsed(row.get("start", "")), parsed(row.get("end", "")), number(row.get("value", ""))
    key = (row.get("point", ""), row.get("channel", ""), row.get("measure", ""))
    if start is None or end is None or value is None or row.get("doubt") or row.get("covered"):
        windows.pop(key, None)
        return ""
    window = windows.pop(key, None) or _Window()
    windows[key] = window
    if len(windows) > SERIES_MAX:
        del windows[next(iter(windows))]
    return window.take(start, end, value, window_s)
