"""How long snapshots of the account state take, and for how long they stop who draws from it meanwhile."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Result
from benchmarks.wallets import World
from pipelines.snapshot import StageState, publish_snapshot, read_latest_snapshot
from pipelines.snapshot_copy import StateCopy

ROWS, FRAMES = 8_000, 250


@dataclass(slots=True)
class _Drawing:
    """Draws blocks from wallets, one after another and again and again, and notes when each one ended."""

    world: World
    frames: list[bytes]
    ends: list[float] = field(default_factory=list)

    def block(self) -> None:
        """Draw the next block."""
        self.world.debit(self.frames[len(self.ends) % len(self.frames)])
        self.ends.append(time.perf_counter())

    def longest_ms(self, first: int, last: int) -> float:
        """Return the longest time without a block, of some blocks."""
        return round(float(np.diff(self.ends[first:last]).max()) * 1000, 1)

    def rate(self, first: int, last: int) -> int:
        """Return records per second, of some blocks."""
        return round(ROWS * (last - first - 1) / (self.ends[last - 1] - self.ends[first]))

    def settle(self) -> None:
        """Tell the world what was used."""
        whole, some = divmod(len(self.ends), len(self.frames))
        for times, frames in ((whole - 1, self.frames[some:]), (whole, self.frames[:some])):
            self.world.use_again(frames, times)


def _write_beside(folder: Path, world: World, state: StageState, frames: list[bytes]) -> tuple[dict[str, Any], str]:
    """Return figures of a snapshot that is made while blocks are drawn, and the checksum of what it has to hold."""
    drawing = _Drawing(world, frames)
    while len(drawing.ends) < 2 * len(frames):
        drawing.block()
    quiet = len(drawing.ends)
    copied, placed, exact = threading.Event(), threading.Event(), list[StageState]()
    copy = StateCopy.begin(state)

    def make() -> None:
        copy.run(lambda: True)
        copied.set()
        placed.wait()
        publish_snapshot(folder, exact[0])

    thread = threading.Thread(target=make)
    started = time.perf_counter()
    thread.start()
    while not (copied.is_set() and copy.is_near()):
        drawing.block()
    between = time.perf_counter()
    found = copy.finish()
    stopped = time.perf_counter()
    assert found is not None
    exact.append(found)
    placed.set()
    while thread.is_alive():
        drawing.block()
    figures = {
        "pause_ms": drawing.longest_ms(quiet - 1, len(drawing.ends)),
        "pause_without_one_ms": drawing.longest_ms(0, quiet),
        "stop_ms": round((stopped - between) * 1000, 1),
        "copied_s": round(between - started, 2),
        "written_s": round(drawing.ends[-1] - started, 3),
        "records_per_s": drawing.rate(quiet, len(drawing.ends)),
        "records_per_s_without_one": drawing.rate(0, quiet),
    }
    drawing.settle()
    return figures, found.account.checksum()


def measure_snapshots(world: World, *, seed: int, runs: int) -> list[Result]:
    """Return for how long no block ended while a snapshot was made, its seconds, and those to read it again."""
    written, restored, problems = list[dict[str, Any]](), list[float](), list[str]()
    state = StageState.empty()
    state.vocabulary, state.account = world.vocabulary, world.state
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        for run in range(runs):
            state.claim = 2 + run
            frames = world.frames("data", records=ROWS * FRAMES, rows=ROWS, seed=seed + run)
            figures, checksum = _write_beside(Path(folder), world, state, frames)
            written.append(figures)
            between = time.perf_counter()
            found = read_latest_snapshot(Path(folder), problems.append)
            restored.append(round(time.perf_counter() - between, 3))
            if found is None or found.account.checksum() != checksum:
                problems.append("what was restored is not what was written")
            elif len(found.vocabulary.wallets) != len(world.vocabulary.wallets):
                problems.append("names were lost")
    problems += world.recount()
    details: dict[str, Any] = {
        "accounts": len(world.megabytes),
        "block_rows": ROWS,
        "measures": "blocks are drawn from wallets one after another before a snapshot is made, and meanwhile",
        **{name: [run[name] for run in written] for name in written[0]},
        "problems": problems,
    }
    told = {
        "snapshot_pause": ("ms", details["pause_ms"]),
        "snapshot": ("s", details["written_s"]),
        "restore": ("s", restored),
    }
    return [
        Result(f"wallets.{name}", unit, values, None, not problems, details) for name, (unit, values) in told.items()
    ]
