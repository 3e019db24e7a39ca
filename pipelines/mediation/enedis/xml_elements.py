"""XML flows element by element: one point, or one part of an invoice, at a time, whatever the size of the file.

expat fetches nothing and limits the expansion of entities; document type declarations are refused altogether.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from pipelines.mediation.failures import UnableToDecodeFile

PIECE_BYTES = 1 << 16
ELEMENT_BYTES_MAX = 16 << 20
DEPTH_MAX = 32
"""Elements within each other; flows have up to eight."""


@dataclass(slots=True)
class Element:
    """An element: its name, text without blanks around it, line in the file, attributes, and what is in it."""

    name: str
    line: int
    text: str = ""
    inside: list[Element] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    def all(self, *names: str) -> Iterator[Element]:
        """Yield the elements in this one that have one of the names."""
        return (item for item in self.inside if item.name in names)

    def first(self, *path: str) -> Element | None:
        """Return the first element at a path below this one."""
        at: Element | None = self
        for name in path:
            at = next((item for item in at.inside if item.name == name), None) if at is not None else None
        return at

    def holds(self, name: str) -> bool:
        """Return whether an element of that name is anywhere in this one."""
        return any(item.name == name or item.holds(name) for item in self.inside)

    def said(self, *path: str) -> str:
        """Return the text of the first element at a path below this one, "" where there is none."""
        found = self.first(*path)
        return "" if found is None else found.text


@dataclass(slots=True)
class _Reader:
    """Builds the elements below the root, one after the other.

    Attributes:
        through: by name of the root, the element below it whose elements count as if they stood there.
        root: name of the root. passing: within that element. done: elements that are complete.
        open: those that are not, outermost first.
        begun: offset at which the outermost of them begins, or the one before it ended.
    """

    parser: expat.XMLParserType
    through: Mapping[str, str]
    root: str = ""
    passing: bool = False
    done: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    begun: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self.root:
            self.root = name
            self.texts.clear()
            return
        if not self.open:
            self.begun = self.parser.CurrentByteIndex
            if not self.passing and self.through.get(self.root) == name:
                self.passing = True
                self.texts.clear()
                return
        if len(self.open) >= DEPTH_MAX:
            raise UnableToDecodeFile("WRONG_FLOW", f"line {self.parser.CurrentLineNumber}: elements nest too deep")
        self.open.append(Element(name, self.parser.CurrentLineNumber, attributes=attributes))
        self.texts.clear()

    def end(self, _: str) -> None:
        if not self.open:
            self.passing = False
            return
        element = self.open.pop()
        if not element.inside:
            element.text = "".join(self.texts).strip()
        self.texts.clear()
        if self.open:
            self.open[-1].inside.append(element)
            return
        self.done.append(element)
        self.begun = self.parser.CurrentByteIndex

    def doctype(self, *_: object) -> None:
        raise UnableToDecodeFile("MALFORMED_XML", "the file has a document type declaration; none is accepted")


def read_elements(
    stream: BinaryIO, head: bytes, through: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Element]]:
    """Yield (name of the root, element) of each element just below the root, in order; "" and nothing for an empty file.

    Args:
        stream: what follows `head`. through: by name of the root, an element whose elements are yielded in its place.

    Raises:
        UnableToDecodeFile: MALFORMED_XML, WRONG_ENCODING, or RECORD_TOO_LONG for an element, or what is between two, above
            `ELEMENT_BYTES_MAX`.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    reader = _Reader(parser, through or {})
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.texts.append
    parser.StartDoctypeDeclHandler = reader.doctype
    piece, given = head, 0
    while True:
        parse(parser, piece, final=not piece)
        given += len(piece)
        if given - reader.begun > ELEMENT_BYTES_MAX:
            where = f"the element {reader.open[0].name[:40]}" if reader.open else "what is between elements"
            line = reader.open[0].line if reader.open else parser.CurrentLineNumber
            raise UnableToDecodeFile(
                "RECORD_TOO_LONG", f"line {line}: {where} is longer than {ELEMENT_BYTES_MAX} bytes"
            )
        done, reader.done = reader.done, []
        for element in done:
            yield reader.root, element
        if not piece:
            return
        piece = stream.read(PIECE_BYTES)


def parse(parser: expat.XMLParserType, piece: bytes, *, final: bool) -> None:
    """Parse the next bytes of a file.

    Raises:
        UnableToDecodeFile: MALFORMED_XML or WRONG_ENCODING.
    """
    try:
        parser.Parse(piece, final)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset}"
        raise UnableToDecodeFile("MALFORMED_XML", f"{where}: {expat.ErrorString(error.code)}") from error
    except (LookupError, ValueError) as error:  # of the codec that the file names
        raise UnableToDecodeFile("WRONG_ENCODING", f"the file declares no encoding that is read: {error}") from error
