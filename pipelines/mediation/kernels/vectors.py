"""Thirty-two bytes at a time: where the bytes are that end a run of plain JSON text."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

WIDTH = 32
"""Bytes that are read from an address: so many must be readable."""
QUOTE = 34
BACKSLASH = 92
OPENING = 0x7B
CLOSING = 0x7D
BIT_5 = 0x20


def _is_stop(byte: int) -> bool:
    return byte in (QUOTE, BACKSLASH) or byte < BIT_5


def _is_bracket(byte: int) -> bool:
    return byte == QUOTE or byte | BIT_5 in (OPENING, CLOSING)


def _mask_of(address: int, test: Any) -> Any:
    data = ctypes.string_at(int(address), WIDTH)
    return np.uint64(sum(1 << place for place, byte in enumerate(data) if test(byte)))


if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def string_stops(address: int) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a backslash or a control character."""
        return _mask_of(address, _is_stop)

    def brackets(address: int) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a brace or a square bracket."""
        return _mask_of(address, _is_bracket)

    def lowest(mask: Any) -> int:
        """Return the number (0 .. 31) of the lowest bit of a non-zero mask."""
        value = int(mask)
        return (value & -value).bit_length() - 1

else:
    from numba import njit
    from numba.cpython.unsafe.numbers import trailing_zeros

    _BYTES = ir.VectorType(ir.IntType(8), WIDTH)

    def _load(builder: Any, address: Any) -> Any:
        value = builder.load(builder.inttoptr(address, _BYTES.as_pointer()))
        value.align = 1
        return value

    def _all(byte: int) -> Any:
        return ir.Constant(_BYTES, [byte] * WIDTH)

    def _as_mask(builder: Any, bits: Any) -> Any:
        return builder.zext(builder.bitcast(bits, ir.IntType(WIDTH)), ir.IntType(64))

    @intrinsic
    def string_stops(typingctx: Any, address: Any) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a backslash or a control character."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = _load(builder, args[0])
            found = builder.icmp_unsigned("==", value, _all(QUOTE))
            found = builder.or_(found, builder.icmp_unsigned("==", value, _all(BACKSLASH)))
            found = builder.or_(found, builder.icmp_unsigned("<", value, _all(BIT_5)))
            return _as_mask(builder, found)

        return types.uint64(types.int64), codegen

    @intrinsic
    def brackets(typingctx: Any, address: Any) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a brace or a square bracket."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = _load(builder, args[0])
            found = builder.icmp_unsigned("==", value, _all(QUOTE))
            folded = builder.or_(value, _all(BIT_5))
            found = builder.or_(found, builder.icmp_unsigned("==", folded, _all(OPENING)))
            found = builder.or_(found, builder.icmp_unsigned("==", folded, _all(CLOSING)))
            return _as_mask(builder, found)

        return types.uint64(types.int64), codegen

    @njit(cache=True, nogil=True)
    def lowest(mask: Any) -> Any:
        """Return the number (0 .. 31) of the lowest bit of a non-zero mask."""
        return np.int64(trailing_zeros(mask))
