"""Bringing a store to the layout that this release needs, or refusing it."""

from __future__ import annotations

from sinks.clickhouse.client import Connection, UnableToOpenStore, UnableToQuery, UnableToStore
from sinks.clickhouse.migrations import FACTS, MIGRATIONS, SCHEMA_MIGRATION
from sinks.clickhouse.table import DATABASE, Table
from sinks.clickhouse.tables.dimensions import DIMENSIONS
from sinks.clickhouse.views import VIEWS


def apply_migrations(connection: Connection) -> None:
    """Apply the missing steps in order, replace the views, and check that the tables are as declared.

    Raises:
        UnableToOpenStore: when the layout is a newer release's, a step fails, or a table is not as declared.
    """
    try:
        connection.execute(SCHEMA_MIGRATION.ddl)
        applied = _applied(connection)
        for migration in MIGRATIONS:
            if migration.version in applied:
                continue
            for statement in migration.statements:
                connection.execute(statement)
            row = f"VALUES ({migration.version}, '{migration.name}')"
            connection.execute(f"INSERT INTO {SCHEMA_MIGRATION.qualified} (version, name) {row}")
        _check_tables(connection)
        for view in VIEWS:
            connection.execute(view.ddl)
    except (UnableToStore, UnableToQuery) as error:
        raise UnableToOpenStore(f"cannot bring the store to this release's layout: {error}") from error


def _applied(connection: Connection) -> set[int]:
    found = connection.rows(f"SELECT DISTINCT version FROM {SCHEMA_MIGRATION.qualified}")
    applied = {int(row["version"]) for row in found}
    newest = MIGRATIONS[-1].version
    if applied and max(applied) > newest:
        raise UnableToOpenStore(
            f"the store has layout {max(applied)} and this release knows {newest}: use the newer octroi that wrote it"
        )
    return applied


def _check_tables(connection: Connection) -> None:
    found: dict[str, list[tuple[str, str]]] = {}
    columns = connection.rows(
        f"SELECT table, name, type FROM system.columns WHERE database = '{DATABASE}' ORDER BY table, position"
    )
    for row in columns:
        found.setdefault(row["table"], []).append((row["name"], row["type"]))
    for table in (*FACTS, *DIMENSIONS.values()):
        _check_table(table, found.get(table.name, []))


def _check_table(table: Table, found: list[tuple[str, str]]) -> None:
    declared = [(column.name, column.type) for column in table.columns]
    if found != declared:
        odd = sorted({f"{name} {type_}" for name, type_ in set(found) ^ set(declared)})
        raise UnableToOpenStore(
            f"the table {table.name} is not as this release declares it: {', '.join(odd) or 'column order'}; "
            "restore it, or move the store away and let octroi replay the log into a new one"
        )
