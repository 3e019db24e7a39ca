"""Query results as people expect them: what ClickHouse hands to Arrow as plain bytes becomes text again."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv6Address
from pathlib import Path

import pyarrow as pa

_NULLABLE = re.compile(r"Nullable\((.*)\)")
_TEXT_OF: dict[str, Callable[[bytes], str]] = {
    "Int128": lambda value: str(int.from_bytes(value, "little", signed=True)),
    "Int256": lambda value: str(int.from_bytes(value, "little", signed=True)),
    "UInt128": lambda value: str(int.from_bytes(value, "little")),
    "UInt256": lambda value: str(int.from_bytes(value, "little")),
    "IPv6": lambda value: str(IPv6Address(value)),
}
"""Types without an Arrow type of their own."""
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""Of Arrow IPC: a message that has no bytes."""


def has_plain_bytes(rows: pa.Table) -> bool:
    """Return whether a column holds bytes of a fixed width, so that its ClickHouse type must be known."""
    return any(pa.types.is_fixed_size_binary(field.type) for field in rows.schema)


def with_texts(rows: pa.Table, types: Sequence[str]) -> pa.Table:
    """Return the rows with integers beyond 64 bits and addresses as text.

    Args:
        rows: as Arrow brought them.
        types: the ClickHouse type of each column.
    """
    for index, (field, type_) in enumerate(zip(rows.schema, types, strict=True)):
        found = _NULLABLE.fullmatch(type_)
        text_of = _TEXT_OF.get(found[1] if found else type_)
        if text_of is not None and pa.types.is_fixed_size_binary(field.type):
            values = [None if value is None else text_of(value) for value in rows.column(index).to_pylist()]
            rows = rows.set_column(index, field.name, pa.array(values, pa.string()))
    return rows


def with_binary(rows: pa.Table) -> pa.Table:
    """Return the rows with text columns that are no UTF-8 as binary: ClickHouse strings are bytes."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            column = rows.column(index)
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                chunks = [chunk.view(pa.binary()) for chunk in column.chunks]
                rows = rows.set_column(index, field.name, pa.chunked_array(chunks, pa.binary()))
    return rows


def check_whole(path: Path) -> None:
    """Check that a file of Arrow IPC streams ends with the mark that ends a stream: a full disk may cut it between two batches.

    Raises:
        OSError: when it does not.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - len(END_OF_STREAM), 0))
        if file.read() != END_OF_STREAM:
            raise OSError(errno.ENOSPC, f"the result was cut short after {size:,} bytes", str(path))


def batches_of(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a file of Arrow IPC streams that follow one another; of a result without rows one
    batch without rows.
    """
    noted = _beside(path)
    types = json.loads(noted.read_text()) if noted.exists() else []
    with pa.memory_map(str(path)) as file:
        while file.tell() < file.size():
            with pa.ipc.open_stream(file) as stream:
                found = iter(stream)
                first = next(found, None)
                yield _texts_in(pa.RecordBatch.from_pylist([], stream.schema) if first is None else first, types)
                for batch in found:
                    yield _texts_in(batch, types)


def schema_of(path: Path) -> pa.Schema:
    """Return what columns a file for `batches_of` has."""
    with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
        return stream.schema


def note_types(path: Path, types: Sequence[str]) -> None:
    """Keep beside a file for `batches_of` what the ClickHouse types of its columns are, so that plain bytes become text."""
    _beside(path).write_text(json.dumps(list(types)))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.types")


def _texts_in(batch: pa.RecordBatch, types: Sequence[str]) -> pa.RecordBatch:
    if not types:
        return batch
    table = with_texts(pa.Table.from_batches([batch]), types)
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)
