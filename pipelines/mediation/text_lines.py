"""Lines of text of a stream, in bounded memory, and the rows of a delimited file."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.mediation.failures import UnableToDecodeFile

PIECE_BYTES = 1 << 16
LINE_CHARACTERS_MAX = 1 << 20


def read_lines(stream: BinaryIO, head: bytes, encoding: str = "utf-8-sig") -> Iterator[str]:
    """Yield the lines of a stream, `head` first, without their ends.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING, or RECORD_TOO_LONG for a line above `LINE_CHARACTERS_MAX`.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    rest, piece, line = "", head, 1
    while True:
        try:
            rest += decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise UnableToDecodeFile("WRONG_ENCODING", f"behind line {line}: {error.reason}") from error
        *lines, rest = rest.split("\n")
        for found in lines:
            yield found.removesuffix("\r")
        line += len(lines)
        if len(rest) > LINE_CHARACTERS_MAX:
            raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {line} is longer than {LINE_CHARACTERS_MAX} characters")
        if not piece:
            if rest:
                yield rest.removesuffix("\r")
            return
        piece = stream.read(PIECE_BYTES)


def read_table(stream: BinaryIO, head: bytes, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, cells) of each row that is not empty.

    Raises:
        UnableToDecodeFile: what `read_lines` raises, and RECORD_TOO_LONG for a cell that has no end.
    """
    reader = csv.reader(read_lines(stream, head, encoding), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {reader.line_num}: {error}") from error
