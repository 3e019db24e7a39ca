"""The head of a delimited file: byte order mark, header record, and which column goes to which field."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO, Literal

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.quoted import FIELD_START, skip_record
from pipelines.mediation.text import HEAD_BYTES
from schemas.arrays import Int32Array
from schemas.source import DelimitedSource


def split_header(stream: BinaryIO, head: bytes, source: DelimitedSource) -> tuple[tuple[str, ...], bytes]:
    """Return (column names, bytes after the header); no names when the file holds nothing but blank lines.

    Args:
        stream: the bytes after `head`.
        head: what `read_head` returned.
        source: the source definition.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER, WRONG_ENCODING or DUPLICATE_COLUMN.
    """
    head = head.lstrip(b"\r\n")
    state, seen = FIELD_START, 0
    while True:
        chunk = np.frombuffer(bytearray(head[seen:]), np.uint8)
        if source.quoting == "none":
            end = head[seen:].find(b"\n") + 1 or -1
        else:
            end, state = skip_record(chunk, len(chunk), ord(source.delimiter), state)
        if end >= 0:
            return _names(head[: seen + end], source), head[seen + end :]
        seen = len(head)
        if seen > source.record_bytes_max:
            raise UnableToDecodeFile("MALFORMED_HEADER", f"the header is longer than {source.record_bytes_max} bytes")
        buffer = np.empty(HEAD_BYTES, np.uint8)
        more = buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()
        if not more:
            return _names(head, source), b""
        head += more
        if seen == 0:
            head = head.lstrip(b"\r\n")


def _names(line: bytes, source: DelimitedSource) -> tuple[str, ...]:
    if b"\x00" in line:
        raise UnableToDecodeFile("WRONG_ENCODING", "the header contains NUL bytes")
    try:
        text = line.decode(source.encoding)
    except UnicodeDecodeError as error:
        raise UnableToDecodeFile(
            "WRONG_ENCODING", f"byte {error.start} of the header is not {source.encoding}"
        ) from error
    try:
        quoting: Literal[0, 3] = csv.QUOTE_NONE if source.quoting == "none" else csv.QUOTE_MINIMAL
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=source.delimiter, strict=True, quoting=quoting))
    except csv.Error as error:
        raise UnableToDecodeFile("MALFORMED_HEADER", f"the header cannot be split into columns: {error}") from error
    if len(rows) > 1:
        raise UnableToDecodeFile(
            "MALFORMED_HEADER", "the header holds a carriage return that ends no line; lines end with LF or CR LF"
        )
    names = tuple(rows[0]) if rows else ()
    named = [name for name in names if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UnableToDecodeFile("DUPLICATE_COLUMN", f"the header names {', '.join(map(repr, twice))} more than once")
    return names


def column_slots(columns: tuple[str, ...], fields: tuple[str, ...]) -> Int32Array:
    """Return (c,) the slot of each column, -1 for columns that the source does not use.

    Raises:
        UnableToDecodeFile: MISSING_COLUMN when a field has no column.
    """
    missing = [name for name in fields if name not in columns]
    if missing:
        raise UnableToDecodeFile("MISSING_COLUMN", missing_text(missing, columns, of=len(fields)))
    slots = {name: slot for slot, name in enumerate(fields)}
    return np.array([slots.get(name, -1) for name in columns], np.int32)


def missing_text(missing: Sequence[str], columns: Sequence[str], *, of: int) -> str:
    """Return what to say of columns that are not there, of `of` that are asked for, and of those that are."""
    absent = ", ".join(map(repr, missing))
    if len(missing) < of:
        return f"the file has no column {absent}; it has {', '.join(map(repr, columns))}"[:1000]
    # the first line of a file without a header is somebody's usage: it is not repeated
    told = f"the first line names none of the columns {absent}: no header, or another delimiter? It has {len(columns)} fields"
    return told[:1000]
