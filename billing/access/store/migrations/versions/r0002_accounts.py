"""Accounts, and what is attached to them."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, Text, text

revision = "0002"
down_revision = "0001"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT64 = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "account",
        Column("id", TEXT, primary_key=True),
        Column("code", TEXT, nullable=False, unique=True),
        Column("kind", TEXT, nullable=False),
        Column("parent_id", TEXT, ForeignKey("account.id"), index=True),
        Column("name", TEXT),
        Column("external_id", TEXT, unique=True),
        Column("status", TEXT, nullable=False),
        Column("currency", TEXT),
        Column("language", TEXT),
        Column("country", TEXT),
        Column("tax_category", TEXT),
        Column("tax_exemption", TEXT),
        Column("zone", TEXT),
        Column("billing_cycle", TEXT),
        Column("electronic_billing", INT64, nullable=False),
        Column("wallets", TEXT),
        Column("custom", TEXT, nullable=False),
        Column("created_at", INT64, nullable=False),
        Column("revision", INT64, nullable=False),
        CheckConstraint(
            "kind IN ('seller', 'customer', 'customer_account', 'billing_account', 'user_account')", name="account_kind"
        ),
        CheckConstraint("status IN ('ACTIVE', 'CANCELED', 'TERMINATED', 'CLOSED')", name="account_status"),
        sqlite_strict=True,
    )
    texts = ("line1", "line2", "line3", "postal_code", "city", "state", "country")
    _attached("address", Column("purpose", TEXT, nullable=False), *(Column(name, TEXT) for name in texts))
    told = (Column(name, TEXT) for name in ("role", "email", "phone"))
    _attached("contact", Column("name", TEXT, nullable=False), *told)
    _attached(
        "payment_method",
        Column("type", TEXT, nullable=False),
        *(Column(name, TEXT) for name in ("reference", "holder", "mandate", "expires_on", "subscription")),
        Column("preferred", INT64, nullable=False),
    )
    preferred = text("preferred = 1")
    op.create_index(
        "payment_method_preferred",
        "payment_method",
        ["account_id"],
        unique=True,
        sqlite_where=preferred,
        postgresql_where=preferred,
    )
    _attached("note", Column("text", TEXT, nullable=False))
    op.create_table(
        "custom_schema",
        Column("entity", TEXT, primary_key=True),
        Column("definition", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _attached(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        Column("id", TEXT, primary_key=True),
        Column("account_id", TEXT, ForeignKey("account.id"), nullable=False, index=True),
        *columns,
        Column("created_at", INT64, nullable=False),
        sqlite_strict=True,
    )
