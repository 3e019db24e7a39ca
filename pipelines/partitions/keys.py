"""Which partition a record, or an account, belongs to."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.partitions.kernels.murmur import murmur2_partitions
from schemas.arrays import Int32Array, Int64Array
from schemas.cdr import CdrBlock


def partitions_of_keys(keys: pl.Series, count: int) -> Int32Array:
    """Return (n,) the partition of each key of `count`, as the `murmur2_random` of librdkafka and Java's client choose it."""
    column = keys.to_arrow().cast(pa.large_utf8())
    _, ends, data = column.buffers()
    out = np.empty(len(column), np.int32)
    if len(column) and ends is not None:
        found = np.frombuffer(memoryview(ends), np.int64)[column.offset : column.offset + len(column) + 1]
        content = np.zeros(1, np.uint8) if data is None or not data.size else np.frombuffer(memoryview(data), np.uint8)
        murmur2_partitions(content.copy(), found.copy(), np.int64(count), out)
    return out


def partitions_of_accounts(accounts: pl.Series, charge_group: Int32Array, tenant: str, count: int) -> Int32Array:
    """Return (accounts,) the partition of log 2 of each account: that of `tenant|code` of the first one of its charge group."""
    return partitions_of_keys(pl.select(pl.lit(f"{tenant}|") + accounts).to_series(), count)[charge_group]


def partitions_of_cdrs(cdrs: CdrBlock, offset: Int64Array, count: int) -> Int64Array:
    """Return (n,) the partition of log 1 of each record, by its stream key.

    That is its series of readings, else its session, else its identity: all of them hashes. What the decoder refused has
    none: its place in the raw topic decides.
    """
    key = cdrs.key_lo.copy()
    if cdrs.parts is not None:
        sessions = (cdrs.parts.key_hi | cdrs.parts.key_lo) != 0
        key[sessions] = cdrs.parts.key_lo[sessions]
    series = (cdrs.series_hi | cdrs.series_lo) != 0
    key[series] = cdrs.series_lo[series]
    refused = cdrs.reason != 0
    key[refused] = offset[refused].astype(np.uint64)
    return (key % np.uint64(count)).astype(np.int64)
