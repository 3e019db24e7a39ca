"""Values of Arrow columns as text, column by column, and records as JSON.

Which text a value has is part of how a source reads: numbers are the shortest text that is the same value, instants are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from schemas.arrays import Int64Array

Array = Any
"""A `pyarrow.Array`: the stubs tell apart what one column may be or not, and here it may be anything."""
pc: Any = pyarrow.compute
NUMBER_BYTES = 48
"""More than any number or instant takes as text; decimals of 256 bits have 76 digits and are counted as two."""
_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)}


def is_text(kind: pa.DataType) -> bool:
    """Say whether values of a type are text already."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or (pa.types.is_dictionary(kind) and is_text(kind.value_type))
    )


def is_readable(kind: pa.DataType) -> bool:
    """Say whether values of a type have a text."""
    kinds = pa.types
    return (
        is_text(kind)
        or kinds.is_integer(kind)
        or kinds.is_floating(kind)
        or kinds.is_decimal(kind)
        or kinds.is_boolean(kind)
        or kinds.is_timestamp(kind)
        or kinds.is_date(kind)
        or kinds.is_time(kind)
        or kinds.is_duration(kind)
        or kinds.is_null(kind)
        or (kinds.is_dictionary(kind) and is_readable(kind.value_type))
    )


def is_number(kind: pa.DataType) -> bool:
    """Say whether the text of values of a type is a JSON number; floats may be no number at all."""
    return pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def text_bytes(column: Array) -> Int64Array:
    """Return (n,) how many bytes each value takes as text: exact for text, a bound for everything else."""
    kind = column.type
    if not is_text(kind):
        each = 2 * NUMBER_BYTES if pa.types.is_decimal(kind) else NUMBER_BYTES
        return np.full(len(column), each, np.int64)
    if pa.types.is_dictionary(kind):
        lengths = np.append(text_bytes(column.dictionary), np.int64(0))
        places = pc.fill_null(column.indices.cast(pa.int64()), len(lengths) - 1)
        found: Int64Array = lengths[np.asarray(places)]
        return found
    if pa.types.is_string_view(kind):  # 16 bytes a value, which begin with its length
        views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)[:, 0]
        sizes = views[column.offset : column.offset + len(column)].astype(np.int64)
        return np.where(np.asarray(column.is_valid()), sizes, 0)
    return np.asarray(pc.fill_null(pc.binary_length(column), 0)).astype(np.int64)


def as_text(column: Array) -> Array:
    """Return a column's values as strings; nulls stay.

    Raises:
        pa.ArrowException: when a value has none.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary_decode())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        clock = column.cast(pa.int64()).cast(pa.timestamp(kind.unit)).cast(pa.string())
        return pc.binary_join_element_wise(clock, "Z", "")
    if pa.types.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    return column.cast(pa.string())


def as_json(names: Sequence[str], kinds: Sequence[pa.DataType], texts: Sequence[Array]) -> Array:
    """Return one JSON object per row: what a source reads of a record, under the names that it has for it."""
    parts: list[Any] = []
    for place, (name, kind, text) in enumerate(zip(names, kinds, texts, strict=True)):
        parts.append(("{" if place == 0 else ",") + f"{_quoted(name)}:")
        value = text if is_number(kind) else pc.binary_join_element_wise('"', _escaped(text), '"', "")
        parts.append(pc.fill_null(value, "null"))
    return pc.binary_join_element_wise(*parts, "}", "")


def object_keys(names: Sequence[str]) -> list[bytes]:
    """Return what stands before each text of an object of texts without escapes, and behind the last one."""
    begins = ["{" + f'{_quoted(name)}:"' if place == 0 else f'",{_quoted(name)}:"' for place, name in enumerate(names)]
    return [*(begin.encode() for begin in begins), b'"}']


def _quoted(name: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), *_ESCAPES.items()):
        name = name.replace(plain, escaped)
    return f'"{name}"'


def _escaped(text: Array) -> Array:
    special = pc.any(pc.match_substring_regex(text, r'[\\"\x00-\x1f]')).as_py()
    if not special:
        return text
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), *_ESCAPES.items()):
        if pc.any(pc.match_substring(text, plain)).as_py():
            text = pc.replace_substring(text, plain, escaped)
    return text
