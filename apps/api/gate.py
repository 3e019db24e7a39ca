"""The gate between requests and the owner's main loop: how much may be on its way, what waits, which keys were used.

Requests come from the server's threads; bodies that wait are taken together, between two claims, by the main loop.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from apps.api.problems import Problem
from apps.embedded.engine import Engine
from apps.embedded.intake import Intake
from apps.embedded.posted import Receipt, key_of, stored_receipt, take_posted
from apps.settings import Settings
from pipelines.spool.claims import Arrival, UnableToClaim
from pipelines.spool.journal import FileClaim
from schemas.source import SourceBase

GROUP_MAX = 256
GROUP_BYTES = 64 << 20
"""Bodies taken together: after so many, or so many bytes, the spool has its turn."""
GRACE_S = 10.0
"""How long a stop waits for requests whose body is still coming."""
_TICK_S = 0.02
_RETRY_MAX_S = 60
_HOUR_US = 3_600_000_000
Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A durable body that waits for the main loop; `key` is the digest of its idempotency key."""

    arrival: Arrival
    size: int
    key: str | None
    content: str
    future: Future[Receipt] = field(default_factory=Future)


class Admission:
    """The share of one request in what may be on its way."""

    def __init__(self, gate: Gate) -> None:
        """Count nothing yet."""
        self._gate = gate
        self.bytes = 0

    def grow(self, size: int) -> None:
        """Take room for `size` bytes in all.

        Raises:
            Problem: too-many-requests.
        """
        if size > self.bytes:
            self._gate.take_room(size - self.bytes, alone=self.bytes)
            self.bytes = size


class Gate:
    """Shut until `opened`, and again from `closing` on."""

    def __init__(self, settings: Settings) -> None:
        """Be shut."""
        self._settings = settings
        self._lock = threading.Lock()
        self._intake: Intake | None = None
        self._state = "starting"
        self._requests = 0
        self._bytes = 0
        self._waiting: list[Waiting] = []
        self._asked = False
        self._group_s = 0.0
        self._answered: OrderedDict[str, tuple[str, FileClaim]] = OrderedDict()
        self._in_progress: set[str] = set()

    # ---- the main loop's side

    def opened(self, intake: Intake) -> None:
        """Let requests in; called once the log is recovered."""
        engine = intake.engine
        engine.flush()  # answers that are given again are read from the store
        directory = self.directory(engine)
        directory.mkdir(exist_ok=True)
        for path in directory.iterdir():  # bodies that a crash left behind: nobody was told that they had come
            path.unlink()
        with self._lock:
            for entry in engine.journal.entries:
                if isinstance(entry, FileClaim):
                    self._remember(entry)
            self._forget(engine.now())
            self._intake, self._state = intake, "open"

    def closing(self) -> None:
        """Let nobody in any more, and finish what was accepted; called by the main loop, which ends after that."""
        with self._lock:
            intake, self._state = self._intake, "stopping"
        end = time.monotonic() + GRACE_S
        while intake is not None and self._requests and time.monotonic() < end:
            intake.run_commands()
            time.sleep(_TICK_S)
        self.abandon()

    def abandon(self) -> None:
        """Refuse whatever waits: the main loop takes nothing any more."""
        with self._lock:
            self._state = "stopping"
            self._intake = None
            waiting, self._waiting = self._waiting, []
        for item in waiting:
            item.future.set_exception(self._shut())

    def _take(self, engine: Engine) -> None:
        """Take what waits through the stages, and tell every request what became of it."""
        with self._lock:
            group = self._next_group()
            intake = self._intake
            self._asked = bool(self._waiting)
            if intake is None:
                return
            if self._asked:
                intake.submit(self._take)
        started = time.monotonic()
        try:
            receipts = take_posted(engine, [item.arrival for item in group], intake.claimed)
        except UnableToClaim as error:
            engine.report(f"{len(group)} posted bodies are refused: {error}")
            self._end(group, Problem("unavailable", "there is no room for the body", headers={"Retry-After": "30"}))
            return
        except BaseException:
            told = "octroi stopped before it could say what became of the body; send it again: what is known is a duplicate"
            self._end(group, Problem("unavailable", told, headers={"Retry-After": "5"}))
            raise
        with self._lock:
            self._group_s = time.monotonic() - started
            for item, receipt in zip(group, receipts, strict=True):
                entry = engine.journal.entries[receipt.claim - 1]
                if item.key is not None and isinstance(entry, FileClaim):
                    self._in_progress.discard(item.key)
                    self._remember(entry)
            self._forget(engine.now())
        for item, receipt in zip(group, receipts, strict=True):
            item.future.set_result(receipt)

    def _next_group(self) -> list[Waiting]:
        size = count = 0
        for item in self._waiting[:GROUP_MAX]:
            if count and size + item.size > GROUP_BYTES:
                break
            size, count = size + item.size, count + 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _end(self, group: list[Waiting], problem: Problem) -> None:
        with self._lock:
            self._in_progress.difference_update(item.key for item in group if item.key is not None)
        for item in group:
            with suppress(OSError):
                item.arrival.path.unlink(missing_ok=True)
            item.future.set_exception(problem)

    # ---- the requests' side

    @property
    def is_open(self) -> bool:
        """Whether requests are let in."""
        return self._state == "open"

    def require_open(self) -> Engine:
        """Return the engine behind the main loop.

        Raises:
            Problem: unavailable.
        """
        with self._lock:
            if self._state != "open" or self._intake is None:
                raise self._shut()
            return self._intake.engine

    def command(self, action: Callable[[Engine], None]) -> None:
        """Have the main loop run an action between two entries of the log.

        Raises:
            Problem: unavailable.
        """
        with self._lock:
            if self._state != "open" or self._intake is None:
                raise self._shut()
            self._intake.submit(action)

    def ask(self, action: Callable[[Engine], Returned]) -> Future[Returned]:
        """Do what `command` does, and return the future of what the action says; it fails once the main loop has ended.

        Raises:
            Problem: unavailable.
        """
        with self._lock:
            if self._state != "open" or self._intake is None:
                raise self._shut()
            return self._intake.submit(action)

    def _shut(self) -> Problem:
        return Problem("unavailable", f"octroi is {self._state}", headers={"Retry-After": "5"})

    def source(self, code: str) -> SourceBase:
        """Return the definition of a source.

        Raises:
            Problem: unknown-source, or unavailable.
        """
        active = self.require_open().active
        found = None if active is None else active.catalog.sources.get(code)
        if found is None:
            raise Problem("unknown-source", f"the catalog in force defines no source {code!r}")
        return found

    @staticmethod
    def directory(engine: Engine) -> Path:
        """Return where bodies are written until they are claimed: beside the spool's sources, under no source's name."""
        return engine.directory.spool.incoming / ".http"

    @contextmanager
    def admit(self) -> Iterator[Admission]:
        """Yield the admission of one request.

        Raises:
            Problem: too-many-requests, or unavailable.
        """
        with self._lock:
            if self._state != "open":
                raise self._shut()
            if self._requests >= self._settings.http_waiting_requests_max:
                raise self._busy(f"{self._requests} requests are on their way")
            self._requests += 1
        admission = Admission(self)
        try:
            yield admission
        finally:
            with self._lock:
                self._requests -= 1
                self._bytes -= admission.bytes

    def take_room(self, more: int, *, alone: int) -> None:
        """Count more bytes on their way; `alone` are those of the same request before: one request always has room.

        Raises:
            Problem: too-many-requests.
        """
        with self._lock:
            if self._bytes > alone and self._bytes + more > self._settings.http_waiting_bytes_max:
                raise self._busy(f"{self._bytes} bytes are on their way")
            self._bytes += more

    def _busy(self, detail: str) -> Problem:
        wait_s = min(max(1, math.ceil(self._group_s)), _RETRY_MAX_S)
        return Problem("too-many-requests", detail, headers={"Retry-After": str(wait_s)})

    def submit(self, item: Waiting) -> Future[Receipt]:
        """Give a durable body to the main loop; its file is the gate's from now on.

        Raises:
            Problem: unavailable; the file is the caller's.
        """
        with self._lock:
            if self._intake is None:
                raise self._shut()
            self._waiting.append(item)
            if not self._asked:
                self._asked = True
                self._intake.submit(self._take)
        return item.future

    # ---- idempotency

    def begin(self, key: str, content: str) -> FileClaim | None:
        """Begin a request with an idempotency key; return the claim of the body that came with it before, if one did.

        Raises:
            Problem: request-in-progress, or idempotency-key-reused when it came with another body.
        """
        with self._lock:
            if key in self._in_progress:
                told = "the first request with this key is not answered yet"
                raise Problem("request-in-progress", told, headers={"Retry-After": "1"})
            if key not in self._answered:
                self._in_progress.add(key)
                return None
            before, entry = self._answered[key]
        if before != content:
            raise Problem("idempotency-key-reused", "take another key for another body, or send the same body again")
        return entry

    def give_up(self, key: str) -> None:
        """End a request with an idempotency key that came to nothing: the key may be used again."""
        with self._lock:
            self._in_progress.discard(key)

    def answer_again(self, entry: FileClaim) -> Receipt:
        """Return what became of a body that was claimed before.

        Raises:
            Problem: unavailable.
        """
        return stored_receipt(self.require_open().store, entry)

    def _remember(self, entry: FileClaim) -> None:
        if found := key_of(entry):
            key, content = found
            self._answered[key] = (content, entry)
            self._answered.move_to_end(key)

    def _forget(self, now: int) -> None:
        horizon = now - self._settings.http_idempotency_hours * _HOUR_US
        while self._answered and next(iter(self._answered.values()))[1].received_at < horizon:
            self._answered.popitem(last=False)
