"""`octroi bench all`: every benchmark in a process of its own, and what they found in one file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.bench import UnableToMeasure
from apps.bench_suites import SUITES, Ask, expect_parts
from apps.cli.failures import MISMATCH, say
from apps.cli.output import print_json
from benchmarks.environment import describe_environment
from benchmarks.report import shape_problems, write_json


def bench_all(ask: Ask) -> bool:
    """Run the benchmarks named by `only`, all unless told otherwise; return whether no recount differs.

    What could be measured is written before it is said what could not.

    Raises:
        UnableToMeasure: when one of them ended otherwise, or wrote a file of another shape.
    """
    expect_parts(ask.only, SUITES)
    whole: dict[str, Any] = {"environment": describe_environment(), "results": []}
    agreed, failed = True, []
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        for name in ask.only or [name for name, suite in SUITES.items() if not suite.is_of_others]:
            say(f"benchmark {name}")
            path = Path(temporary) / f"{name}.json"
            code = run_apart(name, _given(ask, path))
            agreed = agreed and code != MISMATCH
            if path.exists():
                whole["results"] += json.loads(path.read_text())["results"]
            if code not in (0, MISMATCH):
                failed.append(f"{name} ended with {code}")
    failed += shape_problems(whole)
    if ask.json_file is None:
        print_json(whole)
    else:
        write_json(ask.json_file, whole)
    if failed:
        raise UnableToMeasure("; ".join(failed))
    return agreed


def run_apart(name: str, given: Mapping[str, object]) -> int:
    """Run one benchmark in a process of its own, by its options; return how it ended."""
    words = (str(word) for pair in given.items() for word in pair)
    return subprocess.run([sys.executable, "-m", "apps.cli", "bench", name, *words], check=False).returncode


def _given(ask: Ask, path: Path) -> dict[str, object]:
    given: dict[str, object] = {
        "--bytes": ask.large_bytes,
        "--seed": ask.seed,
        "--runs": ask.runs,
        "--size": ask.size.value,
        "--json": path,
    }
    if ask.records is not None:
        given["--records"] = ask.records
    return given
