"""R151 through a full XML parser: checks a file, and reads what the kernel does not.

expat is used because it knows the byte offset of every element, fetches nothing, and limits entity expansion; document
type declarations are refused altogether.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.r151 import (
    CLASS,
    DATE,
    DAY,
    DISTRIBUTOR_CALENDAR,
    DISTRIBUTOR_INDEX,
    DOUBT,
    ID_PRM,
    MAXIMUM_POWER,
    NAMES,
    PRM,
    SUPPLIER_CALENDAR,
    SUPPLIER_INDEX,
    UNKNOWN,
    VALUE,
)

PRM_BYTES_MAX = 16 << 20
ENCODINGS = ("utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
"""Encodings in which a byte below 0x80 always means itself."""
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_NUMBERS = {name.decode(): number for number, name in enumerate(NAMES)}
_INDEXES = (SUPPLIER_INDEX, DISTRIBUTOR_INDEX, MAXIMUM_POWER)
_PARENTS = {PRM: [], DAY: [PRM]} | {number: [PRM, DAY] for number in _INDEXES}
"""What these stand in, below the root. Elsewhere they refuse the file: a flow of another shape must not pass unseen."""
_LEAVES = (ID_PRM, DATE, SUPPLIER_CALENDAR, DISTRIBUTOR_CALENDAR, CLASS, VALUE, DOUBT)
_WHITE = "".join(chr(code) for code in range(33))


def declared_encoding(head: bytes) -> str:
    """Return the encoding a file declares, in lower case; utf-8 by default.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING when it is none of `ENCODINGS`.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00")) or b"\x00" in head[:8]:
        raise UnableToDecodeFile("WRONG_ENCODING", "the file is UTF-16 or UTF-32; R151 is read in UTF-8 or Latin-1")
    match = _DECLARED.match(head.removeprefix(b"\xef\xbb\xbf"))
    encoding = match[1].decode().lower() if match else "utf-8"
    if encoding not in ENCODINGS:
        raise UnableToDecodeFile("WRONG_ENCODING", f"the file declares encoding {encoding}")
    return encoding


@dataclass(slots=True)
class _Head:
    """Follows the elements up to the first PRM, then stops listening: the rest is checked at the parser's own speed."""

    parser: expat.XMLParserType
    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)

    def listen(self) -> None:
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.text.append
        self.parser.StartDoctypeDeclHandler = _refuse_doctype

    def _start(self, name: str, _: dict[str, str]) -> None:
        if not self.path and name != "R151":
            raise UnableToDecodeFile("WRONG_FLOW", f"the root element is {name!r}, not 'R151'")
        if name == "PRM":
            self._check()
            self.parser.StartElementHandler = None
            self.parser.EndElementHandler = None
            self.parser.CharacterDataHandler = None
            return
        self.path.append(name)
        self.text.clear()

    def _end(self, name: str) -> None:
        self.found.setdefault("/".join(self.path), "".join(self.text).strip())
        self.path.pop()
        self.text.clear()

    def _check(self) -> None:
        flow = self.found.get("R151/En_Tete_Flux/Identifiant_Flux", "")
        if flow != "R151":
            raise UnableToDecodeFile("WRONG_FLOW", f"Identifiant_Flux is {flow!r}, not 'R151'")
        unit = self.found.get("R151/En_Tete_Flux/Unite_Mesure_Index", "")
        if unit != "Wh":
            raise UnableToDecodeFile("WRONG_UNIT", f"Unite_Mesure_Index is {unit!r}, not 'Wh'")


def _refuse_doctype(*_: object) -> None:
    raise UnableToDecodeFile("MALFORMED_XML", "the file has a document type declaration; none is accepted")


class CheckedXml:
    """A stream that parses what is read from it: a file that is no well-formed R151 flow in Wh fails while it is read.

    A file of nothing but white space is as good as an empty one.
    """

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        """Give `head`, then the bytes of `stream`."""
        self._stream = stream
        self._head = head
        self._blank = True
        self._parser = expat.ParserCreate()
        _Head(self._parser).listen()

    def readinto(self, buffer: memoryview) -> int:
        """Read as `io.RawIOBase.readinto` does.

        Raises:
            UnableToDecodeFile: MALFORMED_XML, WRONG_FLOW or WRONG_UNIT.
        """
        piece, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        if piece:
            buffer[: len(piece)] = piece
        else:
            count = self._stream.readinto(buffer)  # type: ignore[attr-defined]
            piece = bytes(buffer[:count])
        self._blank = self._blank and not piece.strip()
        try:
            self._parser.Parse(piece, not piece and not self._blank)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            where = f"line {error.lineno}, column {error.offset}"
            raise UnableToDecodeFile("MALFORMED_XML", f"{where}: {reason}") from error
        return len(piece)


@dataclass(slots=True)
class PrmReader:
    """Collects the records of a piece of an R151 document.

    Attributes:
        values: per record, the text of the six slots of `kernels.r151`.
        spans: per record, where its element begins and ends in the piece.
        kinds: per record, SUPPLIER_INDEX, DISTRIBUTOR_INDEX or MAXIMUM_POWER.
    """

    values: list[tuple[str, ...]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    _path: list[int] = field(default_factory=list)
    _held: dict[int, str] = field(default_factory=dict)
    _text: list[str] = field(default_factory=list)
    _begin: int = 0
    _leaf: int = 0
    """Depth of the open element whose text counts, 0: none. An element inside it makes its text unreadable."""

    def read(self, piece: bytes, encoding: str, *, has_root: bool) -> None:
        """Read whole PRM elements; `has_root`: the piece begins with the document, not after a PRM."""
        parser = expat.ParserCreate(encoding)
        prefix = b"" if has_root else b"<R151>"

        def start(name: str, _: dict[str, str]) -> None:
            self._start(_NUMBERS.get(name, UNKNOWN), parser.CurrentByteIndex - len(prefix))

        def end(name: str) -> None:
            here = max(parser.CurrentByteIndex - len(prefix), 0)
            closed = not piece.startswith(b"</" + name.encode(), here)  # <name/>: expat stands after it
            self._end(here if closed else piece.index(b">", here) + 1)

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(prefix + piece, False)
        except expat.ExpatError as error:
            raise UnableToDecodeFile("MALFORMED_XML", expat.ErrorString(error.code)) from error

    def _start(self, number: int, offset: int) -> None:
        if number in _PARENTS and self._path[1:] != _PARENTS[number]:
            raise UnableToDecodeFile("WRONG_FLOW", f"a {NAMES[number].decode()} element stands where none belongs")
        self._path.append(number)
        if self._leaf:
            self._text.append("<>")
            return
        self._text.clear()
        if number in _LEAVES:
            self._leaf = len(self._path)
        elif number == PRM:
            self._held = {}
        elif number == DAY:
            self._held = {key: text for key, text in self._held.items() if key == ID_PRM}
        elif number in _INDEXES:
            self._begin = offset
            self._held = {key: text for key, text in self._held.items() if key < CLASS}

    def _end(self, offset: int) -> None:
        number = self._path.pop()
        if len(self._path) >= self._leaf > 0:
            return
        self._leaf = 0
        parents, text = self._path[1:], "".join(self._text).strip(_WHITE)
        self._text.clear()
        in_index = len(parents) == 3 and parents[:2] == [PRM, DAY] and parents[2] in _INDEXES
        in_day = DATE <= number <= DISTRIBUTOR_CALENDAR and parents == [PRM, DAY]
        if (number == ID_PRM and parents == [PRM]) or in_day or (number >= CLASS and in_index):
            self._held[number] = text
        elif number in _INDEXES:
            calendar = DISTRIBUTOR_CALENDAR if number == DISTRIBUTOR_INDEX else SUPPLIER_CALENDAR
            slots = (ID_PRM, DATE, calendar, CLASS, VALUE, DOUBT)
            self.values.append(tuple(self._held.get(slot, "") for slot in slots))
            self.spans.append((self._begin, offset))
            self.kinds.append(number)
