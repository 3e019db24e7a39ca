"""NEM12 line by line: the intervals of 300 records, with the qualities of 400 records. It reads any file; kernels read most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.units import ENERGY_OF, energy_of, scaled, unit_of
from pipelines.mediation.nem import words
from pipelines.mediation.nem.words import malformed

MINUTES = (5, 15, 30)
DAY_MINUTES = 1440
QUALITY_FIELDS = 5
"""Behind the values of a 300 record: quality, reason, description, and times of update and of load."""
FLOW = "NEM12"
KNOWN = ("100", "200", "250", "300", "400", "500", "550", "900")


@dataclass(frozen=True, slots=True)
class Stream:
    """A 200 record.

    Attributes:
        known: the columns that its intervals have in common. factor, unit: of its values. per_day: 0 where it cannot be read.
    """

    known: Row
    factor: Decimal
    unit: str
    minutes: int

    @property
    def per_day(self) -> int:
        """The number of intervals of a day."""
        return DAY_MINUTES // self.minutes

    @property
    def is_power(self) -> bool:
        """Whether its values are mean powers."""
        return self.unit in ENERGY_OF


@dataclass(slots=True)
class Day:
    """A 300 record that may have 400 records to come. ranges: (from, to, quality with reason) of those."""

    line: int
    stream: Stream
    start: datetime
    values: list[str]
    quality: str
    updated: str
    doubt: str = ""
    ranges: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass(slots=True)
class LineReader:
    """Reads one file.

    Attributes:
        strict: whether the first fault refuses the file. created: by the 100 record. stream: the last 200 record.
        begun, ended: whether a 100, a 900 record has come.
    """

    strict: bool
    created: str = ""
    stream: Stream | None = None
    begun: bool = False
    ended: bool = False
    last_line: int = 0
    _day: Day | None = None
    _streams: dict[str, Stream] = field(default_factory=dict)

    def read(self, line: int, text: str) -> Iterator[Row]:
        """Take a line in; yield what is known of the lines before it.

        Raises:
            UnableToDecodeFile: MALFORMED_METER_DATA, with the line.
        """
        self.last_line = line
        if not text.strip(" ,\t\x1a"):
            if self.strict and not self.begun:
                raise malformed(line, "the file does not begin with a 100 record")
            return
        cells = text.split(",")
        kind = cells[0].strip()
        if kind == "400":
            yield from self._quality(line, cells)
            return
        yield from self.flush()
        if self.ended and self.strict:
            raise malformed(line, f"a {kind[:20]} record behind the 900 record")
        if kind == "100":
            self._header(line, cells)
        elif self.strict and not self.begun:
            raise malformed(line, "the file does not begin with a 100 record")
        elif kind == "200":
            self.stream = self._streams.get(text)
            if self.stream is None:
                yield from self._definition(line, text, cells)
        elif kind == "300":
            yield from self._values(line, cells)
        elif kind == "900":
            self.ended = True
        elif kind == "500":
            if self.stream is None and self.strict:
                raise malformed(line, "a 500 record without a 200 record before it")
        else:
            other = "another flow" if kind in KNOWN else "no record of NEM12"
            yield from self._fault(line, f"{kind[:20]} is {other}")

    def finish(self) -> Iterator[Row]:
        """Yield what the last lines say.

        Raises:
            UnableToDecodeFile: MALFORMED_METER_DATA where the file has no end.
        """
        yield from self.flush()
        if self.strict and not self.ended:
            raise malformed(self.last_line, "the file does not end with a 900 record")

    def flush(self) -> Iterator[Row]:
        """Yield the intervals of the day that waits for 400 records."""
        day, self._day = self._day, None
        if day is None:
            return
        qualities = [day.quality] * len(day.values)
        if day.quality == words.VARIES:
            qualities, told = self._varied(day)
            if told:
                if self.strict:
                    raise malformed(day.line, told)
                day.doubt = day.doubt or told
        step = timedelta(minutes=day.stream.minutes)
        version = common.version(day.updated or self.created)
        for place, (said, quality) in enumerate(zip(day.values, qualities, strict=True)):
            yield self._row(day, place, said, quality, step, version)

    def _row(self, day: Day, place: int, said: str, quality: str, step: timedelta, version: str) -> Row:
        stream, start = day.stream, day.start + place * step
        value = scaled(said, stream.factor)
        power = value if stream.is_power else ""
        if stream.is_power:
            value = energy_of(value, 60 * stream.minutes)
        if quality.startswith(words.NULL):
            value = power = ""
        return stream.known | {
            "created_at": self.created,
            "version": version,
            "line": str(day.line),
            "start": common.written(start),
            "end": common.written(start + step),
            "value": value,
            "net": "0" if quality.startswith(words.NULL) else value,
            "power": power,
            "quality": quality,
            "nature": words.NATURES.get(quality[:1], ""),
            "doubt": day.doubt or stream.known["doubt"],
        }

    def _varied(self, day: Day) -> tuple[list[str], str]:
        """Return (the quality of each interval by the 400 records, what is wrong with them)."""
        count, behind = len(day.values), 0
        found = [words.VARIES] * count
        for first, last, quality in day.ranges:
            if first != behind + 1 or last < first or last > count:
                return found, f"a 400 record is of the intervals {first} to {last} of {count}, behind {behind}"
            found[first - 1 : last] = [quality] * (last - first + 1)
            behind = last
        return found, "" if behind == count else f"400 records are of {behind} of the {count} intervals"

    def _header(self, line: int, cells: list[str]) -> None:
        version, created = _cell(cells, 1), _cell(cells, 2)
        if self.strict and self.begun:
            raise malformed(line, "a second 100 record")
        if version != FLOW:
            raise UnableToDecodeFile("WRONG_FLOW", f"line {line}: the 100 record says {version[:20]}, not {FLOW}")
        if self.strict and not words.is_instant(created):
            raise malformed(line, f"{created[:20]} is no time of a 100 record")
        self.begun, self.created = True, words.instant(created) if words.is_instant(created) else ""
        self._streams.clear()
        self.stream = None

    def _definition(self, line: int, text: str, cells: list[str]) -> Iterator[Row]:
        point, suffix, unit, minutes = (_cell(cells, place) for place in (1, 4, 7, 8))
        if (
            not minutes.isascii()
            or not minutes.isdigit()
            or len(minutes) > 2
            or int(minutes) not in MINUTES
            or not point
        ):
            told = f"a 200 record of the point {point[:20]} has intervals of {minutes[:20]} minutes"
            yield from self._fault(line, told)
            return
        factor, base = unit_of(unit)
        step_s = 60 * int(minutes)
        known = words.stream(suffix, unit, step_s) | {
            "flow": FLOW,
            "point": point,
            "step_s": str(step_s),
            "unit": ENERGY_OF.get(base, base),
        }
        if self.strict and known["doubt"]:
            raise malformed(line, known["doubt"])
        self.stream = self._streams[text] = Stream(known, factor, base, int(minutes))

    def _values(self, line: int, cells: list[str]) -> Iterator[Row]:
        stream = self.stream
        if stream is None:
            yield from self._fault(line, "a 300 record without a 200 record before it")
            return
        count, start = stream.per_day, words.day_start(_cell(cells, 1))
        values = [words.leading(cell.strip()) for cell in cells[2 : 2 + count]]
        quality, reason, _, updated, loaded = (_cell(cells, 2 + count + place) for place in range(QUALITY_FIELDS))
        told = ""
        if start is None:
            told = f"{_cell(cells, 1)[:20]} is no day"
        elif len(values) < count or not words.QUALITY.fullmatch(quality):
            found = next(
                (n for n, cell in enumerate(cells[2:]) if common.number(words.leading(cell.strip())) is None),
                len(cells) - 2,
            )
            told = f"{found} values and the quality {_cell(cells, 2 + found)[:20]!r} instead of {count} values"
        elif wrong := next((value for value in values if common.number(value) is None), None):
            told = f"{wrong[:20]!r} is no value"
        elif "" in values:
            told = "a value is empty"
        elif updated and not words.is_instant(updated):
            told = f"{updated[:20]} is no time of update"
        elif self.strict and len(cells) < 2 + count + QUALITY_FIELDS:
            told = f"{len(cells)} fields instead of {2 + count + QUALITY_FIELDS}"
        elif self.strict and len(cells) > 2 + count + QUALITY_FIELDS and any(cells[2 + count + QUALITY_FIELDS :]):
            told = f"{len(cells)} fields, {len(cells) - 2 - count - QUALITY_FIELDS} more than there may be"
        elif loaded and not words.is_instant(loaded) and self.strict:
            told = f"{loaded[:20]} is no time of load"
        elif quality[0] == words.VARIES and _reasoned(quality, reason) != words.VARIES and self.strict:
            told = f"the quality {_reasoned(quality, reason)[:20]}, but what varies has its flags and reasons in 400 records"
        if told:
            yield from self._fault(line, told, stream, start)
            return
        assert start is not None
        said = words.VARIES if quality[0] == words.VARIES else _reasoned(quality, reason)
        self._day = Day(line, stream, start, values, said, words.instant(updated))

    def _quality(self, line: int, cells: list[str]) -> Iterator[Row]:
        day = self._day
        first, last, quality, reason = (_cell(cells, place) for place in (1, 2, 3, 4))
        told = ""
        if day is None:
            told = "a 400 record without a 300 record before it"
        elif day.quality != words.VARIES:
            told = f"a 400 record, but the quality of the 300 record is {day.quality}"
        elif not (common.is_count(first) or first.isdecimal()) or not last.isdecimal() or len(first + last) > 6:
            told = f"{first[:20]} to {last[:20]} are no intervals"
        elif not words.QUALITY.fullmatch(quality) or quality[0] == words.VARIES:
            told = f"{quality[:20]} is no quality of a 400 record"
        if told:
            if self.strict or day is None:
                yield from self._fault(line, told)
            else:
                day.doubt = day.doubt or f"line {line}: {told}"
            return
        assert day is not None
        day.ranges.append((int(first), int(last), _reasoned(quality, reason)))

    def _fault(
        self, line: int, told: str, stream: Stream | None = None, start: datetime | None = None
    ) -> Iterator[Row]:
        """Refuse the file, or yield a record that is doubted in the place of what cannot be read."""
        if self.strict:
            raise malformed(line, told)
        known = {"flow": FLOW} if stream is None else stream.known
        yield known | {
            "created_at": self.created,
            "version": common.version(self.created),
            "line": str(line),
            "start": "" if start is None else common.written(start),
            "doubt": told,
        }


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _reasoned(quality: str, reason: str) -> str:
    """Return a quality with the number of its reason, such as F52/89."""
    return f"{quality}/{reason}" if reason else quality
