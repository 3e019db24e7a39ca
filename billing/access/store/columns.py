"""What all tables share: one set of them, and the few types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

METADATA = MetaData()
"""Every room's tables. What a database holds is what migrations made; a test compares both."""

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on both, so that identifiers sort by time and copies hash alike."""
INT64 = BigInteger().with_variant(Integer(), "sqlite")
"""Whole numbers, instants in microseconds UTC, and truths as 0 and 1: exact on both."""


def table(name: str, *columns: Any) -> Table:
    """Return a table of METADATA; SQLite checks its types as PostgreSQL does."""
    return Table(name, METADATA, *columns, sqlite_strict=True)


def key(name: str = "id") -> Column[Any]:
    """Return the column of a primary key."""
    return Column(name, TEXT, primary_key=True)


def masked(name: str, **options: Any) -> Column[Any]:
    """Return a column of text of which the audit log keeps the last four characters only."""
    return Column(name, TEXT, info={"masked": True}, **options)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def to_json(value: Any) -> str:
    """Return a value as JSON text that is the same wherever it is written: fields by name, no blanks."""
    return _encode(value)
