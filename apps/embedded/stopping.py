"""Ctrl-C and SIGTERM end a run after the file in hand, Ctrl-C again ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FINISHING = b"octroi: finishing the file in hand; interrupt again to end at once, the next run continues\n"
WAKE = signal.SIGURG
"""Interrupts a blocked call of the main thread; of itself it does nothing, so one that comes late does no harm."""
WAKE_S = 0.05
"""Seconds between two of them, until one is heard."""


class Stop(threading.Event):
    """Set when the run shall end after the claim in hand; `by` is the signal that said so, 0 when none did."""

    by = 0


class _Listener:
    """Hears signals in a thread of its own.

    Python runs a handler in the main thread, before that thread blocks or when its blocked call is interrupted: a signal that
    comes between the two is not heard until the next one. So the handler only raises what this thread decided, and it is woken
    until it did.
    """

    def __init__(self) -> None:
        """Begin to listen; in the main thread only."""
        self.stop = Stop()
        self._closed = False
        self._raised = threading.Event()
        self._raised.set()
        self._main = threading.get_ident()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)  # whoever is interrupted must not wait
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, WAKE)
        }

    def close(self) -> None:
        """Leave signals to whom they went before."""
        self._closed = True
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not (self._raised.is_set() or self._closed):
            self._raised.set()
            raise KeyboardInterrupt

    def _listen(self) -> None:
        while numbers := os.read(self._read, 64):
            for number in numbers:
                if number in (signal.SIGINT, signal.SIGTERM):
                    self._hear(number)

    def _hear(self, number: int) -> None:
        if not self.stop.is_set():
            self.stop.by = number
            os.write(2, FINISHING)
            self.stop.set()
        elif number == signal.SIGINT:
            self._raised.clear()
            while not (self._raised.is_set() or self._closed):
                signal.pthread_kill(self._main, WAKE)
                self._raised.wait(WAKE_S)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Yield an event that SIGTERM and the first SIGINT set: the claim in hand is finished, then the run ends well.

    A second SIGINT raises KeyboardInterrupt in the main thread; the next start brings journal and store together.
    """
    listener = _Listener()
    try:
        yield listener.stop
    finally:
        listener.close()
