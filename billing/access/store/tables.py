"""The tables of this room: whose database it is, what it is configured to, who may use it, and what was ever changed in it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index

from billing.access.store.columns import INT64, TEXT, key, masked, table

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

ROLE = table(
    "role",
    key("code"),
    Column("description", TEXT, nullable=False),
    Column("grants", TEXT, nullable=False),  # JSON
    Column("revision", INT64, nullable=False),
)
"""What a tenant's own roles permit, beside those that every tenant has."""

API_KEY = table(
    "api_key",
    key(),
    Column("name", TEXT, nullable=False, unique=True),
    masked("secret_sha256", nullable=False),
    Column("roles", TEXT, nullable=False),  # JSON
    Column("accounts", TEXT),  # JSON: ids
    Column("sources", TEXT),  # JSON: codes
    Column("created_at", INT64, nullable=False),
    Column("expires_at", INT64),
    Column("revoked_at", INT64),
    Column("revision", INT64, nullable=False),
)
"""Who may ask over HTTP: the hash of a key's secret, never the secret."""

API_KEY_USE = table(
    "api_key_use",
    Column("key_id", TEXT, ForeignKey("api_key.id"), primary_key=True),
    Column("used_at", INT64, nullable=False),
)
"""When a key was last used, to about a minute: no change of anything, so it is in no audit log."""

ANSWERED = table(
    "answered_request",
    key("request"),
    Column("content", TEXT, nullable=False),
    Column("status", INT64, nullable=False),
    Column("headers", TEXT, nullable=False),  # JSON
    Column("body", TEXT, nullable=False),
    Column("answered_at", INT64, nullable=False),
    Index("answered_request_by_time", "answered_at"),
)
"""What was answered to requests with an idempotency key: written with the change itself, dropped after some hours."""

LOCAL_USER = table(
    "local_user",
    key(),
    Column("name", TEXT, nullable=False, unique=True),
    Column("roles", TEXT, nullable=False),  # JSON
    Column("accounts", TEXT),  # JSON: ids
    masked("password_hash"),
    masked("factor"),
    Column("factor_since", INT64),
    Column("created_at", INT64, nullable=False),
    Column("disabled_at", INT64),
    Column("revision", INT64, nullable=False),
)
"""People who log in; `factor` is sealed with a key that is not in the database."""

SESSION = table(
    "session",
    key(),
    Column("user_id", TEXT, ForeignKey("local_user.id"), nullable=False),
    masked("secret_sha256", nullable=False),
    Column("created_at", INT64, nullable=False),
    Column("expires_at", INT64, nullable=False),
    Column("ended_at", INT64),
    Column("revision", INT64, nullable=False),
    Index("session_by_user", "user_id"),
)
"""What logins began."""

SESSION_USE = table(
    "session_use",
    Column("session_id", TEXT, ForeignKey("session.id"), primary_key=True),
    Column("used_at", INT64, nullable=False),
)
"""When a session was last used, to about a minute: no change of anything, so it is in no audit log."""

PASSWORD_RESET = table(
    "password_reset",
    key(),
    Column("user_id", TEXT, ForeignKey("local_user.id"), nullable=False),
    masked("secret_sha256", nullable=False),
    Column("created_at", INT64, nullable=False),
    Column("expires_at", INT64, nullable=False),
    Column("used_at", INT64),
    Column("revision", INT64, nullable=False),
    Index("password_reset_by_user", "user_id"),
)
"""Tokens that set a password, once."""

RECOVERY_CODE = table(
    "recovery_code",
    key(),
    Column("user_id", TEXT, ForeignKey("local_user.id"), nullable=False),
    masked("digest", nullable=False),
    Column("used_at", INT64),
    Column("revision", INT64, nullable=False),
    Index("recovery_code_by_user", "user_id"),
)
"""Codes for who lost their telephone, each opens once."""

LOGIN_ATTEMPT = table(
    "login_attempt",
    key("who"),
    Column("failures", INT64, nullable=False),
    Column("tried_at", INT64, nullable=False),
    Column("locked_until", INT64, nullable=False),
    Column("refused", INT64, nullable=False),
    Column("step", INT64, nullable=False),
    Column("succeeded_at", INT64),
)
"""How logins went, by the user's id; all names that nobody has share one row. Counted, not changed: in no audit log."""
