"""Definitions of sources whose files are columns: Arrow IPC and Parquet."""

from __future__ import annotations

from typing import Literal

from schemas.source_base import EventMapping, SourceBase


class ArrowSource(SourceBase):
    """Record batches of Arrow IPC, as a stream or as a file. Fields are columns; a dotted path leads into structs.

    Every value is read as its text: integers, decimals and floats as the shortest number that is the same value, a
    timestamp with a zone as UTC, one without as the clock shows it (`mapping.time.zone` says where), null as empty.
    """

    format: Literal["arrow"]
    mapping: EventMapping


class ParquetSource(SourceBase):
    """Parquet files, read as Arrow columns are. Only the columns that the mapping names are read."""

    format: Literal["parquet"]
    mapping: EventMapping
