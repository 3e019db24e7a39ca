"""Memory by address, a word or a cache line at a time: what arrays of arrays need in kernels.

A *word* is 8 bytes; a *line* is 8 words, 64 bytes, and begins at an address that 8 divides, better 64.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

LINE = 8
"""Words of a line."""

if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def store64(address: int, value: Any) -> None:
        """Write a uint64 at `address`."""
        ctypes.memmove(int(address), int(value).to_bytes(8, "little"), 8)

    def line_masks(address: int, tag: Any) -> Any:
        """Return a bit for each word of a line: bits 0 to 7 which are 0, 8 to 15 which have `tag` as their high half."""
        line = ctypes.string_at(int(address), 8 * LINE)
        words = [int.from_bytes(line[8 * place : 8 * place + 8], "little") for place in range(LINE)]
        zero = sum((word == 0) << place for place, word in enumerate(words))
        same = sum((word >> 32 == int(tag)) << place for place, word in enumerate(words))
        return np.uint64(same << LINE | zero)

    def first_bit(mask: Any) -> int:
        """Return the number of the lowest bit of `mask` that is set; 64 when none is."""
        bits = int(mask)
        return (bits & -bits).bit_length() - 1 if bits else 64

else:

    @intrinsic
    def store64(typingctx: Any, address: Any, value: Any) -> Any:
        """Write a uint64 at `address` (int64)."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[1], builder.inttoptr(args[0], ir.IntType(64).as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, types.uint64), codegen

    @intrinsic
    def line_masks(typingctx: Any, address: Any, tag: Any) -> Any:
        """Return a bit for each word of a line: bits 0 to 7 which are 0, 8 to 15 which have `tag` as their high half."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            i8, i32, i64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
            vector = ir.VectorType(i64, LINE)
            words = builder.load(builder.inttoptr(args[0], vector.as_pointer()))
            words.align = 8
            nothing = ir.Constant(vector, ir.Undefined)
            tags = builder.insert_element(nothing, args[1], i32(0))
            tags = builder.shuffle_vector(tags, nothing, ir.Constant(ir.VectorType(i32, LINE), [0] * LINE))
            zero = builder.icmp_unsigned("==", words, ir.Constant(vector, [0] * LINE))
            same = builder.icmp_unsigned("==", builder.lshr(words, ir.Constant(vector, [32] * LINE)), tags)
            low, high = (builder.zext(builder.bitcast(found, i8), i64) for found in (zero, same))
            return builder.or_(low, builder.shl(high, i64(LINE)))

        return types.uint64(types.int64, types.uint64), codegen

    @intrinsic
    def first_bit(typingctx: Any, mask: Any) -> Any:
        """Return the number of the lowest bit of `mask` (uint64) that is set; 64 when none is."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.cttz(args[0], ir.IntType(1)(0))

        return types.int64(types.uint64), codegen
