"""Syncing a file while something else is worked out."""

from __future__ import annotations

import os
import threading


class SyncBeside:
    """Syncs one file in a thread of its own, one time after another. One thread asks.

    A thread that has been woken needs the interpreter before it can call the system, and would not have it before whoever asked
    waits for something. So `begin` waits until the call is about to be made, and needs nobody from then on.

    Attributes:
        is_under_way: whether what was begun was not waited for yet.
    """

    def __init__(self, handle: int) -> None:
        """Take the file, open for writing; the thread starts with the first `begin`."""
        self._handle = handle
        self._asked, self._begun, self._ended = threading.Lock(), threading.Lock(), threading.Lock()
        for lock in (self._asked, self._begun, self._ended):
            lock.acquire()  # each is a signal: whoever waits for it takes it, whoever gives it lets go of it
        self._thread: threading.Thread | None = None
        self._is_open = True
        self.is_under_way = False
        self._failure: OSError | None = None

    def begin(self) -> None:
        """Begin to sync what was written until now.

        Raises:
            ValueError: when the one before was not waited for.
        """
        if self.is_under_way:
            raise ValueError("one is under way")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
            self._thread.start()
        self.is_under_way = True
        self._asked.release()
        self._begun.acquire()

    def wait(self) -> None:
        """Wait until what was begun is over; return at once when nothing was.

        Raises:
            OSError: when it failed.
        """
        if not self.is_under_way:
            return
        self._ended.acquire()
        self.is_under_way = False
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End the thread, once what was begun is over."""
        if self._thread is not None:
            self._is_open = False
            self._asked.release()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            if not self._is_open:
                return
            self._begun.release()
            try:
                os.fdatasync(self._handle)
            except OSError as error:
                self._failure = error
            self._ended.release()
