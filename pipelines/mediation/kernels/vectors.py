"""Thirty-two or sixty-four bytes at a time: where the bytes are that end a run of JSON text, a field or a line."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

WIDTH = 32
"""Bytes of JSON that are read from an address: so many must be readable."""
WIDE = 64
"""Bytes that `equal` and `either` read from an address: so many must be readable."""
QUOTE = 34
BACKSLASH = 92
OPENING = 0x7B
CLOSING = 0x7D
BIT_5 = 0x20


def _is_stop(byte: int) -> bool:
    return byte in (QUOTE, BACKSLASH) or byte < BIT_5


def _is_bracket(byte: int) -> bool:
    return byte == QUOTE or byte | BIT_5 in (OPENING, CLOSING)


def _mask_of(address: int, test: Any, width: int = WIDTH) -> Any:
    data = ctypes.string_at(int(address), width)
    return np.uint64(sum(1 << place for place, byte in enumerate(data) if test(byte)))


if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def string_stops(address: int) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a backslash or a control character."""
        return _mask_of(address, _is_stop)

    def brackets(address: int) -> Any:
        """Return a mask, bit i set when byte i from `address` on is a quote, a brace or a square bracket."""
        return _mask_of(address, _is_bracket)

    def equal(address: int, one: int) -> Any:
        """Return a mask, bit i set when byte i of the 64 from `address` on is `one`."""
        return _mask_of(address, lambda byte: byte == one, WIDE)

    def above(address: int) -> Any:
        """Return a mask, bit i set when byte i of the 64 from `address` on is 0x80 or more."""
        return _mask_of(address, lambda byte: byte >= 0x80, WIDE)

    def lowest(mask: Any) -> int:
        """Return the number (0 .. 63) of the lowest bit of a mask, 64 for an empty one."""
        value = int(mask)
        return (value & -value).bit_length() - 1 if value else WIDE

    def without_lowest(mask: Any) -> Any:
        """Return a mask without its lowest bit; an empty one stays so."""
        return np.uint64(int(mask) & (int(mask) - 1) if mask else 0)

    def highest(mask: Any) -> int:
        """Return the number (0 .. 63) of the highest bit of a mask, -1 for an empty one."""
        return int(mask).bit_length() - 1

    def bits(mask: Any) -> int:
        """Return how many bits of a mask are set."""
        return int(mask).bit_count()

else:
    from numba import njit
    from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros

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

    _WIDE_BYTES = ir.VectorType(ir.IntType(8), WIDE)

    @intrinsic
    def equal(typingctx: Any, address: Any, one: Any) -> Any:
        """Return a mask, bit i set when byte i of the 64 from `address` on is `one`."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(builder.inttoptr(args[0], _WIDE_BYTES.as_pointer()))
            value.align = 1
            undefined, i32 = ir.Constant(_WIDE_BYTES, ir.Undefined), ir.IntType(32)
            first = builder.insert_element(undefined, builder.trunc(args[1], ir.IntType(8)), i32(0))
            every = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(i32, WIDE), [0] * WIDE))
            return builder.bitcast(builder.icmp_unsigned("==", value, every), ir.IntType(WIDE))

        return types.uint64(types.int64, types.int64), codegen

    @intrinsic
    def above(typingctx: Any, address: Any) -> Any:
        """Return a mask, bit i set when byte i of the 64 from `address` on is 0x80 or more."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(builder.inttoptr(args[0], _WIDE_BYTES.as_pointer()))
            value.align = 1
            found = builder.icmp_signed("<", value, ir.Constant(_WIDE_BYTES, [0] * WIDE))
            return builder.bitcast(found, ir.IntType(WIDE))

        return types.uint64(types.int64), codegen

    @intrinsic
    def bits(typingctx: Any, mask: Any) -> Any:
        """Return how many bits of a mask are set."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.ctpop(args[0])

        return types.int64(types.uint64), codegen

    @njit(cache=True, nogil=True)
    def lowest(mask: Any) -> Any:
        """Return the number (0 .. 63) of the lowest bit of a mask, 64 for an empty one."""
        return np.int64(trailing_zeros(mask))

    @njit(cache=True, nogil=True)
    def without_lowest(mask: Any) -> Any:
        """Return a mask without its lowest bit; an empty one stays so."""
        return mask & (mask - np.uint64(1))

    @njit(cache=True, nogil=True)
    def highest(mask: Any) -> Any:
        """Return the number (0 .. 63) of the highest bit of a mask, -1 for an empty one."""
        return 63 - np.int64(leading_zeros(mask))
