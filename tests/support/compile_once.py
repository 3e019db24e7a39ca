"""Several test processes begin at once with an empty cache of kernels: each kernel is compiled by one, and loaded by the others."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

PATIENCE_S = 60.0
"""No kernel takes longer; whoever waited for so long compiles on its own, so that nobody waits for ever."""


def compile_once() -> None:
    """Let this process wait for another one that is compiling the same kernel."""
    original: Callable[[Any, Any], Any] = Dispatcher.compile
    held: set[Path] = set()

    def compile_or_wait(self: Any, sig: Any) -> Any:
        if not isinstance(self._cache, FunctionCache):
            return original(self, sig)
        index = Path(self._cache._cache_file._index_path)
        lock = index.with_name(f"{index.name}.lock")
        if lock in held:
            return original(self, sig)
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        held.add(lock)
        try:
            _wait_for(handle)
            return original(self, sig)
        finally:
            held.discard(lock)
            os.close(handle)

    Dispatcher.compile = compile_or_wait


def _wait_for(handle: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return
