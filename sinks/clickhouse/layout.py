"""Bringing a store to the layout that this release needs, or refusing it."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.clickhouse.client import Connection, UnableToOpenStore, UnableToQuery, UnableToStore
from sinks.clickhouse.migrations import FACTS, KEPT, MIGRATIONS, SCHEMA_MIGRATION, Migration, adds_column
from sinks.clickhouse.table import DATABASE, Table
from sinks.clickhouse.tables.dimensions import DIMENSIONS
from sinks.clickhouse.views import VIEWS

_OURS = f"database = '{DATABASE}'"


ROOM_BYTES = 64 << 20
"""Free space below which no definition is written.

On a full disk ClickHouse leaves half a definition, says that all is well, and can never open the directory again.
"""


def create_database(connection: Connection) -> None:
    """Create the database when it does not exist.

    Raises:
        UnableToOpenStore: when the disk is too full for it.
        UnableToStore, UnableToQuery: when ClickHouse refuses.
    """
    if not connection.rows(f"SELECT name FROM system.databases WHERE name = '{DATABASE}'"):
        _expect_room(connection)
        connection.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")


def apply_migrations(connection: Connection) -> None:
    """Apply the missing steps in order, replace views that changed, and check that the tables are as declared.

    Raises:
        UnableToOpenStore: when the layout is a newer release's, a step fails, a table is not as declared, or the disk is too
            full for a step.
    """
    try:
        tables = {row["name"] for row in connection.rows(f"SELECT name FROM system.tables WHERE {_OURS}")}
        if not tables:
            _make(connection)
        else:
            _apply_missing(connection, recorded=SCHEMA_MIGRATION.name in tables)
        _check_tables(connection)
        _replace_views(connection)
    except (UnableToStore, UnableToQuery) as error:
        raise UnableToOpenStore(f"cannot bring the store to this release's layout: {error}") from error


def _make(connection: Connection) -> None:
    """Make this release's layout where there is nothing: a table made as it is declared has the columns that steps add.

    After a crash on the way there are tables and no recorded step, so that the steps are applied to them.
    """
    _expect_room(connection)
    steps = (statement for migration in MIGRATIONS for statement in migration.statements)
    for statement in dict.fromkeys(statement for statement in steps if not adds_column(statement)):
        connection.execute(statement)
    connection.execute(SCHEMA_MIGRATION.ddl)
    _record(connection, MIGRATIONS)


def _apply_missing(connection: Connection, *, recorded: bool) -> None:
    if not recorded:
        _expect_room(connection)
        connection.execute(SCHEMA_MIGRATION.ddl)
    applied = _applied(connection)
    for migration in MIGRATIONS:
        if migration.version in applied:
            continue
        _expect_room(connection)
        for statement in migration.statements:
            connection.execute(statement)
        _record(connection, (migration,))


def _record(connection: Connection, migrations: Sequence[Migration]) -> None:
    rows = ", ".join(f"({migration.version}, '{migration.name}')" for migration in migrations)
    connection.execute(f"INSERT INTO {SCHEMA_MIGRATION.qualified} (version, name) VALUES {rows}")


def _expect_room(connection: Connection) -> None:
    (disk,) = connection.rows("SELECT min(unreserved_space) AS free FROM system.disks")
    if disk["free"] < ROOM_BYTES:
        raise UnableToOpenStore(
            f"the disk has {disk['free'] >> 20} MiB left, and tables are only created or changed while it has "
            f"{ROOM_BYTES >> 20}: make room and try again"
        )


def _replace_views(connection: Connection) -> None:
    """Replace the views whose definition is not this release's: what is as it should be is not written again."""
    held = connection.rows(
        f"SELECT name, create_table_query AS ddl FROM system.tables WHERE {_OURS} AND engine = 'View'"
    )
    definitions = {row["name"]: row["ddl"] for row in held}
    plain = {view.name: view.ddl.replace("CREATE OR REPLACE VIEW", "CREATE VIEW", 1) for view in VIEWS}
    formatted = connection.select(
        "SELECT ddl, formatQuerySingleLine(ddl) AS line FROM (SELECT arrayJoin({ddls:Array(String)}) AS ddl)",
        {"ddls": list(plain.values())},
    ).to_pylist()
    line = {row["ddl"]: row["line"] for row in formatted}
    other = [view for view in VIEWS if definitions.get(view.name) != line[plain[view.name]]]
    if other:
        _expect_room(connection)
    for view in other:  # what is not there yet need not be exchanged, which takes twice as long
        verb = "CREATE OR REPLACE VIEW" if view.name in definitions else "CREATE VIEW IF NOT EXISTS"
        connection.execute(view.ddl.replace("CREATE OR REPLACE VIEW", verb, 1))


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
    for table in (*FACTS, *KEPT, *DIMENSIONS.values()):
        _check_table(table, found.get(table.name, []))


def _check_table(table: Table, found: list[tuple[str, str]]) -> None:
    declared = [(column.name, column.type) for column in table.columns]
    if found != declared:
        odd = sorted({f"{name} {type_}" for name, type_ in set(found) ^ set(declared)})
        raise UnableToOpenStore(
            f"the table {table.name} is not as this release declares it: {', '.join(odd) or 'column order'}; "
            "restore it, or move the store away and let octroi replay the log into a new one"
        )
