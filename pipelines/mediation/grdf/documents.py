"""JSON of GRDF, one statement at a time: documents, or an array of them, or the portal's points with their readings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pipelines.mediation.enedis import json_elements
from pipelines.mediation.enedis.json_elements import JsonText, elements, open_text
from pipelines.mediation.failures import UnableToDecodeFile

POINT = re.compile(r"\d{14}|GI\d{6}", re.ASCII)
"""A point (PCE): 14 digits, or a large site."""
PORTAL = "releves"
Statement = tuple[str, str, dict[str, Any], int]


def read_statements(stream: BinaryIO, head: bytes, kind: str) -> Iterator[Statement]:
    """Yield (what, point, object, line): `releves` of the portal with their point, `kind` for our own, "" for a document.

    Raises:
        UnableToDecodeFile: MALFORMED_JSON, WRONG_ENCODING, WRONG_FLOW or RECORD_TOO_LONG.
    """
    text = open_text(stream, head)
    if text.peek() != "[":
        while text.peek():
            yield from _document(text, kind)
        return
    text.take("[")
    if text.peek() == "]":
        text.take("]")
    else:
        yield from _document(text, kind)
        while text.take(",]") == ",":
            yield from _document(text, kind)
    if text.peek():
        raise UnableToDecodeFile("MALFORMED_JSON", f"line {text.line}: something follows the array")


def _document(text: JsonText, kind: str) -> Iterator[Statement]:
    text.take("{")
    begun, begins, known, found = text.line, text.passed, dict[str, Any](), False
    while True:
        name = text.value()
        text.take(":")
        beginning = text.peek()
        if beginning == "{" and POINT.fullmatch(str(name)):
            found = True
            yield from _point(text, name)
        elif beginning == "[" and name == kind:
            found = True
            for element, line in elements(text):
                yield kind, "", _object(element, line), line
        else:
            known[name] = text.value()
            if text.passed - begins > json_elements.ELEMENT_CHARACTERS_MAX and not found:
                raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {begun}: the document has too many characters")
        if text.take(",}") == "}":
            break
    if known and not found:
        yield "", "", known, begun


def _point(text: JsonText, point: str) -> Iterator[Statement]:
    text.take("{")
    found = False
    while True:
        name = text.value()
        text.take(":")
        if name == PORTAL and text.peek() == "[":
            found = True
            for element, line in elements(text):
                yield PORTAL, point, _object(element, line), line
        else:
            text.value()
        if text.take(",}") == "}":
            break
    if not found:
        raise UnableToDecodeFile("WRONG_FLOW", f"line {text.line}: the point {point} has no array {PORTAL}")


def _object(element: Any, line: int) -> dict[str, Any]:
    if not isinstance(element, dict):
        raise UnableToDecodeFile("MALFORMED_JSON", f"line {line}: an element is no object")
    return element
