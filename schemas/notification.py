"""Notifications: that a counter or a wallet crossed a level of which the catalog wants somebody to be told."""

from __future__ import annotations

import pyarrow as pa

_WIDE = pa.decimal128(38, 0)
_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("record", pa.int64()),
    ("branch", pa.uint8()),
    ("part", pa.uint32()),
    ("account", pa.int32()),
    ("subscription", pa.int32()),
    ("event_at", pa.int64()),
    ("counter", pa.string()),
    ("holder", pa.string()),
    ("period", pa.string()),
    ("zone", pa.string()),
    ("wallet", pa.int32()),
    ("written", pa.string()),
    ("unit", pa.string()),
    ("unit_steps", pa.int64()),
    ("level", _WIDE),
    ("before", _WIDE),
    ("after", _WIDE),
)
OF_REQUEST, OF_EXPIRY = 255, 254
"""In the place of a branch: the crossing is of a movement of an entry's request, or of credit that expired before the entry."""
NO_BLOCK = 2**32 - 1
"""In the place of a block: the crossing is of a movement, which belongs to an entry and to no block of it."""
NOTIFICATION_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""One row per crossing, in the order of the items or movements that crossed.

`record`, `branch`: the EDR whose item crossed, or a movement and which kind; `part` counts the crossings of one of them from 0.
`account`, `subscription`, `wallet`: ids; `wallet` is -1 of a counter, `subscription` of a movement. `event_at`: microseconds
UTC. `counter`: its code, empty of a wallet; `holder`: whose it is, as `Vocabulary.counters` writes it; `period`: the day, month
or year in `zone`, empty of a counter that has none. `written`: the level as the catalog writes it, empty of a wallet. `level`,
`before`, `after`: base steps, `unit_steps` of which are one `unit`; of amounts and balances billionths of the currency `unit`.
"""
