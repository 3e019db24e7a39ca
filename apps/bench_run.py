"""The process that `octroi bench end_to_end` measures: one session on a data directory, with its CPU time and latencies."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from apps.bench_keys import peak_mib
from apps.cli.failures import honest, say
from apps.embedded.layout import DataDirectory
from apps.memory import keep_freed_memory
from apps.settings import Settings
from benchmarks.sampler import Sampler


@dataclass(slots=True)
class Watch:
    """An attendant of the session that only looks: CPU time of processing, and how long each block waited for the store.

    Attributes:
        sampler: None, or what looks where threads are while files are processed.
        latency_s: of each block, from when it was rated until it could be queried. cpu_s: of all threads, while files are
            processed.
    """

    sampler: Sampler | None = None
    latency_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    _given: list[float] = field(default_factory=list)
    _sampling: ExitStack = field(default_factory=ExitStack)

    def opened(self, intake: Any) -> None:
        """Begin: stand beside the writer."""
        writer = intake.engine.writer
        put, store = writer.put, writer.store
        self.cpu_s = -time.process_time()

        def noted(block: Any) -> None:
            self._given.append(time.perf_counter())
            put(block)

        def stored(blocks: Sequence[Any]) -> None:
            store(blocks)
            now, first = time.perf_counter(), len(self.latency_s)
            self.latency_s += [now - given for given in self._given[first : first + len(blocks)]]

        writer.store = stored
        intake.engine.writer = _Noted(writer, noted)
        if self.sampler is not None:
            self._sampling.enter_context(self.sampler.running())

    def closing(self) -> None:
        """End: everything is stored."""
        self.cpu_s += time.process_time()
        self._sampling.close()


class _Noted:
    """A writer whose `put` is another's."""

    def __init__(self, writer: Any, put: Callable[[Any], None]) -> None:
        self._writer, self.put = writer, put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def measured_run(root: Path, profiles: Path | None = None) -> dict[str, Any]:
    """Run one session in this process; return its report with CPU seconds, wall seconds, latencies and peak memory.

    Args:
        profiles: a directory for a profile of each thread, which costs some time; None: none.
    """
    started = time.monotonic()
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.embedded.session import run_session
    from apps.embedded.stopping import stopping

    settings = Settings(data_dir=root, dedup_window_days="unlimited")  # the usage is always of the same days
    before, watch = time.process_time(), Watch(Sampler() if profiles is not None else None)
    with stopping() as stop:
        done = run_session(
            DataDirectory(root),
            settings,
            [],
            follow=False,
            stop=stop,
            say=say,
            progress=lambda records: None,
            attendant=watch,
        )
    if profiles is not None and watch.sampler is not None:
        profiles.mkdir(parents=True, exist_ok=True)
        for name in watch.sampler.samples:
            (profiles / f"{name}.txt").write_text(watch.sampler.text(name), encoding="utf-8")
    return done.as_dict() | {
        "cpu_s": round(time.process_time() - before, 3),
        "process_cpu_s": round(watch.cpu_s, 3),
        "wall_s": round(time.monotonic() - started, 3),
        "latency_s": watch.latency_s,
        "peak_memory_mib": peak_mib(),
    }


def main() -> None:
    """Be the process that is measured: of a data directory, and a directory for profiles if there is one."""
    keep_freed_memory()
    try:
        print(json.dumps(honest(measured_run)(*map(Path, sys.argv[1:]))))
    except typer.Exit as end:
        sys.exit(end.exit_code)


if __name__ == "__main__":
    main()
