"""Runs of usual readings, cut out of the bytes of a feed before expat sees them: in their place it finds an empty element.

An element in the place of a run keeps the feed well-formed where it was, and malformed where it was not; the line ends of the
run follow it, so that lines are counted as before. Which element is one of ours shows in its offset, which no file can guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.kernels import espi as kernel
from schemas.arrays import Int64Array

ELEMENT = "IntervalReadings"
_MARK = f"<{ELEMENT}/>".encode()
WINDOW_BYTES = 1 << 20
REST_BYTES_MAX = 1 << 16
"""Of a comment, section or instruction that has not ended; beyond, expat is given all that follows."""
PADDING = 16
READING_BYTES_MIN = 80
"""Of a reading there are at least 89."""


@dataclass(frozen=True, slots=True)
class Run:
    """Readings one after the other.

    Attributes:
        at: offset of the element in their place. table: (n, kernel.FIELDS), LINE counted from the first of them.
    """

    at: int
    table: Int64Array


@dataclass(slots=True)
class Cutter:
    """Cuts runs out of a feed.

    Attributes:
        given: how many bytes came out so far. rest: bytes that are not decided. stopped: whether all is left as it is.
    """

    given: int = 0
    rest: bytes = b""
    stopped: bool = False

    def cut(self, piece: bytes) -> tuple[bytes, list[Run]]:
        """Return the next bytes of a feed for expat, and the runs that were in their place; b"" for the piece is the end."""
        window, self.rest = self.rest + piece, b""
        runs: list[Run] = []
        if not self.stopped and piece:
            window, runs = self._cut(window)
        self.given += len(window)
        return window, runs

    def _cut(self, window: bytes) -> tuple[bytes, list[Run]]:
        size = len(window)
        buffer = np.zeros(size + PADDING, np.uint8)
        buffer[:size] = np.frombuffer(window, np.uint8)
        most = size // READING_BYTES_MIN + 2
        table, places = np.empty((most, kernel.FIELDS), np.int64), np.empty((most, kernel.RUN_FIELDS), np.int64)
        count, _, decided, stopped = kernel.scan_readings(buffer, size, table, places)
        if stopped or size - decided > REST_BYTES_MAX:
            self.stopped = True
        else:
            window, self.rest = window[:decided], window[decided:]
        out, runs, at, length = list[bytes](), list[Run](), 0, 0
        for begin, end, first, held in places[:count].tolist():
            before = window[at:begin]
            lines = b"\n" * window.count(b"\n", begin, end)
            mine = table[first : first + held].copy()
            mine[:, kernel.LINE] -= mine[0, kernel.LINE]
            length += len(before)
            runs.append(Run(self.given + length, mine))
            out += (before, _MARK, lines)
            length += len(_MARK) + len(lines)
            at = end
        return b"".join([*out, window[at:]]), runs
