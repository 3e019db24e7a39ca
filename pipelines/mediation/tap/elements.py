"""Small parts of a TAP file as trees of elements: what comes before and after its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber import read_header
from schemas.arrays import UInt8Array

DEPTH_MAX = 16
APPLICATION = 1
END_OF_CONTENTS = 0
PIECE_BYTES_MAX = 1 << 20
"""Most bytes before the events, and after them."""


def malformed(at: int, why: str) -> UnableToDecodeFile:
    """Return the refusal of a file whose bytes are no BER, or not that of TAP, at byte `at`."""
    return UnableToDecodeFile("MALFORMED_BER", f"byte {at}: {why}")


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        number: its application tag, -1 for one of another class.
        start, end: its contents within the bytes; after: the offset after it.
        children: what it holds; None for a value.
    """

    number: int
    start: int
    end: int
    after: int
    children: list[Element] | None = field(default=None)

    def find(self, *path: int) -> Element | None:
        """Return the first element below this one along a path of tags."""
        found: Element | None = self
        for number in path:
            found = next((child for child in (found.children or [] if found else []) if child.number == number), None)
        return found

    def all(self, number: int) -> Iterator[Element]:
        """Yield the elements directly below this one that have a tag."""
        return (child for child in self.children or [] if child.number == number)


@dataclass(frozen=True, slots=True)
class Header:
    """The identifier and length of an element.

    Attributes:
        number: its application tag, -1 for one of another class, END_OF_CONTENTS for the end of an indefinite length.
        start: where its contents begin; length: how many octets they have, -1 when that is indefinite.
    """

    number: int
    constructed: bool
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive bytes of a file.

    Attributes:
        data: (b,) the bytes; base: where they begin in the file.
    """

    data: UInt8Array
    base: int

    def header(self, at: int, end: int) -> Header:
        """Return the header of the element at `at`, which lies before `end`.

        Raises:
            UnableToDecodeFile: MALFORMED_BER.
        """
        key, constructed, start, length = read_header(self.data, at, end)
        if key < 0:
            raise malformed(self.base + at, "no tag and length can be read")
        if key == END_OF_CONTENTS and (constructed or length != 0):
            raise malformed(self.base + at, "the tag of end-of-contents octets has contents")
        number = END_OF_CONTENTS if key == END_OF_CONTENTS else int(key) >> 2 if key & 3 == APPLICATION else -1
        return Header(number, bool(constructed), int(start), int(length))

    def element(self, at: int, end: int, depth: int = 0) -> Element:
        """Return the element at `at` with all that it holds.

        Raises:
            UnableToDecodeFile: MALFORMED_BER.
        """
        header = self.header(at, end)
        stop = header.start + header.length if header.length >= 0 else end
        if header.number == END_OF_CONTENTS or stop > end:
            raise malformed(self.base + at, "an element is longer than what is around it")
        if not header.constructed:
            return Element(header.number, header.start, stop, stop)
        if depth == DEPTH_MAX:
            raise malformed(self.base + at, f"elements nest deeper than {DEPTH_MAX}")
        children: list[Element] = []
        place = header.start
        while header.length < 0 or place < stop:
            inner = self.header(place, stop)
            if inner.number == END_OF_CONTENTS:
                if header.length >= 0:
                    raise malformed(self.base + place, "end-of-contents octets in an element of definite length")
                return Element(header.number, header.start, place, inner.start, children)
            children.append(self.element(place, stop, depth + 1))
            place = children[-1].after
        return Element(header.number, header.start, stop, stop, children)

    def text(self, element: Element | None) -> str:
        """Return the characters of a value, "" when it is absent; octets that are not printable ASCII are escaped."""
        if element is None or element.children is not None:
            return ""
        octets = self.data[element.start : element.end].tobytes()
        return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in octets)

    def integer(self, element: Element | None) -> int | None:
        """Return the number that a value is, None when it is absent or empty."""
        if element is None or element.children is not None or element.start == element.end:
            return None
        return int.from_bytes(self.data[element.start : element.end].tobytes(), "big", signed=True)


def piece_of(data: bytes | UInt8Array, base: int) -> Piece:
    """Return bytes of a file that begin at `base`."""
    return Piece(np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data, base)
