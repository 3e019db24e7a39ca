"""What is in a file of meter data, channel by channel: counts, sums, gaps, qualities, and what each day comes to. Exact."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import EPOCH, number, parsed, plain
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.nem12 import DECIMALS, NO_VALUE
from pipelines.mediation.meters.steps import Steps
from schemas.arrays import Int64Array

Offset = Callable[[datetime], timedelta]
Key = tuple[str, str, str]
"""(point, channel, direction): what names a channel, whatever the flow."""
QUARTER_S, DAY_S = 900, 86_400
CHANNELS_MAX = 1_000_000
_MILLION: int = 10**DECIMALS
_HALF = np.int64(32)


@dataclass(slots=True)
class Channel:
    """The records of one channel, as they came.

    Attributes:
        unit: of its values. start, end: s since 1970; value: in millionths, NO_VALUE for none; version: each (n,).
        exact: values that are no number of millionths. codes: of qualities. doubted, covered: records of those kinds,
            which are in no array.
    """

    unit: str = ""
    start: array[int] = field(default_factory=lambda: array("q"))
    end: array[int] = field(default_factory=lambda: array("q"))
    value: array[int] = field(default_factory=lambda: array("q"))
    version: array[int] = field(default_factory=lambda: array("q"))
    code: array[int] = field(default_factory=lambda: array("l"))
    exact: dict[int, Decimal] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    doubted: int = 0
    covered: int = 0

    def take(self, row: Row, start: datetime, end: datetime, value: Decimal | None) -> None:
        """Take a record in."""
        place = len(self.start)
        self.start.append(_seconds(start))
        self.end.append(_seconds(end))
        scaled = None if value is None else value * _MILLION
        if scaled is None:
            self.value.append(NO_VALUE)
        elif scaled == int(scaled) and abs(scaled) < -NO_VALUE:
            self.value.append(int(scaled))
        else:
            self.value.append(0)
            self.exact[place] = value or Decimal(0)
        self.version.append(int(row.get("version") or 0))
        quality = row.get("quality") or row.get("nature") or ""
        self.code.append(self.codes.setdefault(quality, len(self.codes)))

    def extend(self, steps: Steps, chosen: Any) -> None:
        """Take the intervals of a series in."""
        for code in np.unique(steps.codes[chosen]).tolist():
            self.codes.setdefault(steps.said(code)[0], len(self.codes))
        known = {code: self.codes[steps.said(code)[0]] for code in np.unique(steps.codes[chosen]).tolist()}
        keys = np.array(sorted(known), np.int64)
        places = np.array([known[code] for code in keys.tolist()], np.int64)
        self.start.frombytes(steps.start[chosen].tobytes())
        self.end.frombytes((steps.start[chosen] + steps.step_s[chosen]).tobytes())
        self.value.frombytes(steps.value[chosen].tobytes())
        self.version.frombytes(steps.version[chosen].tobytes())
        self.code.frombytes(places[np.searchsorted(keys, steps.codes[chosen])].tobytes())

    def summed(self, offset: Offset) -> dict[str, Any]:
        """Return what the intervals come to: of several of one start the newest counts."""
        start, end = np.array(self.start, np.int64), np.array(self.end, np.int64)
        order = np.lexsort((np.arange(len(start)), np.array(self.version, np.int64), start))
        last = np.append(start[order][1:] != start[order][:-1], True) if len(start) else np.zeros(0, bool)
        kept = order[last]
        start, end, value = start[kept], end[kept], np.array(self.value, np.int64)[kept]
        has = value != NO_VALUE
        pauses = start[1:] - end[:-1]
        olds = enumerate(kept.tolist()) if self.exact else ()
        exact = {place: self.exact[old] for place, old in olds if old in self.exact}
        names = {code: name for name, code in self.codes.items()}
        codes = np.array(self.code, np.int64)[kept]
        return {
            "count": len(start),
            "without_value": int((~has).sum()),
            "replaced": len(self.start) - len(start),
            "doubted": self.doubted,
            "said_twice": self.covered,
            "sum": plain(_total(value[has]) + sum(exact.values(), Decimal(0))),
            "unit": self.unit,
            "first": _instant(int(start[0])) if len(start) else None,
            "last": _instant(int(end[-1])) if len(start) else None,
            "gaps": int((pauses > 0).sum()),
            "missing_s": int(pauses[pauses > 0].sum()),
            "overlaps": int((pauses < 0).sum()),
            "steps_s": sorted({int(step) for step in np.unique(end - start).tolist()})[:8],
            "quality": {names[int(code)]: int((codes == code).sum()) for code in np.unique(codes).tolist()},
            "days": _days(start, np.where(has, value, 0), has, exact, offset),
        }


@dataclass(slots=True)
class Register:
    """The readings of one register: index by instant; of several the newest counts. `rolls`: where its dial began again."""

    unit: str = ""
    found: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    rolls: dict[str, Decimal] = field(default_factory=dict)
    quality: Counter[str] = field(default_factory=Counter)
    doubted: int = 0
    replaced: int = 0

    def take(self, row: Row, value: Decimal) -> None:
        """Take a reading in."""
        at, version = row["at"], int(row.get("version") or 0)
        if at in self.found:
            self.replaced += 1
        if at not in self.found or version >= self.found[at][0]:
            self.found[at] = version, value
        if (rolls := number(row.get("rolls_over_at", ""))) is not None:
            self.rolls[at] = rolls
        self.quality[row.get("quality") or row.get("nature") or ""] += 1

    def summed(self) -> dict[str, Any]:
        """Return what lies between the readings."""
        times = sorted(self.found, key=lambda at: parsed(at) or EPOCH)
        values = [self.found[at][1] for at in times]
        through = values[-1] - values[0] + sum(self.rolls.values(), Decimal(0)) if values else Decimal(0)
        fallen = sum(
            1
            for before, after, at in zip(values, values[1:], times[1:], strict=False)
            if after < before and at not in self.rolls
        )
        return {
            "count": len(times),
            "replaced": self.replaced,
            "doubted": self.doubted,
            "sum": plain(through),
            "unit": self.unit,
            "first": times[0] if times else None,
            "last": times[-1] if times else None,
            "first_index": plain(values[0]) if values else None,
            "last_index": plain(values[-1]) if values else None,
            "decreased": fallen,
            "quality": dict(sorted(self.quality.items())),
        }


@dataclass(slots=True)
class Profile:
    """A profile that is being made.

    Attributes:
        offset: the local time whose days are summed. unread: records of which it is not known what they are of, by why.
    """

    offset: Offset
    channels: dict[Key, Channel] = field(default_factory=dict)
    registers: dict[Key, Register] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)

    def take(self, pieces: Iterable[Steps | list[Row]]) -> None:
        """Take the records of a file in."""
        for piece in pieces:
            if isinstance(piece, Steps):
                self._steps(piece)
            else:
                for row in piece:
                    self._row(row)

    def _steps(self, steps: Steps) -> None:
        order = np.argsort(steps.head, kind="stable")
        edges = np.searchsorted(steps.head[order], np.arange(len(steps.heads) + 1))
        for place, head in enumerate(steps.heads):
            chosen = order[edges[place] : edges[place + 1]]
            if not len(chosen):
                continue
            channel = self._channel((head["point"], head["channel"], head["direction"]), head["unit"])
            if head.get("doubt"):
                channel.doubted += len(chosen)
            else:
                channel.extend(steps, chosen)

    def _channel(self, key: Key, unit: str) -> Channel:
        if key not in self.channels:
            if len(self.channels) >= CHANNELS_MAX:
                raise UnableToDecodeFile("RECORD_TOO_LONG", f"the file has more than {CHANNELS_MAX} channels")
            self.channels[key] = Channel(unit)
        return self.channels[key]

    def _row(self, row: Row) -> None:
        key = row.get("point", ""), channel_of(row), row.get("direction", "")
        doubt = row.get("doubt", "")
        if not key[0] or (doubt and not key[1]):
            self.unread[doubt or "no point"] += 1
            return
        if "at" in row:
            register = self.registers.setdefault(key, Register(row.get("unit", "")))
            value = number(row.get("value", ""))
            if doubt or value is None or parsed(row["at"]) is None:
                register.doubted += 1
            else:
                register.take(row, value)
            return
        channel = self._channel(key, row.get("unit", ""))
        start, end = parsed(row.get("start", "")), parsed(row.get("end", ""))
        said = row.get("net") or row.get("value", "")
        value = number(said)
        if row.get("covered"):
            channel.covered += 1
        elif doubt or start is None or end is None or (said and value is None):
            channel.doubted += 1
        else:
            channel.take(row, start, end, value)

    def told(self) -> list[dict[str, Any]]:
        """Return each channel, intervals first."""
        rows = []
        for kind, found in (("intervals", self.channels), ("readings", self.registers)):
            for key in sorted(found):
                held: Channel | Register = found[key]
                summed = held.summed(self.offset) if isinstance(held, Channel) else held.summed()
                rows.append({"point": key[0], "channel": key[1], "direction": key[2], "records": kind} | summed)
        return rows


FRENCH = {
    ("EA", "consumption"): "1-0:1", ("EA", "production"): "1-0:2", ("consumption", "consumption"): "1-0:1",
    ("consumption", "production"): "1-0:2", ("ERI", "consumption"): "1-0:3", ("ERC", "consumption"): "1-0:4",
}  # fmt: skip
"""Measures of French flows -> what an OBIS code begins with."""
GAS_ENERGY, GAS_VOLUME = "7-0:33", "7-0:3"


def channel_of(row: Row) -> str:
    """Return the OBIS code of a record; of French flows by measure and direction, with grid and class of time behind it."""
    if row.get("channel"):
        return row["channel"] + (f" {row['time_class']}" if row.get("time_class") and "at" in row else "")
    measure, direction = row.get("measure", ""), row.get("direction", "")
    if not measure:
        return ""
    gas = "publication" in row
    if gas:
        begin: str | None = GAS_VOLUME if measure == "volume" else GAS_ENERGY
    else:
        begin = FRENCH.get((measure, direction))
    code = measure if begin is None else f"{begin}.{8 if 'at' in row else 29}.0"
    return " ".join(filter(None, (code, row.get("grid"), row.get("time_class"), row.get("dial") if gas else "")))


def totals_of(rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """Yield what NEM13 says lies between two readings, and what does."""
    before: Row | None = None
    for row in rows:
        if "told" in row and before is not None and before.get("point") == row["point"]:
            value, earlier = number(row["value"]), number(before["value"])
            if value is not None and earlier is not None:
                found = value - earlier + (number(row["rolls_over_at"]) or 0)
                yield {"what": f"quantity of line {row['line']}", "told": row["told"], "found": plain(found)}
        before = row


def _seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())


def _instant(at: int) -> str:
    return (EPOCH + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")


def _total(value: Int64Array) -> Decimal:
    """Return a sum of millionths, of any size."""
    high = value >> _HALF
    low = value - (high << _HALF)
    total: int = (int(high.sum()) << 32) + int(low.sum())
    return Decimal(total) / _MILLION


def _days(
    start: Int64Array, value: Int64Array, has: Any, exact: dict[int, Decimal], offset: Offset
) -> list[dict[str, Any]]:
    """Return what each local day comes to, by the start of intervals."""
    if not len(start):
        return []
    quarters, places = np.unique(start // QUARTER_S, return_inverse=True)
    local = np.array([_local_day(int(quarter), offset) for quarter in quarters.tolist()], np.int64)[places]
    edges = np.flatnonzero(np.append(True, local[1:] != local[:-1]))
    more: dict[int, Decimal] = {}
    for place, found in exact.items():
        more[int(local[place])] = more.get(int(local[place]), Decimal(0)) + found
    days = []
    for begin, end in zip(edges.tolist(), [*edges.tolist()[1:], len(local)], strict=True):
        day = int(local[begin])
        total = _total(value[begin:end]) + more.get(day, Decimal(0))
        days.append({"day": (date(1970, 1, 1) + timedelta(days=day)).isoformat(), "count": end - begin,
                     "without_value": int((~has[begin:end]).sum()), "sum": plain(total)})  # fmt: skip
    return days


def _local_day(quarter: int, offset: Offset) -> int:
    """Return the local day of a quarter of an hour, in days since 1970; at the ends of all years its day in UTC."""
    at = datetime.fromtimestamp(quarter * QUARTER_S, UTC)
    try:
        return (at + offset(at) - EPOCH).days
    except OverflowError:
        return (at - EPOCH).days
