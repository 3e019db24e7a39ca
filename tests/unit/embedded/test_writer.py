"""Writing behind: in order, bounded, and errors surface in whoever hands over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from apps.embedded.threads import Writer, WriterIsClosed

PATIENCE_S = 30.0
NEVER_S = 3600.0


def block(number: int, received: int = 10) -> Any:
    """Return as much of an output block as the writer looks at."""
    return SimpleNamespace(number=number, header=SimpleNamespace(received=received))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)


class Store:
    """Remembers what it was given; waits at `gate`; fails at its `failing`th call."""

    def __init__(self, *, failing: int = 0, error: BaseException | None = None) -> None:
        self.writes: list[list[int]] = []
        self.calls = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self._failing = failing
        self._error = error or RuntimeError("the disk is gone")

    def __call__(self, blocks: list[Any]) -> None:
        self.calls += 1
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.calls == self._failing:
            raise self._error
        self.writes.append([item.number for item in blocks])

    @property
    def stored(self) -> list[int]:
        return [number for write in self.writes for number in write]


@pytest.fixture
def writers() -> Iterator[Callable[..., Writer]]:
    started: list[Writer] = []

    def start(store: Store, *, records: int = 1000, seconds: float = NEVER_S, backlog: int = 10_000) -> Writer:
        writer = Writer(store=store, flush_records=records, flush_s=seconds, backlog_records=backlog)
        writer.start()
        started.append(writer)
        return writer

    yield start
    for writer in started:
        writer.close()
        assert writer._thread is not None
        assert not writer._thread.is_alive()


def test_everything_is_stored_in_order(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store, records=30)
    for number in range(100):
        writer.put(block(number))
    writer.flush()
    assert store.stored == list(range(100))
    figures = writer.figures
    assert (figures.blocks, figures.records, figures.flushes) == (100, 1000, len(store.writes))


def test_works_are_done_in_order_with_blocks(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store, records=70)
    done: list[list[int]] = []
    writer.put(block(1))
    writer.then(lambda: done.append(store.stored))
    writer.then(lambda: done.append(store.stored))
    writer.put(block(2))
    writer.put(block(3))
    writer.flush()
    assert done == [[1], [1]]
    assert store.writes == [[1], [2, 3]]
    assert (writer.figures.blocks, writer.given) == (3, 5)


def test_what_a_work_cannot_store_is_told_and_nothing_follows(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store)

    def fail() -> None:
        raise OSError("the disk is gone")

    writer.put(block(1))
    writer.then(fail)
    writer.put(block(2))
    with pytest.raises(OSError, match="the disk is gone"):
        writer.flush()
    assert store.stored == [1]


def test_blocks_are_gathered_until_there_are_enough(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store, records=30)
    writer.put(block(1))
    writer.put(block(2))
    assert store.calls == 0
    writer.put(block(3))
    wait_until(lambda: store.writes == [[1, 2, 3]])


def test_a_block_of_nothing_counts_as_a_record(writers: Callable[..., Writer]) -> None:
    """Otherwise a file of nothing but empty blocks would gather without a bound."""
    store = Store()
    writer = writers(store, records=3)
    for number in range(3):
        writer.put(block(number, received=0))
    wait_until(lambda: store.stored == [0, 1, 2])


def test_a_block_does_not_wait_longer_than_it_may(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store, seconds=0.01)
    writer.put(block(1))
    wait_until(lambda: store.stored == [1])
    writer.put(block(2))
    wait_until(lambda: store.stored == [1, 2])


def test_flushing_waits_for_what_is_being_stored(writers: Callable[..., Writer]) -> None:
    store = Store()
    store.gate.clear()
    writer = writers(store, records=10)
    writer.put(block(1))
    assert store.entered.wait(PATIENCE_S)
    threading.Timer(0.02, store.gate.set).start()
    writer.flush()
    assert store.stored == [1]


def test_flushing_nothing_returns(writers: Callable[..., Writer]) -> None:
    store = Store()
    writers(store).flush()
    assert store.calls == 0


def test_what_is_not_stored_yet_is_bounded(writers: Callable[..., Writer]) -> None:
    store = Store()
    store.gate.clear()
    writer = writers(store, records=20, backlog=50)
    handed: list[int] = []
    waiting_most: list[int] = []

    def hand_over() -> None:
        for number in range(40):
            writer.put(block(number))
            handed.append(number)
            waiting_most.append(10 * (len(handed) - len(store.stored)))

    thread = threading.Thread(target=hand_over, daemon=True)
    thread.start()
    wait_until(lambda: len(waiting_most) == 6)  # 50 records, and the one that went over
    store.gate.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    writer.flush()
    assert store.stored == list(range(40))
    assert max(waiting_most) == 60


@pytest.mark.parametrize("error", [RuntimeError("the disk is gone"), OSError(28, "full"), MemoryError(), SystemExit(1)])
def test_what_the_store_raises_surfaces_and_nothing_is_stored_after_it(
    writers: Callable[..., Writer], error: BaseException
) -> None:
    store = Store(failing=2, error=error)
    writer = writers(store, records=10)
    writer.put(block(1))
    writer.flush()
    writer.put(block(2))
    for attempt in (writer.flush, lambda: writer.put(block(3)), writer.flush):
        with pytest.raises(type(error)) as caught:
            attempt()
        assert caught.value is error
    assert (store.stored, store.calls) == ([1], 2)
    assert writer.figures.blocks == 1


def test_a_failure_frees_whoever_waits_for_room(writers: Callable[..., Writer]) -> None:
    store = Store(failing=1)
    store.gate.clear()
    writer = writers(store, records=10, backlog=10)
    writer.put(block(1))
    assert store.entered.wait(PATIENCE_S)
    writer.put(block(2))
    threading.Timer(0.02, store.gate.set).start()
    with pytest.raises(RuntimeError, match="the disk is gone"):
        writer.put(block(3))


def test_closing_drops_what_waits_and_refuses_more(writers: Callable[..., Writer]) -> None:
    store = Store()
    writer = writers(store)
    writer.put(block(1))
    writer.close()
    assert store.stored == []
    with pytest.raises(WriterIsClosed):
        writer.put(block(2))
    with pytest.raises(WriterIsClosed):
        writer.flush()


def test_closing_while_full_frees_whoever_waits_and_does_not_hang(writers: Callable[..., Writer]) -> None:
    store = Store()
    store.gate.clear()
    writer = writers(store, records=10, backlog=10)
    ended: list[BaseException] = []

    def hand_over() -> None:
        try:
            for number in range(10):
                writer.put(block(number))
        except WriterIsClosed as error:
            ended.append(error)

    putter = threading.Thread(target=hand_over, daemon=True)
    putter.start()
    assert store.entered.wait(PATIENCE_S)
    closer = threading.Thread(target=writer.close, daemon=True)
    closer.start()
    putter.join(PATIENCE_S)
    assert len(ended) == 1
    store.gate.set()  # the write in hand is finished, whatever
    closer.join(PATIENCE_S)
    assert not closer.is_alive()
    assert len(store.writes) == 1


def test_closing_twice_and_before_starting_is_harmless() -> None:
    writer = Writer(store=Store(), flush_records=1, flush_s=1, backlog_records=1)
    writer.close()
    writer.close()
