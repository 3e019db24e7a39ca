"""Fixtures of the store's tests: a store in a directory of its own per test (chdb has one directory at a time)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import output_blocks
import pyarrow as pa
import pytest

from sinks.clickhouse.client import Connection
from sinks.clickhouse.store import Store, UnableToStore


@pytest.fixture
def made() -> ModuleType:
    """The maker of output blocks."""
    return output_blocks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with this release's layout."""
    opened = Store.open(tmp_path / "store")
    opened.migrate()
    yield opened
    opened.close()


class FaultyConnection:
    """A connection whose `fails_at`-th insert fails, before or after the rows are in."""

    def __init__(self, inner: Connection, fails_at: int, *, after: bool) -> None:
        self._inner = inner
        self._left = fails_at
        self._after = after

    def _insert(self, insert: Callable[[], None]) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise UnableToStore("injected: no space left", transient=True)
        insert()
        if self._left == 0:
            raise UnableToStore("injected: the answer was lost", transient=True)

    def insert_native(self, table: str, columns: list[str], chunks: Iterable[bytes], token: str | None = None) -> None:
        self._insert(lambda: self._inner.insert_native(table, columns, chunks, token))

    def insert_arrow(self, table: str, rows: pa.Table, token: str | None = None) -> None:
        self._insert(lambda: self._inner.insert_arrow(table, rows, token))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def faulty() -> Callable[..., Store]:
    """Make a store over the same connections whose n-th insert fails."""

    def make(store: Store, fails_at: int, *, after: bool = False) -> Store:
        return Store(FaultyConnection(store._writer, fails_at, after=after), store._reader, store.long)  # type: ignore[arg-type]

    return make
