"""The store of a data directory: opened, and checked."""

from __future__ import annotations

from typing import Any

from apps.embedded.layout import DataDirectory
from sinks.clickhouse.store import Store


def open_store(directory: DataDirectory) -> Store:
    """Open the store of a data directory, whose lock the caller holds, in this release's layout.

    Raises:
        UnableToOpenStore: with the reason in words.
    """
    store = Store.open(directory.store)
    store.migrate()
    return store


def differences_as_json(store: Store) -> list[dict[str, Any]]:
    """Return what the balance check finds."""
    return [
        {"claim": found.claim, "what": found.what, "expected": str(found.expected), "found": str(found.found)}
        for found in store.balance_check()
    ]
