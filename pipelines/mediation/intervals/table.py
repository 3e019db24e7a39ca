"""Delimited text whose columns the source names: a value in each row, in each of several columns, or a day in each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import BinaryIO
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.delimited.header import missing_text
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf.table import clock_reader
from pipelines.mediation.meters.units import counted, scaled, unit_of
from pipelines.mediation.text_lines import read_table
from schemas.source_meters import MeterRecords, MeterTable, TableColumn, TableSeries

FLOW = "TABLE"
DAY_MINUTES = 1440
COLUMNS_MAX = 4096
SERIES_MAX = 1_000_000
YEAR_MAX = 9900
"""Of a time; the longest row of days reaches eleven years further, and instants end with 9999."""


@dataclass(slots=True)
class TableReader:
    """Reads one file.

    Attributes:
        records: which kind is asked for. table: what its columns are. zone: of times without an offset.
        clock: reads a time. last: the instant of the row before, by point and series: of an hour that comes twice, the row
            that stands behind another one of the same time is the second.
    """

    records: MeterRecords
    table: MeterTable
    zone: ZoneInfo | None
    clock: Callable[[str], datetime | None] = field(init=False)
    _last: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _slots: dict[str, list[int]] = field(default_factory=dict)
    _steps: list[int] = field(default_factory=list)

    def rows(self, stream: BinaryIO, head: bytes) -> Iterator[Row]:
        """Yield the records of a file, given from its first byte.

        Raises:
            UnableToDecodeFile: MISSING_COLUMN, MALFORMED_HEADER, WRONG_ENCODING or RECORD_TOO_LONG.
        """
        clock = clock_reader(self.table.pattern)
        self.clock = lambda said: found if (found := clock(said)) is not None and 1 < found.year < YEAR_MAX else None
        encoding = "utf-8-sig" if self.table.encoding == "utf-8" else self.table.encoding
        rows = islice(read_table(stream, head, self.table.delimiter, encoding), self.table.skip_lines, None)
        _, header = next(rows, (0, list[str]()))
        if not header:
            return
        self._find(header)
        for line, cells in rows:
            known: Row = {"flow": FLOW, "line": str(line)} | self._common(cells)
            if self.table.layout == "day":
                yield from self._day(known, cells)
            elif self.table.layout == "columns":
                for name, series in self.table.series.items():
                    [place] = self._slots[name]
                    yield self._row(known, cells, series, name, _cell(cells, place))
            else:
                name = self._said(cells, "series") if "series" in self.table.columns else next(iter(self.table.series))
                yield self._row(known, cells, self.table.series.get(name), name, self._said(cells, "value"))

    def _find(self, header: list[str]) -> None:
        if len(header) > COLUMNS_MAX:
            raise UnableToDecodeFile(
                "MALFORMED_HEADER", f"the header has {len(header)} columns, more than {COLUMNS_MAX}"
            )
        places = {name.strip(): place for place, name in enumerate(header)}
        named: dict[str, tuple[str, ...]] = {
            column: (names,) if isinstance(names, str) else names for column, names in self.table.columns.items()
        }
        if self.table.layout == "columns":
            named |= {name: (name,) for name in self.table.series}
        if self.table.first_step is not None:
            named["first_step"] = (self.table.first_step,)
        wanted = dict.fromkeys(name for names in named.values() for name in names)
        if missing := [name for name in wanted if name not in places]:
            raise UnableToDecodeFile("MISSING_COLUMN", missing_text(missing, header, of=len(wanted)))
        self._slots = {column: [places[name] for name in names] for column, names in named.items()}
        if self.table.layout == "day":
            first = self._slots["first_step"][0]
            taken = {place for column, found in self._slots.items() if column != "first_step" for place in found}
            self._steps = [place for place in range(first, len(header)) if place not in taken]

    def _said(self, cells: list[str], column: TableColumn) -> str:
        return " ".join(_cell(cells, place) for place in self._slots.get(column, ())).strip()

    def _common(self, cells: list[str]) -> Row:
        made = self.clock(said) if (said := self._said(cells, "created_at")) else None
        created = "" if made is None else common.written(self._first(made))
        quality = self._said(cells, "quality")
        return {
            "point": self.table.point or self._said(cells, "point"),
            "created_at": created,
            "version": common.version(created) if created else common.UNDATED,
            "quality": quality,
            "nature": self.table.qualities.get(quality, ""),
            "doubt": f"{said[:20]!r} is no time" if said and made is None else "",
        }

    def _row(self, known: Row, cells: list[str], series: TableSeries | None, name: str, said: str) -> Row:
        """Return the record of a row, or of one of its columns."""
        if series is None:
            return known | {"doubt": f"the series is {name[:40]!r}, which the table does not name"}
        key = (known["point"], series.channel)
        start, doubt = self._instant(self._said(cells, "start"), key)
        if self.records == "readings":
            return known | self._index(series, cells, said) | {
                "at": "" if start is None else common.written(start),
                "doubt": known["doubt"] or doubt or self._no_number(said),
            }  # fmt: skip
        step = None if self.table.step_minutes is None else timedelta(minutes=self.table.step_minutes)
        end: datetime | None = None
        if start is not None and "end" in self.table.columns:
            end, wrong = self._behind(self._said(cells, "end"), start)
            doubt = doubt or wrong
        elif start is not None and step is not None:
            start, end = (start - step, start) if self.table.stamp == "end" else (start, start + step)
        return self._interval(known, series, said, start, end, self._said(cells, "unit"), doubt)

    def _interval(
        self,
        known: Row,
        series: TableSeries,
        said: str,
        start: datetime | None,
        end: datetime | None,
        unit: str,
        doubt: str,
    ) -> Row:
        seconds = 0 if start is None or end is None else int((end - start).total_seconds())
        if not doubt and seconds <= 0:
            doubt = "an interval without an end, or that ends before it starts"
        value, base = counted(self._number(said), series.unit or unit, max(seconds, 1))
        return known | {
            "start": "" if start is None else common.written(start),
            "end": "" if end is None else common.written(end),
            "step_s": str(seconds),
            "value": value,
            "net": value,
            "unit": base,
            "measure": series.measure,
            "direction": series.direction,
            "channel": series.channel,
            "doubt": known["doubt"] or doubt or self._no_number(said),
        }

    def _index(self, series: TableSeries, cells: list[str], said: str) -> Row:
        factor, base = unit_of(series.unit or self._said(cells, "unit"))
        value = scaled(self._number(said), factor)
        return {
            "value": value,
            "truncated": common.truncated(value, base),
            "unit": base,
            "measure": series.measure,
            "direction": series.direction,
            "channel": series.channel,
            "time_class": series.time_class,
            "meter": self._said(cells, "meter"),
            "status": "I",
        }

    def _day(self, known: Row, cells: list[str]) -> Iterator[Row]:
        """Yield the steps of a day: by the clock, or one after the other where a day of changing clocks is full."""
        name = self._said(cells, "series") if "series" in self.table.columns else next(iter(self.table.series))
        series, begun = self.table.series.get(name), self.clock(said := self._said(cells, "start"))
        if series is None or begun is None or self.table.step_minutes is None:
            told = (
                f"{said[:20]!r} is no day"
                if begun is None
                else f"the series is {name[:40]!r}, which the table does not name"
            )
            yield known | {"doubt": told}
            return
        step, unit = timedelta(minutes=self.table.step_minutes), self._said(cells, "unit")
        texts = [_cell(cells, place) for place in self._steps]
        while texts and not texts[-1]:
            texts.pop()
        usual = DAY_MINUTES // self.table.step_minutes
        midnight = self._first(begun)
        there = int((self._first(begun + timedelta(days=1)) - midnight) / step)
        one_by_one = there != usual and (len(texts) == there or len(texts) > usual)
        for place, text in enumerate(texts):
            clock = begun + place * step
            start = midnight + place * step if one_by_one else self._first(clock)
            doubt = ""
            if place >= (there if one_by_one else usual):
                doubt = f"the day has {there if one_by_one else usual} steps, and this is one more"
            elif not one_by_one and self._back(start) != clock.replace(tzinfo=None) and text:
                doubt = f"{clock:%Y-%m-%d %H:%M} is no time of {self.zone}"
            elif not one_by_one and not text:
                continue
            yield self._interval(known, series, text, start, start + step, unit, doubt)

    def _instant(self, said: str, key: tuple[str, str]) -> tuple[datetime | None, str]:
        """Return (instant, why it is doubted) of a time, with regard to the rows before."""
        clock = self.clock(said)
        if clock is None:
            return None, f"{said[:40]!r} is no time of the pattern {self.table.pattern}"
        found = self._first(clock)
        before = self._last.get(key)
        if clock.tzinfo is None and before is not None and found <= before:
            again = self._first(clock.replace(fold=1))
            found = again if again > before else found
        if clock.tzinfo is None and self._back(found) != clock:
            return None, f"{said[:40]!r} is no time of {self.zone}"
        if key in self._last or len(self._last) < SERIES_MAX:
            self._last[key] = found
        return found, ""

    def _behind(self, said: str, start: datetime) -> tuple[datetime | None, str]:
        """Return (instant, why it is doubted) of the end of an interval."""
        clock = self.clock(said)
        if clock is None:
            return None, f"{said[:40]!r} is no time of the pattern {self.table.pattern}"
        found = self._first(clock)
        if clock.tzinfo is None and found <= start:
            found = self._first(clock.replace(fold=1))
        return found, ""

    def _first(self, clock: datetime) -> datetime:
        """Return the instant of a local time; of an hour that comes twice the first, unless `fold` says otherwise."""
        try:
            return (clock if clock.tzinfo is not None else clock.replace(tzinfo=self.zone or UTC)).astimezone(UTC)
        except OverflowError:
            return clock.replace(tzinfo=UTC)

    def _back(self, at: datetime) -> datetime:
        return at.astimezone(self.zone or UTC).replace(tzinfo=None, fold=0)

    def _number(self, said: str) -> str:
        if self.table.decimal == ",":
            said = said.replace(".", "").replace(",", ".") if "," in said else said
        return f"0{said}" if said.startswith(".") else said

    def _no_number(self, said: str) -> str:
        return "" if not said or common.number(self._number(said)) is not None else f"{said[:20]!r} is no value"


def _cell(cells: list[str], place: int) -> str:
    """Return a cell; one that is written as a formula, so that a table keeps its zeros, as the text it gives."""
    said = cells[place].strip() if place < len(cells) else ""
    return said[2:-1] if said.startswith('="') and said.endswith('"') and len(said) > 2 else said
