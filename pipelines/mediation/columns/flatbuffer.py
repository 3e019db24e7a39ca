"""Read single fields of a FlatBuffers table, every offset checked: the metadata of an Arrow message is somebody else's.

https://flatbuffers.dev/internals: a table begins with the signed distance back to its vtable, which holds 16-bit offsets of
the fields from the table's beginning, 0 where a field is absent.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


class BrokenTable(ValueError):
    """An offset leads outside of the buffer."""


def _number(buffer: bytes, at: int, form: str) -> int:
    if at < 0 or at + struct.calcsize(form) > len(buffer):
        raise BrokenTable
    found: int = struct.unpack_from(form, buffer, at)[0]
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """One table within a buffer, at `at`."""

    buffer: bytes
    at: int

    @classmethod
    def root(cls, buffer: bytes) -> Table:
        """Return the table that a buffer is for.

        Raises:
            BrokenTable: as every method here does.
        """
        return cls(buffer, _number(buffer, 0, "<I"))

    def _place(self, field: int) -> int | None:
        vtable = self.at - _number(self.buffer, self.at, "<i")
        size = _number(self.buffer, vtable, "<H")
        entry = 4 + 2 * field
        offset = _number(self.buffer, vtable + entry, "<H") if entry + 2 <= size else 0
        return self.at + offset if offset else None

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Return a scalar field; `form` is its `struct` format."""
        place = self._place(field)
        return default if place is None else _number(self.buffer, place, form)

    def table(self, field: int) -> Table | None:
        """Return a field that is a table, None where it is absent."""
        place = self._place(field)
        return None if place is None else Table(self.buffer, place + _number(self.buffer, place, "<I"))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Return a field that is a vector of structs of two 64-bit numbers."""
        place = self._place(field)
        if place is None:
            return []
        start = place + _number(self.buffer, place, "<I")
        count = _number(self.buffer, start, "<I")
        end = start + 4 + 16 * count
        if end > len(self.buffer):
            raise BrokenTable
        return list(struct.iter_unpack("<qq", self.buffer[start + 4 : end]))
