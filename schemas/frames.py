"""Blocks as bytes: any of the dataclasses of columns as one Arrow IPC frame, and back on writable memory.

A frame is a record batch of one row: each column of the block is a list in it, whatever its length, so that nothing is copied
twice; numbers, names and shapes are facts in the schema's metadata. What a release adds to a block must have a default: a
frame that lacks it is read with it.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

Block = TypeVar("Block")
_FACTS = b"facts"
_ROW = 1
_NO_FRAME = (pa.ArrowException, OSError, StopIteration, AttributeError, LookupError, TypeError, ValueError, SystemError)
"""What Arrow and we raise on bytes that are something else."""
AnyArray = np.ndarray[Any, Any]


class UnableToReadFrame(ValueError):
    """Bytes are no frame, or one of another block."""


def to_frame(block: Any) -> bytes:
    """Return a block, an instance of a dataclass of columns, facts and other such blocks, as one frame."""
    columns: dict[str, AnyArray] = {}
    facts: dict[str, Any] = {"": type(block).__name__}
    _take_apart(block, "", columns, facts)
    arrays = [_as_list(array) for array in columns.values()]
    batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
    schema = batch.schema.with_metadata({_FACTS: json.dumps(facts).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def from_frame(kind: type[Block], frame: bytes) -> Block:
    """Return the block that `to_frame` wrote; its arrays may be written to.

    Raises:
        UnableToReadFrame: when the bytes are no frame of that kind of block.
    """
    memory = np.empty(len(frame), np.uint8)  # kernels are compiled for writable arrays
    memory[:] = np.frombuffer(frame, np.uint8)
    try:
        reader = pa.ipc.open_stream(pa.py_buffer(memory.data))
        batch = reader.read_next_batch()
        facts = json.loads((batch.schema.metadata or {})[_FACTS])
        columns = {name: _array(column, memory) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
        if facts[""] != kind.__name__:
            raise UnableToReadFrame(f"the frame holds a {facts['']}, not a {kind.__name__}")
        return cast("Block", _put_together(kind, "", columns, facts))
    except _NO_FRAME as error:
        if isinstance(error, UnableToReadFrame):
            raise
        raise UnableToReadFrame(f"the bytes are no frame of a {kind.__name__}: {error}") from error


def _take_apart(block: Any, prefix: str, columns: dict[str, AnyArray], facts: dict[str, Any]) -> None:
    for name, *_ in _parts_of(type(block)):
        value, path = getattr(block, name), prefix + name
        if value is None:
            continue
        if isinstance(value, np.ndarray):
            columns[path] = value
            if value.ndim > 1:
                facts[path] = value.shape[1]
        elif isinstance(value, pa.RecordBatch):
            columns[path] = np.frombuffer(_ipc(value), np.uint8)
        elif is_dataclass(value):
            facts[path] = True
            _take_apart(value, f"{path}.", columns, facts)
        elif isinstance(value, dict):
            facts[path] = [[key, item] for key, item in value.items()]
        else:
            facts[path] = int(value) if isinstance(value, IntEnum | np.integer) else value


def _put_together(kind: type[Any], prefix: str, columns: dict[str, AnyArray], facts: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for name, hint, default, optional in _parts_of(kind):
        path = prefix + name
        if path in columns:
            array = columns[path]
            if hint is pa.RecordBatch:
                found[name] = pa.ipc.open_stream(pa.py_buffer(array.data)).read_next_batch()
            else:
                found[name] = array.reshape(-1, facts[path]) if path in facts else array
        elif path not in facts:
            if default is MISSING and not optional:
                raise UnableToReadFrame(f"the frame of a {kind.__name__} has no {path}")
            if default is MISSING:
                found[name] = None
        elif is_dataclass(hint):
            found[name] = _put_together(cast("type[Any]", hint), f"{path}.", columns, facts)
        elif hint is dict:
            found[name] = dict(facts[path])
        elif isinstance(hint, type) and issubclass(hint, IntEnum):
            found[name] = hint(facts[path])
        else:
            found[name] = facts[path]
    return kind(**found)


_Part = tuple[str, Any, Any, bool]
_KNOWN: dict[type[Any], tuple[_Part, ...]] = {}


def _parts_of(kind: type[Any]) -> tuple[_Part, ...]:
    """Return (name, plain type, default or MISSING, may it be None) of each field of a dataclass; looked up once."""
    if kind not in _KNOWN:
        _KNOWN[kind] = _parts(kind)
    return _KNOWN[kind]


def _parts(kind: type[Any]) -> tuple[_Part, ...]:
    hints = get_type_hints(kind)
    return tuple(
        (
            item.name,
            _plain(hints[item.name]),
            item.default if item.default is not MISSING else item.default_factory,
            type(None) in get_args(hints[item.name]),
        )
        for item in fields(kind)
    )


def _plain(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    origin = get_origin(hint)
    return origin if origin in (dict, list) else hint


def _ipc(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _as_list(array: AnyArray) -> Any:
    values = np.ascontiguousarray(array).reshape(-1)
    values = values.view(np.uint8) if values.dtype == np.bool_ else values  # Arrow packs them to bits
    kind = pa.large_list(pa.field("item", pa.from_numpy_dtype(values.dtype), nullable=False))
    ends = pa.py_buffer(np.array([0, len(values)], np.int64).data)
    child = pa.Array.from_buffers(kind.value_type, len(values), [None, pa.py_buffer(values.data)])
    marked = kind if array.dtype != np.bool_ else pa.large_list(pa.field("bool", pa.uint8(), nullable=False))
    return pa.Array.from_buffers(marked, _ROW, [None, ends], children=[child])


def _array(column: Any, memory: AnyArray) -> AnyArray:
    """Return a list's values on the memory of the frame."""
    values = column.values
    dtype = np.dtype(values.type.to_pandas_dtype())
    buffer = values.buffers()[1]
    if not len(values) or buffer is None:
        found = np.empty(0, dtype)
    else:
        first = buffer.address - memory.ctypes.data + values.offset * dtype.itemsize
        found = memory[first : first + len(values) * dtype.itemsize].view(dtype)
    return found.view(np.bool_) if column.type.value_field.name == "bool" else found
