"""A profile says where threads were, and which of them only waited."""

from __future__ import annotations

import threading
import time

from benchmarks.sampler import Sampler


def _busy(until: threading.Event) -> None:
    while not until.is_set():
        sum(range(1000))


def test_a_thread_that_works_is_told_from_one_that_waits() -> None:
    sampler, end = Sampler(), threading.Event()
    threads = [threading.Thread(target=_busy, args=(end,), name="busy"), threading.Thread(target=end.wait, name="idle")]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    with sampler.running():
        while min(sampler.samples["busy"], sampler.samples["idle"]) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    end.set()
    for thread in threads:
        thread.join()
    assert min(sampler.samples["busy"], sampler.samples["idle"]) >= 5
    told = sampler.text("busy").splitlines()
    assert told[0].endswith(" 0 of them waiting")
    assert told[3] == " 100.0%  benchmarks/test_sampler.py _busy"
    assert sampler.text("idle").splitlines()[0].endswith(f" {sampler.samples['idle']:,} of them waiting")
    assert "sampler" not in sampler.samples
