"""Readings of a feed of ESPI as records: what they measure, in which unit and direction, and which of them are said twice."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import BinaryIO

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.espi import words
from pipelines.mediation.espi.parser import READINGS_MAX, Entry, Reading, read_entries
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.channels import CONSUMPTION, index_channel, interval_channel
from pipelines.mediation.meters.units import ENERGY_OF, MEASURES, energy_of, scaled, unit_of
from schemas.source_meters import MeterRecords

FLOW = "ESPI"
HOLD_FROM_S = 3600
"""Intervals that are longer wait until the end of the file, for finer ones that say the same."""
HELD_MAX = 20_000
"""Of the other intervals so many wait, too; of more the shortest are judged first, so that only the rest waits."""
RANGES_MAX = 100_000
SUMMARIES = ("UsageSummary", "ElectricPowerUsageSummary")


@dataclass(frozen=True, slots=True)
class Type:
    """A reading type: columns that its readings have in common, its unit and factor, and whether they are indexes."""

    known: Row
    factor: Decimal
    base: str
    balance: int
    is_index: bool


@dataclass(slots=True)
class Coverage:
    """Which time intervals of each length have told of; spans that touch are one.

    Attributes:
        spans: length in s -> (starts, ends), ascending.
    """

    spans: dict[int, tuple[list[Decimal], list[Decimal]]] = field(default_factory=dict)
    count: int = 0

    def overlaps(self, start: Decimal, end: Decimal, step_s: int) -> int:
        """Return the length of intervals, other than `step_s`, that tell of a part of a time; 0 for none."""
        for other, (starts, ends) in self.spans.items():
            if other != step_s and (place := bisect_left(starts, end)) and ends[place - 1] > start:
                return other
        return 0

    def add(self, start: Decimal, end: Decimal, step_s: int) -> None:
        """Add an interval."""
        starts, ends = self.spans.setdefault(step_s, ([], []))
        if ends and ends[-1] == start:
            ends[-1] = end
            return
        place = bisect_left(starts, start)
        if place and ends[place - 1] >= start:
            ends[place - 1] = max(ends[place - 1], end)
        elif place < len(starts) and starts[place] <= end:
            starts[place] = start
            ends[place] = max(ends[place], end)
        else:
            starts.insert(place, start)
            ends.insert(place, end)
            self.count += 1


@dataclass(slots=True)
class EspiReader:
    """Reads one file.

    Attributes:
        records: which kind of records is asked for. types: by what reading types call themselves; of_meter: meter reading ->
            its reading type; services: usage point -> its kind of service. summaries: what feeds say that was used, by point.
        local: the local time of the feed, None where it says none.
    """

    records: MeterRecords
    types: dict[str, Type] = field(default_factory=dict)
    of_meter: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    summaries: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    local: words.LocalTime | None = None
    _waiting: list[tuple[str, Reading]] = field(default_factory=list)
    _held: dict[int, list[tuple[int, Row, Decimal]]] = field(default_factory=dict)
    _holding: int = 0
    _long: list[tuple[int, Row, Decimal]] = field(default_factory=list)
    _covered: dict[tuple[str, str], Coverage] = field(default_factory=dict)
    _others: bool = False
    _found: bool = False

    def rows(self, stream: BinaryIO, head: bytes) -> Iterator[Row]:
        """Yield the records of a file; longer intervals come last, from the shortest to the longest.

        Raises:
            UnableToDecodeFile: what reading entries raises; WRONG_FLOW for a feed without such records.
        """
        updated = ""
        for updated, entry in read_entries(stream, head):
            made = words.made_at(updated)
            self._describe(entry)
            if entry.readings:
                yield from self._block(entry, made)
        made = words.made_at(updated)
        waiting, self._waiting = self._waiting, []
        for href, reading in waiting:
            yield from self._read(href, reading, made, last=True)
        for step_s, row, start in sorted([*chain(*self._held.values()), *self._long], key=lambda item: item[0]):
            yield self._judged(row, start, step_s)
        if not self._found:
            told = "the feed has no interval blocks" if not self._others else f"the feed has no {self.records}"
            raise UnableToDecodeFile("WRONG_FLOW", told)

    def _describe(self, entry: Entry) -> None:
        if entry.kind == "ReadingType" and entry.whole:
            self.types[_tail(entry.href)] = _type(entry.said)
        elif entry.kind == "MeterReading":
            for href in entry.links.get("related", []):
                if words.READING_TYPE.search(href):
                    self.of_meter[_meter(entry.href)] = _tail(href)
        elif entry.kind == "UsagePoint":
            self.services[_point(entry.href)] = entry.said.get("ServiceCategory.kind", "")
        elif entry.kind in SUMMARIES and entry.whole:
            self.summaries.append((_point(entry.href) or _point("".join(entry.links.get("up", [])[:1])), entry.said))
        elif entry.kind == "LocalTimeParameters" and self.local is None:
            self.local = words.local_time({name.partition(".")[2]: text for name, text in entry.said.items()})

    def _block(self, entry: Entry, made: str) -> Iterator[Row]:
        for reading in entry.readings:
            yield from self._read(entry.href, reading, made)

    def _read(self, href: str, reading: Reading, made: str, *, last: bool = False) -> Iterator[Row]:
        found = self._type_of(href, last=last)
        if found is None and not last:
            self._waiting.append((href, reading))
            if len(self._waiting) > READINGS_MAX:
                told = f"line {reading[0]}: no reading type says what more than {READINGS_MAX} readings before are of"
                raise UnableToDecodeFile("RECORD_TOO_LONG", told)
            return
        is_index = found is not None and found.is_index
        if is_index != (self.records == "readings"):
            self._others = True
            return
        self._found = True
        row, start, step_s = self._row(href, reading, found, made)
        if row["doubt"] or start is None or is_index:
            yield row
        elif step_s > HOLD_FROM_S:
            if len(self._long) >= READINGS_MAX:
                raise UnableToDecodeFile(
                    "RECORD_TOO_LONG", f"line {reading[0]}: more than {READINGS_MAX} intervals are longer than an hour"
                )
            self._long.append((step_s, row, start))
        else:
            self._held.setdefault(step_s, []).append((step_s, row, start))
            self._holding += 1
            if self._holding >= HELD_MAX:
                yield from self._shortest()

    def _shortest(self) -> Iterator[Row]:
        """Yield those of the held intervals that are the shortest: nothing that waits can say the same in more detail."""
        held = self._held.pop(min(self._held))
        self._holding -= len(held)
        for step_s, row, start in held:
            yield self._judged(row, start, step_s)

    def _judged(self, row: Row, start: Decimal, step_s: int) -> Row:
        """Return an interval; one whose time intervals of another length have told of is never billed."""
        coverage = self._covered.setdefault((row["point"], f"{row['measure']} {row['direction']}"), Coverage())
        other = coverage.overlaps(start, start + step_s, step_s)
        if other:
            return row | {"covered": f"intervals of {other} s say the same"}
        coverage.add(start, start + step_s, step_s)
        if coverage.count > RANGES_MAX:
            raise UnableToDecodeFile(
                "RECORD_TOO_LONG", f"line {row['line']}: more than {RANGES_MAX} gaps between intervals"
            )
        return row

    def _type_of(self, href: str, *, last: bool) -> Type | None:
        name = self.of_meter.get(_meter(href))
        if name is None and last and len(self.types) == 1:
            return next(iter(self.types.values()))
        return None if name is None else self.types.get(name)

    def _row(self, href: str, reading: Reading, found: Type | None, made: str) -> tuple[Row, Decimal | None, int]:
        line, said_start, said_duration, said_value, quality = reading
        start, duration = words.seconds(said_start), words.seconds(said_duration)
        step_s = int(duration) if duration is not None and duration == int(duration) else 0
        qualities = quality.split("+") if quality else []
        point = _point(href)
        row: Row = {
            "flow": FLOW,
            "point": point,
            "created_at": made,
            "version": common.version(made),
            "line": str(line),
            "start": said_start,
            "value": said_value,
            "quality": quality,
            "nature": next((words.NATURES[code] for code in qualities if code in words.NATURES), ""),
        }
        if found is None:
            return row | {"doubt": "no reading type says what this is"}, None, 0
        at = "" if start is None else words.instant(start)
        row |= found.known
        if self.services.get(point) == "1" and row["measure"] == "heat":
            row["direction"] = CONSUMPTION
        value = scaled(said_value, found.factor)
        row |= {"unit": ENERGY_OF.get(found.base, found.base), "value": value}
        is_step = step_s > 0 or found.is_index
        row["doubt"] = found.known.get("doubt", "") or _doubt(
            at, said_start, said_duration, value, qualities, is_step=is_step
        )
        if found.is_index:
            row |= {"at": at, "status": "I", "truncated": common.truncated(value, found.base), "reason": "",
                    "channel": index_channel(row["measure"], row["direction"])}  # fmt: skip
            return row, start, 0
        if found.base in ENERGY_OF and step_s:
            row |= {"power": value, "value": energy_of(value, step_s)}
        row |= {"start": at or said_start, "step_s": str(step_s) if step_s else said_duration,
                "channel": _channel(row, found, step_s)}  # fmt: skip
        row |= {"end": words.instant(start + step_s) if start is not None else "", "net": row["value"]}
        return row, start, step_s


def _channel(row: Row, found: Type, step_s: int) -> str:
    code = interval_channel(row["measure"], row["direction"], step_s)
    return code.replace(":0.", f":{found.balance}.", 1) if found.balance else code


def _doubt(at: str, start: str, duration: str, value: str, qualities: list[str], *, is_step: bool) -> str:
    if not at:
        return f"{start[:20]!r} is no instant"
    if not is_step:
        return f"{duration[:20]!r} is no duration"
    if common.number(value) is None:
        return f"{value[:20]!r} is no value"
    return "the quality is questionable" if words.QUESTIONABLE in qualities else ""


def _type(said: dict[str, str]) -> Type:
    """Return what a reading type says."""
    said = {name.partition(".")[2]: text for name, text in said.items()}
    uom, power, flow = said.get("uom", ""), said.get("powerOfTenMultiplier", ""), said.get("flowDirection", "")
    factor, base = unit_of(words.UNITS.get(uom, ""))
    scale, behaviour = words.multiplier(power), said.get("accumulationBehaviour", "")
    doubt = ""
    if not base:
        doubt = f"the uom is {uom[:20]!r}"
    elif scale is None:
        doubt = f"the multiplier is {power[:20]!r}"
    elif flow not in words.DIRECTIONS and flow not in words.BALANCES:
        doubt = f"the direction is {flow[:20]!r}"
    elif behaviour not in words.BEHAVIOURS:
        doubt = f"the accumulation behaviour is {behaviour[:20]!r}"
    direction = words.DIRECTIONS.get(flow, "")
    known = {"measure": MEASURES.get(base, "heat" if base else ""), "direction": direction, "doubt": doubt}
    is_index = behaviour in words.INDEXES
    return Type(known, factor * (scale or 1), base, words.BALANCES.get(flow, 0), is_index)


def _point(href: str) -> str:
    """Return the usage point of a resource: what its customer, or account, calls it."""
    found = words.POINT.search(href)
    return "" if found is None else found[0]


def _meter(href: str) -> str:
    found = words.METER.match(href)
    return href if found is None else found[0]


def _tail(href: str) -> str:
    found = words.READING_TYPE.search(href)
    return href if found is None else found[0]
