"""Cancellations: what is withdrawn, as complete commands, so that applying them needs nothing but the account state."""

from __future__ import annotations

from enum import IntEnum

import pyarrow as pa


class CancelledKind(IntEnum):
    """What one row of a cancellation withdraws."""

    RATED = 0
    """A rated item: its money, its counter and its key go back."""
    UNRATED = 1
    """An EDR that nobody rated: its key goes back."""
    KEY = 2
    """An EDR that was tried again, and stands under the retry: only its record's key goes back."""
    VERSION = 3
    """A newer record that is parked: it counts as never seen, and its key stays with whoever holds it."""


class CounterFate(IntEnum):
    """What became of the counter that a reversed item had consumed."""

    NONE = 0
    """The item consumed none."""
    LOWERED = 1
    LEFT = 2
    """The counter's period is no longer kept, so nothing could be given back."""


_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("kind", pa.uint8()),
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("branch", pa.uint8()),
    ("item", pa.uint8()),
    ("image", pa.uint16()),
    ("account", pa.int32()),
    ("currency", pa.int32()),
    ("charge_version", pa.int32()),
    ("event_at", pa.int64()),
    ("event_type", pa.uint16()),
    ("access_point", pa.int32()),
    ("subscription", pa.int32()),
    ("span_s", pa.int64()),
    ("quantity", pa.int64()),
    ("rest", pa.int64()),
    ("triggered_by", pa.uint8()),
    ("trigger", pa.uint8()),
    ("rated_quantity", pa.int64()),
    ("tier", pa.uint8()),
    ("band", pa.uint8()),
    ("amount", pa.int64()),
    ("wallet", pa.int32()),
    ("counter_slot", pa.int32()),
    ("counter_cell", pa.int32()),
    ("counter_period", pa.int32()),
    ("split_wallet", pa.list_(pa.field("item", pa.int32(), nullable=False))),
    ("split_amount", pa.list_(pa.field("item", pa.int64(), nullable=False))),
    ("key_hi", pa.uint64()),
    ("key_lo", pa.uint64()),
    ("key_at", pa.int64()),
    ("grown_slot", pa.list_(pa.field("item", pa.int32(), nullable=False))),
    ("grown_period", pa.list_(pa.field("item", pa.int32(), nullable=False))),
    ("grown_by", pa.list_(pa.field("item", pa.int64(), nullable=False))),
)
LISTS = tuple(name for name, kind in _COLUMNS if pa.types.is_list(kind))
CANCELLATION_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""One row per rated item or unrated EDR to be withdrawn, as it was stored, in base steps and billionths; items of one EDR
follow one another.

`kind` is a `CancelledKind`; only RATED rows fill what lies between `image` and `split_amount`, and the last three: what the
item added to accumulators, as `schemas.rated_item.Growths` says it. `counter_slot` is -1 without a counter;
`counter_period` is what `AccountState.counter_period` must say for the quantity to be given back. `wallet` is as in
`RatedBlock`; the parts of a split item are in drawing order. `key_hi`, `key_lo`: the record's identity, (0, 0) where
another row releases it or nobody does; `key_at`: its event time, microseconds UTC.
"""
_LATER = (("triggered_by", "trigger"), ("item", "rest"), ("grown_slot", "grown_period", "grown_by"))
"""Columns that came later than others, the latest first; in files without, each is 0 or empty."""
CANCELLATION_SCHEMAS = tuple(
    pa.schema([field for field in CANCELLATION_SCHEMA if field.name not in sum(_LATER[:missing], ())])
    for missing in range(len(_LATER) + 1)
)
"""That one, and those of releases before, whose files may be in the log."""
