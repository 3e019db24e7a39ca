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

from apps.embedded.commands import differences_as_json, perform
from apps.embedded.intake import Intake
from apps.embedded.protocol import UnableToTalk, reachable, receive_frame, send_answer
from sinks.clickhouse.store import Store

REQUEST_TIMEOUT_S = 30.0


class OwnerServer:
    """Answers on the data directory's socket, each connection in its own thread, until closed."""

    def __init__(self, path: Path, store: Store, intake: Intake) -> None:
        """Start answering; a socket file that a crash left behind is replaced (the caller holds the lock)."""
        self._path = path
        self._store = store
        self._intake = intake
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
            try:
                request = json.loads(receive_frame(connection))
                answer, table = self._handle(request)
            except UnableToTalk:
                return
            except Exception as error:
                answer, table = {"error": str(error), "type": type(error).__name__}, None
            connection.settimeout(None)
            send_answer(connection, answer, table)

    def _handle(self, request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
        if request["op"] == "query":
            return {}, self._store.query(request["sql"], request.get("parameters"))
        if request["op"] == "balance":
            return {"result": differences_as_json(self._store)}, None
        action: Callable[..., Any] = perform(request)
        return {"result": self._intake.submit(action).result()}, None
