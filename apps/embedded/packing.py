"""Objects on their way between two of our own processes, through a pipe.

Whoever reads must not keep other threads waiting: arrays and frames travel as the bytes that they are, and what is made of
documents comes in many small pieces. It is pickled: read only what a process of ours has written.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Iterator
from dataclasses import fields
from typing import IO, Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

T = TypeVar("T")
PIECE = 200
"""How many entries of a mapping or a tuple are one piece: some milliseconds of documents."""
_HEAD = struct.Struct("<QQ")


class UnableToUnpack(Exception):
    """The other side ended before it had written all."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pl.DataFrame):
            return _frame, (value.to_arrow(),)
        if isinstance(value, pl.Series):
            return _series, (value.name, value.to_frame().to_arrow())
        if isinstance(value, Exception):
            return _failure, (type(value), value.args, value.__dict__)
        return NotImplemented


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(table)


def _series(name: str, table: pa.Table) -> pl.Series:
    return pl.DataFrame(table).get_column(name)


def _failure(kind: type[Exception], args: tuple[Any, ...], held: dict[str, Any]) -> Exception:
    """Return a failure as it was, whatever the arguments that its class is made with."""
    made = kind.__new__(kind)
    made.args = args
    made.__dict__.update(held)
    return made


def write_piece(stream: IO[bytes], value: object) -> None:
    """Write one object, to be read as a whole."""
    buffers: list[pickle.PickleBuffer] = []
    text = io.BytesIO()
    _Pickler(text, 5, buffer_callback=buffers.append).dump(value)
    raw = [buffer.raw() for buffer in buffers]
    stream.write(_HEAD.pack(text.tell(), len(raw)))
    stream.write(np.array([part.nbytes for part in raw], np.uint64).tobytes())
    stream.write(text.getvalue())
    for part in raw:
        stream.write(part)


def read_piece(stream: IO[bytes]) -> Any:
    """Return the next object; its arrays are as writable as others.

    Raises:
        UnableToUnpack: when there is none, or not all of it.
    """
    size, count = _HEAD.unpack(_read(stream, _HEAD.size))
    lengths = np.frombuffer(_read(stream, 8 * count), np.uint64).tolist()
    text = _read(stream, size)
    return pickle.loads(text, buffers=[_read(stream, length) for length in lengths])


def write_fields(stream: IO[bytes], value: Any) -> None:
    """Write a data class in pieces: what is large in each of its own, all else together, so that what is shared stays so."""
    held = {item.name: getattr(value, item.name) for item in fields(value)}
    many = {name: part for name, part in held.items() if isinstance(part, dict | tuple) and len(part) > PIECE}
    write_piece(stream, {name: part for name, part in held.items() if name not in many})
    for name, part in many.items():
        for piece in _pieces(part):
            write_piece(stream, (name, piece))
    write_piece(stream, None)


def read_fields(stream: IO[bytes], kind: type[T]) -> T:
    """Return the data class that `write_fields` wrote.

    Raises:
        UnableToUnpack: when not all of it is there.
    """
    held: dict[str, Any] = read_piece(stream)
    while (found := read_piece(stream)) is not None:
        name, piece = found
        if isinstance(piece, dict):
            held.setdefault(name, {}).update(piece)
        else:
            held.setdefault(name, []).extend(piece)
    return kind(**{name: tuple(part) if isinstance(part, list) else part for name, part in held.items()})


def _pieces(value: dict[Any, Any] | tuple[Any, ...]) -> Iterator[dict[Any, Any] | list[Any]]:
    entries = list(value.items()) if isinstance(value, dict) else list(value)
    for first in range(0, len(entries), PIECE):
        piece = entries[first : first + PIECE]
        yield dict(piece) if isinstance(value, dict) else piece


def _read(stream: IO[bytes], size: int) -> memoryview:
    """Return bytes in memory of their own, which the kernel fills while other threads go on."""
    view, filled = np.empty(size, np.uint8).data, 0
    while filled < size:
        more = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not more:
            raise UnableToUnpack("the other process ended before it had said all")
        filled += more
    return view
