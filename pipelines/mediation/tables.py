"""Open-addressing tables from text to a small number, for `kernels.fields.look_up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rating.kernels.hashing import hash128_bytes
from schemas.arrays import Int32Array, UInt64Array


@dataclass(frozen=True, slots=True)
class ValueTable:
    """Text -> int32 by 128-bit hash with seed (0, 0).

    Attributes:
        hi, lo: (cap,) hashes, (0, 0) empty; cap is a power of two at least twice the number of texts.
        value: (cap,) the value of each text.
    """

    hi: UInt64Array
    lo: UInt64Array
    value: Int32Array


def value_table(values: Mapping[str, int]) -> ValueTable:
    """Return the table that finds each key of `values` by the UTF-8 bytes of its text."""
    return hash_table({_hash(text.encode()): value for text, value in values.items()})


def _hash(data: bytes) -> tuple[int, int]:
    hi, lo = hash128_bytes(data)
    return (hi, lo) if (hi, lo) != (0, 0) else (0, 1)


def hash_table(values: Mapping[tuple[int, int], int]) -> ValueTable:
    """Return the table that finds each (hi, lo), none of them (0, 0), by linear probing from `lo`."""
    capacity = 1 << max(1, (2 * len(values)).bit_length())
    hi, lo = np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64)
    value = np.zeros(capacity, np.int32)
    for (key_hi, key_lo), number in values.items():
        place = key_lo & (capacity - 1)
        while hi[place] or lo[place]:
            place = (place + 1) & (capacity - 1)
        hi[place], lo[place], value[place] = key_hi, key_lo, number
    return ValueTable(hi, lo, value)
