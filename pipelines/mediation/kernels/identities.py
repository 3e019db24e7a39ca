"""Hashes that name things: identity keys, access points, registers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.words import AHEAD
from rating.kernels.hashing import hash128, prefetch

U = np.uint64


@njit(cache=True, nogil=True)
def identify(text: Any, start: Any, end: Any, slots: Any, seed_hi: Any, seed_lo: Any, hi: Any, lo: Any) -> None:
    """Chain the hashes of the identity fields; (0, 0) is replaced by (0, 1).

    Args:
        text: (b,) uint8, padded by 16 bytes; start, end: (f, m) int32; slots: (k,) int32 rows to chain, in order.
        seed_hi, seed_lo: uint64 seed of installation, tenant and source.
        hi, lo: (n <= m,) uint64, written.
    """
    base = text.ctypes.data
    last = len(hi) - 1
    for i in range(len(hi)):
        for j in range(len(slots)):
            prefetch(base + np.int64(start[slots[j], min(i + AHEAD, last)]))
        a = U(seed_hi)
        b = U(seed_lo)
        for j in range(len(slots)):
            at = np.int64(start[slots[j], i])
            a, b = hash128(base + at, np.int64(end[slots[j], i] - at), a, b)
        if a == U(0) and b == U(0):
            b = U(1)
        hi[i] = a
        lo[i] = b


@njit(cache=True, nogil=True)
def name_access_points(text: Any, start: Any, end: Any, hi: Any, lo: Any) -> None:
    """Hash the access point's identifier with seed (0, 0), as the tariff image does; (0, 0) is replaced by (0, 1).

    Args:
        text: (b,) uint8, padded; start, end: (n,) int32; hi, lo: (n,) uint64, written.
    """
    base = text.ctypes.data
    last = len(hi) - 1
    for i in range(len(hi)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        a, b = hash128(base + np.int64(start[i]), np.int64(end[i] - start[i]), U(0), U(0))
        if a == U(0) and b == U(0):
            b = U(1)
        hi[i] = a
        lo[i] = b


@njit(cache=True, nogil=True)
def name_joined_series(
    text: Any, start: Any, end: Any, slots: Any, scratch: Any, access_hi: Any, access_lo: Any, hi: Any, lo: Any
) -> None:
    """Hash the fields' texts joined by "/", started from the access point's hash; (0, 0) is replaced by (0, 1).

    Twin: hash128_bytes(b"/".join(texts), *hash128_bytes(access_point)).

    Args:
        text: (b,) uint8; start, end: (f, m) int32; slots: (k,) int32 rows to join, in order.
        scratch: (s,) uint8 working space of at least 16 bytes more than the longest joined text.
        access_hi, access_lo: (n <= m,) uint64; hi, lo: (n,) uint64, written.
    """
    base = scratch.ctypes.data
    for i in range(len(hi)):
        size = np.int64(0)
        for j in range(len(slots)):
            if j > 0:
                scratch[size] = 47
                size += 1
            for at in range(start[slots[j], i], end[slots[j], i]):
                scratch[size] = text[at]
                size += 1
        a, b = hash128(base, size, access_hi[i], access_lo[i])
        if a == U(0) and b == U(0):
            b = U(1)
        hi[i] = a
        lo[i] = b


@njit(cache=True, nogil=True)
def name_series(
    text: Any, start: Any, end: Any, prefix: Any, scratch: Any, access_hi: Any, access_lo: Any, hi: Any, lo: Any
) -> None:
    """Hash `prefix` + the field's text, started from the access point's hash; (0, 0) is replaced by (0, 1).

    Twin: hash128_bytes(b"supplier/HP", *hash128_bytes(prm)).

    Args:
        text: (b,) uint8; start, end: (n,) int32 the class; prefix: (k,) uint8 such as b"supplier/".
        scratch: (s,) uint8 working space of at least k + 16 bytes more than the longest field.
        access_hi, access_lo: (n,) uint64.
        hi, lo: (n,) uint64, written.
    """
    base = scratch.ctypes.data
    size = len(prefix)
    for j in range(size):
        scratch[j] = prefix[j]
    for i in range(len(hi)):
        at = start[i]
        length = np.int64(end[i] - at)
        for j in range(length):
            scratch[size + j] = text[at + j]
        a, b = hash128(base, size + length, access_hi[i], access_lo[i])
        if a == U(0) and b == U(0):
            b = U(1)
        hi[i] = a
        lo[i] = b
