"""Moving a tenant's database to another one, such as from SQLite to PostgreSQL, and proving that it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select

from billing.access.store.changes import BATCH
from billing.access.store.columns import METADATA, to_json
from billing.access.store.database import Database
from billing.access.store.migrating import expect_current, upgrade


class UnableToCopyDatabase(Exception):
    """The target holds something already, or the copy is not what was copied."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What one table holds: its rows, and SHA-256 (hex) over them in the order of their keys."""

    table: str
    rows: int
    sha256: str


def fingerprint(database: Database) -> list[Copied]:
    """Return what every table of a database holds, as of one moment."""
    with database.reading() as connection:
        return [_fingerprint(connection, table) for table in METADATA.sorted_tables]


def _expect_all_known(database: Database) -> None:
    """Check that no table would be left out because its room is not loaded.

    Raises:
        UnableToCopyDatabase: when there is one.
    """
    with database.reading() as connection:
        held = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if unknown := held - set(METADATA.tables):
        raise UnableToCopyDatabase(f"{database.place} has tables that nothing here knows: {', '.join(sorted(unknown))}")


def _fingerprint(connection: Connection, table: Table) -> Copied:
    digest, rows = hashlib.sha256(), 0
    for part in _rows(connection, table):
        rows += len(part)
        for row in part:
            text = to_json(list(row.values())).encode()
            digest.update(len(text).to_bytes(8, "big") + text)
    return Copied(table.name, rows, digest.hexdigest())


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[dict[str, Any]]]:
    columns = sorted(column.name for column in table.c)
    asked = select(*(table.c[name] for name in columns)).order_by(*table.primary_key)
    found = connection.execution_options(yield_per=BATCH).execute(asked).mappings()
    for part in found.partitions():
        yield [dict(row) for row in part]


def copy_database(source: Database, target: Database) -> list[Copied]:
    """Copy all rows of a tenant to a database that holds none; return what each table holds on both sides.

    It is done whole or not at all, and compared before it is kept.

    Raises:
        UnableToCopyDatabase: when the target holds something already, or holds something else afterwards.
        UnableToOpenDatabase: when one of them does not answer, or the source has not this version's form.
    """
    expect_current(source)
    _expect_all_known(source)
    if source.tenant != target.tenant:
        raise UnableToCopyDatabase(f"tenant {source.tenant} cannot become tenant {target.tenant}")
    upgrade(target)
    with source.reading() as reading, target.writing() as writing:
        for table in METADATA.sorted_tables:
            if writing.execute(select(func.count()).select_from(table)).scalar_one():
                raise UnableToCopyDatabase(f"{target.place} holds rows of {table.name} already: nothing was copied")
        for table in METADATA.sorted_tables:
            for part in _rows(reading, table):
                writing.execute(table.insert(), part)
        before = [_fingerprint(reading, table) for table in METADATA.sorted_tables]
        after = [_fingerprint(writing, table) for table in METADATA.sorted_tables]
        if differing := [one.table for one, other in zip(before, after, strict=True) if one != other]:
            raise UnableToCopyDatabase(f"{', '.join(differing)} differ in {target.place}: nothing was kept")
    return after
