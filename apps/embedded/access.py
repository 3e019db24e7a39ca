"""Reaching a data directory: through its owner when one runs, else by becoming the owner for a moment."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa

from apps.clock import now_us
from apps.embedded.commands import perform
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import DirectoryIsOwned, OwnerLock
from apps.embedded.protocol import UnableToTalk, reachable, receive_answer, send_frame
from apps.settings import Settings

STARTING_S = 20.0
"""How long an owner may take from its lock to its socket: it replays its log in between."""


class UnableToReach(Exception):
    """There is no data here, or its owner does not answer."""


class OwnerRefused(Exception):
    """The owner could not do what was asked; the message is the owner's."""


class Access(Protocol):
    """What a command may ask of a data directory."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement."""

    def command(self, request: dict[str, Any]) -> Any:
        """Run one changing command and return its result."""


class _Remote:
    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            with reachable(self._directory.socket) as address:
                connection.connect(address)
            send_frame(connection, json.dumps(request).encode())
            answer, table = receive_answer(connection)
        if "error" in answer:
            raise OwnerRefused(answer["error"])
        return answer, table

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        _, table = self._ask({"op": "query", "sql": sql, "parameters": dict(parameters or {})})
        if table is None:
            raise UnableToTalk("the owner answered a query without a table")
        return table

    def command(self, request: dict[str, Any]) -> Any:
        return self._ask(request)[0]["result"]


class _Local:
    def __init__(self, directory: DataDirectory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        from sinks.clickhouse.store import Store

        store = Store.open(self._directory.store)
        try:
            store.migrate()
            return store.query(sql, parameters)
        finally:
            store.close()

    def command(self, request: dict[str, Any]) -> Any:
        from apps.embedded.engine import open_engine

        action = perform(request)
        reports: list[str] = []
        engine = open_engine(self._directory, self._settings, now=now_us, report=reports.append)
        try:
            engine.recover()
            engine.take_catalog()
            result = action(engine)
            engine.snapshot()
            return result
        finally:
            engine.close()


def _responds(directory: DataDirectory) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, reachable(directory.socket) as address:
            connection.connect(address)
        return True
    except OSError:
        return False


@contextmanager
def reach(directory: DataDirectory, settings: Settings) -> Iterator[Access]:
    """Yield access to a data directory.

    Raises:
        UnableToReach: when there is no data directory, or its owner does not answer in time.
    """
    if not directory.journal.exists():
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
            time.sleep(0.1)
            continue
        with lock:
            yield _Local(directory, settings)
        return
