"""Blocks that come and go in a thread take no new pages from the kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BLOCKS = """
import resource, sys, threading
import numpy as np
from apps.memory import keep_freed_memory

kept = keep_freed_memory() if "keep" in sys.argv else None
faults = []

def blocks():
    for _ in range(30):
        held = [np.empty(12 << 20, np.uint8) for _ in range(4)]
        for block in held:
            block[::4096] = 1
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

thread = threading.Thread(target=blocks)
thread.start()
thread.join()
print(kept, faults[-1] - faults[4])
"""


def _run(*arguments: str) -> tuple[str, int]:
    environment = {"NUMPY_MADVISE_HUGEPAGE": "0"}  # pages are counted one by one
    command = [sys.executable, "-c", BLOCKS, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=True)
    kept, faults = done.stdout.split()
    return kept, int(faults)


def test_freed_memory_is_used_again() -> None:
    before, after = _run(), _run("keep")
    assert after[0] == "True"
    assert after[1] < 10_000 < before[1]
