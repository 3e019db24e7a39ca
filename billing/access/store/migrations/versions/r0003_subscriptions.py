"""Subscriptions, their access points and suspensions, and what is planned for them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, Text

revision = "0003"
down_revision = "0002"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "termination_reason",
        Column("code", TEXT, primary_key=True),
        Column("description", TEXT, nullable=False),
        Column("apply_agreement", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "subscription",
        Column("id", TEXT, primary_key=True),
        Column("code", TEXT, nullable=False, unique=True),
        Column("account_id", TEXT, ForeignKey("account.id"), nullable=False, index=True),
        Column("offer", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("zone", TEXT),
        Column("group_code", TEXT),
        Column("term", TEXT),
        *(
            Column(f"{name}_at", INT64)
            for name in ("start", "terminated", "charged_until", "term_end", "agreement_end")
        ),
        Column("told_of", INT64),
        Column("reason", TEXT, ForeignKey("termination_reason.code")),
        Column("successor_of", TEXT, ForeignKey("subscription.id")),
        Column("created_at", INT64, nullable=False),
        Column("revision", INT64, nullable=False),
        CheckConstraint(
            "status IN ('CREATED', 'ACTIVE', 'SUSPENDED', 'CANCELED', 'TERMINATED', 'CLOSED')",
            name="subscription_status",
        ),
        sqlite_strict=True,
    )
    op.create_index("subscription_by_term", "subscription", ["status", "term_end_at"])
    op.create_table(
        "access_point",
        Column("id", TEXT, primary_key=True),
        Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
        Column("identifier", TEXT, nullable=False, index=True),
        Column("start_at", INT64),
        Column("end_at", INT64),
        Column("shared", INT64, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "suspension",
        Column("id", TEXT, primary_key=True),
        Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
        Column("start_at", INT64, nullable=False),
        Column("end_at", INT64),
        sqlite_strict=True,
    )
    op.create_table(
        "planned_action",
        Column("id", TEXT, primary_key=True),
        Column("subscription_id", TEXT, ForeignKey("subscription.id"), nullable=False, index=True),
        Column("due_at", INT64, nullable=False),
        Column("action", TEXT, nullable=False),
        Column("details", TEXT, nullable=False),
        Column("outcome", TEXT),
        sqlite_strict=True,
    )
    op.create_index("planned_action_due", "planned_action", ["outcome", "due_at"])
