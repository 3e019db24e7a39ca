"""Random words as a pure function of (seed, stream, index), so that any record can be made again by its number.

The function is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) over a Weyl sequence. It is integer
arithmetic only: the same words on every machine and under every version of NumPy, which `numpy.random.Generator`
does not promise.
"""

from __future__ import annotations

import numpy as np

from schemas.arrays import Int64Array, UInt64Array

_MASK = 0xFFFFFFFFFFFFFFFF
_WEYL = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def _mix_one(word: int) -> int:
    word &= _MASK
    word = ((word ^ (word >> 30)) * _MIX_1) & _MASK
    word = ((word ^ (word >> 27)) * _MIX_2) & _MASK
    return word ^ (word >> 31)


def draw(seed: int, stream: int, index: Int64Array) -> UInt64Array:
    """Return (n,) uint64 uniform words, one per index (n,) int64 >= 0; streams of one seed are independent."""
    key = _mix_one(_mix_one(seed * _WEYL + 1) + stream * _WEYL)
    word = index.astype(np.uint64)
    word *= np.uint64(_WEYL)
    word += np.uint64(key)
    word ^= word >> np.uint64(30)
    word *= np.uint64(_MIX_1)
    word ^= word >> np.uint64(27)
    word *= np.uint64(_MIX_2)
    word ^= word >> np.uint64(31)
    return word


def bits(word: UInt64Array, low: int, count: int) -> Int64Array:
    """Return (n,) int64: the `count` <= 62 bits of each word from bit `low` upwards."""
    return ((word >> np.uint64(low)) & np.uint64((1 << count) - 1)).view(np.int64)


def below(word: UInt64Array, bound: int) -> Int64Array:
    """Return (n,) int64 in [0, bound), uniform, from the high 32 bits of each word; bound <= 2**31."""
    return (((word >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).view(np.int64)
