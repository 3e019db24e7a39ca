"""Databases of tenants on SQLite and on PostgreSQL, and changes in them by a clock and a chance of the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from apps.control.rooms import TABLES  # noqa: F401 - all tables must be known
from billing.access.operations import add_tenant
from billing.access.store.changes import Changes, changing
from billing.access.store.database import Database, drop_schema, open_file, open_schema
from billing.access.store.migrating import HEAD, upgrade

NOW = 1_790_000_000_000_000  # 2026-09-21
_numbers = count()


@dataclass
class Databases:
    """Opens databases of one kind; closes and removes them at the end."""

    directory: Path
    address: str | None
    opened: list[Database] = field(default_factory=list)

    def new(self, tenant: str | None = None, revision: str = HEAD) -> Database:
        """Return the empty database of a tenant that no other test has."""
        tenant = tenant or f"t{os.getpid()}-{next(_numbers)}"
        if self.address is None:
            database = open_file(self.directory / f"{tenant}.db", tenant)
        else:
            drop_schema(self.address, tenant)
            database = open_schema(self.address, tenant)
        self.opened.append(database)
        upgrade(database, revision)
        return database

    def tenant(self, code: str | None = None) -> Database:
        """Return the database of a new tenant."""
        database = self.new(code)
        with made(database) as changes:
            add_tenant(changes, database.tenant, "Acme")
        return database


@contextmanager
def opened_databases(directory: Path, address: str | None) -> Iterator[Databases]:
    """Yield what opens databases."""
    databases = Databases(directory, address)
    try:
        yield databases
    finally:
        for database in databases.opened:
            database.close()
            if address is not None:
                drop_schema(address, database.tenant)


@contextmanager
def made(database: Database, at: int = NOW, by: str = "ana") -> Iterator[Changes]:
    """Yield changes by Ana at an instant, each with another chance."""
    entropy = (next(_numbers) << 40).to_bytes(10)
    with changing(database, by=by, clock=lambda: (at, at), entropy=entropy) as changes:
        yield changes
