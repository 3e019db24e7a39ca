"""Content hashes: do two records with the same key say the same?

MurmurHash64A (Austin Appleby, public domain algorithm) without its per-field finish, chained over fields. 64 bits are
enough, because contents are compared only under equal 128-bit keys. Twin: `content_bytes`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba import config, njit

from pipelines.mediation.kernels.words import AHEAD
from rating.kernels.hashing import load64, mix64, prefetch

U = np.uint64
_M = 0xC6A4A7935BD1E995
_M64 = 0xFFFFFFFFFFFFFFFF


def content_bytes(fields: list[bytes] | tuple[bytes, ...], key_hi: int, key_lo: int) -> int:
    """Return the content hash of `fields` under an identity key, slowly: the twin of `summarise`."""
    state = key_hi ^ key_lo
    for data in fields:
        state = _chain(state, data)
    state ^= state >> 33
    state = (state * 0xFF51AFD7ED558CCD) & _M64
    state ^= state >> 33
    state = (state * 0xC4CEB9FE1A85EC53) & _M64
    state ^= state >> 33
    return state or 1


def _chain(state: int, data: bytes) -> int:
    state = ((state ^ len(data)) * _M) & _M64
    for at in range(0, len(data), 8):
        word = (int.from_bytes(data[at : at + 8], "little") * _M) & _M64
        word = ((word ^ (word >> 47)) * _M) & _M64
        state = ((state ^ word) * _M) & _M64
    return state


if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def chain64(state: Any, address: int, length: int) -> Any:
        """Return `state` chained with `length` bytes at `address`."""
        return U(_chain(int(state), ctypes.string_at(int(address), int(length))))

else:

    @njit(cache=True, nogil=True)
    def chain64(state: Any, address: Any, length: Any) -> Any:
        """Return `state` chained with `length` bytes at `address` (8 bytes after them must be readable)."""
        m = U(_M)
        state = (state ^ U(length)) * m
        while length > 0:
            word = load64(address)
            if length < 8:
                word &= (U(1) << U(8 * length)) - U(1)
            word *= m
            word = (word ^ (word >> U(47))) * m
            state = (state ^ word) * m
            address += 8
            length -= 8
        return state


@njit(cache=True, nogil=True)
def summarise(text: Any, start: Any, end: Any, slots: Any, hi: Any, lo: Any, content: Any) -> None:
    """Hash the fields beside the identity, started from the identity key; 0 is replaced by 1 (0 marks a void key).

    Args:
        text: (b,) uint8, padded; start, end: (f, m) int32; slots: (k,) int32 rows to chain, in order.
        hi, lo: (n <= m,) uint64 identity keys.
        content: (n,) uint64, written.
    """
    base = text.ctypes.data
    last = len(hi) - 1
    for i in range(len(hi)):
        for j in range(len(slots)):
            prefetch(base + np.int64(start[slots[j], min(i + AHEAD, last)]))
        state = hi[i] ^ lo[i]
        for j in range(len(slots)):
            at = np.int64(start[slots[j], i])
            state = chain64(state, base + at, np.int64(end[slots[j], i]) - at)
        state = mix64(state)
        content[i] = state if state != U(0) else U(1)
