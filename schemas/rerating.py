"""Reratings: which EDRs are priced again, in the order in which they happened, as complete commands."""

from __future__ import annotations

import pyarrow as pa

from schemas.edr import PACKED_WORDS_VALUED

EDR_BYTES = 8 * PACKED_WORDS_VALUED
NOT_REVERSED = -1
SEVERAL_SOURCES = 0xFFFF
"""The source of a block whose EDRs came from several: each row says its own."""

_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("branch", pa.uint8()),
    ("source", pa.int32()),
    ("reversal", pa.int64()),
    ("edr", pa.binary(EDR_BYTES)),
)
RERATING_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""One row per EDR; row i becomes record i of the entry, and is rated after all rows before it.

`claim`, `record`, `branch`: where it stood before; `source`: of its record; `reversal`: which reversal of the entry, from 0,
takes its rated item back, NOT_REVERSED where it was unrated; `edr`: all that rating needs (`schemas.edr.pack`, with values).
"""
