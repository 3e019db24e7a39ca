"""JSON objects with the values of some paths replaced: every other byte stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.mediation.rewrite.failures import UnableToRewriteRecord
from schemas.source import CloudEventsSource, EnedisSource, GrdfSource, JsonSource

_BARE = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false")
_INDEX = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class JsonRewriter:
    """Replaces the values of paths in objects.

    Attributes:
        values: dotted path -> its new text.
    """

    source: JsonSource | CloudEventsSource | EnedisSource | GrdfSource
    values: Mapping[str, str]

    def record(self, raw: bytes) -> bytes:
        """Return an object with the new values; what a path needs is added where it is missing.

        Raises:
            UnableToRewriteRecord: when the record is no JSON object, or a path cannot be in it.
        """
        try:
            text = raw.decode().strip(_BLANKS)
            end = _DECODER.raw_decode(text)[1]
        except (ValueError, RecursionError) as error:
            raise UnableToRewriteRecord(f"it is no JSON object: {error}") from None
        if end != len(text) or not text.startswith("{"):
            raise UnableToRewriteRecord("it is no JSON object")
        for path, value in self.values.items():
            text = _replaced(text, 0, path.split("."), value, path)
        return text.encode()

    def file(self, records: Sequence[bytes]) -> bytes:
        """Return a file of records in the layout that the source reads."""
        path = getattr(self.source, "records", None)
        if path is not None:
            names = [json.dumps(name, ensure_ascii=False).encode() for name in path.split(".")]
            return b"".join(b"{" + name + b":" for name in names) + _array(records) + b"}" * len(names) + b"\n"
        layout = getattr(self.source, "layout", "auto")
        if layout == "array" or (layout == "auto" and any(b"\n" in record for record in records)):
            return _array(records) + b"\n"
        return b"".join(record + b"\n" for record in records)


def _array(records: Sequence[bytes]) -> bytes:
    return b"[\n" + b",\n".join(records) + b"\n]"


def _replaced(text: str, at: int, parts: list[str], value: str, path: str) -> str:
    """Return `text` with the value of a path below the object or array at `at`; of equal keys the last one counts."""
    part, *rest = parts
    if text[at] == "[":
        items = list(_items(text, at))
        if not _INDEX.fullmatch(part) or int(part) >= len(items):
            raise UnableToRewriteRecord(f"{path}: there is an array of {len(items)} items")
        return _put(text, *items[int(part)], rest, value, path)
    last, begin, end = at, 0, 0
    for key, begins, ends in _members(text, at):
        last = ends
        if key == part:
            begin, end = begins, ends
    if begin:
        return _put(text, begin, end, rest, value, path)
    added = f"{json.dumps(part, ensure_ascii=False)}:{_nested(rest, value)}"
    return f"{text[:last]},{added}{text[last:]}" if last > at else f"{text[: at + 1]}{added}{text[at + 1 :]}"


def _put(text: str, begin: int, end: int, rest: list[str], value: str, path: str) -> str:
    """Return `text` with the value between `begin` and `end` replaced, or what `rest` leads to below it."""
    if rest and text[begin] in "{[":
        return _replaced(text, begin, rest, value, path)
    if rest and text[begin:end] != "null":
        raise UnableToRewriteRecord(f"{path}: there is {text[begin:end][:40]} where an object is needed")
    bare = not rest and _BARE.fullmatch(text[begin:end]) and _BARE.fullmatch(value)
    return text[:begin] + (value if bare else _nested(rest, value)) + text[end:]


def _nested(rest: list[str], value: str) -> str:
    if not rest:
        return json.dumps(value, ensure_ascii=False)
    return f"{{{json.dumps(rest[0], ensure_ascii=False)}:{_nested(rest[1:], value)}}}"


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield (key, begin, end) of the values of the object at `at`, which is sound."""
    at = _past_blanks(text, at + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        begin = _past_blanks(text, _past_blanks(text, at) + 1)
        end = _DECODER.raw_decode(text, begin)[1]
        yield key, begin, end
        at = _past_blanks(text, end)
        if text[at] == "}":
            return
        at = _past_blanks(text, at + 1)


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of the items of the array at `at`, which is sound."""
    at = _past_blanks(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _past_blanks(text, end)
        if text[at] == "]":
            return
        at = _past_blanks(text, at + 1)


def _past_blanks(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at
