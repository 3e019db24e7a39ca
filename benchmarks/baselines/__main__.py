"""`python -m benchmarks.baselines NAME USAGE CUSTOMERS [BROKER RECORDS]`: do one baseline, and print its figures as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.baselines.python_rater import Totals


def _tell(out: int, totals: Totals, seconds: float, cpu_s: float) -> None:
    # not ru_maxrss, which a process has from the one that started it
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    figures = {"totals": totals, "seconds": seconds, "cpu_s": cpu_s, "peak_memory_mib": peak}
    os.write(out, json.dumps(figures).encode() + b"\n")


def main() -> None:
    """Be the process that is measured: what is imported and read first is not counted."""
    name, usage, customers, *stream = sys.argv[1:]
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a worker of Faust moves the cursor on it
    tell = partial(_tell, out)
    module = importlib.import_module(f"benchmarks.baselines.{name}")
    if stream:
        module.run(Path(customers), stream[0], int(stream[1]), tell)
        return
    started, spent = time.perf_counter(), time.process_time()
    totals = module.run(Path(usage), Path(customers))
    tell(totals, time.perf_counter() - started, time.process_time() - spent)


if __name__ == "__main__":
    main()
