"""What was answered to requests with an idempotency key."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0006"
down_revision = "0005"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "answered_request",
        Column("request", TEXT, primary_key=True),
        Column("content", TEXT, nullable=False),
        Column("status", INT64, nullable=False),
        Column("headers", TEXT, nullable=False),
        Column("body", TEXT, nullable=False),
        Column("answered_at", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("answered_request_by_time", "answered_request", ["answered_at"])
