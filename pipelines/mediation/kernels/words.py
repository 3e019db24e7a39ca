"""Eight bytes at a time: find byte values in 64-bit words without a branch per byte."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit

from rating.kernels.hashing import load64

U = np.uint64
ONES = U(0x0101010101010101)
LOW7 = U(0x7F7F7F7F7F7F7F7F)
TOP3 = U(0xE0E0E0E0E0E0E0E0)
NONE = U(0)
BYTE = U(0xFF)
AHEAD = 16
"""How many records ahead a pass over one field asks for its text: the records of a block do not fit a core's caches."""
ZEROS = U(0x3030303030303030)
HIGH_HALVES = U(0xF0F0F0F0F0F0F0F0)
LOW_HALVES = U(0x0F0F0F0F0F0F0F0F)
SIXES = U(0x0606060606060606)
LOW_BYTES = U(0x00FF00FF00FF00FF)
LOW_PAIRS = U(0x0000FFFF0000FFFF)


@njit(cache=True, nogil=True)
def byte_at(address: Any) -> Any:
    """Return the byte at an address as an int64 (8 bytes from there must be readable).

    Helpers take addresses where they are called often: every array argument costs two atomic operations per call.
    """
    return np.int64(load64(address) & BYTE)


@njit(cache=True, nogil=True)
def repeat(byte: Any) -> Any:
    """Return the word whose eight bytes are all `byte`."""
    return U(byte) * ONES


@njit(cache=True, nogil=True)
def matches(word: Any, pattern: Any) -> Any:
    """Return a mask with the top bit of every byte of `word` that equals that byte of `pattern`. Exact."""
    difference = word ^ pattern
    return ~(((difference & LOW7) + LOW7) | difference | LOW7)


@njit(cache=True, nogil=True)
def controls(word: Any) -> Any:
    """Return a mask with the top bit of every byte of `word` below 0x20."""
    return matches(word & TOP3, NONE)


@njit(cache=True, nogil=True)
def are_digits(word: Any) -> Any:
    """Return whether all eight bytes of `word` are ASCII digits."""
    return word & HIGH_HALVES == ZEROS and ((word & LOW_HALVES) + SIXES) & HIGH_HALVES == NONE


@njit(cache=True, nogil=True)
def eight_digits(word: Any) -> Any:
    """Return the number that eight ASCII digits make, the first one in the lowest byte."""
    ones = word & LOW_HALVES
    pairs = ((ones & LOW_BYTES) * U(10)) + ((ones >> U(8)) & LOW_BYTES)
    fours = ((pairs & LOW_PAIRS) * U(100)) + ((pairs >> U(16)) & LOW_PAIRS)
    return np.int64(((fours & U(0xFFFFFFFF)) * U(10_000)) + (fours >> U(32)))


if config.DISABLE_JIT:

    def first(mask: Any) -> int:
        """Return the index (0 .. 7) of the lowest byte marked in a non-zero mask."""
        value = int(mask)
        return ((value & -value).bit_length() - 1) >> 3

else:
    from numba.cpython.unsafe.numbers import trailing_zeros

    @njit(cache=True, nogil=True)
    def first(mask: Any) -> Any:
        """Return the index (0 .. 7) of the lowest byte marked in a non-zero mask."""
        return np.int64(trailing_zeros(mask) >> U(3))


@njit(cache=True, nogil=True)
def find(base: Any, at: Any, size: Any, pattern: Any) -> Any:
    """Return the first offset >= `at` whose byte is the pattern's, or `size` (8 bytes after it must be readable)."""
    while at < size:
        mask = matches(load64(base + at), pattern)
        if mask != NONE:
            return min(at + first(mask), size)
        at += 8
    return size


@njit(cache=True, nogil=True)
def find_either(base: Any, at: Any, size: Any, pattern: Any, other: Any) -> Any:
    """Return the first offset >= `at` whose byte is that of either pattern, or `size`."""
    while at < size:
        word = load64(base + at)
        mask = matches(word, pattern) | matches(word, other)
        if mask != NONE:
            return min(at + first(mask), size)
        at += 8
    return size
