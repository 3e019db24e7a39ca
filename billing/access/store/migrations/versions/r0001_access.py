"""Tenants, configurations and the audit log."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text

from billing.access.store.migrations.append_only import refuse_changes

revision = "0001"
down_revision = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tenant",
        Column("code", TEXT, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("created_at", INT64, nullable=False),
        Column("frozen_at", INT64),
        CheckConstraint("status IN ('ACTIVE', 'SUSPENDED')", name="tenant_status"),
        sqlite_strict=True,
    )
    op.create_table(
        "configuration",
        Column("name", TEXT, primary_key=True),
        Column("value", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "audit",
        Column("id", TEXT, primary_key=True),
        Column("at", INT64, nullable=False),
        Column("recorded_at", INT64, nullable=False),
        Column("by", TEXT, nullable=False),
        Column("deed", TEXT, nullable=False),
        Column("entity", TEXT, nullable=False),
        Column("key", TEXT, nullable=False),
        Column("before", TEXT, nullable=False),
        Column("after", TEXT, nullable=False),
        CheckConstraint("deed IN ('CREATED', 'CHANGED', 'REMOVED')", name="audit_deed"),
        sqlite_strict=True,
    )
    op.create_index("audit_by_key", "audit", ["entity", "key"])
    refuse_changes("audit")
