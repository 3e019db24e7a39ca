"""Segments of EDIFACT (ISO 9735), one at a time, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.text_lines import PIECE_BYTES

SEGMENT_CHARACTERS_MAX = 1 << 16
SERVICE = "UNA"
USUAL = ":+.? '"
ENCODING = "latin-1"
"""Of UNOC; of UNOA and UNOB a part of it is used."""
Elements = list[list[str]]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its tag, and its elements as components, without releases. line, number: where it stands, both from 1."""

    tag: str
    elements: Elements
    line: int
    number: int

    def said(self, element: int, component: int = 0) -> str:
        """Return one component, "" where there is none."""
        if element >= len(self.elements) or component >= len(self.elements[element]):
            return ""
        return self.elements[element][component]


@dataclass(frozen=True, slots=True)
class Marks:
    """What separates, by UNA: of components and elements; the decimal mark; what releases; what ends a segment."""

    component: str
    element: str
    decimal: str
    release: str
    end: str


def read_segments(stream: BinaryIO, head: bytes) -> tuple[Marks, Iterator[Segment]]:
    """Return the marks of an interchange, and its segments in order.

    Raises:
        UnableToDecodeFile: MALFORMED_METER_DATA for a segment that does not end, RECORD_TOO_LONG, with line and segment.
    """
    text = codecs.getincrementaldecoder(ENCODING)()
    begin = text.decode(head)
    lines = begin[: len(begin) - len(begin.lstrip())].count("\n")
    begin = begin.lstrip()
    marks = _marks(begin[3:9]) if begin.startswith(SERVICE) else _marks(USUAL)
    rest = begin[9:] if begin.startswith(SERVICE) else begin
    return marks, _segments(stream, rest, marks, 1 + lines)


def _marks(said: str) -> Marks:
    component, element, decimal, release, _, end = list(said.ljust(6))
    separators = (component, element, release, end)
    if len({*separators}) < len(separators) or any(mark.isalnum() for mark in separators) or decimal not in ".,":
        raise UnableToDecodeFile("MALFORMED_METER_DATA", f"line 1, segment 1: UNA declares {said!r}")
    return Marks(component, element, decimal, release, end)


def _segments(stream: BinaryIO, rest: str, marks: Marks, line: int) -> Iterator[Segment]:
    number, more = 0, True
    while more:
        piece = stream.read(PIECE_BYTES)
        more = bool(piece)
        rest += piece.decode(ENCODING)
        at = 0
        while (end := _end(rest, at, marks)) >= 0:
            text = rest[at:end]
            stripped = text.lstrip("\r\n\t ")
            line += text[: len(text) - len(stripped)].count("\n")
            number += 1
            yield _segment(stripped.replace("\r", "").replace("\n", ""), marks, line, number)
            line += stripped.count("\n")
            at = end + 1
        rest = rest[at:]
        if len(rest) > SEGMENT_CHARACTERS_MAX:
            told = f"line {line}, segment {number + 1}: longer than {SEGMENT_CHARACTERS_MAX} characters"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)
    if rest.strip("\r\n\t \x00\x1a"):
        told = f"line {line}, segment {number + 1}: {rest.strip()[:20]!r} does not end"
        raise UnableToDecodeFile("MALFORMED_METER_DATA", told)


def _end(text: str, at: int, marks: Marks) -> int:
    """Return where the segment that begins at an offset ends, -1 where it does not end yet."""
    end = text.find(marks.end, at)
    while end > at and _released(text, at, end, marks.release):
        end = text.find(marks.end, end + 1)
    return end


def _released(text: str, begin: int, at: int, release: str) -> bool:
    """Return whether the mark at an offset is released: by an odd number of marks before it."""
    count = 0
    while at - 1 - count >= begin and text[at - 1 - count] == release:
        count += 1
    return count % 2 == 1


def _segment(text: str, marks: Marks, line: int, number: int) -> Segment:
    if marks.release not in text:
        elements = [element.split(marks.component) for element in text.split(marks.element)]
    else:
        elements = _released_elements(text, marks)
    return Segment(elements[0][0], elements[1:], line, number)


def _released_elements(text: str, marks: Marks) -> Elements:
    elements: Elements = [[""]]
    plain = False
    for mark in text:
        if plain:
            elements[-1][-1] += mark
            plain = False
        elif mark == marks.release:
            plain = True
        elif mark == marks.element:
            elements.append([""])
        elif mark == marks.component:
            elements[-1].append("")
        else:
            elements[-1][-1] += mark
    return elements
