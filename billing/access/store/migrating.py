"""Bringing a database to the form that this version reads, one revision after another, with its data in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from billing.access.store.database import Database, UnableToOpenDatabase, schema_of

HEAD = "head"
_LOCK = 7_305_804_402_566_165_327
"""Of PostgreSQL's advisory locks: one process migrates at a time."""


def scripts() -> ScriptDirectory:
    """Return the revisions."""
    folder = Path(__file__).with_name("migrations")
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])


def revisions() -> list[str]:
    """Return all revisions, the first one first."""
    return [script.revision for script in reversed(list(scripts().walk_revisions()))]


def current(database: Database) -> str | None:
    """Return the revision of a database, None when it holds nothing of ours.

    Raises:
        UnableToOpenDatabase: when it does not answer.
    """
    if database.is_sqlite and not Path(str(database.engine.url.database)).exists():
        return None
    with database.reading() as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, target: str = HEAD) -> tuple[str | None, str]:
    """Bring a database to a revision; return which it had and which it has. All of it, or nothing, is done.

    Raises:
        UnableToOpenDatabase: when it does not answer, or was written by a newer version.
    """
    script = scripts()

    def steps(found: Any, _: Any) -> Any:
        return script._upgrade_revs(target, found)

    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema_of(database.tenant)}"'))
        before = _current(connection)
        _expect_known(database, before)
        context = MigrationContext.configure(connection, opts={"fn": steps, "script": script})
        with Operations.context(context):
            context.run_migrations()
        after = _current(connection)
    assert after is not None
    return before, after


def expect_current(database: Database) -> None:
    """Check that a database has the form that this version reads.

    Raises:
        UnableToOpenDatabase: when it has not, with what to do.
    """
    found = current(database)
    _expect_known(database, found)
    if found != revisions()[-1]:
        told = "is empty" if found is None else f"has revision {found}, not {revisions()[-1]}"
        raise UnableToOpenDatabase(f"{database.place} {told}: run `octroi db upgrade`")


def _expect_known(database: Database, found: str | None) -> None:
    if found is not None and found not in revisions():
        raise UnableToOpenDatabase(f"{database.place} was written by a newer octroi (revision {found}): use that one")
