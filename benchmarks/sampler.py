"""A profile as text: where each thread is, some hundred times a second. Compiled kernels count for the line that calls them."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

INTERVAL_S = 0.004
SHOWN = 25
DEPTH = 3
"""Callers that are told with a line."""
_IDLE = {
    "threading.py": ("wait", "wait_for", "join", "_wait_for_tstate_lock", "acquire"),
    "queue.py": ("get", "put", "join"),
    "selectors.py": ("select",),
    "sampler.py": ("_run",),
}
"""By file, the functions in which a thread waits; others there (`Event.is_set`, say) are work like any."""


class Sampler:
    """Counts, by thread, the innermost lines (with their callers), and the innermost functions.

    Attributes:
        samples: of each thread, those while it waited included.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.samples: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._lines: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._functions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take samples meanwhile."""
        thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if (name := names.get(ident, "?")) != "sampler":
                    self.take(name, frame)

    def take(self, name: str, frame: FrameType) -> None:
        """Count one sample of a thread."""
        self.samples[name] += 1
        if frame.f_code.co_name in _IDLE.get(Path(frame.f_code.co_filename).name, ()):
            self._waiting[name] += 1
            return
        self._functions[name][_function(frame)] += 1
        told, at = [f"{_function(frame)}:{frame.f_lineno}"], frame.f_back
        while at is not None and len(told) <= DEPTH:
            told.append(f"{_function(at)}:{at.f_lineno}")
            at = at.f_back
        self._lines[name][" < ".join(told)] += 1

    def text(self, name: str) -> str:
        """Return the profile of a thread: shares of the samples in which it did not wait."""
        busy = self.samples[name] - self._waiting[name]
        told = [f"{name}: {self.samples[name]:,} samples, {self._waiting[name]:,} of them waiting", "", "functions"]
        told += [f"{count / max(busy, 1):7.1%}  {where}" for where, count in self._functions[name].most_common(SHOWN)]
        told += ["", "lines, each with its callers"]
        told += [f"{count / max(busy, 1):7.1%}  {where}" for where, count in self._lines[name].most_common(SHOWN)]
        return "\n".join([*told, ""])


def _function(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{'/'.join(path.parts[-2:])} {frame.f_code.co_qualname}"
