"""A profile says where threads were, and which of them only waited."""

from __future__ import annotations

import sys
import threading
import time

from benchmarks.sampler import Sampler


def _busy(until: list[bool]) -> None:
    while not until:
        sum(range(1000))


def _inside() -> set[str]:
    """Names of threads that are where they stay: not on their way there any more."""
    frames = sys._current_frames()
    at = {t.name: frames[t.ident].f_code.co_name for t in threading.enumerate() if t.ident in frames}
    return {name for name, function in at.items() if function in ("_busy", "wait")}


def test_a_thread_that_works_is_told_from_one_that_waits() -> None:
    sampler, end, done = Sampler(), threading.Event(), list[bool]()
    threads = [
        threading.Thread(target=_busy, args=(done,), name="busy"),
        threading.Thread(target=end.wait, name="idle"),
    ]
    for thread in threads:
        thread.start()
    while any(thread.name not in _inside() for thread in threads):
        time.sleep(0.001)
    deadline = time.monotonic() + 60
    with sampler.running():
        while min(sampler.samples["busy"], sampler.samples["idle"]) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    done.append(True)
    end.set()
    for thread in threads:
        thread.join()
    assert min(sampler.samples["busy"], sampler.samples["idle"]) >= 5
    told = sampler.text("busy").splitlines()
    assert told[0].endswith(" 0 of them waiting")
    assert told[3] == " 100.0%  benchmarks/test_sampler.py _busy"
    assert sampler.text("idle").splitlines()[0].endswith(f" {sampler.samples['idle']:,} of them waiting")
    assert "sampler" not in sampler.samples
