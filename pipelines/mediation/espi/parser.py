"""Entries of an Atom feed of ESPI, one at a time; the readings of a large one are given in parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from pipelines.mediation.enedis.heads import read_up_to
from pipelines.mediation.enedis.xml_elements import DEPTH_MAX, ELEMENT_BYTES_MAX, parse
from pipelines.mediation.espi.runs import ELEMENT, WINDOW_BYTES, Cutter, Run
from pipelines.mediation.failures import UnableToDecodeFile

SMALL = (
    "UsagePoint",
    "MeterReading",
    "ReadingType",
    "LocalTimeParameters",
    "UsageSummary",
    "ElectricPowerUsageSummary",
)
"""Resources whose leaves are kept, by the name of what they stand in and their own."""
LEAVES_MAX, TEXT_MAX, TEXTS_MAX = 1000, 4096, 256
LINKS_MAX = 1000
"""Of an entry; utilities write some dozens."""
READINGS_AT_ONCE = 4096
READINGS_MAX = 200_000
"""Readings that are kept until it is known what they measure."""
FEED, ENTRY, READING, BLOCK = "feed", "entry", "IntervalReading", "IntervalBlock"
_OF_READING = frozenset({"start", "duration", "value", "quality"})
Reading = tuple[int, str, str, str, str]
"""(line, start, duration, value, qualities joined by +)"""


@dataclass(slots=True)
class Entry:
    """An entry, or the part of one that has been read.

    Attributes:
        line: where it begins. links: rel -> hrefs. kind: of resource. said: its leaves. readings: of its interval blocks, or
            (line, run) of many; count: how many they are.
        whole: whether the entry has ended.
    """

    line: int
    links: dict[str, list[str]] = field(default_factory=dict)
    kind: str = ""
    said: dict[str, str] = field(default_factory=dict)
    readings: list[Reading | tuple[int, Run]] = field(default_factory=list)
    count: int = 0
    whole: bool = False

    @property
    def href(self) -> str:
        """What the entry calls itself, "" for nothing yet."""
        found = self.links.get("self", [])
        return found[0] if found else ""


@dataclass(slots=True)
class _Handler:
    """What expat calls.

    Attributes:
        path: names of the elements that are open. done: entries that are complete, or parts. updated: of the feed.
        links: how many the entry has. runs: those whose elements are still to come.
    """

    parser: expat.XMLParserType
    names: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    entry: Entry | None = None
    done: list[Entry] = field(default_factory=list)
    updated: str = ""
    links: int = 0
    runs: deque[Run] = field(default_factory=deque)
    _reading: dict[str, str] | None = None
    _line: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = self.names.get(name)
        if local is None:
            local = name.rpartition(":")[2]
            if len(name) > TEXT_MAX:
                raise self._too_long("the name of an element")
            if len(self.names) < LEAVES_MAX:
                self.names[name] = local
        run = None
        if local == ELEMENT and self.runs and self.runs[0].at == self.parser.CurrentByteIndex:
            run, local = self.runs.popleft(), READING
        if len(self.path) >= DEPTH_MAX:
            raise UnableToDecodeFile("WRONG_FLOW", f"line {self.parser.CurrentLineNumber}: elements nest too deep")
        if not self.path and local not in (FEED, ENTRY):
            raise UnableToDecodeFile("WRONG_FLOW", f"the root element is {local[:40]!r}, not feed")
        self.path.append(local)
        self.texts.clear()
        if run is not None:
            self._reading = None
            if self.entry is not None:
                self._take(self.entry, (self.parser.CurrentLineNumber, run), len(run.table))
        elif local == READING:
            self._reading, self._line = {}, self.parser.CurrentLineNumber
        elif local == ENTRY:
            self.entry, self.links = Entry(self.parser.CurrentLineNumber), 0
        elif self.entry is not None and self._reading is None:
            if local == "link":
                self._link(self.entry, attributes.get("rel", ""), attributes.get("href", ""))
            elif local in SMALL or local == BLOCK:
                self.entry.kind = local

    def _link(self, entry: Entry, rel: str, href: str) -> None:
        if len(rel) + len(href) > TEXT_MAX:
            raise self._too_long("a link")
        self.links += 1
        if self.links > LINKS_MAX:
            told = f"line {entry.line}: an entry has more than {LINKS_MAX} links"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)
        entry.links.setdefault(rel, []).append(href)

    def _too_long(self, what: str) -> UnableToDecodeFile:
        return UnableToDecodeFile("RECORD_TOO_LONG", f"line {self.parser.CurrentLineNumber}: {what} is too long")

    def end(self, _: str) -> None:
        local = self.path.pop()
        entry, reading = self.entry, self._reading
        if reading is not None:
            if local in _OF_READING:
                said = "".join(self.texts).strip()
                if len(reading.get("quality", "")) > TEXT_MAX:
                    raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {self._line}: a reading has too many qualities")
                reading[local] = f"{reading[local]}+{said}" if local in reading and local == "quality" else said
            elif local == READING:
                self._reading = None
                if entry is not None:
                    start, step, value = (reading.get(name, "") for name in ("start", "duration", "value"))
                    self._take(entry, (self._line, start, step, value, reading.get("quality", "")), 1)
        elif entry is not None:
            if local == ENTRY:
                entry.whole, self.entry = True, None
                self.done.append(entry)
            elif entry.kind in SMALL and self.texts and len(entry.said) < LEAVES_MAX:
                entry.said.setdefault(f"{self.path[-1]}.{local}", "".join(self.texts).strip()[:TEXT_MAX])
        elif local == "updated" and len(self.path) == 1:
            self.updated = "".join(self.texts).strip()
        self.texts.clear()

    def _take(self, entry: Entry, reading: Reading | tuple[int, Run], count: int) -> None:
        entry.readings.append(reading)
        entry.count += count
        if entry.count < READINGS_AT_ONCE:
            return
        if entry.href:
            self.done.append(Entry(entry.line, entry.links, entry.kind, {}, entry.readings))
            entry.readings, entry.count = [], 0
        elif entry.count > READINGS_MAX:
            told = f"line {entry.line}: an entry has more than {READINGS_MAX} readings before it says what they are of"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)

    def doctype(self, *_: object) -> None:
        raise UnableToDecodeFile("MALFORMED_XML", "the file has a document type declaration; none is accepted")

    def text(self, data: str) -> None:
        self.texts.append(data)
        if len(self.texts) > TEXTS_MAX:
            raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {self.parser.CurrentLineNumber}: a text has no end")


def read_entries(stream: BinaryIO, head: bytes) -> Iterator[tuple[str, Entry]]:
    """Yield (when the feed was made, entry) of a file; of an entry with many readings several, all but the last not whole.

    Raises:
        UnableToDecodeFile: MALFORMED_XML, WRONG_ENCODING, WRONG_FLOW or RECORD_TOO_LONG, with the line.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    handler = _Handler(parser)
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = handler.doctype
    piece, at, cutter = head, 0, Cutter()
    while True:
        window, runs = cutter.cut(piece)
        handler.runs.extend(runs)
        parse(parser, window, final=not piece)
        at = max(at, parser.CurrentByteIndex)
        if cutter.given - at > ELEMENT_BYTES_MAX:  # a tag or a comment of which expat keeps all until it ends
            told = f"line {parser.CurrentLineNumber}: what begins there is longer than {ELEMENT_BYTES_MAX} bytes"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)
        done, handler.done = handler.done, []
        for entry in done:
            yield handler.updated, entry
        if not piece:
            return
        piece = read_up_to(stream, WINDOW_BYTES)
