"""`python -m benchmarks.baselines NAME USAGE CUSTOMERS [BROKER RECORDS]`: do one baseline, and print its figures as JSON."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.baselines.python_rater import Totals


def _tell(totals: Totals, seconds: float, cpu_s: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = {"totals": totals, "seconds": seconds, "cpu_s": cpu_s, "peak_memory_mib": peak}
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Be the process that is measured: what is imported and read first is not counted."""
    name, usage, customers, *stream = sys.argv[1:]
    module = importlib.import_module(f"benchmarks.baselines.{name}")
    if stream:
        module.run(Path(customers), stream[0], int(stream[1]), _tell)
        return
    started, spent = time.perf_counter(), time.process_time()
    totals = module.run(Path(usage), Path(customers))
    _tell(totals, time.perf_counter() - started, time.process_time() - spent)


if __name__ == "__main__":
    main()
