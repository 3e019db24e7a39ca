"""Many lines of text at once: a matrix of bytes with one row per record, whose unused bytes are dropped at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.arrays import Int64Array, UInt8Array

FILLER = 0xFF
"""Marks a byte that is not written; it occurs in no UTF-8 text."""
GROUP = 10_000
"""Numbers are written four digits at a time."""

Rows = NDArray[Any]
"""(n,) structured array: the fields of a Layout."""


@dataclass(frozen=True)
class Layout:
    """Where each variable field stands in a row; the rest is constant."""

    dtype: np.dtype[Any]
    template: UInt8Array

    @classmethod
    def of(cls, *parts: str | tuple[str, int], slack: int = 0) -> Layout:
        """Return the layout of `parts` in order: constant text, or (name, width in bytes), and `slack` unused bytes."""
        names, formats, offsets = [], [], []
        text = bytearray()
        for part in parts:
            if isinstance(part, str):
                text += part.encode()
                continue
            name, width = part
            names.append(name)
            formats.append(f"u{width}" if width in {1, 2, 4, 8} else f"V{width}")
            offsets.append(len(text))
            text += bytes([FILLER]) * width
        text += bytes([FILLER]) * slack
        spec: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": len(text)}
        return cls(np.dtype(spec), np.frombuffer(bytes(text), np.uint8))

    def rows(self, count: int) -> Rows:
        """Return `count` rows that hold only the constant text."""
        rows = np.empty(count, self.dtype)
        rows.view(np.uint8).reshape(count, len(self.template))[:] = self.template
        return rows


def number(name: str, groups: int) -> list[tuple[str, int]]:
    """Return the parts of a Layout for a number of at most 4 * groups digits."""
    return [(f"{name}.{group}", 4) for group in range(groups)]


def words(texts: Sequence[str], width: int) -> NDArray[Any]:
    """Return a table (k,) of texts padded to `width` with fillers, to be indexed and assigned to a field."""
    joined = b"".join(text.encode().ljust(width, bytes([FILLER])) for text in texts)
    return np.frombuffer(joined, f"u{width}" if width in {1, 2, 4, 8} else f"V{width}")


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return (leading, last): texts of 0..9999 without leading zeros, then with them (index + 10000).

    They differ in 0: nothing in a leading group, "0" in the last one.
    """
    padded = [f"{value:04d}" for value in range(GROUP)]
    leading = words([str(value) if value else "" for value in range(GROUP)] + padded, 4)
    last = words([str(value) for value in range(GROUP)] + padded, 4)
    return leading, last


def put_number(rows: Rows, name: str, values: Int64Array) -> None:
    """Write `values` (n,) >= 0 without leading zeros into the groups of `name`."""
    leading, last = _tables()
    groups = _split(rows, name, values)
    shown = np.zeros(len(values), np.int64)
    for position, group in enumerate(groups):
        table = last if position == len(groups) - 1 else leading
        rows[f"{name}.{position}"] = table[group + shown]
        shown |= np.where(group > 0, GROUP, 0)


def put_padded(rows: Rows, name: str, values: Int64Array) -> None:
    """Write `values` (n,) >= 0 with leading zeros into the groups of `name`."""
    padded = _tables()[1][GROUP:]
    for position, group in enumerate(_split(rows, name, values)):
        rows[f"{name}.{position}"] = padded[group]


def _split(rows: Rows, name: str, values: Int64Array) -> list[Int64Array]:
    count = sum(field.rpartition(".")[0] == name for field in rows.dtype.names or ())
    groups = []
    for _ in range(count - 1):
        rest = values // GROUP
        groups.append(values - rest * GROUP)
        values = rest
    assert not len(values) or int(values.max()) < GROUP, f"{name} is too narrow"
    return [values, *reversed(groups)]


def replace_row(rows: Rows, row: int, text: bytes) -> None:
    """Make row `row` say `text`, whatever its layout."""
    line = rows.view(np.uint8).reshape(len(rows), -1)[row]
    assert len(text) <= len(line), "the layout needs more slack"
    line[: len(text)] = np.frombuffer(text, np.uint8)
    line[len(text) :] = FILLER


def row_text(rows: Rows, row: int) -> bytes:
    """Return what row `row` says."""
    return rows[row : row + 1].tobytes().replace(bytes([FILLER]), b"")


def text_of(rows: Rows) -> bytes:
    """Return all rows as text."""
    return rows.tobytes().translate(None, bytes([FILLER]))


def write_atomically(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write `pieces` to `path` so that no reader ever sees a part of it; return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path
