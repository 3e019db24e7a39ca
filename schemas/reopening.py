"""What is done to parts of sessions, as complete commands: which leave, which come back, and what those that wait say now."""

from __future__ import annotations

import pyarrow as pa

from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.values import VALUE_SLOTS


def _slots(kind: pa.DataType, count: int) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False), count)


_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("leaves", pa.bool_()),
    ("key_hi", pa.uint64()),
    ("key_lo", pa.uint64()),
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("time_out_us", pa.int64()),
    ("source", pa.int32()),
    ("event_type", pa.uint16()),
    ("mode", pa.uint8()),
    ("sequence", pa.int64()),
    ("part", pa.uint8()),
    ("event_at", pa.int64()),
    ("quantity", pa.int64()),
    ("attributes", _slots(pa.int32(), ATTRIBUTE_SLOTS)),
    ("values", _slots(pa.int64(), VALUE_SLOTS)),
    ("subscription", pa.int32()),
    ("access_point", pa.int32()),
)
REOPENING_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""One row per part that leaves its session (`leaves`), and one per owner of each part that comes back.

`key_hi`, `key_lo`: the session; `claim`, `record`: where the part came from; `time_out_us`: how long the session waits then.
Only parts that come back fill the other columns: what `schemas.cdr` and `schemas.edr` say of a record and its owner, -1 for
nobody. Rows of one part are next to each other.
"""
RENEWAL_SCHEMA = pa.schema([REOPENING_SCHEMA.field(name) for name in ("claim", "record", "attributes", "values")])
"""One row per part of a session that waits: where it came from, and what it says under the catalog now in force."""
