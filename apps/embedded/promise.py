"""Futures of which thousands are made a second: they share one lock, since a lock for each takes longer than what it guards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

T = TypeVar("T")
_FINISHED = "FINISHED"


class Promise(Future[T]):
    """A future whose lock is that of others, too. Whoever waits for it waits for it alone, and holds up nobody."""

    def __init__(self, shared: threading.Condition) -> None:
        """Take the lock, and begin as `Future` does."""
        self._condition = shared
        self._state = "PENDING"
        self._result = None
        self._exception = None
        self._waiters = []
        self._done_callbacks: list[Callable[[Future[T]], object]] = []

    def set_result(self, result: T) -> None:
        """Give the result, once. Nobody waits for the shared lock, so nobody is to be woken there. Raises as `Future` does."""
        with self._condition:
            if self._state not in ("PENDING", "RUNNING"):
                raise InvalidStateError(f"{self._state}: {self!r}")
            self._result = result
            self._state = _FINISHED
            for waiter in self._waiters:
                waiter.add_result(self)
        self._invoke_callbacks()  # type: ignore[attr-defined]

    def result(self, timeout: float | None = None) -> T:
        """Return the result once it is there. Raises what `Future.result` does."""
        if self._state == _FINISHED and self._exception is None:
            return self._result  # type: ignore[return-value]
        self._wait(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception once it is there, None where there is a result. Raises what `Future.exception` does."""
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        if not self.done():
            ended = threading.Event()
            self.add_done_callback(lambda _: ended.set())
            ended.wait(timeout)
