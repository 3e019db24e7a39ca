"""Fixed-width sources and records, and a plain-Python twin of their decoder: slices of bytes."""

from __future__ import annotations

from typing import Any

from mediation_values import map_record
from mediation_world import CDR_MAPPING, Record, context, shown

from pipelines.mediation.failures import UnableToDecodeFile
from schemas.rejection import RAW_BYTES_MAX, Reason
from schemas.source import FixedWidthSource, HeaderRecords

WIDTHS = {"id": 3, "switch": 2, "caller": 6, "at": 20, "seconds": 6, "zone": 4}
GOOD = {
    "id": b"1", "switch": b"a", "caller": b"33611", "at": b"2026-05-01 10:00:00", "seconds": b"61.5", "zone": b"EU",
}  # fmt: skip
RECORD_BYTES = 42
"""One filler byte after `switch`."""


def columns() -> list[dict[str, Any]]:
    """Return the columns of `record`: id, switch, a filler that is no column, caller, at, seconds, zone."""
    found, start = [], 1
    for name, width in WIDTHS.items():
        found.append({"name": name, "start": start, "width": width})
        start += width + (name == "switch")
    return found


def record(**changes: bytes) -> bytes:
    """Return the good record without a line end, its fields changed, padded with blanks on the right."""
    fields = GOOD | changes
    assert all(len(fields[name]) <= width for name, width in WIDTHS.items())
    return b"".join(fields[name].ljust(width) + (b"|" if name == "switch" else b"") for name, width in WIDTHS.items())


def fixed_width(**changes: Any) -> FixedWidthSource:
    """Return the fixed-width source `cdr`, changed; `mapping` is changed key by key."""
    mapping = CDR_MAPPING | changes.pop("mapping", {})
    return FixedWidthSource.model_validate(
        {"kind": "source", "code": "cdr", "format": "fixed_width", "columns": columns(), "mapping": mapping} | changes
    )


def split(source: FixedWidthSource, data: bytes) -> list[bytes]:
    """Return the records of a file, header and trailer too."""
    if source.lines:
        return [line for text in data.split(b"\n") if (line := text.removesuffix(b"\r"))]
    length = source.record_bytes or 0
    pieces = [data[at : at + length] for at in range(0, len(data), length)]
    if pieces and len(pieces[-1]) < length and not pieces[-1].strip(b"\r\n"):
        pieces.pop()
    return pieces


def _edge(records: list[bytes], edge: HeaderRecords, encoding: str) -> int:
    """Return how many of the first records belong to a header, or of the last ones, reversed, to a trailer."""
    if edge.count is not None:
        return edge.count if len(records) >= edge.count else 0
    prefix, found = (edge.prefix or "").encode(encoding), 0
    while found < len(records) and records[found].startswith(prefix):
        found += 1
    return found


def decode_twin(source: FixedWidthSource, data: bytes) -> list[Record] | str:
    """Return the records of a file, or the code with which it is refused whole."""
    records = split(source, data.removeprefix(b"\xef\xbb\xbf"))
    if not records:
        return []
    if source.header is not None:
        found = _edge(records, source.header, source.encoding)
        if not found:
            return "MALFORMED_HEADER"
        records = records[found:]
    if source.trailer is not None:
        found = _edge(records[::-1], source.trailer, source.encoding)
        if not found:
            return "TRAILER_MISMATCH"
        last, records = records[-1], records[: len(records) - found]
        place = source.trailer.record_count
        if place is not None:
            text = last[place.start - 1 : place.end]
            if len(text) < place.width or not text.strip(b" ").isdigit() or int(text) != len(records):
                return "TRAILER_MISMATCH"
    return [_record(source, raw) for raw in records]


def found_or_code(decode: Any, *arguments: Any, **options: Any) -> list[Record] | str:
    """Return what the decoder finds, or the code with which it refuses the file whole."""
    try:
        return list(decode(*arguments, **options))
    except UnableToDecodeFile as failure:
        return failure.code


def _record(source: FixedWidthSource, raw: bytes) -> Record:
    texts = {column.name: b"" for column in source.columns}
    reason = _unreadable(source, raw)
    mapped = {column.name: raw[column.start - 1 : column.end] for column in source.columns}
    if not reason:
        try:
            texts = {name: _text(source, part) for name, part in mapped.items()}
        except UnicodeDecodeError:
            reason = Reason.INVALID_ENCODING
    found = map_record(context(source), source.mapping, texts, reason)
    kept = raw if len(raw) <= source.record_bytes_max else raw[: RAW_BYTES_MAX + 1]
    return shown(found["reason"], kept, found["access_point"], found["event_at"], found["rest"])


def _text(source: FixedWidthSource, part: bytes) -> bytes:
    if source.trim in ("both", "left"):
        part = part.lstrip(b" ")
    if source.trim in ("both", "right"):
        part = part.rstrip(b" ")
    text = part.decode(source.encoding).encode()
    return b"" if source.null is not None and text == source.null.encode() else text


def _unreadable(source: FixedWidthSource, raw: bytes) -> int:
    if len(raw) > source.record_bytes_max:
        return Reason.RECORD_TOO_LONG
    if b"\x00" in raw:
        return Reason.NUL_BYTE
    try:
        raw.decode(source.encoding)
    except UnicodeDecodeError:
        return Reason.INVALID_ENCODING
    least = max(column.end for column in source.columns) if source.record_bytes is None else source.record_bytes
    well = len(raw) >= least if source.record_bytes is None else len(raw) == least
    return 0 if well else Reason.FIELD_COUNT
