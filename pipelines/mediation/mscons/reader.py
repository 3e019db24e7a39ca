"""MSCONS messages as records: the values of load curves, and indexes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.units import counted, scaled, unit_of
from pipelines.mediation.mscons import words
from pipelines.mediation.mscons.segments import Marks, Segment, read_segments
from schemas.source_meters import MeterRecords

FLOW = "MSCONS"
START, END, MADE, READ_AT, STEP = "163", "164", "137", "9", "672"
"""Qualifiers of DTM: begin and end of a time, time of the message, of a reading, and the step of a series."""
POINT, DEVICE = "172", "Z19"
UTC_ZONE = ZoneInfo("UTC")


@dataclass(slots=True)
class _Value:
    """A QTY, and the DTM that follow it."""

    line: int
    number: int
    qualifier: str
    value: str
    unit: str
    start: datetime | None = None
    end: datetime | None = None
    at: datetime | None = None
    doubt: str = ""


@dataclass(slots=True)
class MsconsReader:
    """Reads one interchange.

    Attributes:
        records: which kind is asked for. zone: of instants without an offset.
    """

    records: MeterRecords
    zone: ZoneInfo | None
    marks: Marks = field(init=False)
    _interchange: str = ""
    _message: str | None = None
    _segments: int = 0
    _messages: int = 0
    _function: str = ""
    _made: datetime | None = None
    _point: str = ""
    _series: Row | None = None
    _step_s: int = 0
    _begun: datetime | None = None
    _until: datetime | None = None
    _behind: datetime | None = None
    _value: _Value | None = None
    _others: bool = False
    _found: bool = False
    _where: str = ""

    def rows(self, stream: BinaryIO, head: bytes) -> Iterator[Row]:
        """Yield the records of a file, given from its first byte.

        Raises:
            UnableToDecodeFile: MALFORMED_METER_DATA with line and segment, also where messages and segments are not as many as
                UNZ and UNT say; RECORD_TOO_LONG; WRONG_FLOW for an interchange without such records.
        """
        self.marks, segments = read_segments(stream, head)
        ended = False
        for segment in segments:
            self._where = f"line {segment.line}, segment {segment.number}"
            if ended:
                raise self._wrong(f"{segment.tag[:20]} behind UNZ")
            if self._message is not None:
                self._segments += 1
            elif segment.tag not in ("UNB", "UNH", "UNZ"):
                raise self._wrong(f"{segment.tag[:20]!r} stands in no message")
            yield from self._take(segment)
            ended = segment.tag == "UNZ"
        if not ended:
            raise self._wrong("the interchange does not end with UNZ")
        if not self._found and self._others:
            raise UnableToDecodeFile("WRONG_FLOW", f"the interchange has no {self.records}")

    def _wrong(self, told: str) -> UnableToDecodeFile:
        return UnableToDecodeFile("MALFORMED_METER_DATA", f"{self._where}: {told}"[:500])

    def _take(self, segment: Segment) -> Iterator[Row]:
        tag = segment.tag
        if tag == "DTM":
            self._time(segment)
            return
        if tag == "STS" and self._value is not None:
            return
        yield from self._flush()
        if tag == "UNB":
            if self._interchange:
                raise self._wrong("a second UNB")
            self._interchange = segment.said(4) or "-"
        elif tag == "UNH":
            self._begin(segment)
        elif tag == "BGM":
            self._function = segment.said(2)
            if self._function not in words.FUNCTIONS:
                raise self._wrong(f"{self._function[:20]!r} is no function of a message")
        elif tag == "LOC" and segment.said(0) in (POINT, DEVICE):
            if segment.said(0) == POINT:
                self._point = segment.said(1)
            self._series, self._step_s, self._begun, self._until, self._behind = None, 0, None, None, None
        elif tag == "LIN":  # what was told once of a point is told of each of its series
            self._series, self._behind = None, self._begun
        elif tag == "PIA":
            self._series = words.series(segment.said(1))
        elif tag == "QTY":
            number = segment.said(0, 1)
            if self.marks.decimal == ",":
                number = number.replace(",", ".")
            number = f"0{number}" if number.startswith(".") else number
            self._value = _Value(segment.line, segment.number, segment.said(0), number, segment.said(0, 2))
        elif tag == "UNT":
            self._end(segment)
        elif tag == "UNZ":
            self._finish(segment)

    def _begin(self, segment: Segment) -> None:
        if self._message is not None:
            raise self._wrong("UNH within a message")
        kind = segment.said(1)
        if kind != FLOW:
            raise UnableToDecodeFile("WRONG_FLOW", f"{self._where}: a message {kind[:20]}, not {FLOW}")
        self._message, self._segments = segment.said(0), 1
        self._messages += 1
        self._function, self._made, self._point, self._series = "", None, "", None
        self._step_s, self._begun, self._until, self._behind = 0, None, None, None

    def _end(self, segment: Segment) -> None:
        if segment.said(0) != str(self._segments):
            raise self._wrong(f"UNT counts {segment.said(0)[:20]} segments, but the message has {self._segments}")
        if segment.said(1) != self._message:
            raise self._wrong(
                f"UNT is of the message {segment.said(1)[:20]!r}, but UNH of {(self._message or '')[:20]!r}"
            )
        self._message = None

    def _finish(self, segment: Segment) -> None:
        if self._message is not None:
            raise self._wrong("UNZ within a message")
        if segment.said(0) != str(self._messages):
            raise self._wrong(f"UNZ counts {segment.said(0)[:20]} messages, but the interchange has {self._messages}")
        if self._interchange not in (segment.said(1), "-"):
            raise self._wrong(
                f"UNZ is of the interchange {segment.said(1)[:20]!r}, but UNB of {self._interchange[:20]!r}"
            )

    def _time(self, segment: Segment) -> None:
        qualifier, text, form = (segment.said(0, place) for place in range(3))
        if qualifier == STEP:
            self._step_s = words.PERIOD_UNITS.get(form, 0) * (int(text) if common.is_count(text) else 0)
            return
        if qualifier not in (START, END, MADE, READ_AT):
            return
        found = words.instant(text, form, self.zone)
        value = self._value
        if value is not None:
            if found is None:
                value.doubt = value.doubt or f"DTM {qualifier} is {text[:20]!r}"
            elif qualifier == START:
                value.start = found
            elif qualifier == END:
                value.end = found
            elif qualifier == READ_AT:
                value.at = found
        elif qualifier == MADE:  # without an offset it only orders versions, so that any will do
            self._made = found or words.instant(text, form, UTC_ZONE)
        elif qualifier == START:
            self._begun, self._until, self._behind = found, None, found
        elif qualifier == END:
            self._until = found

    def _flush(self) -> Iterator[Row]:
        value, self._value = self._value, None
        if value is None:
            return
        if value.start is None and value.end is None and self._step_s and value.at is None:  # the step is told once
            value.start = self._behind
            try:
                value.end = None if self._behind is None else self._behind + timedelta(seconds=self._step_s)
            except OverflowError:  # beyond the years that there are: a value without a time
                value.start = None
            self._behind = value.end
            if value.end is not None and self._until is not None and value.end > self._until:
                value.doubt = value.doubt or "a value behind the end of its series"
        is_index = value.end is None and (value.at is not None or value.start is not None)
        if is_index != (self.records == "readings"):
            self._others = True
            return
        self._found = True
        row = self._row(value, is_index=is_index)
        yield row | {"doubt": f"segment {value.number}: {row['doubt']}"} if row["doubt"] else row

    def _row(self, value: _Value, *, is_index: bool) -> Row:
        known = self._series or words.series("")
        cancelled = self._function == words.CANCELS
        unit = words.unit(value.unit, known["measure"])
        row = known | {
            "flow": FLOW,
            "point": self._point,
            "created_at": "" if self._made is None else common.written(self._made),
            "version": words.version(self._made, self._function),
            "line": str(value.line),
            "quality": value.qualifier,
            "nature": words.NATURES.get(value.qualifier, ""),
        }
        doubt = value.doubt or known["doubt"]
        usable = value.qualifier not in words.NO_VALUE
        if not doubt and not self._point:
            doubt = "a value of no point"
        if not doubt and usable and common.number(value.value) is None:
            doubt = f"{value.value[:20]!r} is no value"
        if is_index:
            at = value.at or value.start
            factor, base = unit_of(unit)
            found = scaled(value.value, factor)
            return row | {"at": "" if at is None else common.written(at), "value": found, "unit": base, "doubt": doubt,
                          "truncated": common.truncated(found, base), "status": "A" if cancelled else "I"}  # fmt: skip
        seconds = 0 if value.start is None or value.end is None else int((value.end - value.start).total_seconds())
        if not doubt and seconds <= 0:
            doubt = "a value without a time, or of none"
        if known["measure"].endswith(words.DEMAND):  # the largest power of that time, not one that lasted
            factor, base = unit_of(unit)
            energy = scaled(value.value, factor)
        else:
            energy, base = counted(value.value, unit, max(seconds, 1))
        return row | {
            "measure": words.over(known["measure"], seconds),
            "start": "" if value.start is None else common.written(value.start),
            "end": "" if value.end is None else common.written(value.end),
            "step_s": str(seconds),
            "value": "0" if cancelled else (energy if usable else ""),
            "net": energy if usable and not cancelled else "0",
            "unit": base,
            "stage": "cancelled" if cancelled else "",
            "doubt": doubt,
        }
