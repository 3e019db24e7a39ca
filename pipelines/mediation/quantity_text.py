"""Quantities that are not plain decimals: decimal commas, thousands, durations, hexadecimal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import number_formats
from pipelines.mediation.times import PADDING
from schemas.arrays import Int32Array, UInt8Array
from schemas.source import Quantity

MORE_BYTES = 24
"""What a rewritten number may be longer than its text."""


@dataclass(frozen=True, slots=True)
class QuantityText:
    """How a quantity is written; `mark` and `thousands` (-1: none) are bytes, for decimals."""

    format: Literal["decimal", "hms", "hex"]
    mark: int
    thousands: int

    def rewrite(
        self, text: UInt8Array, start: Int32Array, end: Int32Array
    ) -> tuple[UInt8Array, Int32Array, Int32Array]:
        """Return (text, start, end) of the quantities as plain decimals, empty where one is not well formed."""
        n = len(start)
        size = int((end.astype(np.int64) - start).sum())
        out = np.zeros(size + MORE_BYTES * n + PADDING, np.uint8)
        out_start, out_end = np.empty(n, np.int32), np.empty(n, np.int32)
        if self.format == "hms":
            number_formats.rewrite_durations(text, start, end, out, out_start, out_end)
        elif self.format == "hex":
            number_formats.rewrite_hex(text, start, end, out, out_start, out_end)
        else:
            number_formats.rewrite_decimals(text, start, end, self.mark, self.thousands, out, out_start, out_end)
        return out, out_start, out_end


def compile_quantity_text(quantity: Quantity) -> QuantityText | None:
    """Return how the quantity is written, None for plain decimals.

    Raises:
        UnableToCompileSource: when the definition contradicts itself.
    """
    marked = quantity.decimal != "." or quantity.thousands is not None
    if quantity.format != "decimal" and marked:
        raise UnableToCompileSource(f"quantity: `decimal` and `thousands` do not go with the format {quantity.format}")
    if quantity.decimal == quantity.thousands:
        raise UnableToCompileSource(f"quantity: {quantity.decimal!r} cannot stand for decimals and for thousands")
    if quantity.format == "hms" and quantity.unit not in (None, "s"):
        raise UnableToCompileSource(f"quantity: hours, minutes and seconds are counted in s, not in {quantity.unit!r}")
    if quantity.format == "decimal" and not marked:
        return None
    thousands = -1 if quantity.thousands is None else ord(quantity.thousands)
    return QuantityText(quantity.format, ord(quantity.decimal), thousands)
