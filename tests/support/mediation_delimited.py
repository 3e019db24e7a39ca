"""A plain-Python twin of the delimited decoder: byte after byte, one record after the other."""

from __future__ import annotations

from collections.abc import Iterator

from mediation_values import map_record
from mediation_world import Record, context, shown

from schemas.rejection import RAW_BYTES_MAX, Reason
from schemas.source import DelimitedSource

LF, CR, QUOTE = b"\n", b"\r", b'"'


def _ends_line(data: bytes, at: int) -> bool:
    """Return whether a line ends at `at`: LF, CR LF, or the end of the data, before which a CR may stand."""
    return data[at : at + 1] in (LF, b"") or data[at:] == CR or data.startswith(CR + LF, at)


def split(data: bytes, delimiter: bytes) -> Iterator[tuple[bytes, list[bytes] | None]]:
    """Yield (raw bytes, fields) of every record; None for the fields of a malformed one."""
    at = 0
    while at < len(data):
        begin, well, fields = at, True, []
        while True:
            if data.startswith(QUOTE, at):
                value, at, closed = _quoted(data, at + 1)
                well = well and closed
                if not (data.startswith(delimiter, at) or _ends_line(data, at)):
                    well = False
                    at = _skip(data, at, delimiter)
            else:
                stop = _skip(data, at, delimiter)
                value, at = data[at:stop], stop
                if not data.startswith(delimiter, at):
                    value = value.removesuffix(CR)
            fields.append(value)
            if not data.startswith(delimiter, at):
                break
            at += 1
        at += 2 if data.startswith(CR + LF, at) else 1
        raw = data[begin:at].removesuffix(LF).removesuffix(CR)
        if raw:
            yield raw, fields if well else None


def split_plainly(data: bytes, delimiter: bytes) -> Iterator[tuple[bytes, list[bytes] | None]]:
    """Yield (raw bytes, fields) of every record where quotes are text."""
    for line in data.removesuffix(LF).split(LF):
        raw = line.removesuffix(CR)
        if raw:
            yield raw, raw.split(delimiter)


def _quoted(data: bytes, at: int) -> tuple[bytes, int, bool]:
    """Return (text, offset after the closing quote, whether there was one) of the quoted field whose text begins at `at`."""
    text = bytearray()
    while at < len(data):
        if data.startswith(QUOTE + QUOTE, at):
            text += QUOTE
            at += 2
        elif data.startswith(QUOTE, at):
            return bytes(text), at + 1, True
        else:
            text.append(data[at])
            at += 1
    return bytes(text), at, False


def _skip(data: bytes, at: int, delimiter: bytes) -> int:
    while at < len(data) and data[at : at + 1] not in (delimiter, LF):
        at += 1
    return at


def decode_twin(source: DelimitedSource, data: bytes) -> list[Record]:
    """Return the records of a file whose header, if it must have one, is what follows the line ends that it begins with."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    splitter = split_plainly if source.quoting == "none" else split
    records = splitter(data.lstrip(CR + LF) if source.header else data, source.delimiter.encode())
    columns = source.columns
    if source.header:
        first = next(records, None)
        if first is None:
            return []
        columns = tuple(name.decode(source.encoding) for name in first[1] or [])
    return [record_twin(source, columns, raw, _last_takes_the_rest(source, columns, fields)) for raw, fields in records]


def _last_takes_the_rest(
    source: DelimitedSource, columns: tuple[str, ...], fields: list[bytes] | None
) -> list[bytes] | None:
    if fields is None or not source.rest or len(fields) <= len(columns):
        return fields
    last = len(columns) - 1
    return [*fields[:last], source.delimiter.encode().join(fields[last:])]


def record_twin(source: DelimitedSource, columns: tuple[str, ...], raw: bytes, fields: list[bytes] | None) -> Record:
    """Return what one record means, given its raw bytes and its fields (None: malformed)."""
    reason = _unreadable(source, len(columns), raw, fields)
    texts = dict.fromkeys(columns, b"")
    if not reason:
        for name, value in zip(columns, fields or [], strict=source.columns_min is None):
            text = value.decode(source.encoding).encode()
            texts[name] = b"" if source.null is not None and text == source.null.encode() else text
    found = map_record(context(source), source.mapping, texts, reason)
    kept = (
        raw if len(raw) <= source.record_bytes_max else raw[: RAW_BYTES_MAX + 1]
    )  # one more, so that a rejection knows it was cut
    return shown(found["reason"], kept, found["access_point"], found["event_at"], found["rest"])


def _unreadable(source: DelimitedSource, columns: int, raw: bytes, fields: list[bytes] | None) -> int:
    if len(raw) > source.record_bytes_max:
        return Reason.RECORD_TOO_LONG
    if b"\x00" in raw:
        return Reason.NUL_BYTE
    try:
        raw.decode(source.encoding)
    except UnicodeDecodeError:
        return Reason.INVALID_ENCODING
    if fields is None:
        return Reason.MALFORMED_RECORD
    return 0 if (source.columns_min or columns) <= len(fields) <= columns else Reason.FIELD_COUNT
