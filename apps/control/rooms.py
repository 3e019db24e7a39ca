"""All rooms that have tables: whoever migrates or copies a database must know every one of them."""

from __future__ import annotations

from billing.access.store import tables as access
from billing.access.store.columns import METADATA
from billing.accounts import store as accounts
from billing.subscriptions import store as subscriptions

TABLES = frozenset(METADATA.tables)
"""Names of all tables of all rooms."""

__all__ = ["TABLES", "access", "accounts", "subscriptions"]
