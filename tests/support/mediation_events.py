"""A plain-Python twin of the CloudEvents decoder: the json module reads every line."""

from __future__ import annotations

import json
from typing import Any

from mediation_values import map_record
from mediation_world import Record, context, shown

from schemas.rejection import RAW_BYTES_MAX, Reason
from schemas.source import CloudEventsSource

REQUIRED = ("specversion", "id", "source", "type")
DEPTH_MAX = 64


class Number(str):
    """A number as it is written."""


class Pairs(list[tuple[str, Any]]):
    """An object with all its keys, doubled ones too."""

    def last(self, name: str) -> Any:
        """Return the last value under a key, None when there is none."""
        return next((value for key, value in reversed(self) if key == name), None)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def parse(text: str) -> Pairs | None:
    """Return the object a line holds, or None when it is no JSON object."""
    try:
        found = json.loads(text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Pairs) else None


def _survey(value: Any) -> tuple[int, str]:
    """Return (levels, all strings and keys one after the other) of a parsed value."""
    if isinstance(value, str):
        return 0, "" if isinstance(value, Number) else value
    if isinstance(value, Pairs):
        parts = [_survey(part) for pair in value for part in pair]
    elif isinstance(value, list):
        parts = [_survey(part) for part in value]
    else:
        return 0, ""
    return 1 + max((levels for levels, _ in parts), default=0), "".join(text for _, text in parts)


def value_at(event: Any, path: str) -> bytes:
    """Return the text of the value at a dotted path; empty for what is absent, null or composite."""
    for name in path.split("."):
        if isinstance(event, Pairs):
            event = event.last(name)
        elif isinstance(event, list) and name.isascii() and name.isdigit() and str(int(name)) == name:
            event = event[int(name)] if int(name) < min(len(event), 1024) else None
        else:
            event = None
    if isinstance(event, bool):
        return b"true" if event else b"false"
    return event.encode() if isinstance(event, str) else b""


def _unreadable(source: CloudEventsSource, raw: bytes) -> int:
    if len(raw) > source.record_bytes_max:
        return Reason.RECORD_TOO_LONG
    shape = parse(raw.decode("latin-1"))  # the shape does not depend on what bytes from 0x80 mean
    levels, strings = (0, "") if shape is None else _survey(shape)
    lone = any(0xD800 <= ord(letter) <= 0xDFFF for letter in strings)
    malformed = shape is None or lone or levels > DEPTH_MAX
    if b"\x00" in raw or ("\x00" in strings and not malformed):
        return Reason.NUL_BYTE
    try:
        raw.decode()
    except UnicodeDecodeError:
        return Reason.INVALID_ENCODING
    return Reason.MALFORMED_RECORD if malformed else 0


def _envelope(event: Pairs) -> int:
    values = [event.last(name) for name in REQUIRED]
    if any(isinstance(value, bool | Number) for value in values):
        return Reason.MALFORMED_RECORD
    return 0 if values[0] in ("1.0", "", None) or not isinstance(values[0], str) else Reason.MALFORMED_RECORD


def decode_twin(source: CloudEventsSource, data: bytes) -> list[Record]:
    """Return the records of a file of one event per line."""
    lines = (line.removesuffix(b"\r") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    return [record_twin(source, line) for line in lines if line]


def record_twin(source: CloudEventsSource, raw: bytes) -> Record:
    """Return what one line means."""
    reason = _unreadable(source, raw)
    event = Pairs() if reason else parse(raw.decode()) or Pairs()
    reason = reason or _envelope(event)
    mapping = source.mapping.model_copy(update={"identity": ("source", "id")})
    names = {*REQUIRED, mapping.access_point, *mapping.time.names, *mapping.attributes.values(), *mapping.required}
    names |= {item.field for item in mapping.filters}
    names |= {name for name in (mapping.quantity.field, mapping.event_type.field) if name}
    texts = {name: value_at(event, name) for name in names}
    found = map_record(context(source), mapping, texts, reason, REQUIRED)
    kept = (
        raw if len(raw) <= source.record_bytes_max else raw[: RAW_BYTES_MAX + 1]
    )  # one more, so that a rejection knows it was cut
    return shown(found["reason"], kept, found["access_point"], found["event_at"], found["rest"])
