"""128-bit hashing of byte ranges, and memory hints, for kernels.

The hash is MurmurHash3 x64-128 (Austin Appleby, public domain algorithm) started from a 128-bit seed, so that
fields chain: the result over one field seeds the next, and lengths are mixed in, hence ("ab", "c") differs from
("a", "bc"). Not resistant to an attacker who knows the seed: identities are seeded with a secret of the installation.
Twin: `hash128_bytes`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

U = np.uint64
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F
_M64 = 0xFFFFFFFFFFFFFFFF


def _rotl(x: int, r: int) -> int:
    return ((x << r) | (x >> (64 - r))) & _M64


def _fmix(k: int) -> int:
    k ^= k >> 33
    k = (k * 0xFF51AFD7ED558CCD) & _M64
    k ^= k >> 33
    k = (k * 0xC4CEB9FE1A85EC53) & _M64
    return k ^ (k >> 33)


def hash128_bytes(data: bytes, seed_hi: int = 0, seed_lo: int = 0) -> tuple[int, int]:
    """Return the 128-bit hash of `data` as (hi, lo), slowly: the twin of `hash128`."""
    h1, h2 = seed_hi & _M64, seed_lo & _M64
    body = len(data) & ~15
    for i in range(0, body, 16):
        k1 = int.from_bytes(data[i : i + 8], "little")
        k2 = int.from_bytes(data[i + 8 : i + 16], "little")
        h1 ^= (_rotl((k1 * _C1) & _M64, 31) * _C2) & _M64
        h1 = ((_rotl(h1, 27) + h2) * 5 + 0x52DCE729) & _M64
        h2 ^= (_rotl((k2 * _C2) & _M64, 33) * _C1) & _M64
        h2 = ((_rotl(h2, 31) + h1) * 5 + 0x38495AB5) & _M64
    tail = data[body:]
    if tail:
        k1 = int.from_bytes(tail[:8], "little")
        k2 = int.from_bytes(tail[8:], "little")
        h2 ^= (_rotl((k2 * _C2) & _M64, 33) * _C1) & _M64
        h1 ^= (_rotl((k1 * _C1) & _M64, 31) * _C2) & _M64
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & _M64
    h2 = (h2 + h1) & _M64
    h1, h2 = _fmix(h1), _fmix(h2)
    h1 = (h1 + h2) & _M64
    return h1, (h2 + h1) & _M64


if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def load64(address: int) -> Any:
        """Return the 8 bytes at `address` as a little-endian uint64."""
        return U(int.from_bytes(ctypes.string_at(int(address), 8), "little"))

    def prefetch(address: int) -> None:
        """Do nothing: there is no cache to hint in Python."""

    def hash128(address: int, length: int, seed_hi: Any, seed_lo: Any) -> tuple[Any, Any]:
        """Return the 128-bit hash of `length` bytes at `address` as (hi, lo)."""
        hi, lo = hash128_bytes(ctypes.string_at(int(address), int(length)), int(seed_hi), int(seed_lo))
        return U(hi), U(lo)

    def mix64(key: Any) -> Any:
        """Return a well-mixed 64-bit value of a 64-bit key."""
        return U(_fmix(int(key)))

else:

    @intrinsic
    def load64(typingctx: Any, address: Any) -> Any:
        """Return the 8 bytes at `address` (int64, any alignment) as a little-endian uint64."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(builder.inttoptr(args[0], ir.IntType(64).as_pointer()))
            value.align = 1
            return value

        return types.uint64(types.int64), codegen

    @intrinsic
    def prefetch(typingctx: Any, address: Any) -> Any:
        """Ask the processor to load the cache line at `address` (int64); never faults."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
            i32 = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [pointer, i32(0), i32(3), i32(1)])
            return context.get_dummy_value()

        return types.void(types.int64), codegen

    @njit(inline="always")
    def _rotate(x: Any, r: Any) -> Any:
        return (x << U(r)) | (x >> U(64 - r))

    @njit(cache=True, nogil=True)
    def mix64(key: Any) -> Any:
        """Return a well-mixed 64-bit value of a 64-bit key (the finaliser of MurmurHash3)."""
        key = U(key)
        key ^= key >> U(33)
        key *= U(0xFF51AFD7ED558CCD)
        key ^= key >> U(33)
        key *= U(0xC4CEB9FE1A85EC53)
        key ^= key >> U(33)
        return key

    @njit(cache=True, nogil=True)
    def hash128(address: Any, length: Any, seed_hi: Any, seed_lo: Any) -> Any:
        """Return the 128-bit hash of `length` bytes at `address` as (hi, lo), two uint64.

        At least 16 bytes after the range must be readable (buffers are padded).
        """
        h1 = U(seed_hi)
        h2 = U(seed_lo)
        c1 = U(0x87C37B91114253D5)
        c2 = U(0x4CF5AD432745937F)
        blocks = length >> 4
        for i in range(blocks):
            k1 = load64(address + 16 * i)
            k2 = load64(address + 16 * i + 8)
            h1 ^= _rotate(k1 * c1, 31) * c2
            h1 = (_rotate(h1, 27) + h2) * U(5) + U(0x52DCE729)
            h2 ^= _rotate(k2 * c2, 33) * c1
            h2 = (_rotate(h2, 31) + h1) * U(5) + U(0x38495AB5)
        tail = length & 15
        if tail > 0:
            k1 = load64(address + 16 * blocks)
            if tail < 8:
                k1 &= (U(1) << U(8 * tail)) - U(1)
            elif tail > 8:
                k2 = load64(address + 16 * blocks + 8) & ((U(1) << U(8 * (tail - 8))) - U(1))
                h2 ^= _rotate(k2 * c2, 33) * c1
            h1 ^= _rotate(k1 * c1, 31) * c2
        h1 ^= U(length)
        h2 ^= U(length)
        h1 += h2
        h2 += h1
        h1 = mix64(h1)
        h2 = mix64(h2)
        h1 += h2
        h2 += h1
        return h1, h2


@njit(cache=True, nogil=True)
def hash_ranges(data: Any, start: Any, end: Any, seed_hi: Any, seed_lo: Any, out_hi: Any, out_lo: Any) -> None:
    """Hash n byte ranges; (0, 0) is replaced by (0, 1), because empty slots of tables are (0, 0).

    Args:
        data: (b,) uint8, with at least 16 readable bytes after the last range.
        start, end: (n,) int64 offsets into `data`.
        seed_hi, seed_lo: uint64 seed.
        out_hi, out_lo: (n,) uint64, written.
    """
    base = data.ctypes.data
    for i in range(len(start)):
        hi, lo = hash128(base + start[i], end[i] - start[i], seed_hi, seed_lo)
        if hi == U(0) and lo == U(0):
            lo = U(1)
        out_hi[i] = hi
        out_lo[i] = lo
