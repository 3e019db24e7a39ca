"""Readings of a feed of ESPI as records: what they measure, in which unit and direction, and which of them are said twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter
from typing import BinaryIO

import numpy as np

from pipelines.mediation.columns.rows import ROWS_AT_ONCE, Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.espi import words
from pipelines.mediation.espi.held import Batch, Judge, Single, scale_of
from pipelines.mediation.espi.parser import READINGS_MAX, Entry, Reading, read_entries
from pipelines.mediation.espi.runs import Run
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import espi as kernel
from pipelines.mediation.meters.channels import CONSUMPTION, index_channel, interval_channel
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.meters.units import ENERGY_OF, MEASURES, energy_of, scaled, unit_of
from schemas.arrays import Int64Array
from schemas.source_meters import MeterRecords

FLOW = "ESPI"
HOLD_FROM_S = 3600
"""Intervals that are longer wait until the end of the file, for finer ones that say the same."""
HELD_MAX = 20_000
"""Of the other intervals so many wait, too; of more the shortest are judged first, so that only the rest waits."""
Piece = Row | Steps | list[Row]
_OWN = frozenset({"line", "start", "end", "value", "net", "quality", "nature"})
"""Columns that each interval of a batch has for itself."""
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
    _held: dict[int, list[Single | Batch]] = field(default_factory=dict)
    _holding: int = 0
    _long: list[Single] = field(default_factory=list)
    _judge: Judge = field(default_factory=Judge)
    _last: tuple[tuple[str, str, int], Row] | None = None
    _others: bool = False
    _found: bool = False

    def pieces(self, stream: BinaryIO, head: bytes) -> Iterator[Steps | list[Row]]:
        """Yield the records of a file; longer intervals come last, from the shortest to the longest.

        Raises:
            UnableToDecodeFile: what reading entries raises; WRONG_FLOW for a feed without such records.
        """
        rows: list[Row] = []
        for piece in self._pieces(stream, head):
            if isinstance(piece, dict):
                rows.append(piece)
            if rows and (not isinstance(piece, dict) or len(rows) >= ROWS_AT_ONCE):
                yield rows
                rows = []
            if not isinstance(piece, dict):
                yield piece
        if rows:
            yield rows

    def _pieces(self, stream: BinaryIO, head: bytes) -> Iterator[Piece]:
        updated = ""
        for updated, entry in read_entries(stream, head):
            self._describe(entry)
            if entry.readings:
                yield from self._block(entry, words.made_at(updated))
        made = words.made_at(updated)
        waiting, self._waiting = self._waiting, []
        for href, reading in waiting:
            yield from self._read(href, reading, made, last=True)
        for step_s in sorted(self._held):
            yield from self._judge.judged(self._held[step_s])
        longer = sorted(self._long, key=itemgetter(0))
        yield from self._judge.judged(longer)
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

    def _block(self, entry: Entry, made: str) -> Iterator[Piece]:
        for reading in entry.readings:
            if len(reading) == 2:
                yield from self._run(entry.href, *reading, made)
            else:
                yield from self._read(entry.href, reading, made)

    def _run(self, href: str, line: int, run: Run, made: str) -> Iterator[Piece]:
        """Take the readings of a run: as arrays where they are intervals, and whole millionths; else one by one."""
        found, table = self._type_of(href, last=False), run.table
        if found is not None and found.is_index != (self.records == "readings"):
            self._others = True
            return
        largest = int(np.abs(table[:, kernel.VALUE]).max())
        scale = None if found is None or found.base in ENERGY_OF else scale_of(found.factor, largest)
        if found is None or scale is None or found.known["doubt"] or found.is_index:
            for reading in _told(line, table):
                yield from self._read(href, reading, made)
            return
        self._found = True
        table[:, kernel.LINE] += line
        steps = table[:, kernel.STEP]
        edges = (np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist()
        for begin, end in pairwise([0, *edges, len(table)]):
            step_s = int(steps[begin])
            if step_s > HOLD_FROM_S:
                for reading in _told(0, table[begin:end]):
                    yield from self._read(href, reading, made)
            else:
                known = self._known(href, table[begin], found, made)
                yield from self._hold_batch(Batch(known, scale, step_s, table[begin:end]))

    def _known(self, href: str, first: Int64Array, found: Type, made: str) -> Row:
        [reading] = _told(0, first[None, :])
        row, _, step_s = self._row(href, reading, found, made)
        key = (href, made, step_s)
        same = {name: text for name, text in row.items() if name not in _OWN}
        if self._last is None or self._last[0] != key or self._last[1] != same:
            self._last = (key, same)
        return self._last[1]

    def _hold_batch(self, batch: Batch) -> Iterator[Piece]:
        """Hold a batch back; as many at once as would be held of single ones."""
        at = 0
        while at < len(batch):
            part = batch.cut(at, at + HELD_MAX - self._holding)
            at += len(part)
            self._held.setdefault(batch.step_s, []).append(part)
            self._holding += len(part)
            if self._holding >= HELD_MAX:
                yield from self._shortest()

    def _read(self, href: str, reading: Reading, made: str, *, last: bool = False) -> Iterator[Piece]:
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

    def _shortest(self) -> Iterator[Piece]:
        """Yield those of the held intervals that are the shortest: nothing that waits can say the same in more detail."""
        held = self._held.pop(min(self._held))
        self._holding -= sum(len(item) if isinstance(item, Batch) else 1 for item in held)
        yield from self._judge.judged(held)

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


def _told(line: int, table: Int64Array) -> Iterator[Reading]:
    """Yield readings of a table as the parser tells single ones."""
    for start, step_s, value, quality, more in table.tolist():
        yield line + more, str(start), str(step_s), str(value), "" if quality == kernel.NONE else str(quality)


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
