"""Reaching a data directory: through its owner when one runs, else by becoming the owner for a moment."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from apps.clock import now_us
from apps.embedded.facts import differences_as_json, open_store
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import DirectoryIsOwned, OwnerLock
from apps.embedded.protocol import UnableToTalk, reachable, receive_answer, send_frame
from apps.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from apps.embedded.engine import Engine
    from sinks.clickhouse.store import Store

WAIT_S = 0.1
SCRATCH = ".scan-"
"""How directories of results begin that are too large for a frame; they go away with the result."""
STARTING_S = 20.0
"""How long an owner may take from its lock to its socket: it replays its log in between."""


class UnableToReach(Exception):
    """There is no data here, or its owner does not answer."""


class OwnerRefused(Exception):
    """The owner could not do what was asked; the message is the owner's, `kinds` the classes of its exception."""

    def __init__(self, message: str, kinds: Sequence[str] = ()) -> None:
        """Keep what the owner's exception was."""
        super().__init__(message)
        self.kinds = tuple(kinds)


class Access(Protocol):
    """What a command may ask of a data directory."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement."""

    def scan(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Iterator[pa.RecordBatch]]:
        """Yield the result of one reading statement, of any size, in batches."""

    def command(self, request: dict[str, Any]) -> Any:
        """Run one changing command and return its result."""

    def release(self) -> bool:
        """Close what this process has open of the directory; return whether nobody else works in it."""


class _Remote:
    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                with reachable(self._directory.socket) as address:
                    connection.connect(address)
                send_frame(connection, json.dumps(request).encode())
                answer, table = receive_answer(connection)
        except (OSError, UnableToTalk) as error:
            raise UnableToReach(
                f"the process that owns {self._directory.root} ended before it answered; try again ({error})"
            ) from error
        if "error" in answer:
            raise OwnerRefused(answer["error"], answer.get("kinds", ()))
        return answer, table

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        _, table = self._ask({"op": "query", "sql": sql, "parameters": dict(parameters or {})})
        if table is None:
            raise UnableToTalk("the owner answered a query without a table")
        return table

    @contextmanager
    def scan(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Iterator[pa.RecordBatch]]:
        from sinks.clickhouse.results import batches_of

        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self._directory.root) as scratch:
            path = Path(scratch) / "result"
            self._ask({"op": "spool", "sql": sql, "parameters": dict(parameters or {}), "path": str(path)})
            yield batches_of(path)

    def command(self, request: dict[str, Any]) -> Any:
        return self._ask(request)[0]["result"]

    def release(self) -> bool:
        return False


class _Local:
    """The store opened by this process, for as long as the command lasts."""

    def __init__(self, directory: DataDirectory, settings: Settings, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._settings = settings
        self._say = say
        self._store: Store | None = None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = open_store(self._directory)
        return self._store

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        return self._opened().query(sql, parameters)

    def scan(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Iterator[pa.RecordBatch]]:
        return self._opened().long.scan(sql, self._directory.root, parameters)

    def command(self, request: dict[str, Any]) -> Any:
        if request["op"] == "balance":
            return differences_as_json(self._opened())
        from apps.embedded.activation import take_catalog
        from apps.embedded.billing_issue import complete_marks
        from apps.embedded.commands import perform
        from apps.embedded.supersede import settle_newer

        self.close()
        action = perform(request)
        engine, _ = open_owned(self._directory, self._settings, self._say)
        try:
            engine.recover()
            if request["op"] in ("simulate", "show_account", "cut"):  # leaves no trace
                return action(engine)
            complete_marks(engine)  # before anything asks what is billed
            take_catalog(engine)
            result = action(engine)
            settle_newer(engine)
            engine.snapshot()
            return result
        finally:
            engine.close()

    def release(self) -> bool:
        self.close()
        return True

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _responds(directory: DataDirectory) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, reachable(directory.socket) as address:
            connection.connect(address)
        return True
    except OSError:
        return False


def open_owned(directory: DataDirectory, settings: Settings, say: Callable[[str], None]) -> tuple[Engine, Store]:
    """Open engine and store of a data directory whose lock the caller holds; closing the engine closes both.

    Raises:
        Exception: why they cannot be opened; then neither is open.
    """
    from apps.embedded.engine import open_engine

    store = open_store(directory)
    try:
        return open_engine(directory, settings, store, now=now_us, report=say), store
    except BaseException:
        store.close()
        raise


def take_over(directory: DataDirectory) -> OwnerLock:
    """Return the lock of a data directory; wait while a command that is soon done holds it.

    Raises:
        DirectoryIsOwned: when the process that holds it answers on the socket, or holds it for too long.
    """
    deadline = time.monotonic() + STARTING_S
    while True:
        try:
            return OwnerLock(directory.lock)
        except DirectoryIsOwned:
            if _responds(directory) or time.monotonic() > deadline:
                raise
        time.sleep(WAIT_S)


@contextmanager
def reach(directory: DataDirectory, settings: Settings, say: Callable[[str], None]) -> Iterator[Access]:
    """Yield access to a data directory; `say` is told what an operator must see while it is being opened.

    Raises:
        UnableToReach: when there is no data directory, or its owner does not answer in time.
    """
    if not directory.journal.exists() and not directory.store.exists():  # a sink of the streaming mode keeps no journal
        raise UnableToReach(f"{directory.root} holds no octroi data; `octroi run {directory.root}` starts one")
    deadline = time.monotonic() + STARTING_S
    while True:
        if _responds(directory):
            yield _Remote(directory)
            return
        try:
            lock = OwnerLock(directory.lock)
        except DirectoryIsOwned as error:
            if time.monotonic() > deadline:
                raise UnableToReach(f"{error}, and it does not answer on its socket") from error
            time.sleep(WAIT_S)
            continue
        with lock:
            local = _Local(directory, settings, say)
            try:
                yield local
            finally:
                local.close()
        return
