"""The audit log refuses to replace entries, too: SQLite asks no trigger for what `INSERT OR REPLACE` removes."""

from __future__ import annotations

from billing.access.store.migrations.append_only import refuse_replacements

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the trigger."""
    refuse_replacements("audit", "id")
