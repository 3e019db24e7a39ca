"""JSON flows measure by measure: one point at a time, whatever the size of the file."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

from pipelines.mediation.failures import UnableToDecodeFile

PIECE_BYTES = 1 << 16
ELEMENT_CHARACTERS_MAX = 64 << 20
TOKEN_MAX = 16
"""No token but a string or a number is longer: an error so close to the end may be the end's."""
_WHITE = re.compile(r"[ \t\r\n]*")


class _Cut(Exception):
    """More of the file is needed."""


@dataclass(slots=True)
class JsonText:
    """The text of a stream from `at` on, read as it is needed."""

    stream: BinaryIO
    decoder: codecs.IncrementalDecoder
    json: json.JSONDecoder
    text: str = ""
    at: int = 0
    line: int = 1
    ended: bool = False
    passed: int = 0
    """Characters that are behind."""

    def more(self) -> None:
        """Read on; what was passed is forgotten, and what is held doubles."""
        if self.ended:
            raise UnableToDecodeFile("MALFORMED_JSON", f"line {self.line}: the file ends in the middle")
        held = len(self.text) - self.at
        if held > ELEMENT_CHARACTERS_MAX:
            told = f"line {self.line}: an element is longer than {ELEMENT_CHARACTERS_MAX} characters"
            raise UnableToDecodeFile("RECORD_TOO_LONG", told)
        self.take_in(self.stream.read(max(PIECE_BYTES, held)))

    def take_in(self, piece: bytes) -> None:
        """Add the next bytes of the stream, none at its end."""
        self.ended = not piece
        try:
            read = self.decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError as error:
            raise UnableToDecodeFile(
                "WRONG_ENCODING", f"behind line {self.line}: not UTF-8 ({error.reason})"
            ) from error
        self.text, self.at = self.text[self.at :] + read, 0

    def peek(self) -> str:
        """Return the next character that is not white, "" at the end."""
        while True:
            end = _WHITE.match(self.text, self.at).end()  # type: ignore[union-attr]
            self._pass(end)
            if end < len(self.text):
                return self.text[end]
            if self.ended:
                return ""
            self.more()

    def take(self, wanted: str) -> str:
        """Pass the next character, which is one of `wanted`."""
        found = self.peek()
        if not found or found not in wanted:
            what = f"{found!r}" if found else "the end of the file"
            raise UnableToDecodeFile(
                "MALFORMED_JSON", f"line {self.line}: {what} stands where {' or '.join(wanted)} belongs"
            )
        self.at += 1
        return found

    def value(self) -> Any:
        """Pass the next value, and return it."""
        self.peek()
        while True:
            try:
                value, end = self.json.raw_decode(self.text, self.at)
                if end == len(self.text) and not self.ended:  # a number may go on
                    raise _Cut
            except _Cut:
                self.more()
                continue
            except json.JSONDecodeError as error:
                is_cut = error.pos > len(self.text) - TOKEN_MAX or error.msg.startswith("Unterminated string")
                if self.ended or not is_cut:
                    line = self.line + self.text.count("\n", self.at, error.pos)
                    raise UnableToDecodeFile("MALFORMED_JSON", f"line {line}: {error.msg}") from error
                self.more()
                continue
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
                raise UnableToDecodeFile("MALFORMED_JSON", f"behind line {self.line}: beyond reason") from error
            self._pass(end)
            return value

    def _pass(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.passed += end - self.at
        self.at = end


Found = tuple[str, dict[str, Any], int]


def open_text(stream: BinaryIO, head: bytes) -> JsonText:
    """Return the text of a stream, `head` first. Numbers that are not whole are decimals.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING.
    """
    text = JsonText(stream, codecs.getincrementaldecoder("utf-8-sig")(), json.JSONDecoder(parse_float=Decimal))
    text.take_in(head)
    return text


def read_objects(
    stream: BinaryIO,
    head: bytes,
    names: Collection[str],
    *,
    whole: Collection[str] = (),
    head_of: dict[str, Any] | None = None,
) -> Iterator[Found]:
    """Yield (name, object, line) of each element of the arrays of these names, in order, of one document or an array of them.

    Args:
        stream: what follows `head`. names: of members of a document; it has one of them at least, or one of `whole`: such a
            document is an element itself, and its name is that. head_of: told what a document says besides, as it is read.

    Raises:
        UnableToDecodeFile: MALFORMED_JSON, WRONG_ENCODING, WRONG_FLOW or RECORD_TOO_LONG.
    """
    text = open_text(stream, head)
    many = text.peek() == "["
    if many:
        text.take("[")
    while True:
        yield from _document(text, names, whole, {} if head_of is None else head_of)
        if not many or text.take(",]") == "]":
            break
    if text.peek():
        raise UnableToDecodeFile("MALFORMED_JSON", f"line {text.line}: something follows the document")


def _document(text: JsonText, names: Collection[str], whole: Collection[str], known: dict[str, Any]) -> Iterator[Found]:
    text.take("{")
    begun, found, held = text.line, False, 0
    known.clear()
    while True:
        name = text.value()
        text.take(":")
        if name in names and text.peek() == "[":
            found = True
            for element, line in elements(text):
                if not isinstance(element, dict):
                    raise UnableToDecodeFile("MALFORMED_JSON", f"line {line}: an element of {name!r} is no object")
                yield name, element, line
        else:
            before = text.passed
            known[name] = text.value()
            held += text.passed - before
            if held > ELEMENT_CHARACTERS_MAX:
                raise UnableToDecodeFile(
                    "RECORD_TOO_LONG", f"line {begun}: more than {ELEMENT_CHARACTERS_MAX} characters"
                )
        if text.take(",}") == "}":
            break
    told = next((name for name in whole if name in known), "")
    if told and not found:
        yield told, dict(known), begun
    elif not found:
        raise UnableToDecodeFile("WRONG_FLOW", f"line {text.line}: a document without an array {' or '.join(names)}")


def elements(text: JsonText) -> Iterator[tuple[Any, int]]:
    """Pass an array, and yield (element, line) of it."""
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        text.peek()
        line = text.line
        yield text.value(), line
        if text.take(",]") == "]":
            return
