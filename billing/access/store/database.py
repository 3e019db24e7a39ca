"""Opening a tenant's database: a file of SQLite, or a schema of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from billing.access.rules import check_code

BUSY_MS = 30_000
"""How long a writer of SQLite waits for another one."""
_WRITES = "octroi_writes"
_LOCK = 1_869_837_423
"""Of PostgreSQL's advisory locks, with the schema: one process writes at a time."""


class UnableToOpenDatabase(Exception):
    """There is no such database, it does not answer, or it is not as this version expects it."""


class UnknownTenant(UnableToOpenDatabase):
    """There is no database of this tenant yet."""


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one tenant; nothing in it is of another one.

    Attributes:
        engine: connections to it. Those of PostgreSQL see the tenant's schema and no other.
        tenant: whose it is. place: file or schema, for messages; never a password.
    """

    engine: Engine
    tenant: str
    place: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database.

        Raises:
            UnableToOpenDatabase: when it does not answer.
        """
        with self._told(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection whose work is kept whole when the block ends, and not at all when it raises.

        A tenant has one writer at a time, which is chosen when the block begins: what it reads stays so until it is done.

        Raises:
            UnableToOpenDatabase: when it does not answer.
        """
        with self._told(), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                if not self.is_sqlite:
                    lock = text("SELECT pg_advisory_xact_lock(:room, hashtext(:schema))")
                    connection.execute(lock, {"room": _LOCK, "schema": schema_of(self.tenant)})
                yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise UnableToOpenDatabase(f"{self.place}: {first_line(error)}") from error
            raise

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def first_line(error: DBAPIError) -> str:
    """Return what a database said, without the statement and its values, which may be personal data."""
    return str(error.orig).strip().partition("\n")[0]


def schema_of(tenant: str) -> str:
    """Return the schema of PostgreSQL in which a tenant's tables are."""
    return f"tenant_{check_code(tenant)}"


def open_file(path: Path, tenant: str, *, journal: str = "WAL") -> Database:
    """Return the database in a file of SQLite, which is made when it is first written.

    With the `journal` DELETE it is one file whenever nobody writes, as a copy that is handed on must be.
    """
    check_code(tenant)
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_MS / 1000}, hide_parameters=True
    )

    @event.listens_for(engine, "do_connect")
    def _make(*_: Any) -> None:
        with suppress(OSError):  # SQLite says what is wrong
            path.touch(0o600)  # it holds personal data; what SQLite puts beside it has the same mode

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions itself, too late and not around DDL
        # FULL: what was committed is on disk; WAL: readers do not wait for the writer
        for pragma in (f"journal_mode = {journal}", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine, tenant, str(path))


def copy_file(source: Path, target: Path) -> None:
    """Copy a database of SQLite, as of one moment, to a new file, while others go on reading and writing it.

    Raises:
        UnableToOpenDatabase: when it cannot be read, or the target is there already.
    """
    database = open_file(source, "any")
    try:
        connection = database.engine.raw_connection()
        try:
            connection.driver_connection.execute("VACUUM INTO ?", (str(target),))  # type: ignore[union-attr]
        finally:
            connection.close()
    except Exception as error:
        if type(error).__name__ not in ("OperationalError", "DatabaseError"):
            raise
        raise UnableToOpenDatabase(f"{source} cannot be copied to {target}: {error}") from error
    finally:
        database.close()


def open_schema(address: str, tenant: str) -> Database:
    """Return a tenant's schema of the PostgreSQL at an address (`postgresql://user:password@host/database`).

    Raises:
        UnableToOpenDatabase: when the address is none, or its driver is not installed.
    """
    url = server_url(address)
    schema = schema_of(tenant)
    try:
        engine = create_engine(
            url,
            connect_args={"options": f'-csearch_path="{schema}"'},
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except (NoSuchModuleError, ImportError) as error:
        raise UnableToOpenDatabase(f"PostgreSQL needs its driver: install octroi[postgres] ({error})") from error
    return Database(engine, tenant, f"schema {schema} of {_shown(url)}")


def _shown(url: URL) -> str:
    """Return an address without passwords, which drivers take as options, too, and which may hold an @."""
    host = None if url.host is None else url.host.rpartition("@")[2]
    shown = url.set(host=host).difference_update_query(["password", "sslpassword"])
    return shown.render_as_string(hide_password=True)


def server_url(address: str) -> URL:
    """Return the address of a PostgreSQL server as its driver wants it.

    Raises:
        UnableToOpenDatabase: when it is no such address.
    """
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise UnableToOpenDatabase("the setting `database` is no address: postgresql://user@host/database") from error
    if url.get_backend_name() != "postgresql":
        raise UnableToOpenDatabase(f"the setting `database` names {url.get_backend_name()}; only postgresql is known")
    return url.set(drivername="postgresql+psycopg")


def schemas_on(address: str) -> list[str]:
    """Return the codes of the tenants that have a schema at an address.

    Raises:
        UnableToOpenDatabase: when the server does not answer.
    """
    with _server(address) as connection:
        found = connection.execute(
            text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'tenant_') ORDER BY nspname")
        )
        return [str(name).removeprefix("tenant_") for (name,) in found]


def drop_schema(address: str, tenant: str) -> None:
    """Remove a tenant's schema with all that is in it.

    Raises:
        UnableToOpenDatabase: when the server does not answer.
    """
    with _server(address) as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema_of(tenant)}" CASCADE'))


@contextmanager
def _server(address: str) -> Iterator[Connection]:
    url = server_url(address)
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise UnableToOpenDatabase(f"{_shown(url)}: {first_line(error)}") from error
    finally:
        engine.dispose()
