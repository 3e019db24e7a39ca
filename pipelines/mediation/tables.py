"""Open-addressing tables from text to a small number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.kernels.fields import MEMO, look_up
from rating.kernels.hashing import hash128_bytes
from schemas.arrays import Int32Array, UInt8Array, UInt64Array


@dataclass(frozen=True, slots=True)
class ValueTable:
    """Text -> int32 by 128-bit hash with seed (0, 0).

    Attributes:
        hi, lo: (cap,) hashes, (0, 0) empty; cap is a power of two at least twice the number of texts.
        value: (cap,) the value of each text.
        missing: the answer for a text that is not in the table; blank: the answer for the empty text.
    """

    hi: UInt64Array
    lo: UInt64Array
    value: Int32Array
    missing: int
    blank: int

    def look_up(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) the value of each range of the padded buffer `text`."""
        found = np.empty(len(start), np.int32)
        memo, answers = np.zeros((MEMO, 2), np.uint64), np.full(MEMO, self.blank, np.int32)
        look_up(text, start, end, self.hi, self.lo, self.value, np.int32(self.missing), memo, answers, found)
        return found


def value_table(values: Mapping[str, int], *, missing: int) -> ValueTable:
    """Return the table that finds each key of `values` by the UTF-8 bytes of its text."""
    capacity = 1 << max(1, (2 * len(values)).bit_length())
    hi, lo = np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64)
    value = np.zeros(capacity, np.int32)
    for text, number in values.items():
        key_hi, key_lo = hash128_bytes(text.encode())
        key_lo = key_lo if key_hi or key_lo else 1
        place = key_lo & (capacity - 1)
        while hi[place] or lo[place]:
            place = (place + 1) & (capacity - 1)
        hi[place], lo[place], value[place] = key_hi, key_lo, number
    return ValueTable(hi, lo, value, missing, values.get("", missing))
