"""Billed marks: which rated items an invoice holds, as a log entry keeps them in the archive."""

from __future__ import annotations

import pyarrow as pa

ITEMS_MAX = 500_000
"""Items that one entry marks: what the store takes in one piece."""
INVOICE_MAX = 64
"""Characters of the number of an invoice."""
_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("branch", pa.uint8()),
    ("item", pa.uint8()),
    ("invoice", pa.string()),
)
BILLED_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""One row per rated item, ascending by claim, record, branch and item; `invoice` is the number of the one that holds it."""
BILLED_LINES_SCHEMA = BILLED_SCHEMA.append(pa.field("line", pa.uint32(), nullable=False))
"""The same with the line of the invoice, as billing runs mark."""
