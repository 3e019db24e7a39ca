"""The owner's side of the local socket: other commands query the store and ask for replays while it runs."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from apps.embedded.charging_commands import LOOKS, submitted, told
from apps.embedded.commands import OPERATIONS, perform
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.intake import Intake
from apps.embedded.preparing import Preparer
from apps.embedded.protocol import UnableToTalk, reachable, receive_frame, send_answer
from sinks.clickhouse.store import Store

REQUEST_TIMEOUT_S = 30.0
REQUEST_BYTES_MAX = 16 << 20


class OwnerServer:
    """Answers on the data directory's socket, each connection in its own thread, until closed."""

    def __init__(self, path: Path, store: Store, intake: Intake) -> None:
        """Start answering; a socket file that a crash left behind is replaced (the caller holds the lock)."""
        self._path = path
        self._store = store
        self._intake = intake
        self._preparer = Preparer(intake.engine.directory, store)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable(path) as address:
            self._listener.bind(address)
        os.chmod(path, 0o600)
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._serve, name="owner", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        self._preparer.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(connection,), name="answer", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, UnableToTalk):
            connection.settimeout(REQUEST_TIMEOUT_S)
            request: Any = None
            try:
                request = json.loads(receive_frame(connection, REQUEST_BYTES_MAX))
                answer, table = self._handle(request)
            except UnableToTalk:
                return
            except Exception as error:
                kinds = [kind.__name__ for kind in type(error).__mro__]
                known = isinstance(request, dict) and request.get("op") in OPERATIONS
                told = str(error) if known else f"this is none of our requests: {type(error).__name__}: {error}"
                answer, table = {"error": told, "kinds": kinds}, None
            connection.settimeout(None)
            send_answer(connection, answer, table)

    def _handle(self, request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
        if request["op"] == "query":
            return {}, self._store.query(request["sql"], request.get("parameters"))
        if request["op"] == "spool":
            self._store.long.spool(request["sql"], Path(request["path"]), request.get("parameters"))
            return {}, None
        if request["op"] == "balance":
            # a block's facts are stored before its header: what differs meanwhile is looked at again between two claims
            found = differences_as_json(self._store) and self._intake.submit(self._balance).result()
            return {"result": found}, None
        engine = self._intake.engine
        if request["op"] == "activate":  # nothing waits until a large catalog is loaded
            return {"result": self._preparer.activate(self._intake)}, None
        if request["op"] in engine.beside:
            return {"result": engine.beside[request["op"]](request)}, None
        if request["op"] == "charge":  # between two blocks, rather than two claims
            return {"result": told(submitted(engine, [dict(one) for one in request["requests"]]))}, None
        action: Callable[[Engine], Any] = perform(request)
        if request["op"] in LOOKS:
            return {"result": engine.charging.look(action).result()}, None
        return {"result": self._intake.submit(action).result()}, None

    def _balance(self, engine: Engine) -> list[dict[str, Any]]:
        engine.flush()
        return differences_as_json(self._store)
