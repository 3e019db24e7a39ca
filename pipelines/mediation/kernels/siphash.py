"""Keys of identities that their sender may choose to do harm: SipHash-2-4 with 128 bits of output.

Jean-Philippe Aumasson, Daniel J. Bernstein: SipHash, a fast short-input PRF (2012); the 128-bit variant is that of their
reference implementation. Who does not know the key cannot find two inputs with one output, nor one for a given input.

Fields chain: the output over one is the key over the next. A source has a fixed number of identity fields, so no identity is
the beginning of another, and the chain is as unpredictable as SipHash itself.
Twin: `siphash128_bytes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit

from rating.kernels.hashing import load64

U = np.uint64
_M64 = 0xFFFFFFFFFFFFFFFF
_V0, _V1, _V2, _V3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573


def _turned(x: int, r: int) -> int:
    return ((x << r) | (x >> (64 - r))) & _M64


def _round_slowly(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a, c = (a + b) & _M64, (c + d) & _M64
    b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
    a = _turned(a, 32)
    c, a = (c + b) & _M64, (a + d) & _M64
    b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
    return a, b, _turned(c, 32), d


def siphash128_bytes(data: bytes, key_hi: int, key_lo: int) -> tuple[int, int]:
    """Return SipHash-2-4-128 of `data` as (hi, lo), slowly: the two halves of the output in the order of its bytes."""
    state = (key_hi ^ _V0, key_lo ^ _V1 ^ 0xEE, key_hi ^ _V2, key_lo ^ _V3)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        a, b, c, d = state
        a, b, c, d = _round_slowly(*_round_slowly(a, b, c, d ^ word))
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    c ^= 0xEE
    for _ in range(4):
        a, b, c, d = _round_slowly(a, b, c, d)
    first = a ^ b ^ c ^ d
    b ^= 0xDD
    for _ in range(4):
        a, b, c, d = _round_slowly(a, b, c, d)
    return first, a ^ b ^ c ^ d


if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code
    import ctypes

    def siphash128(address: int, length: int, key_hi: Any, key_lo: Any) -> tuple[Any, Any]:
        """Return SipHash-2-4-128 of `length` bytes at `address` as (hi, lo)."""
        hi, lo = siphash128_bytes(ctypes.string_at(int(address), int(length)), int(key_hi), int(key_lo))
        return U(hi), U(lo)

else:

    @njit(inline="always")
    def _rotate(x: Any, r: Any) -> Any:
        return (x << U(r)) | (x >> U(64 - r))

    @njit(inline="always")
    def _round(a: Any, b: Any, c: Any, d: Any) -> Any:
        a += b
        c += d
        b = _rotate(b, 13) ^ a
        d = _rotate(d, 16) ^ c
        a = _rotate(a, 32)
        c += b
        a += d
        b = _rotate(b, 17) ^ c
        d = _rotate(d, 21) ^ a
        return a, b, _rotate(c, 32), d

    @njit(cache=True, nogil=True)
    def siphash128(address: Any, length: Any, key_hi: Any, key_lo: Any) -> Any:
        """Return SipHash-2-4-128 of `length` bytes at `address` as (hi, lo), two uint64.

        At least 16 bytes after the range must be readable (buffers are padded).
        """
        a = U(key_hi) ^ U(_V0)
        b = U(key_lo) ^ U(_V1) ^ U(0xEE)
        c = U(key_hi) ^ U(_V2)
        d = U(key_lo) ^ U(_V3)
        words = length >> 3
        for i in range(words + 1):
            word = load64(address + 8 * i)
            if i == words:  # what is left, and the length in the last byte
                word = (word & ((U(1) << U(8 * (length & 7))) - U(1))) | (U(length) << U(56))
            d ^= word
            a, b, c, d = _round(a, b, c, d)
            a, b, c, d = _round(a, b, c, d)
            a ^= word
        c ^= U(0xEE)
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        first = a ^ b ^ c ^ d
        b ^= U(0xDD)
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        return first, a ^ b ^ c ^ d


@njit(cache=True, nogil=True)
def identify_keyed(text: Any, start: Any, end: Any, slots: Any, seed_hi: Any, seed_lo: Any, hi: Any, lo: Any) -> None:
    """Chain the keyed hashes of the identity fields; (0, 0) is replaced by (0, 1). Arguments as `identities.identify`."""
    base = text.ctypes.data
    for i in range(len(hi)):
        a = U(seed_hi)
        b = U(seed_lo)
        for j in range(len(slots)):
            at = np.int64(start[slots[j], i])
            a, b = siphash128(base + at, np.int64(end[slots[j], i] - at), a, b)
        if a == U(0) and b == U(0):
            b = U(1)
        hi[i] = a
        lo[i] = b
