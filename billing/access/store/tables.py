"""The tables of this room: whose database it is, what it is configured to, and what was ever changed in it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index

from billing.access.store.columns import INT64, TEXT, key, table

TENANT = table(
    "tenant",
    key("code"),
    Column("name", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("created_at", INT64, nullable=False),
    Column("frozen_at", INT64),
    CheckConstraint("status IN ('ACTIVE', 'SUSPENDED')", name="tenant_status"),
)
"""One row: whose database this is."""

CONFIGURATION = table(
    "configuration",
    key("name"),
    Column("value", TEXT, nullable=False),  # JSON
)
"""What a tenant says over its product, by dotted name."""

AUDIT = table(
    "audit",
    key(),
    Column("at", INT64, nullable=False),
    Column("recorded_at", INT64, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("deed", TEXT, nullable=False),
    Column("entity", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("before", TEXT, nullable=False),  # JSON
    Column("after", TEXT, nullable=False),  # JSON
    CheckConstraint("deed IN ('CREATED', 'CHANGED', 'REMOVED')", name="audit_deed"),
    Index("audit_by_key", "entity", "key"),
)
"""What was ever changed; the database itself refuses to change or remove a row."""
