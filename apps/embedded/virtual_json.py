"""Usage for virtual rating as JSON, one array of objects or an object a line, read as the delimited text it stands for."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

from apps.embedded.virtual_usage import UnableToReadUsage

ARRAY_BYTES_MAX = 256 << 20
"""Of one array, which is read as a whole; lines have no such bound."""
MEMORY_BYTES = 64 << 20
NESTED = ("attributes", "values")
"""Fields whose own fields are columns."""
_BLANK = b" \t\r\n\xef\xbb\xbf"


def is_json(head: bytes) -> bool:
    """Return whether what begins so is JSON rather than delimited text."""
    return head.lstrip(_BLANK)[:1] in (b"{", b"[")


def as_delimited(stream: BinaryIO, *, delimiter: str) -> BinaryIO:
    """Return the records of a JSON stream as delimited text with a header, record i of which is the i-th object.

    Numbers keep the digits that they are written with. What an object does not have is left empty.

    Raises:
        UnableToReadUsage: when it is neither an array of objects nor an object a line, or a value is a list.
    """
    records = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed when nothing refers to it any more
    columns: dict[str, None] = {}
    for place, found in enumerate(_objects(stream)):
        flat = _flat(found, place)
        columns.update(dict.fromkeys(flat))
        records.write(json.dumps(flat).encode() + b"\n")
    records.seek(0)
    target = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    text = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, list(columns), restval="", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    for line in records:
        writer.writerow(json.loads(line))
    text.detach()
    target.seek(0)
    return target  # type: ignore[return-value]


def _objects(stream: BinaryIO) -> Iterator[Any]:
    head = stream.read(1)
    while head and head in _BLANK:
        head = stream.read(1)
    if head == b"[":
        content = head + stream.read(ARRAY_BYTES_MAX)
        if len(content) > ARRAY_BYTES_MAX:
            raise UnableToReadUsage(
                f"an array of more than {ARRAY_BYTES_MAX >> 20} MiB: write an object a line instead"
            )
        yield from _parsed(content, "the usage file")
        return
    for number, line in enumerate(chain([head + stream.readline()], stream), start=1):
        if line.strip(_BLANK):
            yield _parsed(line, f"line {number}")


def _parsed(content: bytes, what: str) -> Any:
    try:
        return json.loads(content, parse_float=str, parse_int=str)
    except ValueError as error:
        raise UnableToReadUsage(f"{what} is no JSON: {error}") from error


def _flat(found: Any, place: int) -> dict[str, str]:
    """Return the columns of one object."""
    if not isinstance(found, dict):
        raise UnableToReadUsage(f"record {place} is no JSON object")
    columns: dict[str, str] = {}
    for name, value in found.items():
        nested = value.items() if name in NESTED and isinstance(value, dict) else [(name, value)]
        for inner, each in nested:
            if isinstance(each, dict | list):
                raise UnableToReadUsage(f"record {place}: {inner} is neither a text nor a number")
            columns[inner] = "" if each is None else str(each).lower() if isinstance(each, bool) else str(each)
    return columns
