"""Deduplication alone, measured: keys by number, so that what must be said of every row is known without any memory of it."""

from __future__ import annotations

import mmap
import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.jit import prepare_cache

prepare_cache()

import numpy as np  # noqa: E402

from benchmarks.generate.draws import draw  # noqa: E402
from pipelines.resource.dedup import DAY_US, DedupWindow  # noqa: E402
from pipelines.resource.kernels import dedup as verdicts  # noqa: E402
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot  # noqa: E402
from schemas.arrays import Int64Array  # noqa: E402

BATCH = 50_000
"""Keys of a block."""
AGAIN_EVERY = 100
"""Every so many-th row of a mixed batch is a key that was there before, every second of these with another content."""
MIXED = 5
KNOWN = 10
"""Every so many-th batch is a mixed one; after every so many-th one before is sent again."""
LOOKED_UP = 40
"""Batches of keys, all over the log, that are looked up in what was restored."""
DAY_AT = 1_780_000_000_000_000 // DAY_US * DAY_US
GIVEN_PER_KEY = 46
GIVEN_AHEAD = 64 << 20
PIECE_BYTES = 16 << 20


@dataclass
class GivenMemory:
    """Memory that the machine has given already, let go of as a window grows.

    A virtual machine gets memory from its host page by page when it first touches it, and some take what is free back
    within seconds. That costs more than deduplication does, and says nothing about it: so it is counted apart.

    Attributes:
        seconds: CPU time that touching took.
    """

    pieces: list[mmap.mmap] = field(default_factory=list)
    left_behind: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, size: int) -> GivenMemory:
        """Touch `size` bytes."""
        started = time.process_time()
        given = cls([_touched() for _ in range(-(-size // PIECE_BYTES))])
        given.seconds = time.process_time() - started
        return given

    def leave(self, size: int) -> None:
        """Have let go of at least `size` bytes in all."""
        while self.pieces and self.left_behind < size:
            self.pieces.pop().close()
            self.left_behind += PIECE_BYTES


def _touched() -> mmap.mmap:
    memory = mmap.mmap(-1, PIECE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, PIECE_BYTES, mmap.PAGESIZE):
        memory[at] = 1
    return memory


@dataclass
class Measured:
    """Batches of one kind.

    Attributes:
        rows: decided. wrong: rows of which something else was said than is true.
        seconds: CPU time of `DedupWindow.decide`. worst_s: of one batch.
    """

    rows: int = 0
    wrong: int = 0
    seconds: float = 0.0
    worst_s: float = 0.0

    def take(self, window: DedupWindow, number: Int64Array, held: int, seed: int) -> None:
        """Decide keys by their numbers: those from `held` on are new, others were there; negative ones with another content."""
        other = number < 0
        number = np.abs(number)
        hi, lo = draw(seed, 1, number), draw(seed, 2, number)
        content = draw(seed, 3, number) | np.uint64(1)
        content[other] ^= np.uint64(2)
        expected = np.where(number >= held, verdicts.NEW, verdicts.DUPLICATE)
        expected[other] = verdicts.CONFLICT
        event_at, everything = np.full(len(number), DAY_AT, np.int64), np.ones(len(number), np.bool_)
        started = time.process_time()
        verdict = window.decide(hi, lo, content, event_at, everything, everything).verdict
        seconds = time.process_time() - started
        self.seconds += seconds
        self.worst_s = max(self.worst_s, seconds)
        self.rows += len(number)
        self.wrong += int(np.count_nonzero(verdict != expected))

    def figures(self) -> dict[str, Any]:
        """Return what is told of them."""
        return {
            "rows": self.rows,
            "wrong": self.wrong,
            "cpu_s": round(self.seconds, 4),
            "worst_batch_ms": round(self.worst_s * 1e3, 2),
        }


def measure_dedup(root: Path, keys: int, *, seed: int) -> dict[str, Any]:
    """Take that many different keys of one day, and some of them again, and write a snapshot; return figures.

    What must be said of each row follows from its number: every row is checked.
    """
    _warm_up(seed)
    load = os.getloadavg()[0]
    base_bytes = _resident_bytes()
    given = GivenMemory.of(GIVEN_PER_KEY * keys + GIVEN_AHEAD)
    window = DedupWindow()
    new, mixed, known = Measured(), Measured(), Measured()
    held = batch = 0
    while held < keys:
        given.leave(window.nbytes + GIVEN_AHEAD)
        if batch % MIXED == MIXED - 1:
            number = _mixed(held, min(BATCH, keys - held), seed)
            mixed.take(window, number, held, seed)
            held = int(number.max()) + 1
        else:
            number = np.arange(held, min(held + BATCH, keys))
            new.take(window, number, held, seed)
            held += len(number)
        if batch % KNOWN == KNOWN - 1:
            back = int(draw(seed, 4, np.array([batch]))[0]) % (held - BATCH)
            known.take(window, np.arange(back, back + BATCH), held, seed)
        batch += 1
    per_gib = given.seconds / (len(given.pieces) * PIECE_BYTES + given.left_behind) * 2**30
    while given.pieces:
        given.pieces.pop().close()
    bytes_per_key = (_resident_bytes() - base_bytes) / keys
    state = StageState.empty()
    state.resource.dedup = window
    started = time.monotonic()
    write_snapshot(root / "state", state)
    return {
        "keys": window.key_count,
        "new": new.figures(),
        "mixed": mixed.figures(),
        "known": known.figures(),
        "load_average": round(load, 2),
        "memory_cpu_s_per_gib": round(per_gib, 3),
        "bytes_per_key": round(bytes_per_key, 2),
        "bytes_per_key_counted": round(window.nbytes / keys, 2),
        "snapshot_s": round(time.monotonic() - started, 3),
        "peak_memory_mib": peak_mib(),
    }


def _mixed(held: int, count: int, seed: int) -> Int64Array:
    """Return numbers of new keys from `held` on with some in between that were there, as `Measured.take` wants them."""
    at = np.arange(count)
    again = at % AGAIN_EVERY == AGAIN_EVERY - 1
    number: Int64Array = held + at - np.cumsum(again)
    before = (draw(seed, 5, held + at) % np.uint64(max(held - 1, 1))).astype(np.int64) + 1
    number[again] = before[again]
    other = again & (at // AGAIN_EVERY % 2 == 1)
    number[other] *= -1
    return number


def measure_restore(root: Path, keys: int, *, seed: int, cold: bool = False) -> dict[str, Any]:
    """Read the snapshot of `measure_dedup` back, checksums verified, and look keys up in it; return figures.

    Args:
        cold: ask the system to forget what it has of the files before.
    """
    _warm_up(seed)
    if cold:
        _forget(root / "state")
    load = os.getloadavg()[0]
    cpu_s, started = time.process_time(), time.monotonic()
    told: list[str] = []
    state = read_latest_snapshot(root / "state", told.append)
    restore_s, cpu_s = time.monotonic() - started, time.process_time() - cpu_s
    assert state is not None, told
    window = state.resource.dedup
    found = window.key_count
    known, fresh = Measured(), Measured()
    for first in np.linspace(0, max(keys - BATCH, 0), LOOKED_UP).astype(int).tolist():
        known.take(window, np.arange(first, min(first + BATCH, keys)), keys, seed)
    fresh.take(window, np.arange(keys, keys + BATCH), keys, seed)
    return {
        "restore_s": round(restore_s, 3),
        "cpu_s": round(cpu_s, 3),
        "keys": found,
        "known": known.figures(),
        "fresh": fresh.figures(),
        "load_average": round(load, 2),
        "peak_memory_mib": peak_mib(),
    }


def _forget(directory: Path) -> None:
    """Ask the system to drop its copies of files; what was not written yet is synced first."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _warm_up(seed: int) -> None:
    """Compile what is not in the cache."""
    window = DedupWindow()
    for first in (0, BATCH):
        Measured().take(window, np.arange(first, first + 2 * BATCH), first, seed)


def peak_mib() -> int:
    """Return the largest resident size of this process: not `ru_maxrss`, which begins with that of the parent."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()
