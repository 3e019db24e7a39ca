"""The one door to ClickHouse: nothing else imports clickhouse_connect.

Embedded (chdb) and server answer the same calls. chdb allows one process per directory and one directory per process; a
process may hold several connections to it, each with its own settings and its own lock.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from sinks.clickhouse.results import check_whole, has_plain_bytes, note_types, schema_of, with_binary, with_texts
from sinks.clickhouse.table import quoted

WRITER_SETTINGS: Final[Mapping[str, Any]] = {
    # an insert must end in one part, whatever its size: parts appear atomically, one by one
    "min_insert_block_size_rows": 1 << 40,
    "min_insert_block_size_bytes": 1 << 50,
    "max_insert_block_size": 1 << 40,
    "max_insert_threads": 1,
    # a column wins over an alias of the same name, as in standard SQL: sum(amount) AS amount is harmless
    "prefer_column_name_to_alias": 1,
    # the rows themselves say what is stored; asynchronous or deduplicated inserts would blur it
    "async_insert": 0,
    "insert_deduplicate": 0,
}
"""Settings of the connection that inserts."""

READER_SETTINGS: Final[Mapping[str, Any]] = {
    "max_result_rows": 1_000_000,
    "max_result_bytes": 256 << 20,
    "result_overflow_mode": "throw",
    "max_memory_usage": 1 << 30,
    "max_bytes_before_external_group_by": 400 << 20,
    "max_bytes_before_external_sort": 400 << 20,
    "max_execution_time": 300,
    "prefer_column_name_to_alias": 1,
    # last: with readonly no setting can be changed any more
    "readonly": 1,
}
"""Settings of the connection that answers analysts."""

SCAN_SETTINGS: Final[Mapping[str, Any]] = {
    "max_memory_usage": 3 << 30,
    "max_bytes_before_external_group_by": 1 << 30,
    "max_bytes_before_external_sort": 1 << 30,
    "max_execution_time": 3600,
    # a part of a billing run names accounts that lie outside its range
    "max_query_size": 64 << 20,
    "prefer_column_name_to_alias": 1,
    "readonly": 1,
}
"""Settings of the connection that answers with files: any number of rows, in bounded memory."""

# 74, 75: cannot read from or write to a file; 76: cannot open; 159, 160: timeout; 202: too many queries;
# 209, 210: network; 241: memory; 243: disk full; 252: too many parts
_TRANSIENT_CODES: Final = frozenset({74, 75, 76, 159, 160, 202, 209, 210, 241, 243, 252})
_TRANSIENT_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE})
_ERRNO_TEXT: Final = re.compile(r"errno: (\d+)")
_READS: Final = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:select|with|show|desc|describe|explain|exists)\b", re.IGNORECASE | re.DOTALL
)
_OUTFILE: Final = re.compile(r"\boutfile\b", re.IGNORECASE)


class UnableToOpenStore(Exception):
    """The store cannot be opened, or does not have the layout that this release needs."""


class UnableToStore(Exception):
    """Rows could not be stored. `transient`: the same write may succeed later, when the cause is removed."""

    def __init__(self, message: str, *, transient: bool) -> None:
        """Keep whether a retry makes sense."""
        super().__init__(message)
        self.transient = transient


class UnableToQuery(Exception):
    """A query is not allowed, is wrong, or exceeds its bounds."""


class Connection:
    """One connection. Its calls may come from several threads; they run one after the other."""

    def __init__(self, client: Client, *, embedded: bool = False) -> None:
        """Wrap an open client; whether its engine is in this process, and writes files itself."""
        self._client = client
        self._embedded = embedded

    @classmethod
    def embedded(cls, path: Path, settings: Mapping[str, Any], *, database: str | None = None) -> Connection:
        """Return a connection to the embedded store in the directory `path`, created when absent.

        Raises:
            UnableToOpenStore: when another process has it open, this process has another one open, or it is damaged.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            client = clickhouse_connect.get_client(
                interface="chdb", path=str(path), database=database, settings=dict(settings)
            )
        except (ClickHouseError, OSError) as error:
            raise UnableToOpenStore(_describe_opening(path, error)) from error
        return cls(client, embedded=True)

    @classmethod
    def server(cls, address: str, settings: Mapping[str, Any], *, database: str | None = None) -> Connection:
        """Return a connection to the server at an address, `http://user:password@host:8123`.

        Raises:
            UnableToOpenStore: when it does not answer, or refuses.
        """
        try:
            client = clickhouse_connect.get_client(dsn=address, database=database, settings=dict(settings))
        except (ClickHouseError, OSError) as error:
            raise UnableToOpenStore(f"cannot open the store at {_without_user(address)}: {error}") from error
        return cls(client)

    def execute(self, sql: str) -> None:
        """Run a statement without a result.

        Raises:
            UnableToStore: when it fails.
        """
        try:
            self._client.command(sql)
        except (ClickHouseError, OSError) as error:
            raise _unable_to_store(error) from error

    def insert_native(self, table: str, columns: list[str], chunks: Iterable[bytes], token: str | None = None) -> None:
        """Insert one block in Native format, as one part; not at all where an insert with the same token is remembered.

        Raises:
            UnableToStore: when it fails; the table is as before, unless the connection broke before the answer.
        """
        self._insert(table, columns, (chunk for chunk in chunks), "Native", token)

    def insert_arrow(self, table: str, rows: pa.Table, token: str | None = None) -> None:
        """Insert the rows of an Arrow table, as one part; not at all where an insert with the same token is remembered.

        Raises:
            UnableToStore: when it fails; the table is as before, unless the connection broke before the answer.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        self._insert(table, rows.schema.names, sink.getvalue().to_pybytes(), "Arrow", token)

    def _insert(self, table: str, columns: list[str], data: Any, form: str, token: str | None) -> None:
        named = None if token is None else {"insert_deduplicate": 1, "insert_deduplication_token": token}
        try:
            self._client.raw_insert(table, columns, data, settings=named, fmt=form)
        except (ClickHouseError, OSError) as error:
            raise _unable_to_store(error) from error

    def select(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement; `{name:Type}` in it stands for `parameters[name]`.

        A String column in which some value is no UTF-8 comes as binary; integers beyond 64 bits and IPv6 come as text.

        Raises:
            UnableToQuery: when it is no single reading statement, is wrong, or exceeds the connection's bounds.
        """
        statement = single_reading_statement(sql)
        try:
            data = self._client.raw_query(statement, dict(parameters or {}), fmt="ArrowStream")
            rows = with_binary(pa.ipc.open_stream(data).read_all())
            return with_texts(rows, self._types(statement, parameters)) if has_plain_bytes(rows) else rows
        except (ClickHouseError, OSError, pa.ArrowInvalid) as error:
            raise UnableToQuery(str(error)) from error

    def spool(self, sql: str, path: Path, parameters: Mapping[str, Any] | None = None) -> None:
        """Write the result of one reading statement to a new file, as Arrow IPC streams one after the other.

        The engine writes it as it goes, so that memory does not grow with the result. `results.batches_of` reads it.

        Raises:
            UnableToQuery: when it is no single reading statement, is wrong, or there is no room; there is no file then.
        """
        statement = single_reading_statement(sql)
        bound = dict(parameters or {})
        try:
            if self._embedded:
                into = f"{statement}\nINTO OUTFILE {quoted(str(path))}"
                self._client.raw_query(into, bound, fmt="ArrowStream")
            else:
                with self._client.raw_stream(statement, bound, fmt="ArrowStream") as stream, path.open("xb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
            check_whole(path)
            if has_plain_bytes(schema_of(path).empty_table()):
                note_types(path, self._types(statement, bound))
        except (ClickHouseError, OSError, pa.ArrowInvalid) as error:
            path.unlink(missing_ok=True)
            raise UnableToQuery(str(error)) from error

    def _types(self, statement: str, parameters: Mapping[str, Any] | None) -> list[str]:
        data = self._client.raw_query(f"DESCRIBE TABLE (\n{statement}\n)", dict(parameters or {}), fmt="ArrowStream")
        return [row["type"] for row in pa.ipc.open_stream(data).read_all().to_pylist()]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the result of `select` as one mapping per row, for small results.

        Raises:
            UnableToQuery: as `select`.
        """
        return self.select(sql).to_pylist()

    def close(self) -> None:
        """Close the connection; the directory is free when the process's last one is closed."""
        self._client.close()


def single_reading_statement(sql: str) -> str:
    """Return the statement without its final semicolon.

    ClickHouse's readonly mode still writes SELECT … INTO OUTFILE, and runs SYSTEM and KILL. The checks are on the plain
    text, so they also refuse a `;` or an OUTFILE in a string: such strings are passed as parameters.

    Raises:
        UnableToQuery: when it is something else than one statement that reads.
    """
    statement = sql.strip().removesuffix(";")
    if not _READS.match(statement):
        raise UnableToQuery("only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed here")
    if ";" in statement:
        raise UnableToQuery("only one statement is allowed; a text with a semicolon is passed as a parameter")
    if _OUTFILE.search(statement):
        raise UnableToQuery("INTO OUTFILE is not allowed here: results are returned, not written")
    return statement


def _without_user(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


def _describe_opening(path: Path, error: Exception) -> str:
    text = str(error)
    if "already initialized with path" in text:
        return f"cannot open the store {path}: this process has another store open, and it can have one"
    if "Error initializing EmbeddedServer" in text:
        return f"cannot open the store {path}: another process has it open, or the directory is damaged or not writable"
    return f"cannot open the store {path}: {text}"


def _unable_to_store(error: Exception) -> UnableToStore:
    if isinstance(error, OSError):
        return UnableToStore(f"cannot store: {error.strerror or error}", transient=error.errno in _TRANSIENT_ERRNOS)
    text = str(error)
    code = error.code if isinstance(error, DatabaseError) else None
    found = _ERRNO_TEXT.search(text)
    away = isinstance(error, OperationalError) and code is None  # the connection failed, not the statement
    transient = away or code in _TRANSIENT_CODES or (found is not None and int(found[1]) in _TRANSIENT_ERRNOS)
    return UnableToStore(f"cannot store: {text}", transient=transient)
