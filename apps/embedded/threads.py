"""Two small threads around the stages: one decodes ahead, one writes behind. Errors surface in the caller."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from apps.embedded.ports import FactStore
from apps.settings import Settings
from schemas.output import OutputBlock

Item = TypeVar("Item")
_POLL_S = 0.05
_MEANWHILE_S = 0.001
"""How soon what is done while a flush is waited for is done again."""


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


class Ahead(Generic[Item]):
    """Runs an iterator in a thread: `depth` items wait for the consumer at most, and one more is being made."""

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        """Start at once."""
        self._queue: queue.Queue[Item | _End] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(items,), name="decode", daemon=True)
        self._thread.start()

    def _offer(self, item: Item | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def _run(self, items: Iterator[Item]) -> None:
        end = _End()
        try:
            for item in items:
                if not self._offer(item):
                    return
        except BaseException as error:
            end = _End(error)
        self._offer(end)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in order; raise what the iterator raised."""
        try:
            while not isinstance(item := self._queue.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            self.stop()

    def stop(self) -> None:
        """End the thread; items not yet taken are dropped."""
        self._stopped.set()
        self._thread.join()


Work = Callable[[], None]
"""Stores something that is no block."""


class WriterIsClosed(Exception):
    """The writer was closed; nothing is stored any more."""


@dataclass(slots=True)
class WriterFigures:
    """What the writer did: rows and blocks stored, inserts, seconds spent inside the store."""

    blocks: int = 0
    records: int = 0
    flushes: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class Writer:
    """Gathers output blocks and stores them in a thread, in order, `flush_records` or `flush_s` at a time.

    Attributes:
        store: writes a list of blocks; called from the thread only.
        flush_records: a flush starts when this many records are waiting.
        flush_s: or when the oldest has waited this long.
        backlog_records: `put` waits while more than this is waiting or being stored.
        given: blocks and works handed over so far.
    """

    store: Callable[[list[OutputBlock]], None]
    flush_records: int
    flush_s: float
    backlog_records: int
    figures: WriterFigures = field(default_factory=WriterFigures)
    _waiting: list[OutputBlock | Work] = field(default_factory=list)
    _waiting_records: int = 0
    _storing_records: int = 0
    given: int = 0
    _done: int = 0
    _oldest: float = 0.0
    _wanted: int = 0
    _closing: bool = False
    _error: BaseException | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def put(self, block: OutputBlock) -> None:
        """Hand over one block; wait while the backlog is full.

        Raises:
            Exception: whatever the store raised; nothing more is stored after that.
            WriterIsClosed: when it was closed.
        """
        self._put(block, max(block.header.received, 1))

    def then(self, work: Work) -> None:
        """Have something else stored behind what was handed over until now, and before what comes; raises as `put` does."""
        self._put(work, 1)

    def _put(self, item: OutputBlock | Work, records: int) -> None:
        with self._changed:
            while self._is_running and self._waiting_records + self._storing_records > self.backlog_records:
                self._changed.wait()
            self._raise()
            if not self._waiting:
                self._oldest = time.monotonic()
            self._waiting.append(item)
            self.given += 1
            self._waiting_records += records
            self._changed.notify_all()

    def flush(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Wait until everything handed over until now is stored, doing something `meanwhile`; raises as `put` does."""
        self.reach(self.given, meanwhile)

    def reach(self, given: int, meanwhile: Callable[[], None] | None = None) -> None:
        """Wait, in any thread, until so many of what was `given` are stored; as `flush` in all else."""
        while True:
            with self._changed:
                self._wanted = max(self._wanted, given)
                self._changed.notify_all()
                if self._is_running and self._done < given:
                    self._changed.wait(None if meanwhile is None else _MEANWHILE_S)
                if not self._is_running or self._done >= given:
                    self._raise()
                    return
            if meanwhile is not None:
                meanwhile()

    def close(self) -> None:
        """End the thread without storing what still waits (call `flush` first to keep it)."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def _is_running(self) -> bool:
        return self._error is None and not self._closing

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closing:
            raise WriterIsClosed

    def _due(self) -> bool:
        if not self._waiting:
            return False
        return (
            self._done < self._wanted
            or self._waiting_records >= self.flush_records
            or time.monotonic() - self._oldest >= self.flush_s
        )

    def _take(self) -> list[OutputBlock | Work] | None:
        with self._changed:
            while not self._closing and not self._due():
                self._changed.wait(timeout=self._oldest + self.flush_s - time.monotonic() if self._waiting else None)
            if self._closing:
                return None
            items, self._waiting = self._waiting, []
            self._storing_records, self._waiting_records = self._waiting_records, 0
            return items

    def _store(self, items: list[OutputBlock | Work]) -> int:
        """Store everything in order, as many blocks at once as there are between works; return how many blocks."""
        blocks: list[OutputBlock] = []
        count = 0
        for item in items:
            if not callable(item):
                blocks.append(item)
                continue
            if blocks:
                self.store(blocks)
                count, blocks = count + len(blocks), []
            item()
        if blocks:
            self.store(blocks)
        return count + len(blocks)

    def _run(self) -> None:
        while (items := self._take()) is not None:
            started = time.monotonic()
            try:
                blocks = self._store(items)
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self.figures.busy_s += time.monotonic() - started
                self.figures.flushes += 1
                self.figures.blocks += blocks
                self._done += len(items)
                self.figures.records += self._storing_records
                self._storing_records = 0
                self._changed.notify_all()


def start_writer(store: FactStore, settings: Settings) -> Writer:
    """Return a running writer in front of a store."""
    writer = Writer(
        store=store.write,
        flush_records=settings.flush_records,
        flush_s=settings.flush_ms / 1000,
        backlog_records=2 * settings.flush_records,
    )
    writer.start()
    return writer
