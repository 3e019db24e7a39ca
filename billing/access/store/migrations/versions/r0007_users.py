"""Users, their sessions, tokens that set passwords, and recovery codes."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text

revision = "0007"
down_revision = "0006"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def _of_user() -> Column[Any]:
    return Column("user_id", TEXT, ForeignKey("local_user.id"), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "local_user",
        Column("id", TEXT, primary_key=True),
        Column("name", TEXT, nullable=False, unique=True),
        Column("roles", TEXT, nullable=False),
        Column("accounts", TEXT),
        Column("password_hash", TEXT),
        Column("factor", TEXT),
        Column("factor_since", INT64),
        Column("created_at", INT64, nullable=False),
        Column("disabled_at", INT64),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "session",
        Column("id", TEXT, primary_key=True),
        _of_user(),
        Column("secret_sha256", TEXT, nullable=False),
        Column("created_at", INT64, nullable=False),
        Column("expires_at", INT64, nullable=False),
        Column("ended_at", INT64),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("session_by_user", "session", ["user_id"])
    op.create_table(
        "session_use",
        Column("session_id", TEXT, ForeignKey("session.id"), primary_key=True),
        Column("used_at", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "password_reset",
        Column("id", TEXT, primary_key=True),
        _of_user(),
        Column("secret_sha256", TEXT, nullable=False),
        Column("created_at", INT64, nullable=False),
        Column("expires_at", INT64, nullable=False),
        Column("used_at", INT64),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("password_reset_by_user", "password_reset", ["user_id"])
    op.create_table(
        "recovery_code",
        Column("id", TEXT, primary_key=True),
        _of_user(),
        Column("digest", TEXT, nullable=False),
        Column("used_at", INT64),
        Column("revision", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("recovery_code_by_user", "recovery_code", ["user_id"])
    op.create_table(
        "login_attempt",
        Column("who", TEXT, primary_key=True),
        Column("failures", INT64, nullable=False),
        Column("tried_at", INT64, nullable=False),
        Column("locked_until", INT64, nullable=False),
        Column("refused", INT64, nullable=False),
        Column("step", INT64, nullable=False),
        Column("succeeded_at", INT64),
        sqlite_strict=True,
    )
