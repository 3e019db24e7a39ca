"""Decoding ahead: in order, bounded, and errors surface in the consumer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from apps.embedded.threads import Ahead

PATIENCE_S = 30.0


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll a condition that another thread brings about."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)


class Source:
    """Counts what was asked of it; fails after `failing_after` items, and knows when it was closed."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.made = 0
        self._count = count
        self._error = error
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            while self.made < self._count:
                self.made += 1
                yield self.made
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()


def test_items_come_in_order_and_the_thread_ends() -> None:
    ahead = Ahead(iter(Source(200)), depth=3)
    assert list(ahead) == list(range(1, 201))
    assert not ahead._thread.is_alive()


def test_nothing_is_an_answer_too() -> None:
    assert list(Ahead(iter(Source(0)), depth=1)) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_the_producer_runs_ahead_and_never_further_than_its_depth(depth: int) -> None:
    source = Source(100)
    ahead = Ahead(iter(source), depth)
    wait_until(lambda: source.made == depth + 1)  # one more is in its hand
    for taken, item in enumerate(ahead, 1):
        assert item == taken
        assert source.made <= taken + depth + 1


@pytest.mark.parametrize("error", [ValueError("bad"), OSError(5, "I/O"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_producer_raises_is_raised_once_after_its_items(error: BaseException) -> None:
    ahead = Ahead(iter(Source(2, error)), depth=1)
    items = iter(ahead)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(type(error)) as caught:
        next(items)
    assert caught.value is error
    assert list(items) == []
    assert not ahead._thread.is_alive()


def test_a_consumer_that_stops_early_ends_the_thread() -> None:
    source = Source(10_000)
    ahead = Ahead(iter(source), depth=2)
    for item in ahead:
        if item == 5:
            break
    wait_until(lambda: not ahead._thread.is_alive())
    assert source.made <= 5 + 2 + 1
    wait_until(source.closed.is_set)  # so its file is closed


def test_a_consumer_that_fails_ends_the_thread() -> None:
    source = Source(10_000)
    ahead = Ahead(iter(source), depth=2)

    def consume() -> None:
        for item in ahead:
            raise LookupError(item)

    with pytest.raises(LookupError):
        consume()
    wait_until(lambda: not ahead._thread.is_alive())
    assert source.made <= 1 + 2 + 1


def test_stopping_a_producer_that_waits_for_room_does_not_hang() -> None:
    source = Source(10_000)
    ahead = Ahead(iter(source), depth=1)
    wait_until(lambda: source.made == 2)
    ahead.stop()
    assert not ahead._thread.is_alive()
