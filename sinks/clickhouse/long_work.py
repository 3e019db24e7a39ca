"""What takes long, on connections of its own so that nothing waits for it: large results, and sums that are kept."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sinks.clickhouse.client import SCAN_SETTINGS, WRITER_SETTINGS, Connection
from sinks.clickhouse.kept import KEEP_ROWS, keep_usage, sums_of
from sinks.clickhouse.results import batches_of

_KEEP_SETTINGS = {**WRITER_SETTINGS, "max_threads": 1}
"""Usage is summed up while more comes: it leaves the other processors alone."""


class LongWork:
    """Connections that are opened when they are needed first; each does one thing at a time."""

    def __init__(self, opened: Callable[[Mapping[str, Any]], Connection]) -> None:
        """Take what opens a connection to the store with some settings."""
        self._open = opened
        self._lock = threading.Lock()
        self._keeping = threading.Lock()
        self._connections: dict[str, Connection] = {}

    def close(self) -> None:
        """Close what was opened, once sums that are being made are done."""
        with self._keeping, self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    def _on(self, name: str, settings: Mapping[str, Any]) -> Connection:
        with self._lock:
            if name not in self._connections:
                self._connections[name] = self._open(settings)
            return self._connections[name]

    @contextmanager
    def scan(
        self, sql: str, scratch: Path, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Yield the result of one reading statement, whatever its size, in batches: by way of a file that goes away after it.

        Args:
            scratch: a directory with room for the result.

        Raises:
            UnableToQuery: when it does not only read, is wrong, or there is no room.
        """
        with tempfile.TemporaryDirectory(prefix=".scan-", dir=scratch) as directory:
            path = Path(directory) / "result"
            self.spool(sql, path, parameters)
            yield batches_of(path)

    def spool(self, sql: str, path: Path, parameters: Mapping[str, Any] | None = None) -> None:
        """Write the result of one reading statement to a new file, for `results.batches_of`.

        Raises:
            UnableToQuery: as `scan` does.
        """
        self._on("scan", SCAN_SETTINGS).spool(sql, path, parameters)

    def sums(self, start: datetime, end: datetime, *, tenant: str = "") -> Iterator[pa.Table]:
        """Yield what a period comes to by account and charge version, as `kept.sums_of` does: exact at any moment.

        Raises:
            UnableToQuery: when it is no period, or the tables cannot be read.
        """
        return sums_of(self._on("scan", SCAN_SETTINGS), start, end, tenant=tenant)

    def keep_usage(self, before: int, *, rows_min: int = KEEP_ROWS) -> bool:
        """Sum up usage of entries before one that is not summed up yet, when there is enough; return whether that was done.

        The store holds all blocks of all entries before that one. Others may write and query meanwhile.

        Raises:
            UnableToStore, UnableToQuery: when the database refuses, or the sums differ from the headers.
        """
        with self._keeping:
            return keep_usage(self._on("keep", _KEEP_SETTINGS), before, rows_min=rows_min)
