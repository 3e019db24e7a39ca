"""API keys, and the roles that a tenant makes for them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text

revision = "0005"
down_revision = "0004"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "role",
        Column("code", TEXT, primary_key=True),
        Column("description", TEXT, nullable=False),
        Column("grants", TEXT, nullable=False),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "api_key",
        Column("id", TEXT, primary_key=True),
        Column("name", TEXT, nullable=False, unique=True),
        Column("secret_sha256", TEXT, nullable=False),
        Column("roles", TEXT, nullable=False),
        Column("accounts", TEXT),
        Column("sources", TEXT),
        Column("created_at", INT64, nullable=False),
        Column("expires_at", INT64),
        Column("revoked_at", INT64),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "api_key_use",
        Column("key_id", TEXT, ForeignKey("api_key.id"), primary_key=True),
        Column("used_at", INT64, nullable=False),
        sqlite_strict=True,
    )
