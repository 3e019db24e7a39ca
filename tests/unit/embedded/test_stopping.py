"""A signal is heard whatever the main thread is doing.

A thread that blocks a signal stands for one that it reaches a moment before it waits: Python's own handler does not run there.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.embedded.stopping import FINISHING, stopping

DEAF_TO = {signal.SIGINT, signal.SIGTERM}
WAIT_S = 60


@contextmanager
def _deaf() -> Iterator[None]:
    """Let signals not interrupt this thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, DEAF_TO)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, DEAF_TO)


@pytest.mark.parametrize("by", sorted(DEAF_TO))
def test_the_first_signal_is_heard_by_a_main_thread_that_waits(
    by: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with stopping() as stop:
        with _deaf():
            os.kill(os.getpid(), by)
            assert stop.wait(WAIT_S)
        assert stop.by == by
    assert capfd.readouterr().err == FINISHING.decode()


def _interrupted_twice() -> None:
    never = threading.Event()
    with stopping() as stop, _deaf():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(WAIT_S)
        os.kill(os.getpid(), signal.SIGINT)
        never.wait(WAIT_S)


def test_the_second_ctrl_c_interrupts_a_main_thread_that_waits() -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted_twice()


def test_sigterm_does_not_insist(capfd: pytest.CaptureFixture[str]) -> None:
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(WAIT_S)
        os.kill(os.getpid(), signal.SIGTERM)
        assert not threading.Event().wait(0.2)
        assert stop.by == signal.SIGTERM
    assert capfd.readouterr().err == FINISHING.decode()


def test_signals_go_where_they_went_before() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    threads = threading.active_count()
    try:
        with stopping():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert threading.active_count() == threads
